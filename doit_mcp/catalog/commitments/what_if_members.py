"""The members of the result of what_if_commitment, each with the basis of its numbers."""

from __future__ import annotations

from datetime import date

from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import ZERO, amount_as_json, percent_as_json
from .aws import PER_MONTH, OwnedCommitment
from .discounts import Discount, Terms
from .figures import USD
from .planned_purchases import PlannedStep
from .purchase_model import Purchase, PurchaseTerms, describe_usage, model_commitment
from .what_if_assumptions import find_ending
from .what_if_covered import ModeledUsage
from .what_if_evidence import Evidence

MAX_LISTED_COMMITMENTS = 20
BASIS_USAGE = "USD per hour at on-demand rates in period; on demand: what no active commitment covered"
BASIS_PURCHASE = f"USD; commitmentPerHour and coversPerHour: per hour; perMonth: {PER_MONTH}; total: whole term"
BASIS_SAVINGS = f"USD {PER_MONTH}, after queued commitments, without planned purchases"
BASIS_UNUSED = "share of commitmentPerHour, after queued commitments, without planned purchases"
BASIS_COVERAGE = (
    "target: share of the median usage; others: share of all usage of period; before: active commitments; queued: and those "
    "that are bought and start later; after: and the purchase"
)
BASIS_EXISTING = "USD per hour, today; utilizationPercent: last month, of those that can cover all of the usage"
BASIS_PLANNED = f"perHour: USD, all steps together; the rest: if all of them are made before the purchase; savingsPerMonth: USD {PER_MONTH}"


def scope_and_usage(evidence: Evidence, modeled: ModeledUsage) -> JsonObject:
    """Return what would be covered, and its usage in the period."""
    scope, usage = evidence.scope, describe_usage(modeled.period)
    levels = {
        "eligibleMedian": usage.eligible,
        "onDemandMedian": usage.on_demand,
        "onDemandLow": usage.on_demand_low,
        "onDemandHigh": usage.on_demand_high,
    }
    return {
        "scope": {
            "cloud": scope.cloud,
            "service": scope.service,
            **({"region": scope.region} if scope.region else {}),
            "account": scope.account,
            "accountName": scope.name or None,
        },
        "usage": {
            **{name: amount_as_json(amount, USD) for name, amount in levels.items()},
            "samples": len(modeled.period),
            "unit": evidence.usage.unit,
            "source": evidence.usage.source,
            "basis": BASIS_USAGE,
        },
    }


def purchase_members(
    purchase: Purchase, terms: PurchaseTerms, discount: Discount, wanted: Terms, usage: ModeledUsage
) -> JsonObject:
    """Return what would be bought, and how much it would save, leave unused and cover."""
    estimates = {"expected": purchase.expected, "low": purchase.low, "high": purchase.high}
    amounts = {
        "commitmentPerHour": purchase.hourly,
        "coversPerHour": purchase.covers,
        "upfront": purchase.upfront,
        "perMonth": purchase.monthly_payment,
        "total": purchase.total,
    }
    return {
        "purchase": {
            "term": wanted[0],
            "payment": wanted[1],
            "discountPercent": float(100 * discount.share),
            "discountSource": discount.source,
            **{name: amount_as_json(amount, USD) for name, amount in amounts.items()},
            "basis": BASIS_PURCHASE,
        },
        "savingsPerMonth": {
            **{name: item and amount_as_json(item.savings, USD) for name, item in estimates.items()},
            "basis": BASIS_SAVINGS,
        },
        "unusedPercent": {
            **{name: item and percent_as_json(item.unused) for name, item in estimates.items()},
            "basis": BASIS_UNUSED,
        },
        "coveragePercent": {
            "target": float(100 * terms.target),
            "before": percent_as_json(describe_usage(usage.period).coverage),
            "queued": percent_as_json(purchase.coverage_before),
            "after": percent_as_json(purchase.coverage_after),
            "basis": BASIS_COVERAGE,
        },
        "breakEvenMonth": purchase.break_even_month,
        "breakEvenMonthLow": purchase.break_even_low,
        **({"paybackMonth": purchase.payback_month} if purchase.upfront else {}),
    }


def existing_members(evidence: Evidence, years: int, today: date) -> JsonObject:
    """Return the commitments that exist or are bought, and which of them end within the term."""
    owned = evidence.owned
    ends = find_ending([*owned.active, *owned.other], years, today)
    return {
        "perHour": amount_as_json(owned.hourly, USD),
        "count": len(owned.active),
        "utilizationPercent": None if owned.utilization is None else percent_as_json(owned.utilization),
        "otherKinds": len(owned.other),
        "endWithinTerm": [
            {**_describe(item), "ends": last.isoformat()} for last, item in ends[:MAX_LISTED_COMMITMENTS]
        ],
        "notStarted": [
            {
                **_describe(item.commitment),
                "starts": item.starts and item.starts.isoformat(),
                "isRenewal": item.is_renewal,
            }
            for item in owned.later[:MAX_LISTED_COMMITMENTS]
        ],
        "basis": BASIS_EXISTING,
    }


def planned_members(evidence: Evidence, terms: PurchaseTerms, purchase: Purchase, usage: ModeledUsage) -> JsonObject:
    """Return the purchases that DoiT plans, and what the purchase would be worth after them; empty without any."""
    steps = evidence.owned.planned
    if not steps:
        return {}
    after = model_commitment(usage.planned, terms, purchase.hourly)
    return {
        "planned": {
            "perHour": amount_as_json(sum((step.hourly for step in steps), ZERO), USD),
            "steps": [_describe_step(step) for step in steps[:MAX_LISTED_COMMITMENTS]],
            "stepCount": len(steps),
            "coveragePercent": percent_as_json(after.coverage_after),
            "unusedPercent": percent_as_json(after.expected.unused),
            "savingsPerMonth": amount_as_json(after.expected.savings, USD),
            "basis": BASIS_PLANNED,
        }
    }


def _describe_step(step: PlannedStep) -> JsonObject:
    return {
        "on": step.scheduled_on.isoformat(),
        "perHour": amount_as_json(step.hourly, USD),
        "approval": step.approval,
    }


def _describe(item: OwnedCommitment) -> JsonObject:
    hourly = None if item.hourly_cost is None else amount_as_json(item.hourly_cost, USD)
    return {"id": item.id, "title": item.title, "perHour": hourly}
