"""Insights: /insights/v1/results, from DoiT, and from customers with the source public-api."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from .. import listing
from ..costs.calendar_days import format_rfc3339
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import BOOLEAN, INTEGER, NUMBER, compile_object, enum_schema, object_schema, text_schema
from ..seeds.insights import seed_insights
from ..tenants import ApiRequest, Records, add_record, check_capacity, get_existing

PUBLIC_API_SOURCE = "public-api"  # the only source that the API can write
RESULTS_PATH = "/insights/v1/results"
INSIGHT_PATH = RESULTS_PATH + "/source/{sourceID}/insight/{insightKey}"
STATUSES = ("actionable", "acknowledged", "in progress", "optimized", "dismissed")
RESULT_TYPES = (
    "security_risk",
    "potential_daily_savings",
    "potential_daily_savings_with_recommendation",
    "potential_daily_savings_with_cluster_agent",
)
NAME, LONG_TEXT = text_schema(500, minLength=1), text_schema(20_000)
STATUS = enum_schema(*STATUSES, "upgrade needed", "permissions needed")
DISMISSAL = object_schema(
    "",
    comment=LONG_TEXT,
    reason=enum_schema(
        "not relevant",
        "not enough information",
        "not worth the effort",
        "inaccurate optimization opportunities",
    ),
)
RESOURCE = object_schema(
    "resourceId resultType account cloudProvider",
    resourceId=NAME,
    resourceType=LONG_TEXT,
    cloudProvider=NAME,
    account=NAME,
    location=LONG_TEXT,
    externalId=LONG_TEXT,
    externalUrl=LONG_TEXT,
    metadata={"type": "object"},
    resultType=enum_schema(*RESULT_TYPES),
    result=object_schema(
        "",
        value=NUMBER,
        critical=INTEGER,
        high=INTEGER,
        medium=INTEGER,
        low=INTEGER,
        current=LONG_TEXT,
        recommendation=LONG_TEXT,
        agentInstalled=BOOLEAN,
    ),
)
RESOURCES: JsonObject = {"type": "array", "items": RESOURCE, "maxItems": 5000}
MEMBERS: dict[str, JsonObject] = {
    "key": NAME,
    "title": NAME,
    "shortDescription": NAME,
    "detailedDescriptionMdx": LONG_TEXT,
    "cloudProvider": NAME,
    "categories": {"type": "array", "items": enum_schema("FinOps", "Security"), "minItems": 1, "uniqueItems": True},
    "reportUrl": LONG_TEXT,
    "cloudFlowTemplateId": LONG_TEXT,
    "easyWinDescription": LONG_TEXT,
}
REQUIRED_MEMBERS = "key title shortDescription cloudProvider categories"
NEW_INSIGHTS = compile_object(
    "results",
    results={
        "type": "array",
        "maxItems": 500,
        "items": object_schema(f"{REQUIRED_MEMBERS} resourceResults", **MEMBERS, resourceResults=RESOURCES),
    },
)
INSIGHT_BODY = compile_object(REQUIRED_MEMBERS, **MEMBERS, status=STATUS, dismissalDetails=DISMISSAL)
STATUS_CHANGE = compile_object("status", status=STATUS, dismissalDetails=DISMISSAL)
REPLACE_RESOURCES_BODY = compile_object("resourceResults", resourceResults=RESOURCES)


def insight_records(request: ApiRequest) -> Records:
    """The tenant's insights by source and key: InsightResponse with *resources* and *priority*."""
    return request.tenant.collection("insights", seed_insights)


async def list_insights(request: ApiRequest) -> web.Response:
    """GET /insights/v1/results, latest updated first; pagination is nested."""
    newest = sorted(insight_records(request).values(), key=lambda item: (item["lastUpdated"], item["id"]), reverse=True)
    # Compared as it is written: an unknown category matches nothing.
    category = request.query.get("category", "")
    term, cloud = request.query.get("searchTerm", "").lower(), request.query.get("cloudProvider", "")
    easy_wins_only, with_flow_only = (
        listing.query_flag(request.query, "easyWin"),
        listing.query_flag(request.query, "cloudFlows"),
    )
    filters = {
        "displayStatus": _query_values(request, "displayStatus", STATUSES),
        "source": _query_values(request, "source"),
        "priority": _query_values(request, "priority", ("Low", "Medium", "High")),
    }
    tags = set(_query_values(request, "tag"))
    rows = [
        _serialize(item)
        for item in newest
        if all(not allowed or item.get(name) in allowed for name, allowed in filters.items())
        and (not category or category in item["categories"])
        and (not cloud or item["cloudProvider"] == cloud)
        and (not tags or tags & set(item["tags"]))
        and term in f"{item['title']} {item['shortDescription']}".lower()
        and (not easy_wins_only or "easyWinDescription" in item)
        and (not with_flow_only or "cloudFlowTemplateId" in item)
    ]
    scope = (
        f"{request.scope} {sorted((k, v) for k, v in request.query.items() if k not in ('pageToken', 'maxResults'))}"
    )
    rows_with_ids = [{**row, "id": _insight_id(row["source"], row["key"])} for row in rows]
    page = request.paginate(rows_with_ids, 50, 500, scope=scope)
    results = [{name: value for name, value in row.items() if name != "id"} for row in page.rows]
    pagination = {"rowCount": len(results)} | ({"pageToken": page.token} if page.token else {})
    return json_response({"results": results, "pagination": pagination})


async def create_insights(request: ApiRequest) -> web.Response:
    """POST /insights/v1/results: creates or replaces by key; the response lists failures, here none."""
    new_insights = (await request.read_body(NEW_INSIGHTS))["results"]
    check_capacity(
        insight_records(request),
        len({item["key"] for item in new_insights} - {item["key"] for item in _public_api_insights(request)}),
    )
    for item in new_insights:
        _store_insight(
            request, {name: value for name, value in item.items() if name != "resourceResults"}, item["resourceResults"]
        )
    return json_response([])


async def delete_insights(request: ApiRequest) -> web.Response:
    """DELETE /insights/v1/results?insightKey=: the public-api insight with this key, if it exists."""
    if not request.query.get("insightKey"):
        raise bad_request("insightKey is required", field="insightKey")
    insight_records(request).pop(_insight_id(PUBLIC_API_SOURCE, request.query["insightKey"]), None)
    return web.Response(status=204)


async def get_insight(request: ApiRequest) -> web.Response:
    """GET …/source/{sourceID}/insight/{insightKey}."""
    return json_response(_serialize(_get_insight(request)))


async def put_insight(request: ApiRequest) -> web.Response:
    """POST …/source/public-api/insight/{insightKey}: metadata only; resources stay unchanged."""
    _require_public_api_source(request, 400)
    body = await request.read_body(INSIGHT_BODY)
    if body["key"] != request.path_parameter("insightKey"):
        raise bad_request("key must be the insightKey of the path", field="key")
    status = body.pop("status", "actionable")
    stored = insight_records(request).get(_insight_id(PUBLIC_API_SOURCE, body["key"]), {})
    return json_response(
        _serialize(_store_insight(request, {**body, "displayStatus": status}, stored.get("resources", [])))
    )


async def delete_insight(request: ApiRequest) -> web.Response:
    """DELETE …/source/public-api/insight/{insightKey}; succeeds even if it does not exist."""
    _require_public_api_source(request, 403)
    insight_records(request).pop(_insight_id(PUBLIC_API_SOURCE, request.path_parameter("insightKey")), None)
    return web.Response(status=204)


async def set_status(request: ApiRequest) -> web.Response:
    """PUT …/status (deprecated)."""
    _require_public_api_source(request, 400)
    insight, body = _get_insight(request), await request.read_body(STATUS_CHANGE)
    insight.pop("dismissalDetails", None)
    insight.update({"displayStatus": body.pop("status"), **body, "lastUpdated": format_rfc3339(request.now)})
    insight["lastStatusChange"] = {"userId": request.user.email, "lastChangedAt": format_rfc3339(request.now)}
    return web.Response(status=204)


async def list_resources(request: ApiRequest) -> web.Response:
    """GET …/resource-results."""
    return _resources_response(request, _get_insight(request))


async def replace_resources(request: ApiRequest) -> web.Response:
    """POST …/resource-results: replaces them all."""
    _require_public_api_source(request, 400)
    insight = _get_insight(request)
    insight["resources"] = [
        {**item, "resolved": False} for item in (await request.read_body(REPLACE_RESOURCES_BODY))["resourceResults"]
    ]
    insight["lastUpdated"] = format_rfc3339(request.now)
    return _resources_response(request, insight)


def _resources_response(request: ApiRequest, insight: JsonObject) -> web.Response:
    rows_with_ids: list[JsonObject] = [{"id": str(at), "row": row} for at, row in enumerate(insight["resources"])]
    page = request.paginate(rows_with_ids, 1000, 5000)
    rows = [item["row"] for item in page.rows]
    return json_response(
        {"resourceResults": rows, "rowCount": len(rows)} | ({"pageToken": page.token} if page.token else {})
    )


def _store_insight(request: ApiRequest, members: JsonObject, resources: Iterable[JsonObject]) -> JsonObject:
    """Create or replace the public-api insight with these members."""
    identifier = _insight_id(PUBLIC_API_SOURCE, members["key"])
    insight_records(request).pop(identifier, None)
    return add_record(
        insight_records(request),
        {
            "displayStatus": "actionable",
            "tags": [],
            **members,
            "id": identifier,
            "source": PUBLIC_API_SOURCE,
            "lastUpdated": format_rfc3339(request.now),
            "resources": [{"resolved": False, **item} for item in resources],
        },
    )


def _serialize(insight: JsonObject) -> JsonObject:
    hidden = ("id", "resources", "priority")
    return {name: value for name, value in insight.items() if name not in hidden} | {"summary": _sum_up(insight)}


def _sum_up(insight: JsonObject) -> JsonObject:
    """The totals of its unresolved resources: dollars per day, and risks by severity."""
    results = [(item["resultType"], item.get("result", {})) for item in insight["resources"] if not item["resolved"]]
    risks = sum(
        result.get(level, 0)
        for kind, result in results
        if kind == RESULT_TYPES[0]
        for level in ("critical", "high", "medium", "low")
    )
    savings = sum(result.get("value", 0) for kind, result in results if kind != RESULT_TYPES[0])
    zero_risks = dict.fromkeys(("operationalRisks", "performanceRisks", "reliabilityRisks", "sustainabilityRisks"), 0)
    return {**zero_risks, "potentialDailySavings": round(savings, 2), "securityRisks": risks}


def _query_values(request: ApiRequest, name: str, allowed: tuple[str, ...] = ()) -> list[str]:
    """The values of a repeated parameter; 400 for a value that is not allowed."""
    values = request.http_request.query.getall(name, [])
    if allowed and set(values) - set(allowed):
        raise bad_request(f"{name} must be one of {', '.join(allowed)}", field=name)
    return values


def _require_public_api_source(request: ApiRequest, status: int) -> None:
    if request.path_parameter("sourceID") != PUBLIC_API_SOURCE:
        raise ApiError(status, f"sourceID must be {PUBLIC_API_SOURCE}: other sources are read-only", field="sourceID")


def _get_insight(request: ApiRequest) -> JsonObject:
    return get_existing(
        insight_records(request),
        _insight_id(request.path_parameter("sourceID"), request.path_parameter("insightKey")),
        "insight",
    )


def _public_api_insights(request: ApiRequest) -> list[JsonObject]:
    return [item for item in insight_records(request).values() if item["source"] == PUBLIC_API_SOURCE]


def _insight_id(source: str, key: str) -> str:
    return f"{source}/{key}"


ROUTES = (
    Route("GET", RESULTS_PATH, list_insights, "insights.read"),
    Route("POST", RESULTS_PATH, create_insights, "insights.write"),
    Route("DELETE", RESULTS_PATH, delete_insights, "insights.write"),
    Route("GET", INSIGHT_PATH, get_insight, "insights.read"),
    Route("POST", INSIGHT_PATH, put_insight, "insights.write"),
    Route("DELETE", INSIGHT_PATH, delete_insight, "insights.write"),
    Route("PUT", INSIGHT_PATH + "/status", set_status, "insights.write"),
    Route("GET", INSIGHT_PATH + "/resource-results", list_resources, "insights.read"),
    Route("POST", INSIGHT_PATH + "/resource-results", replace_resources, "insights.write"),
)
