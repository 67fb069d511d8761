"""Causes of a change in cost: pure functions over exact decimals, whose parts add up to the whole change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, TypedDict

from ...api.value_kinds import Money
from ..costs.amounts import ZERO, round_amount
from .charge_kinds import COMMITMENT_KINDS, ChargeKind

NEGLIGIBLE_COST = Decimal("0.005")
"""Half a cent: anything that costs less counts as absent."""
NEGLIGIBLE_USAGE = Decimal("1e-9")
"""Usage below which no unit price can be computed."""
MAX_USAGE_EFFECT = Decimal(10**10)
"""An effect of usage beyond ten billion comes from odd data."""


class ChangeCauses(TypedDict, total=False):
    """The parts of the change; they add up to it."""

    calendar: Annotated[float, Money]
    usage: Annotated[float, Money]
    price: Annotated[float, Money]
    new: Annotated[float, Money]
    gone: Annotated[float, Money]
    credits: Annotated[float, Money]
    commitments: Annotated[float, Money]
    fees: Annotated[float, Money]
    untold: Annotated[float, Money]
    provisional: Annotated[float, Money]


Causes = Mapping[str, Decimal]
"""Amounts by cause."""
CAUSES = ("calendar", "usage", "price", "new", "gone", "credits", "commitments", "fees", "untold")
SEPARABLE_CAUSES = ("usage", "price", "commitments", "credits", "fees")
"""The causes that the data of one SKU separates."""


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

    *usage* is pay-as-you-go usage. *covered_usage* is the amount of usage that commitments paid for, in the same unit,
    and *commitments* is what all lines of commitments cost together. *fees* are one-time fees, taxes and refunds.
    """

    usage: CostAndUsage = NO_COST
    covered_usage: Decimal = ZERO
    commitments: Decimal = ZERO
    credits: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def total(self) -> CostAndUsage:
        """The cost of all lines, and all usage."""
        return CostAndUsage(
            self.usage.cost + self.commitments + self.credits + self.fees,
            self.usage.usage + max(self.covered_usage, ZERO),
        )

    @property
    def has_credits(self) -> bool:
        """Whether it has lines of credits."""
        return bool(self.credits)

    @property
    def has_commitments(self) -> bool:
        """Whether it has lines of commitments."""
        return bool(self.commitments or self.covered_usage)

    @property
    def has_only_fees(self) -> bool:
        """Whether it has lines of fees, and no others."""
        return bool(self.fees) and self.usage.is_absent and not self.has_commitments and not self.has_credits

    def with_charge(self, kind: ChargeKind, charge: CostAndUsage) -> SkuCost:
        """Return the cost with one more charge."""
        usage, covered, commitments = self.usage, self.covered_usage, self.commitments
        # Thousands of charges are added, and dataclasses.replace() is ten times slower.
        if kind is ChargeKind.CREDIT:
            return SkuCost(usage, covered, commitments, self.credits + charge.cost, self.fees)
        if kind is ChargeKind.FEE:
            return SkuCost(usage, covered, commitments, self.credits, self.fees + charge.cost)
        if kind not in COMMITMENT_KINDS:
            return SkuCost(usage + charge, covered, commitments, self.credits, self.fees)
        # Fees and negations count hours and dollars, not usage.
        covered += charge.usage if kind is ChargeKind.COVERED_USAGE else ZERO
        return SkuCost(usage, covered, commitments + charge.cost, self.credits, self.fees)


NO_CHARGES = SkuCost()


def sku_causes(before: SkuCost, after: SkuCost, status: str, extra_days: Decimal) -> Causes:
    """Return the causes of the change of one SKU; they add up to it.

    *status* is "new", "gone" or "". *extra_days* is how much longer the later period is, as a share of the earlier one.
    """
    parts = dict.fromkeys(CAUSES, ZERO)
    parts["calendar"] = before.total.cost * extra_days
    parts["commitments"] = after.commitments - before.commitments - before.commitments * extra_days
    parts["credits"] = after.credits - before.credits - before.credits * extra_days
    parts["fees"] = after.fees - before.fees - before.fees * extra_days
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


def total_causes(skus: Iterable[Causes], before: Decimal, after: Decimal, extra_days: Decimal) -> Causes:
    """Return the causes of the whole change from *before* to *after*; what no SKU explains is untold."""
    parts = dict.fromkeys(CAUSES, ZERO)
    for sku in skus:
        for name, amount in sku.items():
            parts[name] += amount
    parts["calendar"] = before * extra_days
    parts["untold"] += after - before - sum(parts.values())
    return parts


def round_causes(parts: Causes, change: Decimal, currency: str) -> Causes:
    """Return *parts* rounded to the currency's minor unit, so that they add up to the rounded *change*.

    The difference from rounding goes to the largest part, but never to the calendar, which has its own formula.
    """
    rounded = {name: round_amount(amount, currency) for name, amount in parts.items()}
    largest = max((name for name in rounded if name != "calendar"), key=lambda name: abs(rounded[name]))
    rounded[largest] += change - sum(rounded.values())
    return rounded


def separate_effects(parts: Causes, change: Decimal, currency: str) -> Causes:
    """Return the effects of usage, price and other causes that make up one SKU's rounded *change*.

    Usage and price are always given, others only if they are not zero. Empty if the data does not separate them.
    """
    if parts["untold"] or parts["new"] or parts["gone"] or not any(parts[name] for name in SEPARABLE_CAUSES):
        return {}
    effects = {
        name: amount
        for name, amount in parts.items()
        if name in ("usage", "price") or (name in ("calendar", *SEPARABLE_CAUSES) and amount)
    }
    return round_causes(effects, change, currency)
