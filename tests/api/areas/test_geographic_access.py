"""Geographic access: requests, and scopes that lack a member."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request

from .calling import capture_request

AREA, REGIONS = "geographic_access", "/rbac/v1/custom-regions"
CUSTOMER = "/rbac/v1/customers/c%2F1"


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        ("list_geographic_countries", {}, Request("GET", "/rbac/v1/countries", {}, None)),
        ("list_custom_regions", {}, Request("GET", REGIONS, {}, None)),
        ("get_custom_region", {"customRegionId": "r"}, Request("GET", f"{REGIONS}/r", {}, None)),
        (
            "create_custom_region",
            {"name": "DACH", "countryCodes": ["DE"]},
            Request("POST", REGIONS, {}, {"name": "DACH", "countryCodes": ["DE"]}),
        ),
        (
            "update_custom_region",
            {"customRegionId": "r", "name": "EU"},
            Request("PATCH", f"{REGIONS}/r", {}, {"name": "EU"}),
        ),
        (
            "delete_custom_region",
            {"customRegionId": "r"},
            Request("DELETE", f"{REGIONS}/r", {}, None),
        ),
        (
            "get_customer_geographic_scope",
            {"targetCustomerId": "c/1"},
            Request("GET", f"{CUSTOMER}/geographic-scope", {}, None),
        ),
        (
            "update_customer_geographic_scope",
            {"targetCustomerId": "c/1", "type": "global"},
            Request("PUT", f"{CUSTOMER}/geographic-scope", {}, {"type": "global"}),
        ),
        (
            "delete_customer_geographic_scope",
            {"targetCustomerId": "c/1"},
            Request("DELETE", f"{CUSTOMER}/geographic-scope", {}, None),
        ),
        (
            "get_user_geographic_scope",
            {"targetCustomerId": "c/1", "userId": "u"},
            Request("GET", f"{CUSTOMER}/users/u/geographic-scope", {}, None),
        ),
        (
            "update_user_geographic_scope",
            {"targetCustomerId": "c/1", "userId": "u", "type": "customRegion", "customRegionId": "r"},
            Request("PUT", f"{CUSTOMER}/users/u/geographic-scope", {}, {"type": "customRegion", "customRegionId": "r"}),
        ),
        (
            "delete_user_geographic_scope",
            {"targetCustomerId": "c/1", "userId": "u"},
            Request("DELETE", f"{CUSTOMER}/users/u/geographic-scope", {}, None),
        ),
    ],
)
async def test_requests(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request(AREA, name, arguments) == request_


@pytest.mark.parametrize(
    ("scope", "problem"),
    [
        ({"type": "country"}, "requires countryCode and nothing else"),
        ({"type": "customRegion", "countryCode": "DE"}, "requires customRegionId and nothing else"),
        ({"type": "country", "countryCode": "DE", "customRegionId": "r"}, "requires countryCode and nothing else"),
        ({"type": "global", "countryCode": "DE"}, "has no further arguments"),
    ],
)
@pytest.mark.parametrize("target", [{}, {"userId": "u"}], ids=["customer", "user"])
async def test_scopes_have_the_member_of_their_type(scope: Any, problem: str, target: Any) -> None:
    name = f"update_{'user' if target else 'customer'}_geographic_scope"
    with pytest.raises(ApiError, match=f"type {scope['type']} {problem}"):
        await capture_request(AREA, name, {"targetCustomerId": "c", **target, **scope})
