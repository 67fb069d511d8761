"""Slow reads finish in place if possible, and become tasks if the client can follow one (SEP-2663)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.tools.tool import Tool, ToolError
from doit_mcp.server.tasks import MAX_RUNNING_PER_OWNER
from tests.transports.http.serving import LATEST_STATEFUL, META, Bench, Json, Site, offer, schema, serving

FOLLOWS: Json = {"clientCapabilities": {"extensions": {f"{META}tasks": {}}}}


@dataclass
class Query:
    """A read that ends when the test says so."""

    begun: int = 0
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    proceed: asyncio.Event = field(default_factory=asyncio.Event)
    refused: bool = False

    async def run(self, call: Call, arguments: Json) -> Json:
        self.begun += 1
        try:
            await self.proceed.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if self.refused:
            raise ToolError("There are no such costs.")
        return {"rows": self.begun}

    def tool(self, name: str, after: float | None, deadline: float = 30) -> Tool:
        output = {"type": "object", "properties": {"rows": {"type": "integer"}}, "required": ["rows"]}
        return Tool(name, "Query", "Queries", schema(), self.run, output, deadline=deadline, task_after=after)


@pytest.fixture
def query() -> Query:
    return Query()


@pytest.fixture
async def site(query: Query) -> AsyncIterator[Site]:
    tools = (
        query.tool("never_a_task", None, 0.2),
        query.tool("soon_a_task", 0.01, 0.2),
        query.tool("patient_task", 0.01),
        query.tool("late_a_task", 30),
    )
    async with serving(changes={"tools": (*offer(Bench()).tools, *tools)}) as server:
        yield server


async def wait_for_end(site: Site, id: str) -> Json:
    while (state := (await site.send_stateless("tasks/get", {"taskId": id}, **FOLLOWS)).result)["status"] == "working":
        await asyncio.sleep(0.01)
    return state


async def test_slow_call_becomes_a_task(site: Site, query: Query) -> None:
    created = (await site.call("soon_a_task", **FOLLOWS)).result
    assert created["resultType"] == "task" and created["status"] == "working"
    # Longer than the tool's deadline, which applies to clients that wait.
    await asyncio.sleep(0.3)
    query.proceed.set()
    state = await wait_for_end(site, created["taskId"])
    assert state["result"]["structuredContent"] == {"rows": 1}, "it continued and did not start again"
    assert state["result"]["resultType"] == "complete" and not state["result"].get("isError")


async def test_fast_call_is_answered(site: Site, query: Query) -> None:
    query.proceed.set()
    assert (await site.call("late_a_task", **FOLLOWS)).result["structuredContent"] == {"rows": 1}


async def test_failure_is_the_result_of_the_task(site: Site, query: Query) -> None:
    query.refused = True
    id = (await site.call("soon_a_task", **FOLLOWS)).result["taskId"]
    query.proceed.set()
    state = await wait_for_end(site, id)
    assert state["status"] == "completed" and state["result"]["isError"]
    assert state["result"]["content"][0]["text"] == "Could not run soon_a_task. There are no such costs."


async def test_canceling_the_task_stops_the_query(site: Site, query: Query) -> None:
    id = (await site.call("soon_a_task", **FOLLOWS)).result["taskId"]
    await site.send_stateless("tasks/cancel", {"taskId": id}, **FOLLOWS)
    await query.cancelled.wait()
    assert (await wait_for_end(site, id))["status"] == "cancelled"


async def test_early_disconnect_stops_the_query(site: Site, query: Query) -> None:
    calling = asyncio.create_task(site.call("late_a_task", **FOLLOWS))
    while not query.begun:
        await asyncio.sleep(0.01)
    calling.cancel()
    await query.cancelled.wait()


async def test_clients_without_tasks_wait(site: Site, query: Query) -> None:
    for answer in (await site.call("soon_a_task"), await (await site.initialize(LATEST_STATEFUL)).call("soon_a_task")):
        assert "within 0.2 seconds" in answer.result["content"][0]["text"]
    assert "Could not finish" in (await site.call("never_a_task", **FOLLOWS)).result["content"][0]["text"]


async def test_client_waits_when_there_are_too_many_tasks(site: Site, query: Query) -> None:
    for _ in range(MAX_RUNNING_PER_OWNER):
        assert (await site.call("soon_a_task", **FOLLOWS)).result["resultType"] == "task"
    late = (await site.call("soon_a_task", **FOLLOWS)).result
    assert late["isError"] and "within 0.2 seconds" in late["content"][0]["text"]
    waiting = asyncio.create_task(site.call("patient_task", **FOLLOWS))
    while query.begun < MAX_RUNNING_PER_OWNER + 2:
        await asyncio.sleep(0.01)
    query.proceed.set()
    assert "structuredContent" in (await waiting).result


def test_cost_computation_can_become_a_task() -> None:
    able = {tool.name for tool in direct_tools() if tool.task_after is not None}
    assert {"run_query", "get_report_results", "cost_breakdown", "explain_cost_change", "get_cloud_overview"} <= able
    assert not [tool.name for tool in direct_tools() if tool.writes and tool.name in able]
