"""Costs of groups by period, read exactly from the answers of cost queries, and their form in results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..tables import column_names, complete_rows, read_days, read_months, to_key
from .amounts import ZERO, amount_as_json, round_amount, share_percents, to_decimal
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


@dataclass(frozen=True, slots=True)
class CostGroup:
    """The cost of one value of a dimension over all periods, and the rows that it is the sum of."""

    id: Any
    name: Any
    cost: Decimal
    rows: tuple[CostRow, ...]


def read_cost_rows(answer: JsonObject, groups: Sequence[GroupDimension], interval: QueryInterval) -> list[CostRow]:
    """Return the rows of a query's answer. Raise ApiError if it lacks columns or a period: missing costs are not zero."""
    rows = complete_rows(answer)
    if not rows:
        return []
    names = column_names(answer)
    wanted = ["cost", *(group.column for group in groups)]
    if missing := [name for name in wanted if name not in names]:
        raise ApiError(f"the result has no column {missing[0]}", kind="answer")
    periods = _row_periods(answer, interval)
    cost = names.index("cost")
    id_at = [names.index(group.column) for group in groups]
    name_at = [names.index(group.name_column) if group.name_column in names else at for group, at in zip(groups, id_at)]
    return [
        CostRow(
            tuple(to_key(row[at]) for at in id_at),
            tuple(row[at] for at in name_at),
            period,
            to_decimal(row[cost]),
        )
        for row, period in zip(rows, periods)
    ]


def _row_periods(answer: JsonObject, interval: QueryInterval) -> list[str]:
    return [day.isoformat() for day in read_days(answer)] if interval == "day" else read_months(answer)


def total_cost(rows: Iterable[CostRow]) -> Decimal:
    """Return the exact cost of all rows."""
    return sum((row.cost for row in rows), ZERO)


def cost_by_period(rows: Iterable[CostRow], bucket: Callable[[str], str] = str) -> dict[str, Decimal]:
    """Return the cost of each period, the earliest first. *bucket* returns the period that a row's period is part of."""
    costs: dict[str, Decimal] = {}
    for row in rows:
        period = bucket(row.period)
        costs[period] = costs.get(period, ZERO) + row.cost
    return dict(sorted(costs.items()))


def rank_groups(rows: Iterable[CostRow], level: int = 0) -> list[CostGroup]:
    """Return the values of the dimension at *level*, the most expensive first."""
    members: dict[Any, list[CostRow]] = {}
    for row in rows:
        members.setdefault(row.ids[level], []).append(row)
    groups = [
        CostGroup(
            identifier,
            next((row.names[level] for row in reversed(own) if row.names[level] is not None), identifier),
            total_cost(own),
            tuple(own),
        )
        for identifier, own in members.items()
    ]
    return sorted(groups, key=lambda group: (-group.cost, str(group.id)))


@dataclass(frozen=True, slots=True)
class RankedCosts:
    """The most expensive groups, and the total of everything, None if it is unknown. Amounts are rounded.

    *shown*, the sum of the groups, and *other* are exactly the *total*.
    """

    groups: list[CostGroup]
    currency: str
    total: Decimal | None

    @property
    def shown(self) -> Decimal:
        """The sum of the groups."""
        return sum((round_amount(group.cost, self.currency) for group in self.groups), ZERO)

    @property
    def other(self) -> Decimal | None:
        """The cost of everything else; None if it is unknown."""
        return None if self.total is None else round_amount(self.total, self.currency) - self.shown

    def shares(self) -> list[float | None]:
        """Return the share of each group and of everything else in percent; together they are 100."""
        if self.other is None:
            return [None] * (len(self.groups) + 1)
        return share_percents([*(round_amount(group.cost, self.currency) for group in self.groups), self.other])

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
        group.id: RankedCosts(rank_groups(group.rows, 1)[:top], ranked.currency, group.cost) for group in ranked.groups
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
) -> JsonObject:
    """Return rows as the table of a result: ids, names where ids have them, one period column, and the cost.

    Rows of the same groups in the same period are added up. Their order is that of their first occurrence.
    """
    columns = [name for group in groups for name in (group.column, group.name_column) if name]
    cells: dict[tuple[Any, ...], Decimal] = {}
    for row in rows:
        parts = ((id_, name) if group.name_column else (id_,) for group, id_, name in zip(groups, row.ids, row.names))
        key = (*(to_key(cell) for part in parts for cell in part), bucket(row.period))
        cells[key] = cells.get(key, ZERO) + row.cost
    return {
        "rowCount": len(cells),
        "columns": [
            *({"name": name, "type": "string"} for name in (*columns, "period")),
            {"name": "cost", "type": "float"},
        ],
        "rows": [[*key, amount_as_json(cost, currency)] for key, cost in cells.items()],
    }
