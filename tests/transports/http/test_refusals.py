"""Writes that the API would refuse are refused before the user approves them, and receipts say what undo calls do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from doit_mcp.sandbox.api import Api
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
