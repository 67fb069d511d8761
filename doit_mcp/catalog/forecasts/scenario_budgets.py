"""The effect of a scenario on budgets: which would be exceeded, which no longer, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..budgets.breaches import CheckedBudgets
from ..budgets.budget_periods import current_period
from ..budgets.status import BudgetStatus
from ..budgets.tools import fetch_statuses
from ..call import Call
from ..costs.amounts import ZERO, amount_as_json
from ..partial_results import FailedPart
from .budget_outlooks import Outlook, find_first_day_over, make_outlooks
from .scenario_costs import ChangedCosts, ScenarioCosts, read_changed_costs
from .scenario_model import ChangeAmounts, index_by_day, sum_by_change, sum_changes_by_day

MAX_LISTED = 20
"""Maximum budgets that a scenario lists."""
MAX_BUDGETS = 200
"""Maximum budgets on track, or that begin later, that are compared with a scenario."""
UNSPLIT = "its scope is not only clouds and services"
BEGINS = "it begins on {}; "
SHORT_INTERVALS = ("day", "week")
"""Intervals with many periods in a scenario: the first one with each effect is listed."""
CROSSES = ("newly_exceeded", "no_longer_exceeded")
LAST = "9999"


class BudgetEffects(NamedTuple):
    """Budgets that are exceeded with or without the scenario, those whose effect is unknown, and what was not read."""

    effects: Sequence[JsonObject]
    unknown: Sequence[JsonObject]
    failures: Sequence[FailedPart]


async def find_budget_effects(call: Call, checked: CheckedBudgets, costs: ScenarioCosts) -> BudgetEffects:
    """Return the effect of a scenario on all running budgets, and on those that begin within it."""
    candidates = [*checked.on_track, *checked.not_begun]
    listed = candidates[:MAX_BUDGETS]
    amounts = await run_in_thread(lambda: [read_changed_costs(row, costs.days) for row in listed])
    # A budget that the scenario does not affect needs no request.
    changed = [found for found in amounts if found is not None and found.added]
    statuses, failures = await fetch_statuses(call, [found.row for found in changed])
    on_track = list(zip(changed, statuses, strict=True))
    effects, unknown = await run_in_thread(_collect_effects, checked.budgets, on_track, costs)
    unknown += [
        _make_unknown_effect(row, UNSPLIT, costs.today)
        for row, found in zip(listed, amounts, strict=True)
        if found is None and _may_begin(row, costs)
    ]
    if unread := len(candidates) - len(listed):
        failures = [*failures, {"part": f"effect on {unread} budgets", "why": f"only {MAX_BUDGETS} are compared"}]
    for name, rows in (("budgets", effects), ("budgetsUnknown", unknown)):
        if more := len(rows) - MAX_LISTED:
            failures = [*failures, _omitted_part(name, more)] if more > 0 else failures
    effects.sort(key=lambda item: (item["effect"] not in CROSSES, item["scenarioBreaksOn"] or LAST, item["name"] or ""))
    return BudgetEffects(effects[:MAX_LISTED], unknown[:MAX_LISTED], failures)


def _may_begin(row: JsonObject, costs: ScenarioCosts) -> bool:
    """Return whether a budget begins within a scenario, or that is unknown."""
    period = current_period(row, costs.today)
    return period is None or period.first <= costs.last


def _omitted_part(name: str, more: int) -> FailedPart:
    return {"part": f"{more} more of scenario.{name}", "why": f"only {MAX_LISTED} are listed"}


def _make_unknown_effect(row: JsonObject, why: str, today: date) -> JsonObject:
    period = current_period(row, today)
    begins = BEGINS.format(period.first.isoformat()) if period is not None and period.first > today else ""
    return {"id": row.get("id"), "name": row.get("budgetName"), "why": f"{begins}{why}"}


def _collect_effects(
    risky: Iterable[tuple[JsonObject, BudgetStatus]],
    on_track: Iterable[tuple[ChangedCosts, BudgetStatus]],
    costs: ScenarioCosts,
) -> tuple[list[JsonObject], list[JsonObject]]:
    """Return the effects on budgets, and the budgets on which the effect, or a part of it, is unknown."""
    effects, unknown, readable = [], [], []
    for row, status in risky:
        if (changed := read_changed_costs(row, costs.days)) is None:
            unknown.append(_make_unknown_effect(row, UNSPLIT, costs.today))
        else:
            readable.append((changed, status))
    for changed, status in [*readable, *on_track]:
        found = make_outlooks(changed, status, costs)
        effects += _list_effects(changed, status, found.known, costs)
        unknown += [_make_unknown_effect(changed.row, found.why, costs.today)] if found.why else []
    return effects, unknown


def _list_effects(
    changed: ChangedCosts, status: BudgetStatus, known: Iterable[Outlook], costs: ScenarioCosts
) -> list[JsonObject]:
    """Return the effects on the periods of a budget: of days and weeks, the first with each effect and their number."""
    by_day = index_by_day(changed.added)
    effects = [effect for one in known if (effect := _compare(changed.row, one, by_day, costs.currency)) is not None]
    if status.interval not in SHORT_INTERVALS:
        return effects
    alike: dict[str, list[JsonObject]] = {}
    for effect in effects:
        alike.setdefault(effect["effect"], []).append(effect)
    return [same[0] | {"periods": len(same)} for same in alike.values()]


def _compare(
    row: JsonObject, outlook: Outlook, by_day: Mapping[date, ChangeAmounts], currency: str
) -> JsonObject | None:
    """Return the effect on a period of a budget; None without a change, or if the limit is not exceeded either way.

    *by_day* is what changes add to its costs on each day.
    """
    limit, expected, period = outlook.limit, outlook.expected, outlook.period
    reached = [amounts for day, amounts in by_day.items() if period.first <= day <= period.last]
    added = {key: amount for amounts in reached for key, amount in amounts.items()}
    change = sum(sum_by_change(added, period, currency).values(), ZERO)
    was_over = outlook.is_exceeded or expected > limit
    is_over = outlook.is_exceeded or expected + change > limit
    if not change or not (was_over or is_over):
        return None
    sums = sum_changes_by_day(added)
    changed = {day: cost + sums.get(day, ZERO) for day, cost in outlook.base.items()}
    breaks_on = find_first_day_over(outlook.spent, limit, changed) if is_over and not outlook.is_exceeded else None
    return {
        "id": row.get("id"),
        "name": row.get("budgetName"),
        "currency": currency,
        "amount": amount_as_json(limit, currency),
        "expected": amount_as_json(expected, currency),
        "change": float(change),
        "scenario": amount_as_json(expected + change, currency),
        "effect": "already_exceeded" if outlook.is_exceeded else _name_effect(was_over, is_over),
        "breaksOn": outlook.breaks_on and outlook.breaks_on.isoformat(),
        "scenarioBreaksOn": breaks_on and breaks_on.isoformat(),
        "period": period.as_json,
        "basis": outlook.basis,
    }


def _name_effect(was_over: bool, is_over: bool) -> str:
    return "newly_exceeded" if not was_over else "still_exceeded" if is_over else "no_longer_exceeded"
