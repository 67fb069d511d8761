"""Numbers and days as they are written in other places."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.tools.locales import LOCALE_FORMATS, Locale, _find_locale, find_locale, to_finite_number


def place(tag: str) -> Locale:
    found = find_locale(tag)
    assert found is not None
    return found


def plain(text: str) -> str:
    """With ordinary spaces."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("tag", "money", "percent", "day", "month"),
    [
        ("en-US", "EUR 1,234,567.80", "12.5%", "08/31/2026", "08/2026"),
        ("en-GB", "EUR 1,234,567.80", "12.5%", "31/08/2026", "08/2026"),
        ("de-DE", "1.234.567,80 EUR", "12,5 %", "31.08.2026", "08.2026"),
        ("de-CH", "EUR 1’234’567.80", "12.5%", "31.08.2026", "08.2026"),
        ("fr-FR", "1 234 567,80 EUR", "12,5 %", "31/08/2026", "08/2026"),
        ("sv", "1 234 567,80 EUR", "12,5 %", "2026-08-31", "2026-08"),
        ("en-IN", "EUR 12,34,567.80", "12.5%", "31/08/2026", "08/2026"),
        ("ja-JP", "EUR 1,234,567.80", "12.5%", "2026/08/31", "2026/08"),
        ("he-IL", "1,234,567.80 EUR", "12.5%", "31.08.2026", "08.2026"),
        ("pt-BR", "1.234.567,80 EUR", "12,5%", "31/08/2026", "08/2026"),
        ("nl", "EUR 1.234.567,80", "12,5%", "31-08-2026", "08-2026"),
    ],
)
def test_amounts_and_days_are_written_as_there(tag: str, money: str, percent: str, day: str, month: str) -> None:
    there = place(tag)
    assert plain(there.format_money(1_234_567.8, "EUR")) == money and plain(there.format_percent(12.45001)) == percent
    assert (there.format_day("2026-08-31"), there.format_day("2026-08-31T23:59:59Z"), there.format_day("2026-08")) == (
        day,
        day,
        month,
    )


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (0, "USD", "0,00 USD"),
        (-0.001, "USD", "0,00 USD"),
        (-1234.5, "USD", "-1.234,50 USD"),
        (999.995, "USD", "1.000,00 USD"),
        (1234.5, "JPY", "1.234 JPY"),
        (12, "", "12,00"),
    ],
)
def test_small_negative_and_currencies_without_cents(amount: float, currency: str, written: str) -> None:
    assert plain(place("de").format_money(amount, currency)) == written


@pytest.mark.parametrize(
    ("tag", "known"),
    [
        ("de_DE", "de-DE"),
        ("DE-de", "de-DE"),
        ("zh-Hant-TW", "zh-TW"),
        ("en-US-u-nu-latn", "en-US"),
        ("de-XX", "de-XX"),
        ("pt", "pt"),
        ("xx-DE", None),
        ("tlh", None),
        ("", None),
        ("en\n", None),
        ("en-US, de", None),
        ("e" * 36, None),
        ("en" + "-aaaaaaaa" * 9, None),
        ("../../etc", None),
    ],
)
def test_only_tags_that_are_known_are_locales(tag: str, known: str | None) -> None:
    found = find_locale(tag)
    assert (found.tag if found else None) == known


@pytest.mark.parametrize("text", ["", "soon", "2026", "2026-13", "2026-02-30", "0000-01-01", "31.08.2026"])
def test_what_is_no_day_is_not_written(text: str) -> None:
    assert place("de").format_day(text) == ""


@pytest.mark.parametrize("value", [None, "5", True, float("nan"), float("inf"), 1e15, [], 10**40])
def test_what_is_no_amount_is_none(value: Any) -> None:
    assert to_finite_number(value) is None
    assert to_finite_number(5) == 5.0 and to_finite_number(-0.5) == -0.5


@given(st.floats(-1e14, 1e14), st.sampled_from(sorted(LOCALE_FORMATS)))
def test_no_digit_is_lost(amount: float, tag: str) -> None:
    there = place(tag)
    written = there.format_money(amount, "")
    whole, _, cents = written.rpartition(there.decimal_sign)
    back = float(f"{whole.replace(there.group_sign, '')}.{cents}")
    assert back == round(amount, 2) + 0.0


@given(st.text(max_size=60))
def test_any_text_is_a_locale_or_none(tag: str) -> None:
    found = find_locale(tag)
    assert found is None or len(found.tag) <= 6


@pytest.mark.requirement("N4")
def test_n4_a_long_tag_is_not_remembered() -> None:
    """A cache keeps its keys, and a hint can be as long as a body."""
    _find_locale.cache_clear()
    assert [find_locale(f"{number}" + "x" * 1_000_000) for number in range(3)] == [None] * 3
    assert _find_locale.cache_info().currsize == 0
    assert find_locale("de") is find_locale("de") and _find_locale.cache_info().currsize == 1
