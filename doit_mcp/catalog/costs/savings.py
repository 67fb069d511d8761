"""Where money can be saved: recommendations, commitments that fall short, and anomalies, by what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from math import fsum
from typing import Annotated, Any, TypedDict

from ...api.areas.insights import Category, DisplayStatus, Priority
from ...api.errors import ApiError
from ...api.pagination import page_of, pages
from ...api.parameters import PageToken
from ...protocol.json_schema import Length, Range
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..partial_results import together
from ..periods import today_of
from ..tables import money, number

MONTH_DAYS = 365 / 12
PAGE = 20
MOST_PAGES = 20
READ = 500

PROVIDERS = {"amazon-web-services": "aws", "google-cloud": "gcp", "microsoft-azure": "azure"}


class Recommendations(TypedDict, total=False):
    """A page of recommendations, the most valuable first."""

    rowCount: int
    insights: Annotated[
        list[JsonObject],
        "Each with key, source, title, shortDescription, provider, categories, displayStatus, potentialDailySavings "
        "and potentialMonthlySavings (USD), tags, easyWin, lastUpdated.",
    ]
    pageToken: Annotated[str | None, "Give this to get the next page; missing on the last."]
    totalDailySavings: Annotated[float, "Of this page, USD."]


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
    pageSize: Annotated[int, "Rows of a page.", Range(1, 100)] = PAGE,
    pageToken: PageToken = None,
) -> Annotated[JsonObject, Recommendations]:
    """List recommendations (insights) to save money or to be safer, with what each would save. For one ranked list of
    all kinds of savings use get_savings_summary."""
    if page and pageToken:
        raise ApiError("page, pageToken: give one of them", kind="argument")
    if (number_of := page or 0) >= MOST_PAGES:
        raise ApiError(f"page: must be below {MOST_PAGES}; go on with pageToken", kind="argument")
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
            cloudProvider=PROVIDERS.get(provider, provider) if provider else None,
            searchTerm=searchTerm or None,
            pageToken=token,
            maxResults=pageSize,
        )
        token = next_token(answer)
        if token is None and turn < number_of:
            answer = {}
            break
    fitting = (row for row in page_of(answer, "results").rows if in_one_of(row, category))
    rows = sorted(map(insight, fitting), key=lambda row: -row["potentialDailySavings"])
    total = money(fsum(row["potentialDailySavings"] for row in rows))
    found: JsonObject = {"rowCount": len(rows), "insights": rows, "totalDailySavings": total}
    return found | ({"pageToken": token} if token else {})


def in_one_of(row: JsonObject, categories: Sequence[str] | None) -> bool:
    """Whether a recommendation has one of the *categories*. One alone the API looks at; it spells them otherwise."""
    found = row.get("categories")
    if not categories or len(categories) == 1:
        return True
    own = {str(name).replace(" ", "").casefold() for name in found} if isinstance(found, list) else set()
    return not own.isdisjoint(name.casefold() for name in categories)


def next_token(answer: JsonObject) -> str | None:
    """The token of the next page, which insights have in an object of its own."""
    pagination = answer.get("pagination")
    token = pagination.get("pageToken") if isinstance(pagination, dict) else None
    return str(token) if token else None


def insight(row: JsonObject) -> JsonObject:
    """A recommendation with the fields that matter."""
    summary = row.get("summary")
    daily = number(summary.get("potentialDailySavings")) if isinstance(summary, dict) else 0.0
    categories = row.get("categories")
    found: JsonObject = {
        **{name: row.get(name) or "" for name in ("key", "source", "title", "shortDescription")},
        "provider": row.get("cloudProvider") or "",
        "categories": ", ".join(map(str, categories)) if isinstance(categories, list) else "",
        "displayStatus": row.get("displayStatus") or "",
        "potentialDailySavings": money(daily),
        "potentialMonthlySavings": money(daily * MONTH_DAYS),
        "tags": row.get("tags") or [],
        "easyWin": bool(row.get("easyWinDescription")),
        "lastUpdated": row.get("lastUpdated") or "",
    }
    extra = {name: row[name] for name in ("easyWinDescription", "reportUrl", "cloudFlowTemplateId") if row.get(name)}
    return found | extra


class Summary(TypedDict, total=False):
    """Savings of all kinds, the most money first."""

    items: Annotated[
        list[JsonObject],
        "Each with kind (recommendation, commitment, anomaly), id (for fetch), title, amount, basis (per month, at "
        "stake, or once: already spent above the expected), currency and details.",
    ]
    totals: Annotated[JsonObject, "By kind: count, amount, basis, currency, of all found, not only the items shown."]
    failed: Annotated[list[JsonObject], "Kinds that could not be read, and why: they are unknown, not empty."]


async def get_savings_summary(
    call: Call, *, top: Annotated[int, "How many items.", Range(1, 50)] = 15
) -> Annotated[JsonObject, Summary]:
    """Rank where money can be saved or is at stake: recommendations with their monthly savings, commitments that are
    forecast to fall short, and anomalies that still last. Amounts of different kinds or currencies do not add up."""
    insights, commitments = call.doit.insights, call.doit.commitments
    parts = (
        await together(
            {
                "recommendation": _rows(
                    insights.list_optimization_recommendations, displayStatus=["actionable"], maxResults=READ
                ),
                "commitment": _rows(commitments.list_commitments, maxResults=READ),
                "anomaly": _anomalies(call),
            }
        )
    ).or_raise()
    today = today_of(call.now)
    made: dict[str, list[JsonObject]] = {
        "recommendation": [to_save(row) for row in parts.found.get("recommendation", ())],
        "commitment": [item for row in parts.found.get("commitment", ()) if (item := shortfall(row, today))],
        "anomaly": [excess(row) for row in parts.found.get("anomaly", ())],
    }
    items = ranked([item for rows in made.values() for item in rows])
    found: JsonObject = {
        "items": items[:top],
        "totals": {kind: totals(ranked(made[kind])) for kind in parts.found},
    }
    return found | ({"failed": parts.failures} if parts.failed else {})


async def _rows(method: Any, **arguments: Any) -> list[JsonObject]:
    return [row async for page in pages(method, most=1, **arguments) for row in page.rows]


async def _anomalies(call: Call) -> list[JsonObject]:
    answer = await call.doit.anomalies.get_anomalies(maxResults=100, sortBy="costOfAnomaly", sortOrder="desc")
    return [row for row in page_of(answer, "anomalies").rows if row.get("status") != "inactive"]


def ranked(items: Sequence[JsonObject]) -> list[JsonObject]:
    """The items that are worth something, the most first."""
    return sorted((item for item in items if item["amount"] > 0), key=lambda item: (-item["amount"], item["id"]))


def totals(items: list[JsonObject]) -> JsonObject:
    """Count and sum of items of one kind, by currency where there are several."""
    sums: dict[str, list[float]] = {}
    for item in items:
        sums.setdefault(item["currency"], []).append(item["amount"])
    return {
        "count": len(items),
        "basis": items[0]["basis"] if items else None,
        "amounts": [{"currency": name, "amount": money(fsum(amounts))} for name, amounts in sums.items()],
    }


def to_save(row: JsonObject) -> JsonObject:
    """A recommendation as an item: what a month would save."""
    found = insight(row)
    return {
        "kind": "recommendation",
        "id": f"recommendation:{found['source']}/{found['key']}",
        "title": str(found["title"]),
        "amount": found["potentialMonthlySavings"],
        "basis": "per month",
        "currency": "USD",
        "details": {name: found[name] for name in ("provider", "categories", "easyWin", "shortDescription")},
    }


def shortfall(row: JsonObject, today: date) -> JsonObject | None:
    """A running commitment as an item: by how much it is forecast to be missed; None if it is over, or no forecast."""
    value, forecast = number(row.get("totalCommitmentValue")), number(row.get("totalForecastValue"))
    ends = str(row.get("endDate") or "")[:10]
    if forecast <= 0 or not ends or ends < today.isoformat():
        return None
    return {
        "kind": "commitment",
        "id": f"commitment:{row.get('id')}",
        "title": str(row.get("name") or row.get("id")),
        "amount": money(max(0.0, value - forecast)),
        "basis": "at stake",
        "currency": str(row.get("currency") or "USD"),
        "details": {
            "provider": row.get("cloudProvider"),
            "ends": ends,
            "committed": money(value),
            "attained": money(number(row.get("totalCurrentAttainment"))),
            "forecast": money(forecast),
        },
    }


def excess(row: JsonObject) -> JsonObject:
    """An anomaly as an item: what was spent above the expected."""
    where = " in ".join(str(row[name]) for name in ("serviceName", "scope") if row.get(name))
    return {
        "kind": "anomaly",
        "id": f"anomaly:{row.get('id')}",
        "title": f"Unusual cost of {where or 'a service'}",
        "amount": money(number(row.get("costOfAnomaly"))),
        "basis": "once",
        "currency": "USD",
        "details": {name: row.get(name) for name in ("platform", "severityLevel", "startTime", "status")},
    }
