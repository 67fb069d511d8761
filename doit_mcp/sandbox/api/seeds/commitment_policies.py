"""Policies of PerfectScale for Commitments: the built-in ones, and one that the customer defined."""

from __future__ import annotations

from collections.abc import Iterator

from ..costs.calendar_days import DAY_SECONDS, format_rfc3339
from ..responses import JsonObject
from ..tenants import Tenant

CUSTOM_POLICY = "steady_growth"
TARGET_COVERAGE = {"conservative": 65.0, "balanced": 80.0, "max_savings": 90.0, CUSTOM_POLICY: 65.0}
BASIS_DAYS = 60  # days of eligible spend that a recommendation is based on
STEP_DAYS = 7
BOOTSTRAP_PERCENT = 40.0  # of the first step
STEP_PERCENT = 20.0
CUSTOM_DAYS_AGO = 120  # when the customer defined its own policy, before the sandbox started


def seed_policies(tenant: Tenant) -> Iterator[JsonObject]:
    """The policies, built-in ones first."""
    for name, coverage in TARGET_COVERAGE.items():
        created = format_rfc3339(tenant.started_at - CUSTOM_DAYS_AGO * DAY_SECONDS) if name == CUSTOM_POLICY else None
        yield {
            "id": name,
            "name": name.replace("_", " ").capitalize(),
            "isBuiltIn": created is None,
            "targetCoverage": coverage,
            "lookbackDays": BASIS_DAYS,
            "ladderStepPercent": STEP_PERCENT,
            "ladderIntervalDays": STEP_DAYS,
            "bootstrapPercent": BOOTSTRAP_PERCENT,
            "createdTime": created,
            "updatedTime": created,
        }
