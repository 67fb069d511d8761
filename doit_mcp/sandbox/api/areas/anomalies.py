"""Anomalies: /anomalies/v1, detected in the billing lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from .. import listing
from ..costs.anomalies import SEVERITIES, Anomaly, detect_anomalies, sku_costs
from ..costs.calendar_days import add_periods, milliseconds_of, rfc3339, seconds_of
from ..costs.estates import SERVICES
from ..costs.ledger import Ledger
from ..costs.money import amount, round_to_cents
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..tenants import ApiRequest, Tenant, get_existing

FILTERS = ("serviceName", "billingAccount", "platform", "severityLevel")
PAGE_SCOPE_PARAMETERS = ("sortBy", "sortOrder", "filter", "minCreationTime", "maxCreationTime")
SHORT_NAMES = {(service.provider, service.id): service.short for service in SERVICES}
QUIET_DAYS = 1  # without excess, after which an anomaly ends


async def list_anomalies(request: ApiRequest) -> web.Response:
    """GET /anomalies/v1."""
    field = listing.query_choice(request.query, "sortBy", tuple(SORTS), "startTime")
    order = listing.query_choice(request.query, "sortOrder", ("asc", "desc"), "desc")
    criteria = listing.parse_filter(request.query.get("filter", ""), FILTERS)
    if any(level not in SEVERITIES for level in criteria.get("severityLevel", [])):
        raise bad_request(f"filter: severityLevel must be one of {', '.join(SEVERITIES)}", field="filter")
    anomalies = listing.filter_by_creation(request.query, list(_current_anomalies(request).values()), "startTime")
    anomalies = listing.filter_rows(anomalies, criteria, lambda item, key: str(item[key]))
    # A total order: ties are sorted by startTime, latest first, then by id.
    anomalies.sort(key=lambda item: (-item["startTime"], item["id"]))
    anomalies.sort(key=SORTS[field], reverse=order == "desc")
    if not listing.query_flag(request.query, "includeNotifications"):
        anomalies = [item | {"notifications": []} for item in anomalies]
    scope = "|".join((request.scope, *(request.query.get(name, "") for name in PAGE_SCOPE_PARAMETERS)))
    page = request.paginate(anomalies, None, scope=scope)
    counts = {level: sum(item["severityLevel"] == level for item in anomalies) for level in SEVERITIES}
    summary = {
        "countBySeverity": counts,
        "totalCostOfAnomaly": round_to_cents(sum(item["costOfAnomaly"] for item in anomalies)),
    }
    totals = {"truncated": page.token is not None, "totalCount": len(anomalies), "totalCountExact": True}
    return json_response(request.list_body("anomalies", page) | totals | {"anomalySummary": summary})


async def get_anomaly(request: ApiRequest) -> web.Response:
    """GET /anomalies/v1/{id}: the anomaly without its id, like the DoiT API."""
    item = get_existing(_current_anomalies(request), request.path_parameter("id"), "anomaly")
    return json_response({name: value for name, value in item.items() if name != "id"})


def _current_anomalies(request: ApiRequest) -> dict[str, JsonObject]:
    ledger = request.tenant.ledger
    items = [
        _make_anomaly(request.tenant, ledger, anomaly) for anomaly in request.tenant.compute_cached(detect_anomalies)
    ]
    return {item["id"]: item for item in items}


def _make_anomaly(tenant: Tenant, ledger: Ledger, anomaly: Anomaly) -> JsonObject:
    is_active = ledger.last - anomaly.last < QUIET_DAYS
    place = anomaly.place
    notification_day = add_periods("day", anomaly.first, 1)
    return {
        "id": tenant.stable_id("anomaly", place.project, place.service, str(anomaly.first)),
        "attribution": tenant.stable_id("allocation", place.project),
        "billingAccount": place.billing_account,
        "platform": place.provider,
        "scope": place.project_name,
        "serviceName": SHORT_NAMES[place.provider, place.service],
        "severityLevel": anomaly.severity,
        "costOfAnomaly": amount(anomaly.excess),
        "actualCost": amount(anomaly.actual),
        "expectedMaxCost": amount(anomaly.normal),
        "startTime": milliseconds_of(anomaly.first),
        "endTime": None if is_active else milliseconds_of(anomaly.last + 1),
        "status": "active" if is_active else "inactive",
        "deactivationReason": None if is_active else "reverted",
        "timeFrame": "Daily",
        "top3SKUs": [{"name": name, "cost": amount(cost)} for name, cost in sku_costs(ledger, anomaly)[:3]],
        "resourceData": [],
        "acknowledged": False,
        "acknowledgedAt": None,
        "acknowledgedBy": None,
        # Users are notified at the end of its first day.
        "notifications": [{"timestamp": rfc3339(seconds_of(notification_day)), "channel": "email"}]
        if notification_day <= ledger.last
        else [],
    }


SORTS: dict[str, Callable[[JsonObject], Any]] = {
    "startTime": lambda item: item["startTime"],
    "severityLevel": lambda item: SEVERITIES.index(item["severityLevel"]),
    "costOfAnomaly": lambda item: item["costOfAnomaly"],
}

ROUTES = (
    Route("GET", "/anomalies/v1", list_anomalies, "anomalies.read"),
    Route("GET", "/anomalies/v1/{id}", get_anomaly, "anomalies.read"),
)
