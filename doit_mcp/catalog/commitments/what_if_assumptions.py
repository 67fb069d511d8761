"""What the figures of a modeled purchase take for granted, as sentences of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from ..costs.amounts import ZERO, percent_as_json
from ..periods.period import months_back
from .aws import PER_MONTH, OwnedCommitment
from .discounts import Discount
from .eligible_usage import UsageReading
from .google import GOOGLE
from .purchase_model import MONTHS_PER_YEAR, Purchase, PurchaseTerms, describe_usage, edge_count
from .what_if_evidence import Evidence

BREAK_EVEN = (
    "breakEvenMonth is the month of the term after which the avoided on-demand cost has paid for the whole commitment, so "
    "that it pays off even if usage stops then; until then, it is a loss if usage stops. breakEvenMonthLow is the same at low usage."
)
PAYBACK = "paybackMonth is the month after which savings have paid back the upfront payment, as long as usage stays."
COVERAGE_BASIS = "target: share of the median usage; before and after: share of all usage of the period"


def describe_assumptions(
    evidence: Evidence, terms: PurchaseTerms, discount: Discount, purchase: Purchase, today: date
) -> list[str]:
    """Return what the figures take for granted."""
    usage, edge = evidence.usage, edge_count(evidence.usage.eligible)
    spread = f"{edge} {usage.unit}s" if edge > 1 else usage.unit
    found = [
        f"Usage stays as in the {len(usage.eligible)} {usage.unit}s of the period, for the whole term: no growth, no "
        "change of prices.",
        *_usage_assumptions(evidence),
        f"All usage that the commitment covers costs {float(100 * discount.share):g} % less than on demand.",
        f"expected is the mean of all {usage.unit}s; low and high are the mean of the {spread} with the least and the most "
        "usage that no commitment covers.",
        f"Amounts per month are {PER_MONTH}; the term has {MONTHS_PER_YEAR * terms.years} of them.",
        BREAK_EVEN,
        *([PAYBACK] if purchase.upfront else []),
        *_existing_assumptions(evidence, terms.years, today),
        *_hour_assumptions(evidence, discount, purchase),
    ]
    if terms.payment == "partial_upfront":
        found.append("Half of the commitment is paid upfront.")
    if evidence.scope.cloud == GOOGLE and evidence.scope.service == "compute":
        found.append("The commitment is a spend-based (flexible) one.")
    return found


def _usage_assumptions(evidence: Evidence) -> list[str]:
    """Return what usage from the bill may leave out, and what DoiT reports instead."""
    found = []
    if evidence.usage.on_demand is not None and evidence.scope.service == "database":
        found.append(
            "Only SKUs that a Savings Plan covers already count: usage of other SKUs may be eligible too, and is left out."
        )
    if evidence.reported is not None:
        median = describe_usage(evidence.reported.samples(ZERO, ZERO, ZERO)).eligible
        found.append(
            f"DoiT itself reports {_dollars(median)} of eligible usage per hour, by the median hours of the last "
            f"{len(evidence.reported.eligible)} weeks; its recommendation is for that."
        )
    return found


def ending(owned: Sequence[OwnedCommitment], years: int, today: date) -> list[tuple[date, OwnedCommitment]]:
    """Return the commitments that end within a term of *years* from *today*, by their ends."""
    # Month arithmetic, because 29 February has no day in most years.
    last = months_back(today, -MONTHS_PER_YEAR * years)
    found = [(item.ends, item) for item in owned if item.ends is not None and item.ends < last]
    return sorted(found, key=lambda pair: (pair[0], pair[1].id))


def _existing_assumptions(evidence: Evidence, years: int, today: date) -> list[str]:
    how = "as the bill shows" if evidence.usage.on_demand is not None else "before the new one, at the same discount"
    found = [f"Existing commitments keep covering usage, {how}, and are renewed when they end."]
    owned = evidence.owned
    if owned.later:
        found.append(
            f"Commitments that are bought and start later ({_dollars(owned.added_hourly)} per hour without renewals) cover "
            "usage before the new one, from the first day and at the same discount."
        )
    if owned.other:
        ends = len(ending(owned.other, years, today))
        found.append(
            f"Usage that {_other_kinds(evidence)} cover ({len(owned.other)}) is not in the figures; {ends} end within "
            "the term, and what they covered is on demand from then on."
        )
    return found


def _other_kinds(evidence: Evidence) -> str:
    return "resource-based commitments" if evidence.scope.cloud == GOOGLE else "Reserved Instances"


def _hour_assumptions(evidence: Evidence, discount: Discount, purchase: Purchase) -> list[str]:
    """Return what the figures do not show: the hours within a day or week."""
    usage = evidence.usage
    within = "a day" if usage.unit == "day" else "a week"
    found = [f"Usage is even within {within}; commitments apply by the hour, so hours below that leave more unused."]
    if usage.unit == "week" and purchase.low == purchase.high:
        found.append(
            "low equals high because the commitment is below the median hour of each week, not because there is no risk."
        )
    if usage.lowest is not None:
        on_demand = _lowest_on_demand(usage, evidence, discount)
        unused = percent_as_json(1 - min(on_demand, purchase.covers) / purchase.covers)
        found.append(
            f"In the lowest hour of the period, usage was {_dollars(usage.lowest)}: {unused:g} % of the commitment would be "
            "unused."
        )
    return found


def _lowest_on_demand(usage: UsageReading, evidence: Evidence, discount: Discount) -> Decimal:
    covered = (evidence.owned.hourly + evidence.owned.added_hourly) / (1 - discount.share)
    return max((usage.lowest or ZERO) - covered, ZERO)


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}"
