"""The budgets that are exceeded or will be, as forecast_spend shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, TypedDict

from ...api.pagination import LARGE_PAGE_SIZE, iterate_pages
from ...api.value_kinds import CurrencyCode, Day, Label, Members, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..partial_results import FailedPart
from ..periods.period import PeriodDays, utc_date
from .status import BudgetStatus, find_status
from .tools import fetch_statuses

MAX_BUDGET_PAGES = 3
"""Pages of budgets that are read."""


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


class CheckedBudgets(TypedDict):
    """The budgets that are or will be exceeded, how many were checked, and what could not be read."""

    budgets: list[JsonObject]
    budgetsChecked: int
    failed: list[FailedPart]


async def find_breaches(call: Call) -> CheckedBudgets:
    """Return the budgets that are or will be exceeded: exceeded ones first, then by date."""
    rows, unread = await _read_budgets(call)
    today = utc_date(call.now)
    # The list alone tells which budgets are on track, so only the others need a request of their own.
    risky = [row for row in rows if find_status(row, {}, today).status in ("exceeded", "at_risk")]
    statuses, failed = await fetch_statuses(call, risky)
    return {
        "budgets": order_breaches(list(zip(risky, statuses, strict=True))),
        "budgetsChecked": len(rows),
        "failed": [*unread, *failed],
    }


async def _read_budgets(call: Call) -> tuple[list[JsonObject], list[FailedPart]]:
    """Return the rows of the list of budgets, and the entry about those on further pages, which are not read."""
    pages = iterate_pages(call.doit.budgets.list_budgets, max_pages=MAX_BUDGET_PAGES, maxResults=LARGE_PAGE_SIZE)
    rows, token = [], ""
    async for page in pages:
        rows += page.rows
        token = page.next_token
    unread: FailedPart = {"part": "further budgets", "why": f"only the first {len(rows)} budgets are checked"}
    return rows, [unread] if token else []


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
        "spent": status.spent,
        "currency": row.get("currency"),
        "expected": status.forecast,
        **status.as_json,
    }
