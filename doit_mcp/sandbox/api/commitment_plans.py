"""Savings Plans: states over time, coverage, and PerfectScale recommendations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from math import pi, sin
from statistics import median

from .costs.coverage import Coverage, Spend, measure_coverage
from .costs.money import MICRO
from .responses import JsonObject
from .seeds.commitment_policies import BASIS_DAYS, seed_policies
from .seeds.perfect_scale import seed_plans, seed_preferences
from .tenants import ApiRequest

HOURS_PER_MONTH = 730
DROP_THRESHOLD = 0.2  # drop of eligible spend from one week to the next that stops purchases
# Lines are daily; within a day, load varies around its mean.
HOURLY_LOAD = tuple(1 + 0.2 * sin((hour - 9) * pi / 12) for hour in range(24))


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The recommended commitment of a type, in dollars per hour; *monthly_savings* is in dollars per month."""

    policy: str
    current: float
    recommended: float
    monthly_savings: float
    average_coverage: float  # 0 to 1
    on_demand_rate: float  # the on-demand rate that *average_coverage* covers

    @property
    def gap(self) -> float:
        """The commitment still to buy."""
        return self.recommended - self.current


def decimal_money(dollars: float) -> JsonObject:
    """An amount as the API document represents it: decimal text and currency."""
    return {"amount": f"{round(dollars, 2) + 0.0:.2f}", "currency": "USD"}


def format_day(day: int) -> str:
    """A day as YYYY-MM-DD."""
    return date.fromordinal(day).isoformat()


def plan_state(plan: JsonObject, now: float, ended: str = "expired") -> str:
    """The state of a plan or reservation; *ended* is the name of its final state."""
    if now < plan["start"]:
        return "queued"
    return "active" if now < plan["end"] else ended


def list_active_plans(
    request: ApiRequest, organization: str, service: str, since: float, until: float
) -> list[JsonObject]:
    """The plans of a type that are active throughout *since* to *until*."""
    return [
        item
        for item in request.tenant.collection("savings plans", seed_plans).values()
        if item["organization"] == organization
        and item["service"] == service
        and item["start"] <= since
        and until < item["end"]
    ]


def total_commitment(plans_: Sequence[JsonObject]) -> float:
    """The total commitment of the plans, in dollars per hour."""
    return float(sum(item["commitment"] for item in plans_))


def hourly_spend(request: ApiRequest, organization: str, service: str, first: int, last: int) -> dict[int, float]:
    """Spend that plans could cover, in dollars per hour at on-demand rates, by day; days without any are left out."""
    days = _daily_spend(request, organization, service, first, last)
    return {day: item.plan_eligible / MICRO / 24 for day, item in days.items() if item.plan_eligible}


def paid_share(request: ApiRequest, organization: str, service: str, first: int, last: int) -> float:
    """The share of on-demand rates that plans would cost for all usage they could cover on these days."""
    days = _daily_spend(request, organization, service, first, last).values()
    return sum(item.plan_price for item in days) / sum(item.plan_eligible for item in days)


def _daily_spend(request: ApiRequest, organization: str, service: str, first: int, last: int) -> dict[int, Spend]:
    coverage: Coverage = request.tenant.compute_cached(measure_coverage)
    members = [item.id for item in coverage.members(organization)]
    ledger = request.tenant.ledger
    return coverage.daily(service, members, max(first, ledger.first), min(last, ledger.last))


def aws_preference(request: ApiRequest, organization: str, service: str) -> JsonObject:
    """The settings and approvals of an organization for a type of commitment."""
    return request.tenant.collection("commitment preferences", seed_preferences)[f"{organization} {service}"]


def target_share(request: ApiRequest, policy: str) -> float:
    """The share of eligible spend to cover under a policy, from 0 to 1."""
    found = request.tenant.collection("commitment policies", seed_policies)[policy]
    return float(found["targetCoverage"]) / 100


def recommend(request: ApiRequest, organization: str, service: str) -> Recommendation | None:
    """The recommendation under the customer's policy; None without eligible spend."""
    settings = aws_preference(request, organization, service)["settings"]
    basis = (request.today - BASIS_DAYS, request.today - 1)
    days = hourly_spend(request, organization, service, *basis)
    if not days:
        return None
    current = total_commitment(list_active_plans(request, organization, service, request.now, request.now))
    paid = paid_share(request, organization, service, *basis)
    return recommend_commitment(settings, days.values(), current, target_share(request, settings["policy"]), paid)


def recommend_commitment(
    settings: JsonObject, rates: Collection[float], current: float, share: float, paid: float
) -> Recommendation:
    """Return the commitment that covers a *share* of the median hour.

    *rates* are the mean dollars per hour of days at on-demand rates, *current* the commitment in dollars per hour, and
    *paid* the share of on-demand rates that is paid under a commitment.
    """
    median_rate = median(rate * load for rate in rates for load in HOURLY_LOAD)
    target = median_rate * share * paid
    if settings["maximumCommitment"]:
        target = min(target, settings["maximumCommitment"])
    recommended = round(max(current, target), 2)
    coverage = min(1.0, recommended / paid / median_rate)
    return Recommendation(
        settings["policy"],
        round(current, 2),
        recommended,
        round((recommended - current) / paid * (1 - paid) * HOURS_PER_MONTH, 2),
        round(coverage, 4),
        round(median_rate * coverage, 4),
    )


def potential_savings(request: ApiRequest, organization: str, service: str) -> float:
    """Additional savings in dollars per month."""
    recommendation = recommend(request, organization, service)
    return recommendation.monthly_savings if recommendation is not None else 0.0


def has_spend_dropped(request: ApiRequest, organization: str, service: str) -> bool:
    """Whether eligible spend of the last week is far below that of the week before."""
    rates = hourly_spend(request, organization, service, request.today - 14, request.today - 1)
    previous_week, last_week = (
        sum(rates.get(request.today - back, 0.0) for back in range(start, start - 7, -1)) for start in (14, 7)
    )
    return last_week < previous_week * (1 - DROP_THRESHOLD)
