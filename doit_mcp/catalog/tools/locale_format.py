"""Formats amounts, percentages and dates with the patterns of one locale, whatever their source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

DATE_PATTERN = re.compile(r"([0-9]{4})-([0-9]{2})(?:-([0-9]{2}))?")
DEFAULT_CURRENCY_DIGITS = 2
MAX_AMOUNT = 1e15
"""Larger numbers are inexact in JSON, so they are not formatted."""


class NumberPattern(NamedTuple):
    """Templates for str.format with *number* and, for money, *currency*; and the sizes of digit groups.

    *group_sizes* are the size of the group before the decimal sign, and that of all others (India writes 12,34,567).
    """

    positive: str
    negative: str
    group_sizes: tuple[int, int]


@dataclass(frozen=True, slots=True)
class LocaleFormat:
    """The conventions of one locale.

    *day_patterns* and *month_patterns* are templates for str.format with *day* and *year*, one for each month, because
    the month's name is part of the text.
    """

    tag: str
    decimal_sign: str
    group_sign: str
    number: NumberPattern
    money: NumberPattern
    percent: NumberPattern
    day_patterns: tuple[str, ...]
    month_patterns: tuple[str, ...]
    currency_digits: Mapping[str, int] = field(repr=False)
    """Decimal places of the currencies that do not have two."""

    def format_money(self, amount: float, currency: str) -> str:
        """Return *amount* with the ISO code of its currency; without a code if *currency* is empty."""
        digits = self.currency_digits.get(currency, DEFAULT_CURRENCY_DIGITS)
        return self._format(self.money if currency else self.number, amount, digits, currency)

    def format_percent(self, value: float) -> str:
        """Return *value*, in percent, with one decimal place."""
        return self._format(self.percent, value, 1)

    def _format(self, pattern: NumberPattern, value: float, digits: int, currency: str = "") -> str:
        # A negative value that rounds to zero has no sign.
        template = pattern.negative if value < 0 and round(value, digits) < 0 else pattern.positive
        integer, _, fraction = f"{abs(value):.{digits}f}".partition(".")
        number = self._group_digits(integer, *pattern.group_sizes) + (self.decimal_sign + fraction if fraction else "")
        return template.format(number=number, currency=currency)

    def _group_digits(self, digits: str, first_size: int, other_size: int) -> str:
        if len(digits) <= first_size:
            return digits
        head, tail = digits[:-first_size], digits[-first_size:]
        groups = [head[max(0, end - other_size) : end] for end in range(len(head), 0, -other_size)]
        return self.group_sign.join([*reversed(groups), tail])

    def format_date(self, text: str) -> str:
        """Return the day (2026-08-31) or month (2026-08) at the start of *text*, formatted; "" without one."""
        match = DATE_PATTERN.match(text)
        if match is None:
            return ""
        year, month, day = int(match[1]), int(match[2]), int(match[3] or 1)
        try:
            date(year, month, day)
        except ValueError:
            return ""
        patterns = self.day_patterns if match[3] else self.month_patterns
        return patterns[month - 1].format(year=year, day=day)


def to_finite_number(value: object) -> float | None:
    """Return *value* if it is a number that can be formatted; otherwise None."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < MAX_AMOUNT else None
