"""Insights: /insights/v1/results, what DoiT found and what customers bring in themselves as public-api."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from .. import listing
from ..costs.calendar_days import rfc3339
from ..responses import JsonObject, Refusal, answer, bad
from ..routes import Route
from ..schemas import FLAG, NUMBER, WHOLE, compiled, one_of, record, text
from ..seeds.insights import insights
from ..tenants import Ask, Records, added, existing, make_room

OUTSIDE = "public-api"  # the only source that the API writes
RESULTS = "/insights/v1/results"
ONE = RESULTS + "/source/{sourceID}/insight/{insightKey}"
STATUSES = ("actionable", "acknowledged", "in progress", "optimized", "dismissed")
CATEGORIES = {
    "FinOps": "FinOps",
    "OperationalExcellence": "Operational excellence",
    "Reliability": "Reliability",
    "PerformanceEfficiency": "Performance efficiency",
    "Security": "Security",
    "Sustainability": "Sustainability",
}
KINDS = (
    "security_risk",
    "potential_daily_savings",
    "potential_daily_savings_with_recommendation",
    "potential_daily_savings_with_cluster_agent",
)
NAME, LONG = text(500, minLength=1), text(20_000)
STATUS = one_of(*STATUSES, "upgrade needed", "permissions needed")
DISMISSAL = record(
    "",
    comment=LONG,
    reason=one_of(
        "not relevant",
        "not enough information",
        "not worth the effort",
        "inaccurate optimization opportunities",
    ),
)
RESOURCE = record(
    "resourceId resultType account cloudProvider",
    resourceId=NAME,
    resourceType=LONG,
    cloudProvider=NAME,
    account=NAME,
    location=LONG,
    externalId=LONG,
    externalUrl=LONG,
    metadata={"type": "object"},
    resultType=one_of(*KINDS),
    result=record(
        "",
        value=NUMBER,
        critical=WHOLE,
        high=WHOLE,
        medium=WHOLE,
        low=WHOLE,
        current=LONG,
        recommendation=LONG,
        agentInstalled=FLAG,
    ),
)
RESOURCES: JsonObject = {"type": "array", "items": RESOURCE, "maxItems": 5000}
MEMBERS: dict[str, JsonObject] = {
    "key": NAME,
    "title": NAME,
    "shortDescription": NAME,
    "detailedDescriptionMdx": LONG,
    "cloudProvider": NAME,
    "categories": {"type": "array", "items": one_of("FinOps", "Security"), "minItems": 1, "uniqueItems": True},
    "reportUrl": LONG,
    "cloudFlowTemplateId": LONG,
    "easyWinDescription": LONG,
}
NEEDED = "key title shortDescription cloudProvider categories"
CREATED = compiled(
    "results",
    results={
        "type": "array",
        "maxItems": 500,
        "items": record(f"{NEEDED} resourceResults", **MEMBERS, resourceResults=RESOURCES),
    },
)
METADATA = compiled(NEEDED, **MEMBERS, status=STATUS, dismissalDetails=DISMISSAL)
CHANGE = compiled("status", status=STATUS, dismissalDetails=DISMISSAL)
REPLACED = compiled("resourceResults", resourceResults=RESOURCES)


def records(ask: Ask) -> Records:
    """The tenant's insights by source and key: InsightResponse with *resources* and *priority*."""
    return ask.tenant.collection("insights", insights)


async def list_insights(ask: Ask) -> web.Response:
    """GET /insights/v1/results, the latest updated first; pagination is nested."""
    found = sorted(records(ask).values(), key=lambda one: (one["lastUpdated"], one["id"]), reverse=True)
    category = listing.chosen(ask.query, "category", tuple(CATEGORIES), "FinOps") if ask.query.get("category") else ""
    term, cloud = ask.query.get("searchTerm", "").lower(), ask.query.get("cloudProvider", "")
    easy, flows = listing.flag(ask.query, "easyWin"), listing.flag(ask.query, "cloudFlows")
    wanted = {
        "displayStatus": _several(ask, "displayStatus", STATUSES),
        "source": _several(ask, "source"),
        "priority": _several(ask, "priority", ("Low", "Medium", "High")),
    }
    tags = set(_several(ask, "tag"))
    rows = [
        _shown(one)
        for one in found
        if all(not words or one.get(name) in words for name, words in wanted.items())
        and (not category or CATEGORIES[category] in one["categories"])
        and (not cloud or one["cloudProvider"] == cloud)
        and (not tags or tags & set(one["tags"]))
        and term in f"{one['title']} {one['shortDescription']}".lower()
        and (not easy or "easyWinDescription" in one)
        and (not flows or "cloudFlowTemplateId" in one)
    ]
    scope = f"{ask.scope} {sorted((k, v) for k, v in ask.query.items() if k not in ('pageToken', 'maxResults'))}"
    keyed = [{**row, "id": _id(row["source"], row["key"])} for row in rows]
    page = listing.page(keyed, ask.query.get("pageToken", ""), ask.page_size(50, 500), scope=scope)
    results = [{name: value for name, value in row.items() if name != "id"} for row in page.rows]
    pagination = {"rowCount": len(results)} | ({"pageToken": page.token} if page.token else {})
    return answer({"results": results, "pagination": pagination})


async def create_insights(ask: Ask) -> web.Response:
    """POST /insights/v1/results: made or replaced by key; the answer lists what failed, here nothing."""
    wanted = (await ask.body(CREATED))["results"]
    make_room(records(ask), len({one["key"] for one in wanted} - {one["key"] for one in _outside(ask)}))
    for one in wanted:
        _put(ask, {name: value for name, value in one.items() if name != "resourceResults"}, one["resourceResults"])
    return answer([])


async def delete_insights(ask: Ask) -> web.Response:
    """DELETE /insights/v1/results?insightKey=: the public-api insight of this key, if there is one."""
    if not ask.query.get("insightKey"):
        raise bad("insightKey is required", field="insightKey")
    records(ask).pop(_id(OUTSIDE, ask.query["insightKey"]), None)
    return web.Response(status=204)


async def get_insight(ask: Ask) -> web.Response:
    """GET …/source/{sourceID}/insight/{insightKey}."""
    return answer(_shown(_insight(ask)))


async def put_insight(ask: Ask) -> web.Response:
    """POST …/source/public-api/insight/{insightKey}: metadata; resources stay as they are."""
    _writable(ask, 400)
    body = await ask.body(METADATA)
    if body["key"] != ask.part("insightKey"):
        raise bad("key must be the insightKey of the path", field="key")
    status = body.pop("status", "actionable")
    old = records(ask).get(_id(OUTSIDE, body["key"]), {})
    return answer(_shown(_put(ask, {**body, "displayStatus": status}, old.get("resources", []))))


async def delete_insight(ask: Ask) -> web.Response:
    """DELETE …/source/public-api/insight/{insightKey}: gone, whether or not it was there."""
    _writable(ask, 403)
    records(ask).pop(_id(OUTSIDE, ask.part("insightKey")), None)
    return web.Response(status=204)


async def set_status(ask: Ask) -> web.Response:
    """PUT …/status (deprecated)."""
    _writable(ask, 400)
    insight, body = _insight(ask), await ask.body(CHANGE)
    insight.pop("dismissalDetails", None)
    insight.update({"displayStatus": body.pop("status"), **body, "lastUpdated": rfc3339(ask.now)})
    insight["lastStatusChange"] = {"userId": ask.user.email, "lastChangedAt": rfc3339(ask.now)}
    return web.Response(status=204)


async def list_resources(ask: Ask) -> web.Response:
    """GET …/resource-results."""
    return _resources(ask, _insight(ask))


async def replace_resources(ask: Ask) -> web.Response:
    """POST …/resource-results: replaces them all."""
    _writable(ask, 400)
    insight = _insight(ask)
    insight["resources"] = [{**one, "resolved": False} for one in (await ask.body(REPLACED))["resourceResults"]]
    insight["lastUpdated"] = rfc3339(ask.now)
    return _resources(ask, insight)


def _resources(ask: Ask, insight: JsonObject) -> web.Response:
    keyed: list[JsonObject] = [{"id": str(at), "row": row} for at, row in enumerate(insight["resources"])]
    page = listing.page(keyed, ask.query.get("pageToken", ""), ask.page_size(1000, 5000), scope=ask.scope)
    rows = [one["row"] for one in page.rows]
    return answer({"resourceResults": rows, "rowCount": len(rows)} | ({"pageToken": page.token} if page.token else {}))


def _put(ask: Ask, members: JsonObject, resources: Iterable[JsonObject]) -> JsonObject:
    """The public-api insight of these members, made anew or in place of the old one."""
    identifier = _id(OUTSIDE, members["key"])
    records(ask).pop(identifier, None)
    return added(
        records(ask),
        {
            "displayStatus": "actionable",
            "tags": [],
            **members,
            "id": identifier,
            "source": OUTSIDE,
            "lastUpdated": rfc3339(ask.now),
            "resources": [{"resolved": False, **one} for one in resources],
        },
    )


def _shown(insight: JsonObject) -> JsonObject:
    hidden = ("id", "resources", "priority")
    return {name: value for name, value in insight.items() if name not in hidden} | {"summary": _summary(insight)}


def _summary(insight: JsonObject) -> JsonObject:
    """What its unresolved resources come to: dollars a day, and risks of any severity."""
    results = [(one["resultType"], one.get("result", {})) for one in insight["resources"] if not one["resolved"]]
    risks = sum(
        found.get(level, 0)
        for kind, found in results
        if kind == KINDS[0]
        for level in ("critical", "high", "medium", "low")
    )
    savings = sum(found.get("value", 0) for kind, found in results if kind != KINDS[0])
    quiet = dict.fromkeys(("operationalRisks", "performanceRisks", "reliabilityRisks", "sustainabilityRisks"), 0)
    return {**quiet, "potentialDailySavings": round(savings, 2), "securityRisks": risks}


def _several(ask: Ask, name: str, allowed: tuple[str, ...] = ()) -> list[str]:
    """The values of a repeated parameter; 400 for one that is not allowed."""
    found = ask.request.query.getall(name, [])
    if allowed and set(found) - set(allowed):
        raise bad(f"{name} must be one of {', '.join(allowed)}", field=name)
    return found


def _writable(ask: Ask, status: int) -> None:
    if ask.part("sourceID") != OUTSIDE:
        raise Refusal(status, f"sourceID must be {OUTSIDE}: others are not written from outside", field="sourceID")


def _insight(ask: Ask) -> JsonObject:
    return existing(records(ask), _id(ask.part("sourceID"), ask.part("insightKey")), "insight")


def _outside(ask: Ask) -> list[JsonObject]:
    return [one for one in records(ask).values() if one["source"] == OUTSIDE]


def _id(source: str, key: str) -> str:
    return f"{source}/{key}"


ROUTES = (
    Route("GET", RESULTS, list_insights, "insights.read"),
    Route("POST", RESULTS, create_insights, "insights.write"),
    Route("DELETE", RESULTS, delete_insights, "insights.write"),
    Route("GET", ONE, get_insight, "insights.read"),
    Route("POST", ONE, put_insight, "insights.write"),
    Route("DELETE", ONE, delete_insight, "insights.write"),
    Route("PUT", ONE + "/status", set_status, "insights.write"),
    Route("GET", ONE + "/resource-results", list_resources, "insights.read"),
    Route("POST", ONE + "/resource-results", replace_resources, "insights.write"),
)
