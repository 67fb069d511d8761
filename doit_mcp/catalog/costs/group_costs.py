"""Costs of groups by period, read exactly from the answers of cost queries, and their form in results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..tables import column_names, complete_rows, read_days, read_months, to_key
from .amounts import ZERO, amount_as_json, round_amount, share_tenths, to_decimal
from .group_names import latest_names, usual_names
from .groups import GroupDimension
from .query_config import QueryInterval


@dataclass(frozen=True, slots=True)
class CostRow:
    """The *cost* of one combination of groups in one *period*: a month (2026-11) or a day (2026-11-05).

    *ids* and *names* have one value for each dimension.
    """

    ids: tuple[Any, ...]
    names: tuple[Any, ...]
    period: str
    cost: Decimal


class CostGroup(NamedTuple):
    """The cost of one value of a dimension over all periods, and the rows that it is the sum of."""

    id: Any
    name: Any
    cost: Decimal
    rows: tuple[CostRow, ...]


def read_cost_rows(answer: JsonObject, groups: Sequence[GroupDimension], interval: QueryInterval) -> list[CostRow]:
    """Return the rows of an answer. Raise ApiError if columns or a period are missing: unknown costs are not 0."""
    rows = complete_rows(answer)
    if not rows:
        return []
    names = column_names(answer)
    wanted = ["cost", *(group.column for group in groups)]
    if missing := [name for name in wanted if name not in names]:
        raise ApiError(f"the result has no column {missing[0]}", kind="answer")
    periods = _row_periods(answer, interval)
    costs = [to_decimal(row[names.index("cost")]) for row in rows]
    columns = [_read_group(rows, names, group, costs, periods) for group in groups]
    if not columns:
        return [CostRow((), (), period, cost) for period, cost in zip(periods, costs)]
    ids, labels = zip(*(ids for ids, _ in columns)), zip(*(labels for _, labels in columns))
    return [CostRow(*cells) for cells in zip(ids, labels, periods, costs)]


def _read_group(
    rows: list[list[Any]], columns: list[str], group: GroupDimension, costs: list[Decimal], periods: list[str]
) -> tuple[list[Any], list[Any]]:
    """Return the ids and names of a group in all rows. Each id has one name."""
    at = columns.index(group.column)
    ids = [to_key(row[at]) for row in rows]
    if group.name_column not in columns:
        return ids, [row[at] for row in rows]
    name_at = columns.index(group.name_column)
    labels = [to_key(row[name_at]) for row in rows]
    if group.kind_column in columns:
        kind_at = columns.index(group.kind_column)
        names = usual_names(ids, labels, costs, [row[kind_at] for row in rows])
    else:
        names = latest_names(ids, labels, periods)
    return ids, [names.get(identifier) for identifier in ids]


def _row_periods(answer: JsonObject, interval: QueryInterval) -> list[str]:
    return [day.isoformat() for day in read_days(answer)] if interval == "day" else read_months(answer)


def total_cost(rows: Iterable[CostRow]) -> Decimal:
    """Return the exact cost of all rows."""
    return sum((row.cost for row in rows), ZERO)


def cost_by_period(rows: Iterable[CostRow], bucket: Callable[[str], str] = str) -> dict[str, Decimal]:
    """Return the cost of each period, the earliest first. *bucket* maps a row's period to the one that contains it."""
    costs: dict[str, Decimal] = {}
    for row in rows:
        period = bucket(row.period)
        costs[period] = costs.get(period, ZERO) + row.cost
    return dict(sorted(costs.items()))


def rank_groups(rows: Iterable[CostRow], level: int = 0) -> list[CostGroup]:
    """Return the values of the dimension at *level*, the most expensive first; if all are credits, the largest one."""
    members: dict[Any, list[CostRow]] = {}
    for row in rows:
        members.setdefault(row.ids[level], []).append(row)
    groups = [
        CostGroup(
            identifier,
            identifier if own[-1].names[level] is None else own[-1].names[level],
            total_cost(own),
            tuple(own),
        )
        for identifier, own in members.items()
    ]
    direction = 1 if all(group.cost <= 0 for group in groups) else -1
    return sorted(groups, key=lambda group: (direction * group.cost, str(group.id)))


@dataclass(frozen=True, slots=True)
class RankedCosts:
    """Groups, the most expensive first, of which *top* are shown, and the total of everything, None if it is unknown.

    Amounts are rounded. *shown*, the sum of the groups shown, and *other* are exactly the *total*.
    """

    ranked: list[CostGroup]
    currency: str
    total: Decimal | None
    top: int

    @property
    def groups(self) -> list[CostGroup]:
        """The groups that are shown."""
        return self.ranked[: self.top]

    @property
    def shown(self) -> Decimal:
        """The sum of the groups shown."""
        return sum((round_amount(group.cost, self.currency) for group in self.groups), ZERO)

    @property
    def other(self) -> Decimal | None:
        """The cost of everything else; None if it is unknown."""
        return None if self.total is None else round_amount(self.total, self.currency) - self.shown

    def shares(self) -> list[float | None]:
        """Return the share of each group shown and of everything else in percent; together they are 100.

        They are rounded before groups are left out, so the share of a group does not depend on how many are shown.
        """
        if self.total is None or not round_amount(self.total, self.currency):
            return [None] * (len(self.groups) + 1)
        rest = self.total - sum((group.cost for group in self.ranked), ZERO)
        tenths = share_tenths([*(group.cost for group in self.ranked), rest])
        shown = tenths[: len(self.groups)]
        return [*(tenth / 10 for tenth in shown), sum(tenths[len(shown) :]) / 10]

    def group_rows(self, describe: Callable[[CostGroup], JsonObject] = lambda group: {}) -> list[JsonObject]:
        """Return the groups as a result shows them (GroupCost); *describe* adds members."""
        return [
            {
                "id": group.id,
                "name": group.name,
                "cost": amount_as_json(group.cost, self.currency),
                "sharePercent": share,
                **describe(group),
            }
            for group, share in zip(self.groups, self.shares())
        ]

    def totals(self) -> JsonObject:
        """Return the sums as a result shows them (CostTotals)."""
        other, total = self.other, self.total
        return {
            "shown": amount_as_json(self.shown, self.currency),
            "other": None if other is None else amount_as_json(other, self.currency),
            "otherSharePercent": self.shares()[-1],
            "all": None if total is None else amount_as_json(total, self.currency),
        }


def split_by_two(ranked: RankedCosts, top: int) -> tuple[list[JsonObject], list[CostRow]]:
    """Return groups as a result shows them, each with its *top* values of the second dimension, and their rows."""
    inner = {
        group.id: RankedCosts(rank_groups(group.rows, 1), ranked.currency, group.cost, top) for group in ranked.groups
    }

    def describe(group: CostGroup) -> JsonObject:
        parts = inner[group.id]
        return {"groups": parts.group_rows(), "other": parts.totals()["other"]}

    rows = [row for group in ranked.groups for part in inner[group.id].groups for row in part.rows]
    return ranked.group_rows(describe), rows


def split_by_groups(ranked: RankedCosts, dimensions: int, top: int) -> tuple[list[JsonObject], list[CostRow]]:
    """Return groups by one dimension or two as a result shows them, and the rows that belong to them."""
    if dimensions > 1:
        return split_by_two(ranked, top)
    return ranked.group_rows(), [row for group in ranked.groups for row in group.rows]


def as_table(
    rows: Iterable[CostRow],
    groups: Sequence[GroupDimension],
    currency: str,
    bucket: Callable[[str], str] = str,
    *,
    has_zeros: bool = True,
) -> JsonObject:
    """Return rows as the table of a result: ids, names where ids have them, one period column, and the cost.

    Rows of the same groups in the same period are added up, in the order of their first occurrence. Those without cost
    are left out unless *has_zeros*: the API returns only some of them.
    """
    columns = [name for group in groups for name in (group.column, group.name_column) if name]
    cells: dict[tuple[Any, ...], Decimal] = {}
    for row in rows:
        parts = ((id_, name) if group.name_column else (id_,) for group, id_, name in zip(groups, row.ids, row.names))
        key = (*(to_key(cell) for part in parts for cell in part), bucket(row.period))
        cells[key] = cells.get(key, ZERO) + row.cost
    if not has_zeros:
        cells = {key: cost for key, cost in cells.items() if cost}
    return {
        "rowCount": len(cells),
        "columns": [
            *({"name": name, "type": "string"} for name in (*columns, "period")),
            {"name": "cost", "type": "float"},
        ],
        "rows": [[*key, amount_as_json(cost, currency)] for key, cost in cells.items()],
    }
