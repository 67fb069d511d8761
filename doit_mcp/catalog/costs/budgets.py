"""Budgets with their forecast and status: the tools list_budgets and get_budget, and what forecast_spend says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Annotated, TypedDict

from ...api.areas.budgets import BudgetDetails, BudgetFilter
from ...api.common_types import ListPage
from ...api.errors import ApiError
from ...api.pagination import LARGE_PAGE_SIZE, iterate_pages, parse_page
from ...api.parameters import (
    CreatedSinceTime,
    CreatedUntilTime,
    MaxResults,
    Name,
    NameAlias,
    NameContains,
    OptionalId,
    PageToken,
)
from ...api.value_kinds import CurrencyCode, Day, Label, Members, Moment, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..partial_results import FailedPart, describe_error, gather_partial
from ..periods import PeriodDays, utc_date
from ..tables import round_to_cents
from ..tools.composed import composed_tool
from .budget_status import BudgetStatus, find_status, needs_list_row

MAX_CONCURRENT_REQUESTS = 8
"""Budgets whose details are read at the same time."""
MAX_DETAILED_BUDGETS = 100
"""Budgets of one result whose forecast is read: one request each."""
MAX_BUDGET_PAGES = 3
"""Pages of budgets that forecast_spend reads."""
TOO_MANY_BUDGETS = f"forecasts are read for the first {MAX_DETAILED_BUDGETS} budgets only; use a filter"


class BudgetState(TypedDict, total=False):
    """What the amounts of a budget mean today. Null is unknown."""

    percentUsed: Annotated[float | None, Percent]
    forecastedUtilization: Annotated[float | None, "DoiT's forecast for the end of the period.", Money]
    status: Annotated[str, "exceeded, at_risk, on_track or unknown."]
    exceededOn: Annotated[str | None, Day]
    breaksOn: Annotated[str | None, "Forecast day of the breach.", Day]
    basis: str
    period: Annotated[JsonObject | None, "Current period: from, to, days.", Members(PeriodDays)]
    periodLimit: Annotated[float, "If it differs from amount.", Money]


class BudgetRow(BudgetState, total=False):
    """A budget in a list."""

    id: str
    budgetName: Annotated[str, Label]
    amount: Annotated[float, Money]
    currency: Annotated[str, CurrencyCode]
    currentUtilization: Annotated[float, Money]
    startPeriod: Annotated[str, Day]
    endPeriod: Annotated[str | None, Day]
    createTime: Annotated[str | None, Moment]
    updateTime: Annotated[str | None, Moment]
    forecastedUtilizationDate: Annotated[str | None, Day]


class BudgetList(ListPage, total=False):
    """A page of budgets."""

    budgets: Annotated[
        list[JsonObject],
        "Each with id, budgetName, amount, currency, currentUtilization (spent), percentUsed, forecastedUtilization "
        "(DoiT's, for the end of the period), status (exceeded, at_risk, on_track, unknown), exceededOn, breaksOn, basis, "
        "period, owner, scopes, url. Null: unknown.",
        Members(BudgetRow),
    ]
    riskAggregations: Annotated[JsonObject, "Number of budgets on all pages that are atRisk, onTrack and unknown."]
    failed: Annotated[list[JsonObject], "Forecasts not read, and why.", Members(FailedPart)]


class Budget(BudgetDetails, BudgetState, total=False):
    """One budget and its state."""

    failed: Annotated[list[JsonObject], "Parts not read, and why.", Members(FailedPart)]


class BudgetBreach(TypedDict, total=False):
    """A budget that is exceeded or will be."""

    id: str
    name: Annotated[str, Label]
    url: str
    amount: Annotated[float, Money]
    spent: Annotated[float | None, Money]
    percentUsed: Annotated[float | None, Percent]
    currency: Annotated[str, CurrencyCode]
    forecastedUtilization: Annotated[float | None, Money]
    expected: Annotated[float | None, Money]
    status: str
    exceededOn: Annotated[str | None, Day]
    breaksOn: Annotated[str | None, Day]
    basis: str
    period: Annotated[JsonObject | None, Members(PeriodDays)]


@composed_tool(
    area="budgets",
    search_hint="Budgets, spending limits, budget status, overrun, budgets at risk or exceeded",
    rows_key="budgets",
    default_list=True,
)
async def list_budgets(
    call: Call,
    *,
    maxResults: MaxResults = None,
    pageToken: PageToken = None,
    filter: BudgetFilter = None,
    nameContains: NameContains = None,
    name: NameAlias = None,
    minCreationTime: CreatedSinceTime = None,
    maxCreationTime: CreatedUntilTime = None,
) -> Annotated[JsonObject, BudgetList]:
    """List budgets: amount, spent so far, forecast, and whether each is exceeded, at risk or on track, and when. For
    budgets at risk, use filter riskStatus:[atRisk]. For the thresholds and recipients of one budget, use get_budget."""
    page = await call.doit.budgets.list_budgets(
        maxResults=maxResults,
        pageToken=pageToken,
        filter=filter,
        nameContains=nameContains or name,
        minCreationTime=minCreationTime,
        maxCreationTime=maxCreationTime,
    )
    rows = parse_page(page, "budgets").rows
    statuses, failed = await fetch_statuses(call, rows)
    budgets = [{**row, **state_of(row, status)} for row, status in zip(rows, statuses, strict=True)]
    return {**page, "budgets": budgets} | ({"failed": failed} if failed else {})


@composed_tool(
    area="budgets",
    search_hint="One budget: status, forecast, thresholds, recipients",
    targets=("id",),
    default_list=True,
)
async def get_budget(call: Call, *, id: OptionalId = None, name: Name = None) -> Annotated[JsonObject, Budget]:
    """Show one budget: amount, currency, spent so far, forecast, whether it is exceeded or at risk and when, scopes, alert
    thresholds and recipients. Give its id or its name."""
    details = await call.doit.budgets.get_budget(id=id, name=name)
    today = utc_date(call.now)
    row: JsonObject = {}
    failed: list[FailedPart] = []
    if needs_list_row(details, today):
        try:
            row = await fetch_list_row(call, details)
        except ApiError as error:
            if error.kind == "credential":
                raise
            failed = [{"part": "day and limit of the period", "why": describe_error(error)}]
    status = find_status(row, details, today)
    return {**details, **state_of(details, status)} | ({"failed": failed} if failed else {})


def state_of(budget: JsonObject, status: BudgetStatus) -> JsonObject:
    """Return the members that a result adds to a budget."""
    differs = status.limit is not None and status.limit != budget.get("amount")
    return {**status.as_json, **({"periodLimit": status.limit} if differs else {})}


async def fetch_list_row(call: Call, details: JsonObject) -> JsonObject:
    """Return the row of a budget in the list of budgets; {} if the list does not have it."""
    page = await call.doit.budgets.list_budgets(nameContains=details.get("name") or None, maxResults=LARGE_PAGE_SIZE)
    return next((row for row in parse_page(page, "budgets").rows if row.get("id") == details.get("id")), {})


async def fetch_statuses(call: Call, rows: Sequence[JsonObject]) -> tuple[list[BudgetStatus], list[FailedPart]]:
    """Return the status of each of the *rows* of a list of budgets, and the forecasts that could not be read."""
    today = utc_date(call.now)
    free = asyncio.Semaphore(MAX_CONCURRENT_REQUESTS)

    async def fetch_details(identifier: str) -> JsonObject:
        async with free:
            return await call.doit.budgets.get_budget(id=identifier)

    identifiers = [str(row["id"]) for row in rows[:MAX_DETAILED_BUDGETS] if row.get("id")]
    parts = await gather_partial({identifier: fetch_details(identifier) for identifier in identifiers})
    statuses = [find_status(row, parts.results.get(str(row.get("id")), {}), today) for row in rows]
    names = {str(row.get("id")): str(row.get("budgetName") or row.get("id")) for row in rows}
    failed: list[FailedPart] = [
        {"part": f"forecast of {names[failure['part']]}", "why": failure["why"]} for failure in parts.failures
    ]
    if len(rows) > MAX_DETAILED_BUDGETS:
        failed.append({"part": f"forecasts of {len(rows) - MAX_DETAILED_BUDGETS} budgets", "why": TOO_MANY_BUDGETS})
    return statuses, failed


class CheckedBudgets(TypedDict):
    """The budgets that are or will be exceeded, how many were checked, and what could not be read."""

    budgets: list[JsonObject]
    budgetsChecked: int
    failed: list[FailedPart]


async def find_breaches(call: Call) -> CheckedBudgets:
    """Return the budgets that are or will be exceeded: exceeded ones first, then by date."""
    pages = iterate_pages(call.doit.budgets.list_budgets, max_pages=MAX_BUDGET_PAGES, maxResults=LARGE_PAGE_SIZE)
    rows = [row async for page in pages for row in page.rows]
    today = utc_date(call.now)
    # The list alone tells which budgets are on track, so only the others need a request of their own.
    risky = [row for row in rows if find_status(row, {}, today).status in ("exceeded", "at_risk")]
    statuses, failed = await fetch_statuses(call, risky)
    return {
        "budgets": order_breaches(list(zip(risky, statuses, strict=True))),
        "budgetsChecked": len(rows),
        "failed": failed,
    }


def order_breaches(budgets: Sequence[tuple[JsonObject, BudgetStatus]]) -> list[JsonObject]:
    """Return the budgets that are or will be exceeded: exceeded ones by the share used, the others by date."""
    breaches = [pair for pair in budgets if pair[1].status in ("exceeded", "at_risk")]
    breaches.sort(key=lambda pair: (pair[1].status != "exceeded", pair[1].breaks_on or date.max, -share_used(pair[1])))
    return [describe_breach(row, status) for row, status in breaches]


def share_used(status: BudgetStatus) -> float:
    """Return the share of its limit that a budget has used, for sorting; 0 if it is unknown."""
    return status.spent / status.limit if status.limit and status.spent is not None else 0.0


def describe_breach(row: JsonObject, status: BudgetStatus) -> JsonObject:
    """Return a budget that is or will be exceeded, as forecast_spend shows it."""
    return {
        **{"id": row.get("id"), "name": row.get("budgetName"), "url": row.get("url")},
        "amount": status.limit,
        "spent": None if status.spent is None else round_to_cents(status.spent),
        "currency": row.get("currency"),
        "expected": status.forecast,
        **status.as_json,
    }
