"""Formatting with given patterns: rounding, signs, digit groups, and what is not a value."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.catalog.tools.locale_format import LocaleFormat, NumberPattern, to_finite_number

THOUSANDS = (3, 3)
FORMAT = LocaleFormat(
    tag="xx",
    decimal_sign=",",
    group_sign=".",
    number=NumberPattern("{number}", "~{number}", THOUSANDS),
    money=NumberPattern("{number} {currency}", "~{number} {currency}", THOUSANDS),
    percent=NumberPattern("{number} %", "~{number} %", THOUSANDS),
    day_patterns=tuple(f"{{day:02}}/{month}/{{year}}" for month in range(1, 13)),
    month_patterns=tuple(f"{{{{{month}}}}} {{year}}" for month in range(1, 13)),
    currency_digits={"JPY": 0, "BHD": 3},
)


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (0, "USD", "0,00 USD"),
        (-0.001, "USD", "0,00 USD"),
        (-0.006, "USD", "~0,01 USD"),
        (-1234.5, "USD", "~1.234,50 USD"),
        (999.995, "USD", "1.000,00 USD"),
        (1234.5, "JPY", "1.234 JPY"),
        (1234.5, "BHD", "1.234,500 BHD"),
        (12, "", "12,00"),
        (-1234567, "", "~1.234.567,00"),
        (5, "{number}", "5,00 {number}"),
    ],
)
def test_amounts(amount: float, currency: str, written: str) -> None:
    assert FORMAT.format_money(amount, currency) == written


@pytest.mark.parametrize(
    ("sizes", "written"),
    [((3, 3), "12.345.678,0"), ((3, 2), "1.23.45.678,0"), ((2, 2), "12.34.56.78,0"), ((1000, 1000), "12345678,0")],
)
def test_digit_groups(sizes: tuple[int, int], written: str) -> None:
    percent = NumberPattern("{number}", "", sizes)
    locale = LocaleFormat("xx", ",", ".", percent, percent, percent, (), (), {})
    assert locale.format_percent(12_345_678) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-08-05", "05/8/2026"),
        ("2026-08-05T00:00:00Z", "05/8/2026"),
        ("2026-12", "{12} 2026"),
        ("0001-01-01", "01/1/1"),
    ],
)
def test_dates(text: str, written: str) -> None:
    assert FORMAT.format_date(text) == written


@pytest.mark.parametrize("text", ["", "soon", "2026", "2026-13", "2026-02-30", "0000-01-01", "31.08.2026"])
def test_invalid_dates_are_rejected(text: str) -> None:
    assert FORMAT.format_date(text) == ""


@pytest.mark.parametrize("value", [None, "5", True, float("nan"), float("inf"), 1e15, [], 10**40])
def test_invalid_numbers_are_rejected(value: Any) -> None:
    assert to_finite_number(value) is None
    assert to_finite_number(5) == 5.0 and to_finite_number(-0.5) == -0.5
