"""forecast_spend over a small bill."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.forecasts.forecast import API_METHOD, PACE_METHOD
from tests.api.recorder import Recorder, pages_of

from ..billing import Line, make_api
from ..caller import call

GCP = {"cloud_provider": "google-cloud"}
# Ten a day since the quarter before, four today: 2026-09-21.
LINES: list[Line] = [(f"2026-{month:02}-{n:02}", GCP, 10.0, 1.0) for month in range(4, 9) for n in range(1, 31)]
LINES += [(f"2026-{month}-31", GCP, 10.0, 1.0) for month in ("05", "07", "08")]
LINES += [(f"2026-09-{n:02}", GCP, 10.0, 1.0) for n in range(1, 21)] + [("2026-09-21", GCP, 4.0, 1.0)]
AHEAD = {f"2026-09-{n}": 20.0 for n in range(22, 31)}
CLOUDS = {"id": "cloud_provider", "values": [{"value": "google-cloud"}, {"value": "amazon-web-services"}]}
NO_BUDGETS = {"budgets": {}, "dimension": CLOUDS}


async def forecast(api: Recorder, **arguments: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await call("forecast_spend", api, **arguments))["structuredContent"]
    return found


async def test_the_apis_forecast_is_used() -> None:
    api = Recorder(make_api(NO_BUDGETS, LINES, AHEAD))
    found = await forecast(api, cloud="gcp")
    assert found["method"] == API_METHOD
    # Six are still to come today.
    assert found["month"]["spent"] == 204.0 and found["month"]["ahead"] == 186.0 and found["month"]["expected"] == 390.0
    assert found["month"]["low"] == found["month"]["high"] == 390.0 and found["month"]["unfinishedDays"] == []
    assert found["month"]["before"] == 310.0 and found["quarter"]["spent"] == 824.0
    assert found["quarter"]["before"] == 910.0 and found["quarter"]["expected"] == 1010.0
    config = next((request.body or {})["config"] for request in api.requests if request.body)
    assert config["forecastSettings"] == {"mode": "grouping", "futureTimeIntervals": 9}
    assert config["group"] == [{"id": "cloud_provider", "type": "fixed"}]
    assert config["customTimeRange"] == {"from": "2026-04-01T00:00:00Z", "to": "2026-09-21T23:59:59Z"}


async def test_the_answer_states_period_currency_and_basis() -> None:
    api = Recorder(make_api(NO_BUDGETS, LINES))
    found = await forecast(api, cloud="gcp")
    assert found["period"] == {
        **{"from": "2026-09-01", "to": "2026-09-21", "days": 21, "complete": False},
        "finalThrough": "2026-09-18",
    }
    assert found["currency"] == "USD" and found["month"]["to"] == "2026-09-30"
    zones = {"google-cloud": "America/Los_Angeles"}
    assert found["basis"] == {"metric": "cost", "credits": "excluded", "timeZones": zones}
    assert (await forecast(api, currency="JPY"))["currency"] == "JPY"
    assert [request.body["config"]["currency"] for request in api.requests if request.body] == ["USD", "JPY"]


async def test_without_forecast_rows_the_pace_of_weekdays_is_stated() -> None:
    found = await forecast(Recorder(make_api(NO_BUDGETS, LINES)))
    assert found["method"] == PACE_METHOD and found["month"]["ahead"] == 96.0 and found["budgets"] == []


async def test_an_unfinished_day_does_not_pull_the_forecast_down() -> None:
    late = [line if line[0] != "2026-09-20" else ("2026-09-20", GCP, 1.5, 1.0) for line in LINES]
    whole, cut = [await forecast(Recorder(make_api(NO_BUDGETS, lines, AHEAD))) for lines in (LINES, late)]
    assert cut["month"]["spent"] == 195.5 and cut["month"]["expected"] == whole["month"]["expected"]
    assert cut["month"]["unfinishedDays"] == ["2026-09-20"]


async def test_yen_are_whole() -> None:
    lines = [(day, values, cost + 0.4, usage) for day, values, cost, usage in LINES]
    found = await forecast(Recorder(make_api(NO_BUDGETS, lines)), currency="JPY")
    # 20 x 10.4 + 4.4 = 212.4, and 6 + 9 x 10.4 = 99.6.
    assert (found["month"]["spent"], found["month"]["ahead"], found["month"]["expected"]) == (212.0, 100.0, 312.0)


async def test_a_few_days_are_too_few() -> None:
    found = await forecast(Recorder(make_api(NO_BUDGETS, LINES[-9:], AHEAD)))
    assert found["method"] == "none: 6 days of final costs are too few to project; a forecast needs 7"
    month = found["month"]
    assert month["spent"] == 84.0 and [month[name] for name in ("ahead", "expected", "low", "high")] == [None] * 4
    # The data begins in this month.
    assert month["before"] is None


async def test_a_service_that_is_new_had_no_costs_before() -> None:
    old = [("2026-01-05", {"cloud_provider": "amazon-web-services"}, 1.0, 1.0)]
    recent = [line for line in LINES if line[0] >= "2026-08-20"]
    found = await forecast(Recorder(make_api(NO_BUDGETS, old + recent)), cloud="gcp")
    assert found["month"]["before"] == 120.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cloud": "nosuch"}, 'no cloud "nosuch".*"google-cloud"'),
        (
            {
                "filters": [
                    {"id": "cloud_provider", "type": "fixed", "mode": "is", "values": ["google-cloud", "gogle-cloud"]}
                ]
            },
            'no cloud "gogle-cloud".*"google-cloud"',
        ),
    ],
)
async def test_unknown_values_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        await forecast(Recorder(make_api(NO_BUDGETS, LINES)), **arguments)
    assert caught.value.kind == "argument"


async def test_no_costs_do_not_forecast_zero() -> None:
    old: list[Line] = [("2026-01-05", GCP, 1.0, 1.0)]
    found = await forecast(Recorder(make_api(NO_BUDGETS, old)), cloud="aws")
    assert found["month"]["spent"] == 0.0 and found["month"]["expected"] is None
    assert found["method"].startswith("none: 0 days") and "had no cost" in found["note"]


async def test_without_any_data_the_cost_is_unknown() -> None:
    found = await forecast(Recorder(make_api(NO_BUDGETS, [])))
    assert found["month"]["spent"] is None and found["quarter"]["spent"] is None and "no cost data" in found["note"]


async def test_a_refused_forecast_falls_back_to_costs_alone() -> None:
    def answer(request: Request) -> Any:
        if "budgets" in request.path:
            return ApiError("no right", kind="forbidden", status=403)
        if "forecastSettings" in (request.body or {}).get("config", {}):
            return ApiError("too little history", kind="refused", status=400)
        return make_api({}, LINES)(request)

    found = await forecast(Recorder(answer))
    assert found["method"] == PACE_METHOD and "budgets" not in found
    assert found["failed"] == [{"part": "budgets", "why": "no right (HTTP 403)"}]


async def test_no_answer_no_forecast() -> None:
    with pytest.raises(ApiError) as caught:
        await forecast(Recorder(ApiError("", kind="timeout")))
    assert caught.value.kind == "timeout"


async def test_budgets_that_break_have_the_forecast_of_their_details() -> None:
    rows = [
        {"id": "b1", "budgetName": "Fine", "amount": 900.0, "currentUtilization": 204.0, "riskStatus": "onTrack"},
        {"id": "b2", "budgetName": "Tight", "amount": 220.0, "currentUtilization": 204.0, "riskStatus": "atRisk"},
        {"id": "b3", "budgetName": "Over", "amount": 100.0, "currentUtilization": 204.0, "riskStatus": "atRisk"},
        {"id": "b4", "budgetName": "New", "amount": 100.0, "currentUtilization": 0, "riskStatus": "unknown"},
    ]
    scopes = [{"type": "fixed", "id": "cloud_provider", "values": ["amazon-web-services"]}]
    rows = [{**row, "timeInterval": "month", "currency": "EUR", "url": "u", "scopes": scopes} for row in rows]
    # 2026-09-22.
    rows[1]["forecastedUtilizationDate"] = 1_790_035_200_000

    def budgets(request: Request) -> Any:
        identifier = request.path.rpartition("/")[2]
        if identifier == "budgets":
            return pages_of("budgets", rows[:2], rows[2:])(request)
        return {**next(row for row in rows if row["id"] == identifier), "forecastedUtilization": 250.5}

    api = Recorder(make_api({"budgets": budgets}, LINES, AHEAD))
    found = await forecast(api)
    assert [budget["id"] for budget in found["budgets"]] == ["b3", "b2"] and found["budgetsChecked"] == 4
    over, tight = found["budgets"]
    assert over["status"] == "exceeded" and over["percentUsed"] == 204.0 and over["breaksOn"] is None
    assert tight == {
        **{"id": "b2", "name": "Tight", "url": "u", "amount": 220.0, "spent": 204.0, "currency": "EUR"},
        **{"percentUsed": 92.7, "expected": 250.5, "forecastedUtilization": 250.5, "status": "at_risk"},
        **{"exceededOn": None, "breaksOn": "2026-09-22", "basis": "DoiT's forecast of this budget"},
        "period": {"from": "2026-09-01", "to": "2026-09-30", "days": 30},
    }
    # Budgets on track for other costs need no request of their own.
    assert sorted(request.path for request in api.requests if "budgets/" in request.path) == [
        "/analytics/v1/budgets/b2",
        "/analytics/v1/budgets/b3",
    ]
