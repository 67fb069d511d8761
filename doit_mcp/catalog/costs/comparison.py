"""What the tools that compare two periods share: their periods, dimensions, figures, and how far back the data go."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from ...api.errors import ApiError
from ...api.report_config import Group, QueryConfig
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..period_alignment import AlignedPeriods, Alignment
from ..periods import Period, ReportedPeriod
from ..tables import column_names, complete_rows, row_days, to_key
from .amounts import change_percent, per_day, round_amount, to_decimal
from .data_start import DATA_START_FACT, fetch_data_start
from .groups import GroupDimension
from .queries import COST_METRIC, cost_config
from .scope import Scope

MAX_GROUPS = 1000
"""Values that are read of one dimension and period, the most expensive first; the rest count as other."""
HISTORY_MARGIN = timedelta(days=31)
"""How long before a period costs prove that the data begin earlier: some customers do not have costs every day."""
KNOWN_HISTORY_FACT = "data_known_from"


@dataclass(frozen=True, slots=True)
class ComparedDimension:
    """A dimension whose values are matched between periods by the column *key*, and shown by *label*."""

    argument: str
    key: str
    label: str
    groups: tuple[Group, ...]

    @classmethod
    def from_group(cls, group: GroupDimension) -> ComparedDimension:
        """Return the dimension of an argument. SKUs are matched by id: AWS writes prices into their descriptions."""
        if group.argument == "sku":
            columns = ("sku_id", "sku_description")
            return cls("sku", *columns, tuple({"id": column, "type": "fixed"} for column in columns))
        return cls(group.argument, group.column, group.name_column or group.column, tuple(group.as_groups))


def group_config(
    config: QueryConfig, dimensions: Iterable[ComparedDimension], extra: Sequence[Group] = ()
) -> QueryConfig:
    """Return *config* grouped by *dimensions* and *extra*, limited to the most expensive values of the first group."""
    groups = [group for dimension in dimensions for group in dimension.groups]
    groups[0] = {**groups[0], "limit": {"metric": COST_METRIC, "sort": "desc", "value": MAX_GROUPS}}
    return {**config, "group": [*groups, *extra]}


@dataclass(frozen=True, slots=True)
class CostLine:
    """One row of a query: the cells of the columns asked for, its cost, and its usage (0 if the query has none)."""

    cells: tuple[Hashable, ...]
    cost: Decimal
    usage: Decimal


def read_lines(answer: JsonObject, columns: Sequence[str]) -> Iterator[CostLine]:
    """Return the rows of a response. Raise ApiError if it has rows, but lacks one of the columns or the cost."""
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
            to_decimal(row[cost]),
            to_decimal(None if usage is None else row[usage]),
        )


def total_cost(answer: JsonObject) -> Decimal:
    """Return the cost of all rows. Raise ApiError if the response has rows without a cost."""
    return sum((line.cost for line in read_lines(answer, ())), Decimal(0))


def change_figures(before: Decimal, after: Decimal, periods: AlignedPeriods, currency: str) -> JsonObject:
    """Return the change, and in percent; per day too if the periods differ in length.

    Costs of arbitrary periods of different length do not compare, so their changePercent is null.
    """
    old, new = round_amount(before, currency), round_amount(after, currency)
    figures: JsonObject = {
        "change": float(new - old),
        "changePercent": None if periods.alignment == "per_day" else change_percent(old, new, currency),
    }
    if not periods.has_equal_days:
        scaled = new * periods.before.days / periods.after.days
        figures["perDayChangePercent"] = change_percent(old, scaled, currency)
    return figures


def daily_figure(amount: Decimal, period: ReportedPeriod, currency: str) -> float:
    """Return the mean cost of a day of *period*."""
    return float(round_amount(per_day(amount, period.days), currency))


async def fetch_first_day(call: Call, period: Period) -> date | None:
    """Return the first day with costs of any kind, unless it is more than a month before *period*.

    In that case return a day before the period; and None if there are no costs up to its end.
    """
    known = call.facts.get(DATA_START_FACT) or call.facts.get(KNOWN_HISTORY_FACT)
    if known is not None and date.fromisoformat(known) <= period.first:
        return date.fromisoformat(known)
    history = Period(max(period.first, date.min + HISTORY_MARGIN) - HISTORY_MARGIN, period.last)
    answer = await call.doit.reports.run_query(config=cost_config(Scope(), history, "USD", interval="day"))
    first = min((day for day in row_days(answer) if day is not None), default=None)
    if first is not None and first <= period.first:
        call.facts.put(KNOWN_HISTORY_FACT, first.isoformat())
    return first


async def cut_to_data(
    call: Call, periods: AlignedPeriods, first_day: date | None, argument: str
) -> tuple[AlignedPeriods, date | None]:
    """Return *periods* without days before the data begin, and the day on which they begin if days were cut.

    *first_day* comes from fetch_first_day. Raise ApiError if the earlier period ends before the data begin.
    """
    before = periods.before.elapsed
    if first_day is not None and first_day <= before.first:
        return periods, None
    begin = await fetch_data_start(call) or first_day
    if begin is None or begin <= before.first:
        return periods, None
    if begin > before.last:
        raise ApiError(
            f"{argument}: data begin {begin.isoformat()}, after the period {before.first.isoformat()}/"
            f"{before.last.isoformat()}. Compare with a later period",
            kind="argument",
        )
    shorter = replace(periods.before, whole=Period(begin, before.last))
    alignment: Alignment = "same_days" if shorter.days == periods.after.days else "per_day"
    return AlignedPeriods(shorter, periods.after, alignment), begin
