"""Figures of the commitment summary by cloud, each null with a reason if unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import amount_as_json, percent_as_json
from ..partial_results import describe_error
from ..periods.period import Period
from .aws import AWS, PER_MONTH, OwnedCommitment, RecommendedPurchase
from .coverage import EligibleSpend, utilization
from .planned_purchases import PlannedStep, find_next_purchase

USD = "USD"
"""PerfectScale for Commitments has all amounts in US dollars."""
EXPIRY_DAYS = 90
COVERAGE_MEMBERS = ("coveragePercent", "effectiveSavingsRatePercent", "savings30d", "onDemandUncovered30d")
ALL_MEMBERS = (*COVERAGE_MEMBERS, "utilizationPercent", "expiring", "nextPurchase")
OWNED_TOPICS = ("plans", "reserved", "spend", "resource")
MEMBERS_BY_TOPIC = {
    "coverage": COVERAGE_MEMBERS,
    **dict.fromkeys(OWNED_TOPICS, ("utilizationPercent", "expiring")),
    "advice": ("nextPurchase",),
    "planned": ("nextPurchase",),
}
NO_COVERAGE = "PerfectScale for Commitments has no coverage of the last 30 days yet"
NO_SAVINGS = "PerfectScale for Commitments has not computed the savings of the last 30 days yet"
NO_UTILIZATION = "the cloud has not reported the use of an active commitment"
NO_PRICE = "the API has no price for resource-based commitments, so different utilizations cannot be added up"
NO_PURCHASE = "no purchase is planned or recommended"


@dataclass(frozen=True, slots=True)
class Figures:
    """Members of a cloud's commitments, and the reasons why null ones are unknown."""

    members: Mapping[str, Any]
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CloudReadings:
    """What was read about all accounts of a *cloud* (AWS organizations or Google Cloud billing accounts) by topic, and
    why topics could not be read.

    *names* has the accounts' names by id; *no_account* is the reason to give without accounts. *spend* is their
    eligible spend; None if unknown.
    """

    cloud: str
    names: Mapping[str, str]
    no_account: str
    spend: EligibleSpend | None = None
    found: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


def coverage_period(readings: CloudReadings) -> Period | None:
    """Return the days that the coverage is about; None if it is unknown."""
    return None if readings.spend is None else Period(readings.spend.first, readings.spend.last)


def failed_figures(error: ApiError) -> Figures:
    """Return the figures if the accounts could not be read."""
    return unknown_figures(describe_error(error))


def unknown_figures(why: str) -> Figures:
    """Return the figures if all are unknown for one reason."""
    return Figures(dict.fromkeys(ALL_MEMBERS), dict.fromkeys(ALL_MEMBERS, why))


def cloud_figures(readings: CloudReadings, today: date) -> Figures:
    """Return the combined figures of all accounts of a cloud."""
    if not readings.names:
        return unknown_figures(readings.no_account)
    owned = [item for topic in OWNED_TOPICS for item in readings.found.get(topic, ())]
    parts = (
        _coverage_figures(readings.spend),
        _utilization_figures(owned),
        Figures({"expiring": list_expiring_commitments(owned, today)}),
        _purchase_figures(readings),
    )
    members = {name: value for part in parts for name, value in part.members.items()}
    reasons = {name: why for part in parts for name, why in part.reasons.items()}
    # A sum over the accounts that could be read would be wrong.
    failed = {name: why for topic, why in readings.errors.items() for name in MEMBERS_BY_TOPIC[topic]}
    return Figures(members | dict.fromkeys(failed), reasons | failed)


def list_expiring_commitments(owned: Iterable[OwnedCommitment], today: date) -> list[JsonObject]:
    """Return the commitments that end within EXPIRY_DAYS, the earliest first."""
    last = today + timedelta(days=EXPIRY_DAYS)
    soon = [(item.ends, item) for item in owned if item.ends is not None and today <= item.ends <= last]
    return [
        {
            "id": item.id,
            "title": item.title,
            "ends": ends.isoformat(),
            "costPerHour": None if item.hourly_cost is None else amount_as_json(item.hourly_cost, USD),
        }
        for ends, item in sorted(soon, key=lambda pair: (pair[0], pair[1].id))
    ]


def _coverage_figures(spend: EligibleSpend | None) -> Figures:
    if spend is None:
        return Figures(dict.fromkeys(COVERAGE_MEMBERS), dict.fromkeys(COVERAGE_MEMBERS, NO_COVERAGE))
    on_demand = {"onDemandUncovered30d": amount_as_json(spend.on_demand, USD)}
    coverage, rate, savings = spend.coverage, spend.effective_savings_rate, spend.savings
    if coverage is None or rate is None or savings is None:
        unknown = COVERAGE_MEMBERS[:-1]
        return Figures(dict.fromkeys(unknown) | on_demand, dict.fromkeys(unknown, NO_SAVINGS))
    return Figures(
        {
            "coveragePercent": percent_as_json(coverage),
            "effectiveSavingsRatePercent": percent_as_json(rate),
            "savings30d": amount_as_json(savings, USD),
            **on_demand,
        }
    )


def _utilization_figures(owned: Sequence[OwnedCommitment]) -> Figures:
    share = utilization(owned)
    if share is None:
        is_unpriced = any(item.hourly_cost is None and item.utilization is not None for item in owned)
        return Figures(
            {"utilizationPercent": None}, {"utilizationPercent": NO_PRICE if is_unpriced else NO_UTILIZATION}
        )
    return Figures({"utilizationPercent": percent_as_json(share)})


def _purchase_figures(readings: CloudReadings) -> Figures:
    step = find_next_purchase(readings.found.get("planned", ()))
    advice: Sequence[RecommendedPurchase] = readings.found.get("advice", ())
    best = max(advice, key=lambda item: (item.monthly_savings, item.id), default=None)
    if step is not None:
        return Figures({"nextPurchase": _show_planned_purchase(step, readings)})
    if best is not None:
        return Figures({"nextPurchase": _show_recommended_purchase(best, readings)})
    return Figures({"nextPurchase": None}, {"nextPurchase": NO_PURCHASE})


def _show_planned_purchase(step: PlannedStep, readings: CloudReadings) -> JsonObject:
    target, savings = (amount_as_json(value, USD) for value in (step.target_hourly, step.target_monthly_savings))
    return {
        **_name_account(step.account, step.region, readings),
        "service": step.service,
        "commitmentPerHour": amount_as_json(step.hourly, USD),
        "monthlySavings": amount_as_json(step.monthly_savings, USD),
        "scheduledOn": step.scheduled_on.isoformat(),
        "approval": step.approval,
        "step": step.number,
        "steps": step.count,
        "targetPerHour": target,
        "targetMonthlySavings": savings,
        "note": f"Step {step.number} of {step.count}: all steps together commit ${target:,.2f} more per hour and save "
        f"${savings:,.2f} {PER_MONTH}.",
    }


def _show_recommended_purchase(purchase: RecommendedPurchase, readings: CloudReadings) -> JsonObject:
    hourly, savings = (amount_as_json(value, USD) for value in (purchase.hourly_increase, purchase.monthly_savings))
    return {
        **_name_account(purchase.account, purchase.region, readings),
        "service": purchase.service,
        "commitmentPerHour": hourly,
        "monthlySavings": savings,
        "scheduledOn": None,
        "approval": None,
        "step": None,
        "steps": None,
        "targetPerHour": hourly,
        "targetMonthlySavings": savings,
        "note": f"Recommended, not scheduled. Savings are {PER_MONTH}.",
    }


def _name_account(identifier: str, region: str, readings: CloudReadings) -> JsonObject:
    named = {"id": identifier, "name": readings.names.get(identifier) or None}
    if readings.cloud == AWS:
        return {"organization": named}
    return {"billingAccount": named, "region": region}
