"""Spend over time: month by month, and one stretch of time beside another."""

from __future__ import annotations

import re
from datetime import date
from math import fsum
from typing import Annotated, Any, TypedDict

from ...api.errors import ApiError
from ...api.report_config import Config, Span
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..currencies import AskedCurrency, StatedCurrency, own_currency
from ..partial_results import together
from ..periods import today_of
from ..tables import columns_of, money, months_by_row, months_of, number, percent, rows_of, sums_by, total_of
from .breakdown import DIMENSIONS, Cloud, GroupBy, bare, cost_config, ranked, sums, top_of

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
COMPARED = 10


class Trend(TypedDict, total=False):
    """Costs by month."""

    rowCount: int
    columns: Annotated[list[JsonObject], "Name and type of each cell of a row."]
    rows: Annotated[list[list[Any]], "A list of cells for each month (and group)."]
    months: Annotated[
        list[JsonObject],
        "Each month's whole cost, its change from the month before in percent, and running: true for the last if it "
        "is not over.",
    ]
    groups: Annotated[list[JsonObject], "Each group's name and its cost over the whole period."]
    total: Annotated[JsonObject, "shown: the groups above; other: all others together, null if not known; all: both."]
    currency: StatedCurrency
    period: JsonObject


async def cost_trend(
    call: Call,
    *,
    months: Annotated[int, "How many months, the running one included.", Range(1, 36)] = 6,
    cloud: Cloud = None,
    groupBy: Annotated[GroupBy | None, "Also split each month by this."] = None,
    topN: Annotated[int, "How many groups.", Range(1, 25)] = 5,
    currency: AskedCurrency = None,
) -> Annotated[JsonObject, Trend]:
    """Show cost month by month, with the change from month to month; also by service, project or cloud. Why it changed
    is the question for explain_cost_change, what comes next the one for forecast_spend."""
    whole = cost_config(cloud, months, currency)
    asked = {"whole": call.doit.reports.run_query(config=whole)}
    if groupBy:
        asked["split"] = call.doit.reports.run_query(config=top_of(whole, DIMENSIONS[groupBy], topN))
    work = asked if currency else {**asked, "currency": own_currency(call.doit)}
    parts = await together(work)
    main = "split" if groupBy else "whole"
    if main in parts.failed:
        raise parts.failed[main]
    answer = parts.found[main]
    found = ranked(answer, DIMENSIONS[groupBy]) if groupBy else bare(answer)
    found |= {
        "currency": currency or parts.found.get("currency"),
        "period": {"months": months, **months_of(answer)},
    }
    everything = parts.found.get("whole")
    if everything is not None:
        found["months"] = by_month(everything, today_of(call.now))
        found["total"] = {"all": money(total_of(everything) or 0.0)}
    if "groups" in found:
        shown = fsum(group["cost"] for group in found["groups"])
        found["total"] = sums(shown, total_of(everything) if everything is not None else None)
    return found


def by_month(answer: JsonObject, today: date) -> list[JsonObject]:
    """Cost of each month that has rows, the earliest first, and its change from the one before."""
    names = columns_of(answer)
    if "cost" not in names:
        return []
    cost = names.index("cost")
    cells: dict[str, list[float]] = {}
    for month, row in zip(months_by_row(answer), rows_of(answer)):
        cells.setdefault(month, []).append(number(row[cost]))
    found: list[JsonObject] = []
    before: float | None = None
    for month in sorted(cells):
        amount = fsum(cells[month])
        change = None if before is None else percent(amount - before, before)
        running = {"running": True} if month == today.isoformat()[:7] else {}
        found.append({"month": month, "cost": money(amount), "changePercent": change, **running})
        before = amount
    return found


class Comparison(TypedDict, total=False):
    """Two stretches of time."""

    period1: Annotated[JsonObject, "label, rowCount, rows, columns."]
    period2: Annotated[JsonObject, "label, rowCount, rows, columns."]
    groups: Annotated[
        list[JsonObject],
        f"Each group's name, cost in both periods and change (period 1 less period 2), the largest change first; null "
        f"where it is not among a period's {COMPARED} most expensive ones.",
    ]
    total: Annotated[JsonObject, "Cost of everything in both periods, change and changePercent; null if not known."]
    currency: StatedCurrency


async def compare_spend(
    call: Call,
    *,
    period2: Annotated[Span, "Period 2: its first and last day, YYYY-MM-DD or RFC 3339."],
    period1Months: Annotated[int, "Period 1: the last months, the running one included.", Range(1, 24)] = 3,
    cloud: Cloud = None,
    groupBy: Annotated[GroupBy, "What to compare by."] = "service",
    currency: AskedCurrency = None,
) -> Annotated[JsonObject, Comparison]:
    """Put the last months beside another stretch of time: the most expensive services, projects or clouds of each. For
    two periods of your choice, and for what drove the change, use explain_cost_change."""
    first = cost_config(cloud, period1Months, currency)
    span = whole_days(period2)
    second: Config = {**first, "timeRange": {"mode": "custom"}, "customTimeRange": span}
    dimension = DIMENSIONS[groupBy]
    query = call.doit.reports.run_query
    work: dict[str, Any] = {
        "period1": query(config=top_of(first, dimension, COMPARED)),
        "period2": query(config=top_of(second, dimension, COMPARED)),
        "total1": query(config=first),
        "total2": query(config=second),
    }
    parts = await together(work if currency else {**work, "currency": own_currency(call.doit)})
    for name in ("period1", "period2"):
        if name in parts.failed:
            raise parts.failed[name]
    one, two = parts.found["period1"], parts.found["period2"]
    totals = [total_of(parts.found[name]) if name in parts.found else None for name in ("total1", "total2")]
    plural = "" if period1Months == 1 else "s"
    return {
        "period1": {"label": f"Last {period1Months} month{plural}", **labelled(one)},
        "period2": {"label": f"{span['from'][:10]} to {span['to'][:10]}", **labelled(two)},
        "groups": compared(_named(one, dimension), _named(two, dimension)),
        "total": difference(*totals),
        "currency": currency or parts.found.get("currency"),
    }


def labelled(answer: JsonObject) -> JsonObject:
    """A query's answer as one period of a comparison."""
    return {name: answer[name] for name in ("rowCount", "rows", "columns")}


def _named(answer: JsonObject, dimension: str) -> dict[Any, float]:
    return {key[0]: cost for key, cost in sums_by(answer, [dimension]).items()}


def compared(one: dict[Any, float], two: dict[Any, float]) -> list[JsonObject]:
    """Groups with their cost in both periods; the change only where both are known."""
    found = [{"name": name, **difference(one.get(name), two.get(name))} for name in {**one, **two}]
    return sorted(found, key=lambda row: (row["change"] is None, -abs(row["change"] or 0.0), str(row["name"])))


def difference(one: float | None, two: float | None) -> JsonObject:
    """Two amounts and what lies between them: the first less the second."""
    shown = {"period1": None if one is None else money(one), "period2": None if two is None else money(two)}
    if one is None or two is None:
        return {**shown, "change": None, "changePercent": None}
    return {**shown, "change": money(one - two), "changePercent": percent(one - two, two)}


def whole_days(span: Span) -> Span:
    """*span* with plain days as the whole of these days; what is no day stays as it is. Raises ApiError."""
    if not span["from"].strip() or not span["to"].strip():
        raise ApiError("period2: from and to must be dates", kind="argument")
    return {
        "from": f"{span['from']}T00:00:00Z" if DAY.fullmatch(span["from"]) else span["from"],
        "to": f"{span['to']}T23:59:59Z" if DAY.fullmatch(span["to"]) else span["to"],
    }
