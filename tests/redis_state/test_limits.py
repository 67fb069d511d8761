"""Limits of a principal over HTTP: shared by all replicas, and local without waiting while Redis is unavailable."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from doit_mcp.redis_state import message_bus
from doit_mcp.sandbox.accounts import User
from doit_mcp.server.tasks import MAX_RUNNING_PER_OWNER
from tests.redis_state.process import separate
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import Replica, at_replica, replicas
from tests.transports.http.serving import (
    ADMIN,
    LATEST_STATEFUL,
    META,
    OTHER_USER,
    STATELESS_REVISION,
    Answer,
    Bench,
    Json,
)
from tests.transports.http.streaming import open_stream

TASKS = {"clientCapabilities": {"extensions": {f"{META}tasks": {}}}}


@asynccontextmanager
async def waiting(site: Replica, count: int = 1, user: User = ADMIN) -> AsyncIterator[None]:
    """A number of calls in flight, which end with the block."""
    before = await in_flight(site)
    tasks = [asyncio.create_task(site.call("wait", user=user)) for _ in range(count)]
    while await in_flight(site) < before + count:
        assert not [task for task in tasks if task.done()], tasks
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        site.bench.proceed.set()
        assert {answer.status for answer in await asyncio.gather(*tasks)} == {200}
        site.bench.proceed.clear()


async def in_flight(site: Replica) -> int:
    text = (await site.send("GET", "/metrics", {})).text
    return int(float(text.partition("\ndoit_mcp_calls_in_flight ")[2].split()[0]))


async def until(status: int, ask: Callable[[], Awaitable[Answer]]) -> None:
    """Wait for this status, because a released slot becomes free at other replicas a moment later."""
    while (await ask()).status != status:
        await asyncio.sleep(0.01)


def is_limited(answer: Answer) -> bool:
    return answer.status == 429 and int(answer.headers["Retry-After"]) > 0


@pytest.mark.requirement("Q2", "G5")
async def test_calls_are_limited_across_replicas(redis: Server) -> None:
    """The limit holds for all transports, and for each principal separately."""
    async with replicas(redis.url, calls_per_principal=3) as (a, b):
        session, old = await b.initialize(), await b.initialize("2025-03-26")
        async with waiting(a, 2):
            async with waiting(b):
                for site in (a, b):
                    answer = await site.call("echo")
                    assert is_limited(answer) and "in progress" in answer.error["message"]
                    assert (await site.call("echo", user=OTHER_USER)).status == 200
                    assert is_limited(await at_replica(site, session).call("echo"))
                    assert is_limited(await at_replica(site, old).post([a.request("ping")]))
                    assert (await site.send_stateless("tools/list")).status == 200
                async with a.http.get(f"{a.base}/sse", headers=a.headers()) as stream:
                    await stream.content.readline()
                    address = (await stream.content.readline()).decode().removeprefix("data: ").strip()
                    call = b.request("tools/call", {"name": "echo"})
                    assert is_limited(await b.post(call, path=address))
                    assert is_limited(await b.post([call], path=address))
            await until(200, lambda: a.call("echo"))
            assert (await at_replica(b, session).call("echo")).status == 200
        with redis.client() as client:
            keys = client.keys("*-in-use:*")
            assert keys and all(client.pttl(key) > 0 for key in keys)


async def test_streams_are_limited_across_replicas(redis: Server) -> None:
    async with replicas(redis.url, streams_per_principal=2) as (a, b):
        session, other = await a.initialize(), await a.initialize()
        listen = a.stateless_request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})

        async def try_all(site: Replica) -> Counter[int]:
            async with (
                at_replica(site, other).stream() as response,
                site.http.get(f"{site.base}/sse", headers=site.headers()) as old,
            ):
                return Counter((response.status, old.status))

        async with (
            session.stream() as held,
            open_stream(b, listen, b.headers() | b.stateless_headers(listen), STATELESS_REVISION) as new,
        ):
            await new.message()
            assert held.status == 200
            for site in (a, b):
                assert await try_all(site) == {429: 2}
                assert is_limited(
                    await site.post(
                        listen, revision=STATELESS_REVISION, **use_underscores(site.stateless_headers(listen))
                    )
                )
            async with b.http.get(f"{b.base}/sse", headers=b.headers(OTHER_USER)) as foreign:
                assert foreign.status == 200
        while await try_all(b) != {200: 2}:
            await asyncio.sleep(0.01)


def use_underscores(headers: Json) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in headers.items()}


async def test_running_tasks_are_limited_across_replicas(redis: Server) -> None:
    async with replicas(redis.url) as (a, b):

        async def begins_task(site: Replica, user: User = ADMIN) -> bool:
            return (await site.call("long", user=user, **TASKS)).result.get("resultType") == "task"

        order = [(a, b)[number % 2] for number in range(MAX_RUNNING_PER_OWNER)]
        assert [await begins_task(site) for site in order] == [True] * MAX_RUNNING_PER_OWNER
        for site in (a, b):
            assert not await begins_task(site)
        assert await begins_task(b, OTHER_USER)
        a.bench.proceed.set()
        while not await begins_task(b):
            await asyncio.sleep(0.01)


async def test_slots_of_a_killed_replica_are_freed(redis: Server) -> None:
    async with replicas(redis.url, benches=(Bench(),), calls_per_principal=1) as (a,), separate(a, redis.url) as killed:
        task = asyncio.create_task(killed.site.call("wait"))
        while await in_flight(killed.site) == 0:
            await asyncio.sleep(0.005)
        assert is_limited(await a.call("echo"))
        await killed.kill()
        assert is_limited(await a.call("echo")), "it may only be slow"
        with redis.client() as client:
            # As if the replica's liveness had expired.
            client.delete(*client.keys("*:replica:*"))
        assert (await a.call("echo")).status == 200
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], aiohttp.ClientError)


@pytest.mark.requirement("L5", "G5")
async def test_replicas_limit_alone_without_redis(redis: Server) -> None:
    """Each replica admits the whole limit; held slots count at all replicas once Redis is back, even if it is empty."""
    async with replicas(redis.url, calls_per_principal=2, calls_per_minute=600_000, session_idle_s=1) as (a, b):
        async with waiting(a):
            redis.kill()
            async with waiting(b, 2):
                assert is_limited(await b.call("echo"))
                assert (await a.call("echo")).status == 200
                redis.start()
                # This Redis is empty, and replicas report only calls that began before it started.
                await until(429, lambda: a.call("echo"))
            await until(200, lambda: a.call("echo"))


class Silent:
    """A server that responds only to the handshake of a Redis client, and counts the other commands."""

    def __init__(self) -> None:
        self.asked = 0

    async def heard(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            greetings = data.count(b"SETINFO")
            writer.write(b"+OK\r\n" * greetings)
            self.asked += not greetings and b"probe" not in data
        writer.close()


@pytest.mark.requirement("L5", "G5")
async def test_only_the_first_request_waits_for_a_hanging_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later requests are served without waiting for Redis."""
    monkeypatch.setattr(message_bus, "SHUTDOWN_SECONDS", 0.05)
    silent = Silent()
    server = await asyncio.start_server(silent.heard, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        benches = (Bench(),)
        async with replicas(f"redis://127.0.0.1:{port}", benches=benches, calls_per_minute=600_000) as (site,):
            requests = silent.asked
            assert requests > 0
            for _ in range(20):
                assert (await site.call("echo")).status == 200
                hello = {"protocolVersion": LATEST_STATEFUL, "capabilities": {}}
                assert (await site.post(site.request("initialize", hello))).status == 503
            task = (await site.call("long", **TASKS)).result
            assert (await site.send_stateless("tasks/cancel", {"taskId": task["taskId"]}, **TASKS)).status == 200
            wrong = site.headers(None) | {"Authorization": "Bearer wrong", "X-Forwarded-For": "8.8.8.8"}
            assert (await site.send("GET", "/mcp", wrong)).status == 401
            assert silent.asked == requests
            assert "redis_unavailable 1.0" in (await site.send("GET", "/metrics", {})).text


@pytest.mark.requirement("Q2")
async def test_rate_is_shared_by_replicas(redis: Server) -> None:
    """A burst of ten calls, then one a minute."""
    async with replicas(redis.url, calls_per_minute=1) as (a, b):
        session = await a.initialize()
        for site in (a, b) * 4:
            assert (await site.call("echo")).status == 200
        assert (await session.call("echo")).status == 200
        assert (await at_replica(b, session).call("echo")).status == 200
        for site in (a, b):
            answer = await site.call("echo")
            assert is_limited(answer) and "slow down" in answer.error["message"]
            assert int(answer.headers["Retry-After"]) > 2
            assert is_limited(await at_replica(site, session).call("echo"))
            assert (
                (await site.send_stateless("tools/list")).status
                == (await at_replica(site, session).ask("ping")).status
                == 200
            )
            assert (await site.call("echo", user=OTHER_USER)).status == 200
        with redis.client() as client:
            keys = client.keys("*:rate:*")
            assert len(keys) == 2 and all(client.pttl(key) > 0 for key in keys)


async def test_call_rejected_elsewhere_is_not_counted(redis: Server) -> None:
    async with replicas(redis.url, calls_per_minute=1, calls_per_principal=1) as (a, b):
        async with waiting(a):
            for _ in range(20):
                answer = await b.call("echo")
                assert is_limited(answer) and "in progress" in answer.error["message"]
        await until(200, lambda: b.call("echo"))


@pytest.mark.requirement("P4")
async def test_unauthenticated_attempts_are_limited_across_replicas(redis: Server) -> None:
    """A client that guesses tokens at two replicas from one address gets no more attempts than at one."""
    async with replicas(redis.url, trusted_proxies=("127.0.0.0/8",)) as pair:

        async def send_wrong(number: int, address: str) -> int:
            site = pair[number % 2]
            headers = {"Authorization": f"Bearer wrong-{address}-{number}", "X-Forwarded-For": address}
            answer = await site.send("GET", "/mcp", site.headers(None) | headers)
            assert (answer.status == 429) == ("Retry-After" in answer.headers)
            return answer.status

        # One replica alone would admit 120 at once, and each gets 100.
        statuses: Counter[int] = Counter()
        for first in range(0, 200, 20):
            statuses.update(await asyncio.gather(*(send_wrong(first + number, "8.8.8.8") for number in range(20))))
        assert set(statuses) == {401, 429} and 100 < statuses[401] < 160
        assert await send_wrong(0, "9.9.9.9") == await send_wrong(1, "9.9.9.9") == 401
        with redis.client() as client:
            keys = client.keys("*:tries:*")
            assert len(keys) == 3 and all(client.pttl(key) > 0 for key in keys)
            assert not [key for key in client.keys() if b"8.8.8.8" in key]


class Validating:
    """A DoiT API that knows one API token."""

    def register(self, app: web.Application, lookup: Any) -> None:
        async def validate(request: web.Request) -> web.Response:
            if request.headers["Authorization"] != "Bearer an-api-token":
                return web.json_response({}, status=401)
            return web.json_response({"domain": "acme.example", "email": "admin@acme.example"})

        app.router.add_get("/auth/v1/validate", validate)


@pytest.mark.requirement("N21")
@pytest.mark.parametrize("trusted", [("127.0.0.0/8",), ()])
async def test_n21_flood_of_wrong_tokens_does_not_lock_out_verified_tokens(
    redis: Server, trusted: tuple[str, ...]
) -> None:
    """From the same address, or where only the total limit counts, at a replica that has not verified the token
    before."""
    async with replicas(redis.url, api=Validating(), trusted_proxies=trusted) as (a, b):

        async def ask(site: Replica, token: str) -> int:
            headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": "8.8.8.8"}
            message = site.stateless_request("tools/list")
            head = site.headers(None) | site.stateless_headers(message) | headers | {"Content-Type": "application/json"}
            return (await site.send("POST", "/mcp", head, json.dumps(message).encode())).status

        assert await ask(a, "an-api-token") == 200
        statuses: set[int] = set()
        for first in range(0, 300, 20):
            statuses.update(await asyncio.gather(*(ask(b, f"wrong-{first + number}") for number in range(20))))
        assert statuses == {401, 429}
        # Attempts refill all the time; use up those that are left.
        more = 0
        while await ask(b, f"more-{more}") != 429:
            more += 1
        assert await ask(b, "an-api-token") == 200
