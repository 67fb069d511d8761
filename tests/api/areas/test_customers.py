"""Customers and AccountTeam: requests; the default customer."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import Doit
from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from tests.api.recorder import Recorder

from .calling import capture_request

PATH = "/customers/v1/customers"


@pytest.mark.parametrize(
    ("area", "name", "arguments", "request_"),
    [
        ("account_team", "list_account_team", {}, Request("GET", "/customers/v1/accountTeam", {}, None)),
        ("customers", "get_customer", {"customerId": "a b"}, Request("GET", f"{PATH}/a%20b", {}, None)),
        (
            "customers",
            "update_customer",
            {
                "customerId": "c",
                "urlSlug": "",
                "settings": {"currency": "EUR", "allowedInviteDomains": [], "mfaRequired": False},
                "contact": {"emails": []},
            },
            Request(
                "PATCH",
                f"{PATH}/c",
                {},
                {
                    "urlSlug": "",
                    "settings": {"currency": "EUR", "allowedInviteDomains": [], "mfaRequired": False},
                    "contact": {"emails": []},
                },
            ),
        ),
    ],
)
async def test_requests(area: str, name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request(area, name, arguments) == request_


async def test_update_is_a_merge_patch_with_an_empty_response() -> None:
    api = Recorder(None)
    assert await Doit.for_sender(api).customers.update_customer(customerId="c", urlSlug="acme") is None
    assert api.operations[0].content_type == "application/merge-patch+json"


class TenantRecorder(Recorder):
    """The API for a caller whose customer is known."""

    tenant = "acme/1"


async def test_customer_id_defaults_to_the_callers_own() -> None:
    api = TenantRecorder({})
    customers = Doit.for_sender(api).customers
    await customers.get_customer()
    await customers.update_customer(urlSlug="acme")
    await customers.get_customer(customerId="other")
    assert [request.path for request in api.requests] == [f"{PATH}/acme%2F1", f"{PATH}/acme%2F1", f"{PATH}/other"]


async def test_unknown_customer_requires_a_customer_id() -> None:
    with pytest.raises(ApiError, match="customerId is required"):
        await capture_request("customers", "get_customer", {})
