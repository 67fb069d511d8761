"""compare_spend: the cost of two periods, side by side."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, TypedDict

from ...api.errors import ApiError
from ...api.report_config import Span
from ...api.value_kinds import Label, Members, Money, Percent, Verbatim
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..currencies import CurrencyArgument, StatedCurrency, run_in_currency
from ..partial_results import PartialResults, gather_partial
from ..period_alignment import AlignedPeriods, AlignmentMember, align
from ..period_grammar import PeriodArgument, ShortPeriodArgument, last_months, parse_period
from ..periods import PeriodStatement, ReportedPeriod, utc_date
from ..tools.composed import composed_tool
from .amounts import ZERO, round_amount
from .comparison import (
    MAX_GROUPS,
    ComparedDimension,
    change_figures,
    cut_to_data,
    daily_figure,
    fetch_first_day,
    group_config,
    read_lines,
    total_cost,
)
from .groups import GroupByArgument, resolve_groups
from .queries import cost_config
from .scope import CloudArgument, FiltersArgument, IncludeCreditsArgument, Scope, check_values
from .statement import CostBasis, cost_basis

DEFAULT_MONTHS = 3


class ComparedPeriod(PeriodStatement, total=False):
    """The costs of one period, with the rows of the groups that are shown."""

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
    perDayChangePercent: Annotated[float | None, Percent]


class ComparedGroup(CostDifference, total=False):
    """One group in both periods."""

    id: Annotated[str | None, Label]
    name: Annotated[str | None, Label]


class ComparedTotal(CostDifference, total=False):
    """Everything in both periods."""

    perDay1: Annotated[float | None, Money]
    perDay2: Annotated[float | None, Money]


class Comparison(TypedDict, total=False):
    """Two periods."""

    period1: Annotated[
        JsonObject,
        "from, to, days, complete, finalThrough (later days can change); label, rowCount, rows, columns.",
        Members(ComparedPeriod),
    ]
    period2: Annotated[JsonObject, "The same.", Members(ComparedPeriod)]
    alignment: AlignmentMember
    groups: Annotated[
        list[JsonObject],
        "The most expensive groups of both periods, the largest change (period 1 less period 2) first; null where "
        "not known.",
        Members(ComparedGroup),
    ]
    other: Annotated[JsonObject, "All other groups.", Members(CostDifference)]
    total: Annotated[
        JsonObject,
        "Cost of everything and per day, change, changePercent (null if lengths differ without being whole months), "
        "perDayChangePercent where lengths differ; null if not known.",
        Members(ComparedTotal),
    ]
    currency: StatedCurrency
    basis: Annotated[JsonObject, Members(CostBasis)]
    note: str


@composed_tool(
    area="reports",
    search_hint="Compare spend of two periods, this quarter and last, year over year",
    narrow_hint="Ask for fewer groups (topN).",
    slow=True,
)
async def compare_spend(
    call: Call,
    *,
    period: PeriodArgument = None,
    compareTo: ShortPeriodArgument = None,
    period1Months: Annotated[int, "Instead of period: the last months, the running one included.", Range(1, 24)] = 3,
    period2: Annotated[Span | None, "Instead of compareTo: first and last day."] = None,
    groupBy: GroupByArgument = "service",
    cloud: CloudArgument = None,
    filters: FiltersArgument = None,
    includeCredits: IncludeCreditsArgument = False,
    topN: Annotated[int, "How many groups.", Range(1, 25)] = 10,
    currency: CurrencyArgument = None,
) -> Annotated[JsonObject, Comparison]:
    """Compare the cost of a period with an earlier one, by group. An unfinished period is compared with the same number
    of days. For what drove the change, use explain_cost_change."""
    first, second = parse_compared_periods(period, compareTo, period1Months, period2, utc_date(call.now))
    periods = align(first, second)
    groups = await resolve_groups(call, groupBy)
    dimensions = [ComparedDimension.from_group(group) for group in groups]
    scope = Scope.from_arguments(cloud, filters, includeCredits)

    async def work(code: str) -> PartialResults:
        return await fetch_both(call, scope, periods, dimensions, code)
