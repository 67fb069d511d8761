"""Prepared changes and dry runs name the objects that refer to the one that changes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from doit_mcp.catalog.writes.change_context import MAX_DETAILS
from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.sandbox.bodies import ALERT, ALLOCATION, BUDGET, BY_CLOUD, NOTE
from tests.transports.http.serving import Json, Site, serving
from tests.transports.http.test_refusals import refused
from tests.transports.http.test_undo import applied
from tests.transports.http.test_undo_notes import prepared

NAMED = {"type": "attribution", "id": "attribution"}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product over the sandbox's API."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        yield site


PUBLIC = "public: all users of the customer (viewer)"
OWNER = "permissions: admin@acme.example (owner)"


async def affected(site: Site, name: str, arguments: Json) -> list[str]:
    """Return what a call affects, without the ids of the objects."""
    change = await prepared(site, name, arguments)
    return [text.partition(" (id ")[0] for text in change.get("affected", ())]


async def test_allocations_name_what_uses_them(site: Site) -> None:
    production = next(
        row["id"] for row in (await applied(site, "list_allocations", {}))["allocations"] if row["name"] == "Production"
    )
    other = await applied(site, "create_allocation", ALLOCATION)
    budget = {name: value for name, value in BUDGET.items() if name != "scopes"}
    await applied(site, "create_budget", {**budget, "name": "All clouds", "scope": [production]})
    filtered = {**BY_CLOUD, "filters": [{**NAMED, "values": [production]}]}
    await applied(site, "create_report", {"name": "By team", "report": filtered})
    members = [{"action": "select", "id": id} for id in (production, other["id"])]
    group = {"name": "Teams", "description": "d", "unallocatedCosts": "Rest", "rules": members}
    await applied(site, "create_allocation", group)
    users = ["budget that uses it: All clouds", "report that uses it: By team", "allocation that uses it: Teams"]
    assert await affected(site, "update_allocation", {"id": production, "name": "Live", "dryRun": True}) == users
    text = await refused(site, "delete_allocation", id=production)
    assert all(user in text for user in users)
    text = await refused(site, "delete_allocation", id=other["id"])
    assert users[-1] in text and users[0] not in text


async def test_allocations_name_what_uses_them_by_name(site: Site) -> None:
    production = next(
        row["id"] for row in (await applied(site, "list_allocations", {}))["allocations"] if row["name"] == "Production"
    )
    by_name = [{**NAMED, "values": ["Production"]}]
    await applied(site, "create_budget", {**BUDGET, "name": "By name", "scopes": by_name})
    await applied(site, "create_alert", {"name": "Rise", "config": {**ALERT["config"], "scopes": by_name}})
    await applied(site, "create_report", {"name": "Own", "report": {**BY_CLOUD, "filters": by_name}})
    # The same text elsewhere does not refer to the allocation.
    await applied(site, "create_report", {"name": "Production", "report": BY_CLOUD})
    users = ["budget that uses it: By name", "alert that uses it: Rise", "report that uses it: Own"]
    # The API refuses a deletion only while others refer to the allocation by its id.
    assert await affected(site, "delete_allocation", {"id": production}) == [PUBLIC, OWNER, *users]
    changed = {"id": production, "name": "Live", "dryRun": True}
    assert await affected(site, "update_allocation", changed) == users


async def test_reports_name_annotations_and_budgets_labels(site: Site) -> None:
    report = await applied(site, "create_report", {"name": "By cloud", "report": BY_CLOUD})
    await applied(site, "create_annotation", {**NOTE, "reports": [report["id"]]})
    named = ["annotation that refers to it: Release"]
    assert await affected(site, "delete_report", {"id": report["id"]}) == [OWNER, *named]
    label = await applied(site, "create_label", {"name": "Quarter", "color": "blue"})
    for kind, body in (("budget", BUDGET), ("alert", ALERT), ("allocation", ALLOCATION)):
        made = await applied(site, f"create_{kind}", body)
        assert "label that it has: Quarter" not in await affected(site, f"delete_{kind}", {"id": made["id"]})
        labeled = [{"objectId": made["id"], "objectType": kind}]
        await applied(site, "assign_objects_to_label", {"id": label["id"], "add": labeled})
        assert (await affected(site, f"delete_{kind}", {"id": made["id"]}))[-1] == "label that it has: Quarter"


async def test_rows_that_cannot_be_checked_are_counted(site: Site) -> None:
    for number in range(MAX_DETAILS + 2):
        await applied(site, "create_label", {"name": f"Label {number}", "color": "blue"})
    budget = await applied(site, "create_budget", BUDGET)
    count = len((await applied(site, "list_labels", {}))["labels"])
    lines = await affected(site, "delete_budget", {"id": budget["id"]})
    assert lines[-1] == f"label that it has: {count - MAX_DETAILS} objects could not be checked"


async def test_access_names_tokens_users_and_what_is_not_shown(site: Site) -> None:
    account = (await applied(site, "list_service_accounts", {}))["items"][0]["id"]
    changed = await affected(site, "update_service_account", {"id": account, "permissions": [], "dryRun": True})
    assert changed[-1] == "API token that keeps the permissions it was created with: warehouse"
    assert await affected(site, "delete_service_account", {"id": account}) == ["API token that stops: warehouse"]
    customer = (await applied(site, "get_customer", {}))["id"]
    user = (await applied(site, "list_users", {}))["users"][1]
    region = (await applied(site, "list_custom_regions", {}))["customRegions"][0]
    scope = {"type": "customRegion", "customRegionId": region["id"]}
    pair = {"targetCustomerId": customer, "userId": user["id"]}
    assert not await affected(site, "delete_custom_region", {"customRegionId": region["id"]})
    await applied(site, "update_user_geographic_scope", {**pair, **scope})
    user_line = f"user with it as scope: {user['email']}"
    assert user_line in await refused(site, "delete_custom_region", customRegionId=region["id"])
    await applied(site, "update_customer_geographic_scope", {"targetCustomerId": customer, **scope})
    narrowed = {"customRegionId": region["id"], "countryCodes": ["DK"], "dryRun": True}
    lines = await affected(site, "update_custom_region", narrowed)
    assert lines[-2:] == [f"scope of all users of your customer: {region['name']}", user_line]
    group = (await applied(site, "list_customer_groups", {}))["customerGroups"][0]["id"]
    await applied(site, "assign_customer_group_user", {"customerGroupId": group, "userId": user["id"]})
    lines = await affected(site, "update_customer_group", {"customerGroupId": group, "name": "New", "dryRun": True})
    assert lines == [f"user of the group: {user['email']}"]
    connection = (await applied(site, "list_cloudflow_connections", {}))["items"][0]["connectionId"]
    change = await prepared(site, "delete_cloudflow_connection", {"connectionId": connection})
    assert change["notes"][0].startswith("Refused while flows use it.")
