"""Rates of commitments: what covered usage costs, as a share of its on-demand cost."""

from __future__ import annotations

from .estate_types import Sku

RESERVED_DISCOUNT_PERCENT = 36  # below on-demand rates
RESERVED_RATE = 1 - RESERVED_DISCOUNT_PERCENT / 100


def plan_rate(sku: Sku) -> float:
    """Return the rate of a SKU under Savings Plans; 1 if none can cover it."""
    return 1 - sku.commitment.discount / 100 if sku.commitment else 1.0
