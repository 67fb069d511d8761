"""The first day of the customer's cost data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from ...api.report_config import QueryConfig
from ..call import Call
from ..partial_results import FailedPart, gather_partial
from ..periods.period import ONE_DAY, Period, month_of, subtract_months, utc_date
from ..report_runs.queries import fetch_query
from ..tables import read_months, row_days
from .query_config import cost_config
from .scope import Scope

DATA_START_FACT = "data_start"
DATA_START_PART = "first day of the data"
MAX_SEARCHED_MONTHS = 60
"""Months that one query searches for the first costs."""
MAX_SEARCHES = 5
"""Maximum number of such queries: 25 years, which is longer than any cloud has existed."""


@dataclass(frozen=True, slots=True)
class DataStart:
    """The first day with costs; None without any, or if it could not be read (see *failures*)."""

    day: date | None = None
    failures: list[FailedPart] = field(default_factory=list)


async def read_data_start(call: Call) -> DataStart:
    """Return the first day with costs, for answers that do not require it. Raise ApiError as gather_partial() does."""
    parts = await gather_partial({DATA_START_PART: fetch_data_start(call)})
    return DataStart(parts.results.get(DATA_START_PART), parts.failures)


async def fetch_data_start(call: Call) -> date | None:
    """Return the first day with costs, and remember it; None without any costs. Raise ApiError."""
    if (remembered := call.facts.get(DATA_START_FACT)) is not None:
        return date.fromisoformat(remembered)
    first_month = await _find_first_month(call)
    if first_month is None:
        return None
    answer = await fetch_query(call, _make_cost_query(first_month, "day"))
    first = min((day for day in row_days(answer) if day is not None), default=first_month.first)
    call.facts.put(DATA_START_FACT, first.isoformat())
    return first


async def _find_first_month(call: Call) -> Period | None:
    """Return the first month with costs; None without any.

    If the first month of a search has costs, they can begin before it, so the months before are searched too.
    """
    first: date | None = None
    last = utc_date(call.now)
    for _ in range(MAX_SEARCHES):
        searched = Period(subtract_months(last, MAX_SEARCHED_MONTHS - 1), last)
        months = read_months(await fetch_query(call, _make_cost_query(searched, "month")))
        if not months:
            break
        first = date.fromisoformat(f"{min(months)}-01")
        if first > searched.first:
            break
        last = searched.first - ONE_DAY
    return None if first is None else month_of(first)


def _make_cost_query(period: Period, interval: Literal["month", "day"]) -> QueryConfig:
    return cost_config(Scope(), period, "USD", interval=interval)
