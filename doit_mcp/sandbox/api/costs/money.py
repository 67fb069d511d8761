"""Currency conversion: micro-dollars to amounts, at fixed rates."""

from __future__ import annotations

MICRO = 1_000_000
# Decimals of the minor unit (ISO 4217).
MINOR_UNIT_DIGITS, DEFAULT_DIGITS = {"JPY": 0}, 2
# The API document does not define a default, so queries without a currency are in dollars for all customers.
DEFAULT_CURRENCY = "USD"
# Units of the currency per million dollars; fixed, so that results are reproducible.
RATES = {
    "USD": 1_000_000,
    "ILS": 3_420_000,
    "EUR": 870_000,
    "AUD": 1_530_000,
    "CAD": 1_390_000,
    "GBP": 750_000,
    "DKK": 6_490_000,
    "NOK": 10_100_000,
    "SEK": 9_520_000,
    "BRL": 5_380_000,
    "SGD": 1_300_000,
    "MXN": 18_500_000,
    "CHF": 800_000,
    "MYR": 4_190_000,
    "TWD": 30_700_000,
    "EGP": 47_500_000,
    "ZAR": 17_300_000,
    "JPY": 152_000_000,
    "IDR": 16_600_000_000,
    "AED": 3_672_500,
    "THB": 32_400_000,
    "COP": 3_900_000_000,
}


def to_amount(micro: int, currency: str = DEFAULT_CURRENCY) -> float:
    """Micro-dollars as an amount in *currency*, exact to six decimals."""
    # Integer arithmetic first, so that dollar cents become the nearest float.
    return micro * RATES[currency] // MICRO / MICRO if currency != "USD" else micro / MICRO


def to_payable_amount(micro: int, currency: str) -> float:
    """Micro-dollars as an amount that can be paid in *currency*: in its minor unit, halves away from zero."""
    unit: int = 10 ** (6 - MINOR_UNIT_DIGITS.get(currency, DEFAULT_DIGITS))
    converted = micro * RATES[currency] // MICRO
    units = (2 * abs(converted) + unit) // (2 * unit)
    return (-units if converted < 0 else units) * unit / MICRO


def round_to_cents(value: float) -> float:
    """An amount rounded to hundredths."""
    return round(value, 2)
