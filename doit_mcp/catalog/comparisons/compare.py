"""compare_spend: the cost of two periods, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, TypedDict

from ...api.errors import ApiError
from ...api.report_config import Group, QueryConfig, Span
from ...api.value_kinds import Label, Members, Money, Percent, Verbatim
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..costs.groups import COST_TYPE_COLUMN, GroupByArgument, resolve_groups
from ..costs.query_config import cost_config
from ..costs.scope import CloudArgument, FiltersArgument, IncludeCreditsArgument, Scope
from ..costs.statement import CostBasis, cost_basis
from ..currencies import CurrencyArgument, StatedCurrency
from ..partial_results import FailedParts, make_failures_member
from ..periods.alignment import AlignmentMember, align
from ..periods.grammar import PeriodArgument, ShortPeriodArgument, last_months, parse_period
from ..periods.parts import PartialPart
from ..periods.period import PeriodStatement, ReportedPeriod, utc_date
from ..tools.composed import composed_tool
from ..tools.series import ResultWithSeries
from .compared_groups import COSTS, TOTALS, make_comparison
from .compared_periods import ComparedDays, ComparedPeriods
from .comparison import (
    CLOUDS,
    ComparedDimension,
    group_config,
    list_clouds,
    read_totals,
    require_data,
    run_compared,
)
from .final_days import FinalDifference, final_members, final_names, final_queries, note_month_starts, note_provisional
from .waterfalls import comparison_series

SIDES = ("period2", "period1")
"""The earlier and the later period."""


class ComparedPeriod(PeriodStatement, total=False):
    """The costs of one period, with the rows of the groups that are shown."""

    label: Annotated[str, Label]
    rowCount: int
    rows: Annotated[list[list[Any]], Verbatim]
    columns: Annotated[list[JsonObject], Verbatim]
    partial: Annotated[list[JsonObject], "Months of which the rows have only these days.", Members(PartialPart)]


class CostDifference(TypedDict, total=False):
    """The cost in two periods, and the first minus the second, as an amount and in percent of the second."""

    period1: Annotated[float | None, Money]
    period2: Annotated[float | None, Money]
    change: Annotated[float | None, Money]
    changePercent: Annotated[float | None, Percent]
    perDayChangePercent: Annotated[float | None, Percent]


class ComparedGroup(CostDifference, total=False):
    """One group in both periods; with two dimensions, its id is the list of both values."""

    id: Annotated[str | list[str | None] | None, Label]
    name: Annotated[str | None, Label]


class ComparedTotal(CostDifference, total=False):
    """Everything in both periods."""

    perDay1: Annotated[float | None, Money]
    perDay2: Annotated[float | None, Money]


class GroupDays(TypedDict):
    """The days of both periods that the groups cover."""

    period1: Annotated[JsonObject, Members(ComparedDays)]
    period2: Annotated[JsonObject, Members(ComparedDays)]


class ProvisionalDifference(TypedDict):
    """The difference on the days that are not compared."""

    period1: Annotated[float, Money]
    period2: Annotated[float, Money]
    change: Annotated[float, Money]


class FinalComparison(FinalDifference, total=False):
    """The difference over final days."""

    period1: Annotated[float, Money]
    period2: Annotated[float, Money]


class Comparison(TypedDict, total=False):
    """Two periods."""

    period1: Annotated[
        JsonObject,
        "from, to, days, complete, finalThrough (later days can change); label, rowCount, rows, columns; partial: months with only these days.",
        Members(ComparedPeriod),
    ]
    period2: Annotated[JsonObject, "The same.", Members(ComparedPeriod)]
    alignment: AlignmentMember
    compared: Annotated[
        JsonObject,
        "The days that groups, other and rows are about, of each period: from, to, days, weekdays (Mondays to Fridays). "
        "Only final days, if later ones are not.",
        Members(GroupDays),
    ]
    groups: Annotated[
        list[JsonObject],
        "The most expensive groups of both periods, the largest change (period 1 less period 2) first; null where "
        "not known.",
        Members(ComparedGroup),
    ]
    other: Annotated[JsonObject, "All other groups.", Members(CostDifference)]
    provisional: Annotated[
        JsonObject,
        "The days left out; groups, other and this add up to total.",
        Members(ProvisionalDifference),
    ]
    total: Annotated[
        JsonObject,
        "Cost of everything and per day, change, changePercent (null if lengths differ without being whole months), "
        "perDayChangePercent where lengths differ; null if not known.",
        Members(ComparedTotal),
    ]
    final: Annotated[
        JsonObject,
        "Sum of groups and other, if later days are not final; compare these: days, to, period1, period2, change, "
        "changePercent.",
        Members(FinalComparison),
    ]
    currency: StatedCurrency
    basis: Annotated[JsonObject, Members(CostBasis)]
    failed: FailedParts
    note: str


@composed_tool(
    area="reports",
    search_hint="Compare spend of two periods, this quarter and last, year over year",
    narrow_hint="Ask for fewer groups (topN).",
    slow=True,
    default_list=False,
    view=True,
)
async def compare_spend(
    call: Call,
    *,
    period: PeriodArgument = None,
    compareTo: Annotated[ShortPeriodArgument, "As period. Default: the one before, up to the same day."] = None,
    period1Months: Annotated[int, "Instead of period: the last months, including the current one.", Range(1, 24)] = 3,
    period2: Annotated[Span | None, "Instead of compareTo: first and last day."] = None,
    groupBy: GroupByArgument = "service",
    cloud: CloudArgument = None,
    filters: FiltersArgument = None,
    includeCredits: IncludeCreditsArgument = False,
    topN: Annotated[int, "How many groups.", Range(1, 25)] = 10,
    currency: CurrencyArgument = None,
) -> Annotated[ResultWithSeries, Comparison]:
    """Compare the cost of a period with an earlier one, by group. An unfinished period is compared with the same days
    of the one before. For what drove the change, use explain_cost_change."""
    first, second = parse_compared_periods(period, compareTo, period1Months, period2, utc_date(call.now))
    periods = ComparedPeriods.from_asked(align(first, second))
    dimensions = [ComparedDimension.from_group(group) for group in await resolve_groups(call, groupBy)]
    scope = Scope.from_arguments(cloud, filters, includeCredits)
    parts, stated = await run_compared(
        call, scope, periods.asked, currency, lambda code: comparison_queries(scope, periods, dimensions, code)
    )
    parts.require(*COSTS)
    argument = "period2" if period2 else "compareTo"
    known = [name for name in (*COSTS, *TOTALS) if name in parts.results]
    checked = await require_data(call, scope, periods, parts, argument, known)
    cut = checked.periods
    result = await run_in_thread(make_comparison, parts.results, cut, dimensions, topN, stated)
    asked, final = read_totals(parts, reversed(TOTALS)), read_totals(parts, final_names(SIDES))
    clouds = list_clouds([parts.results[name] for name in TOTALS if name in parts.results], scope)
    result |= {"alignment": cut.asked.alignment, **final_members(cut, asked, final, stated, SIDES)}
    result |= {"currency": stated, "basis": cost_basis(scope, clouds)}
    month_starts = note_month_starts(cut) if result["groups"] else ""
    note = " ".join(filter(None, (checked.note, month_starts, note_provisional(cut, "Groups"))))
    series = comparison_series(result, dimensions)
    result |= make_failures_member([*parts.failures, *checked.failures]) | ({"note": note} if note else {})
    return ResultWithSeries(result, series)


def parse_compared_periods(
    period: str | None, compare_to: str | None, months: int, span: Span | None, today: date
) -> tuple[ReportedPeriod, ReportedPeriod | None]:
    """Return the period to compare, and the one to compare it with if the arguments name it. Raise ApiError."""
    if compare_to and span:
        raise ApiError("Only one of compareTo and period2 is allowed", kind="argument")
    first = parse_period(period, "period", today) if period else last_months(months, today)
    if compare_to:
        return first, parse_period(compare_to, "compareTo", today)
    if span is None:
        return first, None
    if not span["from"].strip() or not span["to"].strip():
        raise ApiError("period2: from and to must be dates, such as 2026-10-01", kind="argument")
    return first, parse_period(f"{span['from']}/{span['to']}", "period2", today)


def comparison_queries(
    scope: Scope, periods: ComparedPeriods, dimensions: Sequence[ComparedDimension], currency: str
) -> dict[str, QueryConfig]:
    """Return the queries by group over the compared days, and in total over these and the whole periods.

    The totals are by cloud, to know the time zones.
    """
    queries: dict[str, QueryConfig] = {}
    types: list[Group] = [{"id": COST_TYPE_COLUMN, "type": "fixed"}]
    extra = types if any(dimension.has_cost_types for dimension in dimensions) else []
    compared, asked = periods.compared, periods.asked
    for number, days, whole in ((1, compared.after, asked.after), (2, compared.before, asked.before)):
        queries[f"period{number}"] = group_config(cost_config(scope, days.elapsed, currency), dimensions, extra)
        queries[f"total{number}"] = group_config(cost_config(scope, whole.elapsed, currency), [CLOUDS])
    return queries | final_queries(scope, periods, currency, SIDES)
