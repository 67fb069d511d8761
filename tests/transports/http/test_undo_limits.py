"""Undo calls leave out what their tool refuses or a result has no room for, and approvals say what cannot be undone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.api.faults import Fault
from doit_mcp.server.catalog import catalog_factory
from tests.sandbox.bodies import BUDGET, BY_CLOUD, THEME
from tests.transports.http.serving import ADMIN, EMPLOYEE, OTHER_USER, Json, Site, serving
from tests.transports.http.test_undo import applied, as_set
from tests.transports.http.test_undo_notes import prepared

SEASONAL: Json = {
    **{name: value for name, value in BUDGET.items() if name != "amount"},
    "seasonalAmounts": [100] * 12,
    "startPeriod": "2026-01-01",
}
MANY_VALUES: Json = {
    "id": "project_id",
    "type": "fixed",
    "values": [f"a-project-with-a-long-name-{i}" for i in range(900)],
}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product over the sandbox's API."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        yield site


async def test_deleted_seasonal_budgets_can_be_created_again(site: Site) -> None:
    selected = {"id": (await applied(site, "create_budget", SEASONAL))["id"]}
    former = await applied(site, "get_budget", selected)
    assert (await prepared(site, "delete_budget", selected))["irreversible"] is False
    undo = (await applied(site, "delete_budget", selected))["undo"]
    restored = await applied(site, undo["tool"], undo["arguments"])
    assert as_set(await applied(site, "get_budget", {"id": restored["id"]})) == as_set(former)


async def test_approvals_say_that_a_large_object_cannot_be_created_again(site: Site) -> None:
    report = {"name": "R", "report": {**BY_CLOUD, "filters": [MANY_VALUES]}}
    selected = {"id": (await applied(site, "create_report", report))["id"]}
    change = await prepared(site, "delete_report", selected)
    deleted = await applied(site, "delete_report", selected)
    assert change["irreversible"] is True and deleted["undo"].keys() == {"note"}
    assert deleted["undo"]["note"] in change["notes"]
    assert "too large" in deleted["undo"]["note"] and "new id" not in deleted["undo"]["note"]


async def test_undo_of_an_update_leaves_out_only_refused_values(site: Site) -> None:
    selected = {"id": (await applied(site, "create_budget", SEASONAL))["id"]}
    undo = (await applied(site, "update_budget", {**selected, "amount": 500, "name": "x"}))["undo"]
    assert undo["tool"] == "update_budget" and undo["arguments"] == {**selected, "name": SEASONAL["name"]}
    assert "amount (0" in undo["note"]
    other = {"id": (await applied(site, "create_budget", SEASONAL))["id"]}
    undo = (await applied(site, "update_budget", {**other, "amount": 500, "seasonalAmounts": []}))["undo"]
    assert undo["arguments"] == {**other, "seasonalAmounts": [100] * 12}
    await applied(site, undo["tool"], undo["arguments"])
    assert (await applied(site, "get_budget", other))["seasonalAmounts"] == [100] * 12


async def test_undo_of_an_update_leaves_out_only_large_values(site: Site) -> None:
    report = {"name": "R", "report": {**BY_CLOUD, "filters": [MANY_VALUES]}}
    selected = {"id": (await applied(site, "create_report", report))["id"]}
    interval = (await applied(site, "get_report_config", selected))["config"]["timeInterval"]
    changes = {"name": "S", "report": {"filters": [], "timeInterval": "day"}}
    undo = (await applied(site, "update_report", {**selected, **changes}))["undo"]
    assert undo["arguments"] == {**selected, "name": "R", "report": {"timeInterval": interval}}
    assert "report.filters ([{" in undo["note"] and "more characters" in undo["note"]


async def test_employees_can_undo_what_only_they_can_change(site: Site) -> None:
    customer = {"customerContext": OTHER_USER.customer}
    listed = (await site.call("list_tickets", customer, user=EMPLOYEE)).result["structuredContent"]
    ticket = next(row for row in listed["tickets"] if row["status"] == "open")
    changes = {"ticketId": ticket["id"], "status": "pending", **customer}
    done = (await site.apply("update_ticket", changes, user=EMPLOYEE)).result["structuredContent"]
    assert done["undo"]["arguments"] == {**changes, "status": "open"}
    await site.apply("update_ticket", done["undo"]["arguments"], user=EMPLOYEE)
    shown = (await site.call("get_ticket", {"id": ticket["id"], **customer}, user=EMPLOYEE)).result
    assert shown["structuredContent"]["status"] == "open"


async def test_changes_name_the_role_of_a_user(site: Site) -> None:
    user = next(row for row in (await applied(site, "list_users", {}))["users"] if row["email"] != ADMIN.email)
    roles = {row["id"]: row["name"] for row in (await applied(site, "list_roles", {}))["roles"]}
    shown = f"{roles[user['roleId']]} (id {user['roleId']})"
    change = await prepared(site, "delete_user", {"id": user["id"]})
    assert {row["field"]: row for row in change["fields"]}["roleId"]["before"] == shown
    group = await applied(site, "create_customer_group", {"name": "North", "memberCustomerIds": [ADMIN.customer]})
    chosen = {"customerGroupId": group["id"], "userId": user["id"]}
    affected = (await prepared(site, "assign_customer_group_user", chosen))["affected"]
    assert f"user.roleId: {shown}" in affected


async def test_an_approved_object_that_cannot_be_read_has_not_changed() -> None:
    api = Api()
    async with serving(make=catalog_factory(), api=api) as site:
        await check_unread_approval(site, api)


async def check_unread_approval(site: Site, api: Api) -> None:
    label = await applied(site, "create_label", {"name": "Quarter", "color": "blue"})
    first = (await site.call("delete_label", {"id": label["id"]})).result["structuredContent"]
    path = "/analytics/v1/labels/"
    api.faults.append(Fault(path, 500, times=None, operation=f"GET {path}{{id}}"))
    again = (await site.call("confirm_action", {"approvalToken": first["approvalToken"]})).result["structuredContent"]
    notes = again["change"]["notes"]
    assert again["status"] == "approval_required" and "could not be read again" in notes[0]
    assert not any("has changed since" in note for note in notes)


async def test_deletions_of_themes_say_that_undo_does_not_activate_them(site: Site) -> None:
    theme = await applied(site, "create_custom_theme", THEME)
    assert "affected" not in await prepared(site, "delete_custom_theme", {"id": theme["id"]})
    await applied(site, "set_active_theme", {"themeId": theme["id"]})
    (active,) = (await prepared(site, "delete_custom_theme", {"id": theme["id"]}))["affected"]
    assert active.startswith("your active theme") and active.endswith(f"{THEME['name']} (id {theme['id']})")
    notes = " ".join((await prepared(site, "delete_custom_theme", {"id": theme["id"]}))["notes"])
    assert "get the default theme" in notes and "set_active_theme" in notes
    deleted = await applied(site, "delete_custom_theme", {"id": theme["id"]})
    assert "set_active_theme" in deleted["undo"]["note"]
    assert (await applied(site, "get_active_theme", {}))["themeId"] == "default"


async def test_approvals_and_dry_runs_name_what_the_undo_cannot_restore(site: Site) -> None:
    budget = await applied(site, "create_budget", BUDGET)
    seasonal = await applied(site, "create_budget", SEASONAL)
    user = next(row for row in (await applied(site, "list_users", {}))["users"] if row["email"] != ADMIN.email)
    shared = {"public": "viewer", "type": "fixed", "startPeriod": "2026-11-01", "endPeriod": "2026-12-31"}
    for name, arguments, expected in (
        ("update_budget", {"id": budget["id"], **shared}, ("public, endPeriod: no value", "restores public.")),
        ("update_budget", {"id": seasonal["id"], "amount": 500, "public": "viewer"}, ("amount (0",)),
        ("update_user", {"id": user["id"], "phone": "+44"}, ("phone",)),
        ("update_budget", {"id": budget["id"], "name": "Renamed"}, ()),
    ):
        shown = [await prepared(site, name, {**arguments, "dryRun": True})]
        if "name" not in arguments:
            shown.append(await prepared(site, name, arguments))
        note = (await applied(site, name, arguments))["undo"].get("note")
        for change in shown:
            assert change.get("notes", []) == [note] * bool(expected), name
        assert all(text in note for text in expected), name
