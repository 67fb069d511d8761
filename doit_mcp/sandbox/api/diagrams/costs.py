"""Costs of cloud diagram layers, from the billing lines of their accounts, without credits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from ..costs.calendar_days import add_periods, start_of
from ..costs.estates import SERVICES
from ..costs.ledger import Ledger
from ..costs.money import to_amount
from ..responses import JsonObject
from ..tenants import Tenant

INTERVALS = ("day", "week", "month")
MAX_TOP_ENTRIES, MAX_BUCKETS = 5, 12
SHORT_NAMES = {service.description: service.short for service in SERVICES}
COLUMNS = ("project_id", "sku_id", "service_description", "day_start")


@dataclass(frozen=True, slots=True)
class ComponentCost:
    """The cost of a component on a day, in micro-dollars."""

    component: str
    service: str
    day: int
    cost: int


def daily_spend(ledger: Ledger) -> list[tuple[str, str, int, int]]:
    """(``account sku``, short name of the service, day, micro-dollars) of all lines."""
    rows = ledger.sums(COLUMNS, ledger.first, ledger.last)
    return [
        (f"{account} {sku}", SHORT_NAMES.get(str(service), str(service)), int(day or 0), int(cost or 0))
        for account, sku, service, day, cost, *_ in rows
    ]


def cost_snapshot(tenant: Tenant, layer: JsonObject, first: int, last: int, interval: str) -> JsonObject:
    """The cost of a range of days: total, by resource, by service, over time, and the change from the previous days."""
    priced = layer["priced"]
    lines = [
        ComponentCost(priced[place], service, day, cost)
        for place, service, day, cost in tenant.compute_cached(daily_spend)
        if place in priced
    ]
    range_lines = [line for line in lines if first <= line.day <= last]
    total = sum(line.cost for line in range_lines)
    resources = _top_entries((line.component, line.cost) for line in range_lines)
    kinds = {line.component: line.service for line in range_lines}
    services = _top_entries((line.service, line.cost) for line in range_lines)
    return {
        "diagramId": layer["id"],
        "currency": "USD",
        "timeRange": {"startDate": _iso_date(first), "endDate": _iso_date(last), "interval": interval},
        "total": to_amount(total),
        "trendingPct": _relative_change(tenant.ledger, lines, first, last, total),
        "topResources": [_make_resource(layer, item, kinds[item], cost) for item, cost in resources],
        "byService": [{"service": service, "amount": to_amount(cost)} for service, cost in services],
        "trend": list(_make_trend(tenant.ledger, range_lines, first, last, interval)) if priced else [],
    }


def _top_entries(parts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    sums: dict[str, int] = {}
    for name, cost in parts:
        sums[name] = sums.get(name, 0) + cost
    return sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:MAX_TOP_ENTRIES]


def _relative_change(ledger: Ledger, lines: list[ComponentCost], first: int, last: int, total: int) -> float | None:
    """The change from the previous range of the same length, as a fraction; None if lines are missing there."""
    start = first - (last - first + 1)
    if start < ledger.first:
        return None
    before = sum(line.cost for line in lines if start <= line.day < first)
    return round(total / before - 1, 4) if before else None


def _make_resource(layer: JsonObject, identifier: str, service: str, cost: int) -> JsonObject:
    node = layer["node"].get(identifier)
    component = node or layer["element"][identifier]
    return {
        "id": component.get("cld_id", identifier),
        "name": component["name"],
        "type": service.lower() if node else "application",
        "amount": to_amount(cost),
    }


def _make_trend(
    ledger: Ledger, lines: list[ComponentCost], first: int, last: int, interval: str
) -> Iterator[JsonObject]:
    """The latest buckets covered by both the range and the lines, oldest first."""
    unit = "isoweek" if interval == "week" else interval
    first, last = max(first, ledger.first), min(last, ledger.last)
    starts: list[int] = []
    bucket = start_of(unit, last)
    while first <= last and bucket >= start_of(unit, first) and len(starts) < MAX_BUCKETS:
        starts.append(bucket)
        bucket = add_periods(unit, bucket, -1)
    for start in reversed(starts):
        cost = sum(line.cost for line in lines if start <= line.day < add_periods(unit, start, 1))
        yield {"bucketStart": _bucket_label(start, interval), "amount": to_amount(cost)}


def _iso_date(day: int) -> str:
    return date.fromordinal(day).isoformat()


def _bucket_label(start: int, interval: str) -> str:
    if interval != "week":
        return _iso_date(start)
    year, week, _ = date.fromordinal(start).isocalendar()
    return f"{year}-W{week:02}"
