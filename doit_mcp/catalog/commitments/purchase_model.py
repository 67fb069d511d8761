"""Model of a commitment purchase: what it would have saved over days of past usage. Pure computation."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from statistics import median
from typing import NamedTuple

from ..costs.amounts import ZERO, round_amount
from .aws import HOURS_PER_MONTH
from .figures import USD

MONTHS_PER_YEAR = 12
EXTREME_PARTS = 10
"""The low and high estimates are means of a tenth of the days: those with the least and the most usage."""
UPFRONT_SHARES = {"no_upfront": ZERO, "partial_upfront": Decimal("0.5"), "all_upfront": Decimal(1)}
"""The share of a commitment that is paid at once. AWS asks for half of it or more with partial upfront."""


class UsageSample(NamedTuple):
    """Usage of a day or week that a commitment can cover, in dollars per hour at on-demand rates.

    *on_demand* is the part that no commitment covers yet, and *lowest* that part in the lowest hour; None if unknown.
    """

    eligible: Decimal
    on_demand: Decimal
    lowest: Decimal | None = None


class UsageLevels(NamedTuple):
    """Medians of eligible usage, of its *covered* part and of its part on demand, and the means of the latter on the
    slowest and busiest days. *coverage* is the covered share of all usage, from 0 to 1."""

    eligible: Decimal
    covered: Decimal
    coverage: Decimal
    on_demand: Decimal
    on_demand_low: Decimal
    on_demand_high: Decimal


class PurchaseTerms(NamedTuple):
    """What to buy: *years*, the *payment* option, the *discount* from on-demand rates, the *target* coverage, and the
    maximum share of the commitment that can be used (*usable*); all three from 0 to 1."""

    years: int
    payment: str
    discount: Decimal
    target: Decimal
    usable: Decimal = Decimal(1)


class Estimate(NamedTuple):
    """Savings per month, and the unused share of the commitment from 0 to 1, at one level of usage."""

    savings: Decimal
    unused: Decimal


class Purchase(NamedTuple):
    """A commitment of *hourly* dollars, which covers *covers* dollars per hour at on-demand rates.

    *avoided* is the on-demand cost per month that it replaces. *coverage_before* and *coverage_after* are shares of the
    eligible usage. *low* and *high* are None if usage shows no difference from *expected*. Months count from 1 and are
    None if the commitment is not paid off within its term. *break_even_low* is the month at low usage, None without
    *low*. *payback_month* is also None without upfront payment, because there is nothing to pay back.
    """

    hourly: Decimal
    covers: Decimal
    expected: Estimate
    low: Estimate | None
    high: Estimate | None
    avoided: Decimal
    coverage_before: Decimal
    coverage_after: Decimal
    upfront: Decimal
    monthly_payment: Decimal
    total: Decimal
    break_even_month: int | None
    break_even_low: int | None
    payback_month: int | None


def describe_usage(samples: Sequence[UsageSample]) -> UsageLevels:
    """Return the levels of the usage; *samples* must not be empty."""
    on_demand = sorted(sample.on_demand for sample in samples)
    total = sum((sample.eligible for sample in samples), ZERO)
    return UsageLevels(
        median(sample.eligible for sample in samples),
        median(sample.eligible - sample.on_demand for sample in samples),
        1 - sum(on_demand, ZERO) / total if total else ZERO,
        median(on_demand),
        _compute_mean(on_demand[: count_extreme_samples(on_demand)]),
        _compute_mean(on_demand[-count_extreme_samples(on_demand) :]),
    )


def hourly_commitment(samples: Sequence[UsageSample], terms: PurchaseTerms) -> Decimal:
    """Return the additional commitment in dollars per hour, in cents, that reaches the target; 0 if it is reached.

    The target is a share of the median eligible usage, minus the median of the usage that is already covered.
    """
    usage = describe_usage(samples)
    missing = max(terms.target * usage.eligible - usage.covered, ZERO)
    return round_amount(missing * (1 - terms.discount), USD)


def model_purchase(samples: Sequence[UsageSample], terms: PurchaseTerms) -> Purchase | None:
    """Return the purchase that reaches the target; None if existing commitments reach it."""
    hourly = hourly_commitment(samples, terms)
    return model_commitment(samples, terms, hourly) if hourly else None


def model_commitment(samples: Sequence[UsageSample], terms: PurchaseTerms, hourly: Decimal) -> Purchase:
    """Return the purchase of *hourly* dollars per hour, whatever the target."""
    covers = hourly / (1 - terms.discount)
    on_demand = sorted(sample.on_demand for sample in samples)
    by_sample = [min(amount, covers * terms.usable) for amount in on_demand]
    used = _compute_mean(by_sample)
    used_low, used_high = _find_used_range(samples, by_sample, covers * terms.usable)
    eligible = _compute_mean([sample.eligible for sample in samples])
    before = eligible - _compute_mean(on_demand)
    avoided, monthly = used * HOURS_PER_MONTH, hourly * HOURS_PER_MONTH
    months = MONTHS_PER_YEAR * terms.years
    total = monthly * months
    upfront = total * UPFRONT_SHARES[terms.payment]
    recurring = (total - upfront) / months
    return Purchase(
        hourly,
        covers,
        _estimate(used, covers, hourly),
        None if used_low is None else _estimate(used_low, covers, hourly),
        None if used_high is None else _estimate(used_high, covers, hourly),
        avoided,
        before / eligible,
        (before + used) / eligible,
        upfront,
        recurring,
        total,
        _count_months_until(total, avoided, months),
        None if used_low is None else _count_months_until(total, used_low * HOURS_PER_MONTH, months),
        _count_months_until(upfront, avoided - recurring, months) if upfront else None,
    )


def _find_used_range(
    samples: Sequence[UsageSample], by_sample: Sequence[Decimal], most: Decimal
) -> tuple[Decimal | None, Decimal | None]:
    """Return the used part of a commitment at low and at high usage; None for a part that equals the mean.

    *by_sample* is the used part in each sample, in ascending order, and *most* its maximum. If the lowest hours are
    known, low usage is that of these hours. If they use the whole commitment, all hours do, so the range is exact.
    """
    edge = count_extreme_samples(by_sample)
    mean, high = _compute_mean(by_sample), _compute_mean(by_sample[-edge:])
    hours = sorted(min(sample.lowest, most) for sample in samples if sample.lowest is not None)
    if len(hours) == len(samples):
        low = _compute_mean(hours[:edge])
        return low, high if high > mean or low == mean else None
    low = _compute_mean(by_sample[:edge])
    return (low, high) if low < high else (None, None)


def count_extreme_samples(samples: Sequence[object]) -> int:
    """Return the number of samples in the means for the low and high estimates."""
    return max(1, len(samples) // EXTREME_PARTS)


def _compute_mean(amounts: Sequence[Decimal]) -> Decimal:
    return sum(amounts, ZERO) / len(amounts)


def _estimate(used: Decimal, covers: Decimal, hourly: Decimal) -> Estimate:
    return Estimate((used - hourly) * HOURS_PER_MONTH, 1 - used / covers)


def _count_months_until(debt: Decimal, gain_per_month: Decimal, longest: int) -> int | None:
    """Return the first month after which the gains are at least *debt*; None if that takes longer than *longest*."""
    if gain_per_month <= 0:
        return None
    month = max(1, int((debt / gain_per_month).to_integral_value(ROUND_CEILING)))
    return month if month <= longest else None
