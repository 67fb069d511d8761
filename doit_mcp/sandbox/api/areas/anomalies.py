"""Anomalies: /anomalies/v1, detected in the billing lines; their review, and the explanation of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from .. import listing
from ..costs.anomalies import SEVERITIES, Anomaly, detect_anomalies, sku_costs
from ..costs.calendar_days import add_periods, format_rfc3339, milliseconds_of, seconds_of
from ..costs.estate_types import AWS, AZURE, GOOGLE
from ..costs.estates import SERVICES
from ..costs.ledger import Ledger
from ..costs.money import round_to_cents, to_amount
from ..requested_events import requested_anomalies
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import compile_object, enum_schema, object_schema, text_schema
from ..tenants import ApiRequest, Records, Tenant, get_existing

FILTERS = ("serviceName", "billingAccount", "platform", "severityLevel")
PAGE_SCOPE_PARAMETERS = ("sortBy", "sortOrder", "filter", "minCreationTime", "maxCreationTime")
SHORT_NAMES = {(service.provider, service.id): service.short for service in SERVICES}
QUIET_DAYS = 1  # without excess, after which an anomaly ends
PROVIDERS = {AWS: ("Account", "Amazon Web Services"), GOOGLE: ("Project", "Google Cloud"), AZURE: ("Account", "Azure")}
REASONS = {
    "ANOMALY_CONFIRMED": (
        *("SECURITY_BREACH", "MISCONFIGURATION", "UNINTENTIONAL_PROVISIONING", "EXPECTED_COST_SPIKE"),
        "ANOMALOUS_OTHER",
    ),
    "NOT_ANOMALY": (*("FAULTY_ANOMALY_DETECTION_MODEL", "INCORRECT_DATA", "LOW_IMPACT", "NON_ANOMALOUS_OTHER"),),
}
RESOLVED = "RESOLVED"
NOTE = object_schema(
    "", reason=enum_schema(*(reason for reasons in REASONS.values() for reason in reasons)), comment=text_schema(5_000)
)
FEEDBACK = object_schema(
    "",
    reviewStatus=enum_schema("NEEDS_REVIEW", "UNDER_REVIEW", RESOLVED),
    resolution=enum_schema(*REASONS),
    resolutionNote=NOTE,
)
REVIEW_BODY = compile_object("customerFeedback", customerFeedback=FEEDBACK)


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


async def review_anomaly(request: ApiRequest) -> web.Response:
    """PATCH /anomalies/v1/{id}: omitted fields keep their values; RESOLVED needs a resolution, other states have none."""
    item = get_existing(_current_anomalies(request), request.path_parameter("id"), "anomaly")
    feedback = (await request.read_body(REVIEW_BODY))["customerFeedback"]
    reviews = _review_records(request)
    stored = reviews.get(item["id"], {"id": item["id"], "reviewStatus": "NEEDS_REVIEW"})
    review = {**stored, **{name: value for name, value in feedback.items() if name != "resolutionNote"}}
    if feedback.get("reviewStatus") not in (None, RESOLVED):
        review = {**review, "resolution": feedback.get("resolution"), "resolutionNote": {}}
    review["resolutionNote"] = {**review.get("resolutionNote", {}), **feedback.get("resolutionNote", {})}
    _check_review(review)
    if review["reviewStatus"] != "NEEDS_REVIEW" and "acknowledgedAt" not in review:
        review |= {"acknowledgedAt": format_rfc3339(request.now), "acknowledgedBy": request.user.email}
    reviews[item["id"]] = review
    return web.Response()


def _check_review(review: JsonObject) -> None:
    resolution, reason = review.get("resolution"), review["resolutionNote"].get("reason")
    if review["reviewStatus"] == RESOLVED and resolution is None:
        raise bad_request("resolution is required with reviewStatus RESOLVED", field="customerFeedback.resolution")
    if review["reviewStatus"] != RESOLVED and resolution is not None:
        raise bad_request("resolution is allowed with reviewStatus RESOLVED only", field="customerFeedback.resolution")
    if reason is not None and reason not in REASONS.get(resolution or "", ()):
        field = "customerFeedback.resolutionNote.reason"
        raise bad_request(f"reason {reason} is not valid for the resolution {resolution}", field=field)


async def explain_anomaly(request: ApiRequest) -> web.Response:
    """GET /anomalies/v1/{id}/explanation: a text about the anomaly, with the facts on which it is based."""
    item = get_existing(_current_anomalies(request), request.path_parameter("id"), "anomaly")
    names = ("serviceName", "platform", "scope", "severityLevel", "costOfAnomaly", "actualCost", "expectedMaxCost")
    skus = item["top3SKUs"]
    text = (
        f"{item['serviceName']} in {item['entityName']} cost ${item['actualCost']:,.2f}, and at most"
        f" ${item['expectedMaxCost']:,.2f} was expected. Most of it is {skus[0]['name'] if skus else 'one SKU'}."
    )
    return json_response(
        {
            "facts": {name: item[name] for name in names} | {"top3SKUs": skus},
            "evidence": [{"type": "anomaly", "id": item["id"]}],
            "explanation": {"text": text, "generatedBy": "sandbox", "aiGenerated": True},
        }
    )


def _review_records(request: ApiRequest) -> Records:
    """The reviews of anomalies by their ids."""
    return request.tenant.collection("anomaly reviews", lambda tenant: ())


def _current_anomalies(request: ApiRequest) -> dict[str, JsonObject]:
    ledger, reviews = request.tenant.ledger, _review_records(request)
    items = [
        _make_anomaly(request.tenant, ledger, anomaly) for anomaly in request.tenant.compute_cached(detect_anomalies)
    ]
    items += ({**item} for item in requested_anomalies(request.tenant).values())
    for item in items:
        item["linkedAnomalies"] = [other["id"] for other in items if other is not item and _is_same_spike(item, other)]
        review = reviews.get(item["id"], {})
        item |= {name: review.get(name) for name in ("acknowledgedAt", "acknowledgedBy")}
        item["acknowledged"] = item["acknowledgedAt"] is not None
    return {item["id"]: item for item in items}


def _is_same_spike(one: JsonObject, other: JsonObject) -> bool:
    """Whether two anomalies are about one service at one time."""
    return all(one[name] == other[name] for name in ("platform", "serviceName", "startTime"))


def _make_anomaly(tenant: Tenant, ledger: Ledger, anomaly: Anomaly) -> JsonObject:
    is_active = ledger.last - anomaly.last < QUIET_DAYS
    place = anomaly.place
    notification_day = add_periods("day", anomaly.first, 1)
    label, provider_name = PROVIDERS[place.provider]
    allocation = tenant.stable_id("allocation", place.project)
    # Users are notified at the end of its first day.
    was_sent = notification_day <= ledger.last
    notifications = (
        [{"timestamp": format_rfc3339(seconds_of(notification_day)), "channel": "email"}] if was_sent else []
    )
    return {
        "id": tenant.stable_id("anomaly", place.project, place.service, str(anomaly.first)),
        "attribution": allocation,
        "allocations": [{"id": allocation, "name": place.project_name}],
        "billingAccount": place.billing_account,
        "platform": place.provider,
        "providerDisplayName": provider_name,
        "scope": place.project_name,
        "entityLabel": label,
        "entityName": place.project_name,
        "monitorLevel": "service",
        "serviceName": SHORT_NAMES[place.provider, place.service],
        "severityLevel": anomaly.severity,
        "costOfAnomaly": to_amount(anomaly.excess),
        "actualCost": to_amount(anomaly.actual),
        "expectedMaxCost": to_amount(anomaly.normal),
        "startTime": milliseconds_of(anomaly.first),
        "endTime": None if is_active else milliseconds_of(anomaly.last + 1),
        "status": "active" if is_active else "inactive",
        "deactivationReason": None if is_active else "reverted",
        "timeFrame": "Daily",
        "top3SKUs": [{"name": name, "cost": to_amount(cost)} for name, cost in sku_costs(ledger, anomaly)[:3]],
        "resourceData": [],
        "notifications": notifications,
        "initialNotifications": notifications[:1],
    }


SORTS: dict[str, Callable[[JsonObject], Any]] = {
    "startTime": lambda item: item["startTime"],
    "severityLevel": lambda item: SEVERITIES.index(item["severityLevel"]),
    "costOfAnomaly": lambda item: item["costOfAnomaly"],
}

ROUTES = (
    Route("GET", "/anomalies/v1", list_anomalies, "anomalies.read"),
    Route("GET", "/anomalies/v1/{id}", get_anomaly, "anomalies.read"),
    Route("PATCH", "/anomalies/v1/{id}", review_anomaly, "anomalies.write"),
    Route("GET", "/anomalies/v1/{id}/explanation", explain_anomaly, "anomalies.read"),
)
