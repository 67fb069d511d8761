"""Writes that the API would refuse are refused before the user approves them, and receipts say what undo calls do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.api.faults import Fault
from doit_mcp.server.catalog import catalog_factory
from tests.transports.http.serving import Json, Site, serving
from tests.transports.http.test_undo import applied
from tests.transports.http.test_undo_notes import prepared

ALL = "/mcp/x/all"
JANUARY = {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-02-01T00:00:00Z"}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product over the sandbox's API."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        yield site


async def refused(site: Site, name: str, /, **arguments: Any) -> str:
    """Return the error of a call that prepares nothing."""
    result = (await site.call(name, arguments, path=ALL)).result
    assert result["isError"], result
    text: str = result["content"][0]["text"]
    return text


async def test_presets_cannot_be_changed(site: Site) -> None:
    for kind, rows in (("report", "reports"), ("label", "labels"), ("role", "roles")):
        found = (await applied(site, f"list_{rows}", {}))[rows]
        preset = next(row["id"] for row in found if row["type"] == "preset")
        assert "It is a preset of DoiT" in await refused(site, f"delete_{kind}", id=preset)
        for dry_run in (True, False):
            text = await refused(site, f"update_{kind}", id=preset, name="X", dryRun=dry_run)
            assert "Nothing was changed: It is a preset of DoiT" in text


async def test_selections_of_events_are_checked(site: Site) -> None:
    name = "delete_datahub_events_by_filter"
    for selection in ({}, {"startTime": JANUARY["startTime"]}, {**JANUARY, "eventIds": ["a"]}):
        assert "Exactly one of eventIds" in await refused(site, name, dataset="Orders", **selection)
    assert "dataset: nope was not found" in await refused(site, name, dataset="nope", **JANUARY)
    await prepared(site, name, {"dataset": "Orders", **JANUARY})


async def test_alerts_need_a_recipient(site: Site) -> None:
    alert = (await applied(site, "list_alerts", {}))["alerts"][0]["id"]
    assert "at least one recipient" in await refused(site, "update_alert", id=alert, recipients=[], dryRun=True)
    assert "at least one recipient" in await refused(site, "update_alert", id=alert, recipients=[])
    await prepared(site, "update_alert", {"id": alert, "name": "Other", "dryRun": True})


async def test_scopes_are_checked(site: Site) -> None:
    pair = {
        "targetCustomerId": (await applied(site, "get_customer", {}))["id"],
        "userId": (await applied(site, "list_users", {}))["users"][1]["id"],
    }
    assert "No scope is assigned." in await refused(site, "delete_user_geographic_scope", **pair)
    customer = {"targetCustomerId": pair["targetCustomerId"]}
    assert "No scope is assigned." in await refused(site, "delete_customer_geographic_scope", **customer)
    wrong: Json = {**pair, "type": "country", "dryRun": True}
    assert "requires countryCode" in await refused(site, "update_user_geographic_scope", **wrong)


async def test_domains_that_can_join_are_marked(site: Site) -> None:
    customer = (await applied(site, "get_customer", {}))["id"]
    domains = ["acme.example", "evil.example"]
    arguments = {"customerId": customer, "settings": {"allowedInviteDomains": domains}}
    affected = (await prepared(site, "update_customer", arguments))["affected"]
    assert affected[0] == "settings.allowedInviteDomains: add evil.example (outside the customer's domains)"
    budget = (await applied(site, "list_budgets", {}))["budgets"][0]["id"]
    shown = await prepared(site, "update_budget", {"id": budget, "recipients": [], "dryRun": True})
    assert "domains could not be read" not in str(shown)


async def test_deletions_of_unknown_insights_delete_nothing(site: Site) -> None:
    assert "has no object with this id" in await refused(site, "delete_insight_results", insightKey="nope")
    insight = {"key": "idle", "title": "Idle things", "shortDescription": "d", "cloudProvider": "aws"}
    await applied(
        site, "post_insight_results", {"results": [insight | {"categories": ["FinOps"], "resourceResults": []}]}
    )
    change = await prepared(site, "delete_insight_results", {"insightKey": "idle"})
    assert change["object"] == {"name": "Idle things", "insightKey": "idle"}
    shown = {row["field"]: row["before"] for row in change["fields"]}
    assert shown["title"] == "Idle things" and shown["source"] == "public-api"
    await applied(site, "delete_insight_results", {"insightKey": "idle"})


async def test_undo_notes_say_what_else_happens(site: Site) -> None:
    invited = next(row for row in (await applied(site, "list_users", {}))["users"] if row["status"] == "invited")
    canceled = await applied(site, "cancel_invite", {"id": invited["id"]})
    assert canceled["undo"]["tool"] == "resend_invite" and "sends another email" in canceled["undo"]["note"]


NO_VALUE = {"type": "fixed", "id": "cloud_provider", "mode": "is", "values": []}


async def find_row(site: Site, tool: str, rows: str, **members: Any) -> Json:
    """Return the first row of a list with these members."""
    found = (await applied(site, tool, {}))[rows]
    row: Json = next(row for row in found if members.items() <= row.items())
    return row


async def test_conditions_need_values(site: Site) -> None:
    budget = (await find_row(site, "list_budgets", "budgets"))["id"]
    alert = (await find_row(site, "list_alerts", "alerts"))["id"]
    report = (await find_row(site, "list_reports", "reports", type="custom"))["id"]
    production = (await find_row(site, "list_allocations", "allocations", name="Production"))["id"]
    component = {"type": "fixed", "key": "cloud_provider", "mode": "is", "values": []}
    for name, path, arguments in (
        ("update_budget", "scopes[0]", {"id": budget, "scopes": [NO_VALUE]}),
        ("update_alert", "alert.scopes[0]", {"id": alert, "alert": {"scopes": [NO_VALUE]}}),
        ("update_report", "report.filters[0]", {"id": report, "config": {"filters": [NO_VALUE]}}),
        (
            "update_allocation",
            "rule.components[0]",
            {"id": production, "rule": {"formula": "A", "components": [component]}},
        ),
    ):
        text = await refused(site, name, **arguments, dryRun=True)
        assert f"Nothing was changed: {path}.values must not be empty" in text
    nulls = {**NO_VALUE, "id": "project_id", "includeNull": True}
    await prepared(site, "update_report", {"id": report, "config": {"filters": [nulls]}, "dryRun": True})


async def test_allocations_keep_their_type(site: Site) -> None:
    production = (await find_row(site, "list_allocations", "allocations", name="Production"))["id"]
    teams = (await find_row(site, "list_allocations", "allocations", name="Teams"))["id"]
    members = {"id": production, "rules": [{"action": "select", "id": production}]}
    text = await refused(site, "update_allocation", **members, dryRun=True)
    assert "type single stays one: change rule instead of rules" in text
    rest = {"id": production, "unallocatedCosts": "Rest", "dryRun": True}
    assert "Only groups have unallocatedCosts" in await refused(site, "update_allocation", **rest)
    component = {"type": "fixed", "key": "cloud_provider", "mode": "is", "values": ["amazon-web-services"]}
    rule = {"formula": "A", "components": [component]}
    text = await refused(site, "update_allocation", id=teams, rule=rule, dryRun=True)
    assert "type group stays one: change rules instead of rule" in text


async def test_objects_in_use_cannot_be_deleted(site: Site) -> None:
    member = (await find_row(site, "list_allocations", "allocations", name="Team ai"))["id"]
    text = await refused(site, "delete_allocation", id=member)
    assert "while the object is in use. Remove it from these first: allocation that uses it: Teams (id " in text
    user = (await find_row(site, "list_users", "users", status="active"))["id"]
    permissions = (await find_row(site, "list_roles", "roles", type="preset"))["permissions"][:1]
    role = (await applied(site, "create_role", {"name": "Readers", "permissions": permissions}))["id"]
    group = (await find_row(site, "list_customer_groups", "customerGroups"))["id"]
    await applied(site, "assign_customer_group_user", {"customerGroupId": group, "userId": user})
    assert "user of the group: " in await refused(site, "delete_customer_group", customerGroupId=group)
    await prepared(site, "delete_role", {"id": role})
    other = (await find_row(site, "list_users", "users", email="viewer@acme.example"))["id"]
    await applied(site, "update_user", {"id": other, "roleId": role})
    assert "user with it: viewer@acme.example" in await refused(site, "delete_role", id=role)


async def test_names_in_use_are_refused(site: Site) -> None:
    role = await find_row(site, "list_roles", "roles", type="preset")
    text = await refused(site, "create_role", name=role["name"], permissions=role["permissions"][:1])
    assert "is already in use. list_roles lists the names in use" in text
    group = await find_row(site, "list_customer_groups", "customerGroups")
    text = await refused(
        site, "create_customer_group", name=group["name"], memberCustomerIds=group["memberCustomerIds"]
    )
    assert f"name: {group['name']} is already in use" in text
    unchanged = {"customerGroupId": group["id"], "name": group["name"], "memberCustomerIds": group["memberCustomerIds"]}
    await prepared(site, "update_customer_group", unchanged)


async def test_an_object_keeps_its_name_if_its_state_is_unreadable() -> None:
    api = Api()
    async with serving(make=catalog_factory(), api=api) as site:
        role = await applied(site, "create_role", {"name": "Readers", "permissions": ["alerts.read"]})
        path = "/iam/v1/roles/{id}"
        api.faults.append(Fault(path.removesuffix("{id}"), 500, times=None, operation=f"GET {path}"))
        await prepared(site, "update_role", {"id": role["id"], "name": "Readers", "permissions": []})


async def test_unknown_roles_and_organizations_are_refused(site: Site) -> None:
    user = await find_row(site, "list_users", "users", status="active")
    text = await refused(site, "update_user", id=user["id"], roleId="nope")
    assert "roleId: no object has the id nope. list_roles lists the ids." in text
    person = {"email": "new@acme.example", "roleId": user["roleId"], "organizationId": "nope"}
    assert "organizationId: no object has the id nope" in await refused(site, "invite_user", **person)
    await prepared(site, "invite_user", {**person, "organizationId": user["organizationId"]})


async def test_archived_contract_templates_are_refused(site: Site) -> None:
    template = (await find_row(site, "list_contract_templates", "templates", status="active"))["templateId"]
    await applied(site, "archive_contract_template", {"templateID": template})
    text = await refused(site, "assign_contract_template", templateID=template, customerIds=["c"])
    assert "The contract template is archived" in text
