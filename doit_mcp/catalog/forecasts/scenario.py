"""Scenarios: the forecast of the current and the next two months with changes, and their effect on budgets."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..budgets.breaches import CheckedBudgets
from ..call import Call
from ..costs.amounts import ZERO, amount_as_json, change_percent, to_decimal
from ..costs.groups import find_fixed_group
from ..costs.query_config import cost_config
from ..costs.scope import Scope
from ..partial_results import FailedPart
from ..periods.period import ONE_DAY, Period, last_final_days, month_of, quarter_of, subtract_months, utc_date
from ..report_runs.queries import fetch_query
from ..tables import sum_by_columns
from ..tools.tool import ToolError
from .clouds import sum_by_day as sum_amounts_by_day
from .run_rate import CloudCosts, estimate_day_cost, list_days, project_cost
from .scenario_budgets import find_budget_effects
from .scenario_changes import Change, parse_changes
from .scenario_costs import ScenarioCosts, read_conditions
from .scenario_model import (
    ResolvedChange,
    Shares,
    amounts_by_change,
    find_new_services,
    resolve_changes,
    split_costs,
    spread_changes,
    sum_by_change,
    sum_changes_by_day,
)

MONTHS = 3
SHARE_DAYS = 28
"""Final days whose costs determine the share of each cloud and service."""
CLOUD, SERVICE = find_fixed_group("cloud"), find_fixed_group("service")
ASSUMPTIONS = (
    "Changes apply to days after {today} only, as steps from their day on: growth 10% is 10 % more cost each day, not per "
    "month.",
    "Each cloud has its own forecast, and a service the same share of its cloud's cost each day as in {first} to {last}.",
    "Per day in this order: growth, price, move (what is left of its cost, times its percentage), one-off (in the currency of "
    "the answer); entries of one "
    "kind as listed.",
    "The distance of low and high scales with the cost of each day to come, without one-offs; low is at least what is spent, "
    "with one-offs.",
)
BUDGET_ASSUMPTION = (
    "A budget's scenario is DoiT's forecast of it plus the changes in its scope; to find the day, its forecast is spread "
    "evenly over the days to come. Its next periods, and budgets that begin later, are checked too if they end within "
    "the scenario and this forecast has all of their costs; basis says how. Of days and weeks, the first with each effect is "
    'listed; periods counts them. A one-off counts for the budgets of its cloud or service; without "of", it is of the selected '
    "cloud, or else counts for budgets of all costs only."
)


class ScenarioRequest(NamedTuple):
    """The changes to apply to the costs of a *scope*, and the days that they can be in."""

    scope: Scope
    changes: Sequence[Change]
    horizon: Period


def read_scenario(texts: Sequence[str], scope: Scope, today: date) -> ScenarioRequest:
    """Parse the scenario argument. Raise ApiError for an invalid change."""
    horizon = Period(today.replace(day=1), month_of(subtract_months(today, 1 - MONTHS)).last)
    return ScenarioRequest(scope, parse_changes(texts, today, horizon), horizon)


async def read_shares(call: Call, scope: Scope, currency: str, today: date) -> Shares:
    """Return the share of each cloud and service in a scope's costs. Raise ApiError, or ToolError if it has none."""
    config = cost_config(scope, last_final_days(today, SHARE_DAYS), currency, interval="year", groups=(CLOUD, SERVICE))
    answer = await fetch_query(call, config)
    costs = {
        (None if cloud is None else str(cloud), None if service is None else str(service)): to_decimal(cost)
        for (cloud, service), cost in sum_by_columns(answer, (CLOUD.column, SERVICE.column)).items()
    }
    total = sum(costs.values(), ZERO)
    if total <= 0:
        raise ToolError(f"A scenario needs costs, and the last {SHARE_DAYS} final days have none.")
    return {atom: cost / total for atom, cost in costs.items()}


async def add_scenario(
    call: Call,
    request: ScenarioRequest,
    shares: Shares,
    clouds: Sequence[CloudCosts],
    currency: str,
    checked: CheckedBudgets | None,
) -> tuple[JsonObject, Sequence[FailedPart]]:
    """Return the scenario as the result shows it, and what could not be read. Each of the *clouds* must have a pace."""
    today = utc_date(call.now)
    resolved = resolve_changes(request.changes, shares, request.scope)
    costs = await run_in_thread(_apply, request, resolved, shares, clouds, currency, today)
    answer = _compare_periods(request, costs, clouds)
    shared = last_final_days(today, SHARE_DAYS)
    assumptions = [
        text.format(today=today.isoformat(), first=shared.first.isoformat(), last=shared.last.isoformat())
        for text in ASSUMPTIONS
    ]
    assumptions += [
        f"{name} has no costs yet: it is treated as a new service, which budgets of a cloud do not include."
        for name in find_new_services(resolved, shares)
    ]
    assumptions += [
        f"The scenario of {month['from']} to {month['to']} is below zero, which is unlikely for costs: check the one-off amounts."
        for month in answer["months"]
        if month["scenario"] < 0 <= month["expected"]
    ]
    if checked is None:
        return answer | {"assumptions": assumptions}, []
    effects = await find_budget_effects(call, checked, costs)
    budgets = {"budgets": list(effects.effects), "budgetsUnknown": list(effects.unknown)}
    return answer | budgets | {"assumptions": [*assumptions, BUDGET_ASSUMPTION]}, effects.failures


def _apply(
    request: ScenarioRequest,
    resolved: Sequence[ResolvedChange],
    shares: Shares,
    clouds: Sequence[CloudCosts],
    currency: str,
    today: date,
) -> ScenarioCosts:
    to_come = list_days(today + ONE_DAY, request.horizon.last)
    bases = [
        (one.cloud, {day: to_decimal(estimate_day_cost(one, one.pace, day)) for day in to_come})
        for one in clouds
        if one.pace is not None
    ]
    split = split_costs(bases, shares)
    months = [month_of(subtract_months(today, -count)) for count in range(MONTHS)]
    limits = read_conditions(request.scope.all_filters)
    return ScenarioCosts(split, spread_changes(resolved, split), months, currency, today, limits)


def _compare_periods(request: ScenarioRequest, costs: ScenarioCosts, clouds: Sequence[CloudCosts]) -> JsonObject:
    """Return the months, the quarter, the sum of the months and the amount of each change. All add up exactly."""
    months, currency = costs.months, costs.currency
    amounts = amounts_by_change(costs.days, lambda atom: True)
    added = {month: sum_by_change(amounts, month, currency) for month in months}
    factors = day_factors(costs, {change.index for change in request.changes if change.kind == "one-off"})
    changes = {month: sum(added[month].values(), ZERO) for month in months}
    rows = [_compare(month, changes[month], clouds, costs, factors) for month in months]
    quarter = quarter_of(costs.today)
    in_quarter = [changes[month] for month in months if month.last <= quarter.last]
    expected = sum((to_decimal(row["expected"]) for row in rows), ZERO)
    total = sum(changes.values(), ZERO)
    listed = [
        {"change": change.text, "amount": float(sum((added[month].get(change.index, ZERO) for month in months), ZERO))}
        for change in request.changes
    ]
    return {
        "months": rows,
        "quarter": _compare(quarter, sum(in_quarter, ZERO), clouds, costs, factors),
        "total": {**request.horizon.as_json, **_make_difference(expected, total, currency)},
        "changes": listed,
    }


def day_factors(costs: ScenarioCosts, one_offs: Container[int]) -> dict[date, float]:
    """Return the factor by which changes multiply the cost of each future day, without the changes in *one_offs*."""
    base = sum_amounts_by_day(cloud.base for cloud in costs.clouds)
    lasting = sum_changes_by_day(
        {
            key: amount
            for key, amount in amounts_by_change(costs.days, lambda atom: True).items()
            if key[0] not in one_offs
        }
    )
    return {day: max(0.0, float(1 + lasting.get(day, ZERO) / cost)) for day, cost in base.items() if cost}


def _compare(
    period: Period,
    change: Decimal,
    clouds: Sequence[CloudCosts],
    costs: ScenarioCosts,
    factors: Mapping[date, float],
) -> JsonObject:
    currency, today = costs.currency, costs.today
    expected = to_decimal(project_cost(period, clouds, today).as_json(currency, period, None)["expected"])
    changed = project_cost(period, clouds, today, factors)
    scenario = expected + change
    return {
        **period.as_json,
        **_make_difference(expected, change, currency),
        "low": amount_as_json(scenario - to_decimal(changed.below), currency),
        "high": amount_as_json(scenario + to_decimal(changed.above), currency),
    }


def _make_difference(expected: Decimal, change: Decimal, currency: str) -> JsonObject:
    return {
        "expected": float(expected),
        "scenario": float(expected + change),
        "change": float(change),
        "changePercent": change_percent(expected, expected + change, currency),
    }
