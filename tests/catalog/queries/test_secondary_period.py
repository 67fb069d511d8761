"""The days of a comparison period, against the sandbox's own reading of the same range."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.periods.period import Period
from doit_mcp.catalog.queries.secondary_period import secondary_period
from doit_mcp.sandbox.api.costs.ranges import DayRange, comparison_range

TODAY = date(2100, 1, 1)


@given(
    st.dates(date(2015, 1, 1), date(2060, 1, 1)),
    st.integers(0, 400),
    st.sampled_from(["day", "month", "quarter", "year"]),
    st.integers(1, 8),
    st.booleans(),
)
def test_a_comparison_has_the_days_that_the_api_would_take(
    first: date, length: int, unit: str, amount: int, whole: bool
) -> None:
    main = Period(first, first + timedelta(days=length))
    config = {"secondaryTimeRange": {"unit": unit, "amount": amount, "includeCurrent": whole}}
    period = secondary_period(config, main, TODAY)
    read = comparison_range(config, DayRange(main.first.toordinal(), main.last.toordinal()))
    assert period is not None and read is not None
    assert (period.whole.first.toordinal(), period.whole.last.toordinal()) == (read.first, read.last)


def test_without_a_secondary_range_there_is_no_comparison() -> None:
    assert secondary_period({}, Period(TODAY, TODAY), TODAY) is None
