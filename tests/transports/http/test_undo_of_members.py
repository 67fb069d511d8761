"""Undo of changes that reach other objects than their own: members of allocation groups, and who has access."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.sandbox.bodies import ALERT, ALLOCATION, BY_CLOUD
from tests.transports.http.serving import Json, Site, serving
from tests.transports.http.test_undo import applied

GROUP: Json = {"name": "Clouds", "description": "By cloud", "unallocatedCosts": "Others"}
AZURE: Json = {**ALLOCATION["rule"]["components"][0], "values": ["microsoft-azure"]}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product over the sandbox's API."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        yield site


async def test_undo_of_a_group_restores_the_allocations_that_it_changed(site: Site) -> None:
    ids = [(await applied(site, "create_allocation", {**ALLOCATION, "name": name}))["id"] for name in "ABC"]
    members: list[Json] = [{"action": "select", "id": id} for id in ids]
    group = await applied(site, "create_allocation", {**GROUP, "rules": members[:2]})
    former = (await applied(site, "get_allocation", {"id": ids[0]}))["rule"]
    written: Json = {"components": [AZURE], "formula": "A", "validityPeriods": [{"startDate": "2026-01-01"}]}
    rules: list[Json] = [
        {"action": "update", "id": ids[0], "name": "A2", **written},
        members[1],
        {"action": "update", "id": ids[2], "name": "C", **written},
        {"action": "create", "name": "D", **written},
    ]
    changes: Json = {"id": group["id"], "rules": rules}
    change = (await applied(site, "update_allocation", {**changes, "dryRun": True}))["change"]
    assert change["affected"] == [
        f"allocation changed wherever it is used: A (id {ids[0]})",
        f"allocation changed wherever it is used: C (id {ids[2]})",
    ]
    rows = {row["field"]: row for row in change["fields"]}
    assert rows.pop("rules") == {"field": "rules", "added": [f"C (id {ids[2]})", "D (new)"], "removed": []}
    assert rows[f"rules: A (id {ids[0]}).name"] == {
        "field": f"rules: A (id {ids[0]}).name",
        "before": "A",
        "after": "A2",
    }
    assert rows[f"rules: A (id {ids[0]}).components"]["removed"] == ["cloud_provider is google-cloud"]
    assert not any(name.startswith("rules: B") for name in rows)
    assert any("D" in note and "remain" in note for note in change["notes"])
    done = await applied(site, "update_allocation", changes)
    assert (await applied(site, "get_allocation", {"id": ids[0]}))["rule"] != former
    undo = done["undo"]
    assert f"C (id {ids[2]})" in undo["note"] and "D" in undo["note"]
    await applied(site, "update_allocation", undo["arguments"])
    restored = await applied(site, "get_allocation", {"id": ids[0]})
    assert (restored["name"], restored["rule"]) == ("A", former)
    assert [rule["id"] for rule in (await applied(site, "get_allocation", {"id": group["id"]}))["rules"]] == ids[:2]


SHARED = {
    "reports": ("report", {"name": "R", "description": "d", "report": BY_CLOUD}),
    "alerts": ("alert", ALERT),
    "allocations": ("allocation", ALLOCATION),
}


@pytest.mark.parametrize("resource_type", SHARED)
async def test_deletions_show_and_restore_who_has_access(site: Site, resource_type: str) -> None:
    kind, made = SHARED[resource_type]
    id = (await applied(site, f"create_{kind}", made))["id"]
    resource = {"resourceType": resource_type, "resourceId": id}
    (owner,) = (await applied(site, "get_resource_permissions", resource))["permissions"]
    access: Json = {"permissions": [owner, {"user": "eve@partner.example", "role": "editor"}], "public": "viewer"}
    await applied(site, "update_resource_permissions", {**resource, **access})
    prepared = (await site.call(f"delete_{kind}", {"id": id})).result["structuredContent"]
    assert "permissions: eve@partner.example (editor)" in prepared["change"]["affected"]
    assert {"field": "public", "before": "viewer", "after": None} in prepared["change"]["fields"]
    await applied(site, "update_resource_permissions", {**resource, "public": "editor"})
    outdated = (await site.call("confirm_action", {"approvalToken": prepared["approvalToken"]})).result
    assert outdated["structuredContent"]["status"] == "approval_required"
    undo = (await applied(site, f"delete_{kind}", {"id": id}))["undo"]
    restored = await applied(site, undo["tool"], undo["arguments"])
    assert undo["then"]["tool"] == "update_resource_permissions" and "then" in undo["note"]
    again = {**undo["then"]["arguments"], "resourceId": restored["id"]}
    shared = await applied(site, "update_resource_permissions", again)
    assert {name: shared[name] for name in access} == {**access, "public": "editor"}
