"""Cost trends by month, week or day, and comparison of two periods."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any, TypedDict

from ...api.errors import ApiError
from ...api.report_config import QueryConfig, Span
from ...api.value_kinds import Label, Members, Money, Percent, Verbatim
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..currencies import CurrencyArgument, ResultCurrency, fetch_customer_currency
from ..partial_results import FailedPart, gather_partial
from ..period_grammar import PeriodArgument, period_or_months
from ..period_parts import Interval, PartialPart
from ..periods import utc_date
from ..tables import column_total, percent_change, round_to_cents, sum_by_columns
from ..tools.composed import composed_tool
from .breakdown import CostTotals, GroupCost
from .cost_answers import (
    MAX_INLINE_ROWS,
    CostRequest,
    run_checked,
    with_note,
)
from .groups import GroupByArgument, resolve_groups
from .old_queries import DIMENSION_IDS, Cloud, GroupBy, cost_query, group_by_top
from .scope import CloudArgument, FiltersArgument, IncludeCreditsArgument, Scope
from .statement import CostStatement
from .trend_answers import make_trend, query_trend
from .trend_months import MonthCost

SHORTER_PERIOD_HINT = "Ask for a shorter period."
DATE_PATTERN = re.compile(r"\d{4}-\d{2}-\d{2}")
MAX_COMPARED_GROUPS = 10
DEFAULT_MONTHS: Mapping[Interval, int] = MappingProxyType({"month": 6, "week": 3, "day": 2})


class Trend(CostStatement, total=False):
    """Costs over time."""

    months: Annotated[
        list[JsonObject],
        "Of interval month: cost and changePercent. The running month has likeForLike: before (the same days of the month "
        "before), after, changePercent.",
        Members(MonthCost),
    ]
    groups: Annotated[list[JsonObject], "id, name, cost, sharePercent; as in cost_breakdown.", Members(GroupCost)]
    total: Annotated[
        JsonObject,
        "Of the groups shown, all other ones, and all; null: unknown.",
        Members(CostTotals),
    ]
    rowCount: int
    columns: Annotated[list[JsonObject], Verbatim]
    rows: Annotated[list[list[Any]], "Cells by group and day, week or month.", Verbatim]
    partial: Annotated[list[JsonObject], "Weeks and months with only these days.", Members(PartialPart)]
    note: str
    failed: Annotated[list[JsonObject], Members(FailedPart)]


@composed_tool(
    area="reports",
    search_hint="Spend over time, month by month, weekly, daily, growth",
    narrow_hint=SHORTER_PERIOD_HINT,
    slow=True,
    default_list=True,
    result_table="query",
)
async def cost_trend(
    call: Call,
    *,
    period: PeriodArgument = None,
    months: Annotated[
        int | None, "Instead of period: months, the running one included. Default: 6.", Range(1, 36)
    ] = None,
    interval: Interval = "month",
    cloud: CloudArgument = None,
    filters: FiltersArgument = None,
    includeCredits: IncludeCreditsArgument = False,
    groupBy: Annotated[GroupByArgument | None, "Also split by this, as in cost_breakdown."] = None,
    topN: Annotated[int, "How many groups.", Range(1, 25)] = 5,
    currency: CurrencyArgument = None,
) -> Annotated[JsonObject, Trend]:
    """Show cost by month, week or day with the change from month to month, optionally by service, project, cloud or
    label. To learn why cost changed, use explain_cost_change; for the future, use forecast_spend."""
    request = CostRequest(
        Scope.from_arguments(cloud, filters, includeCredits),
        period_or_months(period, months, DEFAULT_MONTHS[interval], utc_date(call.now)),
        tuple(await resolve_groups(call, groupBy)),
        topN,
        # Weeks are added up from days, which every answer names in the same way.
        "month" if interval == "month" else "day",
    )
    trend, stated = await run_checked(
        call, request.scope, currency, lambda code: query_trend(call, request, interval, code)
    )
    answer, note = await with_note(call, request, trend.answer)
    trend = replace(trend, answer=answer)
    if len(trend.answer.groups) <= MAX_INLINE_ROWS:
        return make_trend(request, interval, trend, stated) | note
    return await run_in_thread(make_trend, request, interval, trend, stated) | note


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
