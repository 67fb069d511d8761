"""Trend and comparison: the old server's queries and fields, and what is computed from them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.costs.trends import compare_groups, costs_by_month, difference, expand_days
from tests.api.recorder import Recorder

from ..billing import Line, answering
from ..caller import TOOLS, call

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


async def test_a_comparison_asks_both_periods_without_a_unit() -> None:
    api = Recorder(answering({}, LINES))
    span = {"from": "2026-07-01", "to": "2026-07-31"}
    found = (await call("compare_spend", api, period2=span, period1Months=1))["structuredContent"]
    first, second, *totals = [(request.body or {})["config"] for request in api.requests]
    assert first["timeRange"] == {"mode": "last", "amount": 1, "unit": "month", "includeCurrent": True}
    assert second["timeRange"] == {"mode": "custom"}
    assert second["customTimeRange"] == {"from": "2026-07-01T00:00:00Z", "to": "2026-07-31T23:59:59Z"}
    assert first["group"][0]["limit"]["value"] == 10 and all("group" not in config for config in totals)
    assert found["period1"]["label"] == "Last 1 month" and found["period2"]["label"] == "2026-07-01 to 2026-07-31"
    assert set(found["period1"]) == {"label", "rowCount", "rows", "columns"}
    assert found["total"] == {"period1": 325.0, "period2": 100.0, "change": 225.0, "changePercent": 225.0}
    assert found["groups"] == [
        {"name": "EC2", "period1": 310.0, "period2": 100.0, "change": 210.0, "changePercent": 210.0},
        {"name": "S3", "period1": 15.0, "period2": None, "change": None, "changePercent": None},
    ]


async def test_one_period_that_fails_fails_the_comparison_and_a_total_does_not() -> None:
    def failing(custom: bool, grouped: bool) -> Any:
        def answer(request: Any) -> Any:
            config = (request.body or {})["config"]
            wrong = (config["timeRange"]["mode"] == "custom") == custom and ("group" in config) == grouped
            return ApiError("no", kind="refused", status=400) if wrong else answering({}, LINES)(request)

        return answer

    span = {"from": "2026-07-01", "to": "2026-07-31"}
    for custom in (False, True):
        with pytest.raises(ApiError, match="no"):
            await call("compare_spend", Recorder(failing(custom, True)), period2=span)
        found = (await call("compare_spend", Recorder(failing(custom, False)), period2=span))["structuredContent"]
        assert found["total"]["change"] is None and found["groups"]


def test_given_times_are_left_as_they_are() -> None:
    assert expand_days({"from": "2026-07-01T05:00:00Z", "to": "2026-07-02"}) == {
        "from": "2026-07-01T05:00:00Z",
        "to": "2026-07-02T23:59:59Z",
    }
    with pytest.raises(ApiError, match="period2"):
        expand_days({"from": " ", "to": "2026-07-02"})


def test_differences_and_months_of_odd_answers() -> None:
    assert difference(None, None) == {"period1": None, "period2": None, "change": None, "changePercent": None}
    assert difference(5.0, 0.0)["changePercent"] is None and difference(-5.0, -10.0)["changePercent"] == 50.0
    assert [row["name"] for row in compare_groups({"b": 1.0, "a": 1.0}, {"a": 2.0, "b": 0.0, None: 1.0})] == [
        "a",
        "b",
        None,
    ]
    assert costs_by_month({"columns": [{"name": "year"}], "rows": []}, date(2026, 9, 1)) == []


def test_what_was_taken_is_taken() -> None:
    old = {"period2": {"from": "x", "to": "y"}, "period1Months": 24, "cloud": "aws", "groupBy": "cloud"}
    assert TOOLS["compare_spend"].argument_problems(TOOLS["compare_spend"].coerce_arguments(old)) == []
