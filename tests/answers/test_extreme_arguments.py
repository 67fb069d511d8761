"""Extreme arguments: each is refused as an argument, with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from tests.api.recorder import Recorder
from tests.catalog.caller import run

EARLY_PERIODS = ("0001-01", "0001-01-01", "0001-Q1", "0001", "1999-12-31/2000-01-05", "0001-01-01/0001-02-01")
PERIOD_TOOLS: dict[str, dict[str, Any]] = {
    "cost_breakdown": {},
    "cost_trend": {},
    "compare_spend": {},
    "explain_cost_change": {},
    "ai_spend": {},
    "unit_cost": {"metric": "orders"},
    "allocation_coverage": {"by": "label:team"},
    "get_cloud_overview": {},
}
COST = {"metrics": [{"type": "basic", "value": "cost"}], "currency": "USD", "timeRange": {"mode": "custom"}}


@pytest.mark.parametrize("period", EARLY_PERIODS)
@pytest.mark.parametrize("tool", PERIOD_TOOLS)
async def test_periods_before_any_bill_are_refused(tool: str, period: str) -> None:
    api = Recorder({"result": {"schema": [], "rows": []}})
    with pytest.raises(ApiError, match="must not begin before 2000-01-01") as caught:
        await run(tool, api, period=period, **PERIOD_TOOLS[tool])
    assert caught.value.kind == "argument" and not api.requests


@pytest.mark.parametrize("interval", ["day", "week", "isoweek", "month"])
async def test_queries_of_days_before_any_bill_are_refused(interval: str) -> None:
    config = {**COST, "customTimeRange": {"from": "0001-01-01", "to": "0001-01-02"}, "timeInterval": interval}
    with pytest.raises(ApiError, match="query.customTimeRange.from: must not begin before") as caught:
        await run("run_query", Recorder(), config=config)
    assert caught.value.kind == "argument"


@pytest.mark.parametrize("tool", ["get_anomalies", "list_budgets"])
@pytest.mark.parametrize("time", ["1" * 5000, "-" + "1" * 5000, "9" * 19, "\u0661" * 10])
async def test_times_with_too_many_digits_are_refused(tool: str, time: str) -> None:
    with pytest.raises(ApiError, match="minCreationTime: must be a date") as caught:
        await run(tool, Recorder(), minCreationTime=time)
    assert caught.value.kind == "argument"


async def test_a_credential_that_ends_during_a_check_is_reported() -> None:
    def answer(request: Request) -> Any:
        if "dimensions" in request.path:
            raise ApiError("", kind="credential", status=401)
        raise ApiError("metrics: unknown", kind="refused", status=400)

    group = [{"id": "sku_description", "type": "fixed"}]
    with pytest.raises(ApiError) as caught:
        await run("run_query", Recorder(answer), config={**COST, "timeRange": "2026-08", "group": group})
    assert caught.value.kind == "credential"
