"""Several replicas behind one URL: what begins at one replica continues at another, for its owner only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.sandbox.accounts import User
from doit_mcp.server.notification_hub import RESOURCE_UPDATED, TOOLS_CHANGED, ChangeEvent
from tests.redis_state.process import separate
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import Replica, another, at_replica, replicas, wait_for_redis
from tests.transports.http.serving import (
    ADMIN,
    EMPLOYEE,
    LATEST_STATEFUL,
    OTHER_USER,
    VIEWER,
    Json,
    Session,
    next_event,
)
from tests.transports.http.streaming import Stream, open_stream

Pair = tuple[Replica, ...]
NOTE = {"jsonrpc": "2.0", "method": "notifications/initialized"}
REPLY = {"action": "accept", "content": {"name": "Bea"}}


async def soon(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), 20)


def make_cancellation(id: object) -> Json:
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}


@asynccontextmanager
async def general(session: Session) -> AsyncIterator[Stream]:
    """The GET stream of a session, once the server has registered it."""
    hub = session.site.hub
    before = len(hub)
    async with session.stream() as response:
        assert response.status == 200, await response.text()
        while len(hub) == before:
            await asyncio.sleep(0.005)
        yield Stream(response, session.revision)


async def test_session_continues_at_another_replica(pair: Pair) -> None:
    a, b = pair
    session = await a.initialize(elicitation={})
    remote = at_replica(b, session)
    assert (await remote.post(NOTE)).status == 202
    assert (await remote.call("echo", {"text": "hi"})).result["structuredContent"] == {"said": "hi"}
    assert (await session.ask("ping")).result == {}


@pytest.mark.requirement("S1", "S4", "G5")
async def test_session_belongs_to_its_owner(pair: Pair) -> None:
    """Other users are refused at every replica and with every method, and change nothing."""
    a, b = pair
    session = await a.initialize()
    for user in (VIEWER, OTHER_USER):
        foreign = at_replica(b, session, user)
        assert (await foreign.ask("ping")).status == 404
        assert (await foreign.post(make_cancellation(1))).status == 404
        assert (await foreign.delete()).status == 404
        async with foreign.stream() as response:
            assert response.status == 404
    assert (await at_replica(b, session).ask("ping")).result == {}
    unknown = Session(b, "0" * 48, LATEST_STATEFUL, ADMIN, {})
    assert (await unknown.ask("ping")).status == 404


@pytest.mark.requirement("G5")
async def test_deleted_session_ends_everywhere(pair: Pair) -> None:
    a, b = pair
    session = await a.initialize()
    waiting = asyncio.create_task(session.call("wait"))
    await soon(a.bench.started)
    async with general(session) as stream:
        assert (await at_replica(b, session).delete()).status == 204
        assert await stream.ends()
    await soon(a.bench.ended)
    assert a.bench.cancelled and (await waiting).messages == ()
    for site in pair:
        assert (await at_replica(site, session).ask("ping")).status == 404
        assert (await at_replica(site, session).delete()).status == 404


@pytest.mark.requirement("S8")
async def test_oldest_session_is_evicted_everywhere(redis: Server) -> None:
    """The session limit of a user is shared by all replicas."""
    async with replicas(redis.url, sessions_per_principal=2) as (a, b):
        first, other = await a.initialize(), await b.initialize(user=OTHER_USER)
        waiting = asyncio.create_task(first.call("wait"))
        await soon(a.bench.started)
        second, third = await b.initialize(), await b.initialize()
        await soon(a.bench.ended)
        assert a.bench.cancelled and (await waiting).messages == ()
        assert (await first.ask("ping")).status == 404
        for session in (second, third, other):
            assert (await at_replica(a, session).ask("ping")).result == {}


async def test_cancels_a_request_at_another_replica(pair: Pair) -> None:
    a, b = pair
    session = await a.initialize()
    waiting = asyncio.create_task(session.call("wait", id="w"))
    await soon(a.bench.started)
    thief = await b.initialize(user=OTHER_USER)
    assert (await thief.post(make_cancellation("w"))).status == 202
    assert (await at_replica(b, session).post(make_cancellation("other"))).status == 202
    assert (await at_replica(b, session).ask("ping")).result == {} and not a.bench.cancelled
    assert (await at_replica(b, session).post(make_cancellation("w"))).status == 202
    await soon(a.bench.ended)
    assert a.bench.cancelled and (await waiting).messages == ()


async def test_answer_reaches_the_requesting_replica(pair: Pair) -> None:
    a, b = pair
    session = await a.initialize(elicitation={})
    message = session.site.request("tools/call", {"name": "ask"})
    async with open_stream(a, message, a.headers(**session.head), LATEST_STATEFUL) as stream:
        question = await stream.until("elicitation/create")
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": REPLY}
        foreign = await b.initialize(user=OTHER_USER)
        assert (await foreign.post(answer | {"result": {"action": "decline"}})).status == 202
        assert (await at_replica(b, session).post(answer)).status == 202
        assert (await stream.until(""))["result"]["structuredContent"] == {"said": "Bea"}


@pytest.mark.requirement("N5")
async def test_n5_large_answer_does_not_go_through_redis(pair: Pair, redis: Server) -> None:
    """The call fails at once, whether the client sent its answer to this replica or to the other one."""
    a, b = pair
    session = await a.initialize(elicitation={})
    with redis.client() as client:
        for site in (a, b):
            before = client.info("memory")["used_memory"]
            message = session.site.request("tools/call", {"name": "ask"})
            async with open_stream(a, message, a.headers(**session.head), LATEST_STATEFUL) as stream:
                question = await stream.until("elicitation/create")
                large = REPLY | {"_meta": {"junk": "x" * 900_000}}
                answer = {"jsonrpc": "2.0", "id": question["id"], "result": large}
                assert (await at_replica(site, session).post(answer)).status == 202
                result = (await stream.until(""))["result"]
            assert result["isError"] and "got no usable answer" in result["content"][0]["text"]
            assert client.info("memory")["used_memory"] - before < 500_000


async def test_changes_are_announced_everywhere(pair: Pair) -> None:
    a, b = pair
    near_session, far_session = await a.initialize(), await a.initialize()
    async with general(near_session) as near, general(at_replica(b, far_session)) as far:
        a.hub.publish(ChangeEvent(TOOLS_CHANGED))
        for stream in (near, far):
            assert (await stream.message())["method"] == TOOLS_CHANGED


async def test_subscriptions_and_log_levels_apply_everywhere(pair: Pair) -> None:
    """One replica has the stream, another one the subscription, and a change is published at each."""
    a, b = pair
    session = await a.initialize()
    remote = at_replica(b, session)
    change = ChangeEvent(RESOURCE_UPDATED, "doc://one", params={"uri": "doc://one"})
    async with general(session) as stream:
        assert (await remote.ask("resources/subscribe", {"uri": "doc://one"})).result == {}
        b.hub.publish(change)
        assert (await stream.message())["params"] == {"uri": "doc://one"}
        assert (await remote.ask("resources/unsubscribe", {"uri": "doc://one"})).result == {}
        b.hub.publish(change)
        b.hub.publish(ChangeEvent(TOOLS_CHANGED))
        assert (await stream.message())["method"] == TOOLS_CHANGED
    assert (await session.ask("logging/setLevel", {"level": "error"})).result == {}
    answer = await remote.call("steps", token="t")
    assert [message.get("method") for message in answer.messages] == ["notifications/progress"] * 2 + [None]


async def test_employees_customer_applies_everywhere(redis: Server) -> None:
    """The choice fails if it cannot be stored."""

    async def switch(call: Call, arguments: Json) -> Json:
        return {"said": str(call.remember_customer(arguments["to"]))}

    async def whose(call: Call, arguments: Json) -> Json:
        return {"said": call.doit.tenant}

    text = {"type": "string"}
    schema = {"type": "object", "properties": {"to": text}}
    tools = tuple(Tool(run.__name__, "T", "Does it.", schema, run, schema) for run in (switch, whose))
    async with replicas(redis.url, changes={"tools": tools}) as (a, b):
        session = await a.initialize(user=EMPLOYEE)
        remote = at_replica(b, session)
        assert (await session.call("switch", {"to": "globex"})).result["structuredContent"] == {"said": "True"}
        for site_session in (session, remote):
            assert (await site_session.call("whose")).result["structuredContent"] == {"said": "globex"}
        async with general(session):
            started, redis_is_stopped = asyncio.Event(), asyncio.Event()

            async def late(call: Call, arguments: Json) -> Json:
                started.set()
                await redis_is_stopped.wait()
                return await switch(call, arguments)

            object.__setattr__(tools[0], "run", late)
            calling = asyncio.create_task(session.call("switch", {"to": "initech"}))
            await soon(started)
            redis.pause()
            redis_is_stopped.set()
            assert (await calling).error["code"] == -32603
            redis.resume()
            await wait_for_redis(a, b)
            assert (await session.call("whose")).result["structuredContent"]["said"] in ("globex", "initech")
            for site_session in (session, remote):
                answer = await site_session.call("whose")
                assert answer.result["structuredContent"] == (await remote.call("whose")).result["structuredContent"]


async def test_newer_stream_replaces_one_at_another_replica(pair: Pair) -> None:
    a, b = pair
    session = await a.initialize()
    async with general(session) as old:
        async with general(at_replica(b, session)) as new:
            assert await old.ends()
            a.hub.publish(ChangeEvent(TOOLS_CHANGED))
            assert (await new.message())["method"] == TOOLS_CHANGED


class Old:
    """An HTTP+SSE stream at one replica, and POST requests to any replica."""

    def __init__(self, response: aiohttp.ClientResponse, address: str) -> None:
        self.response, self.address = response, address

    async def next(self) -> Json:
        name, data = await asyncio.wait_for(next_event(self.response), 20)
        assert name == "message", name
        message: Json = json.loads(data)
        return message

    async def initialize(self, site: Replica) -> None:
        client = {"name": "t", "version": "1"}
        params = {"protocolVersion": LATEST_STATEFUL, "capabilities": {"elicitation": {}}, "clientInfo": client}
        assert (await site.post(site.request("initialize", params), path=self.address)).status == 202
        assert (await self.next())["result"]["protocolVersion"] == LATEST_STATEFUL


@asynccontextmanager
async def old_stream(site: Replica, user: User = ADMIN) -> AsyncIterator[Old]:
    headers = site.headers(user) | {"Accept": "text/event-stream"}
    async with site.http.get(f"{site.base}/sse", headers=headers) as response:
        name, address = await next_event(response)
        assert name == "endpoint"
        yield Old(response, address)


@pytest.mark.requirement("S5")
async def test_legacy_stream_and_posts_at_different_replicas(pair: Pair) -> None:
    a, b = pair
    async with old_stream(a) as old:
        await old.initialize(b)
        params = {"name": "steps", "_meta": {"progressToken": 5}}
        assert (await b.post(b.request("tools/call", params), path=old.address)).status == 202
        kinds = [(await old.next()).get("method", "answer") for _ in range(4)]
        progress = "notifications/progress"
        assert kinds == [progress, "notifications/message", progress, "answer"]
        # The server asks on the stream at one replica and gets the answer by a POST to the other one, in both
        # directions.
        for asking, answering in ((a, b), (b, a)):
            assert (await asking.post(b.request("tools/call", {"name": "ask"}), path=old.address)).status == 202
            question = await old.next()
            reply = {"jsonrpc": "2.0", "id": question["id"], "result": REPLY}
            assert (await answering.post(reply, path=old.address)).status == 202
            assert (await old.next())["result"]["structuredContent"] == {"said": "Bea"}
        for user in (VIEWER, OTHER_USER):
            assert (await b.post(b.request("ping"), user=user, path=old.address)).status == 404
        as_session = await b.post(b.request("ping"), Mcp_Session_Id=old.address.rpartition("=")[2])
        assert as_session.status == 404
        b.hub.publish(ChangeEvent(TOOLS_CHANGED))
        assert (await old.next())["method"] == TOOLS_CHANGED


@pytest.mark.requirement("L1")
async def test_requests_at_other_replicas_end_with_the_legacy_stream(pair: Pair) -> None:
    a, b = pair
    async with old_stream(a) as old:
        await old.initialize(a)
        assert (await b.post(b.request("tools/call", {"name": "wait"}), path=old.address)).status == 202
        await soon(b.bench.started)
        old.response.close()
    await soon(b.bench.ended)
    assert b.bench.cancelled
    assert (await b.post(b.request("ping"), path=old.address)).status == 404


async def test_replica_is_killed(pair: Pair, redis: Server) -> None:
    """Its sessions continue at the others; its HTTP+SSE streams are gone."""
    _, b = pair
    async with separate(b, redis.url) as killed:
        session = await killed.site.initialize()
        async with old_stream(killed.site) as old:
            await old.initialize(b)
            await killed.kill()
            assert (await at_replica(b, session).ask("ping")).result == {}
            with redis.client() as client:
                # As if the replica's liveness had expired.
                client.delete(*client.keys("*:replica:*"))
            assert (await b.post(b.request("ping"), path=old.address)).status == 404


@pytest.mark.requirement("L5", "G5")
async def test_stateless_requests_need_no_redis(pair: Pair, redis: Server) -> None:
    """Requests with a session get Retry-After; everything works again once Redis does."""
    a, b = pair
    session = await a.initialize()
    for stop, start in ((redis.pause, redis.resume), (redis.kill, redis.start)):
        stop()
        assert (await b.call("echo", {"text": "x"})).result["structuredContent"] == {"said": "x"}
        assert (await b.post(b.request("ping"))).result == {}
        for refused in (
            await at_replica(b, session).ask("ping"),
            await a.post(a.request("initialize", {"protocolVersion": LATEST_STATEFUL, "capabilities": {}})),
            await a.send("GET", "/sse", a.headers()),
            await session.delete(),
        ):
            assert refused.status == 503 and int(refused.headers["Retry-After"]) > 0
            assert "temporarily unavailable" in refused.text
        for path in ("/healthz", "/readyz"):
            assert (await a.send("GET", path, {})).status == 200
        start()
        await wait_for_redis(a, b)
        if stop == redis.pause:
            assert (await at_replica(b, session).ask("ping")).result == {}
    assert (await session.ask("ping")).status == 404
    new_session = await b.initialize()
    assert (await at_replica(a, new_session).ask("ping")).result == {}


async def test_messages_during_an_outage_are_delivered_later(pair: Pair, redis: Server) -> None:
    """Messages for a stream at another replica are neither lost nor sent twice."""
    a, b = pair
    async with old_stream(a) as old:
        await old.initialize(b)
        assert (await b.post(b.request("tools/call", {"name": "wait"}, id="w"), path=old.address)).status == 202
        await soon(b.bench.started)
        redis.pause()
        b.bench.proceed.set()
        b.hub.publish(ChangeEvent(TOOLS_CHANGED))
        assert (await b.post(b.request("ping"), path=old.address)).status == 503
        redis.resume()
        kinds = {str((await old.next()).get("id", "change")) for _ in range(2)}
        assert kinds == {"w", "change"}
        assert (await b.post(b.request("ping", id="p"), path=old.address)).status == 202
        assert (await old.next())["id"] == "p"


async def test_server_starts_without_redis(redis: Server) -> None:
    redis.kill()
    async with replicas(redis.url) as (a, b):
        assert (await b.call("echo")).status == 200
        redis.start()
        await wait_for_redis(a, b)
        session = await a.initialize()
        async with general(at_replica(b, session)) as stream:
            a.hub.publish(ChangeEvent(TOOLS_CHANGED))
            assert (await stream.message())["method"] == TOOLS_CHANGED


@pytest.mark.requirement("S2", "S10", "X6", "G5")
async def test_redis_stores_no_tokens_or_text(pair: Pair, redis: Server) -> None:
    """Redis contains no readable names or values, and every key expires."""
    a, b = pair
    session = await a.initialize(elicitation={})
    await at_replica(b, session).ask("resources/subscribe", {"uri": "doc://one"})
    async with old_stream(a) as old:
        await old.initialize(b)
        b.hub.publish(ChangeEvent(TOOLS_CHANGED))
        assert (await old.next())["method"] == TOOLS_CHANGED
        with redis.client() as client:
            keys = client.keys()
            stored = b" ".join([*keys, *(client.dump(key) or b"" for key in keys)])
            # One time stays: since when Redis has recorded used consents.
            ending = [key for key in keys if client.exists(key) and not key.endswith(b":consents-since")]
            assert len(ending) > 5 and all(client.pttl(key) > 0 for key in ending)
    words = [session.id, old.address.rpartition("=")[2], "doc://one", "elicitation", "notifications", ADMIN.email]
    assert not [word for word in words if word.encode() in stored]
    assert b"eyJ" not in stored


@pytest.mark.requirement("S8")
async def test_idle_sessions_expire_and_busy_ones_stay(redis: Server) -> None:
    """Sessions with a stream at any replica do not expire."""
    async with replicas(redis.url, session_idle_s=1) as (a, b):
        idle = await a.initialize()
        with redis.client() as client:
            (record,) = client.keys("*:session:*")
            busy = await a.initialize()
            async with general(busy) as stream:
                while client.exists(record):
                    await asyncio.sleep(0.02)
                while client.exists(record) or len(client.keys("*:session:*")) > 1:
                    await asyncio.sleep(0.02)
                assert (await idle.ask("ping")).status == (await at_replica(b, idle).ask("ping")).status == 404
                assert (await at_replica(b, busy).ask("ping")).result == {}
                b.hub.publish(ChangeEvent(TOOLS_CHANGED))
                assert (await stream.message())["method"] == TOOLS_CHANGED


async def test_session_lost_by_redis_ends_its_requests(pair: Pair, redis: Server) -> None:
    """This covers a lost end message: the record in Redis decides whether a session exists."""
    a, _ = pair
    session = await a.initialize()
    waiting = asyncio.create_task(session.call("wait"))
    await soon(a.bench.started)
    redis.kill()
    redis.start()
    await soon(a.bench.ended)
    assert a.bench.cancelled and (await waiting).messages == ()


async def test_operators_see_redis_status(pair: Pair, redis: Server) -> None:
    a, _ = pair
    await a.initialize()
    assert "redis_unavailable 0.0" in (await a.send("GET", "/metrics", {})).text
    redis.kill()
    assert (
        await a.post(a.request("initialize", {"protocolVersion": LATEST_STATEFUL, "capabilities": {}}))
    ).status == 503
    metrics = (await a.send("GET", "/metrics", {})).text
    assert "redis_unavailable 1.0" in metrics and "redis_away 1.0" in metrics
    redis.start()


@pytest.mark.requirement("L4")
async def test_replica_stops_gracefully(pair: Pair, redis: Server) -> None:
    """Its sessions continue at the others with all their messages; its HTTP+SSE streams end and are gone at once."""
    _, b = pair
    replica = another(b, redis.url, drain_s=0)
    stopping = await replica.__aenter__()
    session = await stopping.initialize()
    assert (await session.ask("resources/subscribe", {"uri": "doc://one"})).result == {}
    async with old_stream(stopping) as old, general(session) as stream:
        await old.initialize(b)
        assert (await b.post(b.request("tools/call", {"name": "wait"}), path=old.address)).status == 202
        await soon(b.bench.started)
        stop = asyncio.create_task(replica.__aexit__(None, None, None))
        assert await stream.ends()
        assert await Stream(old.response, LATEST_STATEFUL).ends()
        await stop
        await soon(b.bench.ended)
        assert b.bench.cancelled
        assert (await b.post(b.request("ping"), path=old.address)).status == 404
    async with general(at_replica(b, session)) as stream:
        b.hub.publish(ChangeEvent(RESOURCE_UPDATED, "doc://one", params={"uri": "doc://one"}))
        assert (await stream.message())["params"] == {"uri": "doc://one"}
