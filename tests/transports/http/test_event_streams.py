"""Event streams byte by byte, and clients that disconnect, reconnect or read nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.sanitize import sanitize_text
from doit_mcp.catalog.tools.tool import ContentResult, Tool
from doit_mcp.server.notification_hub import TOOLS_CHANGED, ChangeEvent
from doit_mcp.transports.http.keepalive import Keepalive
from doit_mcp.transports.http.post_response import PostResponse
from doit_mcp.transports.http.request_body import ACCEPT_ALL
from tests.transports.http.serving import LATEST_STATEFUL, STATELESS_REVISION, Bench, Json, Session, Site, serving
from tests.transports.http.streaming import Event, Stream, field_names, open_stream, raw_connection, raw_post

NASTY = "a\r\nevent: forged\r\ndata: {}\r\n\r\nb\u2028c\u0085d\x00"
RESUMES = ("2025-03-26", "2025-06-18", LATEST_STATEFUL)


def tool(name: str, run: Any) -> Tool:
    return Tool(name, name, f"Does {name}.", {"type": "object"}, run)


def make_speaking_tools(bench: Bench) -> tuple[Tool, ...]:
    """Tools that send messages and wait."""

    async def nasty(call: Call, arguments: Json) -> ContentResult:
        await call.send_log("error", NASTY, NASTY)
        return ContentResult([{"type": "text", "text": NASTY}])

    async def polls(call: Call, arguments: Json) -> ContentResult:
        await call.release_connection()
        await call.release_connection()
        bench.started.set()
        await bench.proceed.wait()
        return ContentResult([{"type": "text", "text": "fetched"}])

    async def falls(call: Call, arguments: Json) -> ContentResult:
        for done in (0, 2, 1, 2, 3):
            await call.report_progress(done, message="on")
        return ContentResult([])

    return tool("nasty", nasty), tool("polls", polls), tool("falls", falls)


@asynccontextmanager
async def speaking_site(**settings: Any) -> AsyncIterator[Site]:
    bench = Bench()
    async with serving(bench, {"tools": make_speaking_tools(bench)}, **settings) as site:
        yield site


def steps(session: Session, *, pause: bool = True, id: Any = None) -> Json:
    params = {"name": "steps", "arguments": {"pause": pause}, "_meta": {"progressToken": "t"}}
    return session.site.request("tools/call", params, id)


@asynccontextmanager
async def running(session: Session, message: Json) -> AsyncIterator[Stream]:
    async with open_stream(session.site, message, session.site.headers(**session.head), session.revision) as stream:
        yield stream


@asynccontextmanager
async def resumed(session: Session, id: str | None) -> AsyncIterator[Stream]:
    async with session.stream(Last_Event_ID=id) as response:
        assert response.status == 200
        yield Stream(response, session.revision, "tools/call")


def check_frame(event: Event, *, ids: bool) -> None:
    """Check that the event is one message on one line, with a name that every client accepts."""
    assert field_names(event) == (["id"] if ids else []) + ["event", "data"]
    assert event.field("event") == "message" and isinstance(json.loads(event.data), dict)


@pytest.mark.parametrize("revision", ["2024-11-05", *RESUMES])
async def test_framing_of_stateful_revisions(revision: str) -> None:
    """Events have ids if the revision supports resumption; only 2025-11-25 begins with an event without a message."""
    async with speaking_site() as site:
        session = await site.initialize(revision)
        async with running(session, site.request("tools/call", {"name": "nasty"})) as stream:
            assert stream.response.headers["Content-Type"] == "text/event-stream"
            assert "no-cache" in stream.response.headers["Cache-Control"]
            assert stream.response.headers["X-Accel-Buffering"] == "no"
            if revision == LATEST_STATEFUL:
                first = await stream.event()
                assert field_names(first) == ["id", "retry", "data"] and first.data == ""
            log, answer = await stream.event(), await stream.event()
            assert await stream.ends()
        for event in (log, answer):
            check_frame(event, ids=revision in RESUMES)
        assert json.loads(log.data)["params"]["data"] == sanitize_text(NASTY)
        assert json.loads(answer.data)["id"] == site.ids


@pytest.mark.requirement("M84", "M112")
async def test_framing_of_the_stateless_revision() -> None:
    """Events have no ids, whatever the client sends."""
    async with speaking_site() as site:
        message = site.stateless_request("tools/call", {"name": "nasty"}, logLevel="debug")
        headers = site.headers(Last_Event_ID="1_1") | site.stateless_headers(message)
        async with open_stream(site, message, headers, STATELESS_REVISION) as stream:
            check_frame(await stream.event(), ids=False)
            check_frame(await stream.event(), ids=False)
            assert await stream.ends()


@pytest.mark.requirement("L2", "M12")
@pytest.mark.parametrize("path", ["/mcp", "/sse"])
async def test_framing_of_long_lived_streams(site: Site, path: str) -> None:
    session = await site.initialize()
    head = site.headers(**session.head) | {"Accept": "text/event-stream"}
    async with site.http.get(site.base + path, headers=head) as response:
        assert response.headers["X-Accel-Buffering"] == "no" and "no-cache" in response.headers["Cache-Control"]
        stream = Stream(response, LATEST_STATEFUL)
        if path == "/sse":
            address = await stream.event()
            assert address.lines[0] == "event: endpoint" and address.data.startswith("/sse/message?sessionId=")
        while not len(site.hub):
            await asyncio.sleep(0.005)
        site.hub.publish(ChangeEvent(TOOLS_CHANGED, params={"_meta": {"x": NASTY}}))
        check_frame(await stream.event(), ids=False)


@pytest.mark.requirement("M13")
async def test_progress_is_monotonic() -> None:
    """Progress that does not increase is not sent."""
    async with speaking_site() as site:
        params = {"name": "falls", "_meta": {"progressToken": 0}}
        for answer in (
            await (await site.initialize()).ask("tools/call", params),
            await site.call("falls", progressToken=0),
        ):
            values = [message["params"]["progress"] for message in answer.messages[:-1]]
            assert values == [0, 2, 3]


@pytest.mark.requirement("M13")
@pytest.mark.parametrize("token", [True, None, 1.5, [], {}])
async def test_invalid_progress_tokens_are_ignored(token: Any) -> None:
    async with speaking_site() as site:
        answer = await site.send_stateless("tools/call", {"name": "falls", "arguments": {}}, progressToken=token)
        assert answer.status == 200 and len(answer.messages) == 1


@pytest.mark.parametrize("revision", RESUMES)
async def test_response_of_a_lost_stream_is_fetched(site: Site, revision: str) -> None:
    """The call continues, its result is stored, and it is delivered once."""
    session = await site.initialize(revision)
    async with running(session, steps(session, id="kept")) as stream:
        event = await stream.event()
        while not event.data:
            event = await stream.event()
        stream.response.close()
    site.bench.proceed.set()
    async with resumed(session, event.id) as again:
        answer = await again.until("")
        assert answer["id"] == "kept" and await again.ends()
        last = f"{(event.id or '').rpartition('_')[0]}_{4}"
    async with resumed(session, last) as nothing:
        assert await nothing.ends()


@pytest.mark.requirement("S7", "M37", "M38")
async def test_event_ids_identify_their_stream_and_are_unique(site: Site) -> None:
    """Two concurrent streams of one session."""
    session = await site.initialize()
    ids: list[str] = []
    async with running(session, steps(session)) as first, running(session, steps(session)) as second:
        for stream in (first, second, first, second):
            ids.append((await stream.event()).id or "")
        site.bench.proceed.set()
        for stream in (first, second):
            while (event := await stream.event()).lines:
                ids.append(event.id or "")
    assert len(set(ids)) == len(ids) == 10
    assert len({id.rpartition("_")[0] for id in ids}) == 2
    async with resumed(session, ids[0]) as again:
        assert {(await again.event()).id for _ in range(4)} < set(ids)
        assert await again.ends()


@pytest.mark.requirement("M36")
async def test_resumed_stream_gets_the_response_only_there(site: Site) -> None:
    """The stream that seemed lost, and an earlier replacement, receive nothing more."""
    session = await site.initialize()
    async with running(session, steps(session)) as lost:
        first = await lost.event()
        assert (await lost.until("notifications/message"))["params"]["data"] == "on the way"
        async with resumed(session, first.id) as earlier:
            assert (await earlier.message())["method"] == "notifications/progress"
            assert (await earlier.message())["method"] == "notifications/message"
            async with resumed(session, first.id) as later:
                assert (await later.message())["method"] == "notifications/progress"
                site.bench.proceed.set()
                assert (await later.until(""))["result"] and await later.ends()
            assert await earlier.ends()
        assert await lost.ends()


async def test_connection_is_released_for_polling() -> None:
    """The stream is primed, gets a retry time and is closed; the client fetches the rest."""
    async with speaking_site() as site:
        session = await site.initialize()
        async with running(session, site.request("tools/call", {"name": "polls"})) as stream:
            primed = await stream.event()
            assert primed.id and primed.field("retry") == "500" and await stream.ends()
        site.bench.proceed.set()
        async with resumed(session, primed.id) as again:
            assert (await again.message())["result"]["content"][0]["text"] == "fetched" and await again.ends()


@pytest.mark.parametrize("revision", ["2024-11-05", "2025-03-26", "2025-06-18", STATELESS_REVISION])
async def test_connection_is_held_where_polling_is_unsupported(revision: str) -> None:
    async with speaking_site() as site:
        site.bench.proceed.set()
        if revision == STATELESS_REVISION:
            answer = await site.call("polls")
        else:
            answer = await (await site.initialize(revision)).call("polls")
        assert answer.result["content"][0]["text"] == "fetched"


async def test_event_ids_are_ignored_by_the_oldest_revision(site: Site) -> None:
    """This revision has no resumption, so the header is ignored."""
    session = await site.initialize("2024-11-05")
    async with resumed(session, "7_7") as stream:
        while not len(site.hub):
            await asyncio.sleep(0.005)
        site.hub.publish(ChangeEvent(TOOLS_CHANGED))
        assert (await stream.message())["method"] == TOOLS_CHANGED


async def test_rejected_call_leaves_no_keepalive() -> None:
    """A keepalive after the refusal would become part of the response to the connection's next request."""
    async with serving(keep_alive_s=1, calls_per_principal=1) as site:
        session = await site.initialize()
        holding = asyncio.create_task(session.call("wait", id=1))
        await site.bench.started.wait()
        modern = site.stateless_request("tools/call", {"name": "echo", "arguments": {}})
        refused = [
            (429, site.headers() | site.stateless_headers(modern), modern),
            (429, site.headers(**session.head), site.request("tools/call", {"name": "echo"})),
            (400, site.headers(**session.head), site.request("tools/call", {"name": "echo"}, id=1)),
        ]
        async with raw_connection(site) as wire:
            for status, headers, message in refused:
                request_headers = {name.replace("_", "-"): value for name, value in headers.items()}
                wire.writer.write(raw_post(site, request_headers, json.dumps(message).encode()))
                assert (await wire.answer())[0] == status
            # A keepalive on a stream that began later proves that one would have arrived by now.
            message = site.request("tools/call", {"name": "wait"})
            async with site.http.get(site.base + "/sse", headers=site.headers()) as response:
                while not (await response.content.readline()).startswith(b":"):
                    pass
            site.bench.proceed.set()
            await holding
            wire.writer.write(raw_post(site, site.headers(), json.dumps(site.request("ping")).encode()))
            status, body = await wire.answer()
            assert status == 200 and json.loads(body)["result"] == {}


@pytest.mark.requirement("L3")
async def test_stalled_reader_is_disconnected() -> None:
    """The connection is dropped after a while, but the call continues."""
    finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def handler(request: web.Request) -> web.StreamResponse:
        with PostResponse(request, ACCEPT_ALL, Keepalive(60), write_timeout=0.2) as answer:
            for _ in range(64):
                await answer.send(b'"' + b"x" * (1 << 20) + b'"')
            await answer.finish(200, b"{}")
            finished.set_result(None)
            return await answer.wait_for_response()

    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 10)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.wait_for(finished, 20)
    # Nothing was read, so a graceful close would never finish.
    assert runner.server is not None
    async with asyncio.timeout(20):
        while runner.server.connections:
            await asyncio.sleep(0.005)
    assert reader.at_eof() is False
    writer.transport.abort()
    await runner.cleanup()


@pytest.mark.requirement("M99")
async def test_client_disconnect_mid_response_is_harmless(site: Site) -> None:
    """On older revisions without resumption, messages for the lost client are dropped."""
    session = await site.initialize("2024-11-05")
    async with running(session, steps(session)) as stream:
        await stream.message()
        stream.response.close()
    site.bench.proceed.set()
    assert (await session.call("steps")).messages[-1]["result"]
