"""Amounts, percentages and days as people write them in their part of the world. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

MOST_TAG = 35
TAG = re.compile(r"([A-Za-z]{2,3})((?:[-_][A-Za-z0-9]{1,8}){0,5})")
DAY = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?")
THIN, NARROW, POINT = "\u00a0", "\u202f", "\u2019"
WHOLE = frozenset("JPY KRW CLP VND ISK PYG UGX XAF XOF".split())
"""Currencies without a smaller unit."""
MOST_AMOUNT = 1e15


@dataclass(frozen=True, slots=True)
class Locale:
    """How numbers and days are written: decimal sign, sign between groups of digits, and days with d, m and y in their
    places. *indian*: groups of two above the thousand. *before*: the currency stands before the amount."""

    tag: str
    decimal: str
    group: str
    days: str
    before: bool = False
    indian: bool = False
    gap: bool = False
    """A space stands before the percent sign."""

    def money(self, amount: float, currency: str) -> str:
        """An amount with its currency's code, "" for one that is not known."""
        number = self.number(amount, 0 if currency in WHOLE else 2)
        if not currency:
            return number
        return f"{currency}{THIN}{number}" if self.before else f"{number}{THIN}{currency}"

    def percent(self, value: float) -> str:
        """A number of percent, to a tenth."""
        return f"{self.number(value, 1)}{THIN if self.gap else ''}%"

    def number(self, value: float, places: int) -> str:
        """A number with so many decimal places."""
        sign, plain = ("-" if round(value, places) < 0 else ""), f"{abs(value):.{places}f}"
        whole, _, rest = plain.partition(".")
        return sign + self._grouped(whole) + (self.decimal + rest if rest else "")

    def _grouped(self, digits: str) -> str:
        head, tail = digits[:-3], digits[-3:]
        size = 2 if self.indian else 3
        parts = [head[max(0, end - size) : end] for end in range(len(head), 0, -size)]
        return self.group.join([*reversed(parts), tail])

    def day(self, text: str) -> str:
        """A day (2026-08-31) or month (2026-08), which *text* begins with; "" if it is neither."""
        found = DAY.match(text)
        if found is None:
            return ""
        year, month, day = found[1], found[2], found[3]
        try:
            date(int(year), int(month), int(day or 1))
        except ValueError:
            return ""
        parts = {"d": day, "m": month, "y": year}
        if day is not None:
            return re.sub("[dmy]", lambda place: parts[place[0]], self.days)
        return f"{year}{self.days[1]}{month}" if self.days[0] == "y" else f"{month}{self.days[1]}{year}"


# Language, or language and region where that is another: decimal, group, days, then what is particular.
DOT, COMMA = (".", ","), (",", ".")
FORMS: Mapping[str, tuple[tuple[str, str], str, str]] = {
    **dict.fromkeys(("en", "en-us", "en-ph"), (DOT, "m/d/y", "before")),
    **dict.fromkeys(("en-gb", "en-au", "en-nz", "en-ie", "en-sg", "en-hk", "en-il", "th"), (DOT, "d/m/y", "before")),
    "en-ca": (DOT, "y-m-d", "before"),
    "en-za": ((",", THIN), "y/m/d", "before"),
    **dict.fromkeys(("en-in", "hi", "bn"), (DOT, "d/m/y", "before indian")),
    "he": (DOT, "d.m.y", ""),
    **dict.fromkeys(("ja", "zh"), (DOT, "y/m/d", "before")),
    "ko": (DOT, "y.m.d", "before"),
    **dict.fromkeys(("es-mx", "es-us", "ms", "zh-hk", "zh-sg"), (DOT, "d/m/y", "before")),
    **dict.fromkeys(("de", "da"), (COMMA, "d.m.y", "gap")),
    "de-at": ((",", THIN), "d.m.y", "before gap"),
    **dict.fromkeys(("de-ch", "de-li", "it-ch"), ((".", POINT), "d.m.y", "before")),
    **dict.fromkeys(("tr", "mk", "sr", "hr", "sl", "ro"), (COMMA, "d.m.y", "")),
    **dict.fromkeys(("es", "ca"), (COMMA, "d/m/y", "gap")),
    **dict.fromkeys(("it", "id", "vi", "el", "pt-br", "es-ar", "es-co", "es-cl"), (COMMA, "d/m/y", "")),
    **dict.fromkeys(("nl",), (COMMA, "d-m-y", "before")),
    "nl-be": (COMMA, "d/m/y", "before"),
    "fr": ((",", NARROW), "d/m/y", "gap"),
    "fr-ca": ((",", THIN), "y-m-d", "gap"),
    "fr-ch": ((",", NARROW), "d.m.y", "gap"),
    "pt": ((",", THIN), "d/m/y", ""),
    **dict.fromkeys(("cs", "sk", "ru", "fi", "nb", "no", "nn"), ((",", THIN), "d.m.y", "gap")),
    **dict.fromkeys(("pl", "uk", "bg", "et", "lv"), ((",", THIN), "d.m.y", "")),
    "sv": ((",", THIN), "y-m-d", "gap"),
    "lt": ((",", THIN), "y-m-d", "gap"),
    "hu": ((",", THIN), "y.m.d", ""),
}


def locale_of(tag: str) -> Locale | None:
    """The locale that a language tag (BCP 47) names; None for what is none, or not known here."""
    # The length comes first: the cache keeps its keys, and a client can send megabytes.
    return _locale_of(tag) if len(tag) <= MOST_TAG else None


@lru_cache(maxsize=256)
def _locale_of(tag: str) -> Locale | None:
    found = TAG.fullmatch(tag)
    if found is None:
        return None
    language = found[1].lower()
    regions = [part for part in re.split("[-_]", found[2].lower()) if len(part) == 2]
    form = FORMS.get(f"{language}-{regions[0]}" if regions else "") or FORMS.get(language)
    if form is None:
        return None
    (decimal, group), days, marks = form
    name = f"{language}-{regions[0].upper()}" if regions else language
    return Locale(name, decimal, group, days, "before" in marks, "indian" in marks, "gap" in marks)


def finite(value: object) -> float | None:
    """*value* if it is a number that can be written out."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < MOST_AMOUNT else None
