"""Costs and forecasts by cloud and day, from the rows of one query.

Costs of each cloud have their own weekday pattern and become final at their own speed, so each cloud is projected
separately; the total is their sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import ZERO, to_decimal
from ..tables import column_names, complete_rows, row_days, to_key
from .run_rate import CloudCosts
from .weekday_pace import learn_pace

CLOUD_COLUMN = "cloud_provider"

DailyAmounts = Mapping[date, Decimal]


def read_clouds(answer: JsonObject, today: date) -> list[CloudCosts]:
    """Return the clouds in an answer that have costs; combined into one if any has too few days for a pace."""
    forecasts = costs_by_cloud(answer, "forecastRows")
    clouds = [
        learn_cloud(costs, forecasts.get(cloud, {}), today, None if cloud is None else str(cloud))
        for cloud, costs in costs_by_cloud(answer, "rows").items()
        if any(costs.values())
    ]
    if len(clouds) < 2 or all(cloud.pace is not None for cloud in clouds):
        return clouds
    is_forecast = all(cloud.forecast for cloud in clouds)
    forecast = sum_by_day(cloud.forecast for cloud in clouds) if is_forecast else {}
    return [learn_cloud(sum_by_day(cloud.actual for cloud in clouds), forecast, today)]


def costs_by_cloud(answer: JsonObject, rows_key: str) -> dict[Any, dict[date, Decimal]]:
    """Return the cost of each cloud and day that has rows; rows with an unreadable date are skipped."""
    names = column_names(answer)
    if "cost" not in names:
        return {}
    cost = names.index("cost")
    cloud_at = names.index(CLOUD_COLUMN) if CLOUD_COLUMN in names else None
    clouds: dict[Any, dict[date, Decimal]] = {}
    for day, row in zip(row_days(answer, rows_key), complete_rows(answer, rows_key), strict=False):
        if day is not None:
            costs = clouds.setdefault(None if cloud_at is None else to_key(row[cloud_at]), {})
            costs[day] = costs.get(day, ZERO) + to_decimal(row[cost])
    return clouds


def learn_cloud(actual: DailyAmounts, forecast: DailyAmounts, today: date, cloud: str | None = None) -> CloudCosts:
    """Return the costs of a cloud with the pace that they show."""
    pace = learn_pace({day: float(cost) for day, cost in actual.items()}, today)
    return CloudCosts(actual, forecast, pace, cloud)


def sum_by_day(parts: Iterable[DailyAmounts]) -> dict[date, Decimal]:
    """Return the sum of the amounts of each day."""
    total: dict[date, Decimal] = {}
    for amounts in parts:
        for day, amount in amounts.items():
            total[day] = total.get(day, ZERO) + amount
    return total
