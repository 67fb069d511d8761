"""The first day of the data: data that are older than one search, and a first day that cannot be read."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.costs.data_start import fetch_data_start
from tests.api.recorder import Recorder
from tests.catalog.billing import Line, make_api
from tests.catalog.caller import Caller, run

OLD = date(2019, 3, 5)


def lines_since(first: date, last: date = date(2026, 9, 20)) -> list[Line]:
    """Return a cost of 1 for each day."""
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    service = {"service_description": "EC2", "cloud_provider": "amazon-web-services"}
    return [(day.isoformat(), service, 1.0, 1.0) for day in days]


def old_data() -> Recorder:
    """Return an API with costs since March 2019, two searches ago."""
    return Recorder(make_api({}, lines_since(OLD)))


async def test_data_that_are_older_than_one_search_are_found() -> None:
    api = old_data()
    assert await fetch_data_start(Caller(api)) == OLD
    # Two searches by month, and the days of the first month.
    assert len(api.requests) == 3


async def test_data_that_begin_with_a_search_are_found() -> None:
    first = date(2021, 10, 1)
    assert await fetch_data_start(Caller(Recorder(make_api({}, lines_since(first))))) == first


@pytest.mark.parametrize(
    ("tool", "arguments", "note"),
    [
        ("cost_breakdown", {"period": "2019-Q1"}, "The data begins on 2019-03-05."),
        ("cost_breakdown", {"period": "2020-Q1"}, None),
        ("cost_breakdown", {"period": "2018"}, "The data begins on 2019-03-05: earlier costs are unknown."),
        ("cost_trend", {"period": "2019"}, "The data begins on 2019-03-05."),
        ("compare_spend", {"period": "2019-Q3"}, None),
    ],
)
async def test_tools_name_the_true_first_day(tool: str, arguments: dict[str, Any], note: str | None) -> None:
    answer = await run(tool, old_data(), currency="USD", **arguments)
    assert answer.get("note") == note


async def test_a_trend_of_old_data_begins_with_its_first_month() -> None:
    trend = await run("cost_trend", old_data(), currency="USD", period="2019-Q1")
    assert [(row["period"], row["cost"]) for row in trend["months"]] == [("2019-03", 27.0)]
    assert trend["partial"] == [{"period": "2019-03", "from": "2019-03-05", "to": "2019-03-31", "days": 27}]


async def test_a_comparison_with_days_before_old_data_is_refused() -> None:
    with pytest.raises(ApiError, match="data begins on 2019-03-05, after the period 2018"):
        await run("compare_spend", old_data(), currency="USD", period="2019-Q2", compareTo="2018-Q4")


async def test_a_first_day_that_contradicts_the_costs_is_not_stated() -> None:
    def answer(request: Request) -> Any:
        config = (request.body or {})["config"]
        is_search = config["customTimeRange"]["from"] < "2024"
        first = date(2026, 9, 1) if is_search else date(2024, 1, 1)
        return make_api({}, lines_since(first))(request)

    trend = await run("cost_trend", Recorder(answer), currency="USD", period="2025-12/2026-05")
    assert "note" not in trend


def without_history(request: Request) -> Any:
    """Answer queries of costs since 10 August; those that search for the first day time out."""
    if "query" not in request.path:
        return {"allocations": [{"id": "G1", "name": "G", "allocationType": "group"}]}
    config = (request.body or {})["config"]
    if config["customTimeRange"]["from"] < "2022":
        raise ApiError("", kind="timeout")
    lines = [
        (day, {**values, "G1": "team"}, cost, usage) for day, values, cost, usage in lines_since(date(2026, 8, 10))
    ]
    return make_api({}, lines)(request)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("cost_breakdown", {"period": "2026-07/2026-08"}),
        ("cost_trend", {"period": "2026-07/2026-08"}),
        ("forecast_spend", {}),
        ("compare_spend", {"period": "2026-09", "compareTo": "2026-08"}),
        ("explain_cost_change", {"after": "2026-09", "before": "2026-08"}),
        ("allocation_coverage", {"by": "allocation:G", "period": "2026-07/2026-08"}),
    ],
)
async def test_a_first_day_that_cannot_be_read_is_named(tool: str, arguments: dict[str, Any]) -> None:
    answer = await run(tool, Recorder(without_history), currency="USD", **arguments)
    assert {"part": "first day of the data", "why": "the request timed out"} in answer["failed"]
    assert "begin" not in answer.get("note", "")


async def test_nothing_is_known_before_the_first_costs_if_the_first_day_cannot_be_read() -> None:
    forecast = await run("forecast_spend", Recorder(without_history), currency="USD")
    assert forecast["month"]["before"] is None
    change = await run(
        "explain_cost_change", Recorder(without_history), currency="USD", after="2026-09", before="2026-08"
    )
    assert change["total"]["before"] == 12.0
    assert change["causes"]["new"] == 0.0
