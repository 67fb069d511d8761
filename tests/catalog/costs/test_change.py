"""Explaining a change, over a small bill."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.costs.change import parse_periods
from doit_mcp.catalog.periods import parse_period
from doit_mcp.catalog.tools.tool import ToolError
from tests.api.recorder import Recorder

from ..billing import Line, answering
from ..caller import TOOLS, Caller, call


def line(day: str, service: str, sku: str, cost: float, usage: float, cloud: str = "google-cloud") -> Line:
    values = {"service_description": service, "sku_description": sku, "project_id": "p", "region": "eu"}
    return day, {**values, "cloud_provider": cloud}, cost, usage


LINES = [
    line("2026-07-03", "BigQuery", "Analysis", 100.0, 10.0),
    line("2026-07-03", "Storage", "Standard", 40.0, 4.0),
    line("2026-07-03", "Old", "Gone", 10.0, 1.0),
    line("2026-08-03", "BigQuery", "Analysis", 240.0, 20.0),
    line("2026-08-03", "Storage", "Standard", 40.0, 4.0),
    line("2026-08-03", "New", "Fresh", 7.5, 1.0),
    line("2026-08-03", "Credits", "Promotion", -20.0, 0.0),
    line("2026-09-03", "BigQuery", "Analysis", 999.0, 1.0),
]


async def test_a_month_is_explained() -> None:
    api = Recorder(answering({}, LINES))
    found = (await call("explain_cost_change", api, top=2))["structuredContent"]
    assert found["before"] == {"from": "2026-07-01", "to": "2026-07-31", "days": 31}
    assert found["after"]["from"] == "2026-08-01" and "failed" not in found and "note" not in found
    assert found["total"] == {
        **{"before": 150.0, "after": 267.5, "change": 117.5, "changePercent": 78.3},
        **{"perDayBefore": 4.84, "perDayAfter": 8.63},
    }
    by = {one["dimension"]: one for one in found["by"]}
    assert list(by) == ["service", "project", "region", "sku"]
    for one in by.values():
        parts = [*one["drivers"], one["other"]]
        assert round(sum(part["change"] for part in parts), 2) == 117.5
        assert round(sum(part["share"] for part in parts), 1) == 100.0
    assert by["service"]["drivers"][0] == {
        **{"name": "BigQuery", "before": 100.0, "after": 240.0, "change": 140.0, "share": 119.1},
    }
    assert by["sku"]["drivers"][0]["byUsage"] == 100.0 and by["sku"]["drivers"][0]["byPrice"] == 40.0
    assert by["sku"]["drivers"][1]["name"] == "Promotion" and by["sku"]["drivers"][1]["status"] == "new"
    assert found["causes"] == {"usage": 100.0, "price": 40.0, "new": -12.5, "gone": -10.0, "untold": 0.0}


async def test_the_queries_hold_what_was_asked() -> None:
    api = Recorder(answering({}, LINES))
    label = {"id": "team", "type": "label", "values": ["data"]}
    await call("explain_cost_change", api, after="2026-08-10/2026-08-19", by=["sku"], cloud="aws", filters=[label])
    configs = [(request.body or {})["config"] for request in api.requests]
    assert [config["customTimeRange"]["from"] for config in configs] == ["2026-07-31T00:00:00Z", "2026-08-10T00:00:00Z"]
    for config in configs:
        assert config["timeRange"] == {"mode": "custom"} and "currency" not in config
        assert config["filters"][0] == label and config["filters"][1]["values"] == ["amazon-web-services"]
        assert [metric["value"] for metric in config["metrics"]] == ["cost", "usage"]
        assert config["group"][0]["id"] == "sku_description"
        assert TOOLS["run_query"].argument_problems({"config": config}) == []


async def test_a_handle_leads_to_all_drivers() -> None:
    caller = Caller(Recorder(answering({}, LINES)))
    tool = TOOLS["explain_cost_change"]
    found: Any = await tool.run(caller, {"top": 1, "by": ["service"]})
    again: Any = await TOOLS["query_result"].run(caller, {"handle": found["handle"], "sortBy": "change", "top": 2})
    assert again["rowCount"] == 5 and again["total"]["change"] == 117.5
    assert [row[1] for row in again["rows"]] == ["BigQuery", "New"]
    assert again["source"]["tool"] == "explain_cost_change" and again["source"]["after"]["from"] == "2026-08-01"
    assert "handle" not in await tool.run(caller, {"top": 25})  # type: ignore[operator]


@pytest.mark.requirement("N10")
async def test_n10_a_handle_is_about_the_customer_that_an_employee_acts_for() -> None:
    caller = Caller(Recorder(answering({}, LINES)))
    caller.customer_context = "acme"
    found: Any = await TOOLS["explain_cost_change"].run(caller, {"top": 1, "by": ["service"]})
    again: Any = await TOOLS["query_result"].run(caller, {"handle": found["handle"]})
    assert again["rowCount"] == 5 and again["source"]["customer"] == "acme"
    caller.customer_context = "globex"
    with pytest.raises(ToolError, match="belongs to the customer acme"):
        await TOOLS["query_result"].run(caller, {"handle": found["handle"]})


async def test_a_dimension_that_fails_is_named_and_all_failing_is_an_error() -> None:
    def answer(request: Any) -> Any:
        group = (request.body or {})["config"]["group"][0]["id"]
        if group == "region":
            return ApiError("no regions", kind="refused", status=400)
        return answering({}, LINES)(request)

    found = (await call("explain_cost_change", Recorder(answer)))["structuredContent"]
    assert found["failed"] == [{"part": "region", "why": "no regions (HTTP 400)"}]
    assert [one["dimension"] for one in found["by"]] == ["service", "project", "sku"]
    with pytest.raises(ApiError, match="no regions"):
        await call("explain_cost_change", Recorder(answer), by=["region"])
    with pytest.raises(ApiError, match="service_description"):
        odd = {"result": {"schema": [{"name": "x"}], "rows": [[1]]}}
        await call("explain_cost_change", Recorder(odd), by=["service"])


async def test_empty_periods_are_explained_as_nothing() -> None:
    found = (await call("explain_cost_change", Recorder(answering({}, [])), by=["service"]))["structuredContent"]
    assert found["total"]["change"] == 0.0 and found["total"]["changePercent"] is None
    assert found["by"][0]["drivers"] == [] and found["by"][0]["other"]["share"] is None


async def test_long_lists_are_not_called_new_or_gone_and_the_totals_are_asked() -> None:
    lines = [line("2026-07-03", f"s{n}", "x", 1.0, 1.0) for n in range(1000)]
    lines += [line("2026-08-03", "other", "x", 5000.0, 1.0)]
    api = Recorder(answering({}, lines))
    found = (await call("explain_cost_change", api, by=["service"], top=1))["structuredContent"]
    assert len(api.requests) == 4 and found["total"]["change"] == 4000.0
    assert "status" not in found["by"][0]["drivers"][0]


def test_periods_that_are_wanted() -> None:
    today = date(2026, 3, 5)
    assert parse_periods(None, None, today) == (parse_period("2026-02", ""), parse_period("2026-01", ""))
    assert parse_periods("2026-03-01/2026-03-05", None, today)[1] == parse_period("2026-02-24/2026-02-28", "")
    assert parse_periods("2026-02", "2025-02", today)[1] == parse_period("2025-02", "")
    with pytest.raises(ApiError, match="before: must end"):
        parse_periods("2026-02", "2026-02-01/2026-02-03", today)


async def test_a_period_that_is_not_over_is_said_to_be_so() -> None:
    found = (await call("explain_cost_change", Recorder(answering({}, LINES)), after="2026-09"))["structuredContent"]
    assert "not over" in found["note"]
