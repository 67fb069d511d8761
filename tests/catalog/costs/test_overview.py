"""The overview: every part that fails is named, and nothing fails silently."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.tools.series import ResultWithSeries
from tests.api.recorder import Recorder

from ..billing import Line, make_api
from ..caller import TOOLS, Caller, call
from ..conftest import Ask

A = {"cloud_provider": "amazon-web-services", "service_description": "EC2", "project_id": "1", "project_name": "prod"}
B = {"cloud_provider": "google-cloud", "service_description": "BigQuery", "project_id": "p", "project_name": "P"}
LINES: list[Line] = [("2026-08-30", A, 5.0, 1.0), ("2026-09-02", A, 5.5, 1.0), ("2026-09-02", B, 20.0, 1.0)]
ANOMALIES = {"anomalies": [{"id": str(n), "costOfAnomaly": 1.0, "startTime": 1_790_000_000_000} for n in range(9)]}
INCIDENTS = {"incidents": [{"id": "i", "title": "Down", "createTime": 1_790_000_000_000}]}


async def test_it_has_every_part_of_the_old_one() -> None:
    api = Recorder(make_api({"anomalies": ANOMALIES, "cloudincidents": INCIDENTS}, LINES))
    overview = (await call("get_cloud_overview", api))["structuredContent"]
    assert overview["costByCloud"]["rows"] == [["google-cloud", 20.0, 65.6], ["amazon-web-services", 10.5, 34.4]]
    assert overview["topServices"]["rows"][0] == ["google-cloud", "BigQuery", 20.0, 65.6]
    assert overview["topProjects"]["rows"][1] == ["amazon-web-services", "1", 10.5, "prod", 34.4]
    assert overview["totalCost"] == 30.5 and len(overview["anomalies"]) == 5 and "failed" not in overview
    assert overview["anomalies"][0]["startTime"].startswith("2026-09-21")
    assert overview["incidents"] == [{**INCIDENTS["incidents"][0], "created": "2026-09-21"}]
    assert overview["period"] == {
        **{"from": "2026-08-23", "to": "2026-09-21", "days": 30},
        **{"complete": False, "finalThrough": "2026-09-18"},
    }
    assert overview["currency"] == "USD" and overview["basis"]["credits"] == "excluded"
    assert set(overview["basis"]["timeZones"]) == {"amazon-web-services", "google-cloud"}
    configs = [(request.body or {})["config"] for request in api.requests if request.body]
    # The picture shows the days before, too.
    daily = configs.pop()
    assert daily["timeInterval"] == "day" and daily["customTimeRange"]["from"] == "2026-07-24T00:00:00Z"
    assert all(config["customTimeRange"]["from"] == "2026-08-23T00:00:00Z" for config in configs)
    assert [[group["id"] for group in config["group"]] for config in configs] == [
        ["cloud_provider"],
        ["cloud_provider", "service_description"],
        ["cloud_provider", "project_id", "project_name"],
    ]
    assert [config["group"][1]["limit"]["value"] for config in configs[1:]] == [25, 25]
    assert [request.query for request in api.requests if not request.body] == [{"maxResults": "5"}] * 2


async def test_it_is_limited_to_what_was_asked(ask: Ask) -> None:
    everything = await ask("get_cloud_overview", period="last_month")
    aws = await ask("get_cloud_overview", period="2026-08", cloud="aws", topN=2, currency="EUR")
    assert everything["period"]["complete"] and everything["period"]["days"] == 31
    assert len(aws["costByCloud"]["rows"]) == 1 and aws["costByCloud"]["rows"][0][2] == 100.0
    assert len(aws["topServices"]["rows"]) == len(aws["topProjects"]["rows"]) == 2
    rows = {row[0]: row[1] for row in everything["costByCloud"]["rows"]}
    # The sandbox has a fixed rate.
    assert aws["currency"] == "EUR" and aws["totalCost"] == pytest.approx(0.87 * rows["amazon-web-services"], abs=0.02)
    with_credits = await ask("get_cloud_overview", period="2026-08", includeCredits=True)
    assert with_credits["basis"]["credits"] == "included" and with_credits["totalCost"] < everything["totalCost"]


async def test_unknown_values_and_missing_data_are_not_zero(ask: Ask) -> None:
    with pytest.raises(ApiError, match="Clouds with costs: .*google-cloud"):
        await ask("get_cloud_overview", cloud="oracle")
    early = await ask("get_cloud_overview", period="2021-05")
    assert early["totalCost"] is None and early["note"].startswith("The data begins on 20")


@pytest.mark.parametrize("kind", ["forbidden", "timeout", "fault"])
async def test_a_part_that_fails_is_named_and_no_empty_section(kind: Any) -> None:
    others = {"anomalies": ApiError("no right", kind=kind, status=403), "cloudincidents": INCIDENTS}
    overview = (await call("get_cloud_overview", Recorder(make_api(others, LINES))))["structuredContent"]
    assert "anomalies" not in overview
    assert overview["failed"] == [{"part": "anomalies", "why": "no right (HTTP 403)"}]


async def test_when_all_fails_it_is_an_error() -> None:
    for kind, status in (("credential", 401), ("timeout", None)):
        error: Any = ApiError("", kind=kind, status=status)  # type: ignore[arg-type]  # the loop widens the literal
        with pytest.raises(ApiError) as caught:
            await call("get_cloud_overview", Recorder(error))
        assert caught.value.status == status


@pytest.mark.requirement("N19")
async def test_n19_a_sign_in_that_ended_meanwhile_is_not_just_a_part_that_failed() -> None:
    """The client learns where to sign in again from the error alone."""
    others = {"anomalies": ApiError("", kind="credential", status=401), "cloudincidents": INCIDENTS}
    with pytest.raises(ApiError) as caught:
        await call("get_cloud_overview", Recorder(make_api(others, LINES)))
    assert caught.value.kind == "credential"


async def test_costs_alone_failing_leaves_the_rest() -> None:
    others = {"query": ApiError("", kind="timeout"), "anomalies": ANOMALIES, "cloudincidents": {"incidents": None}}
    overview = (await call("get_cloud_overview", Recorder(make_api(others, []))))["structuredContent"]
    assert overview["totalCost"] is None and overview["incidents"] == [] and "note" not in overview
    assert {part["part"] for part in overview["failed"]} == {"costByCloud", "topServices", "topProjects"}
    assert overview["failed"][0]["why"] == "the request timed out"


async def test_sections_have_no_shares_of_an_unknown_total() -> None:
    def answer(request: Any) -> Any:
        config = (request.body or {}).get("config", {})
        if len(config.get("group", ())) == 1:
            return ApiError("", kind="timeout")
        return make_api({"anomalies": ANOMALIES, "cloudincidents": INCIDENTS}, LINES)(request)

    overview = (await call("get_cloud_overview", Recorder(answer)))["structuredContent"]
    assert overview["totalCost"] is None and overview["topServices"]["rows"][0][2:] == [20.0, None]
    assert overview["basis"]["timeZones"] == {}


async def test_a_failed_query_for_the_picture_alone_is_not_a_failed_part() -> None:
    bill = make_api({"anomalies": ANOMALIES, "cloudincidents": INCIDENTS}, LINES)

    def answer(request: Request) -> Any:
        if (request.body or {}).get("config", {}).get("timeInterval") == "day":
            return ApiError("", kind="rate", status=429)
        return bill(request)

    result = await TOOLS["get_cloud_overview"].run(Caller(Recorder(answer)), {})
    assert isinstance(result, ResultWithSeries)
    assert "failed" not in result.structured and result.structured["totalCost"] == 30.5
    assert result.series["missing"] == [{"part": "daily costs", "why": "too many requests (HTTP 429)"}]
    assert [series["name"] for series in result.series["series"]] == ["costs by cloud"]
