"""PerfectScale for Commitments: purchases, recommendations and usage of AWS organizations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import groupby
from statistics import median

from aiohttp import web

from .. import listing
from ..commitment_plans import (
    HOURLY_LOAD,
    Recommendation,
    active_plans,
    hourly_spend,
    money,
    plan_state,
    recommend,
    total_commitment,
)
from ..costs.calendar_days import DAY_SECONDS, add_months, add_periods, rfc3339, seconds_of, start_of, today_of
from ..costs.coverage import INSTANCE_PRICE, RESERVED_DISCOUNT_PERCENT, measure_coverage
from ..costs.money import MICRO
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..seeds.perfect_scale import INSTANCE_TYPE, SERVICES, TERM_DAYS, plans, reservations
from ..tenants import ApiRequest
from .perfect_scale import ORGANIZATION_PATH, get_organization_record, onboarded_services, page_response
from .planned_purchases import list_purchases

PLAN_TYPES = ("compute", "ec2_instance", "sagemaker", "database")
PLAN_STATES = tuple(
    "pending_return returning active expired queued queued_returning payment_failed payment_pending".split()
)
INSTANCE_STATES = ("active", "retired", "payment_pending", "payment_failed", "queued", "queued_deleted")
PERIOD_COUNTS = {"day": 21, "week": 16, "month": 6}  # complete periods of each granularity
HOURS_PER_DAY = 24
UPFRONT_SHARES = {"no_upfront": 0.0, "partial_upfront": 0.5, "all_upfront": 1.0}
UTILIZATION_DAYS, NORMALIZED_UNITS = 30, 8  # days of reported reservation usage, normalized units of an xlarge instance


async def list_plans(request: ApiRequest) -> web.Response:
    """GET …/savings-plans, latest first."""
    organization = get_organization_record(request)["id"]
    filters = _read_filters(request, savingsPlanType=("type", PLAN_TYPES), state=("status", PLAN_STATES))
    found = sorted(request.tenant.collection("savings plans", plans).values(), key=lambda item: -float(item["start"]))
    rows = [_serialize_plan(request, item) for item in found if item["organization"] == organization]
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
    found = request.tenant.collection("reserved instances", reservations).values()
    rows = [
        _serialize_reservation(request, item)
        for item in sorted(found, key=lambda item: -float(item["start"]))
        if item["organization"] == organization and (not family or item["type"].partition(".")[0] == family)
    ]
    return page_response(request, _filter_rows(rows, filters), "commitmentId")


async def list_recommendations(request: ApiRequest) -> web.Response:
    """GET …/recommendations, by type of commitment."""
    organization = get_organization_record(request)
    found = {service: recommend(request, organization["id"], service) for service in onboarded_services(organization)}
    return json_response(
        {service: _serialize_recommendation(item) for service, item in found.items() if item is not None}
    )


async def get_recommendation(request: ApiRequest) -> web.Response:
    """GET …/recommendations/{serviceId}, with the eligible spend behind it."""
    organization, service = get_organization_record(request), request.path_parameter("serviceId")
    if service not in SERVICES:
        raise bad_request(f"serviceId must be one of {', '.join(SERVICES)}", field="serviceId")
    granularity = listing.query_choice(request.query, "granularity", ("hour", *PERIOD_COUNTS), "day")
    found = recommend(request, organization["id"], service) if service in onboarded_services(organization) else None
    if found is None:
        raise ApiError(404, f"there is no recommendation: {service} is not onboarded or has no eligible spend")
    usage = _hourly_usage if granularity == "hour" else partial(_usage_periods, granularity=granularity)
    points = list(usage(request, organization["id"], service))
    return json_response({"recommendation": _serialize_recommendation(found), "eligibleUsage": points})


def _read_filters(request: ApiRequest, **names: tuple[str, tuple[str, ...]]) -> dict[str, str]:
    """The required values of row members, from query parameters; 400 for a value that is not allowed."""
    found = {}
    for member, (name, allowed) in names.items():
        value = request.query.get(name, "")
        if value:
            found[member] = listing.query_choice(request.query, name, allowed, "") if allowed else value
    return found


def _filter_rows(rows: list[JsonObject], filters: dict[str, str]) -> list[JsonObject]:
    return [row for row in rows if all(row[name] == value for name, value in filters.items())]


def _serialize_plan(request: ApiRequest, plan: JsonObject) -> JsonObject:
    organization, service, hour = plan["organization"], plan["service"], plan["commitment"]
    upfront = UPFRONT_SHARES[plan["payment"]]
    last = add_months(start_of("month", request.today), -1)
    whole = active_plans(request, organization, service, seconds_of(last), seconds_of(add_months(last, 1)) - 1)
    shown: JsonObject = {
        "commitmentId": plan["id"],
        "savingsPlanArn": f"arn:aws:savingsplans::{organization}:savingsplan/{plan['id']}",
        "savingsPlanType": service,
        "state": plan_state(plan, request.now),
        "paymentOption": plan["payment"],
        "termDuration": plan["term"],
        "commitment": money(hour),
        "recurringPaymentAmount": money(hour * (1 - upfront)),
        "ec2InstanceFamily": None,
        "region": None,
        "startTime": rfc3339(plan["start"]),
        "endTime": rfc3339(plan["end"]),
        "lastMonthUtilization": None,
    }
    if upfront:
        shown["upfrontPaymentAmount"] = money(hour * HOURS_PER_DAY * TERM_DAYS[plan["term"]] * upfront)
    if plan in whole:
        spent = request.tenant.compute_cached(measure_coverage)
        members = [item.id for item in spent.members(organization)]
        month = spent.total(service, members, last, add_months(last, 1) - 1)
        hours = (add_months(last, 1) - last) * HOURS_PER_DAY
        shown["lastMonthUtilization"] = round(min(1.0, month.plan_cost / MICRO / hours / total_commitment(whole)), 4)
        shown["lastMonthSavings"] = money(month.plan_savings / MICRO * hour / total_commitment(whole))
    return shown


def _serialize_reservation(request: ApiRequest, record: JsonObject) -> JsonObject:
    price = INSTANCE_PRICE / MICRO
    fee = price * (100 - RESERVED_DISCOUNT_PERCENT) / 100
    now = plan_state(record, request.now, "retired")
    runs = now == "active" and record["type"] == INSTANCE_TYPE
    bought = record["count"] * HOURS_PER_DAY * UTILIZATION_DAYS if runs else 0
    used = (
        min(bought, _covered_hours(request, record, request.today - UTILIZATION_DAYS, request.today - 1)) if runs else 0
    )
    this = start_of("month", request.today)
    so_far = record["count"] * HOURS_PER_DAY * (request.today - this + 1)
    month = min(so_far, _covered_hours(request, record, this, request.today)) if runs else 0
    days = TERM_DAYS[record["term"]]
    return {
        "commitmentId": record["id"],
        "accountId": record["account"],
        "state": now,
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
        "durationSeconds": days * DAY_SECONDS,
        "startTime": rfc3339(record["start"]),
        "endTime": rfc3339(record["end"]),
        "currencyCode": "USD",
        "fixedPrice": money(0),
        "usagePrice": money(0),
        "upfrontFee": money(0),
        "hourlyRecurringFee": money(fee),
        "totalAssetValue": money(fee * HOURS_PER_DAY * days * record["count"]),
        "averageOnDemandHourlyRate": money(price),
        "amortizedRecurringFee": money(fee * bought),
        "amortizedUpfrontFee": money(0),
        "totalAmortizedFee": money(fee * bought),
        "netRiSavings": money(price * used - fee * bought),
        "realizedSavings": money((price - fee) * used),
        "unrealizedSavings": money((price - fee) * (bought - used)),
        "totalPotentialRiSavings": money((price - fee) * bought),
        "onDemandCostOfRiHoursUsed": money(price * used),
        "riCostForUnusedHours": money(fee * (bought - used)),
        "purchasedHours": bought,
        "purchasedUnits": bought * NORMALIZED_UNITS,
        "totalActualHours": used,
        "totalNormalizedUnits": used * NORMALIZED_UNITS,
        "unusedHours": bought - used,
        "unusedNormalizedUnits": (bought - used) * NORMALIZED_UNITS,
        "utilizationPercentage": round(used / bought, 4) if bought else None,
        "utilizationPercentageInUnits": round(used / bought, 4) if bought else None,
        "mtdSavings": money((price - fee) * month),
        "mtdUtilization": round(month / so_far, 4) if month else None,
        "updatedAt": rfc3339(request.now - request.now % 3600),
        "recurringCharges": [{"amount": round(fee, 4), "frequency": "Hourly"}],
    }


def _covered_hours(request: ApiRequest, reservation: JsonObject, first: int, last: int) -> int:
    """Instance hours covered by an account's reservations."""
    spend = request.tenant.compute_cached(measure_coverage).total("compute", [reservation["account"]], first, last)
    return spend.reserved_list_cost // INSTANCE_PRICE


def _serialize_recommendation(found: Recommendation) -> JsonObject:
    return {
        "policy": found.policy,
        "currentCommitment": found.current,
        "recommendedCommitment": found.recommended,
        "potentialAdditionalSavings": found.monthly_savings,
        "estimatedAverageCoverage": found.average_coverage,
        "estimatedEquivalentRecommendedCommitment": found.on_demand_rate,
    }


def _hourly_usage(request: ApiRequest, organization: str, service: str) -> Iterator[JsonObject]:
    """The last complete hours."""
    rates = hourly_spend(request, organization, service, request.today - 1, request.today)
    last = int(request.now // 3600)
    for at in range(last - HOURS_PER_DAY, last):
        if (rate := rates.get(today_of(at * 3600))) is not None:
            yield {"usageTime": rfc3339(at * 3600), "totalUsage": round(rate * HOURLY_LOAD[at % HOURS_PER_DAY], 4)}


def _usage_periods(request: ApiRequest, organization: str, service: str, granularity: str) -> Iterator[JsonObject]:
    """The last complete days, weeks or months."""
    unit = "isoweek" if granularity == "week" else granularity
    end = start_of(unit, request.today)
    rates = hourly_spend(request, organization, service, add_periods(unit, end, -PERIOD_COUNTS[granularity]), end - 1)
    for start, days in groupby(rates, lambda day: start_of(unit, day)):
        usage = [rates[day] * swing for day in days for swing in HOURLY_LOAD]
        yield {
            "usageTime": rfc3339(seconds_of(start)),
            "minUsage": round(min(usage), 4),
            "maxUsage": round(max(usage), 4),
            "medianUsage": round(median(usage), 4),
        }


ROUTES = (
    Route("GET", ORGANIZATION_PATH + "/savings-plans", list_plans, "costs.read"),
    Route("GET", ORGANIZATION_PATH + "/reserved-instances", list_reservations, "costs.read"),
    Route("GET", ORGANIZATION_PATH + "/recommendations", list_recommendations, "costs.read"),
    Route("GET", ORGANIZATION_PATH + "/recommendations/{serviceId}", get_recommendation, "costs.read"),
    Route("GET", ORGANIZATION_PATH + "/planned-purchases", list_purchases, "costs.read"),
)
