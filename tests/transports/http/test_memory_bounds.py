"""Limits over HTTP on what sessions, streams and tasks store of client data, and their error messages."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from typing import Any

import pytest

from doit_mcp.server.sessions import MAX_SUBSCRIPTION_BYTES
from tests.transports.http.serving import META, Bench, Json, Site, schema, serving, tools
from tests.transports.http.test_subscriptions import TASKS, listening

LONG = "doc://number/" + "7" * 1_500
URIS = [f"{LONG}{number}" for number in range(20)]


@pytest.mark.requirement("N4")
async def test_n4_session_subscriptions(site: Site) -> None:
    """The limit is in bytes: the subscription that exceeds it is refused, and unsubscribing makes room."""
    session = await site.initialize()
    answers = [await session.ask("resources/subscribe", {"uri": uri}) for uri in URIS]
    count = MAX_SUBSCRIPTION_BYTES // len(URIS[0])
    assert all(answer.result == {} for answer in answers[:count])
    assert {answer.error["code"] for answer in answers[count:]} == {-32602}
    assert f"at most {MAX_SUBSCRIPTION_BYTES}" in answers[-1].error["message"]
    await session.ask("resources/unsubscribe", {"uri": URIS[0]})
    assert (await session.ask("resources/subscribe", {"uri": URIS[-1]})).result == {}
    # Bytes, not characters, some of which take four bytes.
    wide = await site.initialize()
    refused = await wide.ask("resources/subscribe", {"uri": "doc://number/" + "\U0001f4b0" * 2_030})
    assert refused.result == {} and (await wide.ask("resources/subscribe", {"uri": LONG})).error["code"] == -32602


@pytest.mark.requirement("N4")
@pytest.mark.parametrize("name", ["resourceSubscriptions", "taskIds"])
async def test_n4_stream_filters(site: Site, name: str) -> None:
    for filters in (URIS, ["x" * 9_000]):
        params = {"notifications": {name: filters}}
        assert (await site.send_stateless("subscriptions/listen", params, **TASKS)).code == (400, -32602)
    async with listening(site, {name: URIS[:4]}, **TASKS) as listener:
        assert (await listener.next())["params"]["notifications"] is not None


@pytest.mark.requirement("N4")
async def test_n4_stream_holds_no_large_request(site: Site) -> None:
    """A stream stays open for hours, and its request stays in memory with it."""
    params: Json = {"notifications": {"toolsListChanged": True}, "junk": "x" * 70_000}
    refused = await site.send_stateless("subscriptions/listen", params)
    assert refused.code == (400, -32600) and "at most 65536 are allowed" in refused.error["message"]


@pytest.mark.requirement("N4")
@pytest.mark.parametrize("length", [256, 257, 1_000_000])
async def test_n4_progress_token(site: Site, length: int) -> None:
    """Every notification repeats it, and sent messages are kept for clients that reconnect."""
    session, token = await site.initialize(), "t" * length
    modern = await site.call("steps", progressToken=token)
    for answer in (modern, await session.call("steps", token=token)):
        if length <= 256:
            assert answer.messages[0]["params"]["progressToken"] == token and answer.result["content"]
        else:
            assert answer.error["code"] == -32602 and "at most 256 characters" in answer.error["message"]


@pytest.mark.requirement("N4")
@pytest.mark.parametrize("method", ["ping", "tools/call"])
async def test_n4_request_id(site: Site, method: str) -> None:
    answer = await site.post(site.request(method, {"name": "echo", "arguments": {"text": "x"}}, "i" * 257))
    assert answer.code == (400, -32600) and "up to 256 characters" in answer.error["message"]


def alive(marker: str) -> list[Any]:
    gc.collect()
    return [item for item in gc.get_objects() if isinstance(item, dict) and marker in item]


@pytest.mark.requirement("N4")
async def test_n4_task_releases_its_request(site: Site) -> None:
    """After the response, everything of the request but its arguments is freed, although the task runs."""
    marker = "marker-" + "of-this-test"
    meta = {"name": "long", "arguments": {}, "junk": {marker: [1]}}
    created = (await site.send_stateless("tools/call", meta, **TASKS)).result
    await site.bench.started.wait()
    del meta
    assert alive(marker) == []
    site.bench.proceed.set()
    params = {"taskId": created["taskId"]}
    while (state := (await site.send_stateless("tasks/get", params, **TASKS)).result)["status"] == "working":
        await asyncio.sleep(0.01)
    assert state["status"] == "completed" and state["result"]["_meta"][f"{META}serverInfo"]


@pytest.mark.requirement("N4")
async def test_n4_task_holds_no_large_arguments() -> None:
    """Refused with an explanation before the task begins, unless the call can be answered without a task."""
    declared = {"clientCapabilities": {"extensions": {f"{META}tasks": {}}}}
    bench = Bench()
    arguments = schema(text={"type": "string", "maxLength": 1_000_000})
    large = [
        replace(tool, input_schema=arguments, accepted_schema=arguments) for tool in tools(bench) if tool.name == "long"
    ]
    soon = [replace(tool, task_after=0.01) for tool in tools(bench) if tool.name == "wait"]
    soon = [replace(item, input_schema=arguments, accepted_schema=arguments) for item in soon]
    async with serving(bench, {"tools": (*large, *soon)}) as site:
        refused = await site.call("long", {"text": "x" * 140_000}, **declared)
        assert refused.result["isError"] and "larger than 128 KB" in refused.text
        assert (await site.call("long", {"text": "x" * 100_000}, **declared)).result["resultType"] == "task"
        waiting = asyncio.create_task(site.call("wait", {"text": "x" * 140_000}, **declared))
        await bench.started.wait()
        bench.proceed.set()
        assert (await waiting).result["content"]
