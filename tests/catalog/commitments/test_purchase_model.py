"""The model of a purchase, compared with hand computations, and the discounts that it may use."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.commitments.discounts import DiscountEvidence, find_discount
from doit_mcp.catalog.commitments.purchase_model import PurchaseTerms, UsageSample, model_purchase

YEAR: tuple[str, str | None] = ("one_year", "no_upfront")
ADVICE = {"currentCommitment": 1.0, "recommendedCommitment": 2.0, "potentialAdditionalSavings": 365.0}


def samples(*rates: str, covered: str = "0") -> list[UsageSample]:
    return [UsageSample(Decimal(rate) + Decimal(covered), Decimal(rate)) for rate in rates]


def terms(years: int = 1, payment: str = "no_upfront", discount: str = "0.25", target: str = "0.8") -> PurchaseTerms:
    return PurchaseTerms(years, payment, Decimal(discount), Decimal(target))


TEN_DAYS = samples("2", *["10"] * 8, "14")


def test_savings_are_the_avoided_cost_less_the_commitment() -> None:
    found = model_purchase(TEN_DAYS, terms())
    assert found is not None
    # 80 % of a median of $10 is $8 per hour, which costs $6. The slow day uses $2 of it.
    assert (found.hourly, found.covers) == (6, 8)
    assert found.expected.savings == (Decimal("7.4") - 6) * 730 and found.expected.unused == Decimal("0.075")
    assert (found.low.savings, found.low.unused) == ((2 - 6) * 730, Decimal("0.75"))
    assert (found.high.savings, found.high.unused) == (2 * 730, 0)
    # Ten days at $9.60 on average, of which $7.40 is covered.
    assert (found.coverage_before, found.coverage_after) == (0, Decimal("7.4") / Decimal("9.6"))


@pytest.mark.parametrize(
    ("years", "payment", "upfront", "monthly", "break_even", "payback"),
    [
        # $6 an hour for 12 months is $52,560, and avoids $5,402 a month: 9.73 months.
        (1, "no_upfront", 0, 4380, 10, None),
        # Half of it upfront; then 5402 - 2190 = 3212 a month: 8.18 months.
        (1, "partial_upfront", 26280, 2190, 10, 9),
        (1, "all_upfront", 52560, 0, 10, 10),
        (3, "all_upfront", 157680, 0, 30, 30),
    ],
)
def test_break_even_and_payback(
    years: int, payment: str, upfront: int, monthly: int, break_even: int, payback: int | None
) -> None:
    found = model_purchase(TEN_DAYS, terms(years, payment))
    assert found is not None
    assert (found.upfront, found.monthly_payment, found.total) == (upfront, monthly, 52560 * years)
    assert (found.break_even_month, found.payback_month) == (break_even, payback)
    # $2 an hour avoid $1,460 a month, which takes 36 months per year of the term.
    assert found.break_even_low is None


def test_a_commitment_that_loses_money_never_breaks_even() -> None:
    found = model_purchase(samples("2", "2", "2", "10", "10", "10", "10"), terms(discount="0.1", target="1"))
    assert found is not None and found.expected.savings < 0
    assert found.break_even_month is None and found.payback_month is None


def test_only_what_is_missing_is_bought() -> None:
    # $10 an hour in all, $6 of it covered: 80 % needs $2 more, for $1.50.
    found = model_purchase(samples("4", "4", covered="6"), terms())
    assert found is not None and (found.hourly, found.covers) == (Decimal("1.5"), 2)
    assert (found.coverage_before, found.coverage_after) == (Decimal("0.6"), Decimal("0.8"))
    assert model_purchase(samples("4", "4", covered="6"), terms(target="0.6")) is None


@given(
    rates=st.lists(st.decimals(0, 1000, places=2), min_size=1, max_size=60),
    covered=st.decimals(0, 1000, places=2),
    discount=st.decimals("0.01", "0.9", places=3),
    target=st.decimals("0.01", 1, places=2),
)
def test_estimates_are_ordered_and_bounded(
    rates: list[Decimal], covered: Decimal, discount: Decimal, target: Decimal
) -> None:
    usage = [UsageSample(rate + covered, rate) for rate in rates]
    found = model_purchase(usage, PurchaseTerms(1, "no_upfront", discount, target))
    if found is None:
        return
    close = Decimal("1e-9")
    low, high = found.low or found.expected, found.high or found.expected
    assert low.savings - close <= found.expected.savings <= high.savings + close
    assert -close <= high.unused and low.unused <= 1
    assert found.coverage_before <= found.coverage_after <= 1 + close


@pytest.mark.parametrize(
    ("given_percent", "evidence", "share"),
    [
        (40.0, DiscountEvidence(), "0.4"),
        # All active plans have these terms.
        (None, DiscountEvidence(Decimal("0.27004"), [YEAR, YEAR]), "0.27"),
        # $365 saved by $1 per hour, $730 per month: a third of the on-demand cost.
        (None, DiscountEvidence(Decimal("0.27"), [("three_year", "no_upfront")], ADVICE, YEAR), "0.333"),
    ],
)
def test_discounts_come_from_the_caller_the_bill_or_doit(
    given_percent: float | None, evidence: DiscountEvidence, share: str
) -> None:
    assert find_discount(given_percent, YEAR, evidence).share == Decimal(share)


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (DiscountEvidence(), "not known. Pass"),
        (DiscountEvidence(None, [], ADVICE, ("one_year", "all_upfront")), "It is known for 1 year, all upfront. "),
        (DiscountEvidence(Decimal("0.3"), [("three_year", "no_upfront")]), "It is known for 3 years, no upfront. "),
        # One discount of two kinds of plans.
        (DiscountEvidence(Decimal("0.3"), [YEAR, ("three_year", "no_upfront")]), "not known. Pass"),
        (DiscountEvidence(None, [], {**ADVICE, "recommendedCommitment": 1.0}, YEAR), "not known. Pass"),
    ],
)
def test_an_unknown_discount_is_required(evidence: DiscountEvidence, said: str) -> None:
    with pytest.raises(ApiError, match="discountPercent: required") as caught:
        find_discount(None, YEAR, evidence)
    assert said in caught.value.reason and "1 year, no upfront" in caught.value.reason


def test_terms_of_google_have_no_payment() -> None:
    terms_of_google: tuple[str, Any] = ("three_year", None)
    with pytest.raises(ApiError, match="for 3 years is not known"):
        find_discount(None, terms_of_google, DiscountEvidence())
