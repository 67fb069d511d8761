"""The forecast of costs, computed from the billing lines and DoiT's forecast of each cloud and day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from statistics import median
from typing import Any

from doit_mcp.sandbox.accounts import ACME

from .figures import CENT, Figure
from .world import MICROS, World

SETTLING_DAYS, WEEKS = 3, 8
Costs = dict[date, float]


def days(first: date, last: date) -> list[date]:
    """Return the days from *first* to *last*."""
    return [first + timedelta(count) for count in range((last - first).days + 1)]


def daily_costs(world: World, cloud: str, first: date) -> Costs:
    """Return the cost of a cloud by day from *first* to today."""
    query = (
        "SELECT day, SUM(cost) FROM lines JOIN series USING (series) WHERE day BETWEEN ? AND ? AND cloud_provider = ?"
        " AND cost_type <> 'credit' GROUP BY 1"
    )
    rows = world.sql(query, first.toordinal(), world.today.toordinal(), cloud)
    return {date.fromordinal(day): cost / MICROS for day, cost in rows}


async def doit_forecasts(world: World) -> dict[str, Costs]:
    """Return DoiT's forecast of each cloud and day, with the config that forecast_spend has just sent."""
    config = next(sent for sent in reversed(world.query_configs) if "forecastSettings" in sent)
    answer = (await world.doit(ACME).reports.query_response(config=config))["result"]
    names = [column["name"] for column in answer["schema"]]
    found: dict[str, Costs] = {}
    for row in (dict(zip(names, values, strict=True)) for values in answer["forecastRows"]):
        day = date(*(int(row[part]) for part in ("year", "month", "day")))
        found.setdefault(row["cloud_provider"], {})[day] = row["cost"]
    return found


class Pace:
    """What each weekday of one cloud costs: the median of eight weeks, at the level of the last two; and how far days stray."""

    def __init__(self, costs: Costs, today: date) -> None:
        last = today - timedelta(SETTLING_DAYS)
        known = days(last - timedelta(7 * WEEKS - 1), last)
        usual = [median(costs[day] for day in known if day.weekday() == at) for at in range(7)]
        level = median(costs[day] / usual[day.weekday()] for day in known[-14:])
        self._weekdays = [cost * level for cost in usual]
        # Days stray less from medians of which they are part.
        spread = sqrt(WEEKS / (WEEKS - 1))
        self.distances = {day: spread * (costs[day] - self._weekdays[day.weekday()]) for day in known[-28:]}
        self.below, self.above = outer_tenths(list(self.distances.values()))
        first = last.replace(day=1)
        firsts = ((first - timedelta(1)).replace(day=1), first)
        more = min(costs[day] - self._weekdays[day.weekday()] for day in firsts)
        self._charge = more if more > 3 * self.above else 0.0

    def cost_of(self, day: date) -> float:
        return self._weekdays[day.weekday()] + (self._charge if day.day == 1 else 0.0)


def outer_tenths(distances: list[float]) -> tuple[float, float]:
    """Return how far the lowest and the highest tenth are from 0, interpolated between two distances."""

    def quantile(share: float) -> float:
        ordered, place = sorted(distances), share * (len(distances) - 1)
        low = int(place)
        return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])

    return max(0.0, -quantile(0.1)), max(0.0, quantile(0.9))


@dataclass
class CloudForecast:
    """One cloud: its costs so far, DoiT's forecast, and its pace."""

    costs: Costs
    forecast: Costs
    pace: Pace


@dataclass
class Expected:
    """The expected cost of a period, with what is spent, ahead, and the low and high estimates."""

    spent: float
    ahead: float
    low: float
    high: float

    @property
    def expected(self) -> float:
        return self.spent + self.ahead


def expect(clouds: Sequence[CloudForecast], first: date, last: date, today: date) -> Expected:
    """Return the expected cost of a period: days that have not settled count at their pace if they are far below it."""
    spent = sum(cost for cloud in clouds for day, cost in cloud.costs.items() if first <= day <= last)
    unsettled = days(max(first, today - timedelta(SETTLING_DAYS - 1)), min(last, today))
    to_come = days(max(first, today + timedelta(1)), last)
    raised: set[date] = set()
    ahead = growth = 0.0
    for cloud in clouds:
        pace = cloud.pace
        excesses = [
            cloud.costs.get(day, 0) - pace.cost_of(day) for day in days(today - timedelta(SETTLING_DAYS), today)
        ]
        is_spike = sum(excess > pace.above for excess in excesses) >= 2
        for day in unsettled:
            cost = cloud.costs.get(day, 0)
            missing = pace.cost_of(day) - cost
            if missing > (0 if day == today else 2 * pace.below):
                ahead, cost = ahead + missing, cost + missing
                raised.add(day)
            highest = pace.cost_of(day) + (max(excesses) if is_spike else 0)
            highest = max(highest, 2 * cost) if is_spike and day == today else highest
            growth += max(0.0, highest - cost)
        ahead += sum(cloud.forecast[day] for day in to_come)
    together = [sum(cloud.pace.distances[day] for cloud in clouds) for day in clouds[0].pace.distances]
    below, above = outer_tenths(together)
    low, high = (count + count**2 / 9 for count in (len(raised | set(to_come)), len(unsettled) + len(to_come)))
    spent, ahead = round(spent, 2), round(ahead, 2)
    # What is spent is spent.
    least = spent + ahead - min(below * sqrt(low), max(ahead, 0.0))
    return Expected(spent, ahead, least, spent + ahead + above * sqrt(high) + growth)


def period_figures(expected: Expected, first: date, last: date, before: float, days_before: int) -> dict[str, Figure]:
    """Return the figures of a period of forecast_spend, with the cost of the period *before*."""
    length = (last - first).days + 1
    figures: dict[str, Figure] = {
        "days": length,
        "spent": expected.spent,
        "ahead": (expected.ahead, CENT),
        "expected": (expected.expected, CENT),
        "low": (expected.low, CENT),
        "high": (expected.high, CENT),
        "before": before,
        "changePercent": (100 * (expected.expected / before - 1), 0.051),
    }
    if length != days_before:
        daily = expected.expected / length / (before / days_before)
        figures["perDayChangePercent"] = (100 * (daily - 1), 0.051)
    return figures


def budget_figures(row: Any, spent: float) -> dict[str, Figure]:
    """Return the figures of a budget that forecast_spend lists; *row* is the record of the sandbox."""
    return {
        "amount": row["amount"],
        "spent": spent,
        "expected": row["forecastedUtilization"],
        "forecastedUtilization": row["forecastedUtilization"],
        "percentUsed": (100 * spent / row["amount"], 0.051),
    }
