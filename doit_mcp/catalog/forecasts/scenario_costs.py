"""The costs of a scenario, and what its changes add to the costs of a budget."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from ...api.report_config import normalize_provider
from ...protocol.jsonrpc import JsonObject
from ..budgets.written_scope import budget_scope
from ..costs.amounts import ZERO
from ..periods.period import Period
from .scenario_model import Atom, ChangeAmounts, DayChange, SplitCosts, amounts_by_change

PLACES = {"cloud_provider": 0, "service_description": 1}
Condition = tuple[int, frozenset[str]]
"""A place in an atom, and the values that it may have."""


@dataclass(frozen=True, slots=True)
class ScenarioCosts:
    """The expected future costs of *clouds*, and what the changes of a scenario add to them.

    *limits* are the conditions of the forecast on clouds and services; empty if it has all costs of the customer, None
    if it has other conditions.
    """

    clouds: Sequence[SplitCosts]
    days: Sequence[DayChange]
    months: Sequence[Period]
    currency: str
    today: date
    limits: Sequence[Condition] | None

    @property
    def last(self) -> date:
        """The last day."""
        return self.months[-1].last

    def has_all(self, conditions: Sequence[Condition]) -> bool:
        """Return whether all costs that match the *conditions* are forecast."""
        return self.limits is not None and all(
            any(place == at and values <= allowed for place, values in conditions) for at, allowed in self.limits
        )

    def sum_base_costs(self, conditions: Sequence[Condition]) -> dict[date, Decimal]:
        """Return the expected cost of each day to come that matches the *conditions*."""
        base: dict[date, Decimal] = {}
        for cloud in self.clouds:
            share = sum((part for atom, part in cloud.shares.items() if _matches(atom, conditions)), ZERO)
            for day, cost in cloud.base.items():
                base[day] = base.get(day, ZERO) + share * cost
        return base


class ChangedCosts(NamedTuple):
    """A budget of a list, the *conditions* on its costs, and what changes add to them."""

    row: JsonObject
    conditions: Sequence[Condition]
    added: ChangeAmounts


def read_changed_costs(row: JsonObject, days: Iterable[DayChange]) -> ChangedCosts | None:
    """Return what changes add to the costs of a budget; None if its scope is not only clouds and services."""
    written = budget_scope(row)
    conditions = None if written.allocations else read_conditions(written.filters)
    if conditions is None:
        return None
    added = amounts_by_change(days, lambda atom: _matches(atom, conditions))
    return ChangedCosts(row, conditions, added)


def read_conditions(filters: Iterable[Any]) -> list[Condition] | None:
    """Return the conditions on clouds and services that filters consist of; None for any other filters."""
    read = [_read_condition(condition) for condition in filters]
    wanted = [condition for condition in read if condition is not None]
    return None if len(wanted) < len(read) else wanted


def _read_condition(condition: Any) -> Condition | None:
    place = PLACES.get(condition["id"]) if condition["type"] == "fixed" else None
    is_plain = condition.get("mode", "is") == "is" and not condition.get("inverse") and not condition.get("includeNull")
    if place is None or not is_plain:
        return None
    values = map(str, condition.get("values", ()))
    return place, frozenset(map(normalize_provider, values) if place == 0 else values)


def _matches(atom: Atom, conditions: Iterable[Condition]) -> bool:
    return all(atom[place] in values for place, values in conditions)
