"""One name for each id in cost rows: bills have several for some SKUs, and for projects that were renamed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from .amounts import ZERO

UNUSUAL_COST_TYPES = ("negation", "covered", "discount", "fee", "credit", "refund", "tax", "adjust", "rounding")
"""Parts of the cost types of lines whose descriptions describe what is special about the line and not the SKU."""

Names = dict[Any, Any]


def usual_names(ids: Sequence[Any], names: Sequence[Any], costs: Sequence[Decimal], kinds: Sequence[Any]) -> Names:
    """Return the name of each id on most of its ordinary usage; *kinds* are the cost types of the lines.

    Without ordinary usage, it is the name of the most expensive lines.
    """
    weights: dict[Any, dict[Any, tuple[Decimal, Decimal]]] = {}
    for identifier, name, cost, kind in zip(ids, names, costs, kinds):
        if name is not None:
            own = weights.setdefault(identifier, {})
            ordinary, any_kind = own.get(name, (ZERO, ZERO))
            charged = max(cost, ZERO)
            own[name] = (ordinary + (charged if is_ordinary(kind) else ZERO), any_kind + charged)
    return {identifier: max(own, key=lambda name: (own[name], str(name))) for identifier, own in weights.items()}


def latest_names(ids: Sequence[Any], names: Sequence[Any], periods: Sequence[str]) -> Names:
    """Return the last name of each id."""
    lines = sorted(zip(periods, ids, names), key=lambda line: line[0])
    return {identifier: name for _, identifier, name in lines if name is not None}


def is_ordinary(cost_type: Any) -> bool:
    """Return whether a cost type is that of usage at its own price."""
    folded = str(cost_type or "").casefold()
    return not any(part in folded for part in UNUSUAL_COST_TYPES)
