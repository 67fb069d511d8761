"""Cost breakdown: the cost of a period by service, project, cloud, region, SKU, label or allocation."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, TypedDict

from ...api.value_kinds import Label, Members, Money, Percent, Verbatim
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..currencies import CurrencyArgument
from ..partial_results import FailedPart, make_failures_member
from ..periods.grammar import PeriodArgument, period_or_months
from ..periods.parts import split_period
from ..periods.period import utc_date
from ..tools.composed import composed_tool
from ..tools.series import ResultWithSeries, make_series_set
from .answers import (
    MAX_RANKED_GROUPS,
    CostAnswer,
    CostRequest,
    cut_to_data_start,
    query_costs,
    run_checked,
    with_note,
)
from .cost_series import group_series, series_dimension, time_series
from .group_costs import RankedCosts, as_table, cost_by_period, rank_groups, split_by_groups, total_cost
from .groups import GroupByArgument, resolve_groups
from .scope import CloudArgument, FiltersArgument, IncludeCreditsArgument, Scope
from .statement import CostStatement, cost_statement


class SubgroupCost(TypedDict, total=False):
    """The cost of one value of the second dimension."""

    id: str | None
    name: Annotated[str | None, Label]
    cost: Annotated[float, Money]
    sharePercent: Annotated[float | None, Percent]


class GroupCost(SubgroupCost, total=False):
    """The cost of one group over the whole period, and its share of the total."""

    groups: Annotated[list[JsonObject], Members(SubgroupCost)]
    other: Annotated[float, Money]


class CostTotals(TypedDict, total=False):
    """The cost of the groups in the result, of all other groups, and of both together."""

    shown: Annotated[float, Money]
    other: Annotated[float | None, Money]
    otherSharePercent: Annotated[float | None, Percent]
    all: Annotated[float | None, Money]


class CostBreakdown(CostStatement, total=False):
    """Costs by group."""

    groups: Annotated[
        list[JsonObject],
        "id, name, cost, sharePercent. With two dimensions, each has groups (their shares are of its cost) and other.",
        Members(GroupCost),
    ]
    total: Annotated[
        JsonObject,
        "shown, other and all; null: unknown.",
        Members(CostTotals),
    ]
    rowCount: int
    columns: Annotated[list[JsonObject], Verbatim]
    rows: Annotated[list[list[Any]], "Cells by group and month.", Verbatim]
    note: str
    failed: Annotated[list[JsonObject], Members(FailedPart)]


@composed_tool(area="reports", slow=True, default_list=True, result_table="top_groups", view=True)
async def cost_breakdown(
    call: Call,
    *,
    groupBy: GroupByArgument = "service",
    period: PeriodArgument = None,
    months: Annotated[int | None, "Instead of period: months, the running one included.", Range(1, 24)] = None,
    cloud: CloudArgument = None,
    filters: FiltersArgument = None,
    includeCredits: IncludeCreditsArgument = False,
    topN: Annotated[int, "How many groups; the rest is one sum.", Range(1, MAX_RANKED_GROUPS)] = 10,
    currency: CurrencyArgument = None,
) -> Annotated[ResultWithSeries, CostBreakdown]:
    """Break down cloud cost by service, project (account, subscription), cloud, region, SKU, label or allocation: the
    top groups with their shares, and the rest as one sum. Default: this month. For usage, use run_query."""
    request = CostRequest(
        Scope.from_arguments(cloud, filters, includeCredits),
        period_or_months(period, months, 1, utc_date(call.now)),
        tuple(await resolve_groups(call, groupBy)),
        topN,
    )
    answer, stated, checked = await run_checked(
        call, request.scope, currency, lambda code: query_costs(call, request, code)
    )
    answer, note = await with_note(call, request, answer, checked)
    result = await run_by_rows(len(answer.groups), make_breakdown, request, answer, stated)
    return replace(result, structured=result.structured | note)


def make_breakdown(request: CostRequest, answer: CostAnswer, currency: str) -> ResultWithSeries:
    """Return the breakdown as the tool result shows it, with its groups as bars, and by month if it covers several."""
    costs = answer.total or [] if request.is_by_cloud else answer.groups
    top = request.top or len(costs)
    total = None if answer.total is None else total_cost(answer.total)
    ranked = RankedCosts(rank_groups(costs), currency, total, top)
    groups, rows = split_by_groups(ranked, len(request.groups), top)
    period = cut_to_data_start(request.period, answer.data_start)
    statement = cost_statement(period, currency, request.scope, answer.clouds)
    result = {
        "groups": groups,
        "total": ranked.totals(),
        **statement,
        **as_table(rows, request.groups, currency),
        **make_failures_member(answer.failures),
    }
    series = [group_series("costs by group", groups, result["total"])]
    months = list(split_period(period.elapsed, "month"))
    if len(months) > 1:
        total_by_month = None if answer.total is None else cost_by_period(answer.total)
        series.append(
            time_series("costs by month", "month", months, total_by_month, period.final_through, currency, ranked)
        )
    dimension = series_dimension(request.groups[0])
    return ResultWithSeries(result, make_series_set(statement, [{**one, "dimension": dimension} for one in series]))
