"""The first day of the customer's cost data."""

from __future__ import annotations

from datetime import date
from typing import Literal

from ...api.report_config import QueryConfig
from ..call import Call
from ..periods.period import Period, month_of, months_back, utc_date
from ..tables import row_days, row_months
from .query_config import cost_config
from .scope import Scope

DATA_START_FACT = "data_start"
MAX_HISTORY_MONTHS = 60
"""Months that are searched for the first costs."""


async def fetch_data_start(call: Call) -> date | None:
    """Return the first day with costs, and remember it; None without any costs in five years. Raise ApiError."""
    if (remembered := call.facts.get(DATA_START_FACT)) is not None:
        return date.fromisoformat(remembered)
    today = utc_date(call.now)
    history = Period(months_back(today, MAX_HISTORY_MONTHS - 1), today)
    months = row_months(await call.doit.reports.run_query(config=_cost_by(history, "month")))
    if not months:
        return None
    first_month = month_of(date.fromisoformat(f"{min(months)}-01"))
    answer = await call.doit.reports.run_query(config=_cost_by(first_month, "day"))
    first = min((day for day in row_days(answer) if day is not None), default=first_month.first)
    call.facts.put(DATA_START_FACT, first.isoformat())
    return first


def _cost_by(period: Period, interval: Literal["month", "day"]) -> QueryConfig:
    return cost_config(Scope(), period, "USD", interval=interval)
