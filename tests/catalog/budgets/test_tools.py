"""list_budgets and get_budget: forecast and status, which the API gives in two places."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.budgets.tools import MAX_CONCURRENT_REQUESTS, MAX_DETAILED_BUDGETS
from tests.api.recorder import Recorder, pages_of

from ..billing import Line, make_api
from ..caller import call, run


def milliseconds(day: str) -> int:
    return int(datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC).timestamp()) * 1000


SEPTEMBER = {"from": "2026-09-01", "to": "2026-09-30", "days": 30}


def row(identifier: str, spent: float, risk: str = "onTrack", **members: Any) -> dict[str, Any]:
    return {
        **{"id": identifier, "budgetName": f"Budget {identifier}", "amount": 1000.0, "currency": "EUR"},
        **{"currentUtilization": spent, "timeInterval": "month", "riskStatus": risk},
        **{"startPeriod": milliseconds("2026-01-01"), "createTime": milliseconds("2026-01-01") + 1},
        **members,
    }


ROWS = [
    row("a", 1081.0, "atRisk", forecastedUtilizationDate=milliseconds("2026-09-20")),
    row("b", 900.0, "atRisk", forecastedUtilizationDate=milliseconds("2026-09-24")),
    row("c", 0),
    row("d", 5.0, "unknown", amount=0),
]
FORECASTS: dict[str, float | None] = {"a": 1500.0, "b": 1234.56, "c": 0.0, "d": None}


def budgets_api(request: Request) -> Any:
    """Serve ROWS as a list and as details."""
    identifier = request.path.rpartition("/")[2]
    if identifier == "budgets":
        return {**pages_of("budgets", ROWS)(request), "riskAggregations": {"total": 4}}
    listed = next(item for item in ROWS if item["id"] == identifier)
    names = ("id", "amount", "currency", "currentUtilization", "timeInterval", "startPeriod", "createTime")
    forecast = FORECASTS[identifier]
    return {
        **{name: listed[name] for name in names},
        **{"name": listed["budgetName"], "type": "recurring", "alerts": [{"percentage": 50.0, "triggered": True}]},
        **({} if forecast is None else {"forecastedUtilization": forecast}),
    }


async def test_each_budget_in_the_list_has_its_forecast_status_and_period() -> None:
    api = Recorder(budgets_api)
    found = (await call("list_budgets", api))["structuredContent"]
    assert found["riskAggregations"] == {"total": 4} and "failed" not in found
    a, b, c, d = found["budgets"]
    assert (a["status"], a["percentUsed"], a["exceededOn"], a["breaksOn"]) == ("exceeded", 108.1, "2026-09-20", None)
    assert (b["status"], b["percentUsed"], b["exceededOn"], b["breaksOn"]) == ("at_risk", 90.0, None, "2026-09-24")
    assert (b["forecastedUtilization"], b["basis"]) == (1234.56, "DoiT's forecast of this budget")
    assert (c["status"], c["percentUsed"], c["forecastedUtilization"]) == ("on_track", 0.0, 0.0)
    assert (d["status"], d["percentUsed"], d["forecastedUtilization"]) == ("unknown", None, None)
    assert all(budget["period"] == SEPTEMBER for budget in found["budgets"])
    assert b["startPeriod"] == "2026-01-01" and b["createTime"] == "2026-01-01T00:00:00.001Z"
    assert b["forecastedUtilizationDate"] == "2026-09-24"
    # One request for the list and one for each budget.
    assert len(api.requests) == 5


@pytest.mark.parametrize("identifier", ["a", "b", "c", "d"])
async def test_one_budget_says_the_same_as_the_list(identifier: str) -> None:
    listed = (await run("list_budgets", Recorder(budgets_api)))["budgets"]
    expected = next(item for item in listed if item["id"] == identifier)
    api = Recorder(budgets_api)
    found = await run("get_budget", api, id=identifier)
    same = ("percentUsed", "forecastedUtilization", "exceededOn", "breaksOn", "period")
    assert {name: found[name] for name in same} == {name: expected[name] for name in same}
    # Without a forecast, the list also knows what the API classifies.
    assert found["status"] == expected["status"] and found["startPeriod"] == "2026-01-01"
    # The list is read only for the day of the breach.
    assert len(api.requests) == (2 if identifier in ("a", "b") else 1)


async def test_a_list_that_fails_leaves_the_day_unknown() -> None:
    def answer(request: Request) -> Any:
        return ApiError("", kind="timeout") if request.query else budgets_api(request)

    found = await run("get_budget", Recorder(answer), id="b")
    assert (found["status"], found["breaksOn"]) == ("at_risk", None)
    assert found["failed"] == [{"part": "day and limit of the period", "why": "the request timed out"}]


async def test_a_forecast_that_cannot_be_read_is_named() -> None:
    def answer(request: Request) -> Any:
        return ApiError("", kind="timeout") if request.path.endswith("/b") else budgets_api(request)

    found = await run("list_budgets", Recorder(answer))
    assert found["failed"] == [{"part": "forecast of Budget b", "why": "the request timed out"}]
    assert found["budgets"][1]["forecastedUtilization"] is None and found["budgets"][1]["status"] == "at_risk"


async def test_an_ended_sign_in_is_reported() -> None:
    def answer(request: Request) -> Any:
        return ApiError("", kind="credential", status=401) if request.path.endswith("/b") else budgets_api(request)

    with pytest.raises(ApiError) as caught:
        await run("list_budgets", Recorder(answer))
    assert caught.value.kind == "credential"


async def test_requests_for_details_are_bounded() -> None:
    count = MAX_DETAILED_BUDGETS + 3
    running, most = 0, 0

    class Slow(Recorder):
        async def send(self, operation: Any, arguments: Any) -> Any:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            answer = await super().send(operation, arguments)
            running -= 1
            return answer

    def answer(request: Request) -> Any:
        if request.path.endswith("/budgets"):
            return {"budgets": [row(str(number), 1.0) for number in range(count)]}
        return {"forecastedUtilization": 2.0}

    api = Slow(answer)
    found = await run("list_budgets", api, maxResults=count)
    assert most == MAX_CONCURRENT_REQUESTS and len(api.requests) == 1 + MAX_DETAILED_BUDGETS
    assert [item["part"] for item in found["failed"]] == ["forecasts of 3 budgets"]
    assert found["budgets"][MAX_DETAILED_BUDGETS - 1]["forecastedUtilization"] == 2.0
    assert found["budgets"][MAX_DETAILED_BUDGETS]["forecastedUtilization"] is None


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({"name": "ads"}, {"nameContains": "ads"}),
        ({"nameContains": "ads", "name": "x"}, {"nameContains": "ads"}),
        (
            {"maxResults": "40", "pageToken": "t", "filter": "owner:[x]"},
            {"maxResults": "40", "pageToken": "t", "filter": "owner:x"},
        ),
        (
            {"minCreationTime": "2026-01-01", "maxCreationTime": "1800000000000"},
            {"minCreationTime": "1767225600000", "maxCreationTime": "1800000000000"},
        ),
    ],
)
async def test_arguments_reach_the_list(arguments: dict[str, Any], query: dict[str, str]) -> None:
    api = Recorder({"budgets": []})
    await run("list_budgets", api, **arguments)
    assert api.requests[0] == Request("GET", "/analytics/v1/budgets", query, None)


async def test_similar_names_that_cannot_be_read_are_unknown() -> None:
    def answer(request: Request) -> Any:
        return {"budgets": []} if "nameContains" in (request.query or {}) else ApiError("", kind="timeout")

    found = await run("list_budgets", Recorder(answer), name="ads")
    assert found["note"] == 'No budget with the name "ads" matches. Similar names are unknown: the request timed out.'


async def test_seconds_are_refused() -> None:
    with pytest.raises(ApiError, match="1767225600 looks like seconds.*2026-01-01.*1767225600000"):
        await run("list_budgets", Recorder({"budgets": []}), minCreationTime=1_767_225_600)


async def test_a_shortened_list_continues_after_the_rows_that_were_shown() -> None:
    found = await run("list_budgets", Recorder(budgets_api), pageToken="rows+3:")
    assert [item["id"] for item in found["budgets"]] == ["d"]


async def test_a_growing_budget_is_measured_by_the_limit_of_its_period() -> None:
    def answer(request: Request) -> Any:
        grown = row("g", 1050.0, alertThresholds=[{"percentage": 100.0, "amount": 1100.0}])
        if request.path.endswith("/budgets"):
            return {"budgets": [grown]}
        return {**budgets_api(Request("GET", "/budgets/c", {}, None)), "id": "g", "currentUtilization": 1050.0} | {
            "growthPerPeriod": 10.0,
            "forecastedUtilization": 1090.0,
        }

    one = await run("get_budget", Recorder(answer), id="g")
    listed = (await run("list_budgets", Recorder(answer)))["budgets"][0]
    for found in (one, listed):
        assert (found["amount"], found["periodLimit"], found["percentUsed"]) == (1000.0, 1100.0, 95.5)
        assert found["status"] == "on_track"


@pytest.mark.parametrize("named", [None, 0])
async def test_daily_costs_tell_since_when_a_budget_is_exceeded(named: int | None) -> None:
    """The API may not name a day in the past."""
    lines: list[Line] = [(f"2026-09-{day:02}", {"service": "x"}, 300.0, 1.0) for day in range(1, 21)]
    over = row("o", 1200.0, "atRisk", forecastedUtilizationDate=named)

    def details(request: Request) -> Any:
        return {"budgets": [over]} if request.path.endswith("/budgets") else {**over, "name": "o"}

    api = Recorder(make_api({"budgets": details}, lines))
    listed = (await run("list_budgets", api))["budgets"][0]
    # 4 x 300 is more than 1,000.
    assert (listed["status"], listed["exceededOn"], listed["basis"]) == ("exceeded", "2026-09-04", "spent so far")
    assert (await run("get_budget", Recorder(make_api({"budgets": details}, lines)), id="o"))[
        "exceededOn"
    ] == "2026-09-04"
    config = next((request.body or {})["config"] for request in api.requests if request.body)
    assert config["currency"] == "EUR" and config["timeInterval"] == "day"
    assert config["customTimeRange"] == {"from": "2026-09-01T00:00:00Z", "to": "2026-09-21T23:59:59Z"}


async def test_a_day_that_cannot_be_read_is_named() -> None:
    over = row("o", 1200.0, "atRisk")

    def answer(request: Request) -> Any:
        if "query" in request.path:
            return ApiError("", kind="timeout")
        return {"budgets": [over]} if request.path.endswith("/budgets") else over

    found = await run("list_budgets", Recorder(answer))
    assert found["budgets"][0]["exceededOn"] is None
    assert found["failed"] == [{"part": "exceededOn of Budget o", "why": "the request timed out"}]
