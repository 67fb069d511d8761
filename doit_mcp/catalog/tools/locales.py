"""Amounts, percentages and days as people write them in their part of the world. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

MAX_TAG_CHARACTERS = 35
TAG_PATTERN = re.compile(r"([A-Za-z]{2,3})((?:[-_][A-Za-z0-9]{1,8}){0,5})")
DAY_PATTERN = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?")
NO_BREAK_SPACE, NARROW_NO_BREAK_SPACE, RIGHT_SINGLE_QUOTE = "\u00a0", "\u202f", "\u2019"
ZERO_DECIMAL_CURRENCIES = frozenset("JPY KRW CLP VND ISK PYG UGX XAF XOF".split())
"""Currencies without a smaller unit."""
MAX_AMOUNT = 1e15


@dataclass(frozen=True, slots=True)
class Locale:
    """How numbers and days are written: decimal sign, sign between groups of digits, and days with d, m and y in their
    places. *indian_grouping*: groups of two above the thousand. *currency_first*: the currency stands before the amount."""

    tag: str
    decimal_sign: str
    group_sign: str
    date_format: str
    currency_first: bool = False
    indian_grouping: bool = False
    space_before_percent: bool = False
    """A space stands before the percent sign."""

    def format_money(self, amount: float, currency: str) -> str:
        """An amount with its currency's code, "" for one that is not known."""
        number = self.format_number(amount, 0 if currency in ZERO_DECIMAL_CURRENCIES else 2)
        if not currency:
            return number
        return f"{currency}{NO_BREAK_SPACE}{number}" if self.currency_first else f"{number}{NO_BREAK_SPACE}{currency}"

    def format_percent(self, value: float) -> str:
        """A number of percent, to a tenth."""
        return f"{self.format_number(value, 1)}{NO_BREAK_SPACE if self.space_before_percent else ''}%"

    def format_number(self, value: float, decimal_places: int) -> str:
        """A number with so many decimal places."""
        sign, plain = ("-" if round(value, decimal_places) < 0 else ""), f"{abs(value):.{decimal_places}f}"
        whole, _, rest = plain.partition(".")
        return sign + self._group_digits(whole) + (self.decimal_sign + rest if rest else "")

    def _group_digits(self, digits: str) -> str:
        head, tail = digits[:-3], digits[-3:]
        size = 2 if self.indian_grouping else 3
        parts = [head[max(0, end - size) : end] for end in range(len(head), 0, -size)]
        return self.group_sign.join([*reversed(parts), tail])

    def format_day(self, text: str) -> str:
        """A day (2026-08-31) or month (2026-08), which *text* begins with; "" if it is neither."""
        found = DAY_PATTERN.match(text)
        if found is None:
            return ""
        year, month, day = found[1], found[2], found[3]
        try:
            date(int(year), int(month), int(day or 1))
        except ValueError:
            return ""
        parts = {"d": day, "m": month, "y": year}
        if day is not None:
            return re.sub("[dmy]", lambda place: parts[place[0]], self.date_format)
        return (
            f"{year}{self.date_format[1]}{month}"
            if self.date_format[0] == "y"
            else f"{month}{self.date_format[1]}{year}"
        )


# Language, or language and region where that is another: decimal, group, days, then what is particular.
DOT_DECIMAL, COMMA_DECIMAL = (".", ","), (",", ".")
LOCALE_FORMATS: Mapping[str, tuple[tuple[str, str], str, str]] = {
    **dict.fromkeys(("en", "en-us", "en-ph"), (DOT_DECIMAL, "m/d/y", "before")),
    **dict.fromkeys(
        ("en-gb", "en-au", "en-nz", "en-ie", "en-sg", "en-hk", "en-il", "th"), (DOT_DECIMAL, "d/m/y", "before")
    ),
    "en-ca": (DOT_DECIMAL, "y-m-d", "before"),
    "en-za": ((",", NO_BREAK_SPACE), "y/m/d", "before"),
    **dict.fromkeys(("en-in", "hi", "bn"), (DOT_DECIMAL, "d/m/y", "before indian")),
    "he": (DOT_DECIMAL, "d.m.y", ""),
    **dict.fromkeys(("ja", "zh"), (DOT_DECIMAL, "y/m/d", "before")),
    "ko": (DOT_DECIMAL, "y.m.d", "before"),
    **dict.fromkeys(("es-mx", "es-us", "ms", "zh-hk", "zh-sg"), (DOT_DECIMAL, "d/m/y", "before")),
    **dict.fromkeys(("de", "da"), (COMMA_DECIMAL, "d.m.y", "gap")),
    "de-at": ((",", NO_BREAK_SPACE), "d.m.y", "before gap"),
    **dict.fromkeys(("de-ch", "de-li", "it-ch"), ((".", RIGHT_SINGLE_QUOTE), "d.m.y", "before")),
    **dict.fromkeys(("tr", "mk", "sr", "hr", "sl", "ro"), (COMMA_DECIMAL, "d.m.y", "")),
    **dict.fromkeys(("es", "ca"), (COMMA_DECIMAL, "d/m/y", "gap")),
    **dict.fromkeys(("it", "id", "vi", "el", "pt-br", "es-ar", "es-co", "es-cl"), (COMMA_DECIMAL, "d/m/y", "")),
    **dict.fromkeys(("nl",), (COMMA_DECIMAL, "d-m-y", "before")),
    "nl-be": (COMMA_DECIMAL, "d/m/y", "before"),
    "fr": ((",", NARROW_NO_BREAK_SPACE), "d/m/y", "gap"),
    "fr-ca": ((",", NO_BREAK_SPACE), "y-m-d", "gap"),
    "fr-ch": ((",", NARROW_NO_BREAK_SPACE), "d.m.y", "gap"),
    "pt": ((",", NO_BREAK_SPACE), "d/m/y", ""),
    **dict.fromkeys(("cs", "sk", "ru", "fi", "nb", "no", "nn"), ((",", NO_BREAK_SPACE), "d.m.y", "gap")),
    **dict.fromkeys(("pl", "uk", "bg", "et", "lv"), ((",", NO_BREAK_SPACE), "d.m.y", "")),
    "sv": ((",", NO_BREAK_SPACE), "y-m-d", "gap"),
    "lt": ((",", NO_BREAK_SPACE), "y-m-d", "gap"),
    "hu": ((",", NO_BREAK_SPACE), "y.m.d", ""),
}


def find_locale(tag: str) -> Locale | None:
    """The locale that a language tag (BCP 47) names; None for what is none, or not known here."""
    # The length comes first: the cache keeps its keys, and a client can send megabytes.
    return _find_locale(tag) if len(tag) <= MAX_TAG_CHARACTERS else None


@lru_cache(maxsize=256)
def _find_locale(tag: str) -> Locale | None:
    found = TAG_PATTERN.fullmatch(tag)
    if found is None:
        return None
    language = found[1].lower()
    regions = [part for part in re.split("[-_]", found[2].lower()) if len(part) == 2]
    form = LOCALE_FORMATS.get(f"{language}-{regions[0]}" if regions else "") or LOCALE_FORMATS.get(language)
    if form is None:
        return None
    (decimal, group), days, marks = form
    name = f"{language}-{regions[0].upper()}" if regions else language
    return Locale(name, decimal, group, days, "before" in marks, "indian" in marks, "gap" in marks)


def to_finite_number(value: object) -> float | None:
    """*value* if it is a number that can be written out."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < MAX_AMOUNT else None
