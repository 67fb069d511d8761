"""forecast_spend over a small bill."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.costs.forecast import API_METHOD, RUN_RATE_METHOD
from tests.api.recorder import Recorder, pages_of

from ..billing import Line, answering
from ..caller import call

GCP = {"cloud_provider": "google-cloud"}
# Ten a day up to yesterday, four today: 2026-09-21.
LINES: list[Line] = [(f"2026-08-{n:02}", GCP, 10.0, 1.0) for n in range(1, 32)]
LINES += [(f"2026-09-{n:02}", GCP, 10.0, 1.0) for n in range(1, 21)] + [("2026-09-21", GCP, 4.0, 1.0)]
AHEAD = {f"2026-09-{n}": 20.0 for n in range(22, 31)}
BUDGETS = [
    {"id": "b1", "budgetName": "Fine", "amount": 900.0, "currentUtilization": 204.0, "timeInterval": "month"},
    {"id": "b2", "budgetName": "Tight", "amount": 220.0, "currentUtilization": 204.0, "timeInterval": "month"},
]


async def test_the_apis_forecast_is_used() -> None:
    api = Recorder(answering({"budgets": pages_of("budgets", [BUDGETS[0]], [BUDGETS[1]])}, LINES, AHEAD))
    found = (await call("forecast_spend", api, cloud="gcp"))["structuredContent"]
    assert found["method"] == API_METHOD
    assert found["month"]["spent"] == 204.0 and found["month"]["ahead"] == 180.0 and found["month"]["expected"] == 384.0
    assert found["month"]["before"] == 310.0 and found["quarter"]["spent"] == 514.0
    assert [one["id"] for one in found["budgets"]] == ["b2"] and found["budgetsChecked"] == 2
    config = next((request.body or {})["config"] for request in api.requests if request.body)
    assert config["forecastSettings"] == {"mode": "totals", "futureTimeIntervals": 9}
    assert config["customTimeRange"] == {"from": "2026-04-01T00:00:00Z", "to": "2026-09-21T23:59:59Z"}


async def test_without_forecast_rows_the_pace_is_stated() -> None:
    found = (await call("forecast_spend", Recorder(answering({"budgets": {}}, LINES))))["structuredContent"]
    assert found["method"] == RUN_RATE_METHOD and found["month"]["ahead"] == 90.0 and found["budgets"] == []


async def test_a_refused_forecast_falls_back_to_costs_alone() -> None:
    def answer(request: Any) -> Any:
        if "budgets" in request.path:
            return ApiError("no right", kind="forbidden", status=403)
        if "forecastSettings" in (request.body or {})["config"]:
            return ApiError("too little history", kind="refused", status=400)
        return answering({}, LINES)(request)

    found = (await call("forecast_spend", Recorder(answer)))["structuredContent"]
    assert found["method"] == RUN_RATE_METHOD and "budgets" not in found
    assert found["failed"] == [{"part": "budgets", "why": "no right (HTTP 403)"}]


async def test_no_costs_no_forecast() -> None:
    with pytest.raises(ApiError) as caught:
        await call("forecast_spend", Recorder(ApiError("", kind="timeout")))
    assert caught.value.kind == "timeout"
