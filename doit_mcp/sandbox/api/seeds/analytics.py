"""Initial Cloud Analytics data: alerts, allocations, annotations, labels, folders, themes."""

from __future__ import annotations

from collections.abc import Iterator

from ..costs.calendar_days import (
    DAY_MILLISECONDS,
    DAY_SECONDS,
    add_months,
    day_of_seconds,
    format_rfc3339,
    seconds_of,
    start_of,
)
from ..costs.estate_types import AWS
from ..responses import JsonObject
from ..tenants import Tenant
from .analytics_core import admin_email, planned_amount

COST = {"type": "basic", "value": "cost"}


def _milliseconds_timestamps(tenant: Tenant, days_ago: int) -> JsonObject:
    made = int(tenant.started_at * 1000) - days_ago * DAY_MILLISECONDS
    return {"createTime": made, "updateTime": made}


def _text_timestamps(tenant: Tenant, days_ago: int) -> JsonObject:
    made = format_rfc3339(tenant.started_at - days_ago * DAY_SECONDS)
    return {"createTime": made, "updateTime": made}


def seed_alerts(tenant: Tenant) -> Iterator[JsonObject]:
    """One alert on a monthly bill of the largest cloud, one on weekly growth."""
    owner = admin_email(tenant.customer)
    month = start_of("month", day_of_seconds(tenant.started_at))
    spent = tenant.ledger.cost(add_months(month, -1), month - 1)
    usual: JsonObject = {
        "dataSource": "billing",
        "metric": COST,
        "currency": tenant.customer.currency,
        "operator": "gt",
    }
    aws = {"type": "fixed", "id": "cloud_provider", "values": [AWS], "mode": "is", "inverse": False}
    shapes: tuple[tuple[str, JsonObject], ...] = (
        (
            "AWS above its monthly plan",
            {
                "scopes": [aws],
                "timeInterval": "month",
                "condition": "value",
                "value": planned_amount(spent // 2, tenant.customer.currency),
            },
        ),
        (
            "A service grows by half in a week",
            {
                "scopes": [],
                "timeInterval": "week",
                "condition": "percentage-change",
                "value": 50.0,
                "evaluateForEach": "service_description",
            },
        ),
    )
    for index, (name, config) in enumerate(shapes):
        yield {
            "name": name,
            "owner": owner,
            "public": "viewer",
            "recipients": [owner],
            "config": {**usual, **config},
            **_milliseconds_timestamps(tenant, 70 - index),
        }


def seed_allocations(tenant: Tenant) -> Iterator[JsonObject]:
    """One allocation per team, one for production, and the group of the teams."""
    teams = sorted({value for _, value in tenant.ledger.members("series", "label_team") if value})
    for index, team in enumerate(teams):
        yield _single_allocation(tenant, f"Team {team}", "team", team, 60 - index)
    yield _single_allocation(tenant, "Production", "env", "production", 50)
    yield {
        "name": "Teams",
        "description": "Shares all costs out among the teams.",
        "type": "custom",
        "allocationType": "group",
        "rules": [tenant.stable_id("allocations", str(index)) for index in range(len(teams))],
        "unallocatedCosts": "No team",
        "folderId": "root",
        "owner": admin_email(tenant.customer),
        "public": "viewer",
        **_milliseconds_timestamps(tenant, 49),
    }


def _single_allocation(tenant: Tenant, name: str, key: str, value: str, days_ago: int) -> JsonObject:
    component = {"key": key, "type": "label", "values": [value], "mode": "is", "inverse": False, "includeNull": False}
    return {
        "name": name,
        "description": f"Everything with the label {key}: {value}.",
        "type": "custom",
        "allocationType": "single",
        "anomalyDetection": False,
        "rule": {"components": [component], "formula": "A"},
        "folderId": "root",
        "owner": admin_email(tenant.customer),
        "public": "viewer",
        **_milliseconds_timestamps(tenant, days_ago),
    }


def seed_annotations(tenant: Tenant) -> Iterator[JsonObject]:
    """Notes that explain the cost increases, on the days they occurred."""
    for index, jump in enumerate(sorted(tenant.ledger.jumps, key=lambda item: item.first)):
        noted = min(format_rfc3339(seconds_of(jump.last)), format_rfc3339(tenant.started_at))
        yield {
            "content": ("A load test ran for days", "A job was started twice")[index % 2],
            "timestamp": format_rfc3339(seconds_of(jump.first)),
            "reports": [tenant.stable_id("reports", "3")],
            "createTime": noted,
            "updateTime": noted,
        }


def seed_labels(tenant: Tenant) -> Iterator[JsonObject]:
    """One label of DoiT's, and two of the customer's with assignments."""
    budget = {"objectId": tenant.stable_id("budgets", "0"), "objectType": "budget"}
    note = {"objectId": tenant.stable_id("annotations", "0"), "objectType": "annotation"}
    for index, (name, color, kind, objects) in enumerate(
        (
            ("Important", "apricot", "preset", []),
            ("FinOps", "teal", "custom", [budget]),
            ("Incident", "rosePink", "custom", [note]),
        )
    ):
        yield {"name": name, "color": color, "type": kind, "objects": objects, **_text_timestamps(tenant, 80 - index)}


def seed_folders(tenant: Tenant) -> Iterator[JsonObject]:
    """Two folders, one inside the other."""
    yield {"name": "Finance", "description": "For the monthly close", "parentFolderId": "root"}
    yield {"name": "Archive", "description": "", "parentFolderId": tenant.stable_id("folders", "0")}


def seed_themes(tenant: Tenant) -> Iterator[JsonObject]:
    """The customer's color theme."""
    yield {
        "name": f"{tenant.customer.name} colors",
        "primaryColor": "#3355aa",
        "colors": {"light": ["#3355aa", "#aa5533", "#55aa33"], "dark": ["#88aaff", "#ffaa88", "#aaff88"]},
        **_text_timestamps(tenant, 30),
    }


def seed_suggestions(tenant: Tenant) -> Iterator[JsonObject]:
    """Suggested budgets for last month's most expensive services, which have no budget yet."""
    month = start_of("month", day_of_seconds(tenant.started_at))
    rows = tenant.ledger.sums(("service_description",), add_months(month, -1), month - 1)
    most_expensive = sorted(((int(row[1] or 0), str(row[0])) for row in rows), reverse=True)[:3]
    for (spent, service), confidence in zip(most_expensive, ("high", "medium", "low")):
        scope = {"type": "fixed", "id": "service_description", "values": [service], "mode": "is", "inverse": False}
        amount = float(round(spent * 1.1 / 1e6, -1))
        yield {
            "name": f"Monthly {service}",
            "description": f"A monthly budget for {service}",
            "rationale": f"{service} cost ${spent / 1e6:,.2f} last month and no budget covers it alone.",
            "confidence": confidence,
            "amount": {"amount": f"{amount:.2f}", "currency": "USD"},
            "timeInterval": "month",
            "alertThresholds": [50.0, 85.0, 100.0],
            "scopeChips": [{"key": "service_description", "values": [service]}],
            "config": {
                "name": f"Monthly {service}",
                "amount": amount,
                "currency": "USD",
                "type": "recurring",
                "timeInterval": "month",
                "scopes": [scope],
                "alerts": [{"percentage": item} for item in (50, 85, 100)],
            },
            "generatedTime": format_rfc3339(tenant.started_at - 2 * DAY_SECONDS),
            "status": "pending",
        }
