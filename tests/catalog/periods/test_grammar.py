"""The grammar of periods."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.periods.grammar import MAX_LAST_DAYS, MAX_LAST_MONTHS, last_months, parse_period
from doit_mcp.catalog.periods.period import MAX_PERIOD_DAYS, Period, month_of

TODAY = date(2026, 11, 28)
DAYS = st.dates(date(2020, 1, 1), date(2060, 12, 31))
WORDS = st.sampled_from(
    ["today", "yesterday", "last_7_days", "this_month", "mtd", "this_quarter", "qtd", "this_year", "ytd"]
    + ["last_month", "last_quarter", "last_year", "last_3_months"]
)


def days(first: str, last: str) -> Period:
    return Period(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-10", "2026-10-01", "2026-10-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-Q3", "2026-07-01", "2026-09-30"),
        ("2026 q4", "2026-10-01", "2026-12-31"),
        ("2025", "2025-01-01", "2025-12-31"),
        ("2026-10-05", "2026-10-05", "2026-10-05"),
        ("2026-10-01/2026-10-15", "2026-10-01", "2026-10-15"),
        (" 2026-10-01 / 2026-10-15 ", "2026-10-01", "2026-10-15"),
        ("2026-08/2026-10", "2026-08-01", "2026-10-31"),
        ("today", "2026-11-28", "2026-11-28"),
        ("yesterday", "2026-11-27", "2026-11-27"),
        ("last_7_days", "2026-11-21", "2026-11-27"),
        ("last_1_day", "2026-11-27", "2026-11-27"),
        ("this_month", "2026-11-01", "2026-11-30"),
        ("this_quarter", "2026-10-01", "2026-12-31"),
        ("this_year", "2026-01-01", "2026-12-31"),
        ("last_month", "2026-10-01", "2026-10-31"),
        ("last_quarter", "2026-07-01", "2026-09-30"),
        ("last_year", "2025-01-01", "2025-12-31"),
        ("last_3_months", "2026-08-01", "2026-10-31"),
        ("last_1_months", "2026-10-01", "2026-10-31"),
        ("2026-10-01T00:00:00Z/2026-10-15T23:59:59Z", "2026-10-01", "2026-10-15"),
        ("2026-10-01T00:00:00Z/2026-11-01T00:00:00Z", "2026-10-01", "2026-10-31"),
        ("2026-10-01T00:00:00.000Z/2026-11-01T00:00:00.000Z", "2026-10-01", "2026-10-31"),
        ("2026-10-01/2026-10-16T00:00:00+02:00", "2026-10-01", "2026-10-15"),
        ("2026-10-05T08:30:00Z", "2026-10-05", "2026-10-05"),
    ],
)
def test_each_form_names_its_days(text: str, first: str, last: str) -> None:
    assert parse_period(text, "period", TODAY).whole == days(first, last)


@pytest.mark.parametrize("text", ["last 7 days", "Last-7-Days", "LAST_7_DAYS", " last  7_days "])
def test_case_and_separators_do_not_matter(text: str) -> None:
    assert parse_period(text, "period", TODAY) == parse_period("last_7_days", "period", TODAY)


@pytest.mark.parametrize(("short", "long"), [("mtd", "this_month"), ("QTD", "this_quarter"), ("ytd", "this_year")])
def test_short_names_mean_the_running_period(short: str, long: str) -> None:
    assert parse_period(short, "period", TODAY) == parse_period(long, "period", TODAY)


@pytest.mark.parametrize(
    "text",
    ["", " ", "x", "2026-13", "2026-00", "2026-Q5", "2026-02-30", "26-10", "2026-1", "0000", "last_0_days", "this_week"]
    + ["last_401_days", "last_37_months", "last_²_days", "last month/today", "2026-10-01/", "/2026-10-01", "november"]
    + ["2026-10-01/2026-10-02/2026-10-03", "2026-10-01T25:00:00Z", "1790000000000", "last__days", "99999-01"],
)
def test_anything_else_is_refused_with_the_accepted_forms(text: str) -> None:
    with pytest.raises(ApiError, match="^compareTo: ") as caught:
        parse_period(text, "compareTo", TODAY)
    assert caught.value.kind == "argument"
    assert "2026-10" in caught.value.reason and "last_7_days" in caught.value.reason
    assert "\\d" not in caught.value.reason


@pytest.mark.parametrize("text", ["2026-10-15/2026-10-01", "2020-01-01/2026-10-01"])
def test_periods_that_are_reversed_or_too_long_are_refused(text: str) -> None:
    with pytest.raises(ApiError, match=f"before: must be 1 to {MAX_PERIOD_DAYS} days") as caught:
        parse_period(text, "before", TODAY)
    assert caught.value.kind == "argument"


@pytest.mark.parametrize("text", ["2026-12", "2027", "2026-11-29", "2027-Q1", "2026-12-01/2026-12-31"])
def test_the_future_is_refused_and_names_the_forecast(text: str) -> None:
    with pytest.raises(ApiError, match="forecast_spend") as caught:
        parse_period(text, "after", TODAY)
    assert caught.value.kind == "argument"


@given(today=DAYS, text=WORDS)
def test_named_periods_of_any_day_have_begun_and_touch_it(today: date, text: str) -> None:
    period = parse_period(text, "period", today)
    assert period.whole.first <= today
    assert period.elapsed.last <= today and period.days >= 1
    assert period.complete == (period.whole.last < today)
    if text.startswith("last"):
        assert period.complete and period.elapsed == period.whole


@given(today=DAYS, count=st.integers(1, MAX_LAST_DAYS))
def test_last_days_end_yesterday(today: date, count: int) -> None:
    period = parse_period(f"last_{count}_days", "period", today)
    assert period.days == count and period.elapsed.last == today - timedelta(days=1)


@given(today=DAYS, count=st.integers(1, MAX_LAST_MONTHS))
def test_last_months_are_whole_and_end_before_the_running_one(today: date, count: int) -> None:
    period = parse_period(f"last_{count}_months", "period", today)
    assert period.whole.whole_months == count and period.whole.last + timedelta(days=1) == today.replace(day=1)
    running = last_months(count, today)
    assert running.whole.whole_months == count and running.whole.last == month_of(today).last


@given(first=DAYS, length=st.integers(0, MAX_PERIOD_DAYS - 1))
def test_two_days_are_read_as_written(first: date, length: int) -> None:
    last = first + timedelta(days=length)
    text = f"{first.isoformat()}/{last.isoformat()}"
    assert parse_period(text, "period", last).whole == Period(first, last)
    # An exclusive end is the day before.
    exclusive = f"{first.isoformat()}T00:00:00Z/{(last + timedelta(days=1)).isoformat()}T00:00:00Z"
    assert parse_period(exclusive, "period", last).whole == Period(first, last)


@given(text=st.text(max_size=30), today=DAYS)
def test_any_text_is_a_period_or_an_argument_error(text: str, today: date) -> None:
    try:
        period = parse_period(text, "period", today)
    except ApiError as error:
        assert error.kind == "argument"
    else:
        assert period.whole.first <= today
