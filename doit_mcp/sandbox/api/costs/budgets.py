"""Where a budget stands: its current period, the spend of its scope, and what a forecast makes of the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ..responses import JsonObject
from .calendar_days import day_of_millis, moved, periods_between, start_of
from .dimensions import NONE_MADE, RULE, Made
from .filters import Filter, compiled, selection
from .forecast import predicted
from .ledger import Ledger
from .money import amount, cents
from .ranges import Range

LEARN_DAYS = 56
LARGEST = 300.0  # growth as a power of e: a budget that doubles daily for years is still a number


@dataclass(frozen=True)
class Standing:
    """A budget today: its *period*, the *limit* of it in the budget's *currency*, and *daily* micro-dollars.

    Days after *today* are predicted.
    """

    period: Range
    limit: float
    currency: str
    daily: Mapping[int, int]
    today: int

    @property
    def live(self) -> bool:
        """Whether today is in the period."""
        return self.period.first <= self.today <= self.period.last

    @cached_property
    def spent(self) -> float:
        """The spend of the period so far."""
        return self._until(min(self.today, self.period.last))

    @cached_property
    def expected(self) -> float | None:
        """The spend by the end of the period, None where nothing can be said."""
        return self._until(self.period.last) if self.live else None

    @property
    def breach(self) -> int | None:
        """The day on which the spend passes the limit."""
        return self.passing(self.limit)

    @property
    def risk(self) -> str:
        """atRisk, onTrack or unknown, as budgets are classified (BudgetListItem.riskStatus)."""
        if not self.live:
            return "unknown"
        return "atRisk" if self.breach is not None else "onTrack"

    def passing(self, threshold: float) -> int | None:
        """The first day of the period at whose end the spend is over the threshold."""
        total = 0
        for day in self._days:
            total += self.daily[day]
            if amount(total, self.currency) > threshold:
                return day
        return None

    def _until(self, last: int) -> float:
        return amount(sum(self.daily[day] for day in self._days if day <= last), self.currency)

    @cached_property
    def _days(self) -> list[int]:
        return sorted(day for day in self.daily if self.period.first <= day <= self.period.last)


def scope_of(budget: JsonObject, made: Made) -> tuple[Filter, ...]:
    """What a budget (its stored form) covers: its scopes, or the allocations of the older ``scope``; 400 if wrong."""
    found = compiled(budget["scopes"], "scopes", made)
    if budget["scopes"] or not budget["scope"]:
        return found
    rules = [{"type": RULE, "id": RULE, "values": budget["scope"]}]
    return compiled(rules, "scope", made)


def standing(budget: JsonObject, ledger: Ledger, made: Made = NONE_MADE) -> Standing:
    """Where a budget (its stored form) stands on the last day of the ledger."""
    today = ledger.last
    known = ledger.daily(selection(ledger, scope_of(budget, made), credits=False))
    period = _period(budget, today)
    daily = dict(known)
    if period.first <= today < period.last:
        ahead = range(today + 1, period.last + 1)
        learnt = {day: known.get(day, 0) for day in range(today - LEARN_DAYS + 1, today + 1)}
        daily |= zip(ahead, predicted(learnt, today - LEARN_DAYS + 1, today, ahead))
    return Standing(period, _limit(budget, period, known), budget["currency"], daily, today)


def _period(budget: JsonObject, today: int) -> Range:
    begins = day_of_millis(budget["startPeriod"])
    if budget["type"] == "fixed":
        return Range(begins, day_of_millis(budget["endPeriod"]))
    unit = budget["timeInterval"]
    start = start_of(unit, max(today, begins))
    return Range(max(start, begins), moved(unit, start, 1) - 1)


def _limit(budget: JsonObject, period: Range, known: Mapping[int, int]) -> float:
    if budget["type"] == "fixed":
        return float(budget["amount"])
    unit = budget["timeInterval"]
    start = start_of(unit, period.first)
    if budget["usePrevSpend"]:
        before = range(moved(unit, start, -1), start)
        return cents(amount(sum(known.get(day, 0) for day in before), budget["currency"]))
    passed = periods_between(unit, start_of(unit, day_of_millis(budget["startPeriod"])), start)
    if budget["seasonalAmounts"]:
        return float(budget["seasonalAmounts"][passed % len(budget["seasonalAmounts"])])
    growth = math.exp(min(passed * math.log1p(budget["growthPerPeriod"] / 100), LARGEST))
    return cents(budget["amount"] * growth)
