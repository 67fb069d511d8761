"""Where spending will be at the end of a period: pure reckoning over days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import fsum

from ...protocol.jsonrpc import JsonObject
from ..periods import DAY, Period, month_of, quarter_of, year_of
from ..tables import money, number, percent

LEARNT = 28
"""Whole days before today whose mean is the pace: four weeks, so that weekends weigh right."""

LAG = 3
"""Days that bills may be behind."""

Days = Mapping[date, float]


@dataclass(frozen=True, slots=True)
class Outlook:
    """A period's cost: *spent* up to today, and *ahead* expected from then to its end."""

    period: Period
    spent: float
    ahead: float

    def shown(self, before: float | None) -> JsonObject:
        """The outlook as an answer shows it, beside what the whole period *before* cost."""
        expected = money(money(self.spent) + money(self.ahead))
        return {
            **self.period.shown,
            "spent": money(self.spent),
            "ahead": money(self.ahead),
            "expected": expected,
            "before": None if before is None else money(before),
            "changePercent": None if before is None else percent(expected - before, before),
        }


def edge(actual: Days, today: date) -> date:
    """The first day that is still to be reckoned: bills are some days behind, so those without costs at the end are
    not known yet."""
    known = max((day for day in actual if day <= today), default=today - DAY)
    return max(known + DAY, today - LAG * DAY)


def pace(actual: Days, today: date) -> float:
    """Mean cost of the last whole days that are known; 0 without any. Days between that have no cost count as 0."""
    first = min((day for day in actual if day < today), default=None)
    end = min(edge(actual, today), today)
    if first is None or first >= end:
        return 0.0
    start = max(first, end - LEARNT * DAY)
    return fsum(amount for day, amount in actual.items() if start <= day < end) / (end - start).days


def outlook(period: Period, actual: Days, forecast: Days, daily: float, today: date) -> Outlook:
    """What the period will cost: actual costs, then the forecast, and *daily* for days that it leaves out.

    A forecast of today is of the whole day, so what is already spent of it is taken off.
    """
    spent = fsum(amount for day, amount in actual.items() if period.first <= day <= min(period.last, today))
    ahead = []
    if today in actual and period.first <= today <= period.last:
        ahead.append(max(0.0, forecast.get(today, 0.0) - actual[today]))
    day = max(period.first, edge(actual, today))
    while day <= period.last:
        ahead.append(forecast.get(day, daily))
        day += DAY
    return Outlook(period, spent, fsum(ahead))


def cost_of(period: Period, actual: Days) -> float | None:
    """What a past period cost; None where no day of it is known."""
    known = [amount for day, amount in actual.items() if period.first <= day <= period.last]
    return fsum(known) if known else None


INTERVALS = {"month": month_of, "quarter": quarter_of, "year": year_of}


def breach(budget: JsonObject, today: date, announced: str) -> JsonObject | None:
    """When a budget is exceeded in its running period, and by how much at its end; None if it holds, or nobody knows.

    *announced* is the day that DoiT forecasts, "" for none. Without it the budget's own pace in this period decides:
    for months, quarters and years.
    """
    limit, spent = number(budget.get("amount")), number(budget.get("currentUtilization"))
    if limit <= 0:
        return None
    found: JsonObject = {
        **{"id": budget.get("id"), "name": budget.get("budgetName"), "url": budget.get("url")},
        **{"amount": money(limit), "spent": money(spent), "currency": budget.get("currency")},
    }
    interval = INTERVALS.get(str(budget.get("timeInterval")))
    expected = None
    if interval is not None:
        period = interval(today)
        gone = (today - period.first).days + 1
        expected = spent * period.days / gone
    found["expected"] = None if expected is None else money(expected)
    if spent > limit:
        return {**found, "status": "exceeded", "breaksOn": None, "basis": "spent so far"}
    if announced and announced >= today.isoformat():
        return {**found, "status": "will break", "breaksOn": announced, "basis": "DoiT's forecast"}
    if interval is None or expected is None or expected <= limit or budget.get("riskStatus") == "onTrack":
        return None
    on = period.first + int(limit / (spent / gone)) * DAY
    return {**found, "status": "will break", "breaksOn": min(on, period.last).isoformat(), "basis": "pace so far"}
