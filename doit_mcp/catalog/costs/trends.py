"""Cost trends by month, and comparison of two periods."""

from __future__ import annotations

import re
from datetime import date
from math import fsum
from typing import Annotated, Any, TypedDict

from ...api.errors import ApiError
from ...api.report_config import QueryConfig, Span
from ...api.value_kinds import Day, Label, Members, Money, Percent, Verbatim
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..currencies import CurrencyArgument, ResultCurrency, fetch_customer_currency
from ..partial_results import gather_partial
from ..periods import utc_date
from ..tables import (
    column_names,
    column_total,
    complete_rows,
    month_range,
    percent_change,
    round_to_cents,
    row_months,
    sum_by_columns,
    to_number,
)
from ..tools.composed import composed_tool
from .breakdown import (
    DIMENSION_IDS,
    Cloud,
    CostTotals,
    GroupBy,
    GroupCost,
    MonthRange,
    cost_query,
    cost_totals,
    group_by_top,
    rank_groups,
    without_extras,
)

SHORTER_PERIOD_HINT = "Ask for a shorter period."
DATE_PATTERN = re.compile(r"\d{4}-\d{2}-\d{2}")
MAX_COMPARED_GROUPS = 10


class MonthCost(TypedDict, total=False):
    """The cost of one month and its change from the month before."""

    month: Annotated[str, Day]
    cost: Annotated[float, Money]
    changePercent: Annotated[float | None, Percent]
    running: bool


class Trend(TypedDict, total=False):
    """Costs by month."""

    rowCount: int
    columns: Annotated[list[JsonObject], "Name and type of each cell of a row.", Verbatim]
    rows: Annotated[list[list[Any]], "A list of cells for each month (and group).", Verbatim]
    months: Annotated[
        list[JsonObject],
        "Each month's whole cost, its change from the month before in percent, and running: true for the last if it "
        "is not over.",
        Members(MonthCost),
    ]
    groups: Annotated[list[JsonObject], "Each group's name and its cost over the whole period.", Members(GroupCost)]
    total: Annotated[
        JsonObject,
        "shown: the groups above; other: all others together, null if not known; all: both.",
        Members(CostTotals),
    ]
    currency: ResultCurrency
    period: Annotated[JsonObject, Members(MonthRange)]


@composed_tool(
    area="reports",
    search_hint="Spend over time, month by month, growth",
    narrow_hint=SHORTER_PERIOD_HINT,
    slow=True,
    default_list=True,
    result_table="query",
)
async def cost_trend(
    call: Call,
    *,
    months: Annotated[int, "How many months, the running one included.", Range(1, 36)] = 6,
    cloud: Cloud = None,
    groupBy: Annotated[GroupBy | None, "Also split each month by this."] = None,
    topN: Annotated[int, "How many groups.", Range(1, 25)] = 5,
    currency: CurrencyArgument = None,
) -> Annotated[JsonObject, Trend]:
    """Show cost month by month with the change from month to month, optionally by service, project or cloud. To learn
    why cost changed, use explain_cost_change; for the future, use forecast_spend."""
    whole = cost_query(cloud, months, currency)
    asked = {"whole": call.doit.reports.run_query(config=whole)}
    if groupBy:
        asked["split"] = call.doit.reports.run_query(config=group_by_top(whole, DIMENSION_IDS[groupBy], topN))
    work = asked if currency else {**asked, "currency": fetch_customer_currency(call.doit)}
    parts = await gather_partial(work)
    main = "split" if groupBy else "whole"
    if main in parts.errors:
        raise parts.errors[main]
    answer = parts.results[main]
    found = rank_groups(answer, DIMENSION_IDS[groupBy]) if groupBy else without_extras(answer)
    found |= {
        "currency": currency or parts.results.get("currency"),
        "period": {"months": months, **month_range(answer)},
    }
    everything = parts.results.get("whole")
    if everything is not None:
        found["months"] = costs_by_month(everything, utc_date(call.now))
        found["total"] = {"all": round_to_cents(column_total(everything) or 0.0)}
    if "groups" in found:
        shown = fsum(group["cost"] for group in found["groups"])
        found["total"] = cost_totals(shown, column_total(everything) if everything is not None else None)
    return found


def costs_by_month(answer: JsonObject, today: date) -> list[MonthCost]:
    """Cost of each month that has rows, the earliest first, and its change from the one before."""
    names = column_names(answer)
    if "cost" not in names:
        return []
    cost = names.index("cost")
    cells: dict[str, list[float]] = {}
    for month, row in zip(row_months(answer), complete_rows(answer)):
        cells.setdefault(month, []).append(to_number(row[cost]))
    found: list[MonthCost] = []
    before: float | None = None
    for month in sorted(cells):
        amount = fsum(cells[month])
        change = None if before is None else percent_change(amount - before, before)
        one: MonthCost = {"month": month, "cost": round_to_cents(amount), "changePercent": change}
        found.append({**one, "running": True} if month == today.isoformat()[:7] else one)
        before = amount
    return found


class ComparedPeriod(TypedDict):
    """The costs of one period, as the API's query gives them."""

    label: Annotated[str, Label]
    rowCount: int
    rows: Annotated[list[list[Any]], Verbatim]
    columns: Annotated[list[JsonObject], Verbatim]


class CostDifference(TypedDict, total=False):
    """The cost in two periods, and the first less the second; in absolute terms and in percent of the second."""

    period1: Annotated[float | None, Money]
    period2: Annotated[float | None, Money]
    change: Annotated[float | None, Money]
    changePercent: Annotated[float | None, Percent]


class ComparedGroup(CostDifference, total=False):
    """One group in both periods."""

    name: Annotated[str | None, Label]


class Comparison(TypedDict, total=False):
    """Two stretches of time."""

    period1: Annotated[JsonObject, "label, rowCount, rows, columns.", Members(ComparedPeriod)]
    period2: Annotated[JsonObject, "label, rowCount, rows, columns.", Members(ComparedPeriod)]
    groups: Annotated[
        list[JsonObject],
        f"Each group's name, cost in both periods and change (period 1 less period 2), the largest change first; null "
        f"where it is not among a period's {MAX_COMPARED_GROUPS} most expensive ones.",
        Members(ComparedGroup),
    ]
    total: Annotated[
        JsonObject,
        "Cost of everything in both periods, change and changePercent; null if not known.",
        Members(CostDifference),
    ]
    currency: ResultCurrency


@composed_tool(
    area="reports",
    search_hint="Compare spend of two periods, this quarter and last",
    narrow_hint=SHORTER_PERIOD_HINT,
    slow=True,
    default_list=True,
)
async def compare_spend(
    call: Call,
    *,
    period2: Annotated[Span, "Period 2: its first and last day, YYYY-MM-DD or RFC 3339."],
    period1Months: Annotated[int, "Period 1: the last months, the running one included.", Range(1, 24)] = 3,
    cloud: Cloud = None,
    groupBy: Annotated[GroupBy, "What to compare by."] = "service",
    currency: CurrencyArgument = None,
) -> Annotated[JsonObject, Comparison]:
    """Compare the last months with an earlier period: the most expensive services, projects or clouds of each. For two
    periods of your choice, and for what drove the change, use explain_cost_change."""
    first = cost_query(cloud, period1Months, currency)
    span = expand_days(period2)
    second: QueryConfig = {**first, "timeRange": {"mode": "custom"}, "customTimeRange": span}
    dimension = DIMENSION_IDS[groupBy]
    query = call.doit.reports.run_query
    work: dict[str, Any] = {
        "period1": query(config=group_by_top(first, dimension, MAX_COMPARED_GROUPS)),
        "period2": query(config=group_by_top(second, dimension, MAX_COMPARED_GROUPS)),
        "total1": query(config=first),
        "total2": query(config=second),
    }
    parts = await gather_partial(work if currency else {**work, "currency": fetch_customer_currency(call.doit)})
    for name in ("period1", "period2"):
        if name in parts.errors:
            raise parts.errors[name]
    one, two = parts.results["period1"], parts.results["period2"]
    totals = [column_total(parts.results[name]) if name in parts.results else None for name in ("total1", "total2")]
    plural = "" if period1Months == 1 else "s"
    return {
        "period1": {"label": f"Last {period1Months} month{plural}", **period_result(one)},
        "period2": {"label": f"{span['from'][:10]} to {span['to'][:10]}", **period_result(two)},
        "groups": compare_groups(_cost_by_name(one, dimension), _cost_by_name(two, dimension)),
        "total": difference(*totals),
        "currency": currency or parts.results.get("currency"),
    }


def period_result(answer: JsonObject) -> JsonObject:
    """Return a query's response as one period of a comparison."""
    return {name: answer[name] for name in ("rowCount", "rows", "columns")}


def _cost_by_name(answer: JsonObject, dimension: str) -> dict[Any, float]:
    return {key[0]: cost for key, cost in sum_by_columns(answer, [dimension]).items()}


def compare_groups(first: dict[Any, float], second: dict[Any, float]) -> list[JsonObject]:
    """Return the groups with their cost in both periods; the change only if both are known."""
    found = [{"name": name, **difference(first.get(name), second.get(name))} for name in {**first, **second}]
    return sorted(found, key=lambda row: (row["change"] is None, -abs(row["change"] or 0.0), str(row["name"])))


def difference(first: float | None, second: float | None) -> CostDifference:
    """Two amounts and what lies between them: the first less the second."""
    shown: CostDifference = {
        "period1": None if first is None else round_to_cents(first),
        "period2": None if second is None else round_to_cents(second),
    }
    if first is None or second is None:
        return {**shown, "change": None, "changePercent": None}
    return {**shown, "change": round_to_cents(first - second), "changePercent": percent_change(first - second, second)}


def expand_days(span: Span) -> Span:
    """Return *span* with plain dates expanded to whole days; other values are unchanged. Raise ApiError."""
    if not span["from"].strip() or not span["to"].strip():
        raise ApiError("period2: from and to must be dates", kind="argument")
    return {
        "from": f"{span['from']}T00:00:00Z" if DATE_PATTERN.fullmatch(span["from"]) else span["from"],
        "to": f"{span['to']}T23:59:59Z" if DATE_PATTERN.fullmatch(span["to"]) else span["to"],
    }
