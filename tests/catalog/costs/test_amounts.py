"""Exact amounts and shares."""

from __future__ import annotations

from decimal import Decimal
from math import isnan
from typing import Any, get_args

import pytest
from babel.numbers import get_currency_precision
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.common_types import Currency
from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.costs.amounts import (
    MAX_AMOUNT,
    MAX_QUANTITY,
    MIN_AMOUNT,
    amount_as_json,
    change_percent,
    minor_unit,
    percent_as_json,
    round_amount,
    round_significant,
    share_percents,
    sum_amounts,
    to_decimal,
)

AMOUNTS = st.decimals(-(10**9), 10**9, places=4)


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("0.005", "USD", 0.01),
        ("-0.005", "USD", -0.01),
        ("1.115", "EUR", 1.12),
        ("2.5", "JPY", 3.0),
        ("-2.5", "JPY", -3.0),
        ("-0.001", "USD", 0.0),
        ("1e300", "USD", 1e300),
    ],
)
def test_halves_are_rounded_away_from_zero_in_the_minor_unit(amount: str, currency: str, rounded: float) -> None:
    result = amount_as_json(Decimal(amount), currency)
    assert result == rounded and str(result) != "-0.0"


def test_cells_are_read_as_they_are_written() -> None:
    assert sum_amounts([0.1, 0.2]) == Decimal("0.3")
    assert sum_amounts([None, 5, 2]) == 7
    assert to_decimal(1.005) == Decimal("1.005")
    assert minor_unit("JPY") == 1 and minor_unit("USD") == Decimal("0.01")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9), lambda inner: st.lists(inner)
    )
)
def test_cells_are_plausible_numbers_or_refused(cell: Any) -> None:
    try:
        number = to_decimal(cell)
    except ApiError as error:
        assert error.kind == "answer"
        assert isinstance(cell, bool | str | list) or isnan(cell) or abs(cell) > MAX_AMOUNT
    else:
        assert abs(number - Decimal(repr(cell or 0))) < MIN_AMOUNT


@pytest.mark.parametrize("cell", ["5", True, float("nan"), float("inf"), 1e308, -1e19, [1], {}])
def test_other_cells_are_refused(cell: Any) -> None:
    with pytest.raises(ApiError, match="is not a plausible number"):
        sum_amounts([1, cell])


def test_quantities_can_be_larger_than_amounts() -> None:
    assert sum_amounts([1e21, 1e21], MAX_QUANTITY) == Decimal("2e21")
    with pytest.raises(ApiError):
        to_decimal(1e31, MAX_QUANTITY)


def test_minor_units_are_those_of_the_standard() -> None:
    # The locale data show no decimals of rupiahs and pesos, which have hundredths.
    for currency in set(get_args(Currency)) - {"IDR", "COP"}:
        assert minor_unit(currency) == Decimal(1).scaleb(-get_currency_precision(currency))


def test_changes_from_nothing_have_no_percentage() -> None:
    assert change_percent(Decimal(0), Decimal(5)) is None
    assert change_percent(Decimal("0.004"), Decimal(5)) is None
    assert change_percent(Decimal(100), Decimal("101.85")) == 1.9
    assert change_percent(Decimal(-10), Decimal(-5)) == 50.0
    assert str(change_percent(Decimal(100), Decimal("99.99"))) == "0.0"


def test_shares_add_up() -> None:
    assert share_percents([Decimal(1)] * 3) == [33.4, 33.3, 33.3]
    assert share_percents([Decimal(2), Decimal(-1)]) == [200.0, -100.0]
    assert share_percents([Decimal(1), Decimal(-1)]) == [None, None]
    assert share_percents([]) == []


@given(parts=st.lists(AMOUNTS, max_size=30))
def test_shares_are_100_together_and_near_the_exact_ones(parts: list[Decimal]) -> None:
    total = sum(parts, Decimal(0))
    shares = share_percents(parts)
    if not total:
        assert shares == [None] * len(parts)
        return
    assert sum(round(10 * share) for share in shares if share is not None) == 1000
    for part, share in zip(parts, shares):
        assert share is not None
        # Tens of millions of percent are not exact as floating-point numbers.
        assert abs(Decimal(repr(share)) - 100 * part / total) <= Decimal("0.1") + abs(part / total) / 10**9


@given(amount=AMOUNTS, currency=st.sampled_from(["USD", "EUR", "JPY"]))
def test_rounding_moves_an_amount_by_half_a_unit_at_most(amount: Decimal, currency: str) -> None:
    rounded = round_amount(amount, currency)
    assert abs(rounded - amount) <= minor_unit(currency) / 2 and rounded % minor_unit(currency) == 0
    assert round_amount(-amount, currency) == -rounded


def test_percentages_are_rounded_half_up() -> None:
    assert [percent_as_json(Decimal(share)) for share in ("0.1225", "0.12249", "1", "0")] == [12.3, 12.2, 100.0, 0.0]


def test_small_numbers_keep_their_digits() -> None:
    assert round_significant(Decimal("0.00001234567")) == 0.0000123457
    assert round_significant(Decimal(0)) == 0.0 and round_significant(Decimal(123456789)) == 123457000.0
