"""PerfectScale for Commitments: purchases, recommendations and usage of AWS organizations."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from .. import listing
from ..commitment_plans import (
    Recommendation,
    decimal_money,
    hourly_spend,
    list_active_plans,
    plan_state,
    recommend,
    total_commitment,
)
from ..costs.calendar_days import DAY_SECONDS, add_months, format_rfc3339, seconds_of, start_of
from ..costs.coverage import INSTANCE_PRICE, Spend, measure_coverage
from ..costs.coverage_rates import RESERVED_DISCOUNT_PERCENT
from ..costs.money import MICRO
from ..eligible_usage import GRANULARITIES, HOURS_PER_DAY, eligible_usage
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..seeds.perfect_scale import INSTANCE_TYPE, SERVICES, TERM_DAYS, seed_plans, seed_reservations
from ..tenants import ApiRequest
from .perfect_scale import ORGANIZATION_PATH, get_organization_record, onboarded_services, page_response
from .planned_purchases import list_purchases

PLAN_TYPES = ("compute", "ec2_instance", "sagemaker", "database")
PLAN_STATES = tuple(
    "pending_return returning active expired queued queued_returning payment_failed payment_pending".split()
)
INSTANCE_STATES = ("active", "retired", "payment_pending", "payment_failed", "queued", "queued_deleted")
UPFRONT_SHARES = {"no_upfront": 0.0, "partial_upfront": 0.5, "all_upfront": 1.0}
UTILIZATION_DAYS, NORMALIZED_UNITS = 30, 8  # days of reported reservation usage, normalized units of an xlarge instance


async def list_plans(request: ApiRequest) -> web.Response:
    """GET …/savings-plans, latest first."""
    organization = get_organization_record(request)["id"]
    filters = _read_filters(request, savingsPlanType=("type", PLAN_TYPES), state=("status", PLAN_STATES))
    newest = sorted(
        request.tenant.collection("savings plans", seed_plans).values(), key=lambda item: -float(item["start"])
    )
    rows = [_serialize_plan(request, item) for item in newest if item["organization"] == organization]
    return page_response(request, _filter_rows(rows, filters), "commitmentId")


async def list_reservations(request: ApiRequest) -> web.Response:
    """GET …/reserved-instances, latest first."""
    organization = get_organization_record(request)["id"]
    filters = _read_filters(
        request,
        state=("status", INSTANCE_STATES),
        offeringClass=("offeringClass", ("standard", "convertible")),
        instanceType=("instanceType", ()),
        region=("region", ()),
    )
    family = request.query.get("instanceFamily", "")
    stored = request.tenant.collection("reserved instances", seed_reservations).values()
    rows = [
        _serialize_reservation(request, item)
        for item in sorted(stored, key=lambda item: -float(item["start"]))
        if item["organization"] == organization and (not family or item["type"].partition(".")[0] == family)
    ]
    return page_response(request, _filter_rows(rows, filters), "commitmentId")


async def list_recommendations(request: ApiRequest) -> web.Response:
    """GET …/recommendations, by type of commitment."""
    organization = get_organization_record(request)
    recommendations = {
        service: recommend(request, organization["id"], service) for service in onboarded_services(organization)
    }
    return json_response(
        {service: _serialize_recommendation(item) for service, item in recommendations.items() if item is not None}
    )


async def get_recommendation(request: ApiRequest) -> web.Response:
    """GET …/recommendations/{serviceId}, with the eligible spend behind it."""
    organization, service = get_organization_record(request), request.path_parameter("serviceId")
    if service not in SERVICES:
        raise bad_request(f"serviceId must be one of {', '.join(SERVICES)}", field="serviceId")
    granularity = listing.query_choice(request.query, "granularity", GRANULARITIES, "day")
    recommendation = (
        recommend(request, organization["id"], service) if service in onboarded_services(organization) else None
    )
    if recommendation is None:
        raise ApiError(404, f"there is no recommendation: {service} is not onboarded or has no eligible spend")
    points = eligible_usage(request, granularity, partial(hourly_spend, request, organization["id"], service))
    return json_response({"recommendation": _serialize_recommendation(recommendation), "eligibleUsage": points})


def _read_filters(request: ApiRequest, **names: tuple[str, tuple[str, ...]]) -> dict[str, str]:
    """The required values of row members, from query parameters; 400 for a value that is not allowed."""
    filters = {}
    for member, (name, allowed) in names.items():
        value = request.query.get(name, "")
        if value:
            filters[member] = listing.query_choice(request.query, name, allowed, "") if allowed else value
    return filters


def _filter_rows(rows: list[JsonObject], filters: dict[str, str]) -> list[JsonObject]:
    return [row for row in rows if all(row[name] == value for name, value in filters.items())]


def _serialize_plan(request: ApiRequest, plan: JsonObject) -> JsonObject:
    organization, service, hourly = plan["organization"], plan["service"], plan["commitment"]
    upfront = UPFRONT_SHARES[plan["payment"]]
    last_month = add_months(start_of("month", request.today), -1)
    active = list_active_plans(
        request, organization, service, seconds_of(last_month), seconds_of(add_months(last_month, 1)) - 1
    )
    response: JsonObject = {
        "commitmentId": plan["id"],
        "savingsPlanArn": f"arn:aws:savingsplans::{organization}:savingsplan/{plan['id']}",
        "savingsPlanType": service,
        "state": plan_state(plan, request.now),
        "paymentOption": plan["payment"],
        "termDuration": plan["term"],
        "commitment": decimal_money(hourly),
        "recurringPaymentAmount": decimal_money(hourly * (1 - upfront)),
        "ec2InstanceFamily": None,
        "region": None,
        "startTime": format_rfc3339(plan["start"]),
        "endTime": format_rfc3339(plan["end"]),
        "lastMonthUtilization": None,
    }
    if upfront:
        response["upfrontPaymentAmount"] = decimal_money(hourly * HOURS_PER_DAY * TERM_DAYS[plan["term"]] * upfront)
    if plan in active:
        coverage = request.tenant.compute_cached(measure_coverage)
        members = [item.id for item in coverage.members(organization)]
        spend = coverage.total(service, members, last_month, add_months(last_month, 1) - 1)
        response["lastMonthUtilization"] = round(spend.plan_cost / spend.plan_fees, 4)
        response["lastMonthSavings"] = decimal_money(spend.plan_savings / MICRO * hourly / total_commitment(active))
    return response


def _serialize_reservation(request: ApiRequest, record: JsonObject) -> JsonObject:
    state = plan_state(record, request.now, "retired")
    is_in_use = state == "active" and record["type"] == INSTANCE_TYPE
    month_start = start_of("month", request.today)
    spend = _reserved_spend(request, record, request.today - UTILIZATION_DAYS, request.today - 1, is_in_use)
    month = _reserved_spend(request, record, month_start, request.today, is_in_use)
    return {
        "commitmentId": record["id"],
        "accountId": record["account"],
        "state": state,
        **_reservation_terms(record),
        **_reservation_figures(record, spend),
        "mtdSavings": decimal_money(month.reservation_savings / MICRO),
        "mtdUtilization": round(_used_share(month), 4) if month.reservation_fees else None,
        "updatedAt": format_rfc3339(request.now - request.now % 3600),
    }


def _reservation_terms(record: JsonObject) -> JsonObject:
    """What was bought, and for how long."""
    return {
        "instanceType": record["type"],
        "reservedInstanceArn": f"arn:aws:ec2:{record['region']}:{record['account']}:reserved-instances/{record['id']}",
        "instanceCount": record["count"],
        "instanceTenancy": "default",
        "availabilityZone": None,
        "region": record["region"],
        "platform": "Linux/UNIX",
        "description": "Linux/UNIX",
        "scope": "Region",
        "offeringClass": record["offering"],
        "offeringType": "No Upfront",
        "termDuration": record["term"],
        "durationSeconds": TERM_DAYS[record["term"]] * DAY_SECONDS,
        "startTime": format_rfc3339(record["start"]),
        "endTime": format_rfc3339(record["end"]),
        "currencyCode": "USD",
        "fixedPrice": decimal_money(0),
        "usagePrice": decimal_money(0),
        "upfrontFee": decimal_money(0),
    }


def _reservation_figures(record: JsonObject, spend: Spend) -> JsonObject:
    """Fees, savings and utilization of the last UTILIZATION_DAYS days."""
    purchased = record["count"] * HOURS_PER_DAY * UTILIZATION_DAYS if spend.reservation_fees else 0
    used = round(purchased * _used_share(spend)) if purchased else 0
    price = INSTANCE_PRICE / MICRO
    fee = price * (100 - RESERVED_DISCOUNT_PERCENT) / 100
    if purchased:
        # Reservations cover whole instances, the lines any share of one; their amounts are right, not the list price.
        price, fee = spend.reserved_list_cost / MICRO / used, spend.reservation_fees / MICRO / purchased
    utilization = round(_used_share(spend), 4) if purchased else None
    return {
        "hourlyRecurringFee": decimal_money(fee),
        "totalAssetValue": decimal_money(fee * HOURS_PER_DAY * TERM_DAYS[record["term"]] * record["count"]),
        "averageOnDemandHourlyRate": decimal_money(price),
        "amortizedRecurringFee": decimal_money(spend.reservation_fees / MICRO),
        "amortizedUpfrontFee": decimal_money(0),
        "totalAmortizedFee": decimal_money(spend.reservation_fees / MICRO),
        "netRiSavings": decimal_money(spend.reservation_savings / MICRO),
        "realizedSavings": decimal_money((price - fee) * used),
        "unrealizedSavings": decimal_money((price - fee) * (purchased - used)),
        "totalPotentialRiSavings": decimal_money((price - fee) * purchased),
        "onDemandCostOfRiHoursUsed": decimal_money(spend.reserved_list_cost / MICRO),
        "riCostForUnusedHours": decimal_money(spend.reserved_unused / MICRO),
        "purchasedHours": purchased,
        "purchasedUnits": purchased * NORMALIZED_UNITS,
        "totalActualHours": used,
        "totalNormalizedUnits": used * NORMALIZED_UNITS,
        "unusedHours": purchased - used,
        "unusedNormalizedUnits": (purchased - used) * NORMALIZED_UNITS,
        "utilizationPercentage": utilization,
        "utilizationPercentageInUnits": utilization,
        "recurringCharges": [{"amount": round(fee, 4), "frequency": "Hourly"}],
    }


def _reserved_spend(request: ApiRequest, reservation: JsonObject, first: int, last: int, is_in_use: bool) -> Spend:
    """The spend of the account that has a reservation; nothing if the reservation is not in use."""
    if not is_in_use:
        return Spend()
    return request.tenant.compute_cached(measure_coverage).total("compute", [reservation["account"]], first, last)


def _used_share(spend: Spend) -> float:
    return spend.reserved_cost / spend.reservation_fees


def _serialize_recommendation(recommendation: Recommendation) -> JsonObject:
    return {
        "policy": recommendation.policy,
        "currentCommitment": recommendation.current,
        "recommendedCommitment": recommendation.recommended,
        "potentialAdditionalSavings": recommendation.monthly_savings,
        "estimatedAverageCoverage": recommendation.average_coverage,
        "estimatedEquivalentRecommendedCommitment": recommendation.on_demand_rate,
    }


ROUTES = (
    Route("GET", ORGANIZATION_PATH + "/savings-plans", list_plans, "costs.read"),
    Route("GET", ORGANIZATION_PATH + "/reserved-instances", list_reservations, "costs.read"),
    Route("GET", ORGANIZATION_PATH + "/recommendations", list_recommendations, "costs.read"),
    Route("GET", ORGANIZATION_PATH + "/recommendations/{serviceId}", get_recommendation, "costs.read"),
    Route("GET", ORGANIZATION_PATH + "/planned-purchases", list_purchases, "costs.read"),
)
