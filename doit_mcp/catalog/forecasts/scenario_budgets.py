"""The effect of a scenario on budgets: which would be exceeded, which no longer, and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from ...api.report_config import normalize_provider
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..budgets.breaches import CheckedBudgets
from ..budgets.status import BudgetStatus, current_period
from ..budgets.tools import fetch_statuses
from ..budgets.written_scope import budget_scope
from ..call import Call
from ..costs.amounts import ZERO, amount_as_json, round_amount, to_decimal
from ..partial_results import FailedPart
from ..periods.period import ONE_DAY, Period
from .scenario_model import Atom, ChangeAmounts, DayChange, SplitCosts, amounts_by_change, sum_by_change, sum_by_day

PLACES = {"cloud_provider": 0, "service_description": 1}
MAX_LISTED = 20
"""Budgets that a scenario lists."""
MAX_BUDGETS = 200
"""Budgets on track, or that begin later, that are compared with a scenario."""
UNSPLIT = "its scope is not only clouds and services"
LATER = "its period {first} to {last} ends after the scenario"
OTHER_CURRENCY = "it has another currency; pass currency"
NO_FORECAST = "DoiT has no forecast of it"
NO_LIMIT = "its limit is unknown"
NO_PERIOD = "its period is unknown"
NO_COST = "it does not limit cost"
BASIS_FORECAST = "DoiT's forecast of this budget"
BASIS_SHARE = "this forecast of the budget's clouds in that period, times the share of its services"
BASIS_GROWTH = f"{BASIS_SHARE}; its limit grows"
PARTLY_FORECAST = "periods to come: this forecast does not have all of its costs; leave out cloud and filters"
OPEN_LIMIT = "periods to come: only the limit of its running period is known"
SHORT_INTERVALS = ("day", "week")
"""Intervals with many periods in a scenario: the first one with each effect is listed."""
CROSSES = ("newly_exceeded", "no_longer_exceeded")
LAST = "9999"
Condition = tuple[int, frozenset[str]]
"""A place in an atom, and the values that it may have."""


@dataclass(frozen=True, slots=True)
class ScenarioCosts:
    """What a scenario is about: the expected costs to come of *clouds*, and what changes add to them.

    *limits* are the conditions of the forecast on clouds and services, empty if it has all costs of the customer; None if
    it has other conditions.
    """

    clouds: Sequence[SplitCosts]
    days: Sequence[DayChange]
    months: Sequence[Period]
    currency: str
    today: date
    limits: Sequence[Condition] | None

    @property
    def last(self) -> date:
        """The last day."""
        return self.months[-1].last

    def has_all(self, conditions: Sequence[Condition]) -> bool:
        """Return whether all costs that match the *conditions* are forecast."""
        return self.limits is not None and all(
            any(place == at and values <= allowed for place, values in conditions) for at, allowed in self.limits
        )

    def base_of(self, conditions: Sequence[Condition], period: Period) -> dict[date, Decimal]:
        """Return the expected cost of each day of a period to come that matches the *conditions*."""
        base: dict[date, Decimal] = {}
        for cloud in self.clouds:
            share = sum((part for atom, part in cloud.shares.items() if _matches(atom, conditions)), ZERO)
            for day, cost in cloud.base.items():
                if period.first <= day <= period.last:
                    base[day] = base.get(day, ZERO) + share * cost
        return base


@dataclass(frozen=True, slots=True)
class BudgetEffects:
    """Budgets that are exceeded with or without the scenario, those whose effect is unknown, and what was not read."""

    effects: Sequence[JsonObject]
    unknown: Sequence[JsonObject]
    failures: Sequence[FailedPart]


@dataclass(frozen=True, slots=True)
class Outlook:
    """A period of a budget without changes: its *limit*, what is *spent*, and the *base* cost of each day to come, which
    *expected* includes."""

    period: Period
    limit: Decimal
    spent: Decimal
    expected: Decimal
    base: Mapping[date, Decimal]
    basis: str
    breaks_on: date | None
    is_exceeded: bool = False


@dataclass(frozen=True, slots=True)
class ChangedCosts:
    """A budget of a list, the *conditions* on its costs, and what changes add to them."""

    row: JsonObject
    conditions: Sequence[Condition]
    added: ChangeAmounts


async def find_budget_effects(call: Call, checked: CheckedBudgets, costs: ScenarioCosts) -> BudgetEffects:
    """Return the effect of a scenario on all running budgets, and on those that begin within it."""
    candidates = [*checked.on_track, *checked.not_begun]
    listed = candidates[:MAX_BUDGETS]
    amounts = await run_in_thread(lambda: [read_changed_costs(row, costs.days) for row in listed])
    # A budget that the scenario leaves alone needs no request.
    changed = [found for found in amounts if found is not None and found.added]
    statuses, failures = await fetch_statuses(call, [found.row for found in changed])
    on_track = list(zip(changed, statuses, strict=True))
    effects, unknown = await run_in_thread(_all_effects, checked.budgets, on_track, costs)
    unknown += [
        _unknown(row, UNSPLIT)
        for row, found in zip(listed, amounts, strict=True)
        if found is None and _may_begin(row, costs)
    ]
    if unread := len(candidates) - len(listed):
        failures = [*failures, {"part": f"effect on {unread} budgets", "why": f"only {MAX_BUDGETS} are compared"}]
    for name, rows in (("budgets", effects), ("budgetsUnknown", unknown)):
        if more := len(rows) - MAX_LISTED:
            failures = [*failures, _cut(name, more)] if more > 0 else failures
    effects.sort(key=lambda item: (item["effect"] not in CROSSES, item["scenarioBreaksOn"] or LAST, item["name"] or ""))
    return BudgetEffects(effects[:MAX_LISTED], unknown[:MAX_LISTED], failures)


def _may_begin(row: JsonObject, costs: ScenarioCosts) -> bool:
    """Return whether a budget begins within a scenario, or that is unknown."""
    period = current_period(row, costs.today)
    return period is None or period.first <= costs.last


def _cut(name: str, more: int) -> FailedPart:
    return {"part": f"{more} more of scenario.{name}", "why": f"only {MAX_LISTED} are listed"}


def _unknown(row: JsonObject, why: str) -> JsonObject:
    return {"id": row.get("id"), "name": row.get("budgetName"), "why": why}


def _all_effects(
    risky: Iterable[tuple[JsonObject, BudgetStatus]],
    on_track: Iterable[tuple[ChangedCosts, BudgetStatus]],
    costs: ScenarioCosts,
) -> tuple[list[JsonObject], list[JsonObject]]:
    """Return the effects on budgets, and the budgets on which the effect, or a part of it, is unknown."""
    effects, unknown, readable = [], [], []
    for row, status in risky:
        if (changed := read_changed_costs(row, costs.days)) is None:
            unknown.append(_unknown(row, UNSPLIT))
        else:
            readable.append((changed, status))
    for changed, status in [*readable, *on_track]:
        found = outlooks(changed, status, costs)
        effects += _effects_of(changed, status, found.known, costs)
        unknown += [_unknown(changed.row, found.why)] if found.why else []
    return effects, unknown


@dataclass(frozen=True, slots=True)
class Outlooks:
    """The outlooks of a budget that are *known*, and *why* others are not; empty if all are."""

    known: Sequence[Outlook]
    why: str = ""


def outlooks(changed: ChangedCosts, status: BudgetStatus, costs: ScenarioCosts) -> Outlooks:
    """Return the outlooks of the periods of a budget that the changes reach, each of them once.

    That of the running period follows DoiT's forecast of the budget. Those of periods to come follow the forecast of the
    scenario, which must have all of their days and costs.
    """
    if not changed.added:
        return Outlooks([])
    if (why := _why_unknown(changed.row, status, costs)) is not None:
        return Outlooks([], why)
    periods = status.periods_until(max(day for _, day in changed.added))
    whole = [period for period in periods if period.last <= costs.last]
    known: list[Outlook] = []
    reasons = [_ends_later(period) for period in periods if period.last > costs.last]
    if whole and whole[0].first <= costs.today:
        if status.forecast is not None and status.spent is not None:
            known.append(_running_period(status, costs.today))
        elif any(day <= whole[0].last for _, day in changed.added):
            reasons.append(NO_FORECAST)
    if any(period.first > costs.today for period in whole):
        if not costs.has_all(changed.conditions):
            reasons.append(PARTLY_FORECAST)
        elif (growth := Decimal(1) if not status.interval else status.growth) is None:
            reasons.append(OPEN_LIMIT)
        else:
            known += _periods_to_come(changed, status, whole, growth, costs)
    return Outlooks(known, "; ".join(reasons))


def _ends_later(period: Period) -> str:
    return LATER.format(first=period.first.isoformat(), last=period.last.isoformat())


def _running_period(status: BudgetStatus, today: date) -> Outlook:
    assert status.period is not None
    spent, expected, left = to_decimal(status.spent), to_decimal(status.forecast), (status.period.last - today).days
    base = {today + count * ONE_DAY: (expected - spent) / left for count in range(1, left + 1)}
    return Outlook(
        status.period,
        to_decimal(status.limit),
        spent,
        expected,
        base,
        BASIS_FORECAST,
        status.breaks_on,
        status.status == "exceeded",
    )


def _periods_to_come(
    changed: ChangedCosts, status: BudgetStatus, periods: Sequence[Period], growth: Decimal, costs: ScenarioCosts
) -> Iterator[Outlook]:
    """Yield the outlook of each of the *periods* after today; the first period has the limit of the *status*."""
    limit = to_decimal(status.limit)
    for period in periods:
        if period.first > costs.today:
            base = costs.base_of(changed.conditions, period)
            rounded, expected = round_amount(limit, costs.currency), round_amount(_sum_of(base), costs.currency)
            basis = BASIS_SHARE if growth == 1 else BASIS_GROWTH
            yield Outlook(period, rounded, ZERO, expected, base, basis, _first_over(ZERO, rounded, base))
        limit *= growth


def _effects_of(
    changed: ChangedCosts, status: BudgetStatus, known: Iterable[Outlook], costs: ScenarioCosts
) -> list[JsonObject]:
    """Return the effects on the periods of a budget: of days and weeks, the first with each effect and their number."""
    effects = [effect for one in known if (effect := _compare(changed, one, costs)) is not None]
    if status.interval not in SHORT_INTERVALS:
        return effects
    alike: dict[str, list[JsonObject]] = {}
    for effect in effects:
        alike.setdefault(effect["effect"], []).append(effect)
    return [same[0] | {"periods": len(same)} for same in alike.values()]


def _compare(changed: ChangedCosts, outlook: Outlook, costs: ScenarioCosts) -> JsonObject | None:
    """Return the effect on a period of a budget; None without a change, or if the limit is not exceeded either way."""
    currency, limit, expected = costs.currency, outlook.limit, outlook.expected
    change = sum(sum_by_change(changed.added, outlook.period, currency).values(), ZERO)
    was_over = outlook.is_exceeded or expected > limit
    is_over = outlook.is_exceeded or expected + change > limit
    if not change or not (was_over or is_over):
        return None
    added = sum_by_day(changed.added)
    by_day = {day: cost + added.get(day, ZERO) for day, cost in outlook.base.items()}
    breaks_on = _first_over(outlook.spent, limit, by_day) if is_over and not outlook.is_exceeded else None
    return {
        "id": changed.row.get("id"),
        "name": changed.row.get("budgetName"),
        "currency": currency,
        "amount": amount_as_json(limit, currency),
        "expected": amount_as_json(expected, currency),
        "change": float(change),
        "scenario": amount_as_json(expected + change, currency),
        "effect": "already_exceeded" if outlook.is_exceeded else _effect(was_over, is_over),
        "breaksOn": outlook.breaks_on and outlook.breaks_on.isoformat(),
        "scenarioBreaksOn": breaks_on and breaks_on.isoformat(),
        "period": outlook.period.as_json,
        "basis": outlook.basis,
    }


def read_changed_costs(row: JsonObject, days: Iterable[DayChange]) -> ChangedCosts | None:
    """Return what changes add to the costs of a budget; None if its scope is not only clouds and services."""
    written = budget_scope(row)
    conditions = None if written.allocations else read_conditions(written.filters)
    if conditions is None:
        return None
    added = amounts_by_change(days, lambda atom: _matches(atom, conditions))
    return ChangedCosts(row, conditions, added)


def read_conditions(filters: Iterable[Any]) -> list[Condition] | None:
    """Return the conditions on clouds and services that filters consist of; None for any other filters."""
    read = [_read_condition(condition) for condition in filters]
    wanted = [condition for condition in read if condition is not None]
    return None if len(wanted) < len(read) else wanted


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
    if status.period is None:
        return NO_PERIOD
    return NO_LIMIT if status.limit is None else None


def _effect(was_over: bool, is_over: bool) -> str:
    return "newly_exceeded" if not was_over else "still_exceeded" if is_over else "no_longer_exceeded"


def _first_over(spent: Decimal, limit: Decimal, costs: Mapping[date, Decimal]) -> date | None:
    """Return the first day on which what is *spent* and the *costs* by day exceed a limit; None if they do not."""
    for day in sorted(costs):
        spent += costs[day]
        if spent > limit:
            return day
    return None
