"""compare_spend: the cost of two periods, side by side."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, TypedDict

from ...api.errors import ApiError
from ...api.report_config import QueryConfig, Span
from ...api.value_kinds import Label, Members, Money, Percent, Verbatim
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..costs.amounts import ZERO, round_amount
from ..costs.groups import GroupByArgument, resolve_groups
from ..costs.query_config import cost_config
from ..costs.scope import CloudArgument, FiltersArgument, IncludeCreditsArgument, Scope
from ..costs.statement import CostBasis, cost_basis
from ..currencies import CurrencyArgument, StatedCurrency
from ..partial_results import FailedPart, failed_members
from ..periods.alignment import AlignedPeriods, AlignmentMember, align
from ..periods.grammar import PeriodArgument, ShortPeriodArgument, last_months, parse_period
from ..periods.period import PeriodStatement, ReportedPeriod, utc_date
from ..tables import row_months
from ..tools.composed import composed_tool
from .comparison import (
    CLOUDS,
    MAX_GROUPS,
    ComparedDimension,
    change_figures,
    check_answer,
    clouds_of,
    daily_figure,
    group_config,
    read_lines,
    run_compared,
    total_cost,
)

TOTALS = ("total1", "total2")
Key = tuple[Hashable, ...]
"""The values of a group, one for each dimension."""


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
    failed: Annotated[list[JsonObject], "Parts that failed, and why.", Members(FailedPart)]
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
    compareTo: Annotated[ShortPeriodArgument, "As period. Default: the one before, with as many days."] = None,
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
    dimensions = [ComparedDimension.from_group(group) for group in await resolve_groups(call, groupBy)]
    scope = Scope.from_arguments(cloud, filters, includeCredits)
    parts, stated = await run_compared(
        call, scope, periods, currency, lambda code: comparison_queries(scope, periods, dimensions, code)
    )
    parts.require("period1", "period2")
    argument = "period2" if period2 else "compareTo"
    checked = await check_answer(call, scope, periods, parts, argument, ("period1", "period2"))
    result = await run_in_thread(make_comparison, parts.results, checked.periods, dimensions, topN, stated)
    if period is None:
        result["period1"]["label"] = f"Last {period1Months} month{'' if period1Months == 1 else 's'}"
    clouds = clouds_of([parts.results[name] for name in TOTALS if name in parts.results], scope)
    result |= {"alignment": checked.periods.alignment, "currency": stated, "basis": cost_basis(scope, clouds)}
    return (
        result | failed_members([*parts.failures, *checked.failures]) | ({"note": checked.note} if checked.note else {})
    )


def parse_compared_periods(
    period: str | None, compare_to: str | None, months: int, span: Span | None, today: date
) -> tuple[ReportedPeriod, ReportedPeriod | None]:
    """Return the period to compare, and the one to compare it with if the arguments name it. Raise ApiError."""
    if compare_to and span:
        raise ApiError("compareTo, period2: pass only one of them", kind="argument")
    first = parse_period(period, "period", today) if period else last_months(months, today)
    if compare_to:
        return first, parse_period(compare_to, "compareTo", today)
    if span is None:
        return first, None
    if not span["from"].strip() or not span["to"].strip():
        raise ApiError("period2: from and to must be dates, such as 2026-10-01", kind="argument")
    return first, parse_period(f"{span['from']}/{span['to']}", "period2", today)


def comparison_queries(
    scope: Scope, periods: AlignedPeriods, dimensions: Sequence[ComparedDimension], currency: str
) -> dict[str, QueryConfig]:
    """Return the queries for both periods, by group and in total. The totals are by cloud, to know the time zones."""
    queries: dict[str, QueryConfig] = {}
    for number, period in ((1, periods.after.elapsed), (2, periods.before.elapsed)):
        config = cost_config(scope, period, currency)
        queries[f"period{number}"] = group_config(config, dimensions)
        queries[f"total{number}"] = group_config(config, [CLOUDS])
    return queries


@dataclass(frozen=True, slots=True)
class GroupCosts:
    """The cost of each group in one period, and its name. Unless *complete*, groups may be missing."""

    costs: Mapping[Key, Decimal]
    names: Mapping[Key, str | None]
    complete: bool

    @classmethod
    def from_answer(cls, answer: JsonObject, dimensions: Sequence[ComparedDimension]) -> GroupCosts:
        """Return the costs in the response to a query. Raise ApiError if it lacks columns."""
        costs: dict[Key, Decimal] = {}
        names: dict[Key, str | None] = {}
        columns = [dimension.key for dimension in dimensions] + [dimension.label for dimension in dimensions]
        for line in read_lines(answer, columns):
            key, labels = line.cells[: len(dimensions)], line.cells[len(dimensions) :]
            costs[key] = costs.get(key, ZERO) + line.charge.cost
            names[key] = join_cells([cell if label is None else label for cell, label in zip(key, labels)])
        return cls(costs, names, len({key[0] for key in costs}) < MAX_GROUPS)

    def cost_of(self, key: Key) -> Decimal | None:
        """Return the cost of a group; None if it is unknown."""
        return self.costs.get(key, ZERO if self.complete else None)


def join_cells(cells: Sequence[Hashable]) -> str | None:
    """Return the values of one group as one text; None if it is a single value that is missing."""
    if len(cells) == 1:
        return None if cells[0] is None else str(cells[0])
    return " / ".join("none" if cell is None else str(cell) for cell in cells)


def make_comparison(
    results: Mapping[str, JsonObject],
    periods: AlignedPeriods,
    dimensions: Sequence[ComparedDimension],
    top: int,
    currency: str,
) -> JsonObject:
    """Return both periods with the rows of the *top* groups, these groups, all others together, and the total."""
    first, second = (GroupCosts.from_answer(results[name], dimensions) for name in ("period1", "period2"))
    totals = [total_cost(results[name]) if name in results else None for name in TOTALS]

    def difference(one: Decimal | None, two: Decimal | None) -> JsonObject:
        return cost_difference(one, two, periods, currency)

    shown = most_expensive(first, second, top)
    names = {**second.names, **first.names}
    groups = [
        {"id": join_cells(key), "name": names[key], **difference(first.cost_of(key), second.cost_of(key))}
        for key in shown
    ]
    groups.sort(key=lambda row: (row["change"] is None, -abs(row["change"] or 0.0), str(row["name"])))
    rest = [
        subtract_known(total, [side.cost_of(key) for key in shown], currency)
        for total, side in zip(totals, (first, second))
    ]
    answer: JsonObject = {"groups": groups, "other": difference(*rest), "total": difference(*totals)}
    for number, total, period in ((1, totals[0], periods.after), (2, totals[1], periods.before)):
        name = f"period{number}"
        answer["total"][f"perDay{number}"] = None if total is None else daily_figure(total, period, currency)
        answer[name] = {
            "label": period_label(period),
            **period.as_json,
            **rows_of(results[name], dimensions, shown, currency),
        }
    return answer


def most_expensive(first: GroupCosts, second: GroupCosts, top: int) -> list[Key]:
    """Return the groups that cost most in either period."""

    def size(key: Key) -> Decimal:
        return max(abs(first.costs.get(key, ZERO)), abs(second.costs.get(key, ZERO)))

    return sorted({**first.costs, **second.costs}, key=lambda key: (-size(key), str(key)))[:top]


def subtract_known(total: Decimal | None, parts: Sequence[Decimal | None], currency: str) -> Decimal | None:
    """Return the rounded *total* without the rounded *parts*; None if one of them is unknown."""
    known = [round_amount(part, currency) for part in parts if part is not None]
    return None if total is None or len(known) < len(parts) else round_amount(total, currency) - sum(known, ZERO)


def cost_difference(
    first: Decimal | None, second: Decimal | None, periods: AlignedPeriods, currency: str
) -> JsonObject:
    """Return two amounts and what lies between them: the first less the second."""
    shown: JsonObject = {
        "period1": None if first is None else float(round_amount(first, currency)),
        "period2": None if second is None else float(round_amount(second, currency)),
    }
    if first is None or second is None:
        return {**shown, "change": None, "changePercent": None}
    return shown | change_figures(second, first, periods, currency)


def period_label(period: ReportedPeriod) -> str:
    """Return the days of a period as text."""
    return f"{period.elapsed.first.isoformat()} to {period.elapsed.last.isoformat()}"


def rows_of(
    answer: JsonObject, dimensions: Sequence[ComparedDimension], keys: Sequence[Key], currency: str
) -> JsonObject:
    """Return the rows of these groups in a query's response, with the month as period."""
    columns = list(dict.fromkeys(column for one in dimensions for column in (one.key, one.label)))
    places = [columns.index(dimension.key) for dimension in dimensions]
    lines = list(read_lines(answer, columns))
    months: Sequence[str | None] = row_months(answer) or [None] * len(lines)
    shown = set(keys)
    rows = [
        [*line.cells, month, float(round_amount(line.charge.cost, currency))]
        for line, month in zip(lines, months)
        if tuple(line.cells[place] for place in places) in shown
    ]
    types = [*((column, "string") for column in (*columns, "period")), ("cost", "float")]
    return {"rowCount": len(rows), "rows": rows, "columns": [{"name": name, "type": kind} for name, kind in types]}
