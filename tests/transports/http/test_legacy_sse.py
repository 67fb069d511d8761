"""HTTP+SSE: ``GET /sse``, ``POST /sse/message`` and ``POST /sse``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.tool import ContentResult, Tool
from doit_mcp.sandbox.accounts import User
from doit_mcp.server.notification_hub import TOOLS_CHANGED, ChangeEvent
from tests.transports.http.serving import (
    ADMIN,
    LATEST_STATEFUL,
    OTHER_USER,
    STATELESS_REVISION,
    VIEWER,
    Answer,
    Json,
    Site,
    check,
    next_event,
    serving,
)


class Stream:
    """An open stream, and POST requests to its endpoint."""

    def __init__(self, site: Site, response: aiohttp.ClientResponse, address: str, user: User) -> None:
        self.site, self.response, self.address, self.user = site, response, address, user
        self.revision = LATEST_STATEFUL

    async def post(self, message: Any, user: User | None = None) -> Answer:
        return await self.site.post(message, user=user or self.user, path=self.address)

    async def next(self, method: str | None = None) -> Json:
        name, data = await asyncio.wait_for(next_event(self.response), 20)
        assert name == "message"
        message: Json = json.loads(data)
        check(self.revision, message, method)
        return message

    async def ask(self, method: str, params: Json | None = None) -> Json:
        """Send a request and return the next message on the stream."""
        answer = await self.post(self.site.request(method, params))
        assert answer.status == 202 and answer.text == "Accepted"
        return await self.next(method)

    async def initialize(self, revision: str, **capabilities: Json) -> Json:
        self.revision = revision
        client = {"name": "t", "version": "1"}
        params = {"protocolVersion": revision, "capabilities": capabilities, "clientInfo": client}
        return await self.ask("initialize", params)


@asynccontextmanager
async def open_stream(site: Site, user: User = ADMIN) -> AsyncIterator[Stream]:
    headers = site.headers(user) | {"Accept": "text/event-stream"}
    async with site.http.get(f"{site.base}/sse", headers=headers) as response:
        assert response.status == 200 and response.headers["Content-Type"] == "text/event-stream"
        name, address = await next_event(response)
        assert name == "endpoint" and address.startswith("/sse/message?sessionId=")
        yield Stream(site, response, address, user)


@pytest.mark.requirement("M8", "M10", "M12")
@pytest.mark.parametrize("revision", ["2024-11-05", "2025-03-26", "2025-06-18", LATEST_STATEFUL])
async def test_every_stateful_revision(site: Site, revision: str) -> None:
    """Features depend on the negotiated revision, not on the transport."""
    async with open_stream(site) as stream:
        welcome = await stream.initialize(revision)
        assert welcome["result"]["protocolVersion"] == revision
        note = await stream.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert note.status == 202
        result = (await stream.ask("tools/call", {"name": "echo", "arguments": {"text": "hi"}}))["result"]
        assert ("structuredContent" in result) == (revision >= "2025-06-18")
        assert (await stream.ask("server/discover"))["error"]["code"] == -32601


async def test_stateless_revision_is_unsupported(site: Site) -> None:
    async with open_stream(site) as stream:
        params = {
            "protocolVersion": STATELESS_REVISION,
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        assert (await stream.ask("initialize", params))["result"]["protocolVersion"] == LATEST_STATEFUL
        message = site.stateless_request("tools/list")
        assert (await stream.post(message)).status == 202
        assert "resultType" not in (await stream.next("tools/list"))["result"]


async def test_progress_comes_before_the_response(site: Site) -> None:
    async with open_stream(site) as stream:
        await stream.initialize(LATEST_STATEFUL)
        params = {"name": "steps", "_meta": {"progressToken": 5}}
        assert (await stream.post(site.request("tools/call", params))).status == 202
        messages = [await stream.next() for _ in range(4)]
        assert [message.get("method", "answer")[:22] for message in messages] == [
            "notifications/progress",
            "notifications/message",
            "notifications/progress",
            "answer",
        ]


async def test_requests_input_on_the_stream(site: Site) -> None:
    async with open_stream(site) as stream:
        await stream.initialize(LATEST_STATEFUL, elicitation={})
        assert (await stream.post(site.request("tools/call", {"name": "ask"}))).status == 202
        question = await stream.next()
        reply = {"action": "accept", "content": {"name": "Bea"}}
        assert (await stream.post({"jsonrpc": "2.0", "id": question["id"], "result": reply})).status == 202
        assert (await stream.next("tools/call"))["result"]["structuredContent"] == {"said": "Bea"}


@pytest.mark.requirement("S5", "M11")
async def test_only_the_owner_can_post(site: Site) -> None:
    """Sessions of other users are unknown, a missing session is refused, and no request falls back to an open
    stream."""
    async with open_stream(site) as stream:
        for user in (VIEWER, OTHER_USER):
            assert (await stream.post(site.request("ping"), user)).status == 404
        for path, status in (
            ("/sse/message", 400),
            ("/sse/message?sessionId=", 400),
            ("/sse/message?sessionId=a&sessionId=b", 400),
            ("/sse/message?sessionId=unknown", 404),
        ):
            assert (await site.post(site.request("ping"), path=path)).status == status
        as_session = await site.post(site.request("ping"), Mcp_Session_Id=stream.address.rpartition("=")[2])
        assert as_session.status == 404
        assert (await stream.ask("ping"))["result"] == {}


@pytest.mark.requirement("M11")
@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", -32700), (b"[]", -32600), (b'{"jsonrpc": "1.0"}', -32600), (b'{"jsonrpc":"2.0","id":null}', -32600)],
)
async def test_invalid_messages_are_rejected_without_harm(site: Site, body: bytes, code: int) -> None:
    async with open_stream(site) as stream:
        headers = site.headers() | {"Content-Type": "application/json"}
        assert (await site.send("POST", stream.address, headers, body)).code == (400, code)
        assert (await stream.ask("ping"))["result"] == {}


async def test_batches_where_the_revision_supports_them(site: Site) -> None:
    async with open_stream(site) as stream:
        await stream.initialize("2025-03-26")
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await stream.post([note])).status == 202
        assert (await stream.post([site.request("ping", id=1), note, site.request("ping", id=2)])).status == 202
        name, data = await next_event(stream.response)
        assert [answer["id"] for answer in json.loads(data)] == [1, 2]


async def test_list_changes_are_announced(site: Site) -> None:
    async with open_stream(site) as stream:
        await stream.initialize(LATEST_STATEFUL)
        site.hub.publish(ChangeEvent(TOOLS_CHANGED))
        assert (await stream.next())["method"] == TOOLS_CHANGED


@pytest.mark.requirement("L1")
async def test_requests_end_with_the_stream(site: Site) -> None:
    """The session ends with its stream, and its calls are canceled."""
    async with open_stream(site) as stream:
        assert (await stream.post(site.request("tools/call", {"name": "wait"}))).status == 202
        await asyncio.wait_for(site.bench.started.wait(), 20)
        stream.response.close()
    await asyncio.wait_for(site.bench.ended.wait(), 20)
    assert site.bench.cancelled
    assert (await stream.post(site.request("ping"))).status == 404


@pytest.mark.requirement("M6")
async def test_cancels_by_notification(site: Site) -> None:
    async with open_stream(site) as stream:
        await stream.post(site.request("tools/call", {"name": "wait"}, id="w"))
        await site.bench.started.wait()
        params = {"requestId": "w"}
        await stream.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        await asyncio.wait_for(site.bench.ended.wait(), 20)
        assert site.bench.cancelled and (await stream.ask("ping"))["result"] == {}


async def test_post_to_sse_is_post_to_mcp(site: Site) -> None:
    """Some clients POST to the URL that they were configured with."""
    answer = await site.send_stateless("tools/list", path="/sse")
    assert answer.status == 200 and answer.result["tools"]
    assert (await site.post(site.request("ping"), path="/sse")).result == {}


@pytest.mark.parametrize(("path", "allow"), [("/sse", "GET, POST"), ("/sse/message?sessionId=x", "POST")])
async def test_other_methods(site: Site, path: str, allow: str) -> None:
    answer = await site.send("PUT", path, site.headers())
    assert answer.status == 405 and answer.headers["Allow"].startswith(allow)


@pytest.mark.requirement("L2")
async def test_sends_keepalives_and_limits_streams() -> None:
    """Idle streams carry keepalive comments, and the streams of a principal are limited."""
    async with serving(keep_alive_s=1, streams_per_principal=1) as site:
        async with open_stream(site) as stream:
            assert (await site.send("GET", "/sse", site.headers())).status == 429
            async with open_stream(site, OTHER_USER):
                line = await asyncio.wait_for(stream.response.content.readline(), 20)
            assert line.startswith(b":")


async def test_stream_requires_an_event_stream_client(site: Site) -> None:
    headers = site.headers() | {"Accept": "application/json"}
    assert (await site.send("GET", "/sse", headers)).status == 406


async def test_invalid_initialize_is_answered_on_the_stream(site: Site) -> None:
    """The client can try again with a valid request."""
    async with open_stream(site) as stream:
        assert (await stream.ask("initialize", {"protocolVersion": 5}))["error"]["code"] == -32602
        assert (await stream.initialize(LATEST_STATEFUL))["result"]["protocolVersion"] == LATEST_STATEFUL


async def test_array_without_batch_support(site: Site) -> None:
    async with open_stream(site) as stream:
        await stream.initialize(LATEST_STATEFUL)
        assert (await stream.post([site.request("ping")])).code == (400, -32600)


async def test_id_in_use_is_not_reused(site: Site) -> None:
    """The second request is refused with its id."""
    async with open_stream(site) as stream:
        await stream.post(site.request("tools/call", {"name": "wait"}, id="w"))
        await site.bench.started.wait()
        refused = await stream.post(site.request("ping", id="w"))
        assert refused.code == (400, -32600) and refused.body["id"] == "w"


async def test_connection_stays_when_a_call_releases_it(site: Site) -> None:
    """This transport never polls, because the stream is the session."""

    async def polls(call: Call, arguments: Json) -> ContentResult:
        await call.release_connection()
        return ContentResult([{"type": "text", "text": "still here"}])

    tool = Tool("polls", "Polls", "Lets go.", {"type": "object"}, polls)
    async with serving(changes={"tools": (tool,)}) as other, open_stream(other) as stream:
        await stream.initialize(LATEST_STATEFUL)
        answer = await stream.ask("tools/call", {"name": "polls"})
        assert answer["result"]["content"][0]["text"] == "still here"
        assert (await stream.ask("ping"))["result"] == {}


async def test_too_many_calls_at_once() -> None:
    """Refused in the response to the POST, with the id of the request, or without one for a batch."""
    async with serving(calls_per_principal=1) as site, open_stream(site) as stream:
        await stream.initialize("2025-03-26")
        await stream.post(site.request("tools/call", {"name": "wait"}, id="w"))
        await site.bench.started.wait()
        refused = await stream.post(site.request("tools/call", {"name": "echo"}, id="e"))
        assert refused.status == 429 and refused.headers["Retry-After"].isdigit() and refused.body["id"] == "e"
        batch = await stream.post([site.request("tools/call", {"name": "echo"})])
        assert batch.status == 429 and "id" not in batch.body
        site.bench.proceed.set()
        assert (await stream.next("tools/call"))["id"] == "w" and site.bench.ran == []
