"""The groups of two periods side by side: pure functions from query responses to the result of the tool."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import ZERO, round_amount
from ..costs.groups import COST_TYPE_COLUMN
from ..periods.alignment import AlignedPeriods
from ..periods.parts import split_period
from ..periods.period import ReportedPeriod
from ..tables import row_months
from .charge_kinds import ChargeKind, read_charge_kind
from .compared_periods import ComparedPeriods
from .comparison import (
    MAX_GROUPS,
    ComparedDimension,
    change_figures,
    daily_figure,
    read_cost_lines,
    sum_line_costs,
)
from .final_days import final_names
from .value_names import ValueNames, name_value

COSTS, TOTALS = ("period1", "period2"), ("total1", "total2")
FINAL_TOTALS = tuple(final_names(COSTS))
Key = tuple[Hashable, ...]
"""The values of a group, one for each dimension."""


class GroupLine(NamedTuple):
    """One row of a query's response: the values of its group, their descriptions, the kind of charge, and the cost."""

    key: Key
    labels: tuple[Hashable, ...]
    kind: ChargeKind
    cost: Decimal


def read_group_lines(answer: JsonObject, dimensions: Sequence[ComparedDimension]) -> Iterator[GroupLine]:
    """Yield the rows of a query's response. Raise ApiError if it lacks columns."""
    count = len(dimensions)
    typed = next((dimension for dimension in dimensions if dimension.has_cost_types), None)
    columns = [dimension.key for dimension in dimensions] + [dimension.label for dimension in dimensions]
    for line in read_cost_lines(answer, [*columns, *([COST_TYPE_COLUMN] if typed else [])]):
        key, labels = line.cells[:count], line.cells[count : 2 * count]
        kind = read_charge_kind(line.cells[-1]) if typed else ChargeKind.USAGE
        # Charges such as tax have no id, but a description.
        values = tuple(label if cell is None else cell for cell, label in zip(key, labels))
        yield GroupLine(values, labels, kind, line.charge.cost)


@dataclass(frozen=True, slots=True)
class GroupCosts:
    """The cost of each group in one period, and the names of the values by dimension.

    Unless *complete*, groups may be missing.
    """

    costs: Mapping[Key, Decimal]
    names: Sequence[ValueNames]
    complete: bool

    @classmethod
    def from_answer(cls, answer: JsonObject, dimensions: Sequence[ComparedDimension]) -> GroupCosts:
        """Return the costs in the response to a query. Raise ApiError if it lacks columns."""
        costs: dict[Key, Decimal] = {}
        names = [ValueNames() for _ in dimensions]
        for line in read_group_lines(answer, dimensions):
            costs[line.key] = costs.get(line.key, ZERO) + line.cost
            for own_names, value, label in zip(names, line.key, line.labels):
                own_names.add(value, label, line.cost, line.kind)
        return cls(costs, names, len({key[0] for key in costs}) < MAX_GROUPS)

    def cost_of(self, key: Key) -> Decimal | None:
        """Return the cost of a group; None if it is unknown."""
        return self.costs.get(key, ZERO if self.complete else None)


def group_id(key: Key) -> str | list[str | None] | None:
    """Return the value of a group as results show it; a list if it has one for each of two dimensions."""
    values = [None if cell is None else str(cell) for cell in key]
    return values[0] if len(values) == 1 else values


def group_name(names: Sequence[str | None]) -> str | None:
    """Return the names of a group's values as one text; None if it is a single value that is missing."""
    return names[0] if len(names) == 1 else " / ".join("none" if name is None else name for name in names)


def make_comparison(
    results: Mapping[str, JsonObject],
    periods: ComparedPeriods,
    dimensions: Sequence[ComparedDimension],
    top: int,
    currency: str,
) -> JsonObject:
    """Return both periods with the rows of the *top* groups, these groups, all others together, and the total.

    Groups, others and rows cover the compared days, the total the whole periods.
    """
    first, second = (GroupCosts.from_answer(results[name], dimensions) for name in COSTS)
    asked, days = periods.asked, periods.compared
    totals, compared = (
        [sum_line_costs(results[name]) if name in results else None for name in names]
        for names in (TOTALS, TOTALS if periods.final is None else FINAL_TOTALS)
    )
    shown = rank_groups(first, second, top)
    names = {
        key: [name_value(value, *own_names) for value, *own_names in zip(key, first.names, second.names)]
        for key in shown
    }
    rest = [
        subtract_known(total, [side.cost_of(key) for key in shown], currency)
        for total, side in zip(compared, (first, second))
    ]
    answer: JsonObject = {
        "groups": _group_rows(names, first, second, days, currency),
        "other": cost_difference(rest[0], rest[1], days, currency),
        "total": cost_difference(totals[0], totals[1], asked, currency),
    }
    sides = ((asked.after, days.after), (asked.before, days.before))
    for number, (total, (whole, part)) in enumerate(zip(totals, sides), 1):
        name = f"period{number}"
        answer["total"][f"perDay{number}"] = None if total is None else daily_figure(total, whole, currency)
        answer[name] = {
            "label": period_label(whole),
            **whole.as_json,
            **partial_months(part),
            **read_group_rows(results[name], dimensions, names, currency),
        }
    return answer


def _group_rows(
    names: Mapping[Key, Sequence[str | None]],
    first: GroupCosts,
    second: GroupCosts,
    days: AlignedPeriods,
    currency: str,
) -> list[JsonObject]:
    """Return the groups with these *names*, those with the largest change first."""
    rows = [
        {
            "id": group_id(key),
            "name": group_name(own_names),
            **cost_difference(first.cost_of(key), second.cost_of(key), days, currency),
        }
        for key, own_names in names.items()
    ]
    return sorted(rows, key=lambda row: (row["change"] is None, -abs(row["change"] or 0.0), str(row["name"])))


def rank_groups(first: GroupCosts, second: GroupCosts, top: int) -> list[Key]:
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
    """Return two amounts and their difference, the first minus the second."""
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


def partial_months(period: ReportedPeriod) -> JsonObject:
    """Return the member with the months that rows cover only in part; {} if all are whole."""
    cut = [part.as_json for part in split_period(period.elapsed, "month") if part.is_partial]
    return {"partial": cut} if cut else {}


def read_group_rows(
    answer: JsonObject,
    dimensions: Sequence[ComparedDimension],
    names: Mapping[Key, Sequence[str | None]],
    currency: str,
) -> JsonObject:
    """Return the costs of the groups with these *names* in a query's response by month, in the column period."""
    lines = list(read_group_lines(answer, dimensions))
    months: Sequence[str | None] = row_months(answer) or [None] * len(lines)
    costs: dict[tuple[Key, str | None], Decimal] = {}
    for line, month in zip(lines, months):
        if line.key in names:
            costs[line.key, month] = costs.get((line.key, month), ZERO) + line.cost
    has_name = [dimension.key != dimension.label for dimension in dimensions]
    rows = [
        [
            *(
                cell
                for value, name, named in zip(key, names[key], has_name)
                for cell in ((value, name) if named else (value,))
            ),
            month,
            float(round_amount(cost, currency)),
        ]
        for (key, month), cost in costs.items()
    ]
    columns = dict.fromkeys(column for dimension in dimensions for column in (dimension.key, dimension.label))
    types = [*((column, "string") for column in (*columns, "period")), ("cost", "float")]
    return {"rowCount": len(rows), "rows": rows, "columns": [{"name": name, "type": kind} for name, kind in types]}
