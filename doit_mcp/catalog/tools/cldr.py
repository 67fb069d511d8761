"""Reads the conventions of a locale from CLDR, the Unicode locale data that Babel ships.

Import it on first use, because Babel and its index of locales take tens of milliseconds to load. Language tags come
from clients, so their text never reaches Babel's parser or its unbounded caches: only identifiers from Babel's list do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from babel.core import Locale, get_global
from babel.dates import DateTimePattern, tokenize_pattern
from babel.localedata import clear_caches, locale_identifiers
from babel.numbers import NumberPattern as BabelNumberPattern

from .locale_format import DEFAULT_CURRENCY_DIGITS, LocaleFormat, NumberPattern
from .sanitize import sanitize_text

NUMBERING_SYSTEM = "latn"
"""Digits stay those of the JSON values, so that both are recognizably the same number."""
NO_BREAK_SPACE = "\u00a0"
CURRENCY_SIGN = "\u00a4"
MONTH_NAME_WIDTHS = {3: "abbreviated", 4: "wide", 5: "narrow"}


@cache
def known_identifiers() -> frozenset[str]:
    """Return all locales of CLDR, as Babel names them: de, de_CH, zh_Hant_TW."""
    return frozenset(locale_identifiers())


@cache
def currency_digits() -> Mapping[str, int]:
    """Return the decimal places of the currencies that do not have two."""
    fractions = get_global("currency_fractions").items()
    return {code: digits for code, (digits, *_) in fractions if digits != DEFAULT_CURRENCY_DIGITS}


def find_identifier(language: str, script: str, region: str) -> str | None:
    """Return the closest known locale for the subtags of a language tag; None if CLDR does not know the language.

    *script* and *region* are "" if the tag does not have them.
    """
    identifiers = known_identifiers()
    # Some codes were replaced: iw by he, sh by sr-Latn, prs by fa-AF.
    language, *defaults = get_global("language_aliases").get(language, language).split("_")
    script = script or next((part for part in defaults if len(part) == 4), "")
    region = region or next((part for part in defaults if len(part) < 4), "")
    region = next(iter(get_global("territory_aliases").get(region, ())), region)
    likely = get_global("likely_subtags").get(f"{language}_{region}", "")
    candidates = (
        f"{language}_{script}_{region}",
        *(() if script else (f"{language}_{region}", likely)),
        f"{language}_{script}",
        f"{language}_{region}",
        language,
    )
    return next((candidate for candidate in candidates if candidate in identifiers), None)


def read_locale(identifier: str) -> LocaleFormat:
    """Return the conventions of the locale *identifier*, one of known_identifiers()."""
    locale = Locale.parse(identifier)
    symbols = locale.number_symbols[NUMBERING_SYSTEM]
    conventions = LocaleFormat(
        tag=identifier.replace("_", "-"),
        decimal_sign=symbols["decimal"],
        group_sign=symbols["group"],
        number=_number_pattern(locale.decimal_formats[None], symbols),
        money=_number_pattern(locale.currency_formats["standard"], symbols),
        percent=_number_pattern(locale.percent_formats[None], symbols),
        # The medium form has four digits for the year, and in most locales the name of the month.
        day_patterns=tuple(_date_patterns(locale.date_formats["medium"], locale)),
        month_patterns=tuple(_date_patterns(locale.datetime_skeletons["yMMM"], locale)),
        currency_digits=currency_digits(),
    )
    # Babel caches all data of each locale: more than 200 MB for all locales.
    clear_caches()
    return conventions


def _number_pattern(pattern: BabelNumberPattern, symbols: Mapping[str, str]) -> NumberPattern:
    # A currency symbol may touch the digits; an ISO code would be hard to read without a space, which must not break.
    positive, negative = (
        re.sub(rf"{CURRENCY_SIGN}\s*", "{currency}" + NO_BREAK_SPACE, _format_affix(prefix, symbols))
        + "{number}"
        + re.sub(rf"\s*{CURRENCY_SIGN}", NO_BREAK_SPACE + "{currency}", _format_affix(suffix, symbols))
        for prefix, suffix in zip(pattern.prefix, pattern.suffix, strict=True)
    )
    first_size, other_size = pattern.grouping
    return NumberPattern(positive, negative, (first_size, other_size))


def _format_affix(text: str, symbols: Mapping[str, str]) -> str:
    """Return the text before or after the digits, with the signs of the locale."""
    for sign, name in (("-", "minusSign"), ("%", "percentSign")):
        text = text.replace(sign, symbols[name])
    return _escape_literal(text)


def _date_patterns(pattern: DateTimePattern, locale: Locale) -> Iterator[str]:
    """Yield a template for each of the twelve months."""
    tokens = [value for _, value in tokenize_pattern(pattern.pattern)]
    for month in range(1, 13):
        yield "".join(
            _escape_literal(token) if isinstance(token, str) else _date_field(token, month, locale) for token in tokens
        )


def _date_field(token: tuple[str, int], month: int, locale: Locale) -> str:
    letter, count = token
    if letter in "yY":
        return "{year}"
    if letter == "d":
        return "{day:02}" if count == 2 else "{day}"
    if letter in "ML":
        context = "format" if letter == "M" else "stand-alone"
        name = str(month).zfill(count) if count < 3 else locale.months[context][MONTH_NAME_WIDTHS[count]][month]
        return _escape_literal(name)
    if letter == "G":
        return _escape_literal(locale.eras["abbreviated"][1])
    raise ValueError(f"{locale}: the date field {letter!r} is not supported")


def _escape_literal(text: str) -> str:
    """Return *text* escaped for a template and without direction marks, which are invisible."""
    return sanitize_text(text).replace("{", "{{").replace("}", "}}")
