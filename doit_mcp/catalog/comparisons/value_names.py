"""Names of the values of a dimension, such as SKUs, whose lines in a bill have several descriptions."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from ..costs.amounts import ZERO
from .charge_kinds import ChargeKind

NAMELESS_KINDS = frozenset({ChargeKind.COVERED_USAGE, ChargeKind.NEGATION})
"""Kinds whose descriptions are about the commitment: "SavingsPlanNegation used by AccountId"."""
PAID_USAGE, OTHER_USAGE, OTHER_CHARGE = range(3)
"""How well a description names a value, the best first."""


class NameChoice(NamedTuple):
    """A possible name: the lowest *rank* is the best, then the lowest *cost_order*, the negative cost."""

    rank: int
    cost_order: Decimal
    name: str


@dataclass(slots=True)
class ValueNames:
    """The descriptions of values in one period, with their costs, separately for usage and other charges."""

    _costs: dict[Hashable, dict[tuple[bool, str], Decimal]] = field(default_factory=dict)

    def add(self, value: Hashable, label: Hashable, cost: Decimal, kind: ChargeKind = ChargeKind.USAGE) -> None:
        """Count one line with the description *label*."""
        labels = self._costs.setdefault(value, {})
        if label is not None and kind not in NAMELESS_KINDS:
            entry = kind is ChargeKind.USAGE, str(label)
            labels[entry] = labels.get(entry, ZERO) + cost

    def choose(self, value: Hashable) -> NameChoice | None:
        """Return the name of a value: the description of its most expensive usage, or else of another charge."""
        choices = [
            NameChoice((PAID_USAGE if cost > 0 else OTHER_USAGE) if is_usage else OTHER_CHARGE, -abs(cost), label)
            for (is_usage, label), cost in self._costs.get(value, {}).items()
        ]
        return min(choices, default=None)


def name_value(value: Hashable, *periods: ValueNames) -> str | None:
    """Return the name of a value in *periods*, the latest period first; the value itself if it has no description."""
    choices = [choice for names in periods if (choice := names.choose(value)) is not None]
    if choices:
        return min(choices, key=lambda choice: choice.rank).name
    return None if value is None else str(value)
