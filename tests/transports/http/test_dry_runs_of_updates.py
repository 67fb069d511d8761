"""Dry runs of ten updates: they change nothing, and say what the same update then changes.

The ten are those that random.Random(20261130).sample() picks of the sorted names of all updates that have a dry run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.sandbox.bodies import ALERT, BY_CLOUD
from tests.transports.http.serving import Json, Site, serving
from tests.transports.http.test_change_records import call, call_once
from tests.transports.http.test_undo_of_updates import CHILD, CONTRACT, TERMS

Example = tuple[Json, str, Json]
"""The arguments of an update, the tool that reads its object, and what selects the object."""

VOLATILE = {
    "updatedAt",
    "updateTime",
    "timeModified",
    "lastModified",
    "version",
    "effectiveStart",
    "effectiveEnd",
    "status",
}
ENV: Json = {"key": "env", "type": "label", "values": ["production"], "mode": "is"}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product over the sandbox's API, with all tools."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        yield site


async def ticket(site: Site) -> Example:
    tickets = (await call(site, "list_tickets"))["tickets"]
    ticket = next(row["id"] for row in tickets if row["status"] == "open")
    return {"ticketId": ticket, "status": "solved"}, "get_ticket", {"id": ticket}


async def anomaly(site: Site) -> Example:
    selected = {"id": (await call(site, "get_anomalies"))["anomalies"][0]["id"]}
    return {**selected, "reviewStatus": "UNDER_REVIEW"}, "get_anomaly", selected


async def report(site: Site) -> Example:
    selected = {"id": (await call(site, "create_report", name="R", description="d", report=BY_CLOUD))["id"]}
    metrics = [{"type": "basic", "value": "usage"}]
    changes = {"name": "R2", "report": {"metrics": metrics, "timeInterval": "day"}}
    return {**selected, **changes}, "get_report_config", selected


async def alert(site: Site) -> Example:
    selected = {"id": (await call(site, "create_alert", **ALERT))["id"]}
    same = [{**scope, "mode": "is"} for scope in ALERT["config"]["scopes"]]
    return {**selected, "name": "A2", "alert": {"value": 77, "scopes": same}}, "get_alert", selected


async def contract_template(site: Site) -> Example:
    selected = {"templateID": (await call(site, "create_contract_template", **TERMS))["templateId"]}
    books = [{"name": "Standard", "rules": [{"name": "Discount", "percentageChange": -5}]}]
    terms = {"name": "Full2", "priceBooks": books} | {name: TERMS[name] for name in ("platform", "eligibleFrom")}
    return {**selected, **terms}, "get_contract_template", selected


async def custom_region(site: Site) -> Example:
    made = await call(site, "create_custom_region", name="North", countryCodes=["DK", "SE"])
    selected = {"customRegionId": made["id"]}
    return {**selected, "countryCodes": ["NO", "SE"]}, "get_custom_region", selected


async def contract(site: Site) -> Example:
    selected = {"customerID": CHILD, "contractID": CONTRACT}
    former = (await call(site, "get_contract", **selected))["versions"][-1]
    kept = {name: former[name] for name in ("startDate", "invoicesEmail", "contractUpdatesEmail", "billingProfile")}
    return {**selected, **kept, "name": "New terms", "renewalPolicy": "auto"}, "get_contract", selected


async def allocation(site: Site) -> Example:
    rule = {"formula": "A", "components": [ENV]}
    selected = {"id": (await call(site, "create_allocation", name="Prod", description="x", rule=rule))["id"]}
    google = {"key": "cloud_provider", "type": "fixed", "values": ["google-cloud"], "mode": "is"}
    return {**selected, "rule": {"formula": "A OR B", "components": [ENV, google]}}, "get_allocation", selected


async def asset(site: Site) -> Example:
    assets = (await call(site, "list_assets", filter="type:g-suite"))["assets"]
    seats = next(row for row in assets if row.get("quantity"))
    return {"id": seats["id"], "quantity": seats["quantity"] + 5}, "get_asset", {"id": seats["id"]}


async def role(site: Site) -> Example:
    selected = {"id": (await call(site, "create_role", name="Old", description="d", permissions=["alerts.read"]))["id"]}
    return {**selected, "description": "e", "permissions": ["alerts.read", "budgets.read"]}, "get_role", selected


EXAMPLES: dict[str, tuple[Callable[[Site], Awaitable[Example]], set[str]]] = {
    "update_ticket": (ticket, {"status"}),
    # No tool shows the review itself.
    "update_anomaly_review": (anomaly, {"acknowledged", "acknowledgedAt", "acknowledgedBy"}),
    "update_report": (report, {"name", "config"}),
    "update_alert": (alert, {"name", "config"}),
    "update_contract_template": (contract_template, {"name", "priceBooks", "eligibleTo"}),
    "update_custom_region": (custom_region, {"countryCodes"}),
    "update_contract": (contract, {"name", "endDate", "managementAccounts"}),
    "update_allocation": (allocation, {"rule"}),
    "update_asset": (asset, {"quantity", "properties"}),
    "update_role": (role, {"description", "permissions"}),
}
"""How the object of each update comes about, and the members that the update changes."""
SHOWN_AS = {"config": ("report", "alert")}
"""Arguments that readers call otherwise."""
DERIVED = {"acknowledged", "acknowledgedAt", "acknowledgedBy", "properties"}
"""Members that follow from others."""


def current(state: Json) -> Json:
    """Return the terms that hold now: those of the newest version."""
    newest: Json = state["versions"][-1] if "versions" in state else state
    return newest


def value_at(state: Any, path: str) -> Any:
    for name in path.split("."):
        state = state.get(name) if isinstance(state, dict) else None
    return state


async def test_dry_runs_say_what_the_update_then_changes(site: Site) -> None:
    for name, (prepare, changed) in EXAMPLES.items():
        arguments, reader, selected = await prepare(site)
        before = await call_once(site, reader, **selected)
        shown = await call_once(site, name, **arguments, dryRun=True)
        assert shown["status"] == "dry_run" and shown["dryRun"] is True and "undo" not in shown, name
        assert await call_once(site, reader, **selected) == before, name
        await call(site, name, **arguments)
        old, new = current(before), current(await call_once(site, reader, **selected))
        members = (old.keys() | new.keys()) - (VOLATILE - {"status"} if name == "update_ticket" else VOLATILE)
        assert {member for member in members if old.get(member) != new.get(member)} == changed & members, name
        rows = shown["change"]["fields"]
        fields = {row["field"].partition(".")[0] for row in rows}
        wanted = {argument for member in changed - DERIVED for argument in SHOWN_AS.get(member, (member,))}
        assert fields <= wanted | {"reviewStatus"} and (name == "update_anomaly_review" or fields), (name, fields)
        assert all(
            any(argument in fields for argument in SHOWN_AS.get(member, (member,))) for member in changed - DERIVED
        )
        for row in rows:
            check_row(
                row,
                *(
                    value_at({**state, **{alias: state.get("config") for alias in ("report", "alert")}}, row["field"])
                    for state in (old, new)
                ),
            )


def check_row(row: Json, old: Any, new: Any) -> None:
    """Compare a row with the value that the API had before and has after the update."""
    if "added" in row:
        for kind, items in (("added", new), ("removed", old)):
            assert len(row[kind]) <= len(items or ())
            copies = row.get(f"{kind}Items", ())
            assert all(any(copy.items() <= item.items() for item in items) for copy in copies), row
    elif row["field"] != "reviewStatus" and row.get("before") != row["after"]:
        simple = (str, int, float, bool, type(None))
        assert not isinstance(old, simple) or plain_value(row["before"], old) == old, row
        assert not isinstance(new, simple) or plain_value(row["after"], new) == new, row


def plain_value(shown: Any, value: Any) -> Any:
    """Return a value of a row without the unit of an amount."""
    is_amount = isinstance(shown, str) and isinstance(value, int | float)
    return float(shown.partition(" ")[0].replace(",", "")) if is_amount else shown
