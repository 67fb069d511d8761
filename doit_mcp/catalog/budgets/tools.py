"""Budgets with their forecast and status: the tools list_budgets and get_budget."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated, TypedDict

from ...api.areas.budgets import BudgetDetails, BudgetFilter
from ...api.common_types import ListPage
from ...api.errors import ApiError
from ...api.pagination import LARGE_PAGE_SIZE, parse_page, suggest_names
from ...api.parameters import (
    ConsoleLink,
    CreatedSinceTime,
    CreatedUntilTime,
    MaxResults,
    Name,
    NameAlias,
    NameContains,
    OptionalId,
    PageToken,
)
from ...api.value_kinds import CurrencyCode, Day, Label, Members, Moment, Money, Percent, Verbatim
from ...protocol.json_schema import short_json
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..console_links import CONSOLE_PATHS, console_link
from ..costs.amounts import to_decimal
from ..costs.daily_costs import cost_by_day, find_day_over
from ..costs.query_config import cost_config
from ..currencies import DEFAULT_CURRENCY
from ..partial_results import FailedPart, FailedParts, describe_error, gather_partial, make_failures_member
from ..periods.period import Period, PeriodDays, utc_date
from ..report_runs.queries import fetch_query
from ..tools.composed import composed_tool
from ..tools.series import ResultWithSeries, make_series_set
from .budget_series import budget_series
from .status import BudgetStatus, find_status, needs_list_row, with_rounded_amounts
from .written_scope import budget_scope

MAX_CONCURRENT_REQUESTS = 8
"""Maximum budgets whose details are read at the same time."""
READ_SECONDS = 15.0
"""Time limit for the details of all budgets, and for daily costs. The budgets themselves are useful without them."""
MAX_DETAILED_BUDGETS = 100
"""Maximum budgets of one result whose forecast is read: one request each."""
MAX_EXCEEDED_QUERIES = 5
"""Maximum budgets of one result whose daily costs are queried to find since when they are exceeded."""
TOO_MANY_BUDGETS = f"forecasts are read for the first {MAX_DETAILED_BUDGETS} budgets only; use a filter"


class BudgetState(TypedDict, total=False):
    """What the amounts of a budget mean today. Null means unknown."""

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
    riskAggregations: Annotated[
        JsonObject, "Number of budgets on all pages that are atRisk, onTrack and unknown.", Verbatim
    ]
    note: str
    failed: Annotated[list[JsonObject], "Forecasts not read, and why.", Members(FailedPart)]


class Budget(BudgetDetails, BudgetState, total=False):
    """One budget and its state."""

    url: ConsoleLink
    failed: FailedParts


@composed_tool(
    area="budgets",
    search_hint="Budgets, spending limits, budget status, overrun, budgets at risk or exceeded",
    rows_key="budgets",
    default_list=True,
    slow=False,
    view=True,
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
) -> Annotated[ResultWithSeries, BudgetList]:
    """List budgets: amount, spent so far, forecast, and whether each is exceeded, at risk or on track, and when. For
    budgets at risk, use filter riskStatus:atRisk. For the thresholds and recipients of one budget, use get_budget."""
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
    budgets = [
        {**with_rounded_amounts(row), **budget_state(row, status)} for row, status in zip(rows, statuses, strict=True)
    ]
    result: JsonObject = {**page, "budgets": budgets} | make_failures_member(failed)
    wanted = nameContains or name or name_in_filter(filter)
    if wanted and not rows and not pageToken:
        result["note"] = await explain_no_budget(call, wanted)
    return ResultWithSeries(result, make_series_set({}, [budget_series(zip(rows, statuses, strict=True))]))


def name_in_filter(expression: str | None) -> str | None:
    """Return the name of a budget in a filter (budgetName:Google Cloud); None without one."""
    terms = (term.partition(":") for term in (expression or "").split("|"))
    return next((value.strip() for key, _, value in terms if key.strip() == "budgetName"), None)


async def explain_no_budget(call: Call, wanted: str) -> str:
    """Return that no budget matches a name or filter, with the names that are most similar to *wanted*."""
    problem = f"No budget with the name {short_json(wanted)} matches."
    try:
        hint = await suggest_names(wanted, call.doit.budgets.list_budgets, "budgetName")
    except ApiError as error:
        if error.kind == "credential":
            raise
        return f"{problem} Similar names are unknown: {describe_error(error)}."
    return f"{problem} {hint}"


@composed_tool(
    area="budgets",
    search_hint="One budget: status, forecast, thresholds, recipients",
    targets=("id",),
    default_list=True,
    slow=False,
    view=True,
)
async def get_budget(call: Call, *, id: OptionalId = None, name: Name = None) -> Annotated[ResultWithSeries, Budget]:
    """Show one budget: amount, currency, spent so far, forecast, whether it is exceeded or at risk and when, scopes,
    alert thresholds and recipients. Give its id or its name."""
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
    budget = {**row, **details}
    (status,), unread = await add_exceeded_days(call, [(budget, find_status(row, details, today))])
    failed += unread
    url = console_link(call, CONSOLE_PATHS["budgets"], str(details.get("id") or id or ""), budget.get("url"))
    result = {**with_rounded_amounts(details), **budget_state(details, status), "url": url} | make_failures_member(
        failed
    )
    named = {"id": details.get("id"), "budgetName": budget_name(details), "currency": details.get("currency")}
    return ResultWithSeries(result, make_series_set({}, [budget_series([(named, status)])]))


def budget_state(budget: JsonObject, status: BudgetStatus) -> JsonObject:
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

    identifiers = dict.fromkeys(str(row["id"]) for row in rows[:MAX_DETAILED_BUDGETS] if row.get("id"))
    parts = await gather_partial({identifier: fetch_details(identifier) for identifier in identifiers}, READ_SECONDS)
    details = [parts.results.get(str(row.get("id")), {}) for row in rows]
    pairs = [({**row, **more}, find_status(row, more, today)) for row, more in zip(rows, details, strict=True)]
    statuses, unread = await add_exceeded_days(call, pairs)
    names = {str(row.get("id")): budget_name(row) for row in rows}
    failed: list[FailedPart] = [
        {"part": f"forecast of {names[failure['part']]}", "why": failure["why"]} for failure in parts.failures
    ]
    failed += unread
    if len(rows) > MAX_DETAILED_BUDGETS:
        failed.append({"part": f"forecasts of {len(rows) - MAX_DETAILED_BUDGETS} budgets", "why": TOO_MANY_BUDGETS})
    return statuses, failed


async def add_exceeded_days(
    call: Call, budgets: Sequence[tuple[JsonObject, BudgetStatus]]
) -> tuple[list[BudgetStatus], list[FailedPart]]:
    """Return the status of each budget, with the day since which it is exceeded, and the days that could not be read.

    If the API does not return that day, it is found from the daily costs of the budget's scope, for a few budgets.
    """
    open_indexes = [
        index
        for index, (_, status) in enumerate(budgets)
        if status.status == "exceeded" and status.exceeded_on is None and status.period is not None
    ][:MAX_EXCEEDED_QUERIES]
    parts = await gather_partial(
        {str(index): fetch_exceeded_day(call, *budgets[index]) for index in open_indexes}, READ_SECONDS
    )
    statuses = [
        replace(status, exceeded_on=parts.results[str(index)]) if str(index) in parts.results else status
        for index, (_, status) in enumerate(budgets)
    ]
    failed: list[FailedPart] = [
        {"part": f"exceededOn of {budget_name(budgets[int(failure['part'])][0])}", "why": failure["why"]}
        for failure in parts.failures
    ]
    return statuses, failed


async def fetch_exceeded_day(call: Call, budget: JsonObject, status: BudgetStatus) -> date | None:
    """Return the day on which the summed daily costs of a *budget* exceed its limit; None if they do not."""
    if status.period is None or status.limit is None:
        return None
    written = budget_scope(budget)
    days = Period(status.period.first, min(status.period.last, utc_date(call.now)))
    currency = written.currency or DEFAULT_CURRENCY
    config = cost_config(written.scope, days, currency, interval="day", metrics=(written.metric,))
    answer = await fetch_query(call, config)
    return find_day_over(cost_by_day(answer, column=written.metric["value"]), to_decimal(status.limit))


def budget_name(budget: JsonObject) -> str:
    """Return the name of a budget, from a list or its details."""
    return str(budget.get("budgetName") or budget.get("name") or budget.get("id"))
