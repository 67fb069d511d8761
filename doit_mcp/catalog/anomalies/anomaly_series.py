"""The series of one anomaly: its cost and the expected cost, its SKUs, and their daily costs before and during it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from ...api.common_types import Filter
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..costs.answers import CostRequest, query_rows
from ..costs.cost_series import bar_series, time_series
from ..costs.group_costs import cost_by_period
from ..costs.scope import Scope
from ..costs.statement import cost_basis
from ..partial_results import gather_partial
from ..periods.parts import split_period
from ..periods.period import Period, ReportedPeriod, utc_date
from ..tools.series import SERIES_SECONDS, Series, SeriesSet, make_columns, make_series_set

DAILY = "daily costs of the top SKUs"
SHOWN_DAYS = 30
DATE_CHARACTERS = len("2026-01-31")


async def fetch_anomaly_series(call: Call, anomaly: JsonObject, project: str | None, currency: str) -> SeriesSet:
    """Return the series of an *anomaly* in a *project*. Daily costs that cannot be read are listed as failed."""
    period = ReportedPeriod(select_shown_days(anomaly, utc_date(call.now)), utc_date(call.now))
    platform = str(anomaly.get("platform") or "")
    skus = list_top_skus(anomaly)
    series = [_cost_series(anomaly), bar_series("top SKUs", [[name, name, cost, None] for name, cost in skus])]
    filters: list[Filter] = [
        {"id": "project_id", "type": "fixed", "mode": "is", "values": [str(project)]},
        {"id": "sku_description", "type": "fixed", "mode": "is", "values": [name for name, _ in skus]},
    ]
    scope = Scope(platform or None, tuple(filters))
    work = {DAILY: _query_daily(call, scope, period, currency)} if skus and project else {}
    parts = await gather_partial(work, SERIES_SECONDS)
    series += parts.results.values()
    statement = {"period": period.as_json, "currency": currency, "basis": cost_basis(Scope(), [platform])}
    return make_series_set(statement, series, parts.failures)


def select_shown_days(anomaly: JsonObject, today: date) -> Period:
    """Return the last days up to the end of an *anomaly*, or up to *today* while it is open."""
    try:
        last = min(today, date.fromisoformat(str(anomaly.get("endTime"))[:DATE_CHARACTERS]))
    except ValueError:
        last = today
    return Period(last - timedelta(days=SHOWN_DAYS - 1), last)


def list_top_skus(anomaly: JsonObject) -> list[tuple[str, float | None]]:
    """Return the names and costs of the top SKUs in the API's response."""
    rows: Any = anomaly.get("top3SKUs")
    named = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [(row["name"], _read_number(row.get("cost"))) for row in named if isinstance(row.get("name"), str)]


def _cost_series(anomaly: JsonObject) -> Series:
    """Return the cost of an *anomaly*, the highest expected cost, and the difference, as the API states them."""
    amounts = [_read_number(anomaly.get(name)) for name in ("actualCost", "expectedMaxCost", "costOfAnomaly")]
    return {
        "name": "anomaly",
        "kind": "bars",
        "columns": [*make_columns("id", "name"), *make_columns("actual", "expected", "excess", unit="money")],
        "rows": [[str(anomaly.get("id")), str(anomaly.get("serviceName")), *amounts]],
    }


def _read_number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


async def _query_daily(call: Call, scope: Scope, period: ReportedPeriod, currency: str) -> Series:
    rows = await query_rows(call, CostRequest(scope, period, interval="day"), (), currency)
    costs = await run_by_rows(len(rows), cost_by_period, rows)
    days = list(split_period(period.elapsed, "day")) if costs else []
    return time_series(DAILY, "day", days, costs, period.final_through, currency)
