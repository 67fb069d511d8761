"""Permissions, customers and error shapes."""

from __future__ import annotations

import re
from typing import Any

import aiohttp
import pytest
from aiohttp import test_utils, web

from doit_mcp.sandbox.accounts import ACME, Grant, User
from doit_mcp.sandbox.accounts import GLOBEX as GLOBEX_CUSTOMER
from doit_mcp.sandbox.api import Api

from .conftest import ADMIN, EMPLOYEE, GLOBEX, VIEWER, Party

PROBLEM = {"type", "title", "status", "detail", "instance", "code", "retryable"}
READS = [
    "/analytics/v1/budgets",
    "/analytics/v1/reports",
    "/analytics/v1/dimensions",
    "/anomalies/v1",
    "/cloudflow/v1/flows",
    "/support/v1/tickets",
]
TICKET = {"ticket": {"subject": "A", "body": "B", "severity": "low", "platform": "doit", "product": "C"}}


@pytest.mark.parametrize("who", [ADMIN, VIEWER, GLOBEX], ids=lambda who: who.email)
async def test_validate_identifies_the_caller(party: Party, who: User) -> None:
    domain = who.email.partition("@")[2]
    answer = await party.get("/auth/v1/validate", who)
    names = answer.pop("permissions")
    assert answer == {"domain": domain, "email": who.email}
    assert "BillingProfilesAdmin" in names and ("UsersManager" in names) == (who is not VIEWER)


async def test_employee_names_a_customer_to_validate(party: Party) -> None:
    assert "customer" in await party.expect_error(403, "GET", "/auth/v1/validate", who=EMPLOYEE)
    for context, domain in ((GLOBEX_CUSTOMER.id, "globex.example"), ("doit.com", "doit.com")):
        headers = {"X-Tenant-Id": context}
        answer = await party.send("GET", "/auth/v1/validate", who=EMPLOYEE, headers=headers)
        assert answer.json == {"domain": domain, "email": EMPLOYEE.email, "permissions": []}
        assert await party.get("/auth/v1/validate", EMPLOYEE, customerContext=context) == answer.json


async def test_employee_names_a_customer_in_each_request(party: Party) -> None:
    label = {"name": "Quarter", "color": "teal"}
    for tenant, code in (("", "tenant_id_required"), ("doit.com", "tenant_id_mismatch")):
        headers = {"X-Tenant-Id": tenant}
        for path in READS:
            assert code in await party.expect_error(400, "GET", path, who=EMPLOYEE, headers=headers)
        assert code in await party.expect_error(
            400, "POST", "/analytics/v1/labels", label, who=EMPLOYEE, headers=headers
        )


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic YTpi"}])
@pytest.mark.parametrize("path", ["/auth/v1/validate", *READS])
async def test_everything_is_401_without_a_token(party: Party, path: str, headers: dict[str, str]) -> None:
    assert await party.expect_error(401, "GET", path, who=None, headers=headers)


async def test_problem_areas_return_problem_details(party: Party) -> None:
    missing = await party.send("GET", "/billing/v1/invoices", who=None)
    assert missing.headers["WWW-Authenticate"].startswith("Bearer ")
    for answer, status, code in (
        (missing, 401, "unauthorized"),
        (await party.send("GET", "/billing/v1/invoices", who=VIEWER), 403, "forbidden"),
        (await party.send("GET", "/billing/v1/invoices/IN0"), 404, "not_found"),
        (await party.send("GET", "/billing/v1/invoices", pageToken="x"), 400, "pagination_token_invalid"),
        (await party.send("GET", "/billing/v1/invoices", headers={"X-Tenant-Id": "x"}), 400, "tenant_id_mismatch"),
    ):
        assert answer.status == status
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert set(answer.json) >= PROBLEM
        assert (answer.json["status"], answer.json["code"]) == (status, code)
        assert answer.json["instance"].endswith(answer.headers["Request-Id"])
    assert answer.headers["Content-Language"] == "en"
    good = await party.send("GET", "/billing/v1/invoices")
    assert re.fullmatch("req_[0-9A-HJKMNP-TV-Z]{26}", good.headers["Request-Id"])


async def test_foreign_and_missing_tenants(party: Party) -> None:
    headers = {"X-Tenant-Id": GLOBEX_CUSTOMER.id}
    for path in READS:
        assert "tenant_id_mismatch" in await party.expect_error(400, "GET", path, headers=headers)
    response = await party.send("GET", "/analytics/v1/budgets", headers={"X-Tenant-Id": ACME.id})
    assert response.status == 200


async def test_customers_cannot_see_each_others_data(party: Party) -> None:
    headers = {"X-Tenant-Id": GLOBEX_CUSTOMER.id}
    for path, items in (
        ("/analytics/v1/budgets", "budgets"),
        ("/analytics/v1/reports", "reports"),
        ("/anomalies/v1", "anomalies"),
        ("/billing/v1/invoices", "invoices"),
        ("/support/v1/tickets", "tickets"),
        ("/cloudflow/v1/flows", "items"),
    ):
        acme, globex = [await party.get(path, body) for body in (ADMIN, GLOBEX)]
        ids = [{item["id"] for item in customer_body[items]} for customer_body in (acme, globex)]
        assert ids[0] and ids[1] and not ids[0] & ids[1], path
        if items != "items":
            foreign = await party.send("GET", f"{path}/{next(iter(ids[1]))}")
            assert foreign.status == 404
        answer = await party.send("GET", path, who=EMPLOYEE, headers=headers)
        assert [item["id"] for item in answer.json[items]] == [item["id"] for item in globex[items]]
    assert await party.cost() != await party.cost(GLOBEX)


async def test_page_token_of_another_customer_is_rejected(party: Party) -> None:
    page = await party.get("/analytics/v1/budgets", maxResults=1)
    message = await party.expect_error(400, "GET", "/analytics/v1/budgets", who=GLOBEX, pageToken=page["pageToken"])
    assert "pageToken" in message


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/analytics/v1/budgets", {"amount": 1}),
        ("PATCH", "/analytics/v1/budgets/x", {"amount": 1}),
        ("DELETE", "/analytics/v1/budgets/x", None),
        ("POST", "/analytics/v1/reports", {"name": "x"}),
        ("PATCH", "/analytics/v1/reports/x", {"name": "x"}),
        ("DELETE", "/analytics/v1/reports/x", None),
        ("POST", "/support/v1/tickets", TICKET),
        ("POST", "/support/v1/tickets/1/comments", {"body": "x"}),
        ("POST", "/support/v1/tickets/1/tags", {"tags": ["x"]}),
        ("POST", "/cloudflow/v1/flows/x/actions/refine", {"question": "x"}),
    ],
)
async def test_viewer_cannot_write(party: Party, method: str, path: str, body: Any) -> None:
    assert VIEWER.email in await party.expect_error(403, method, path, body, who=VIEWER)


async def test_viewer_reads_everything_except_invoices(party: Party) -> None:
    for path in READS:
        await party.get(path, VIEWER)
    assert (await party.send("GET", "/billing/v1/invoices", who=VIEWER)).status == 403


async def test_unknown_paths_and_methods(party: Party) -> None:
    nothing = await party.send("GET", "/analytics/v1/nothing", declared=False)
    wrong = await party.send("PUT", "/analytics/v1/budgets", declared=False)
    assert (nothing.status, wrong.status) == (404, 405)
    assert nothing.json["error"] and wrong.json["error"]
    assert [call.path for call in party.api.calls] == ["/analytics/v1/nothing", "/analytics/v1/budgets"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 5000])
async def test_non_object_bodies_are_400(party: Party, body: bytes) -> None:
    for path in ("/analytics/v1/budgets", "/analytics/v1/reports", "/analytics/v1/reports/query"):
        headers = {"Authorization": f"Bearer {ADMIN.api_token}"}
        async with party.http.post(party.url + path, data=body, headers=headers) as answer:
            assert answer.status == 400
            assert "body" in (await answer.json())["error"]


async def test_credential_without_a_customer_requires_one() -> None:
    app = web.Application()
    Api().register(app, lambda token: Grant(EMPLOYEE, ""))
    async with test_utils.TestServer(app) as server, aiohttp.ClientSession() as http:
        for path, headers, status in (
            ("/billing/v1/invoices", {}, 400),
            ("/billing/v1/invoices", {"X-Tenant-Id": "nobody"}, 400),
            ("/billing/v1/invoices", {"X-Tenant-Id": ACME.id}, 200),
            ("/analytics/v1/budgets", {}, 400),
            ("/analytics/v1/budgets?customerContext=" + ACME.id, {}, 200),
        ):
            request_headers = {"Authorization": "bearer anything", **headers}
            async with http.get(server.make_url(path), headers=request_headers) as answer:
                assert answer.status == status
                assert status == 200 or ("tenant_id_" in await answer.text())
