"""PerfectScale for Commitments: planned purchases toward a recommended commitment."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from .. import listing
from ..commitment_plans import (
    Recommendation,
    aws_preference,
    decimal_money,
    format_day,
    has_spend_dropped,
    recommend,
)
from ..costs.calendar_days import add_months, day_of_seconds, start_of
from ..responses import JsonObject
from ..seeds.commitment_policies import BOOTSTRAP_PERCENT, STEP_DAYS
from ..seeds.perfect_scale import SERVICES
from ..tenants import ApiRequest
from .perfect_scale import get_organization_record, onboarded_services, page_response

CYCLE_DAYS = 56
STEP_COUNT = 4  # in a planning cycle, a week apart
BOOTSTRAP_SHARE = BOOTSTRAP_PERCENT / 100


async def list_purchases(request: ApiRequest) -> web.Response:
    """GET …/planned-purchases: weekly steps from the current to the recommended commitment."""
    organization = get_organization_record(request)
    selected = listing.optional_choice(request.query, "service", SERVICES)
    recommendations = (
        (item, recommend(request, organization["id"], item))
        for item in onboarded_services(organization)
        if selected in ("", item)
    )
    rows = (
        _plan_purchase(request, organization["id"], service, item)
        for service, item in recommendations
        if item is not None
    )
    return page_response(request, [row for row in rows if row is not None], "service")


def _plan_purchase(
    request: ApiRequest, organization: str, service: str, recommendation: Recommendation
) -> JsonObject | None:
    """The planned purchases for a type of commitment; None if the gap is too small."""
    preference = aws_preference(request, organization, service)
    plan = plan_cycle(request, preference, recommendation)
    if plan is None:
        return None
    return {
        "managementAccountId": organization,
        "service": service,
        **plan,
        "wowViolation": has_spend_dropped(request, organization, service),
        "paymentOption": preference["settings"]["paymentOption"],
    }


def plan_cycle(request: ApiRequest, preference: JsonObject, recommendation: Recommendation) -> JsonObject | None:
    """The purchases of the current planning cycle, for either cloud; None if the gap is too small."""
    settings = preference["settings"]
    if recommendation.gap < settings["minimumCommitment"]:
        return None
    start = cycle_start(request)
    steps = list(purchase_steps(recommendation, start, settings["lastDayOfMonthForPurchase"], preference["ceiling"]))
    is_approved = preference["approval"] == "approved"
    return {
        "status": "valid",
        "purchaseApprovalStatus": preference["approval"],
        "pauseNote": None,
        "requiresApproval": not is_approved or recommendation.recommended > preference["ceiling"],
        "profile": recommendation.policy,
        "term": settings["term"],
        "finalCommitment": decimal_money(recommendation.recommended),
        "weeksToTarget": sum(item["scheduledDate"] >= format_day(request.today) for item in steps),
        "planningCycleStartDate": format_day(start),
        "planningCycleEndDate": format_day(start + CYCLE_DAYS - 1),
        "estimatedSavings": decimal_money(recommendation.monthly_savings),
        "steps": steps,
    }


def cycle_start(request: ApiRequest) -> int:
    """The first day of the current planning cycle."""
    started = day_of_seconds(request.tenant.started_at)
    return started + (request.today - started) // CYCLE_DAYS * CYCLE_DAYS


def purchase_steps(recommendation: Recommendation, start: int, last_day: int, ceiling: float) -> Iterator[JsonObject]:
    """A large step followed by equal ones; none after day *last_day* of a month."""
    sizes = [BOOTSTRAP_SHARE, *((1 - BOOTSTRAP_SHARE) / (STEP_COUNT - 1) for _ in range(STEP_COUNT - 1))]
    # Differences of rounded sums, so that the steps add up exactly.
    shares = [sum(sizes[:at]) for at in range(STEP_COUNT)] + [1.0]
    commitments = [round(recommendation.current + recommendation.gap * share, 2) for share in shares]
    savings = [round(recommendation.monthly_savings * share, 2) for share in shares]
    for at in range(STEP_COUNT):
        day = start + STEP_DAYS * (at + 1)
        month = start_of("month", day)
        yield {
            "order": at + 1,
            "scheduledDate": format_day(day if day - month < last_day else add_months(month, 1)),
            "purchaseAmount": decimal_money(commitments[at + 1] - commitments[at]),
            "cumulativeCommitment": decimal_money(commitments[at + 1]),
            "estimatedSavings": decimal_money(savings[at + 1] - savings[at]),
            "isBootstrap": at == 0,
            "isFinal": at == STEP_COUNT - 1,
            "requiresApproval": commitments[at + 1] > ceiling,
        }
