"""Cost trends by month, week or day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any, TypedDict

from ...api.value_kinds import Day, Members, Money, Verbatim
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..currencies import CurrencyArgument
from ..partial_results import FailedPart
from ..periods.grammar import PeriodArgument, period_or_months
from ..periods.parts import Interval, PartialPart
from ..periods.period import utc_date
from ..tools.composed import composed_tool
from ..tools.series import ResultWithSeries
from .answers import MAX_RANKED_GROUPS, CostRequest, run_checked, with_note
from .breakdown import CostTotals, GroupCost
from .groups import GroupByArgument, resolve_groups
from .scope import CloudArgument, FiltersArgument, IncludeCreditsArgument, Scope
from .statement import CostStatement
from .trend_answers import make_trend, query_trend
from .trend_months import MonthCost
from .trend_rows import with_latest_rows

SHORTER_PERIOD_HINT = "Ask for a shorter period."
DEFAULT_MONTHS: Mapping[Interval, int] = MappingProxyType({"month": 6, "week": 3, "day": 2})


class IntervalCost(TypedDict):
    """The cost of everything in one week or day."""

    period: Annotated[str, Day]
    cost: Annotated[float, Money]


class Trend(CostStatement, total=False):
    """Costs over time."""

    months: Annotated[
        list[JsonObject],
        "Of interval month: cost, changePercent, perDayChangePercent if lengths differ. The current month has likeForLike: "
        "before (same days of the month before), after, changePercent, final (final days only).",
        Members(MonthCost),
    ]
    groups: Annotated[list[JsonObject], "As in cost_breakdown.", Members(GroupCost)]
    total: Annotated[
        JsonObject,
        "shown, other and all; null: unknown.",
        Members(CostTotals),
    ]
    totals: Annotated[list[JsonObject], "By week or day, with groupBy.", Members(IntervalCost)]
    rowCount: int
    columns: Annotated[list[JsonObject], Verbatim]
    rows: Annotated[
        list[list[Any]], "By group and day, week or month; none: no cost. Of many days or weeks, the latest.", Verbatim
    ]
    partial: Annotated[list[JsonObject], "Weeks and months with only these days.", Members(PartialPart)]
    note: str
    failed: Annotated[list[JsonObject], Members(FailedPart)]


@composed_tool(
    area="reports",
    search_hint="Spend over time, month by month, weekly, daily, growth",
    narrow_hint=SHORTER_PERIOD_HINT,
    slow=True,
    default_list=True,
    result_table="top_groups",
    view=True,
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
    topN: Annotated[int, "How many groups.", Range(1, MAX_RANKED_GROUPS)] = 5,
    currency: CurrencyArgument = None,
) -> Annotated[ResultWithSeries, Trend]:
    """Show cost by month, week or day with the change from month to month, optionally by service, project, cloud or
    label. To learn why cost changed, use explain_cost_change; for the future, use forecast_spend."""
    request = CostRequest(
        Scope.from_arguments(cloud, filters, includeCredits),
        period_or_months(period, months, DEFAULT_MONTHS[interval], utc_date(call.now)),
        tuple(await resolve_groups(call, groupBy)),
        topN,
        # Weeks are sums of days, which all answers name in the same way.
        "month" if interval == "month" else "day",
    )
    trend, stated, checked = await run_checked(
        call, request.scope, currency, lambda code: query_trend(call, request, interval, code)
    )
    answer, note = await with_note(call, request, trend.answer, checked)
    trend = replace(trend, answer=answer)
    made = await run_by_rows(len(trend.answer.groups), make_trend, request, interval, trend, stated)
    result = made.structured
    if notes := [str(part["note"]) for part in (result, note) if "note" in part]:
        result["note"] = " ".join(notes)
    return replace(made, structured=result if interval == "month" else await with_latest_rows(call, result))
