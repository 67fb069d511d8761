"""Series travel in _meta of a result on every path to a client, and nowhere else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.tools.series import SERIES_META_KEY, ResultWithSeries
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.tools.tool_result import MAX_RESULT_CODE_UNITS
from doit_mcp.catalog.writes.deduplication import with_commit, with_deduplication
from doit_mcp.protocol.revisions import STATEFUL_REVISIONS
from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import replicas
from tests.transports.http.serving import META, STATELESS_REVISION, Json, Site, serving
from tests.transports.http.test_legacy_sse import open_stream

DAILY: Json = {"interval": "day", "period": "last_7_days"}
TASKS = {"clientCapabilities": {"extensions": {f"{META}tasks": {}}}}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product over the sandbox's API."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        yield site


def check(result: Json, days: int = 7) -> None:
    """Check that a result of cost_trend has its series in _meta only."""
    (series,) = result["_meta"][SERIES_META_KEY]["series"]
    text = result["content"][0]["text"]
    assert [block["type"] for block in result["content"]] == ["text"] and SERIES_META_KEY not in text
    answer = json.loads(text)
    assert series["rows"] == answer["rows"] and len(series["rows"]) == days
    assert "series" not in answer and "provisional" not in text
    assert result.get("structuredContent", answer) == answer


@pytest.mark.parametrize("revision", [*STATEFUL_REVISIONS, STATELESS_REVISION])
async def test_every_revision(site: Site, revision: str) -> None:
    if revision == STATELESS_REVISION:
        answer = await site.call("cost_trend", DAILY)
    else:
        answer = await (await site.initialize(revision)).call("cost_trend", DAILY)
    check(answer.result)
    assert ("structuredContent" in answer.result) == (revision >= "2025-06-18")


@pytest.mark.parametrize("revision", STATEFUL_REVISIONS)
async def test_the_legacy_transport(site: Site, revision: str) -> None:
    async with open_stream(site) as stream:
        await stream.initialize(revision)
        check((await stream.ask("tools/call", {"name": "cost_trend", "arguments": DAILY}))["result"])


@pytest.mark.parametrize("name", ["read_operation", "call_operation"])
async def test_discovery_tools_return_the_series_of_the_tool_that_they_run(site: Site, name: str) -> None:
    answer = await site.call(name, {"name": "cost_trend", "arguments": DAILY})
    check(answer.result)


async def test_a_long_trend_stays_within_the_limits_of_hosts(site: Site) -> None:
    arguments = {"interval": "day", "period": "last_400_days", "groupBy": "sku", "topN": 25}
    answer = await site.call("cost_trend", arguments)
    (series,) = answer.result["_meta"][SERIES_META_KEY]["series"]
    assert series["cut"]["of"] > series["cut"]["shown"] == len(series["rows"])
    assert len(answer.text) < MAX_RESULT_CODE_UNITS


def result_with_series(**more: Any) -> ResultWithSeries:
    return ResultWithSeries(
        {"said": "done", **more},
        {
            "currency": "USD",
            "series": [
                {"name": "costs", "kind": "bars", "columns": [{"role": "id"}, {"role": "cost"}], "rows": [["a", 1.5]]}
            ],
        },
    )


async def test_a_task_keeps_its_series_at_every_replica(redis: Server) -> None:
    async def report(call: Call, arguments: Json) -> ResultWithSeries:
        await call.run_in_background()
        return result_with_series()

    output_schema = {"type": "object", "properties": {"said": {"type": "string"}}}
    tool = Tool("report", "Report", "Is long.", {"type": "object", "properties": {}}, report, output_schema)
    async with replicas(redis.url, changes={"tools": (tool,)}) as (a, b):
        task = (await a.call("report", **TASKS)).result
        params = {"taskId": task["taskId"]}
        while (state := (await b.send_stateless("tasks/get", params, **TASKS)).result)["status"] == "working":
            await asyncio.sleep(0.005)
    found = state["result"]
    assert found["_meta"][SERIES_META_KEY] == result_with_series().series
    assert found["structuredContent"] == json.loads(found["content"][0]["text"]) == {"said": "done"}


async def test_a_receipt_keeps_its_series(redis: Server) -> None:
    """No write of the product has series; a repeated one would have them."""

    async def note(call: Call, arguments: Json) -> ResultWithSeries:
        return result_with_series()

    plain = next(tool for tool in direct_tools() if tool.name == "create_label")
    tool = with_deduplication(with_commit(replace(plain, run=note)))
    label = {"name": "Quarter", "color": "blue"}
    async with replicas(redis.url, changes={"tools": (tool,)}) as (a, b):
        first = (await a.call("create_label", label)).result
        again = (await b.call("create_label", label)).result
    assert first["_meta"][SERIES_META_KEY] == again["_meta"][SERIES_META_KEY] == result_with_series().series
    assert again["structuredContent"] != first["structuredContent"]
