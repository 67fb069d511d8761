"""The series of forecast_spend: the current month day by day, and the daily costs behind the forecast."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import ZERO, amount_as_json
from ..costs.cost_series import time_series
from ..costs.daily_costs import cost_by_day
from ..periods.parts import split_period
from ..periods.period import Period, ReportedPeriod, month_of
from ..tools.series import Row, Series, make_columns
from .clouds import read_clouds
from .run_rate import CloudCosts, project_cost


def forecast_series(answer: JsonObject, currency: str, today: date) -> list[Series]:
    """Return the series of an *answer* of fetch_costs(); empty without costs."""
    actual = cost_by_day(answer)
    if not actual:
        return []
    period = ReportedPeriod(Period(min(actual), today), today)
    costs = {day.isoformat(): cost for day, cost in actual.items()}
    days = list(split_period(period.elapsed, "day"))
    return [
        month_to_date(actual, read_clouds(answer, today), currency, today),
        time_series("daily costs", "day", days, costs, period.final_through, currency),
    ]


def month_to_date(actual: dict[date, Decimal], clouds: Sequence[CloudCosts], currency: str, today: date) -> Series:
    """Return the cost of the current month up to the end of each day, with the expected range from today on.

    The last row has the expected, low and high cost of the month.
    """
    month = month_of(today)
    spent = ZERO
    rows: list[Row] = []
    for part in split_period(month, "day"):
        day = part.covered.last
        spent += actual.get(day, ZERO)
        known = amount_as_json(spent, currency) if day <= today else None
        if day < today:
            rows.append([part.label, known, None, None, None])
            continue
        projected = project_cost(Period(month.first, day), clouds, today).as_json(currency, month, None)
        rows.append([part.label, known, projected["expected"], projected["low"], projected["high"]])
    final = ReportedPeriod(month, today).final_through
    provisional = [str(row[0]) for row in rows if final is None or str(row[0]) > final.isoformat()]
    return {
        "name": "month to date",
        "kind": "time",
        "interval": "day",
        "columns": [*make_columns("period"), *make_columns("actual", "expected", "low", "high", unit="money")],
        "rows": rows,
        "provisional": provisional,
    }
