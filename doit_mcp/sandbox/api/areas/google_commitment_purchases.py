"""PerfectScale for Commitments: commitments, recommendations and planned purchases of Google Cloud billing accounts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial

from aiohttp import web

from .. import listing
from ..commitment_plans import Recommendation, recommend_commitment, target_share
from ..costs.calendar_days import add_months, format_rfc3339, start_of
from ..costs.google_commitments import CLOUD_SQL, COMPUTE, FEE_PRICE, GLOBAL
from ..costs.money import MICRO
from ..eligible_usage import GRANULARITIES, eligible_usage
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..seeds.commitment_policies import BASIS_DAYS
from ..seeds.google_commitments import SERVICES, seed_resource_commitments, seed_spend_commitments
from ..tenants import ApiRequest
from .google_commitments import (
    ACCOUNT_PATH,
    api_region,
    get_account_record,
    measure_spend,
    onboarded_services,
    preference_records,
)
from .perfect_scale import page_response
from .planned_purchases import plan_cycle

STATES = ("active", "expired", "creating", "pending", "cancelled", "not_yet_active")
PAID_SHARES = {COMPUTE: 0.72, CLOUD_SQL: 0.75}  # share of on-demand rates paid under a spend-based commitment of a year
REGION_PATTERN = re.compile(r"global|[a-z]+(_[a-z0-9]+)+", re.ASCII)


async def list_resource_cuds(request: ApiRequest) -> web.Response:
    """GET …/resource-based, latest first."""
    account = get_account_record(request)["id"]
    stored = request.tenant.collection("gcp resource cuds", seed_resource_commitments).values()
    rows = [_serialize_resource_cud(request, item) for item in _select_commitments(request, stored, account)]
    return page_response(request, rows, "commitmentNumericId")


async def list_spend_cuds(request: ApiRequest) -> web.Response:
    """GET …/spend-based, latest first."""
    account = get_account_record(request)["id"]
    service, region = _read_scope(request)
    stored = request.tenant.collection("gcp spend cuds", seed_spend_commitments).values()
    rows = [
        _serialize_spend_cud(request, item)
        for item in _select_commitments(request, stored, account)
        if service in ("", item["service"]) and region in ("", api_region(item["region"]))
    ]
    return page_response(request, rows, "cudId")


async def list_recommendations(request: ApiRequest) -> web.Response:
    """GET …/recommendations, by service and region."""
    account = get_account_record(request)
    service, region = _read_scope(request)
    rows = [
        _serialize_recommendation(kind, place, item)
        for kind, place in _list_scopes(request, account, service, region)
        if (item := _recommend(request, account["id"], kind, place)) is not None
    ]
    return json_response({"items": rows, "pageToken": None, "rowCount": len(rows)})


async def get_recommendation(request: ApiRequest) -> web.Response:
    """GET …/recommendations/{gcp_service}, with the eligible spend behind it."""
    account, service = get_account_record(request), request.path_parameter("gcp_service").lower()
    if service not in SERVICES:
        raise bad_request(f"gcp_service must be one of {', '.join(SERVICES)}", field="gcp_service")
    region = _read_region(request, service)
    if not region and service == CLOUD_SQL:
        raise bad_request("region is required for cloud_sql", code="validation_failed", field="region")
    granularity = listing.query_choice(request.query, "granularity", GRANULARITIES, "day")
    scopes = dict(_list_scopes(request, account, service, region or GLOBAL))
    if service not in scopes:
        raise ApiError(404, "there is no eligible spend in this region")
    found = _recommend(request, account["id"], service, scopes[service])
    points = eligible_usage(
        request, granularity, partial(_read_rates, request, account["id"], service, scopes[service])
    )
    response: JsonObject = {"estimatedEquivalentRecommendedCommitment": 0.0, "eligibleUsage": points}
    if found is not None:
        response["estimatedEquivalentRecommendedCommitment"] = found.on_demand_rate
        response["recommendation"] = _serialize_recommendation(service, scopes[service], found)
    return json_response(response)


async def list_purchases(request: ApiRequest) -> web.Response:
    """GET …/planned-purchases: weekly steps from the current to the recommended commitment, by service."""
    account = get_account_record(request)
    service, region = _read_scope(request)
    rows: list[JsonObject] = []
    for kind in SERVICES:
        scopes = [place for one, place in _list_scopes(request, account, service, region) if one == kind]
        found = [plan for place in scopes if (plan := _plan_purchase(request, account["id"], kind, place)) is not None]
        if found:
            rows.append({"service": kind, "billingAccountId": account["id"], "regions": found})
    return page_response(request, rows, "service")


def _read_scope(request: ApiRequest) -> tuple[str, str]:
    """gcp_service and region of the query, "" if absent; 400 for a region that does not fit."""
    service = request.query.get("gcp_service", "").lower()
    if service and service not in SERVICES:
        raise bad_request(f"gcp_service must be one of {', '.join(SERVICES)}", field="gcp_service")
    return service, _read_region(request, service)


def _read_region(request: ApiRequest, service: str) -> str:
    region = request.query.get("region", "")
    if region and not service:
        raise bad_request("region requires gcp_service", code="gcp_service_required", field="region")
    fits = (region == GLOBAL) == (service == COMPUTE)
    if region and not (REGION_PATTERN.fullmatch(region) and fits):
        raise bad_request(f"region does not fit {service}", code="validation_failed", field="region")
    return region


def _list_scopes(request: ApiRequest, account: JsonObject, service: str, region: str) -> list[tuple[str, str]]:
    """The (service, region) pairs of an account that are onboarded and have eligible spend, as far as selected."""
    return [
        (kind, place)
        for kind in onboarded_services(account)
        for place in measure_spend(request).regions(account["id"], kind)
        if service in ("", kind) and region in ("", api_region(place))
    ]


def _read_rates(
    request: ApiRequest, account: str, service: str, region: str, first: int, last: int
) -> Mapping[int, float]:
    """The eligible spend in dollars per hour of the days in a range that have billing lines."""
    ledger = request.tenant.ledger
    days = measure_spend(request).daily(account, service, max(first, ledger.first), min(last, ledger.last), region)
    return {day: spend.on_demand / MICRO / 24 for day, spend in days.items() if spend.on_demand}


def _recommend(request: ApiRequest, account: str, service: str, region: str) -> Recommendation | None:
    """The recommended spend-based commitment under the account's policy; None without eligible spend."""
    rates = _read_rates(request, account, service, region, request.today - BASIS_DAYS, request.today - 1)
    if not rates:
        return None
    settings = preference_records(request)[f"{account} {service} {region}"]["settings"]
    current = _current_commitment(request, account, service, region)
    share = target_share(request, settings["policy"])
    return recommend_commitment(settings, rates.values(), current, share, PAID_SHARES[service])


def _current_commitment(request: ApiRequest, account: str, service: str, region: str) -> float:
    """The active spend-based commitments of a scope, in dollars per hour."""
    stored = request.tenant.collection("gcp spend cuds", seed_spend_commitments).values()
    scope = (account, service, region)
    return sum(
        float(item["hourly"])
        for item in stored
        if (item["account"], item["service"], item["region"]) == scope and item["start"] <= request.now < item["end"]
    )


def _plan_purchase(request: ApiRequest, account: str, service: str, region: str) -> JsonObject | None:
    """The planned purchases of a scope; None if the gap is too small."""
    preference = preference_records(request)[f"{account} {service} {region}"]
    found = _recommend(request, account, service, region)
    plan = None if found is None else plan_cycle(request, preference, found)
    return None if plan is None else {"region": api_region(region), **plan, "wowViolation": False}


def _serialize_recommendation(service: str, region: str, found: Recommendation) -> JsonObject:
    return {
        "policy": found.policy,
        "region": api_region(region),
        "service": service,
        "currentCommitment": found.current,
        "recommendedCommitment": found.recommended,
        "potentialAdditionalSavings": found.monthly_savings,
        "estimatedAverageCoverage": found.average_coverage,
    }


def _record_state(request: ApiRequest, record: JsonObject) -> str:
    if request.now < record["start"]:
        return "not_yet_active"
    return "active" if request.now < record["end"] else "expired"


def _select_commitments(request: ApiRequest, stored: Iterable[JsonObject], account: str) -> list[JsonObject]:
    """The account's commitments with the status in the query, latest first."""
    status = listing.optional_choice(request.query, "status", STATES)
    newest = sorted(stored, key=lambda item: -float(item["start"]))
    return [item for item in newest if item["account"] == account and status in ("", _record_state(request, item))]


def _serialize_resource_cud(request: ApiRequest, record: JsonObject) -> JsonObject:
    month = add_months(start_of("month", request.today), -1)
    state = _record_state(request, record)
    spend = measure_spend(request).total(record["account"], COMPUTE, month, add_months(month, 1) - 1)
    used = state == "active"
    cores = round(spend.fees / FEE_PRICE / 24 / (add_months(month, 1) - month))
    return {
        "commitmentNumericId": record["id"],
        "name": record["name"],
        "state": state.upper(),
        "plan": "TWELVE_MONTH",
        "region": "europe-west1",
        "autoRenew": used,
        "reservedResources": [{"resourceKind": "VCPU", "amount": str(max(1, cores))}],
        "createdTime": format_rfc3339(record["start"]),
        "startTime": format_rfc3339(record["start"]),
        "endTime": format_rfc3339(record["end"]),
        "lastMonthCPUUtilization": 1.0 if used else 0.0,
        "lastMonthCPUCoverage": round(spend.covered / spend.list_cost, 4) if used and spend.list_cost else 0.0,
        "lastMonthCPUSavings": round(spend.savings / MICRO, 2) if used else 0.0,
    }


def _serialize_spend_cud(request: ApiRequest, record: JsonObject) -> JsonObject:
    return {
        "cudId": record["id"],
        "cudProductName": record["product"],
        "state": _record_state(request, record).replace("_", " ").capitalize(),
        "commitmentAmount": record["hourly"],
        "commitmentUnit": "USD",
        "term": "P1Y",
        "region": record["region"],
        "startTime": format_rfc3339(record["start"]),
        "endTime": format_rfc3339(record["end"]),
        "lastMonthUtilization": 0.0,
        "lastMonthSavings": 0.0,
    }


_RECOMMENDATIONS_PATH = ACCOUNT_PATH + "/recommendations"
ROUTES = (
    Route("GET", ACCOUNT_PATH + "/resource-based", list_resource_cuds, "costs.read"),
    Route("GET", ACCOUNT_PATH + "/spend-based", list_spend_cuds, "costs.read"),
    Route("GET", _RECOMMENDATIONS_PATH, list_recommendations, "costs.read"),
    Route("GET", _RECOMMENDATIONS_PATH + "/{gcp_service}", get_recommendation, "costs.read"),
    Route("GET", ACCOUNT_PATH + "/planned-purchases", list_purchases, "costs.read"),
)
