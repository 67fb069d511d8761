"""Trend: the old server's queries and fields, and what is computed from them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.costs.trends import costs_by_month
from tests.api.recorder import Recorder

from ..billing import Line, answering
from ..caller import call

EC2, S3 = {"service_description": "EC2"}, {"service_description": "S3"}
LINES: list[Line] = [
    ("2026-07-05", EC2, 100.0, 1.0),
    ("2026-08-05", EC2, 150.0, 1.0),
    ("2026-08-06", S3, 10.004, 1.0),
    ("2026-09-05", EC2, 60.0, 1.0),
    ("2026-09-05", S3, 5.0, 1.0),
]
LIMIT = {"metric": {"type": "basic", "value": "cost"}, "sort": "desc"}


async def test_a_trend_asks_the_old_query_and_shows_the_months() -> None:
    api = Recorder(answering({}, LINES))
    found = (await call("cost_trend", api, months="3", cloud="gcp"))["structuredContent"]
    assert [(request.body or {})["config"] for request in api.requests] == [
        {
            "dataSource": "billing",
            "metrics": [{"type": "basic", "value": "cost"}],
            "timeInterval": "month",
            "timeRange": {"mode": "last", "amount": 3, "unit": "month", "includeCurrent": True},
            "filters": [{"id": "cloud_provider", "type": "fixed", "mode": "is", "values": ["google-cloud"]}],
        }
    ]
    assert found["rows"] == [] and found["months"] == [] and found["total"] == {"all": 0.0}


async def test_a_split_trend_has_groups_and_their_rest() -> None:
    api = Recorder(answering({}, LINES))
    found = (await call("cost_trend", api, groupBy="service", topN=1))["structuredContent"]
    group = (api.requests[1].body or {})["config"]["group"]
    assert group == [{"id": "service_description", "type": "fixed", "limit": {**LIMIT, "value": 1}}]
    assert found["groups"] == [{"name": "EC2", "cost": 310.0}, {"name": "S3", "cost": 15.0}]
    assert found["months"] == [
        {"month": "2026-07", "cost": 100.0, "changePercent": None},
        {"month": "2026-08", "cost": 160.0, "changePercent": 60.0},
        {"month": "2026-09", "cost": 65.0, "changePercent": -59.4, "running": True},
    ]
    assert found["total"]["all"] == 325.0 and found["period"] == {"months": 6, "first": "2026-07", "last": "2026-09"}


async def test_a_trend_without_its_total_still_has_its_groups() -> None:
    def answer(request: Any) -> Any:
        config = (request.body or {})["config"]
        return answering({}, LINES)(request) if config.get("group") else ApiError("", kind="timeout")

    found = (await call("cost_trend", Recorder(answer), groupBy="service"))["structuredContent"]
    assert found["total"] == {"shown": 325.0, "other": None, "all": None} and "months" not in found
    with pytest.raises(ApiError):
        await call("cost_trend", Recorder(ApiError("", kind="rate")), groupBy="service")


def test_months_of_odd_answers() -> None:
    assert costs_by_month({"columns": [{"name": "year"}], "rows": []}, date(2026, 9, 1)) == []
