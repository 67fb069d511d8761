"""The effect of a scenario on budgets: which would be exceeded, which no longer, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from ...api.report_config import normalize_provider
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..budgets.breaches import CheckedBudgets
from ..budgets.status import BudgetStatus
from ..budgets.tools import fetch_statuses
from ..budgets.written_scope import budget_scope
from ..call import Call
from ..costs.amounts import ZERO, amount_as_json, round_amount, to_decimal
from ..partial_results import FailedPart
from ..periods.period import ONE_DAY, Period
from .scenario_model import Atom, DayChange, Shares, sum_by_day

PLACES = {"cloud_provider": 0, "service_description": 1}
MAX_LISTED = 20
"""Budgets that a scenario lists."""
MAX_BUDGETS = 200
"""Budgets on track that are compared with a scenario."""
UNSPLIT = "its scope is not only clouds and services"
LATER = "its period ends after the scenario"
OTHER_CURRENCY = "it has another currency; pass currency"
NO_FORECAST = "DoiT has no forecast of it"
NO_COST = "it does not limit cost"
BASIS_FORECAST = "DoiT's forecast of this budget"
BASIS_SHARE = (
    "month of this forecast, times the share of the budget's clouds and services; the limit of the running month"
)
LAST = "9999"
Condition = tuple[int, frozenset[str]]
"""A place in an atom, and the values that it may have."""


@dataclass(frozen=True, slots=True)
class ScenarioCosts:
    """What a scenario is about: the expected cost (*base*) of each day to come, split by *shares*, and what changes add.

    *is_whole* is whether these are all costs of the customer, so that a budget's costs are a part of them.
    """

    base: Mapping[date, Decimal]
    shares: Shares
    days: Sequence[DayChange]
    months: Sequence[Period]
    currency: str
    today: date
    is_whole: bool

    @property
    def last(self) -> date:
        """The last day."""
        return self.months[-1].last


@dataclass(frozen=True, slots=True)
class BudgetEffects:
    """Budgets that are exceeded with or without the scenario, those whose effect is unknown, and what was not read."""

    effects: Sequence[JsonObject]
    unknown: Sequence[JsonObject]
    failures: Sequence[FailedPart]


async def find_budget_effects(call: Call, checked: CheckedBudgets, costs: ScenarioCosts) -> BudgetEffects:
    """Return the effect of a scenario on all running budgets."""
    listed = checked.on_track[:MAX_BUDGETS]
    added = await run_in_thread(lambda: [days_of_budget(row, costs.days) for row in listed])
    # A budget on track needs its forecast only if the scenario adds to its costs.
    rising = [row for row, by_day in zip(listed, added, strict=True) if by_day and _sum_of(by_day) > 0]
    statuses, failures = await fetch_statuses(call, rising)
    effects, unknown = [], []
    for row, status in [*checked.budgets, *zip(rising, statuses, strict=True)]:
        found = budget_effect(row, status, costs)
        if isinstance(found, str):
            unknown.append(_unknown(row, found))
        elif found is not None:
            effects.append(found)
        effects += next_months(row, status, costs)
    unknown += [_unknown(row, UNSPLIT) for row, by_day in zip(listed, added, strict=True) if by_day is None]
    if unread := len(checked.on_track) - len(listed):
        failures = [*failures, {"part": f"effect on {unread} budgets", "why": f"only {MAX_BUDGETS} are compared"}]
    effects.sort(key=lambda item: (item["scenarioBreaksOn"] or LAST, item["name"] or ""))
    return BudgetEffects(effects[:MAX_LISTED], unknown[:MAX_LISTED], failures)


def _unknown(row: JsonObject, why: str) -> JsonObject:
    return {"id": row.get("id"), "name": row.get("budgetName"), "why": why}


def budget_effect(row: JsonObject, status: BudgetStatus, costs: ScenarioCosts) -> JsonObject | str | None:
    """Return the effect on the running period of a budget; None if it has none or the budget is within its limit either
    way, and a text if it is unknown."""
    added = days_of_budget(row, costs.days)
    if added is None:
        return UNSPLIT
    if not _sum_of(added):
        return None
    if (why := _why_unknown(row, status, costs)) is not None:
        return why
    assert status.period is not None
    spent, expected, left = (
        to_decimal(status.spent),
        to_decimal(status.forecast),
        (status.period.last - costs.today).days,
    )
    base = {costs.today + count * ONE_DAY: (expected - spent) / left for count in range(1, left + 1)}
    return _compare(row, status, status.period, spent, expected, base, added, costs.currency)


def next_months(row: JsonObject, status: BudgetStatus, costs: ScenarioCosts) -> list[JsonObject]:
    """Return the effects on the next months of a monthly budget whose costs are a part of the *costs*: months in which
    only the scenario, or only the forecast without it, exceeds the limit."""
    added, conditions = days_of_budget(row, costs.days), _conditions(row)
    is_monthly = row.get("timeInterval") == "month" and status.period is not None
    if not costs.is_whole or added is None or conditions is None or not is_monthly or row.get("type") == "fixed":
        return []
    if status.metric != "cost" or status.limit is None or row.get("currency") != costs.currency:
        return []
    share = sum((part for atom, part in costs.shares.items() if _matches(atom, conditions)), ZERO)
    found = []
    for month in costs.months[1:]:
        base = {day: share * cost for day, cost in costs.base.items() if month.first <= day <= month.last}
        expected = round_amount(_sum_of(base), costs.currency)
        later = replace(status, status="on_track", breaks_on=_first_over(ZERO, status.limit, base))
        effect = _compare(row, later, month, ZERO, expected, base, added, costs.currency)
        if effect is not None and effect["effect"] != "still_exceeded":
            found.append(effect | {"basis": BASIS_SHARE})
    return found


def _compare(
    row: JsonObject,
    status: BudgetStatus,
    period: Period,
    spent: Decimal,
    expected: Decimal,
    base: Mapping[date, Decimal],
    added: Mapping[date, Decimal],
    currency: str,
) -> JsonObject | None:
    """Return the effect of what is *added* by day to the *base* cost by day, of which *expected* is the sum with what is
    *spent*; None without a change, or if the limit is not exceeded either way."""
    limit = to_decimal(status.limit)
    in_period = {day: amount for day, amount in added.items() if period.first <= day <= period.last}
    change = round_amount(_sum_of(in_period), currency)
    is_exceeded = status.status == "exceeded"
    was_over, is_over = is_exceeded or expected > limit, is_exceeded or expected + change > limit
    if not change or not (was_over or is_over):
        return None
    by_day = {day: cost + in_period.get(day, ZERO) for day, cost in base.items()}
    breaks_on = _first_over(spent, status.limit, by_day) if is_over and not is_exceeded else None
    return {
        "id": row.get("id"),
        "name": row.get("budgetName"),
        "currency": currency,
        "amount": status.limit,
        "expected": amount_as_json(expected, currency),
        "change": float(change),
        "scenario": amount_as_json(expected + change, currency),
        "effect": "already_exceeded" if is_exceeded else _effect(was_over, is_over),
        "breaksOn": status.breaks_on and status.breaks_on.isoformat(),
        "scenarioBreaksOn": breaks_on and breaks_on.isoformat(),
        "period": period.as_json,
        "basis": BASIS_FORECAST,
    }


def days_of_budget(row: JsonObject, days: Iterable[DayChange]) -> dict[date, Decimal] | None:
    """Return what changes add to the costs of a budget by day; None if its scope is not only clouds and services."""
    conditions = _conditions(row)
    return None if conditions is None else sum_by_day(days, lambda atom: _matches(atom, conditions))


def _conditions(row: JsonObject) -> list[Condition] | None:
    """Return the conditions on clouds and services that a budget's scope consists of; None for any other scope."""
    written = budget_scope(row)
    read = [_read_condition(condition) for condition in written.filters]
    wanted = [condition for condition in read if condition is not None]
    return None if written.allocations or len(wanted) < len(read) else wanted


def _read_condition(condition: Any) -> Condition | None:
    place = PLACES.get(condition["id"]) if condition["type"] == "fixed" else None
    is_plain = condition.get("mode", "is") == "is" and not condition.get("inverse") and not condition.get("includeNull")
    if place is None or not is_plain:
        return None
    values = map(str, condition.get("values", ()))
    return place, frozenset(map(normalize_provider, values) if place == 0 else values)


def _matches(atom: Atom, conditions: Iterable[Condition]) -> bool:
    return all(atom[place] in values for place, values in conditions)


def _sum_of(added: Mapping[date, Decimal]) -> Decimal:
    return sum(added.values(), ZERO)


def _why_unknown(row: JsonObject, status: BudgetStatus, costs: ScenarioCosts) -> str | None:
    if status.metric != "cost":
        return NO_COST
    if row.get("currency") != costs.currency:
        return OTHER_CURRENCY
    if status.period is None or status.limit is None or status.forecast is None or status.spent is None:
        return NO_FORECAST
    return LATER if status.period.last > costs.last else None


def _effect(was_over: bool, is_over: bool) -> str:
    return "newly_exceeded" if not was_over else "still_exceeded" if is_over else "no_longer_exceeded"


def _first_over(spent: Decimal, limit: float | None, costs: Mapping[date, Decimal]) -> date | None:
    """Return the first day on which what is *spent* and the *costs* by day exceed a limit; None if they do not."""
    for day in sorted(costs):
        spent += costs[day]
        if spent > to_decimal(limit):
            return day
    return None
