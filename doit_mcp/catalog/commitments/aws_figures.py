"""AWS figures of the commitment summary: read from PerfectScale for Commitments, each null with a reason if unknown."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.amounts import amount_as_json, percent_as_json
from ..partial_results import describe_error, gather_partial
from ..periods.period import Period
from .aws import (
    PER_MONTH,
    OwnedCommitment,
    RecommendedPurchase,
    list_organizations,
    read_recommended_purchases,
    read_reserved_instances,
    read_savings_plans,
)
from .coverage import add_spend, utilization
from .planned_purchases import PlannedStep, next_step, read_planned_steps

USD = "USD"
"""PerfectScale for Commitments has all amounts in US dollars."""
EXPIRY_DAYS = 90
COVERAGE_MEMBERS = ("coveragePercent", "effectiveSavingsRatePercent", "savings30d", "onDemandUncovered30d")
AWS_MEMBERS = (*COVERAGE_MEMBERS, "utilizationPercent", "expiring", "nextPurchase")
MEMBERS_BY_TOPIC = {
    "coverage": COVERAGE_MEMBERS,
    "plans": ("utilizationPercent", "expiring"),
    "reserved": ("utilizationPercent", "expiring"),
    "advice": ("nextPurchase",),
    "planned": ("nextPurchase",),
}
NO_ORGANIZATION = "no AWS organization is onboarded to PerfectScale for Commitments"
NO_COVERAGE = "PerfectScale for Commitments has no coverage of the last 30 days yet"
NO_SAVINGS = "PerfectScale for Commitments has not computed the savings of the last 30 days yet"
NO_UTILIZATION = "AWS has not reported the use of an active Savings Plan or Reserved Instance"
NO_PURCHASE = "no purchase is planned or recommended"


@dataclass(frozen=True, slots=True)
class Figures:
    """Members of a cloud's commitments, and why those that are null are unknown."""

    members: Mapping[str, Any]
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AwsReadings:
    """What was read about all AWS organizations, by topic, and why topics could not be read."""

    organization_names: Mapping[str, str]
    found: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


async def read_aws(call: Call, today: date) -> AwsReadings:
    """Read the commitments of all AWS organizations. Raise ApiError if the organizations cannot be listed."""
    doit, names = call.doit, await list_organizations(call)
    work: dict[tuple[str, str], Awaitable[Any]] = {}
    for identifier in names:
        work["coverage", identifier] = doit.aws_commitments.get_aws_organization(managementAccountId=identifier)
        work["plans", identifier] = read_savings_plans(doit, identifier)
        work["reserved", identifier] = read_reserved_instances(doit, identifier)
        work["advice", identifier] = read_recommended_purchases(doit, identifier)
        work["planned", identifier] = read_planned_steps(doit, identifier, today)
    by_name = {" ".join(key): key for key in work}
    parts = await gather_partial({name: work[key] for name, key in by_name.items()})
    found: dict[str, list[Any]] = {}
    for name, result in parts.results.items():
        found.setdefault(by_name[name][0], []).extend(result if isinstance(result, list) else [result])
    errors = {by_name[name][0]: describe_error(error) for name, error in parts.errors.items()}
    return AwsReadings(names, found, errors)


def coverage_period(readings: AwsReadings) -> Period | None:
    """Return the days that the coverage is about; None if it is unknown."""
    spend = add_spend(readings.found.get("coverage", ()))
    return None if spend is None else Period(spend.first, spend.last)


def failed_figures(error: ApiError) -> Figures:
    """Return the figures if the organizations could not be read."""
    return unknown_figures(describe_error(error))


def unknown_figures(why: str) -> Figures:
    """Return the figures if all are unknown for one reason."""
    return Figures(dict.fromkeys(AWS_MEMBERS), dict.fromkeys(AWS_MEMBERS, why))


def aws_figures(readings: AwsReadings, today: date) -> Figures:
    """Return the figures of all AWS organizations together."""
    if not readings.organization_names:
        return unknown_figures(NO_ORGANIZATION)
    owned = [*readings.found.get("plans", ()), *readings.found.get("reserved", ())]
    parts = (
        _coverage_figures(readings.found.get("coverage", ())),
        _utilization_figures(owned),
        Figures({"expiring": expiring_commitments(owned, today)}),
        _purchase_figures(readings),
    )
    members = {name: value for part in parts for name, value in part.members.items()}
    reasons = {name: why for part in parts for name, why in part.reasons.items()}
    # A sum over the organizations that could be read would be wrong.
    failed = {name: why for topic, why in readings.errors.items() for name in MEMBERS_BY_TOPIC[topic]}
    return Figures(members | dict.fromkeys(failed), reasons | failed)


def expiring_commitments(owned: Iterable[OwnedCommitment], today: date) -> list[JsonObject]:
    """Return the commitments that end within EXPIRY_DAYS, the earliest first."""
    last = today + timedelta(days=EXPIRY_DAYS)
    soon = [(item.ends, item) for item in owned if item.ends is not None and today <= item.ends <= last]
    return [
        {
            "id": item.id,
            "title": item.title,
            "ends": ends.isoformat(),
            "costPerHour": amount_as_json(item.hourly_cost, USD),
        }
        for ends, item in sorted(soon, key=lambda pair: (pair[0], pair[1].id))
    ]


def _coverage_figures(organizations: Sequence[JsonObject]) -> Figures:
    spend = add_spend(organizations)
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
        return Figures({"utilizationPercent": None}, {"utilizationPercent": NO_UTILIZATION})
    return Figures({"utilizationPercent": percent_as_json(share)})


def _purchase_figures(readings: AwsReadings) -> Figures:
    step = next_step(readings.found.get("planned", ()))
    advice: Sequence[RecommendedPurchase] = readings.found.get("advice", ())
    best = max(advice, key=lambda item: (item.monthly_savings, item.id), default=None)
    if step is not None:
        return Figures({"nextPurchase": _planned_purchase(step, readings)})
    if best is not None:
        return Figures({"nextPurchase": _recommended_purchase(best, readings)})
    return Figures({"nextPurchase": None}, {"nextPurchase": NO_PURCHASE})


def _planned_purchase(step: PlannedStep, readings: AwsReadings) -> JsonObject:
    target, savings = (amount_as_json(value, USD) for value in (step.target_hourly, step.target_monthly_savings))
    return {
        "organization": _organization(step.organization, readings),
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


def _recommended_purchase(purchase: RecommendedPurchase, readings: AwsReadings) -> JsonObject:
    hourly, savings = (amount_as_json(value, USD) for value in (purchase.hourly_increase, purchase.monthly_savings))
    return {
        "organization": _organization(purchase.organization, readings),
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


def _organization(identifier: str, readings: AwsReadings) -> JsonObject:
    return {"id": identifier, "name": readings.organization_names.get(identifier) or None}
