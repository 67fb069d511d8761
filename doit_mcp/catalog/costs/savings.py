"""Savings: recommendations, commitments that fall short, and anomalies, ranked by amount."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from math import fsum
from typing import Annotated, Any

from ...api.areas.insights import Category, DisplayStatus, Priority
from ...api.errors import ApiError
from ...api.pagination import iterate_pages, parse_page
from ...api.parameters import PageToken
from ...protocol.json_schema import Length, Range
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..partial_results import gather_partial
from ..periods import utc_date
from ..tables import round_to_cents, to_number
from ..tools.composed import composed_tool
from .savings_types import Recommendations, SavingsSummary

DAYS_PER_MONTH = 365 / 12
DEFAULT_PAGE_SIZE = 20
MAX_PAGES = 20
ROWS_PER_REQUEST = 500

PROVIDER_CODES = {"amazon-web-services": "aws", "google-cloud": "gcp", "microsoft-azure": "azure"}


@composed_tool(
    area="insights",
    search_hint="Optimization recommendations, insights, rightsizing, idle resources, waste, security findings",
    rows_key="insights",
    narrow_hint="Ask for a smaller page (pageSize) or use a filter.",
    default_list=True,
)
async def list_optimization_recommendations(
    call: Call,
    *,
    category: Annotated[list[Category] | None, "With several, pages may be short.", Length(1, 6)] = None,
    priority: Annotated[list[Priority] | None, Length(1, 3)] = None,
    displayStatus: Annotated[list[DisplayStatus] | None, Length(1, 5)] = None,
    provider: Annotated[str | None, "Cloud: aws, gcp or azure.", Length(1, 100)] = None,
    source: Annotated[list[str] | None, "public-api: the customer's own.", Length(1, 50)] = None,
    tag: Annotated[list[str] | None, "Has one of these.", Length(1, 50)] = None,
    easyWin: Annotated[bool | None, "true: only what is easy to do."] = None,
    cloudFlows: Annotated[bool | None, "true: only what CloudFlow can do."] = None,
    searchTerm: Annotated[str | None, "Text in title or description.", Length(maximum=300)] = None,
    page: Annotated[int | None, "Number of the page, from 0; pageToken is better.", Range(0)] = None,
    pageSize: Annotated[int, "Rows of a page.", Range(1, 100)] = DEFAULT_PAGE_SIZE,
    pageToken: PageToken = None,
) -> Annotated[JsonObject, Recommendations]:
    """List recommendations (insights) that save money or reduce risk, with the savings of each. For one ranked list of
    all kinds of savings, use get_savings_summary."""
    if page and pageToken:
        raise ApiError("Only one of page and pageToken is allowed", kind="argument")
    if (number_of := page or 0) >= MAX_PAGES:
        raise ApiError(f"page: must be below {MAX_PAGES}; use pageToken for more pages", kind="argument")
    answer: JsonObject = {}
    token = pageToken
    for turn in range(number_of + 1):
        answer = await call.doit.insights.list_optimization_recommendations(
            category=category[0] if category and len(category) == 1 else None,
            priority=priority,
            displayStatus=displayStatus,
            source=source,
            tag=tag,
            easyWin=easyWin,
            cloudFlows=cloudFlows,
            cloudProvider=PROVIDER_CODES.get(provider, provider) if provider else None,
            searchTerm=searchTerm or None,
            pageToken=token,
            maxResults=pageSize,
        )
        token = next_page_token(answer)
        if token is None and turn < number_of:
            answer = {}
            break
    fitting = (row for row in parse_page(answer, "results").rows if has_category(row, category))
    rows = sorted(map(summarize_recommendation, fitting), key=lambda row: -row["potentialDailySavings"])
    total = round_to_cents(fsum(row["potentialDailySavings"] for row in rows))
    found: JsonObject = {"rowCount": len(rows), "insights": rows, "totalDailySavings": total}
    return found | ({"pageToken": token} if token else {})


def has_category(row: JsonObject, categories: Sequence[str] | None) -> bool:
    """Return whether a recommendation has one of the *categories*.

    A single category always matches, because the API has already filtered by it. Otherwise case and spaces are ignored,
    because the API spells categories differently.
    """
    found = row.get("categories")
    if not categories or len(categories) == 1:
        return True
    own = {str(name).replace(" ", "").casefold() for name in found} if isinstance(found, list) else set()
    return not own.isdisjoint(name.casefold() for name in categories)


def next_page_token(answer: JsonObject) -> str | None:
    """Return the token of the next page, which insights wrap in an object."""
    pagination = answer.get("pagination")
    token = pagination.get("pageToken") if isinstance(pagination, dict) else None
    return str(token) if token else None


def summarize_recommendation(row: JsonObject) -> JsonObject:
    """Return the relevant fields of a recommendation."""
    summary = row.get("summary")
    daily = to_number(summary.get("potentialDailySavings")) if isinstance(summary, dict) else 0.0
    categories = row.get("categories")
    found: JsonObject = {
        **{name: row.get(name) or "" for name in ("key", "source", "title", "shortDescription")},
        "provider": row.get("cloudProvider") or "",
        "categories": ", ".join(map(str, categories)) if isinstance(categories, list) else "",
        "displayStatus": row.get("displayStatus") or "",
        "potentialDailySavings": round_to_cents(daily),
        "potentialMonthlySavings": round_to_cents(daily * DAYS_PER_MONTH),
        "tags": row.get("tags") or [],
        "easyWin": bool(row.get("easyWinDescription")),
        "lastUpdated": row.get("lastUpdated") or "",
    }
    extra = {name: row[name] for name in ("easyWinDescription", "reportUrl", "cloudFlowTemplateId") if row.get(name)}
    return found | extra


@composed_tool(
    area="insights",
    search_hint="How can we save money: all savings opportunities, ranked",
    slow=True,
    default_list=True,
)
async def get_savings_summary(
    call: Call, *, top: Annotated[int, "How many items.", Range(1, 50)] = 15
) -> Annotated[JsonObject, SavingsSummary]:
    """Rank savings and amounts at risk: recommendations with their monthly savings, commitments that are forecast to
    fall short, and ongoing anomalies. Amounts of different kinds or currencies do not add up."""
    insights, commitments = call.doit.insights, call.doit.commitments
    parts = (
        await gather_partial(
            {
                "recommendation": _read_rows(
                    insights.list_optimization_recommendations,
                    displayStatus=["actionable"],
                    maxResults=ROWS_PER_REQUEST,
                ),
                "commitment": _read_rows(commitments.list_commitments, maxResults=ROWS_PER_REQUEST),
                "anomaly": _active_anomalies(call),
            }
        )
    ).raise_if_all_failed()
    today = utc_date(call.now)
    made: dict[str, list[JsonObject]] = {
        "recommendation": [recommendation_item(row) for row in parts.results.get("recommendation", ())],
        "commitment": [item for row in parts.results.get("commitment", ()) if (item := commitment_item(row, today))],
        "anomaly": [anomaly_item(row) for row in parts.results.get("anomaly", ())],
    }
    items = rank_items([item for rows in made.values() for item in rows])
    found: JsonObject = {
        "items": items[:top],
        "totals": {kind: summarize_items(rank_items(made[kind])) for kind in parts.results},
    }
    return found | ({"failed": parts.failures} if parts.errors else {})


async def _read_rows(method: Any, **arguments: Any) -> list[JsonObject]:
    return [row async for page in iterate_pages(method, max_pages=1, **arguments) for row in page.rows]


async def _active_anomalies(call: Call) -> list[JsonObject]:
    answer = await call.doit.anomalies.get_anomalies(maxResults=100, sortBy="costOfAnomaly", sortOrder="desc")
    return [row for row in parse_page(answer, "anomalies").rows if row.get("status") != "inactive"]


def rank_items(items: Sequence[JsonObject]) -> list[JsonObject]:
    """Return the items with a positive amount, the highest first."""
    return sorted((item for item in items if item["amount"] > 0), key=lambda item: (-item["amount"], item["id"]))


def summarize_items(items: list[JsonObject]) -> JsonObject:
    """Return count and sum of the items of one kind, by currency if there are several."""
    sums: dict[str, list[float]] = {}
    for item in items:
        sums.setdefault(item["currency"], []).append(item["amount"])
    return {
        "count": len(items),
        "basis": items[0]["basis"] if items else None,
        "amounts": [{"currency": name, "amount": round_to_cents(fsum(amounts))} for name, amounts in sums.items()],
    }


def recommendation_item(row: JsonObject) -> JsonObject:
    """Return a recommendation as an item with its monthly savings."""
    found = summarize_recommendation(row)
    return {
        "kind": "recommendation",
        "id": f"recommendation:{found['source']}/{found['key']}",
        "title": str(found["title"]),
        "amount": found["potentialMonthlySavings"],
        "basis": "per month",
        "currency": "USD",
        "details": {name: found[name] for name in ("provider", "categories", "easyWin", "shortDescription")},
    }


def commitment_item(row: JsonObject, today: date) -> JsonObject | None:
    """Return a current commitment as an item with its forecast shortfall; None if it is over or has no forecast."""
    value, forecast = to_number(row.get("totalCommitmentValue")), to_number(row.get("totalForecastValue"))
    ends = str(row.get("endDate") or "")[:10]
    if forecast <= 0 or not ends or ends < today.isoformat():
        return None
    return {
        "kind": "commitment",
        "id": f"commitment:{row.get('id')}",
        "title": str(row.get("name") or row.get("id")),
        "amount": round_to_cents(max(0.0, value - forecast)),
        "basis": "at stake",
        "currency": str(row.get("currency") or "USD"),
        "details": {
            "provider": row.get("cloudProvider"),
            "ends": ends,
            "committed": round_to_cents(value),
            "attained": round_to_cents(to_number(row.get("totalCurrentAttainment"))),
            "forecast": round_to_cents(forecast),
        },
    }


def anomaly_item(row: JsonObject) -> JsonObject:
    """Return an anomaly as an item with the cost above the expected."""
    where = " in ".join(str(row[name]) for name in ("serviceName", "scope") if row.get(name))
    return {
        "kind": "anomaly",
        "id": f"anomaly:{row.get('id')}",
        "title": f"Unusual cost of {where or 'a service'}",
        "amount": round_to_cents(to_number(row.get("costOfAnomaly"))),
        "basis": "once",
        "currency": "USD",
        "details": {name: row.get(name) for name in ("platform", "severityLevel", "startTime", "status")},
    }
