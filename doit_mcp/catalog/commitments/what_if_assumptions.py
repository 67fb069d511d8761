"""The assumptions behind the figures of a modeled purchase, as sentences of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from types import MappingProxyType

from ..costs.amounts import ZERO, percent_as_json
from ..periods.period import subtract_months
from .aws import PER_MONTH, OwnedCommitment
from .discounts import Discount
from .google import GOOGLE
from .purchase_model import MONTHS_PER_YEAR, Purchase, PurchaseTerms, count_extreme_samples, describe_usage
from .what_if_covered import CoveredUsage
from .what_if_evidence import Evidence
from .what_if_owned import INSTANCES, LATER_CUDS, LATER_PLANS, PLANNED, RESOURCES

BREAK_EVEN = (
    "breakEvenMonth is the month of the term after which the avoided on-demand cost has paid for the whole commitment, so "
    "that it pays off even if usage stops then; until then, it is a loss if usage stops. breakEvenMonthLow is the same at low usage."
)
PAYBACK = "paybackMonth is the month after which savings have paid back the upfront payment, as long as usage stays."

UNKNOWN_DISCOUNT = (
    "the discount of existing and queued commitments may be unknown; then they count for less usage, so that "
    "commitmentPerHour, savings and coverage can differ from those of users who can read them"
)
NOT_DEDUCTED = "commitments that start later are not deducted, so commitmentPerHour may be too high"
NOT_COUNTED = "usage that they cover is not in the figures, and existing does not list them"
NO_PLANNED = "planned is missing"
LACKING = MappingProxyType(
    {
        "billed usage": "usage is the median hour of each week that DoiT reports, in place of the days of the bill",
        "recommendation": UNKNOWN_DISCOUNT,
        "purchase settings": UNKNOWN_DISCOUNT,
        LATER_PLANS: NOT_DEDUCTED,
        LATER_CUDS: NOT_DEDUCTED,
        INSTANCES: NOT_COUNTED,
        RESOURCES: NOT_COUNTED,
        PLANNED: NO_PLANNED,
    }
)
"""What the figures lack if a part of the evidence is missing, by the name of the part."""


def describe_assumptions(
    evidence: Evidence,
    covered: CoveredUsage,
    terms: PurchaseTerms,
    discount: Discount,
    purchase: Purchase,
    today: date,
) -> list[str]:
    """Return the assumptions behind the figures, one or more sentences each."""
    usage = evidence.usage
    found = [
        f"Usage stays as in the {len(usage.eligible)} {usage.unit}s of the period, for the whole term: no growth, no "
        "change of prices.",
        *_describe_usage_basis(evidence),
        f"All usage that the new commitment covers costs {float(100 * discount.share):g} % less than on demand.",
        *_describe_range(evidence, purchase),
        f"Amounts per month are {PER_MONTH}; the term has {MONTHS_PER_YEAR * terms.years} of them.",
        BREAK_EVEN,
        *([PAYBACK] if purchase.upfront else []),
        *_describe_unpaid(purchase, terms.years),
        *_describe_existing(evidence, covered, terms.years, today),
        *_describe_planned(evidence),
        *_describe_hours(evidence, covered, purchase),
        *_describe_failures(evidence),
    ]
    if terms.payment == "partial_upfront":
        found.append("Half of the commitment is paid upfront.")
    if evidence.scope.cloud == GOOGLE and evidence.scope.service == "compute":
        found.append("The commitment is a spend-based (flexible) one.")
    return found


def _describe_range(evidence: Evidence, purchase: Purchase) -> list[str]:
    """Return what the expected, low and high figures are based on, and why low or high is unknown."""
    usage = evidence.usage
    edge = count_extreme_samples(usage.eligible)
    spread = f"{edge} {usage.unit}s" if edge > 1 else usage.unit
    level = "median hour of each week" if usage.unit == "week" else "mean of each day"
    rest = "usage that neither active nor queued commitments cover"
    if usage.lowest_hours:
        lows = f"lowest hours of the {spread} in which they are lowest" if edge > 1 else "lowest hour of all"
        found = [
            f"expected is the mean of all weeks, by the {level}. low is as if every hour were like the {lows}, so most hours "
            f"save more; high is the {spread} with the most {rest}."
        ]
    else:
        found = [
            f"expected is the mean of all {usage.unit}s; low and high are the mean of the {spread} with the least and the most {rest}."
        ]
    if purchase.low is None:
        found.append(
            f"low and high are null: the commitment is below what is on demand in the {level}, and the usage of single hours "
            "is unknown. This does not mean that there is no risk."
        )
    elif purchase.high is None:
        found.append(f"high is null: by the {level}, the commitment is used alike in all weeks.")
    return found


def _describe_unpaid(purchase: Purchase, years: int) -> list[str]:
    """Return why the months of break-even and payback are null."""
    term = f"within the term of {MONTHS_PER_YEAR * years} months"
    found = []
    if purchase.break_even_month is None:
        found.append(f"breakEvenMonth is null: the avoided on-demand cost does not pay for the commitment {term}.")
    if purchase.low is None:
        found.append("breakEvenMonthLow is null because low is.")
    elif purchase.break_even_low is None:
        found.append(f"breakEvenMonthLow is null: at low usage, the commitment does not pay off {term}.")
    if purchase.upfront and purchase.payback_month is None:
        found.append(f"paybackMonth is null: savings do not pay back the upfront payment {term}.")
    return found


def _describe_usage_basis(evidence: Evidence) -> list[str]:
    """Return which usage the bill may leave out, and what DoiT reports instead."""
    found = []
    if evidence.usage.on_demand is not None and evidence.scope.service == "database":
        found.append(
            "Only SKUs that a Savings Plan covers already count: usage of other SKUs may be eligible too, and is left out."
        )
    if evidence.reported is not None:
        median = describe_usage(evidence.reported.samples(ZERO, ZERO)).eligible
        found.append(
            f"DoiT itself reports {_as_usd(median)} of eligible usage per hour, by the median hours of the last "
            f"{len(evidence.reported.eligible)} weeks; its recommendation is for that."
        )
    return found


def find_ending(owned: Sequence[OwnedCommitment], years: int, today: date) -> list[tuple[date, OwnedCommitment]]:
    """Return the commitments that end within a term of *years* from *today*, by their ends."""
    # Month arithmetic, because most years have no 29 February.
    last = subtract_months(today, -MONTHS_PER_YEAR * years)
    found = [(item.ends, item) for item in owned if item.ends is not None and item.ends < last]
    return sorted(found, key=lambda pair: (pair[0], pair[1].id))


def _describe_existing(evidence: Evidence, covered: CoveredUsage, years: int, today: date) -> list[str]:
    owned = evidence.owned
    found = [_describe_active(evidence, covered)] if owned.active else []
    if owned.utilization is not None and owned.utilization < 1:
        used = percent_as_json(owned.utilization)
        found.append(
            f"Active commitments that can cover all of the usage were used to {used:g} % last month: in hours in which they are "
            f"not used completely, the new one is not used at all, so at most {used:g} % of it counts as used."
        )
    if owned.added_hourly:
        found.append(
            f"Commitments that are bought and start later ({_as_usd(owned.added_hourly)} per hour without renewals) cover "
            f"{_as_usd(covered.later)} of usage per hour before the new one, as if from the first day: "
            f"{_price_basis(covered.unpriced_later)}. coveragePercent.before and usage leave them out."
        )
    if owned.other:
        ends = len(find_ending(owned.other, years, today))
        found.append(
            f"Usage that {_name_others(evidence)} cover ({len(owned.other)}) is not in the figures; {ends} end within "
            "the term, and what they covered is on demand from then on."
        )
    return found


def _describe_active(evidence: Evidence, covered: CoveredUsage) -> str:
    if evidence.usage.on_demand is not None:
        return "Active commitments keep covering usage as the bill shows, and are renewed when they end."
    return (
        f"Active commitments cover {_as_usd(covered.active)} of usage per hour, at their utilization of last month and "
        f"{_price_basis(covered.unpriced_active)}, and are renewed when they end."
    )


def _price_basis(unpriced: int) -> str:
    """Return how the price of commitments is converted to usage at on-demand rates."""
    if not unpriced:
        return "at the known discount of their terms"
    return f"at the known discount of their terms, and without one where it is unknown ({unpriced}), so it may be more"


def _describe_planned(evidence: Evidence) -> list[str]:
    steps = evidence.owned.planned
    if not steps:
        return []
    hourly, states = sum((step.hourly for step in steps), ZERO), sorted({step.approval for step in steps})
    return [
        f"DoiT plans purchases of {_as_usd(hourly)} per hour from {steps[0].scheduled_on.isoformat()} to "
        f"{steps[-1].scheduled_on.isoformat()} ({', '.join(states)}) for the same usage. Only planned has them: it shows what "
        "this purchase would be worth after them."
    ]


def _name_others(evidence: Evidence) -> str:
    return "resource-based commitments" if evidence.scope.cloud == GOOGLE else "Reserved Instances"


def _describe_failures(evidence: Evidence) -> list[str]:
    """Return how the parts that could not be read affect the figures."""
    parts = [failure["part"] for failure in evidence.failures]
    return [f"Without {part} (see failed), {LACKING[part]}." for part in parts if part in LACKING]


def _describe_hours(evidence: Evidence, covered: CoveredUsage, purchase: Purchase) -> list[str]:
    """Return what the figures do not show: the hours within a day or week."""
    usage = evidence.usage
    within = "a day" if usage.unit == "day" else "a week"
    found = [f"Usage is even within {within}; commitments apply by the hour, so hours below that leave more unused."]
    if usage.lowest_hours:
        lowest = min(usage.lowest_hours)
        on_demand = max(lowest - covered.active - covered.later, ZERO)
        unused = percent_as_json(1 - min(on_demand, purchase.covers) / purchase.covers)
        found.append(
            f"In the lowest hour of the period, usage was {_as_usd(lowest)}: {unused:g} % of the commitment would be unused."
        )
    return found


def _as_usd(amount: Decimal) -> str:
    return f"${amount:,.2f}"
