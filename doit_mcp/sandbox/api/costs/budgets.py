"""Budget status: the current period, the spend of the budget's scope, and its forecast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from ..responses import JsonObject
from .activity import SETTLING_DAYS
from .calendar_days import add_periods, day_of_milliseconds, periods_between, start_of
from .dimensions import NO_CUSTOM_DIMENSIONS, CustomDimensions
from .filters import Filter, compile_filters, select_lines
from .forecast import predict
from .forecast_plan import DEFAULT_HISTORY_DAYS
from .ledger import Ledger, Selection
from .money import round_to_cents, to_amount
from .ranges import DayRange

MAX_LOG_GROWTH = 300.0  # limit of exponential growth, as a power of e, to stay within floats


@dataclass(frozen=True)
class BudgetStatus:
    """A budget today: its *period*, its *limit* in its *currency*, and *daily* micro-dollars.

    Days after *today* are forecast. *arriving* is the cost of the latest days that is still to arrive.
    """

    period: DayRange
    limit: float
    currency: str
    daily: Mapping[int, int]
    today: int
    arriving: int = 0

    @property
    def is_current(self) -> bool:
        """Whether today is in the period."""
        return self.period.first <= self.today <= self.period.last

    @cached_property
    def spent(self) -> float:
        """The spend of the period so far."""
        return self._spend_until(min(self.today, self.period.last))

    @cached_property
    def forecast(self) -> float | None:
        """The expected spend by the end of the period, None if it cannot be predicted."""
        return self._spend_until(self.period.last, self.arriving) if self.is_current else None

    @property
    def breach_day(self) -> int | None:
        """The day on which the spend exceeds the limit."""
        return self.find_day_over(self.limit)

    @property
    def risk(self) -> str:
        """atRisk, onTrack or unknown (BudgetListItem.riskStatus)."""
        if not self.is_current:
            return "unknown"
        return "atRisk" if self.breach_day is not None else "onTrack"

    def find_day_over(self, threshold: float) -> int | None:
        """The first day of the period at whose end the spend exceeds the threshold. What is still to arrive counts from
        tomorrow, or on the last day.
        """
        total = 0
        for day in self._days:
            total += self.daily[day]
            arriving = self.arriving if day > self.today or day == self.period.last else 0
            if to_amount(total + arriving, self.currency) > threshold:
                return day
        return None

    def _spend_until(self, last: int, more: int = 0) -> float:
        return to_amount(sum(self.daily[day] for day in self._days if day <= last) + more, self.currency)

    @cached_property
    def _days(self) -> list[int]:
        return sorted(day for day in self.daily if self.period.first <= day <= self.period.last)


def budget_filters(budget: JsonObject, custom: CustomDimensions) -> tuple[Filter, ...]:
    """The filters of a stored budget: its scopes; 400 if invalid."""
    return compile_filters(budget["scopes"], "scopes", custom)


def budget_status(budget: JsonObject, ledger: Ledger, custom: CustomDimensions = NO_CUSTOM_DIMENSIONS) -> BudgetStatus:
    """The status of a stored budget on the last day of the ledger."""
    today = ledger.last
    chosen = select_lines(ledger, budget_filters(budget, custom), credits=False)
    known = ledger.daily(chosen)
    period = _current_period(budget, today)
    daily, arriving = dict(known), 0
    if period.first <= today <= period.last:
        # By cloud, so that the forecasts of the clouds add up to that of all.
        for part in _split_by_cloud(chosen, ledger):
            costs_ahead, late_costs = _predict_costs(ledger.daily(part), ledger, period)
            arriving += late_costs
            for day, cost in costs_ahead.items():
                daily[day] = daily.get(day, 0) + cost
    return BudgetStatus(period, _current_limit(budget, period, known), budget["currency"], daily, today, arriving)


def _split_by_cloud(chosen: Selection, ledger: Ledger) -> list[Selection]:
    series: dict[str | None, set[int]] = {}
    for key, cloud in ledger.members("series", "cloud_provider"):
        if chosen.series is None or key in chosen.series:
            series.setdefault(cloud, set()).add(key)
    return [replace(chosen, series=frozenset(keys)) for keys in series.values()]


def _predict_costs(known: Mapping[int, int], ledger: Ledger, period: DayRange) -> tuple[dict[int, int], int]:
    """The costs of the days to come in the period, and those of its latest days that are still to arrive."""
    # The latest days are incomplete, so nothing is learned from them.
    today = ledger.last
    first, last = max(ledger.first, today - DEFAULT_HISTORY_DAYS + 1), today - SETTLING_DAYS
    learned = {day: known.get(day, 0) for day in range(first, last + 1)}
    expected = dict(zip(days := range(last + 1, period.last + 1), predict(learned, first, last, days)))
    latest = range(max(last + 1, period.first), today + 1)
    arriving = sum(max(0, expected[day] - known.get(day, 0)) for day in latest)
    return {day: cost for day, cost in expected.items() if day > today}, arriving


def _current_period(budget: JsonObject, today: int) -> DayRange:
    begins = day_of_milliseconds(budget["startPeriod"])
    if budget["type"] == "fixed":
        return DayRange(begins, day_of_milliseconds(budget["endPeriod"]))
    unit = budget["timeInterval"]
    start = start_of(unit, max(today, begins))
    return DayRange(max(start, begins), add_periods(unit, start, 1) - 1)


def _current_limit(budget: JsonObject, period: DayRange, known: Mapping[int, int]) -> float:
    if budget["type"] == "fixed":
        return float(budget["amount"])
    unit = budget["timeInterval"]
    start = start_of(unit, period.first)
    if budget["usePrevSpend"]:
        before = range(add_periods(unit, start, -1), start)
        return round_to_cents(to_amount(sum(known.get(day, 0) for day in before), budget["currency"]))
    passed = periods_between(unit, start_of(unit, day_of_milliseconds(budget["startPeriod"])), start)
    if budget["seasonalAmounts"]:
        return float(budget["seasonalAmounts"][passed % len(budget["seasonalAmounts"])])
    growth = math.exp(min(passed * math.log1p(budget["growthPerPeriod"] / 100), MAX_LOG_GROWTH))
    return round_to_cents(budget["amount"] * growth)
