"""Rates of commitments: what covered usage costs, as a share of its on-demand cost."""

from __future__ import annotations

PLAN_DISCOUNT_PERCENT, RESERVED_DISCOUNT_PERCENT = 27, 36  # below on-demand rates
PLAN_RATE = 1 - PLAN_DISCOUNT_PERCENT / 100
RESERVED_RATE = 1 - RESERVED_DISCOUNT_PERCENT / 100
