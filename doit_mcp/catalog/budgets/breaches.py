"""The budgets that are exceeded or will be, as forecast_spend shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, NamedTuple, TypedDict

from ...api.pagination import LARGE_PAGE_SIZE, iterate_pages
from ...api.value_kinds import CurrencyCode, Day, Label, Members, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.scope import Scope
from ..partial_results import FailedPart
from ..periods.period import Period, PeriodDays, utc_date
from .budget_periods import current_period
from .status import BudgetStatus, Status, find_status
from .tools import fetch_statuses
from .written_scope import budget_scope

MAX_BUDGET_PAGES = 3
"""Maximum pages of budgets that are read."""


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
    """The rows and statuses of budgets that may be exceeded, how many budgets there are, and what could not be read.

    *on_track* are the rows of the other running budgets, *not_begun* those of budgets whose first period begins later.
    """

    budgets: Sequence[tuple[JsonObject, BudgetStatus]]
    count: int
    failures: Sequence[FailedPart]
    on_track: Sequence[JsonObject] = ()
    not_begun: Sequence[JsonObject] = ()


@dataclass(frozen=True, slots=True)
class OwnForecast:
    """The expected costs of a *scope* at the end of some periods, in one *currency*.

    *expected* has the name of each forecast in the result and the expected cost, by period.
    """

    scope: Scope
    currency: str
    expected: Mapping[Period, tuple[str, float]]

    def compare(self, row: JsonObject, status: BudgetStatus) -> ComparedForecast | None:
        """Return the forecast of the costs that a budget covers; None without one."""
        if status.period is None or status.limit is None or status.metric != "cost":
            return None
        name, expected = self.expected.get(status.period, ("", None))
        if expected is None or row.get("currency") != self.currency or not is_budget_of(row, self.scope):
            return None
        return ComparedForecast(name, expected > status.limit, status.status)


class ComparedForecast(NamedTuple):
    """The forecast *name* of the costs of a budget with the *status*, and whether it is above the budget's limit."""

    name: str
    is_over: bool
    status: Status

    @property
    def contradicts(self) -> bool:
        """Whether the budget's own forecast leads to another status."""
        return self.status == ("on_track" if self.is_over else "at_risk")

    @property
    def note(self) -> str:
        """How the forecast relates to the amounts of the budget."""
        if self.contradicts:
            place = "above" if self.is_over else "within"
            return f"; {self.name}.expected, the forecast of the same costs by cloud and day, is {place} it"
        return f"; {self.name}.expected forecasts the same costs by cloud and day, so it can differ from forecastedUtilization"


async def find_breaches(call: Call, scope: Scope) -> CheckedBudgets:
    """Return the budgets that are or may be exceeded: at risk according to the list, or for the costs of *scope*.

    Those whose period is over are left out.
    """
    listed, unread = await _read_budgets(call)
    today = utc_date(call.now)
    rows = [row for row in listed if is_running(row, today)]
    # The list alone shows which budgets are on track, so few of them need their own request.
    risky = [
        row for row in rows if find_status(row, {}, today).status in ("exceeded", "at_risk") or is_budget_of(row, scope)
    ]
    statuses, failed = await fetch_statuses(call, risky)
    checked = set(map(id, risky))
    on_track = [row for row in rows if id(row) not in checked]
    not_begun = [row for row in listed if (period := current_period(row, today)) is not None and period.first > today]
    return CheckedBudgets(list(zip(risky, statuses, strict=True)), len(rows), [*unread, *failed], on_track, not_begun)


def is_running(row: JsonObject, today: date) -> bool:
    """Return whether *today* is in the period of a budget, or that is unknown."""
    period = current_period(row, today)
    return period is None or period.first <= today <= period.last


def is_budget_of(row: JsonObject, scope: Scope) -> bool:
    """Return whether a budget in a list covers the same costs as *scope*."""
    written = budget_scope(row)
    return not written.allocations and _comparable_filters(written.scope) == _comparable_filters(scope)


def _comparable_filters(scope: Scope) -> set[tuple[Any, ...]]:
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


async def _read_budgets(call: Call) -> tuple[list[JsonObject], list[FailedPart]]:
    """Return the rows of the list of budgets, and the entry about those on further pages, which are not read."""
    pages = iterate_pages(call.doit.budgets.list_budgets, max_pages=MAX_BUDGET_PAGES, maxResults=LARGE_PAGE_SIZE)
    rows, token = [], ""
    async for page in pages:
        rows += page.rows
        token = page.next_token
    unread: FailedPart = {"part": "further budgets", "why": f"only the first {len(rows)} budgets are checked"}
    return rows, [unread] if token else []


def order_breaches(budgets: Sequence[tuple[JsonObject, BudgetStatus]], own: OwnForecast) -> list[JsonObject]:
    """Return the budgets that are or will be exceeded: exceeded ones by the share used, the others by date.

    Budgets on track that will be exceeded according to our *own* forecast come last.
    """
    compared = [(row, status, own.compare(row, status)) for row, status in budgets]
    breaches = [
        (row, status, other)
        for row, status, other in compared
        if status.status in ("exceeded", "at_risk") or (other is not None and other.contradicts)
    ]
    breaches.sort(key=lambda item: _rank(item[1]))
    return [describe_breach(row, status, other.note if other else "") for row, status, other in breaches]


def _rank(status: BudgetStatus) -> tuple[int, date, float]:
    ranks = ("exceeded", "at_risk", "on_track", "unknown")
    return ranks.index(status.status), status.breaks_on or date.max, -share_used(status)


def share_used(status: BudgetStatus) -> float:
    """Return the share of its limit that a budget has used, for sorting; 0 if it is unknown."""
    return status.spent / status.limit if status.limit and status.spent is not None else 0.0


def describe_breach(row: JsonObject, status: BudgetStatus, comparison: str) -> JsonObject:
    """Return a budget that is or will be exceeded, as forecast_spend shows it."""
    return {
        **{"id": row.get("id"), "name": row.get("budgetName"), "url": row.get("url")},
        "amount": status.limit,
        "spent": status.spent,
        "currency": row.get("currency"),
        "expected": status.forecast,
        **status.as_json,
        "basis": f"{status.basis}{comparison}",
    }
