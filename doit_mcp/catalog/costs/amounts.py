"""Exact amounts: decimal sums, rounding to the currency's minor unit, shares that add up, and changes in percent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from math import isnan
from types import MappingProxyType
from typing import Any

from ...api.errors import ApiError
from ...protocol.json_schema import short_json

ZERO = Decimal(0)
ONE_TENTH = Decimal("0.1")
TENTHS_OF_ALL = 1000
HUNDREDTH = Decimal("0.01")
SIGNIFICANT_DIGITS = 6
MINOR_UNITS = MappingProxyType({"JPY": Decimal(1)})
"""Minor units other than hundredths, of the API's currencies (ISO 4217). Babel knows them too, but loads slowly."""
MAX_AMOUNT = Decimal(10) ** 18
"""The largest amount of money."""
MIN_AMOUNT = Decimal(10) ** -18
"""Smaller numbers are rounding errors of floats, and count as 0."""
MAX_QUANTITY = Decimal(10) ** 30
"""The largest number of units: storage in byte-seconds has long ones."""
WIDE = Context(prec=400)
"""Enough digits for every finite number of JSON, so that odd data cannot make rounding fail."""


def to_decimal(value: Any, maximum: Decimal = MAX_AMOUNT) -> Decimal:
    """Return a cell of the API as the decimal number that it shows; 0 for null.

    Raise ApiError for anything else, and for more than *maximum*: no bill is that large, and sums would lose cents.
    """
    if value is None:
        return ZERO
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (isinstance(value, float) and isnan(value)) or abs(value) > maximum:
        raise ApiError(f"{short_json(value)} in the result is not a plausible number", kind="answer")
    return Decimal(repr(value)) if abs(value) >= MIN_AMOUNT else ZERO


def sum_amounts(values: Iterable[Any], maximum: Decimal = MAX_AMOUNT) -> Decimal:
    """Return the exact sum of cells of the API. Raise ApiError as to_decimal() does."""
    return sum((to_decimal(value, maximum) for value in values), ZERO)


def minor_unit(currency: str) -> Decimal:
    """Return the smallest unit of a currency: 0.01 for USD, 1 for JPY."""
    return MINOR_UNITS.get(currency, HUNDREDTH)


def round_amount(amount: Decimal, currency: str) -> Decimal:
    """Round to the currency's minor unit, halves away from zero. Never negative zero."""
    return amount.quantize(minor_unit(currency), ROUND_HALF_UP, WIDE) + ZERO


def amount_as_json(amount: Decimal, currency: str) -> float:
    """Return an amount as results show it, rounded to the currency's minor unit."""
    return float(round_amount(amount, currency))


def change_percent(before: Decimal, after: Decimal, currency: str = "USD") -> float | None:
    """Return the change from *before* to *after* in percent, to a tenth.

    None if *before* rounds to zero: a change from nothing has no percentage.
    """
    if not round_amount(before, currency):
        return None
    return float(_round_tenth(100 * (after - before) / abs(before)))


def average_per_day(amount: Decimal, days: int) -> Decimal:
    """Return the mean cost of a day."""
    return amount / days


def share_percents(parts: Sequence[Decimal]) -> list[float | None]:
    """Return each part's share of the sum in percent, to a tenth. They add up to exactly 100.

    All are None if the sum is zero. A rounding difference goes to the parts with the largest remainders.
    """
    if not sum(parts, ZERO):
        return [None] * len(parts)
    return [tenth / 10 for tenth in share_tenths(parts)]


def share_tenths(parts: Sequence[Decimal]) -> list[int]:
    """Return each part's share of the sum, which must not be zero, in tenths of a percent. They add up to 1000."""
    total = sum(parts, ZERO)
    exact = [TENTHS_OF_ALL * part / total for part in parts]
    tenths = [int(share.to_integral_value(ROUND_FLOOR)) for share in exact]
    by_remainder = sorted(range(len(parts)), key=lambda index: tenths[index] - exact[index])
    for index in by_remainder[: TENTHS_OF_ALL - sum(tenths)]:
        tenths[index] += 1
    return tenths


def percent_as_json(share: Decimal) -> float:
    """Return a share from 0 to 1 in percent, to a tenth."""
    return float(_round_tenth(100 * share))


def round_significant(number: Decimal) -> float:
    """Return a number with six significant digits: a unit can cost far less than a cent."""
    return float(f"{number:.{SIGNIFICANT_DIGITS - 1}e}")


def _round_tenth(number: Decimal) -> Decimal:
    return number.quantize(ONE_TENTH, ROUND_HALF_UP, WIDE) + ZERO
