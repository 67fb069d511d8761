"""ISO dates for the API's milliseconds, in both directions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.api.timestamps import (
    canonical_time,
    format_date,
    format_day_or_time,
    format_timestamp,
    parse_optional_time,
    parse_time,
    with_iso_times,
)


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        ("2026-11-28", 1_795_824_000_000),
        (" 2026-11-28 ", 1_795_824_000_000),
        ("2026-11-28T00:00:00Z", 1_795_824_000_000),
        ("2026-11-28T02:00:00+02:00", 1_795_824_000_000),
        ("2026-11-28T00:00:00", 1_795_824_000_000),
        ("2026-11-28T00:00:00.250Z", 1_795_824_000_250),
        (1_795_824_000_000, 1_795_824_000_000),
        ("1795824000000", 1_795_824_000_000),
        (1, 1),
        (-86_400_000, -86_400_000),
        ("1969-12-31", -86_400_000),
    ],
)
def test_dates_times_and_milliseconds_are_accepted(value: Any, milliseconds: int) -> None:
    assert parse_time(value, "startPeriod") == milliseconds == parse_optional_time(value, "startPeriod")
    assert parse_optional_time(None, "startPeriod") is None


@pytest.mark.parametrize("value", [1_795_824_000, "1795824000"])
def test_seconds_are_refused_with_the_date_that_they_mean(value: Any) -> None:
    with pytest.raises(ApiError) as caught:
        parse_time(value, "endPeriod")
    assert caught.value.kind == "argument"
    for part in ("endPeriod: 1795824000 looks like seconds", "2026-11-28", "1795824000000"):
        assert part in caught.value.reason


@pytest.mark.parametrize("value", ["", "tomorrow", "2026-13-01", "28.11.2026", "2026-11", "1.5e9", "2026-02-30"])
def test_anything_else_is_refused_with_examples(value: str) -> None:
    with pytest.raises(ApiError, match=r"startPeriod: must be a date such as 2026-01-31, a time such as"):
        parse_time(value, "startPeriod")


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (1_795_824_000_000, "2026-11-28"),
        (1_795_824_000_001, "2026-11-28T00:00:00.001Z"),
        (0, ""),
        (None, ""),
        (True, ""),
        ("x", ""),
        (1e300, ""),
    ],
)
def test_days_and_times_are_formatted(milliseconds: Any, text: str) -> None:
    assert format_day_or_time(milliseconds) == text


def test_members_become_text_or_null() -> None:
    record = {"a": 1_795_824_000_000, "b": 0, "c": "2026-01-01", "e": 5}
    formats = {"a": format_date, "b": format_date, "c": format_date, "d": format_timestamp}
    assert with_iso_times(record, formats) == {"a": "2026-11-28", "b": None, "c": "2026-01-01", "e": 5}


@given(st.datetimes(datetime(1973, 6, 1), datetime(2200, 1, 1)))
def test_what_is_shown_is_accepted_again(moment: datetime) -> None:
    milliseconds = int(moment.replace(tzinfo=UTC).timestamp() * 1000)
    canonical = canonical_time("startPeriod")
    shown = canonical(milliseconds)
    assert parse_time(shown, "startPeriod") == milliseconds and canonical(shown) == shown


def test_a_time_that_cannot_be_shown_stays_as_it_is() -> None:
    assert canonical_time("startPeriod")(0) == 0 and canonical_time("startPeriod")("99999999999999999") == 10**17 - 1
