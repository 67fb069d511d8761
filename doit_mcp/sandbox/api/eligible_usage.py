"""Eligible usage behind a recommendation to buy commitments, by hour or by day, week and month."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from statistics import median

from .commitment_plans import HOURLY_LOAD
from .costs.calendar_days import add_periods, day_of_seconds, format_rfc3339, seconds_of, start_of
from .responses import JsonObject
from .tenants import ApiRequest

PERIOD_COUNTS = {"day": 21, "week": 16, "month": 6}  # complete periods of each granularity
GRANULARITIES = ("hour", *PERIOD_COUNTS)
HOURS_PER_DAY = 24

ReadRates = Callable[[int, int], Mapping[int, float]]
"""Returns the eligible spend in dollars per hour of each day in a range of days."""


def eligible_usage(request: ApiRequest, granularity: str, read_rates: ReadRates) -> list[JsonObject]:
    """The usage of the last complete hours, days, weeks or months."""
    read = _hourly_usage if granularity == "hour" else _usage_periods
    return list(read(request, granularity, read_rates))


def _hourly_usage(request: ApiRequest, granularity: str, read_rates: ReadRates) -> Iterator[JsonObject]:
    rates = read_rates(request.today - 1, request.today)
    last = int(request.now // 3600)
    for hour in range(last - HOURS_PER_DAY, last):
        if (rate := rates.get(day_of_seconds(hour * 3600))) is not None:
            yield {
                "usageTime": format_rfc3339(hour * 3600),
                "totalUsage": round(rate * HOURLY_LOAD[hour % HOURS_PER_DAY], 4),
            }


def _usage_periods(request: ApiRequest, granularity: str, read_rates: ReadRates) -> Iterator[JsonObject]:
    unit = "isoweek" if granularity == "week" else granularity
    end = start_of(unit, request.today)
    rates = read_rates(add_periods(unit, end, -PERIOD_COUNTS[granularity]), end - 1)
    for start, days in groupby(rates, lambda day: start_of(unit, day)):
        usage = [rates[day] * load for day in days for load in HOURLY_LOAD]
        yield {
            "usageTime": format_rfc3339(seconds_of(start)),
            "minUsage": round(min(usage), 4),
            "maxUsage": round(max(usage), 4),
            "medianUsage": round(median(usage), 4),
        }
