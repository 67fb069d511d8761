"""Every locale of CLDR can be read, and numbers and dates survive its patterns."""

from __future__ import annotations

import gc
import tracemalloc
import unicodedata
from datetime import date
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, cast

import pytest
from babel.core import Locale
from babel.dates import format_date, parse_pattern
from babel.localedata import clear_caches
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.tools import cldr
from doit_mcp.catalog.tools.locale_format import LocaleFormat
from doit_mcp.catalog.tools.sanitize import sanitize_text

IDENTIFIERS = sorted(cldr.known_identifiers())


SAMPLE = IDENTIFIERS[::9]
AMOUNTS = (0.0, 0.05, -0.004, 7.0, -1234.5, 1234567.89, -98765432101.25)


@lru_cache(maxsize=256)
def read(identifier: str) -> LocaleFormat:
    return cldr.read_locale(identifier)


def number_in(text: str, decimal_sign: str) -> float:
    """The digits of *text* as a number without a sign."""
    characters = (letter for letter in text if letter.isdigit() or letter == decimal_sign)
    return float("".join(characters).replace(decimal_sign, "."))


def check_numbers(locale: LocaleFormat, amount: float) -> None:
    """No digit is lost, and negative amounts look different from positive ones."""
    for currency in ("USD", ""):
        written = locale.format_money(amount, currency).replace("USD", "").strip("\u00a0")
        assert number_in(written, locale.decimal_sign) == abs(round(amount, 2)), (locale.tag, written)
    assert number_in(locale.format_percent(amount), locale.decimal_sign) == abs(round(amount, 1)), locale.tag
    assert (locale.format_money(amount, "USD") != locale.format_money(-amount, "USD")) == (round(amount, 2) != 0)


def check_dates(locale: LocaleFormat) -> None:
    """Days and months are distinguishable, and have the full year."""
    written = [locale.format_date(f"2026-{month:02}{day}") for month in range(1, 13) for day in ("", "-05", "-30")]
    valid = [text for text in written if text]
    # The 30th of February.
    assert len(valid) == len(set(valid)) == 35 and all("2026" in text for text in valid), locale.tag
    assert all(sanitize_text(text) == text and "{" not in text for text in valid), locale.tag


def test_every_locale_formats_all_numbers_and_dates() -> None:
    """Reads every locale of CLDR, which takes about five seconds."""
    for identifier in IDENTIFIERS:
        locale = cldr.read_locale(identifier)
        for amount in AMOUNTS:
            check_numbers(locale, amount)
        check_dates(locale)
        # The code stands beside the digits, and a line break cannot separate them.
        written = locale.format_money(-1234.5, "USD")
        assert ("USD\u00a0" in written or "\u00a0USD" in written) and " " not in written, locale.tag
        assert sanitize_text(written) == written, locale.tag


@given(st.floats(-1e14, 1e14), st.sampled_from(SAMPLE))
def test_no_digit_is_lost(amount: float, identifier: str) -> None:
    check_numbers(read(identifier), amount)


@pytest.mark.parametrize("identifier", IDENTIFIERS[::60])
def test_dates_match_babel(identifier: str) -> None:
    pattern = Locale.parse(identifier).date_formats["medium"].pattern
    for month in range(1, 13):
        day = date(2026, month, 9)
        assert read(identifier).format_date(day.isoformat()) == sanitize_text(
            format_date(day, pattern, locale=identifier)
        )
    clear_caches()


@pytest.mark.parametrize(("code", "digits"), [("JPY", 0), ("KRW", 0), ("BHD", 3), ("USD", None), ("ILS", None)])
def test_decimal_places_follow_the_currency(code: str, digits: int | None) -> None:
    assert cldr.currency_digits().get(code) == digits


def test_babel_data_is_freed() -> None:
    """A locale takes about 4 KB instead of the 200 KB and more that Babel keeps for each."""
    cldr.read_locale("de")
    tracemalloc.start()
    try:
        locales = [cldr.read_locale(identifier) for identifier in IDENTIFIERS[:12]]
        gc.collect()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(locales) == 12 and size < 12 * 6_000


def patterns(text: str) -> list[str]:
    """The templates of a date pattern, in a locale with its own names."""
    names = {width: {month: f"{width}{month}" for month in range(1, 13)} for width in ("abbreviated", "wide", "narrow")}
    locale = SimpleNamespace(months={"format": names, "stand-alone": names}, eras={"abbreviated": {1: "AD"}})
    return list(cldr._date_patterns(parse_pattern(text), cast(Any, locale)))


@pytest.mark.parametrize(
    ("pattern", "august"),
    [
        ("d.M.y", "{day}.8.{year}"),
        ("dd/MM/yy", "{day:02}/08/{year}"),
        ("d MMM Y", "{day} abbreviated8 {year}"),
        ("LLLL y G", "wide8 {year} AD"),
        ("MMMMM y", "narrow8 {year}"),
        ("d 'of' MM '{}'", "{day} of 08 {{}}"),
    ],
)
def test_date_fields(pattern: str, august: str) -> None:
    assert patterns(pattern)[7] == august


def test_unsupported_date_field_is_an_error() -> None:
    with pytest.raises(ValueError, match="'E' is not supported"):
        patterns("EEE d")


def test_letters_belong_to_the_script() -> None:
    """Only digits are Latin everywhere, as in the plain values."""
    arabic = cldr.read_locale("ar_EG").format_date("2026-08")
    assert any(unicodedata.name(letter).startswith("ARABIC") for letter in arabic) and arabic.endswith("2026")
