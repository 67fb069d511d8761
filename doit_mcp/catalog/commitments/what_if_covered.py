"""How much of the usage of a modeled purchase existing commitments and planned purchases cover, at on-demand rates.

None of it depends on the discount of the modeled purchase.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from ..costs.amounts import ZERO
from .aws import HOURS_PER_MONTH, OwnedCommitment
from .discounts import find_known_discount
from .purchase_model import UsageSample
from .what_if_evidence import Evidence


class CoveredUsage(NamedTuple):
    """What commitments cover, in dollars per hour at on-demand rates: *active* ones, those that start *later*,
    without renewals, and *planned* purchases.

    *unpriced* counts those whose discount is unknown. Their cost is used instead, because they cover at least that.
    """

    active: Decimal
    later: Decimal
    planned: Decimal
    unpriced_active: int
    unpriced_later: int


def find_covered(evidence: Evidence) -> CoveredUsage:
    """Return what the commitments in the *evidence* cover."""
    owned = evidence.owned
    later = [item.commitment for item in owned.later if not item.is_renewal]
    # The savings of a planned purchase are the on-demand cost that it replaces minus its own cost.
    planned = sum((step.hourly + step.monthly_savings / HOURS_PER_MONTH for step in owned.planned), ZERO)
    active_rates = [_estimate_covered_usage(item, evidence) for item in owned.active]
    later_rates = [_estimate_covered_usage(item, evidence) for item in later]
    return CoveredUsage(
        sum(
            (
                rate * (1 if (used := item.utilization) is None else used)
                for item, (rate, _) in zip(owned.active, active_rates, strict=True)
            ),
            ZERO,
        ),
        sum((rate for rate, _ in later_rates), ZERO),
        planned,
        sum(not is_priced for _, is_priced in active_rates),
        sum(not is_priced for _, is_priced in later_rates),
    )


def _estimate_covered_usage(item: OwnedCommitment, evidence: Evidence) -> tuple[Decimal, bool]:
    """Return what a commitment covers if it is used, and whether the discount of its terms is known."""
    known = find_known_discount(evidence.owned.terms[item.id], evidence.discounts)
    hourly = item.hourly_cost or ZERO
    return (hourly, False) if known is None else (hourly / (1 - known.share), True)


class ModeledUsage(NamedTuple):
    """The usage that a purchase is modeled on: of the *period*, with commitments that start *later*, and with *planned*
    purchases too."""

    period: list[UsageSample]
    later: list[UsageSample]
    planned: list[UsageSample]


def model_usage(evidence: Evidence, covered: CoveredUsage) -> ModeledUsage:
    """Return the usage that is left for a purchase."""
    usage = evidence.usage
    return ModeledUsage(
        usage.samples(covered.active, ZERO),
        usage.samples(covered.active, covered.later),
        usage.samples(covered.active, covered.later + covered.planned),
    )
