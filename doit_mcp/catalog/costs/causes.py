"""Causes of a change in cost: pure functions over exact decimals, whose parts add up to the whole change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, TypedDict

from ...api.value_kinds import Money
from .amounts import ZERO, round_amount

NEGLIGIBLE_COST = Decimal("0.005")
"""Half a cent: anything that costs less counts as absent."""
NEGLIGIBLE_USAGE = Decimal("1e-9")
"""Usage below which no unit price can be computed."""
MAX_USAGE_EFFECT = Decimal(10**10)
"""An effect of usage beyond ten billion comes from odd data."""

COVERED_USAGE_TYPES = frozenset({"discountedusage", "savingsplancoveredusage"})
"""Cost types of usage that a reservation or a Savings Plan pays for."""
COMMITMENT_TYPES = COVERED_USAGE_TYPES | {
    "rifee",
    "savingsplanupfrontfee",
    "savingsplanrecurringfee",
    "savingsplannegation",
    "unusedreservation",
    "unusedsavingsplan",
}
"""Cost types that belong to commitments. "Fee" is not among them: it names other one-time charges too."""


class ChangeCauses(TypedDict, total=False):
    """The parts of the change; they add up to it."""

    calendar: Annotated[float, Money]
    usage: Annotated[float, Money]
    price: Annotated[float, Money]
    new: Annotated[float, Money]
    gone: Annotated[float, Money]
    credits: Annotated[float, Money]
    commitments: Annotated[float, Money]
    untold: Annotated[float, Money]


CAUSES = ("calendar", "usage", "price", "new", "gone", "credits", "commitments", "untold")


@dataclass(frozen=True, slots=True)
class CostAndUsage:
    """The cost of something and its usage (0 if unknown)."""

    cost: Decimal
    usage: Decimal = ZERO

    @property
    def has_unit_price(self) -> bool:
        """Whether a unit price can be computed."""
        return self.usage > NEGLIGIBLE_USAGE and self.cost > NEGLIGIBLE_COST

    @property
    def is_absent(self) -> bool:
        """Whether it neither costs nor was used."""
        return abs(self.cost) < NEGLIGIBLE_COST and self.usage == 0

    def __add__(self, other: CostAndUsage) -> CostAndUsage:
        """Return both together."""
        return CostAndUsage(self.cost + other.cost, self.usage + other.usage)


NO_COST = CostAndUsage(ZERO)


@dataclass(frozen=True, slots=True)
class SkuCost:
    """The cost of a SKU in one period, by kind of charge.

    *usage* is what is paid by use. *covered_usage* is the amount of usage that commitments paid for, in the same unit,
    and *commitments* is what all lines of commitments cost together.
    """

    usage: CostAndUsage = NO_COST
    covered_usage: Decimal = ZERO
    commitments: Decimal = ZERO
    credits: Decimal = ZERO

    @property
    def total(self) -> CostAndUsage:
        """The cost of all lines, and all usage."""
        return CostAndUsage(
            self.usage.cost + self.commitments + self.credits, self.usage.usage + max(self.covered_usage, ZERO)
        )

    def with_line(self, cost_type: str | None, line: CostAndUsage) -> SkuCost:
        """Return the cost with one more line."""
        kind = _normalize(cost_type)
        if "credit" in kind:
            return SkuCost(self.usage, self.covered_usage, self.commitments, self.credits + line.cost)
        if kind not in COMMITMENT_TYPES:
            return SkuCost(self.usage + line, self.covered_usage, self.commitments, self.credits)
        # Lines of fees and negations count hours and dollars, not usage.
        covered = self.covered_usage + (line.usage if kind in COVERED_USAGE_TYPES else ZERO)
        return SkuCost(self.usage, covered, self.commitments + line.cost, self.credits)


def _normalize(cost_type: str | None) -> str:
    return "".join(character for character in (cost_type or "").casefold() if character.isalnum())


def is_credit(cost_type: str | None) -> bool:
    """Whether lines of this type are credits."""
    return "credit" in _normalize(cost_type)


def is_commitment(cost_type: str | None) -> bool:
    """Whether lines of this type belong to a reservation or a Savings Plan."""
    return _normalize(cost_type) in COMMITMENT_TYPES


def sku_causes(before: SkuCost, after: SkuCost, status: str, extra_days: Decimal) -> dict[str, Decimal]:
    """Return the causes of the change of one SKU; they add up to it.

    *status* is "new", "gone" or "". *extra_days* is how much longer the later period is, as a share of the earlier one.
    """
    parts = dict.fromkeys(CAUSES, ZERO)
    parts["calendar"] = before.total.cost * extra_days
    for name, old, new in (
        ("commitments", before.commitments, after.commitments),
        ("credits", before.credits, after.credits),
    ):
        parts[name] = new - old - old * extra_days
    old, new = before.usage, after.usage
    rest = new.cost - old.cost - old.cost * extra_days
    if status == "gone":
        # What is gone costs nothing on the extra days either.
        parts["gone"], parts["usage"] = new.cost - old.cost, -old.cost * extra_days
    elif status == "new":
        parts["new"] = rest
    elif (effects := _unit_price_effects(before, after, extra_days)) is not None:
        usage, coverage = effects
        parts["usage"] = usage
        parts["commitments"] += coverage
        parts["price"] = rest - usage - coverage
    else:
        parts["untold"] = rest
    return parts


def _unit_price_effects(before: SkuCost, after: SkuCost, extra_days: Decimal) -> tuple[Decimal, Decimal] | None:
    """Return the effects of usage and of coverage at the earlier unit price; None if the data does not separate them.

    The effect of coverage is usage that moved to or from commitments.
    """
    old, new = before.usage, after.usage
    has_coverage = before.covered_usage > 0 or after.covered_usage > 0
    if has_coverage and old.is_absent and new.has_unit_price and before.covered_usage > 0:
        return ZERO, new.cost
    moved_away = has_coverage and new.is_absent
    if not old.has_unit_price or not (new.has_unit_price or moved_away):
        return None
    unit_price = old.cost / old.usage
    all_before, all_after = (
        old.usage + max(before.covered_usage, ZERO),
        new.usage + max(after.covered_usage, ZERO),
    )
    # What would be paid by use if the same share of all usage were covered.
    same_coverage = old.usage * all_after / all_before if has_coverage else new.usage
    usage = (same_coverage - old.usage * (1 + extra_days)) * unit_price
    coverage = (new.usage - same_coverage) * unit_price
    return (usage, coverage) if max(abs(usage), abs(coverage)) <= MAX_USAGE_EFFECT else None


def total_causes(
    skus: Iterable[Mapping[str, Decimal]], before: Decimal, after: Decimal, extra_days: Decimal
) -> dict[str, Decimal]:
    """Return the causes of the whole change from *before* to *after*; what no SKU explains is untold."""
    parts = dict.fromkeys(CAUSES, ZERO)
    for sku in skus:
        for name, amount in sku.items():
            parts[name] += amount
    parts["calendar"] = before * extra_days
    parts["untold"] += after - before - sum(parts.values())
    return parts


def round_causes(parts: Mapping[str, Decimal], change: Decimal, currency: str) -> dict[str, Decimal]:
    """Return *parts* rounded to the currency's minor unit, so that they add up to the rounded *change*.

    The difference from rounding goes to the largest part, but never to the calendar, which has a formula of its own.
    """
    rounded = {name: round_amount(amount, currency) for name, amount in parts.items()}
    largest = max((name for name in rounded if name != "calendar"), key=lambda name: abs(rounded[name]))
    rounded[largest] += change - sum(rounded.values())
    return rounded
