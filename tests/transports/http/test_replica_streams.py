"""Lost streams, tasks, stored results and repeated writes across replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.writes.deduplication import ALREADY_DONE_KEY, with_commit, with_deduplication
from doit_mcp.redis_state.notification_relay import MAX_CHANGE_BYTES
from tests.redis_state.process import separate
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import Replica, at_replica, replicas, wait_for_redis
from tests.transports.http.serving import (
    LATEST_STATEFUL,
    META,
    NAME,
    OTHER_USER,
    STATELESS_REVISION,
    Answer,
    Bench,
    Json,
    Session,
)
from tests.transports.http.streaming import Stream, open_stream

Pair = tuple[Replica, ...]
TASKS = {"clientCapabilities": {"elicitation": {}, "extensions": {f"{META}tasks": {}}}}
DEAD = -32603


def steps(session: Session, id: Any = "s") -> Json:
    params = {"name": "steps", "arguments": {"pause": True}, "_meta": {"progressToken": "t"}}
    return session.site.request("tools/call", params, id)


async def begin_call(session: Session, message: Any = None) -> str:
    """Return the id of the first event with a message of a call in progress, whose connection is then dropped."""
    headers = session.site.headers(**session.head)
    async with open_stream(session.site, message or steps(session), headers, session.revision) as stream:
        event = await stream.event()
        while not event.data:
            event = await stream.event()
        assert event.id is not None
        return event.id


@asynccontextmanager
async def resumed(session: Session, id: str) -> AsyncIterator[Stream]:
    async with session.stream(Last_Event_ID=id) as response:
        assert response.status == 200, await response.text()
        yield Stream(response, session.revision, "tools/call")


def forget_liveness(redis: Server) -> None:
    """Forget the liveness of all replicas, as if it had expired. Live replicas renew it at their next heartbeat."""
    with redis.client() as client:
        client.delete(*client.keys("*:replica:*"))


@pytest.mark.parametrize("revision", ["2025-03-26", "2025-06-18", LATEST_STATEFUL])
async def test_lost_stream_continues_at_another_replica(pair: Pair, revision: str) -> None:
    a, b = pair
    session = await a.initialize(revision)
    last = await begin_call(session)
    async with resumed(at_replica(b, session), last) as rest:
        assert (await rest.message())["params"]["data"] == "on the way"
        a.bench.proceed.set()
        assert (await rest.message())["params"]["progress"] == 2
        assert (await rest.message())["result"]["content"]
        assert await rest.ends()
    # Replay from the beginning now that everything has arrived, also at the replica that runs the call.
    for site in pair:
        async with resumed(at_replica(site, session), last) as again:
            kinds = [(await again.message()).get("method", "answer") for _ in range(3)]
            assert kinds == ["notifications/message", "notifications/progress", "answer"] and await again.ends()


async def test_each_message_goes_to_one_stream(pair: Pair) -> None:
    """MCP, Multiple Connections: the newest stream gets the messages, at any replica."""
    a, b = pair
    session = await a.initialize()
    last = await begin_call(session)
    async with resumed(at_replica(b, session), last) as first:
        await first.message()
        async with resumed(at_replica(b, session), last) as second:
            assert await first.ends()
            await second.message()
            async with resumed(session, last) as third:
                assert await second.ends()
                await third.message()
                async with resumed(at_replica(b, session), last) as fourth:
                    assert await third.ends()
                    await fourth.message()
                    a.bench.proceed.set()
                    assert (await fourth.until(""))["id"] == "s"


async def test_three_replicas(redis: Server) -> None:
    async with replicas(redis.url, benches=(Bench(), Bench(), Bench())) as (a, b, c):
        session = await a.initialize()
        last = await begin_call(session)
        async with resumed(at_replica(b, session), last) as second:
            await second.message()
            async with resumed(at_replica(c, session), last) as third:
                assert await second.ends()
                await third.message()
                a.bench.proceed.set()
                assert (await third.until(""))["id"] == "s"


@pytest.mark.requirement("S7")
async def test_event_ids_are_bound_to_their_session(pair: Pair) -> None:
    a, b = pair
    session = await a.initialize()
    last = await begin_call(session)
    stream = last.rpartition("_")[0]
    other, foreign = await b.initialize(), await b.initialize(user=OTHER_USER)
    for wrong in (last, f"{stream}_0"):
        for asking in (other, foreign):
            async with asking.stream(Last_Event_ID=wrong) as response:
                assert response.status == 404
        async with at_replica(b, session, OTHER_USER).stream(Last_Event_ID=wrong) as response:
            assert response.status == 404
    for wrong in ("", "1", "x_1", f"{stream}_", f"{stream}_x", f"{stream}_999", f"{stream}_-1"):
        async with at_replica(b, session).stream(Last_Event_ID=wrong) as response:
            assert response.status == 404, wrong
    a.bench.proceed.set()


async def test_followers_end_with_the_call_and_the_session(pair: Pair) -> None:
    a, b = pair
    session = await a.initialize()
    last = await begin_call(session)
    async with resumed(at_replica(b, session), last) as rest:
        await rest.message()
        params = {"requestId": "s"}
        note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
        assert (await at_replica(b, session).post(note)).status == 202
        assert await rest.ends()
    last = await begin_call(session, steps(session, "again"))
    async with resumed(at_replica(b, session), last) as rest:
        await rest.message()
        assert (await session.delete()).status == 204
        assert await rest.ends()


async def test_response_sent_without_a_listener(redis: Server) -> None:
    """2025-11-25, polling: the server closes the connection, and the client fetches the response at another replica."""
    bench = Bench()

    async def polls(call: Call, arguments: Json) -> Json:
        await call.release_connection()
        return {"said": "fetched"}

    text = {"type": "object", "properties": {"said": {"type": "string"}}}
    tool = Tool("polls", "Polls", "Lets go.", {"type": "object"}, polls, text)
    async with replicas(redis.url, benches=(bench, Bench()), changes={"tools": (tool,)}) as (a, b):
        session = await a.initialize()
        message = a.request("tools/call", {"name": "polls"})
        async with open_stream(a, message, a.headers(**session.head), LATEST_STATEFUL) as stream:
            priming = await stream.event()
            assert priming.id is not None and await stream.ends()
        async with resumed(at_replica(b, session), priming.id) as rest:
            assert (await rest.message())["result"]["structuredContent"] == {"said": "fetched"}
            assert await rest.ends()


async def test_follower_waits_while_redis_is_unavailable(pair: Pair, redis: Server) -> None:
    a, b = pair
    session = await a.initialize()
    last = await begin_call(session)
    async with resumed(at_replica(b, session), last) as rest:
        await rest.message()
        redis.pause()
        a.bench.proceed.set()
        async with at_replica(b, session).stream(Last_Event_ID=last) as response:
            assert response.status == 503
        redis.resume()
        assert [(await rest.message()).get("id") for _ in range(2)] == [None, "s"]


async def test_follower_of_a_dead_replica_gets_an_error(pair: Pair, redis: Server) -> None:
    """Each request gets an error instead of its response; the stream ends."""
    _, b = pair
    async with separate(b, redis.url) as killed:
        session = await killed.site.initialize("2025-03-26")
        single = await begin_call(session)
        batch = await begin_call(session, [steps(session, 1), steps(session, 2)])
        lone = await begin_call(session, steps(session, "other"))
        async with resumed(at_replica(b, session), single) as rest:
            await rest.message()
            await killed.kill()
            forget_liveness(redis)
            message = await rest.message()
            assert (message["id"], message["error"]["code"]) == ("s", DEAD) and "restarted" in message["error"][
                "message"
            ]
            assert await rest.ends()
        async with resumed(at_replica(b, session), lone) as rest:
            assert (await rest.until(""))["error"]["code"] == DEAD
        async with at_replica(b, session).stream(Last_Event_ID=batch) as response:
            event = await Stream(response, "2025-03-26").event()
            while '"error"' not in event.data:
                event = await Stream(response, "2025-03-26").event()
            assert '"id":1' in event.data and '"id":2' in event.data
        assert (await at_replica(b, session).ask("ping")).result == {}


def make_asking_tools() -> tuple[Tool, ...]:
    async def job(call: Call, arguments: Json) -> Json:
        await call.run_in_background()
        answer = await call.ask("who", "elicitation/create", NAME)
        return {"said": answer["content"]["name"]}

    output_schema = {"type": "object", "properties": {"said": {"type": "string"}}}
    return (Tool("job", "Job", "Asks.", {"type": "object"}, job, output_schema),)


async def state_of(site: Replica, task: Json, **options: Any) -> Answer:
    return await site.send_stateless("tasks/get", {"taskId": task["taskId"]}, **(TASKS | options))


async def until(site: Replica, task: Json, status: str) -> Json:
    while (state := (await state_of(site, task)).result)["status"] != status:
        await asyncio.sleep(0.005)
    return state


async def test_task_can_be_polled_at_every_replica(pair: Pair) -> None:
    """Immediately, by its owner only, and with its notifications."""
    a, b = pair
    task = (await a.call("long", **TASKS)).result
    assert (await state_of(b, task)).result["status"] == "working"
    assert (await state_of(b, task, user=OTHER_USER)).code == (400, -32602)
    assert (await state_of(b, {"taskId": "unknown"})).code == (400, -32602)
    message = b.stateless_request("subscriptions/listen", {"notifications": {"taskIds": [task["taskId"]]}}, **TASKS)
    async with open_stream(b, message, b.headers() | b.stateless_headers(message), STATELESS_REVISION) as stream:
        assert (await stream.message())["params"]["notifications"] == {"taskIds": [task["taskId"]]}
        a.bench.proceed.set()
        assert (await stream.message())["params"]["status"] == "completed"
    assert (await until(b, task, "completed"))["result"]["structuredContent"] == {"said": "done at last"}


async def test_large_result_is_announced_but_not_copied(redis: Server) -> None:
    """Messages between replicas only say that a task has changed; a replica with a subscriber reads the rest."""
    proceed = asyncio.Event()

    async def report(call: Call, arguments: Json) -> Json:
        await call.run_in_background()
        await proceed.wait()
        return {"said": "x" * 50_000}

    output_schema = {"type": "object", "properties": {"said": {"type": "string"}}}
    tool = Tool("report", "Report", "Is long.", {"type": "object"}, report, output_schema)
    async with replicas(redis.url, benches=(Bench(), Bench(), Bench()), changes={"tools": (tool,)}) as (a, b, c):
        task = (await a.call("report", **TASKS)).result
        message = b.stateless_request("subscriptions/listen", {"notifications": {"taskIds": [task["taskId"]]}}, **TASKS)
        headers = b.headers() | b.stateless_headers(message)
        async with (
            open_stream(a, message, headers, STATELESS_REVISION) as near,
            open_stream(b, message, headers, STATELESS_REVISION) as far,
        ):
            for stream in (near, far):
                await stream.message()
            proceed.set()
            near_params, far_params = [(await stream.message())["params"] for stream in (near, far)]
        assert near_params == far_params and near_params["result"]["structuredContent"] == {"said": "x" * 50_000}
        assert (await until(c, task, "completed"))["result"] == near_params["result"]
        with redis.client() as client:
            (stream,) = client.keys("*:changes")
            sizes = [len(fields[b"m"]) for _, fields in client.xrange(stream)]
        assert sizes and max(sizes) < 2 * MAX_CHANGE_BYTES


async def test_task_can_be_canceled_and_answered_at_every_replica(redis: Server) -> None:
    async with replicas(redis.url, changes={"tools": make_asking_tools()}) as (a, b):
        task = (await a.call("job", **TASKS)).result
        assert set((await until(b, task, "input_required"))["inputRequests"]) == {"who"}

        async def answer(given: Any, **options: Any) -> Answer:
            params = {"taskId": task["taskId"], "inputResponses": {"who": given, "other": {}}}
            return await b.send_stateless("tasks/update", params, **(TASKS | options))

        assert (await answer({"action": "perhaps"})).code == (400, -32602)
        right = {"action": "accept", "content": {"name": "Bea"}}
        assert (await answer(right, user=OTHER_USER)).code == (400, -32602)
        assert (await answer(right)).status == 200
        assert "inputRequests" not in (await state_of(b, task)).result
        assert (await until(b, task, "completed"))["result"]["structuredContent"] == {"said": "Bea"}
        assert (await answer(right)).status == 200

        task = (await a.call("job", **TASKS)).result
        await until(b, task, "input_required")
        for _ in range(2):
            stopped = await b.send_stateless("tasks/cancel", {"taskId": task["taskId"]}, **TASKS)
            assert stopped.status == 200
            assert (await state_of(b, task)).result["status"] == "cancelled"
        assert (await state_of(a, task)).result["status"] == "cancelled"


async def test_task_of_a_dead_replica_fails(pair: Pair, redis: Server) -> None:
    _, b = pair
    async with separate(b, redis.url) as killed:
        task = (await killed.site.call("long", **TASKS)).result
        assert (await state_of(b, task)).result["status"] == "working"
        await killed.kill()
        forget_liveness(redis)
        state = (await state_of(b, task)).result
        assert state["status"] == "failed" and "restarted" in state["error"]["message"]


async def test_tasks_without_redis(pair: Pair, redis: Server) -> None:
    """Tasks of this replica continue; the state of others is unavailable."""
    a, b = pair
    task = (await a.call("long", **TASKS)).result
    redis.pause()
    assert (await state_of(a, task)).result["status"] == "working"
    task_state = await state_of(b, task)
    assert task_state.error["code"] == DEAD and "temporarily unavailable" in task_state.error["message"]
    a.bench.proceed.set()
    await until(a, task, "completed")
    redis.resume()
    await wait_for_redis(b)
    await until(b, task, "completed")


async def test_stored_results_and_writes_are_shared(redis: Server) -> None:
    done: list[str] = []

    async def keep(call: Call, arguments: Json) -> Json:
        return {"said": str(await call.results.put(call.owner, b"the rows"))}

    async def rows(call: Call, arguments: Json) -> Json:
        stored = await call.results.get(call.owner, arguments["handle"])
        return {"said": "nothing" if stored is None else stored.decode()}

    async def change(call: Call, arguments: Json) -> Json:
        done.append("changed")
        return {"said": "changed"}

    output_schema = {"type": "object", "properties": {"said": {"type": "string"}, ALREADY_DONE_KEY: {"type": "string"}}}
    schema = {"type": "object", "properties": {"handle": {"type": "string"}}}
    reading = [Tool(run.__name__, "T", "Does it.", schema, run, output_schema) for run in (keep, rows)]
    writing = with_deduplication(
        with_commit(Tool("change", "T", "Does it.", schema, change, output_schema, writes=True))
    )
    async with replicas(redis.url, changes={"tools": (*reading, writing)}) as (a, b):
        handle = (await a.call("keep")).result["structuredContent"]["said"]
        assert (await b.call("rows", {"handle": handle})).result["structuredContent"] == {"said": "the rows"}
        foreign = await b.call("rows", {"handle": handle}, user=OTHER_USER)
        assert foreign.result["structuredContent"] == {"said": "nothing"}
        first, second = [(await site.call("change")).result["structuredContent"] for site in (a, b)]
        assert ALREADY_DONE_KEY not in first and ALREADY_DONE_KEY in second and done == ["changed"]
        redis.pause()
        result = (await b.call("rows", {"handle": handle})).result
        assert result["isError"] and "temporarily unavailable" in result["content"][0]["text"]
        redis.resume()
