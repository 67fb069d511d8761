"""Projection of spending to the end of a period, as pure functions over daily costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import fsum
from typing import Annotated, TypedDict

from ...api.value_kinds import CurrencyCode, Day, Label, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..periods import ONE_DAY, Period, PeriodDays, month_of, quarter_of, year_of
from ..tables import percent_change, round_to_cents, to_number

RUN_RATE_DAYS = 28
"""Whole days before today whose mean is the run rate: four weeks, so that weekends have the right weight."""

BILLING_LAG_DAYS = 3
"""Days that bills may lag behind."""

DailyCosts = Mapping[date, float]


class ProjectedPeriod(PeriodDays, total=False):
    """What a period costs so far, will cost, and what the whole period before it cost."""

    spent: Annotated[float, Money]
    ahead: Annotated[float, Money]
    expected: Annotated[float, Money]
    before: Annotated[float | None, Money]
    changePercent: Annotated[float | None, Percent]


class BudgetBreach(TypedDict, total=False):
    """A budget that is exceeded or will be."""

    id: str
    name: Annotated[str, Label]
    url: str
    amount: Annotated[float, Money]
    spent: Annotated[float, Money]
    currency: Annotated[str, CurrencyCode]
    expected: Annotated[float | None, Money]
    status: str
    breaksOn: Annotated[str | None, Day]
    basis: str


@dataclass(frozen=True, slots=True)
class Projection:
    """A period's cost: *spent* up to today, and *remaining* expected from then to its end."""

    period: Period
    spent: float
    remaining: float

    def as_json(self, previous_cost: float | None) -> JsonObject:
        """Return the projection as a tool result shows it, compared with the *previous_cost* of the whole period
        before."""
        expected = round_to_cents(round_to_cents(self.spent) + round_to_cents(self.remaining))
        return {
            **self.period.as_json,
            "spent": round_to_cents(self.spent),
            "ahead": round_to_cents(self.remaining),
            "expected": expected,
            "before": None if previous_cost is None else round_to_cents(previous_cost),
            "changePercent": None if previous_cost is None else percent_change(expected - previous_cost, previous_cost),
        }


def first_unknown_day(actual: DailyCosts, today: date) -> date:
    """Return the first day that has to be projected.

    Bills lag some days behind, so days without costs at the end are not known yet.
    """
    known = max((day for day in actual if day <= today), default=today - ONE_DAY)
    return max(known + ONE_DAY, today - BILLING_LAG_DAYS * ONE_DAY)


def run_rate(actual: DailyCosts, today: date) -> float:
    """Return the mean cost of the last whole days that are known; 0 without any.

    Days without cost in between count as 0.
    """
    first = min((day for day in actual if day < today), default=None)
    end = min(first_unknown_day(actual, today), today)
    if first is None or first >= end:
        return 0.0
    start = max(first, end - RUN_RATE_DAYS * ONE_DAY)
    return fsum(amount for day, amount in actual.items() if start <= day < end) / (end - start).days


def project_cost(
    period: Period, actual: DailyCosts, forecast: DailyCosts, daily_cost: float, today: date
) -> Projection:
    """Return the projected cost of a period: actual costs, then the forecast, and *daily_cost* for days without one.

    A forecast for today covers the whole day, so what is already spent of it is subtracted.
    """
    spent = fsum(amount for day, amount in actual.items() if period.first <= day <= min(period.last, today))
    ahead = []
    if today in actual and period.first <= today <= period.last:
        ahead.append(max(0.0, forecast.get(today, 0.0) - actual[today]))
    day = max(period.first, first_unknown_day(actual, today))
    while day <= period.last:
        ahead.append(forecast.get(day, daily_cost))
        day += ONE_DAY
    return Projection(period, spent, fsum(ahead))


def period_cost(period: Period, actual: DailyCosts) -> float | None:
    """Return the cost of a past period; None if no day of it is known."""
    known = [amount for day, amount in actual.items() if period.first <= day <= period.last]
    return fsum(known) if known else None


PERIOD_OF_INTERVAL = {"month": month_of, "quarter": quarter_of, "year": year_of}


def predict_breach(budget: JsonObject, today: date, forecast_day: str) -> JsonObject | None:
    """Return when a budget is exceeded in its current period, and by how much at its end; None if it is not or unknown.

    *forecast_day* is the day that DoiT forecasts, "" if it forecasts none. Without it, the budget's own run rate in this
    period decides, for monthly, quarterly and yearly budgets.
    """
    limit, spent = to_number(budget.get("amount")), to_number(budget.get("currentUtilization"))
    if limit <= 0:
        return None
    found: JsonObject = {
        **{"id": budget.get("id"), "name": budget.get("budgetName"), "url": budget.get("url")},
        **{"amount": round_to_cents(limit), "spent": round_to_cents(spent), "currency": budget.get("currency")},
    }
    interval = PERIOD_OF_INTERVAL.get(str(budget.get("timeInterval")))
    expected = None
    if interval is not None:
        period = interval(today)
        gone = (today - period.first).days + 1
        expected = spent * period.days / gone
    found["expected"] = None if expected is None else round_to_cents(expected)
    if spent > limit:
        return {**found, "status": "exceeded", "breaksOn": None, "basis": "spent so far"}
    if forecast_day and forecast_day >= today.isoformat():
        return {**found, "status": "will break", "breaksOn": forecast_day, "basis": "DoiT's forecast"}
    if interval is None or expected is None or expected <= limit or budget.get("riskStatus") == "onTrack":
        return None
    on = period.first + int(limit / (spent / gone)) * ONE_DAY
    return {**found, "status": "will break", "breaksOn": min(on, period.last).isoformat(), "basis": "pace so far"}
