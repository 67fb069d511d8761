"""Kinds of charges: what a line of a bill is for, by the cost types of AWS, Google Cloud, Azure and FOCUS."""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum, auto
from functools import lru_cache
from types import MappingProxyType


class ChargeKind(Enum):
    """What a charge is for."""

    USAGE = auto()
    """Pay-as-you-go usage."""
    COVERED_USAGE = auto()
    """Usage that a reservation or a Savings Plan pays for."""
    NEGATION = auto()
    """What subtracts the cost of covered usage again."""
    COMMITMENT_FEE = auto()
    """What reservations and Savings Plans cost, and their unused part."""
    MONTHLY_COMMITMENT_FEE = auto()
    """What reservations cost, charged for a whole month on its first day."""
    FEE = auto()
    """One-time fees, purchases, taxes, refunds, adjustments and support. "Fee" can be upfront for reservations."""
    CREDIT = auto()
    """Promotional and other credits."""


COMMITMENT_KINDS = frozenset(
    {
        ChargeKind.COVERED_USAGE,
        ChargeKind.NEGATION,
        ChargeKind.COMMITMENT_FEE,
        ChargeKind.MONTHLY_COMMITMENT_FEE,
    }
)
KINDS_BY_COST_TYPE = MappingProxyType(
    {
        "discountedusage": ChargeKind.COVERED_USAGE,
        "savingsplancoveredusage": ChargeKind.COVERED_USAGE,
        "savingsplannegation": ChargeKind.NEGATION,
        "rifee": ChargeKind.MONTHLY_COMMITMENT_FEE,
        "savingsplanupfrontfee": ChargeKind.COMMITMENT_FEE,
        "savingsplanrecurringfee": ChargeKind.COMMITMENT_FEE,
        "unusedreservation": ChargeKind.COMMITMENT_FEE,
        "unusedsavingsplan": ChargeKind.COMMITMENT_FEE,
        "fee": ChargeKind.FEE,
        "purchase": ChargeKind.FEE,
        "support": ChargeKind.FEE,
        "tax": ChargeKind.FEE,
        "refund": ChargeKind.FEE,
        "adjustment": ChargeKind.FEE,
        "roundingadjustment": ChargeKind.FEE,
        "roundingerror": ChargeKind.FEE,
    }
)
"""Kinds by cost type, in lower case and without anything but letters and digits; all others are usage."""


@lru_cache(maxsize=256)
def charge_kind(cost_type: str | None) -> ChargeKind:
    """Return the kind of a charge by its cost type, which is None for some clouds."""
    folded = "".join(character for character in (cost_type or "").casefold() if character.isalnum())
    if "credit" in folded:
        return ChargeKind.CREDIT
    return KINDS_BY_COST_TYPE.get(folded, ChargeKind.USAGE)


def read_charge_kind(cell: Hashable) -> ChargeKind:
    """Return the kind of a charge from the cell with its cost type."""
    return charge_kind(None if cell is None else str(cell))
