"""A Redis without free memory: existing data stays valid, and no write runs that could run twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.stores.write_receipts import MemoryReceiptStore
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.writes.deduplication import with_commit, with_deduplication
from doit_mcp.redis_state.client import open_connection
from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.encryption import Encryptor, key_prefix
from doit_mcp.redis_state.write_queue import WriteQueue
from doit_mcp.redis_state.write_receipts import RedisReceiptStore
from doit_mcp.sandbox.accounts import USERS, User
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server, redis_server
from tests.redis_state.replicas import Replica, at_replica, replicas
from tests.redis_state.test_write_receipts import Unprotected, complete, recorded_outcome
from tests.transports.http.serving import LATEST_STATEFUL, Answer, Json, Session, schema
from tests.transports.http.test_security_outside import MIB

MEMORY = ("--maxmemory", "64mb", "--maxmemory-policy", "noeviction")
# Sessions, tables, receipts, tasks and streams of one user together.
PER_USER = 20 * MIB
CLIENT = {"name": "t", "version": "1"}
SAID = {"type": "object", "properties": {"said": {"type": "string"}}}


@pytest.fixture
def small() -> Iterator[Server]:
    """A Redis with little memory that refuses writes when it is used up."""
    with redis_server(*MEMORY) as server:
        yield server


class Writes:
    """Tools that change something, and a count of how often each ran."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def tool(self, name: str, *, idempotent: bool) -> Tool:
        async def run(call: Call, arguments: Json) -> Json:
            self.done.append(f"{name} {arguments['text']}")
            # Some results are large, and so are the tables that some calls store.
            if arguments["text"].startswith("hoard"):
                for _ in range(12):
                    await call.results.put(call.owner, b"x" * MIB)
                return {"said": "x" * 30_000}
            return {"said": f"{name} {len(self.done)}"}

        hints = {"readOnlyHint": False, "idempotentHint": idempotent, "destructiveHint": False}
        return with_deduplication(
            with_commit(
                Tool(
                    name=name,
                    title=name,
                    description="Writes.",
                    input_schema=schema(text={"type": "string"}),
                    run=run,
                    output_schema=SAID,
                    annotations=hints,
                    area="bench",
                    writes=True,
                )
            )
        )

    @property
    def tools(self) -> tuple[Tool, ...]:
        return self.tool("create", idempotent=False), self.tool("set", idempotent=True)


def read_text(answer: Answer) -> str:
    text: str = answer.result["content"][0]["text"]
    return text


@pytest.mark.requirement("N5")
async def test_n5_no_write_is_repeated_while_redis_is_full(small: Server) -> None:
    """A repeated write returns its result at either replica; a new one is refused with a reason, unless it is
    idempotent."""
    writes = Writes()
    async with replicas(small.url, changes={"tools": writes.tools}) as (near, far):
        session = await near.initialize(user=USERS[0])
        elsewhere = at_replica(far, session)
        first = await session.call("create", {"text": "before"})
        small.fill()
        again = await elsewhere.call("create", {"text": "before"})
        assert read_text(first) == '{"said":"create 1"}' and "alreadyDone" in read_text(again), again
        for site_session in (session, elsewhere, session):
            refused = await site_session.call("create", {"text": "new"})
            assert refused.result["isError"] and read_text(refused).startswith("Nothing was changed:")
        assert not (await elsewhere.call("set", {"text": "same"})).result.get("isError")
        assert writes.done == ["create before", "set same"]
        assert "redis_full 1.0" in (await near.send("GET", "/metrics", {})).text
        small.make_room()
        assert read_text(await session.call("create", {"text": "new"})) == '{"said":"create 3"}'
        assert "alreadyDone" in read_text(await elsewhere.call("create", {"text": "new"}))
        assert writes.done.count("create new") == 1


async def hoard(site: Replica, user: User) -> None:
    """Store everything that one user can store, and more: sessions, subscriptions, receipts, tables."""
    members = {f"member-{number}": "x" * 1_000 for number in range(250)}
    capabilities: Json = {"elicitation": members, **members}
    params: Json = {"protocolVersion": LATEST_STATEFUL, "capabilities": capabilities, "clientInfo": CLIENT | members}
    for number in range(120):
        opened = await site.post(site.request("initialize", params), user=user)
        assert opened.status == 200, opened
        session = Session(site, opened.headers["Mcp-Session-Id"], LATEST_STATEFUL, user, {})
        for digit in range(5):
            uri = f"doc://number/{digit}" + "7" * 2_000
            await session.ask("resources/subscribe", {"uri": uri})
        if number % 10 == 0:
            answer = await session.call("create", {"text": f"hoard {number} {user.email}"})
            assert "xxx" in read_text(answer)


@pytest.mark.requirement("N5")
@pytest.mark.timeout(300)
async def test_n5_two_users_cannot_fill_redis(small: Server) -> None:
    """The data of one user is limited in bytes, so another user's write runs once and has a receipt."""
    writes = Writes()
    async with replicas(small.url, changes={"tools": writes.tools}) as (near, far):
        with small.client() as client:
            before = client.info("memory")["used_memory"]
            await hoard(near, USERS[0])
            await hoard(far, USERS[1])
            grown = client.info("memory")["used_memory"] - before
        print(f"{grown / MIB:.1f} MiB in Redis for two users")
        assert grown < 2 * PER_USER, f"{grown / MIB:.1f} MiB"
        session = await near.initialize(user=USERS[2])
        assert read_text(await session.call("create", {"text": "mine"})).startswith('{"said":"create ')
        assert "alreadyDone" in read_text(await at_replica(far, session).call("create", {"text": "mine"}))
        assert writes.done.count("create mine") == 1
        assert "redis_full 0.0" in (await near.send("GET", "/metrics", {})).text


@pytest.mark.requirement("N5")
async def test_n5_sessions_and_reads_continue_while_redis_is_full(small: Server) -> None:
    async with replicas(small.url) as (near, far):
        session = await near.initialize(user=USERS[0])
        small.fill()
        for site in (near, far):
            assert read_text(await at_replica(site, session).call("echo", {"text": "x"}))
        opening = near.request(
            "initialize", {"protocolVersion": LATEST_STATEFUL, "capabilities": {}, "clientInfo": CLIENT}
        )
        assert (await near.post(opening, user=USERS[1])).status == 503


@pytest.fixture
async def pair(small: Server) -> Any:
    """Receipts of two replicas over the small Redis."""
    link = open_connection(small.url, key_prefix(SECRET), timeout=2.0)
    stores = [receipts(link) for _ in range(2)]
    yield stores
    for store in stores:
        await store.close()
    await link.close()


def receipts(link: RedisConnection, **bounds: Any) -> RedisReceiptStore:
    usual: Json = {"ttl": 60.0, "per_owner": 2, "max_answer_bytes": 1000}
    memories = MemoryReceiptStore(), MemoryReceiptStore()
    return RedisReceiptStore(link, Encryptor(SECRET, "receipts"), *memories, Unprotected, **(usual | bounds))


@pytest.mark.requirement("N5")
async def test_n5_write_that_ends_while_redis_is_full_is_known_to_all_replicas(small: Server, pair: Any) -> None:
    """The write was claimed before. Its result no longer fits, but the fact that it was done does."""
    store, other = pair
    for key in ("done", "not done"):
        assert await store.claim("o", key) is None
    small.fill()
    waiting = asyncio.create_task(other.claim("o", "done"))
    await store.settle("o", "done", b"a" * 900)
    assert recorded_outcome(await waiting) == (b"", True) and recorded_outcome(await store.claim("o", "done")) == (
        b"",
        True,
    )
    # A write that was certainly not done is released, which needs no memory, but cannot be claimed now.
    await store.settle("o", "not done", None)
    with pytest.raises(Unprotected):
        await other.claim("o", "not done")
    small.make_room()
    assert (
        recorded_outcome(await other.claim("o", "done")) == (b"", True) and await other.claim("o", "not done") is None
    )
    # The receipt can be forgotten.
    await store.forget("o", "done")
    assert await store.claim("o", "done") is None


@pytest.mark.requirement("N5")
async def test_n5_rejected_claim_evicts_no_older_receipts(small: Server, pair: Any) -> None:
    store, other = pair
    for key in ("1", "2"):
        await complete(store, key)
    small.fill()
    with pytest.raises(Unprotected):
        await store.claim("o", "3")
    assert [recorded_outcome(await other.claim("o", key)) for key in ("1", "2")] == [(b"a", True)] * 2
    # A repeatable write is protected only within this process.
    assert await store.claim("o", "4", idempotent=True) is None
    await store.settle("o", "4", b"four")
    assert recorded_outcome(await store.claim("o", "4", idempotent=True)) == (b"four", True)


@pytest.mark.requirement("N5")
async def test_n5_full_redis_delays_no_messages(small: Server, caplog: pytest.LogCaptureFixture) -> None:
    """The first command is retried a few times; the others follow at once, and memory becomes free again."""
    link = open_connection(small.url, key_prefix(SECRET), timeout=2.0)
    sender, key = WriteQueue(link), link.key("list")
    with small.client() as client:
        client.set(link.key("gone"), "x")
    small.fill()
    for number in range(50):
        sender.put(("RPUSH", key, number))
    sender.put(("DEL", link.key("gone")))
    running = asyncio.create_task(sender.run())
    try:
        assert await sender.try_flush(20)
        assert link.full and not link.unavailable
        small.make_room()
        sender.put(("RPUSH", key, "last"))
        await sender.flush()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await link.close()
    with small.client() as client:
        assert client.lrange(key, 0, -1) == [b"last"] and not client.exists(link.key("gone"))
    assert len([record for record in caplog.records if "Redis is full" in record.message]) == 1
