"""The effect of a scenario on budgets: which would be exceeded, which no longer, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
from .scenario_model import Atom, DayChange, sum_by_day

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


@dataclass(frozen=True, slots=True)
class BudgetEffects:
    """Budgets that are exceeded with or without the scenario, those whose effect is unknown, and what was not read."""

    effects: Sequence[JsonObject]
    unknown: Sequence[JsonObject]
    failures: Sequence[FailedPart]


async def find_budget_effects(
    call: Call, checked: CheckedBudgets, days: Sequence[DayChange], horizon: Period, currency: str, today: date
) -> BudgetEffects:
    """Return the effect of the changes of *days* on all running budgets."""
    listed = checked.on_track[:MAX_BUDGETS]
    added = await run_in_thread(lambda: [days_of_budget(row, days) for row in listed])
    # A budget on track needs its forecast only if the scenario adds to its costs.
    rising = [row for row, by_day in zip(listed, added, strict=True) if by_day and _sum_of(by_day) > 0]
    statuses, failures = await fetch_statuses(call, rising)
    effects, unknown = [], []
    for row, status in [*checked.budgets, *zip(rising, statuses, strict=True)]:
        found = budget_effect(row, status, days, horizon, currency, today)
        if isinstance(found, str):
            unknown.append(_unknown(row, found))
        elif found is not None:
            effects.append(found)
    unknown += [_unknown(row, UNSPLIT) for row, by_day in zip(listed, added, strict=True) if by_day is None]
    if unread := len(checked.on_track) - len(listed):
        failures = [*failures, {"part": f"effect on {unread} budgets", "why": f"only {MAX_BUDGETS} are compared"}]
    effects.sort(key=lambda item: (item["scenarioBreaksOn"] or "9", item["name"] or ""))
    return BudgetEffects(effects[:MAX_LISTED], unknown[:MAX_LISTED], failures)


def _unknown(row: JsonObject, why: str) -> JsonObject:
    return {"id": row.get("id"), "name": row.get("budgetName"), "why": why}


def budget_effect(
    row: JsonObject, status: BudgetStatus, days: Sequence[DayChange], horizon: Period, currency: str, today: date
) -> JsonObject | str | None:
    """Return the effect on one budget; None if it has none or the budget is within its limit either way, and a text if it
    is unknown."""
    added = days_of_budget(row, days)
    if added is None:
        return UNSPLIT
    if not _sum_of(added):
        return None
    if (why := _why_unknown(row, status, horizon, currency)) is not None:
        return why
    assert status.period is not None and status.limit is not None and status.forecast is not None
    added = {day: amount for day, amount in added.items() if day <= status.period.last}
    change = round_amount(_sum_of(added), currency)
    limit, base = to_decimal(status.limit), to_decimal(status.forecast)
    was_over, is_over = (
        base > limit or status.status == "exceeded",
        base + change > limit or status.status == "exceeded",
    )
    if not change or not (was_over or is_over):
        return None
    breaks_on = _breaks_on(status, added, today) if status.status != "exceeded" else None
    return {
        "id": row.get("id"),
        "name": row.get("budgetName"),
        "currency": currency,
        "amount": status.limit,
        "expected": amount_as_json(base, currency),
        "change": float(change),
        "scenario": amount_as_json(base + change, currency),
        "effect": _effect(status, was_over, is_over),
        "breaksOn": status.breaks_on and status.breaks_on.isoformat(),
        "scenarioBreaksOn": breaks_on and breaks_on.isoformat(),
        "period": status.period.as_json,
    }


def days_of_budget(row: JsonObject, days: Iterable[DayChange]) -> dict[date, Decimal] | None:
    """Return what changes add to the costs of a budget by day; None if its scope is not only clouds and services."""
    written = budget_scope(row)
    conditions = [_read_condition(condition) for condition in written.filters]
    if written.allocations or any(condition is None for condition in conditions):
        return None
    wanted = [condition for condition in conditions if condition is not None]
    return sum_by_day(days, lambda atom: _matches(atom, wanted))


def _read_condition(condition: Any) -> tuple[int, frozenset[str]] | None:
    place = PLACES.get(condition["id"]) if condition["type"] == "fixed" else None
    is_plain = condition.get("mode", "is") == "is" and not condition.get("inverse") and not condition.get("includeNull")
    if place is None or not is_plain:
        return None
    values = map(str, condition.get("values", ()))
    return place, frozenset(map(normalize_provider, values) if place == 0 else values)


def _matches(atom: Atom, conditions: Iterable[tuple[int, frozenset[str]]]) -> bool:
    return all(atom[place] in values for place, values in conditions)


def _sum_of(added: dict[date, Decimal]) -> Decimal:
    return sum(added.values(), ZERO)


def _why_unknown(row: JsonObject, status: BudgetStatus, horizon: Period, currency: str) -> str | None:
    if status.metric != "cost":
        return NO_COST
    if row.get("currency") != currency:
        return OTHER_CURRENCY
    if status.period is None or status.limit is None or status.forecast is None or status.spent is None:
        return NO_FORECAST
    return LATER if status.period.last > horizon.last else None


def _effect(status: BudgetStatus, was_over: bool, is_over: bool) -> str:
    if status.status == "exceeded":
        return "already_exceeded"
    return "newly_exceeded" if not was_over else "still_exceeded" if is_over else "no_longer_exceeded"


def _breaks_on(status: BudgetStatus, added: dict[date, Decimal], today: date) -> date | None:
    """Return the day on which the budget breaks in the scenario; None if it does not.

    What it is expected to cost from now on is spread evenly over the days to come.
    """
    assert status.period is not None
    spent, limit = to_decimal(status.spent), to_decimal(status.limit)
    left = (status.period.last - today).days
    extra = ZERO
    for count in range(1, left + 1):
        day = today + count * ONE_DAY
        extra += added.get(day, ZERO)
        if spent + (to_decimal(status.forecast) - spent) * count / left + extra > limit:
            return day
    return None
