"""Cloud quotas and incidents: /core/v1/service-quotas and /core/v1/cloudincidents."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..costs.calendar_days import day_of_seconds, format_rfc3339, seconds_of
from ..costs.cloud_quotas import Quota, measure_quotas
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..seeds import customer_account
from ..tenants import ApiRequest, Records, get_existing, newest_first

LIST_FIELDS = ("id", "createTime", "platform", "product", "status", "title")
WARNING_PERCENT, EXCEEDED_PERCENT = 80.0, 100.0


async def list_quotas(request: ApiRequest) -> web.Response:
    """GET /core/v1/service-quotas, highest usage first; rowCount covers all pages."""
    cloud = listing.optional_choice(request.query, "cloudProvider", ("aws", "gcp"))
    minimum = _parse_percent(request.query.get("minUtilizationPercent", ""))
    quotas = [
        _serialize_quota(request, item)
        for item in measure_quotas(request.tenant.ledger, day_of_seconds(request.tenant.started_at))
    ]
    rows = [item for item in quotas if cloud in ("", item["cloudProvider"]) and item["utilizationPercent"] >= minimum]
    rows.sort(key=lambda item: (-item["utilizationPercent"], item["id"]))
    page = request.paginate(rows, 50, 200)
    items = [{name: value for name, value in item.items() if name != "id"} for item in page.rows]
    body: JsonObject = {"items": items, "rowCount": len(rows)}
    return json_response(body | ({"pageToken": page.token} if page.token else {}))


async def list_incidents(request: ApiRequest) -> web.Response:
    """GET /core/v1/cloudincidents, latest first."""
    criteria = listing.parse_filter(request.query.get("filter", ""), ("platform", "product", "status", "title"))
    incidents = listing.filter_by_creation(request.query, newest_first(_incident_records(request)))
    incidents = listing.filter_rows(incidents, criteria, lambda item, key: str(item[key]))
    rows = [{name: item[name] for name in LIST_FIELDS} for item in incidents]
    page = request.paginate(rows)
    return json_response(request.list_body("incidents", page))


async def get_incident(request: ApiRequest) -> web.Response:
    """GET /core/v1/cloudincidents/{id}."""
    return json_response(get_existing(_incident_records(request), request.path_parameter("id"), "cloud incident"))


def _incident_records(request: ApiRequest) -> Records:
    return request.tenant.collection("incidents", customer_account.seed_incidents)


def _parse_percent(text: str) -> float:
    try:
        percent = float(text or 0)
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        raise bad_request("minUtilizationPercent must be a number between 0 and 100", field="minUtilizationPercent")
    return percent


def _serialize_quota(request: ApiRequest, quota: Quota) -> JsonObject:
    percent = round(100 * quota.usage / quota.limit, 2)
    resource = {"type": "account" if quota.cloud == "aws" else "project", "id": quota.project, "name": quota.name}
    return {
        "id": f"{quota.project}/{quota.quota}",
        "cloudProvider": quota.cloud,
        "resource": resource,
        "service": quota.service,
        "quota": quota.quota,
        "region": quota.region,
        "limit": quota.limit,
        "usage": quota.usage,
        "utilizationPercent": percent,
        "status": "exceeded" if percent >= EXCEEDED_PERCENT else "warning" if percent >= WARNING_PERCENT else "ok",
        "observedAt": format_rfc3339(seconds_of(request.today)),
    }


ROUTES: tuple[Route, ...] = (
    Route("GET", "/core/v1/service-quotas", list_quotas, "quotas.read"),
    Route("GET", "/core/v1/cloudincidents", list_incidents, "incidents.read"),
    Route("GET", "/core/v1/cloudincidents/{id}", get_incident, "incidents.read"),
)
