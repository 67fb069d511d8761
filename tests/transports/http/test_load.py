"""Load on the server's own process: concurrent streams and calls, clients that disconnect, and an API that fails.

Every call gets exactly one response, its own; afterwards all resources are released. DOIT_MCP_TEST_LONG=1 opens 2,000
streams.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.transports.http.serving import Json, next_event
from tests.transports.http.test_security_outside import MIB
from tests.transports.http.test_security_process import (
    LONG,
    Program,
    budget,
    encode_message,
    program,
    stateless_headers,
    with_request_metadata,
)

STREAMS = 2_000 if LONG else 300
CALLS = 500
USERS = 50
# The failures of the API, in turn: most calls succeed, some of them after a retry.
FAULTS = ("ok", "ok", "busy", "ok", "cut", "missing", "ok", "garbage", "ok", "reset")
# One client in five disconnects in the middle of its call.
LEAVES = 5
GROWTH = 80 * MIB


class Caller:
    """One user with a token, a session and an HTTP+SSE stream on which responses are collected."""

    def __init__(self, server: Program, number: int) -> None:
        self.made, self.name = server, f"person{number}"
        self.token = server.outside.token(self.name)
        self.session = self.address = ""
        self.messages: list[Json] = []

    @property
    def heads(self) -> dict[str, str]:
        return {"Mcp_Session_Id": self.session, "MCP_Protocol_Version": "2025-11-25"}

    async def begin(self) -> None:
        self.session = await self.made.initialize(self.token)

    async def end(self) -> None:
        answer = await self.made.send("DELETE", "/mcp", self.made.headers(self.token, **self.heads))
        assert answer.status == 204

    @asynccontextmanager
    async def legacy_stream(self) -> AsyncIterator[None]:
        """An HTTP+SSE stream whose messages are collected until it ends."""
        headers = self.made.headers(self.token) | {"Accept": "text/event-stream"}
        async with self.made.http.get(f"{self.made.base}/sse", headers=headers) as response:
            name, self.address = await next_event(response)
            assert name == "endpoint"
            hearing = asyncio.create_task(self._hear(response))
            try:
                yield
            finally:
                hearing.cancel()
                await asyncio.gather(hearing, return_exceptions=True)

    async def _hear(self, response: aiohttp.ClientResponse) -> None:
        while True:
            name, data = await next_event(response)
            assert name == "message"
            self.messages.append(json.loads(data))


def check_response(caller: Caller, number: int, id: str, messages: list[Json]) -> None:
    """Check for exactly one response, with the id of the request and the data of its caller."""
    (answer,) = messages
    assert answer["id"] == number and "error" not in answer, answer
    result = answer["result"]
    failed = id.partition("-")[0] in ("missing", "garbage")
    assert result.get("isError", False) is failed, (id, result)
    if not failed:
        content = json.loads(result["content"][0]["text"])
        assert (content["id"], content["name"]) == (id, f"{caller.name}@acme.example")


async def call_stateless(caller: Caller, number: int, id: str) -> None:
    message = with_request_metadata(budget(number, id))
    answer = await caller.made.send_stateless(message, caller.token)
    assert answer.status == 200, answer
    check_response(caller, number, id, list(answer.messages))


async def in_session(caller: Caller, number: int, id: str) -> None:
    answer = await caller.made.post(budget(number, id), caller.token, **caller.heads)
    assert answer.status == 200, answer
    check_response(caller, number, id, [message for message in answer.messages if "id" in message])


async def on_stream(caller: Caller, number: int, id: str) -> None:
    answer = await caller.made.post(budget(number, id), caller.token, path=caller.address)
    assert answer.status == 202, answer
    while not any(message.get("id") == number for message in caller.messages):
        await asyncio.sleep(0.05)
    check_response(caller, number, id, [message for message in caller.messages if message.get("id") == number])


WAYS = (call_stateless, in_session, on_stream)


async def wait_until_held(server: Program, calls: int) -> None:
    """Wait until the API holds this many requests."""
    while server.outside.waiting < calls:
        await asyncio.sleep(0.02)


async def storm(server: Program, callers: list[Caller]) -> None:
    """All calls are in flight at once; some clients disconnect; then the API responds to each in its way."""
    tasks: list[asyncio.Task[None]] = []
    closed: list[asyncio.Task[None]] = []
    ended: list[str] = []
    for number in range(CALLS):
        caller, fault = callers[number % USERS], FAULTS[number % len(FAULTS)]
        leaves = number // USERS % LEAVES == 0
        # With stateless requests the connection is the call; in a session the call continues without it.
        behavior = WAYS[number % 2] if leaves else WAYS[number // USERS % len(WAYS)]
        id = f"{fault}-{number}"
        tasks.append(asyncio.create_task(behavior(caller, number, id)))
        if leaves:
            closed.append(tasks[-1])
            ended += [id] if behavior is call_stateless else []
    await wait_until_held(server, CALLS)
    assert (await server.gauges())["calls_in_flight"] == CALLS
    for task in closed:
        task.cancel()
    # Only those calls are canceled upstream.
    while server.outside.waiting > CALLS - len(ended):
        await asyncio.sleep(0.02)
    server.outside.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    failures = [
        result for task, result in zip(tasks, results, strict=True) if result is not None and task not in closed
    ]
    assert not failures, failures[:3]
    assert set(server.outside.left) == set(ended)
    await server.until(calls_in_flight=0)
    check_upstream(server)
    for caller in callers:
        assert set(Counter(message["id"] for message in caller.messages).values()) <= {1}


def check_upstream(server: Program) -> None:
    """Check for one request per call, one more after a failure that is retried, and one exchange per user."""
    for id, count in server.outside.seen.items():
        again = id.partition("-")[0] in ("busy", "cut", "reset") and not server.outside.left[id]
        assert count == 1 + again, (id, count)
    assert set(server.outside.asked.values()) == {1} and len(server.outside.asked) == USERS
    assert server.outside.jwks == 1


async def open_streams(server: Program, callers: list[Caller], stack: AsyncExitStack) -> list[aiohttp.ClientResponse]:
    """Streams of stateless requests and of sessions, spread over all users, STREAMS in total."""

    async def one(number: int) -> aiohttp.ClientResponse:
        caller = callers[number % USERS]
        if number < USERS:
            headers = server.headers(caller.token, **caller.heads) | {"Accept": "text/event-stream"}
            return await server.http.get(f"{server.base}/mcp", headers=headers)
        filters: Json = {"notifications": {"toolsListChanged": True}}
        listen: Json = {"jsonrpc": "2.0", "id": number, "method": "subscriptions/listen", "params": filters}
        message = with_request_metadata(listen)
        headers = server.headers(caller.token) | stateless_headers(message)
        return await server.http.post(f"{server.base}/mcp", headers=headers, data=encode_message(message))

    opened = await gather_limited(one(number) for number in range(STREAMS - USERS))
    for response in opened:
        stack.callback(response.close)
    assert {response.status for response in opened} == {200}, Counter(response.status for response in opened)
    return opened


async def gather_limited(work: Any, most: int = 100) -> list[Any]:
    """Return all results, with limited concurrency because the backlog of a socket is short."""
    turns = asyncio.Semaphore(most)

    async def one(coroutine: Coroutine[Any, Any, Any]) -> Any:
        async with turns:
            return await coroutine

    return await asyncio.gather(*map(one, work))


def check_log(server: Program, callers: list[Caller]) -> None:
    """Check that the log has only expected errors, a line for every request, and no credentials."""
    lines, text = server.lines(), server.log.read_text()
    assert not [line for line in lines if line["level"] in ("error", "critical")]
    calls = [line for line in lines if line.get("tool") == "get_budget"]
    assert len(calls) >= CALLS * 2 // 3 and all(line["trace"] for line in lines if line["message"] == "request")
    assert "eyJ" not in text and "upstream-person" not in text and "@acme.example" not in text
    assert not [caller for caller in callers if caller.session in text]


@pytest.mark.requirement("S6", "F2", "L1", "L2", "Q1")
@pytest.mark.timeout(900 if LONG else 120)
async def test_mixed_load(tmp_path: Path) -> None:
    """Descriptors, tasks, sessions, streams, slots and memory return to their former numbers."""
    async with program(tmp_path, streams_per_principal=100) as server:
        callers = [Caller(server, number) for number in range(USERS)]
        await gather_limited(caller.begin() for caller in callers)
        await gather_limited(caller.end() for caller in callers)
        rest, memory = await server.rest(), server.rss
        await gather_limited(caller.begin() for caller in callers)
        async with AsyncExitStack() as stack:
            for caller in callers:
                await stack.enter_async_context(caller.legacy_stream())
            opened = await open_streams(server, callers, stack)
            await server.until(streams=STREAMS)
            full = server.rss
            middle = asyncio.create_task(storm(server, callers))
            await wait_until_held(server, CALLS)
            for response in opened[::2]:
                # Disconnect without closing the session, while calls wait.
                response.close()
            await middle
        await server.until(streams=0, calls_in_flight=0, listeners=0, sessions=USERS)
        await gather_limited(caller.end() for caller in callers)
        await server.until(sessions=0, tasks=0)
        await server.until_rest(rest)
        grown = server.rss - memory
        assert grown < GROWTH, f"{grown >> 20} MiB"
        print(f"streams {(full - memory) / STREAMS / 1024:.1f} KiB each, {grown / MIB:.1f} MiB afterwards; {rest}")
    assert server.process.returncode == 0
    check_log(server, callers)
