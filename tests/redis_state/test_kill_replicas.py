"""A replica or Redis is killed under load: sessions continue at the other replica, and other requests succeed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import aiohttp
import pytest

from doit_mcp.sandbox.accounts import USERS
from tests.redis_state.process import Process, separate
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import Replica, at_replica, replicas
from tests.transports.http.serving import Answer, Session

CLIENTS = 12
CALLS = 20
SEED = 6


class Client:
    """A session whose calls go to any replica, running or not; a call whose connection broke is sent again."""

    def __init__(self, session: Session, there: list[Replica], order: random.Random) -> None:
        self.session, self.there, self.order = session, there, order
        self.answers: Counter[str] = Counter()

    async def work(self, number: int) -> None:
        text = f"{self.session.user.email}-{number}"
        while (answer := await self._try(text)) is None:
            pass
        assert answer.status == 200, answer
        self.answers[answer.result["structuredContent"]["said"]] += 1

    async def _try(self, text: str) -> Answer | None:
        session = at_replica(self.order.choice(self.there), self.session)
        try:
            return await session.call("echo", {"text": text})
        except aiohttp.ClientError:
            return None


@pytest.mark.requirement("G5")
@pytest.mark.timeout(180)
async def test_replica_is_killed_under_load(redis: Server) -> None:
    """One of two replicas is killed: every session continues, and every call is answered once."""
    async with replicas(redis.url) as (near, _), separate(near, redis.url) as other:
        order, sites = random.Random(SEED), [near, other.site]
        users = [USERS[number % len(USERS)] for number in range(CLIENTS)]
        sessions = [await sites[number % 2].initialize(user=user) for number, user in enumerate(users)]
        clients = [Client(session, sites, order) for session in sessions]
        waiting = [asyncio.create_task(at_replica(other.site, session).call("wait")) for session in sessions]
        while f"calls_in_flight {CLIENTS}.0" not in (await other.site.send("GET", "/metrics", {})).text:
            await asyncio.sleep(0.02)
        await asyncio.gather(*(killing(client, clients, other) for client in clients))
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(end, aiohttp.ClientError) for end in ends), "half a response does not count"
        for client in clients:
            assert client.answers == Counter(f"{client.session.user.email}-{number}" for number in range(CALLS))
            assert (await at_replica(near, client.session).ask("ping")).result == {}
        foreign = at_replica(near, clients[0].session, users[1])
        assert (await foreign.ask("ping")).status == 404


async def killing(client: Client, clients: list[Client], victim: Process) -> None:
    """The calls of one client; the replica is killed half way through all of them."""
    for number in range(CALLS):
        await client.work(number)
        if sum(worker.answers.total() for worker in clients) == CLIENTS * CALLS // 2:
            await victim.kill()


@pytest.mark.requirement("S4")
@pytest.mark.timeout(180)
async def test_redis_restarts_under_load(redis: Server) -> None:
    """Requests with a session get a retry or a new session, never an internal error; the others succeed."""
    async with replicas(redis.url) as pair:
        over = asyncio.Event()
        statuses: Counter[int] = Counter()

        sessions = [await pair[number % 2].initialize() for number in range(CLIENTS)]

        async def with_session(session: Session) -> None:
            status = 0
            while status != 404:
                status = (await at_replica(pair[statuses.total() % 2], session).ask("ping")).status
                statuses[status] += 1

        async def without(number: int) -> int:
            done = 0
            while not over.is_set():
                answer = await pair[number % 2].call("echo", {"text": str(done)})
                assert answer.result["structuredContent"] == {"said": str(done)}
                done += 1
            return done

        working = [asyncio.create_task(with_session(session)) for session in sessions]
        stateless = [asyncio.create_task(without(number)) for number in range(4)]
        while not statuses[200]:
            await asyncio.sleep(0.01)
        redis.kill()
        while not statuses[503]:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(redis.start)
        await asyncio.gather(*working)
        over.set()
        assert all(await asyncio.gather(*stateless))
        assert set(statuses) == {200, 503, 404}
        new_session = await pair[0].initialize()
        assert (await at_replica(pair[1], new_session).ask("ping")).result == {}
