"""Language tags of clients, and the conventions of about twenty locales, written by hand."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.tools import cldr
from doit_mcp.catalog.tools.locale_format import LocaleFormat
from doit_mcp.catalog.tools.locales import MAX_TAG_CHARACTERS, _find_tag, _read_locale, find_locale, is_loaded


def locale_of(tag: str) -> LocaleFormat:
    locale = find_locale(tag)
    assert locale is not None
    return locale


def replace_spaces(text: str) -> str:
    """*text* with ordinary spaces."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("tag", "money", "percent", "day", "month"),
    [
        ("en-US", "EUR 1,234,567.80", "12.5%", "Aug 31, 2026", "Aug 2026"),
        ("en-GB", "EUR 1,234,567.80", "12.5%", "31 Aug 2026", "Aug 2026"),
        ("en-CA", "EUR 1,234,567.80", "12.5%", "Aug 31, 2026", "Aug 2026"),
        ("en-IN", "EUR 12,34,567.80", "12.5%", "31 Aug 2026", "Aug 2026"),
        ("hi-IN", "EUR 12,34,567.80", "12.5%", "31 अग॰ 2026", "अग॰ 2026"),
        ("de-DE", "1.234.567,80 EUR", "12,5 %", "31.08.2026", "Aug. 2026"),
        ("de-AT", "EUR 1.234.567,80", "12,5 %", "31.08.2026", "Aug. 2026"),
        ("de-CH", "EUR 1'234'567.80", "12.5%", "31.08.2026", "Aug. 2026"),
        ("fr-FR", "1 234 567,80 EUR", "12,5 %", "31 août 2026", "août 2026"),
        ("fr-CA", "1 234 567,80 EUR", "12,5 %", "31 août 2026", "août 2026"),
        ("es-ES", "1.234.567,80 EUR", "12,5 %", "31 ago 2026", "ago 2026"),
        ("es-MX", "EUR 1,234,567.80", "12.5%", "31 ago 2026", "ago 2026"),
        ("it-IT", "1.234.567,80 EUR", "12,5%", "31 ago 2026", "ago 2026"),
        ("pt-BR", "EUR 1.234.567,80", "12,5%", "31 de ago. de 2026", "ago. de 2026"),
        ("pt-PT", "1 234 567,80 EUR", "12,5%", "31/08/2026", "ago. de 2026"),
        ("nl-NL", "EUR 1.234.567,80", "12,5%", "31 aug 2026", "aug 2026"),
        ("sv-SE", "1 234 567,80 EUR", "12,5 %", "31 aug. 2026", "aug. 2026"),
        ("nb-NO", "1 234 567,80 EUR", "12,5 %", "31. aug. 2026", "aug. 2026"),
        ("da-DK", "1.234.567,80 EUR", "12,5 %", "31. aug. 2026", "aug. 2026"),
        ("fi-FI", "1 234 567,80 EUR", "12,5 %", "31.8.2026", "elo 2026"),
        ("pl-PL", "1 234 567,80 EUR", "12,5%", "31 sie 2026", "sie 2026"),
        ("cs-CZ", "1 234 567,80 EUR", "12,5 %", "31. 8. 2026", "srpen 2026"),
        ("hu-HU", "1 234 567,80 EUR", "12,5%", "2026. aug. 31.", "2026. aug."),
        ("tr-TR", "EUR 1.234.567,80", "%12,5", "31 Ağu 2026", "Ağu 2026"),
        ("he-IL", "1,234,567.80 EUR", "12.5%", "31 באוג׳ 2026", "אוג׳ 2026"),
        ("ja-JP", "EUR 1,234,567.80", "12.5%", "2026/08/31", "2026年8月"),
        ("ko-KR", "EUR 1,234,567.80", "12.5%", "2026. 8. 31.", "2026년 8월"),
        ("zh-TW", "EUR 1,234,567.80", "12.5%", "2026年8月31日", "2026年8月"),
    ],
)
def test_values_follow_the_locale(tag: str, money: str, percent: str, day: str, month: str) -> None:
    locale = locale_of(tag)
    assert replace_spaces(locale.format_money(1_234_567.8, "EUR")) == money
    assert replace_spaces(locale.format_percent(12.45001)) == percent
    assert (
        replace_spaces(locale.format_date("2026-08-31"))
        == replace_spaces(locale.format_date("2026-08-31T23:59:59Z"))
        == day
    )
    assert replace_spaces(locale.format_date("2026-08")) == month


@pytest.mark.parametrize(
    ("tag", "money", "percent"),
    [
        ("en-US", "-USD 1,234.50", "-0.5%"),
        ("de-DE", "-1.234,50 USD", "-0,5 %"),
        ("de-CH", "USD -1'234.50", "-0.5%"),
        ("nl-NL", "USD -1.234,50", "-0,5%"),
        ("sv-SE", "\u22121 234,50 USD", "\u22120,5 %"),
        ("tr-TR", "-USD 1.234,50", "-%0,5"),
        ("he-IL", "-1,234.50 USD", "-0.5%"),
    ],
)
def test_negative_values_use_the_locales_sign(tag: str, money: str, percent: str) -> None:
    assert replace_spaces(locale_of(tag).format_money(-1234.5, "USD")) == money
    assert replace_spaces(locale_of(tag).format_percent(-0.5)) == percent


@pytest.mark.parametrize(
    ("tag", "known"),
    [
        ("de_DE", "de-DE"),
        ("DE-de", "de-DE"),
        ("zh-TW", "zh-Hant-TW"),
        ("zh-Hant-TW", "zh-Hant-TW"),
        ("zh-hans-sg", "zh-Hans-SG"),
        ("zh-CN", "zh"),
        ("sr-ME", "sr-Latn-ME"),
        ("sr-Latn-DE", "sr-Latn"),
        ("en-Latn-US", "en-US"),
        ("en-US-u-nu-latn", "en-US"),
        ("de-1996", "de"),
        ("es-419", "es-419"),
        ("de-XX", "de"),
        ("pt", "pt"),
        # Replaced codes: of a language, of a language with its script or region, of a region.
        ("iw", "he"),
        ("sh", "sr-Latn"),
        ("prs", "fa-AF"),
        ("en-UK", "en-GB"),
        ("xx-DE", None),
        ("tlh", None),
        ("root", None),
        ("", None),
        ("en\n", None),
        ("en-US, de", None),
        ("en\u00e9", None),
        ("de-\u0661\u0662\u0663", None),
        ("e" * 36, None),
        ("en" + "-aaaaaaaa" * 9, None),
        ("../../etc", None),
        ("de/../fr", None),
        ("con", None),
        ("de_DE.UTF-8", None),
        ("de@euro", None),
        ("de\x00", None),
    ],
)
def test_only_known_tags_have_a_locale(tag: str, known: str | None) -> None:
    locale = find_locale(tag)
    assert (locale.tag if locale else None) == known


@given(st.text(max_size=60))
def test_any_text_is_a_tag_or_not(tag: str) -> None:
    locale = find_locale(tag)
    assert locale is None or locale.tag.replace("-", "_") in cldr.known_identifiers()


SUBTAGS = st.sampled_from(["de", "zh", "sh", "qq", "Hant", "Latn", "Zzzz", "TW", "UK", "001", "999", "x", "u-nu-arab"])


@given(st.lists(SUBTAGS, min_size=1, max_size=5).map("-".join))
def test_client_text_does_not_reach_babels_caches(tag: str) -> None:
    """Client tags are unbounded. CLDR's identifiers are not: each is read at most once."""
    locale = find_locale(tag)
    assert locale is None or locale is _read_locale(locale.tag.replace("-", "_"))
    assert _read_locale.cache_info().currsize <= len(cldr.known_identifiers())


@pytest.mark.requirement("N4")
def test_n4_long_tag_is_not_cached() -> None:
    """A cache keeps its keys, and a hint can be as long as a request body."""
    _find_tag.cache_clear()
    long = [f"{number}" + "x" * 1_000_000 for number in range(3)]
    assert [find_locale(tag) for tag in long] == [None] * 3 and all(map(is_loaded, long))
    assert _find_tag.cache_info().currsize == 0
    assert find_locale("de") is find_locale("de") and _find_tag.cache_info().currsize == 1
    assert find_locale("d" * MAX_TAG_CHARACTERS) is None


def test_tag_cache_is_bounded() -> None:
    for number in range(1000):
        assert find_locale(f"de-x-{number}") is locale_of("de")
    assert _find_tag.cache_info().currsize <= 256


def test_tag_is_loaded_once() -> None:
    _find_tag.cache_clear()
    assert not is_loaded("fr-BE") and find_locale("fr-BE") is not None and is_loaded("fr-BE")
    assert not is_loaded("tlh") and find_locale("tlh") is None and is_loaded("tlh")


def test_babel_is_not_imported_at_startup() -> None:
    """It takes tens of milliseconds, and most clients do not send a locale."""
    code = "import sys, doit_mcp.server.catalog; print(any(name.split('.')[0] == 'babel' for name in sys.modules))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "False"
