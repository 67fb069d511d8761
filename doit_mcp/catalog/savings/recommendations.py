"""The tool list_optimization_recommendations: recommendations (insights) that save money or reduce risk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Annotated

from ...api.areas.insights import Category, DisplayStatus, Priority
from ...api.errors import ApiError
from ...api.markers import FormerName
from ...api.pagination import parse_page
from ...api.parameters import PageToken
from ...api.report_config import provider_code
from ...protocol.json_schema import Length, Range
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.amounts import ZERO, amount_as_json, sum_amounts, to_decimal
from ..tools.composed import composed_tool
from .result_types import Recommendations

DAYS_PER_YEAR, MONTHS_PER_YEAR = 365, 12
CURRENCY = "USD"
"""All amounts of recommendations are in US dollars."""
DEFAULT_PAGE_SIZE = 20
MAX_PAGES = 20


@composed_tool(
    area="insights",
    search_hint="Optimization recommendations, insights, rightsizing, idle resources, waste, security findings",
    rows_key="insights",
    narrow_hint="Ask for a smaller page (pageSize) or use a filter.",
    default_list=True,
    slow=False,
)
async def list_optimization_recommendations(
    call: Call,
    *,
    category: Annotated[list[Category] | None, "With several, pages may be short.", Length(1, 6)] = None,
    priority: Annotated[list[Priority] | None, Length(1, 3)] = None,
    displayStatus: Annotated[list[DisplayStatus] | None, Length(1, 5)] = None,
    provider: Annotated[str | None, "Cloud: aws, gcp or azure.", Length(1, 100), FormerName("cloudProvider")] = None,
    source: Annotated[list[str] | None, "public-api: the customer's own.", Length(1, 50)] = None,
    tag: Annotated[list[str] | None, "Has one of these.", Length(1, 50)] = None,
    easyWin: Annotated[bool | None, "true: only what is easy to do."] = None,
    cloudFlows: Annotated[bool | None, "true: only what CloudFlow can do."] = None,
    searchTerm: Annotated[str | None, "Text in title or description.", Length(maximum=300)] = None,
    page: Annotated[int | None, "Number of the page, from 0; pageToken is better.", Range(0)] = None,
    pageSize: Annotated[int, "Rows of a page.", Range(1, 100), FormerName("maxResults")] = DEFAULT_PAGE_SIZE,
    pageToken: PageToken = None,
) -> Annotated[JsonObject, Recommendations]:
    """List recommendations (insights) that save money or reduce risk, with the savings of each. For one ranked list of
    all kinds of savings, use get_savings_summary."""
    if page and pageToken:
        raise ApiError("Only one of page and pageToken is allowed", kind="argument")
    if (number_of := page or 0) >= MAX_PAGES:
        raise ApiError(f"page: must be below {MAX_PAGES}; use pageToken for more pages", kind="argument")
    fetch_page = partial(
        call.doit.insights.list_optimization_recommendations,
        category=category[0] if category and len(category) == 1 else None,
        priority=priority,
        displayStatus=displayStatus,
        source=source,
        tag=tag,
        easyWin=easyWin,
        cloudFlows=cloudFlows,
        cloudProvider=provider_code(provider) if provider else None,
        searchTerm=searchTerm or None,
        maxResults=pageSize,
    )
    answer, token = await _fetch_numbered_page(fetch_page, number_of, pageToken)
    fitting = (row for row in parse_page(answer, "results").rows if has_category(row, category))
    rows = sorted(map(summarize_recommendation, fitting), key=lambda row: -row["potentialDailySavings"])
    total = amount_as_json(sum_amounts(row["potentialDailySavings"] for row in rows), CURRENCY)
    found: JsonObject = {"rowCount": len(rows), "insights": rows, "totalDailySavings": total}
    found |= {"isWholeList": token is None and not number_of and not pageToken, "currency": CURRENCY}
    return found | ({"pageToken": token} if token else {})


async def _fetch_numbered_page(
    fetch_page: Callable[..., Awaitable[JsonObject]], number: int, token: str | None
) -> tuple[JsonObject, str | None]:
    """Return the page *number* pages after that of *token*, {} if there are fewer, and the token of the next page."""
    for _ in range(number):
        token = next_page_token(await fetch_page(pageToken=token))
        if token is None:
            return {}, None
    answer = await fetch_page(pageToken=token)
    return answer, next_page_token(answer)


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
    daily = to_decimal(summary.get("potentialDailySavings")) if isinstance(summary, dict) else ZERO
    categories = row.get("categories")
    found: JsonObject = {
        **{name: row.get(name) or "" for name in ("key", "source", "title", "shortDescription")},
        "provider": row.get("cloudProvider") or "",
        "categories": ", ".join(map(str, categories)) if isinstance(categories, list) else "",
        "displayStatus": row.get("displayStatus") or "",
        "potentialDailySavings": amount_as_json(daily, CURRENCY),
        "potentialMonthlySavings": amount_as_json(monthly_savings(daily), CURRENCY),
        "tags": row.get("tags") or [],
        "easyWin": bool(row.get("easyWinDescription")),
        "lastUpdated": row.get("lastUpdated") or "",
    }
    extra = {name: row[name] for name in ("easyWinDescription", "reportUrl", "cloudFlowTemplateId") if row.get(name)}
    return found | extra


def monthly_savings(daily: Decimal) -> Decimal:
    """Return savings per day as savings per average month."""
    return daily * DAYS_PER_YEAR / MONTHS_PER_YEAR
