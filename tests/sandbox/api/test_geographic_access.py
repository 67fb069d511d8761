"""Geographic access: custom regions, and scopes of customers and users of the hierarchy."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.sandbox.accounts import ACME, UMBRA
from doit_mcp.sandbox.accounts import GLOBEX as GLOBEX_CUSTOMER

from .conftest import ADMIN, EMPLOYEE, GLOBEX, VIEWER, Party
from .test_customer_groups import fail, user_id

REGIONS = "/rbac/v1/custom-regions"
OWN = f"/rbac/v1/customers/{ACME.id}"


async def make_region(party: Party, name: str = "DACH") -> Any:
    """A new region."""
    answer = await party.send("POST", REGIONS, {"name": name, "countryCodes": ["DE", "CH"]})
    assert answer.status == 201, answer
    return answer.json


async def test_region_lifecycle(party: Party) -> None:
    codes = {country["countryCode"] for country in (await party.get("/rbac/v1/countries"))["countries"]}
    assert {"DE", "US"} <= codes
    region = await make_region(party)
    path = f"{REGIONS}/{region['id']}"
    assert region in (await party.get(REGIONS))["customRegions"] and await party.get(path) == region
    changed = (await party.send("PATCH", path, {"countryCodes": ["DE"]})).json
    assert (changed["name"], changed["countryCodes"]) == ("DACH", ["DE"])
    scope = {"type": "customRegion", "customRegionId": region["id"]}
    assert (await party.send("PUT", f"{OWN}/geographic-scope", scope)).json == scope
    assert "assigned" in await fail(party, 409, "DELETE", path)
    assert (await party.send("DELETE", f"{OWN}/geographic-scope")).status == 204
    assert (await party.send("DELETE", path)).status == 204
    assert "not found" in await fail(party, 404, "GET", path)


async def test_scopes_of_customers_and_users(party: Party) -> None:
    user = await user_id(party)
    below = f"/rbac/v1/customers/{GLOBEX_CUSTOMER.id}"
    other = (await party.get("/iam/v1/users", GLOBEX))["users"][0]["id"]
    for path in (OWN, below, f"{OWN}/users/{user}", f"{below}/users/{other}"):
        scope = f"{path}/geographic-scope"
        assert await party.get(scope) == {"type": "unassigned"}
        country = {"type": "country", "countryCode": "DE"}
        expected = {**country, "countryName": "Germany"}
        assert (await party.send("PUT", scope, country)).json == await party.get(scope) == expected
        assert (await party.send("PUT", scope, {"type": "global"})).json == {"type": "global"}
        for _ in range(2):
            assert (await party.send("DELETE", scope)).status == 204
        assert await party.get(scope) == {"type": "unassigned"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {}),
        (400, {"type": "unassigned"}),
        (400, {"type": "country"}),
        (400, {"type": "country", "countryCode": "XX"}),
        (400, {"type": "global", "countryCode": "DE"}),
        (404, {"type": "customRegion", "customRegionId": "cr_none"}),
    ],
)
async def test_invalid_scopes(party: Party, status: int, body: Any) -> None:
    await fail(party, status, "PUT", f"{OWN}/geographic-scope", body)


async def test_only_the_top_of_the_hierarchy_manages(party: Party) -> None:
    for path in (f"/rbac/v1/customers/{UMBRA.id}", f"{OWN}/users/nobody", f"/rbac/v1/customers/{UMBRA.id}/users/x"):
        await fail(party, 404, "GET", f"{path}/geographic-scope")
    assert "top" in await fail(party, 403, "POST", REGIONS, {"name": "A", "countryCodes": ["DE"]}, who=GLOBEX)
    own = f"/rbac/v1/customers/{GLOBEX_CUSTOMER.id}/geographic-scope"
    assert "top" in await fail(party, 403, "GET", own, who=GLOBEX)
    assert await fail(party, 403, "GET", REGIONS, who=VIEWER)
    assert await party.expect_error(403, "GET", "/rbac/v1/countries", who=VIEWER)
    assert (await party.send("GET", REGIONS, who=EMPLOYEE)).status == 200


async def test_names_of_regions_are_unique(party: Party) -> None:
    region = await make_region(party)
    await make_region(party, "Other")
    assert "exists" in await fail(party, 409, "POST", REGIONS, {"name": "DACH", "countryCodes": ["DE"]})
    assert "exists" in await fail(party, 409, "PATCH", f"{REGIONS}/{region['id']}", {"name": "Other"})
    for body in ({"name": "A", "countryCodes": []}, {"name": "A", "countryCodes": ["XX"]}, {"name": "A"}):
        await fail(party, 400, "POST", REGIONS, body)
    await fail(party, 400, "PATCH", f"{REGIONS}/{region['id']}", {})
    assert (await party.get(REGIONS))["customRegions"][0]["createdBy"] == ADMIN.email
