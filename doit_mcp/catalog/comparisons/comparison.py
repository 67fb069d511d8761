"""What the tools that compare two periods share: their periods, dimensions, figures, and how far back the data goes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from ...api.errors import ApiError
from ...api.report_config import Group, QueryConfig
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.amounts import MAX_QUANTITY, ZERO, average_per_day, change_percent, round_amount, to_decimal
from ..costs.answers import explain_empty_answer, run_checked
from ..costs.data_start import DATA_START_FACT, read_data_start
from ..costs.groups import GroupDimension, find_fixed_group
from ..costs.query_config import COST_METRIC, cost_config
from ..costs.scope import Scope
from ..partial_results import FailedPart, PartialResults, gather_partial
from ..periods.alignment import AlignedPeriods
from ..periods.period import Period, ReportedPeriod
from ..report_runs.queries import fetch_query
from ..tables import column_names, complete_rows, row_days, to_key
from .causes import CostAndUsage
from .compared_periods import ComparedPeriods, has_final_days

MAX_GROUPS = 1000
"""Maximum values that are read of one dimension and period, most expensive first; the rest count as other."""
HISTORY_MARGIN = timedelta(days=31)
"""Costs this long before a period show that the data begins earlier: some customers do not have costs every day."""
KNOWN_HISTORY_FACT = "data_known_from"
HISTORY = "history"
CHECKED = "checked"
SKU = "sku"
Queries = Callable[[str], Mapping[str, QueryConfig]]
"""Returns queries by name for a currency."""


class ComparedDimension(NamedTuple):
    """A dimension whose values are matched between periods by the column *key*, and shown by *label*."""

    argument: str
    key: str
    label: str
    groups: tuple[Group, ...]

    @classmethod
    def from_group(cls, group: GroupDimension) -> ComparedDimension:
        """Return the dimension of an argument. SKUs are matched by id: AWS writes prices into their descriptions."""
        if group.argument == SKU:
            columns = ("sku_id", "sku_description")
            return cls(SKU, *columns, tuple({"id": column, "type": "fixed"} for column in columns))
        return cls(group.argument, group.column, group.name_column or group.column, tuple(group.as_groups))

    @property
    def has_cost_types(self) -> bool:
        """Whether queries also need the cost type, which says what a charge of a SKU is for."""
        return self.argument == SKU


CLOUDS = ComparedDimension.from_group(find_fixed_group("cloud"))


def list_clouds(answers: Iterable[JsonObject], scope: Scope) -> list[str]:
    """Return the clouds in responses that are grouped by cloud; the cloud of *scope* if it has one."""
    if scope.cloud is not None:
        return [scope.cloud]
    # Without the column, the time zones are unknown, but the costs are not.
    clouds: dict[str, None] = {}
    for answer in answers:
        if CLOUDS.key in (names := column_names(answer)):
            at = names.index(CLOUDS.key)
            # Only the cells: answers by service have a row for each of thousands of values.
            clouds |= dict.fromkeys(str(row[at]) for row in complete_rows(answer))
    return list(clouds)


def group_config(
    config: QueryConfig, dimensions: Iterable[ComparedDimension], extra: Sequence[Group] = ()
) -> QueryConfig:
    """Return *config* grouped by *dimensions* and *extra*, limited to the most expensive values of the first group."""
    groups = [group for dimension in dimensions for group in dimension.groups]
    groups[0] = {**groups[0], "limit": {"metric": COST_METRIC, "sort": "desc", "value": MAX_GROUPS}}
    return {**config, "group": [*groups, *extra]}


class CostLine(NamedTuple):
    """One row of a query: the cells of the columns asked for, its cost, and its usage if the query has it."""

    cells: tuple[Hashable, ...]
    charge: CostAndUsage


def read_cost_lines(answer: JsonObject, columns: Sequence[str]) -> Iterator[CostLine]:
    """Yield the rows of a response. Raise ApiError if it has rows, but lacks one of the columns or the cost."""
    names = column_names(answer)
    missing = [column for column in (*columns, "cost") if column not in names]
    if missing:
        if answer["rows"]:
            raise ApiError(f"the result has no columns {', '.join(missing)}", kind="answer")
        return
    places, cost = [names.index(column) for column in columns], names.index("cost")
    usage = names.index("usage") if "usage" in names else None
    for row in complete_rows(answer):
        yield CostLine(
            tuple(to_key(row[place]) for place in places),
            CostAndUsage(to_decimal(row[cost]), ZERO if usage is None else to_decimal(row[usage], MAX_QUANTITY)),
        )


def sum_line_costs(answer: JsonObject) -> Decimal:
    """Return the cost of all rows. Raise ApiError if the response has rows without a cost."""
    return sum((line.charge.cost for line in read_cost_lines(answer, ())), ZERO)


def read_totals(parts: PartialResults, names: Iterable[str]) -> tuple[Decimal, Decimal] | None:
    """Return the costs of the two results *names*; None if one failed."""
    wanted = list(names)
    if not set(wanted) <= set(parts.results):
        return None
    before, after = (sum_line_costs(parts.results[name]) for name in wanted)
    return before, after


def change_figures(before: Decimal, after: Decimal, periods: AlignedPeriods, currency: str) -> JsonObject:
    """Return the change as an amount and in percent, and also per day if the periods differ in length.

    Costs of arbitrary periods of different length do not compare, so their changePercent is null. Percentages are also
    null for earlier costs that are not positive, and if a period has no final day, because its costs are incomplete.
    """
    old, new = round_amount(before, currency), round_amount(after, currency)
    has_percent = old > 0 and has_final_days(periods)
    figures: JsonObject = {
        "change": float(new - old),
        "changePercent": change_percent(old, new, currency) if has_percent and periods.alignment != "per_day" else None,
    }
    if not periods.has_equal_days:
        scaled = new * periods.before.days / periods.after.days
        figures["perDayChangePercent"] = change_percent(old, scaled, currency) if has_percent else None
    return figures


def daily_figure(amount: Decimal, period: ReportedPeriod, currency: str) -> float:
    """Return the mean cost of a day of *period*."""
    return float(round_amount(average_per_day(amount, period.days), currency))


async def run_compared(
    call: Call, scope: Scope, periods: AlignedPeriods, currency: str | None, queries: Queries
) -> tuple[PartialResults, str]:
    """Run the *queries* and their checks concurrently. Return their results and the currency.

    The result CHECKED is the third one of run_checked, and HISTORY that of fetch_first_day. Raise ApiError for unknown
    values in *scope*.
    """

    async def work(code: str) -> PartialResults:
        return await gather_partial(
            {
                **{name: fetch_query(call, config) for name, config in queries(code).items()},
                HISTORY: fetch_first_day(call, periods.before.elapsed, code),
            }
        )

    parts, stated, checked = await run_checked(call, scope, currency, work)
    return replace(parts, results={**parts.results, CHECKED: checked}), stated


async def fetch_first_day(call: Call, period: Period, currency: str) -> date | None:
    """Return the first day with costs of any kind, unless it is more than a month before *period*.

    In that case, return a day before the period. Return None if there are no costs up to its end.
    """
    known = call.facts.get(DATA_START_FACT) or call.facts.get(KNOWN_HISTORY_FACT)
    if known is not None and date.fromisoformat(known) <= period.first:
        return date.fromisoformat(known)
    history = Period(max(period.first, date.min + HISTORY_MARGIN) - HISTORY_MARGIN, period.last)
    answer = await fetch_query(call, cost_config(Scope(), history, currency, interval="day"))
    first = min((day for day in row_days(answer) if day is not None), default=None)
    if first is not None and first <= period.first:
        call.facts.put(KNOWN_HISTORY_FACT, first.isoformat())
    return first


class CheckedAnswer(NamedTuple):
    """*periods* without days before the data begins, a *note* about them, and what was not read."""

    periods: ComparedPeriods
    note: str = ""
    failures: Sequence[FailedPart] = ()


async def require_data(
    call: Call, scope: Scope, periods: ComparedPeriods, parts: PartialResults, argument: str, names: Sequence[str]
) -> CheckedAnswer:
    """Return the periods, cut to the days that have data.

    *names* are the results with the costs. Raise ApiError if the earlier period ends before the data begins, or if
    there are no costs and *scope* has unknown values.
    """
    asked = periods.asked
    if all(name in parts.results and not parts.results[name]["rows"] for name in names):
        return CheckedAnswer(
            periods, (await explain_empty_answer(call, scope, asked.after, parts.results[CHECKED])).note
        )
    unchecked = " ".join(parts.results[CHECKED].notes)
    first_day: date | None = parts.results.get(HISTORY)
    if HISTORY in parts.errors or (first_day is not None and first_day <= asked.before.elapsed.first):
        return CheckedAnswer(periods, unchecked)
    start = await read_data_start(call)
    if start.failures:
        return CheckedAnswer(periods, unchecked, failures=start.failures)
    cut = periods.cut_to_data(start.day or first_day, argument)
    if cut is periods:
        return CheckedAnswer(periods, unchecked)
    first = cut.asked.before.whole.first.isoformat()
    begin = f"The data begins on {first}, within the earlier period; nothing counts as new."
    return CheckedAnswer(cut, f"{begin} {unchecked}".rstrip())
