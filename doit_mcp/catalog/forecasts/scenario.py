"""Scenarios: the forecast of the running and the next two months with changes, and their effect on budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..budgets.breaches import CheckedBudgets
from ..call import Call
from ..costs.amounts import ZERO, change_percent, round_amount, to_decimal
from ..costs.groups import fixed_group
from ..costs.query_config import cost_config
from ..costs.scope import Scope
from ..partial_results import FailedPart
from ..periods.period import ONE_DAY, Period, last_final_days, month_of, months_back, quarter_of, utc_date
from ..report_runs.queries import fetch_query
from ..tables import sum_by_columns
from ..tools.tool import ToolError
from .run_rate import CloudCosts, cost_to_come, days_between, project_cost
from .scenario_budgets import ScenarioCosts, find_budget_effects, read_conditions
from .scenario_changes import Change, parse_changes
from .scenario_model import (
    ResolvedChange,
    Shares,
    amounts_by_change,
    change_days,
    new_services,
    resolve_changes,
    split_costs,
    sum_by_change,
)

MONTHS = 3
SHARE_DAYS = 28
"""Final days whose costs tell the share of each cloud and service."""
CLOUD, SERVICE = fixed_group("cloud"), fixed_group("service")
ASSUMPTIONS = (
    "Changes apply to days after {today} only, as steps from their day on: growth 10% is 10 % more cost each day, not per "
    "month.",
    "Each cloud has its own forecast, and a service the same share of its cloud's cost each day as in {first} to {last}.",
    "Per day in this order: growth, price, move (what is left of its cost, times its percentage), one-off (in the currency of "
    "the answer); entries of one "
    "kind as listed.",
    "low and high keep the distance that they have without changes, but low is at least what is spent, with one-offs.",
)
BUDGET_ASSUMPTION = (
    "A budget's scenario is DoiT's forecast of it plus the changes in its scope; to find the day, its forecast is spread "
    "evenly over the days to come. The next months of monthly budgets are checked too, if this forecast has all of their "
    'costs; basis says how. A one-off counts for the budgets of its cloud or service; without "of", it is of the selected '
    "cloud, or else counts for budgets of all costs only."
)


@dataclass(frozen=True, slots=True)
class ScenarioRequest:
    """The changes to apply to the costs of a *scope*, and the days that they can be in."""

    scope: Scope
    changes: Sequence[Change]
    horizon: Period


def read_scenario(texts: Sequence[str], scope: Scope, today: date) -> ScenarioRequest:
    """Return the scenario of an argument. Raise ApiError."""
    horizon = Period(today.replace(day=1), month_of(months_back(today, 1 - MONTHS)).last)
    return ScenarioRequest(scope, parse_changes(texts, today, horizon), horizon)


async def read_shares(call: Call, scope: Scope, currency: str, today: date) -> Shares:
    """Return the share of each cloud and service in the costs of a scope. Raise ApiError, or ToolError without costs."""
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
    resolved = resolve_changes(request.changes, shares, request.scope.cloud)
    costs = await run_in_thread(_apply, request, resolved, shares, clouds, currency, today)
    answer = _compare_periods(request, costs, clouds)
    shared = last_final_days(today, SHARE_DAYS)
    assumptions = [
        text.format(today=today.isoformat(), first=shared.first.isoformat(), last=shared.last.isoformat())
        for text in ASSUMPTIONS
    ]
    assumptions += [
        f"{name} has no costs yet: it is taken as a new service, which budgets of a cloud do not count."
        for name in new_services(resolved, shares)
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
    to_come = days_between(today + ONE_DAY, request.horizon.last)
    bases = [
        (one.cloud, {day: to_decimal(cost_to_come(one, one.pace, day)) for day in to_come})
        for one in clouds
        if one.pace is not None
    ]
    split = split_costs(bases, shares)
    months = [month_of(months_back(today, -count)) for count in range(MONTHS)]
    limits = read_conditions(request.scope.all_filters)
    return ScenarioCosts(split, change_days(resolved, split), months, currency, today, limits)


def _compare_periods(request: ScenarioRequest, costs: ScenarioCosts, clouds: Sequence[CloudCosts]) -> JsonObject:
    """Return the months, the quarter, the sum of the months and the amount of each change. All add up exactly."""
    months, currency, today = costs.months, costs.currency, costs.today
    amounts = amounts_by_change(costs.days, lambda atom: True)
    added = {month: sum_by_change(amounts, month, currency) for month in months}
    paid_once = {change.index for change in request.changes if change.kind == "one-off"}
    changes = {
        month: PeriodChange(
            sum(added[month].values(), ZERO),
            sum((amount for index, amount in added[month].items() if index in paid_once), ZERO),
        )
        for month in months
    }
    rows = [_compare(month, changes[month], clouds, currency, today) for month in months]
    quarter = quarter_of(today)
    in_quarter = [changes[month] for month in months if month.last <= quarter.last]
    expected = sum((to_decimal(row["expected"]) for row in rows), ZERO)
    total = sum((change.amount for change in changes.values()), ZERO)
    listed = [
        {"change": change.text, "amount": float(sum((added[month].get(change.index, ZERO) for month in months), ZERO))}
        for change in request.changes
    ]
    return {
        "months": rows,
        "quarter": _compare(quarter, sum_changes(in_quarter), clouds, currency, today),
        "total": {**request.horizon.as_json, **_difference(expected, total, currency)},
        "changes": listed,
    }


@dataclass(frozen=True, slots=True)
class PeriodChange:
    """What changes add to a period, and how much of that are one-offs."""

    amount: Decimal
    one_offs: Decimal


def sum_changes(changes: Sequence[PeriodChange]) -> PeriodChange:
    """Return the changes of several periods together."""
    return PeriodChange(sum((one.amount for one in changes), ZERO), sum((one.one_offs for one in changes), ZERO))


def _compare(
    period: Period, change: PeriodChange, clouds: Sequence[CloudCosts], currency: str, today: date
) -> JsonObject:
    base = project_cost(period, clouds, today).as_json(currency, period, None)
    spent, expected, low, high = (to_decimal(base[name]) for name in ("spent", "expected", "low", "high"))
    least = min(spent + change.one_offs, expected + change.amount)
    # Costs to come of a cloud that is never negative stay so, however large the decrease.
    changed_low = max(low + change.amount, least) if low >= spent else low + change.amount
    return {
        **period.as_json,
        **_difference(expected, change.amount, currency),
        "low": float(round_amount(changed_low, currency)),
        "high": float(round_amount(high + change.amount, currency)),
    }


def _difference(expected: Decimal, change: Decimal, currency: str) -> JsonObject:
    return {
        "expected": float(expected),
        "scenario": float(expected + change),
        "change": float(change),
        "changePercent": change_percent(expected, expected + change, currency),
    }
