"""Customer search of DoiT's console, for employees."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from doit_mcp.sandbox.accounts import ACME, CUSTOMERS, GLOBEX, USERS, Grant
from doit_mcp.sandbox.console_api import SEARCH_PATH, register, search_customers

GRANTS = {"admin": Grant(USERS[0], ACME.id), "employee": Grant(USERS[3], ACME.id)}


@pytest.mark.parametrize(("token", "status"), [("", 401), ("nobody", 401), ("admin", 403), ("employee", 200)])
async def test_only_employees_search(token: str, status: int) -> None:
    app = web.Application()
    register(app, GRANTS.get)
    async with TestClient(TestServer(app)) as client:
        headers = {"Authorization": f"Bearer {token}"}
        async with client.post(SEARCH_PATH, json={"filters": {}}, headers=headers) as answer:
            assert answer.status == status
            body = await answer.json()
            assert ("error" in body) == (status != 200)
        async with client.post(SEARCH_PATH, data=b"no JSON", headers=headers) as answer:
            assert answer.status == (400 if status == 200 else status)


def test_pagination_and_filters() -> None:
    first = search_customers({"filters": {}, "pageSize": 3})
    second = search_customers({"pageSize": 3, "pageToken": first["pageToken"]})
    assert [row["id"] for page in (first, second) for row in page["customers"]] == [
        customer.id for customer in CUSTOMERS
    ]
    assert "pageToken" not in second and second["rowCount"] == len(CUSTOMERS)
    assert [row["name"] for row in search_customers({"filters": {"domains": [GLOBEX.domain]}})["customers"]] == [
        GLOBEX.name
    ]


@pytest.mark.parametrize(
    "body", [[], {"filters": []}, {"pageSize": 0}, {"pageSize": 201}, {"pageSize": True}, {"pageToken": "x"}]
)
def test_invalid_requests_are_rejected(body: Any) -> None:
    with pytest.raises(ValueError, match="."):
        search_customers(body)
