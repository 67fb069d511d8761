"""Batches (2025-03-26): each request is canceled, counted and refused as if it were sent alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.transports.http.serving import OTHER_USER, Answer, Json, Session, Site, serving
from tests.transports.http.streaming import open_stream
from tests.transports.http.test_legacy_sse import open_stream as sse_opened

BATCHES = "2025-03-26"


def note(method: str, **params: Any) -> Json:
    return {"jsonrpc": "2.0", "method": method, "params": params}


async def waiting(site: Site, batch: list[Json]) -> tuple[Session, asyncio.Task[Answer]]:
    """A session with a *batch* in progress whose call is waiting."""
    session = await site.initialize(BATCHES)
    task = asyncio.create_task(session.post(batch))
    await site.bench.started.wait()
    return session, task


async def test_canceling_one_of_several_requests(site: Site) -> None:
    """The canceled request has no response; the others have theirs."""
    session, task = await waiting(
        site, [site.request("tools/call", {"name": "wait"}, "stop"), site.request("ping", id="go")]
    )
    assert (await session.note("notifications/cancelled", {"requestId": "stop"})).status == 202
    answer = await task
    assert site.bench.cancelled and [response["id"] for response in answer.body] == ["go"]


async def test_canceling_the_only_request(site: Site) -> None:
    """An empty array is not a valid message, so nothing is sent."""
    session, task = await waiting(site, [site.request("tools/call", {"name": "wait"}, "stop")])
    await session.note("notifications/cancelled", {"requestId": "stop"})
    answer = await task
    assert site.bench.cancelled and answer.status == 200 and answer.messages == ()


async def test_cancellation_in_the_same_batch(site: Site) -> None:
    session = await site.initialize(BATCHES)
    batch = [
        site.request("tools/call", {"name": "wait"}, "stop"),
        note("notifications/cancelled", requestId="stop"),
        site.request("ping", id="go"),
    ]
    assert [response["id"] for response in (await session.post(batch)).body] == ["go"]


async def test_another_session_cannot_cancel(site: Site) -> None:
    """This holds for other sessions of the same user and for those of other users."""
    _, task = await waiting(site, [site.request("tools/call", {"name": "wait"}, "mine")])
    for other in (await site.initialize(BATCHES), await site.initialize(BATCHES, user=OTHER_USER)):
        assert (await other.post([note("notifications/cancelled", requestId="mine")])).status == 202
    site.bench.proceed.set()
    assert (await task).body[0]["id"] == "mine" and not site.bench.cancelled


async def test_id_in_use_is_rejected_alone(site: Site) -> None:
    """The batch gets an error for the one request with that id, and so does a later request with an id of the batch."""
    session, task = await waiting(site, [site.request("tools/call", {"name": "wait"}, 7)])
    assert (await session.call("echo", id=7)).code == (400, -32600)
    answer = await session.post([site.request("ping", id=7), site.request("ping", id=8)])
    assert [response.get("error", {}).get("code") for response in answer.body] == [-32600, None]
    site.bench.proceed.set()
    assert (await task).body[0]["result"]["content"]
    assert (await session.call("echo", id=7)).status == 200


async def test_batch_ends_with_its_session(site: Site) -> None:
    session, task = await waiting(site, [site.request("tools/call", {"name": "wait"})])
    assert (await session.delete()).status == 204
    assert (await task).messages == () and site.bench.cancelled


async def test_batch_ends_with_its_stream(site: Site) -> None:
    """The calls of a batch end when their HTTP+SSE stream ends."""
    async with sse_opened(site) as stream:
        await stream.initialize(BATCHES)
        assert (await stream.post([site.request("tools/call", {"name": "wait"})])).status == 202
        await site.bench.started.wait()
        stream.response.close()
    await asyncio.wait_for(site.bench.ended.wait(), 20)
    assert site.bench.cancelled


@pytest.mark.requirement("M33")
async def test_notifications_come_before_the_response(site: Site) -> None:
    """Each call reports progress under its own token, and the array is the last event."""
    session = await site.initialize(BATCHES)
    calls = [
        site.request("tools/call", {"name": "steps", "_meta": {"progressToken": token}}, token) for token in (1, "1")
    ]
    async with open_stream(site, calls, site.headers(**session.head), BATCHES) as stream:
        messages = []
        while not isinstance(message := await stream.message(), list):
            messages.append(message)
        assert await stream.ends()
    assert [notification["id"] for notification in message] == [1, "1"]
    tokens = [
        notification["params"]["progressToken"]
        for notification in messages
        if notification["method"] == "notifications/progress"
    ]
    assert sorted(map(repr, tokens)) == ["'1'", "'1'", "1", "1"]


@pytest.mark.requirement("J4")
async def test_batch_takes_one_call_slot() -> None:
    """Batches are refused once all slots are taken."""
    async with serving(calls_per_principal=1) as site:
        session, task = await waiting(site, [site.request("tools/call", {"name": "wait"}) for _ in range(3)])
        refused = await session.post([site.request("tools/call", {"name": "echo"})])
        assert refused.status == 429 and refused.headers["Retry-After"].isdigit()
        site.bench.proceed.set()
        assert len((await task).body) == 3 and site.bench.ran == []


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18"])
async def test_batch_requires_a_session(site: Site, version: str) -> None:
    """Without a session, the client never declared that it supports arrays."""
    answer = await site.post([site.request("ping")], MCP_Protocol_Version=version)
    assert answer.code == (400, -32600)


@pytest.mark.requirement("N3")
async def test_n3_batch_members_share_the_slots_of_their_user() -> None:
    """A batch takes a slot for each request that it runs at once, as many as are free; if none is free, it is
    refused."""
    async with serving(calls_per_principal=11) as site:
        sessions = [await site.initialize(BATCHES) for _ in range(3)]
        batch = [site.request("tools/call", {"name": "wait"}) for _ in range(12)]
        posts = []
        for session, in_use in zip(sessions[:2], (8, 11), strict=True):
            posts.append(asyncio.create_task(session.post(batch)))
            while f"doit_mcp_calls_in_flight {in_use}" not in (await site.send("GET", "/metrics", {})).text:
                await asyncio.sleep(0.01)
        refused = await sessions[2].post(batch)
        assert refused.status == 429 and "Retry-After" in refused.headers
        assert (await site.call("echo", user=OTHER_USER)).status == 200
        site.bench.proceed.set()
        for post in posts:
            assert [response["result"]["content"] != [] for response in (await post).body] == [True] * 12
        assert "doit_mcp_calls_in_flight 0" in (await site.send("GET", "/metrics", {})).text
