"""Reading the API's objects about commitments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.commitments.aws import (
    parse_amount,
    parse_count,
    parse_day,
    parse_decimal,
    parse_last_day,
    parse_recommendations,
    parse_reserved_instance,
    parse_savings_plan,
    parse_share,
)
from doit_mcp.catalog.commitments.planned_purchases import find_next_purchase, parse_steps
from doit_mcp.catalog.costs.amounts import MAX_AMOUNT

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def is_refused(value: Any) -> bool:
    """Return whether a number is refused because no amount is that large."""
    try:
        parse_decimal(value)
    except ApiError as error:
        assert error.kind == "answer"
        assert isinstance(value, int | float | str) and abs(Decimal(str(value))) > MAX_AMOUNT
        return True
    return False


@given(ANYTHING)
def test_odd_values_are_read_as_missing(value: Any) -> None:
    assume(not is_refused(value))
    number = parse_decimal(value)
    assert number is None or number.is_finite()
    assert parse_amount({"amount": value}).is_finite() and parse_amount(value) == 0
    share = parse_share(value)
    assert share is None or 0 <= share <= 1
    assert parse_day(value) is None or isinstance(parse_day(value), date)
    assert list(parse_recommendations("o", {"compute": value})) == []


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2027-01-01T00:00:00Z", "2026-12-31"),
        ("2027-01-01T00:00:01Z", "2027-01-01"),
        ("2028-03-01T00:00:00Z", "2028-02-29"),
        ("2027-01-01", "2027-01-01"),
        ("soon", None),
        (None, None),
    ],
)
def test_end_at_midnight_is_after_the_last_day(text: str | None, day: str | None) -> None:
    found = parse_last_day(text)
    assert (found and found.isoformat()) == day


def test_rows_without_details_are_read() -> None:
    plan = parse_savings_plan({"commitmentId": "x"})
    assert (plan.id, plan.title, plan.utilization, plan.ends) == (
        *("savings-plan:x", "Savings Plan, $0.00 per hour"),
        *(None, None),
    )
    assert plan.unused_per_month is None
    instance = parse_reserved_instance({"commitmentId": "y", "instanceType": "m5.large"})
    assert (instance.title, instance.hourly_cost) == ("1 m5.large Reserved Instance", Decimal(0))


def test_steps_of_odd_plans_are_left_out() -> None:
    assert list(parse_steps("o", {"status": "valid", "steps": None})) == []
    assert list(parse_steps("o", {"status": "valid", "steps": ["x", {"scheduledDate": "soon"}]})) == []
    assert find_next_purchase([]) is None


@pytest.mark.parametrize("value", ["1e999999", "-1e500", 1e308, "1" * 10_000, 10**19])
def test_amounts_that_no_bill_has_are_refused(value: Any) -> None:
    assert is_refused(value)


@pytest.mark.parametrize("value", ["1e-999999", 5e-324, "0", 0])
def test_rounding_errors_are_zero(value: Any) -> None:
    assert parse_decimal(value) == 0


@pytest.mark.parametrize(("value", "count"), [(2, 2), ("3", 3), (4.0, 4), (None, None), (0, None), ("", None)])
def test_counts_are_positive_whole_numbers(value: Any, count: int | None) -> None:
    assert parse_count(value) == count


@given(ANYTHING)
def test_anything_else_is_not_a_count(value: Any) -> None:
    try:
        count = parse_count(value)
    except ApiError as error:
        assert error.kind == "answer"
    else:
        assert count is None or count > 0


def test_a_term_that_ends_at_the_beginning_of_time_is_read() -> None:
    assert parse_last_day("0001-01-01T00:00:00Z") == date(1, 1, 1)
