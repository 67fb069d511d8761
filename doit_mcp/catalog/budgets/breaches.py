"""The budgets that are exceeded or will be, as forecast_spend shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, TypedDict

from ...api.pagination import LARGE_PAGE_SIZE, iterate_pages
from ...api.value_kinds import CurrencyCode, Day, Label, Members, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.scope import Scope
from ..partial_results import FailedPart
from ..periods.period import Period, PeriodDays, utc_date
from .status import BudgetStatus, find_status
from .tools import fetch_statuses
from .written_scope import budget_scope

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


@dataclass(frozen=True, slots=True)
class CheckedBudgets:
    """The rows and statuses of budgets that may be exceeded, how many budgets there are, and what could not be read."""

    budgets: Sequence[tuple[JsonObject, BudgetStatus]]
    count: int
    failures: Sequence[FailedPart]


@dataclass(frozen=True, slots=True)
class OwnForecast:
    """What the costs of a *scope* are expected to be by the end of some periods, in one *currency*.

    *expected* has the name of each forecast in the result, and the expected cost, by period.
    """

    scope: Scope
    currency: str
    expected: Mapping[Period, tuple[str, float]]

    def difference(self, row: JsonObject, status: BudgetStatus) -> str:
        """Return how the forecast contradicts the status of a budget of the same costs; "" if it does not."""
        if status.period is None or status.limit is None or status.status not in ("at_risk", "on_track"):
            return ""
        name, expected = self.expected.get(status.period, ("", None))
        if expected is None or row.get("currency") != self.currency or status.metric != "cost":
            return ""
        is_over = expected > status.limit
        if is_over == (status.status == "at_risk") or not is_budget_of(row, self.scope):
            return ""
        return f"; {name}.expected, the forecast of the same costs by cloud and day, is {'above' if is_over else 'within'} it"


async def find_breaches(call: Call, scope: Scope) -> CheckedBudgets:
    """Return the budgets that are or may be exceeded: at risk according to the list, or for the costs of *scope*."""
    pages = iterate_pages(call.doit.budgets.list_budgets, max_pages=MAX_BUDGET_PAGES, maxResults=LARGE_PAGE_SIZE)
    rows = [row async for page in pages for row in page.rows]
    today = utc_date(call.now)
    # The list alone tells which budgets are on track, so few of them need a request of their own.
    risky = [
        row for row in rows if find_status(row, {}, today).status in ("exceeded", "at_risk") or is_budget_of(row, scope)
    ]
    statuses, failed = await fetch_statuses(call, risky)
    return CheckedBudgets(list(zip(risky, statuses, strict=True)), len(rows), failed)


def is_budget_of(row: JsonObject, scope: Scope) -> bool:
    """Return whether a budget in a list is about the same costs as *scope*."""
    written = budget_scope(row)
    return not written.allocations and _conditions(written.scope) == _conditions(scope)


def _conditions(scope: Scope) -> set[tuple[Any, ...]]:
    """Return the filters of a scope in a form that can be compared."""
    filters = [*scope.filters, *([scope.cloud_filter] if scope.cloud_filter else [])]
    return {
        (
            *(condition.get(name) for name in ("type", "id")),
            condition.get("mode", "is"),
            *(bool(condition.get(name)) for name in ("inverse", "includeNull", "caseInsensitive")),
            frozenset(condition.get("values", ())),
        )
        for condition in filters
    }


def order_breaches(budgets: Sequence[tuple[JsonObject, BudgetStatus]], own: OwnForecast) -> list[JsonObject]:
    """Return the budgets that are or will be exceeded: exceeded ones by the share used, the others by date.

    Budgets on track that will be exceeded according to our *own* forecast come last.
    """
    breaches = [
        (row, status, difference)
        for row, status in budgets
        if (difference := own.difference(row, status)) or status.status in ("exceeded", "at_risk")
    ]
    breaches.sort(key=lambda item: _rank(item[1]))
    return [describe_breach(row, status, difference) for row, status, difference in breaches]


def _rank(status: BudgetStatus) -> tuple[int, date, float]:
    ranks = ("exceeded", "at_risk", "on_track", "unknown")
    return ranks.index(status.status), status.breaks_on or date.max, -share_used(status)


def share_used(status: BudgetStatus) -> float:
    """Return the share of its limit that a budget has used, for sorting; 0 if it is unknown."""
    return status.spent / status.limit if status.limit and status.spent is not None else 0.0


def describe_breach(row: JsonObject, status: BudgetStatus, difference: str) -> JsonObject:
    """Return a budget that is or will be exceeded, as forecast_spend shows it."""
    return {
        **{"id": row.get("id"), "name": row.get("budgetName"), "url": row.get("url")},
        "amount": status.limit,
        "spent": status.spent,
        "currency": row.get("currency"),
        "expected": status.forecast,
        **status.as_json,
        "basis": f"{status.basis}{difference}",
    }
