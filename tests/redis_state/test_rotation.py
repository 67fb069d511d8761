"""The secrets of shared state are rotated in three steps without downtime and without losing data."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest

from doit_mcp.catalog.stores.result_store import ResultLimits
from doit_mcp.catalog.stores.write_receipts import MemoryReceiptStore
from doit_mcp.redis_state.client import open_connection
from doit_mcp.redis_state.encryption import DecryptionError, Encryptor, key_prefix
from doit_mcp.redis_state.event_logs import EventLogs
from doit_mcp.redis_state.key_names import name_variants
from doit_mcp.redis_state.message_bus import MessageBus, Payload
from doit_mcp.redis_state.quotas import RedisQuota
from doit_mcp.redis_state.rate_limiter import RedisRateLimiter
from doit_mcp.redis_state.result_store import RedisResultStore
from doit_mcp.redis_state.session_records import SessionRecords
from doit_mcp.redis_state.task_records import TaskRecords
from doit_mcp.redis_state.write_receipts import RedisReceiptStore
from doit_mcp.resilience.token_bucket import Rate
from doit_mcp.server.signed_state import StateSigner
from doit_mcp.settings import Settings
from tests.redis_state.conftest import SECRET
from tests.redis_state.process import Process, separate
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import Replica, at_replica, replicas
from tests.resilience.limiters import shared_wait
from tests.transports.http.serving import Answer, Session, next_event

NEW = "another-secret-of-forty-characters-here!"
OLD_ONE, ADDED, IN_USE, ALONE = ((SECRET,), (SECRET, NEW), (NEW, SECRET), (NEW,))
STEPS = (OLD_ONE, ADDED, IN_USE, ALONE)
# The secrets that are in use at the same time while replicas are restarted one after the other.
SIDE_BY_SIDE = [pair for first, second in zip(STEPS, STEPS[1:]) for pair in ((first, second), (second, first))]
Secrets = Sequence[str]


class Member:
    """The shared state of one replica."""

    def __init__(self, url: str, secrets: Secrets) -> None:
        self.link = link = open_connection(url, key_prefix(secrets), timeout=2)
        self.bus = MessageBus(link, Encryptor(secrets, "bus"), heartbeat_seconds=0.05)
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.bus.on_message("word", self._hear)
        self.records = SessionRecords(
            link, Encryptor(secrets, "sessions"), "session", self.bus.replica_id, ttl=60, per_owner=2
        )
        self.logs = EventLogs(
            link, Encryptor(secrets, "logs"), self.bus.write_queue, self.bus.replica_id, ttl=60, max_events=10
        )
        self.notes = TaskRecords(link, Encryptor(secrets, "tasks"), self.bus.write_queue, "task", self.bus.replica_id)
        self.results = RedisResultStore(
            link,
            Encryptor(secrets, "results"),
            RuntimeError,
            ResultLimits(60, result_bytes=99, per_owner=2, owner_bytes=999, total=9, total_bytes=9_999),
        )
        self.receipts = RedisReceiptStore(
            link,
            Encryptor(secrets, "receipts"),
            MemoryReceiptStore(),
            MemoryReceiptStore(),
            RuntimeError,
            ttl=60,
            per_owner=9,
            max_answer_bytes=99,
        )
        self.rate = RedisRateLimiter(
            link, Encryptor(secrets, "rates"), self.bus.write_queue, "rate", "slow down", per_owner=Rate(2, 0.01)
        )
        self.held = 0
        self.quota = RedisQuota(
            link,
            Encryptor(secrets, "calls"),
            "calls",
            self.bus.replica_id,
            limit=2,
            count_local=lambda owner: self.held,
            message="full",
        )

    async def _hear(self, body: Payload) -> None:
        self.heard.put_nowait(body["word"])

    async def close(self) -> None:
        await self.receipts.close()
        await self.quota.close()
        await self.link.close()


@asynccontextmanager
async def members(redis: Server, *each: Secrets) -> AsyncIterator[list[Member]]:
    async with AsyncExitStack() as stack:
        fleet = []
        for secrets in each:
            member = Member(redis.url, secrets)
            stack.push_async_callback(member.close)
            await stack.enter_async_context(member.bus.lifespan())
            fleet.append(member)
        yield fleet


@pytest.mark.requirement("N22")
def test_n22_keys_are_unchanged_without_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings(exchange_secret=SECRET).effective_state_secrets == (SECRET,)
    box = Encryptor((SECRET,), "sessions")
    assert key_prefix((SECRET,)) == "doit-mcp:7dfb45884ecb" and type(key_prefix((SECRET,))) is str
    assert box.hash_name("x") == "70cc8af429c944509d8810308b86c7c2" and type(box.hash_name("x")) is str
    monkeypatch.setattr(os, "urandom", bytes)
    assert box.encrypt("place", b"data").hex() == "00000000000000000000000032963df7870b31c9253296b8706b57262bbfa3b4"
    assert StateSigner.from_secrets(SECRET, clock=lambda: 1e9).sign(b"b", "v", 10) == (
        "lKilbd9ciKM15Jm3AqJUUVA0xTHaFk4_SNVOSTO7sixbMTAwMDAwMDAxMCwidiJd"
    )


@pytest.mark.requirement("N22")
def test_n22_values_are_decrypted_with_every_active_secret() -> None:
    for sealing, opening in SIDE_BY_SIDE:
        sealed = StateSigner.from_secrets(*sealing).sign(b"b", "v", 60)
        assert StateSigner.from_secrets(*opening).verify(b"b", sealed) == "v"
        assert Encryptor(opening, "p").decrypt("place", Encryptor(sealing, "p").encrypt("place", b"data")) == b"data"
    with pytest.raises(ValueError, match="not ours"):
        StateSigner.from_secrets(*ALONE).verify(b"b", StateSigner.from_secrets(*OLD_ONE).sign(b"b", "v", 60))
    with pytest.raises(DecryptionError):
        Encryptor(OLD_ONE, "p").decrypt("place", Encryptor(IN_USE, "p").encrypt("place", b"data"))


@pytest.mark.requirement("N22")
@pytest.mark.parametrize(("one", "other"), SIDE_BY_SIDE)
async def test_n22_replicas_at_two_rotation_steps_share_everything(redis: Server, one: Secrets, other: Secrets) -> None:
    async with members(redis, one, other) as (a, b):
        # Sessions: either replica finds, changes and ends them, and the limit of an owner is shared.
        await a.records.create("s", "o", {"level": "info"})
        for member in (b, a, b):
            record = await member.records.find("s", "o")
            assert record is not None and record.fields == {"id": "s", "level": "info"} and record.holder_alive
        assert await b.records.update("s", "o", {"level": "debug"}) == 2
        record = await a.records.find("s", "o")
        assert record is not None and record.fields == {"id": "s", "level": "debug"}
        assert await b.records.find("s", "p") is None
        # Redis orders times of use by milliseconds.
        await asyncio.sleep(0.01)
        assert await b.records.create("t", "o", {}) == []
        await a.records.find("t", "o")
        assert await a.records.create("u", "o", {}) == ["s"]
        assert await a.records.renew([("t", "o"), ("s", "o")]) == [True, False]
        assert await b.records.delete("u", "o") and await a.records.find("u", "o") is None
        # Stored tables.
        handle = await a.results.put("o", b"rows")
        assert handle is not None and await b.results.get("o", handle) == b"rows"
        more = await b.results.put("o", b"x"), await a.results.put("o", b"y")
        assert await b.results.get("o", handle) is None and None not in more
        # Receipts: a claim excludes the other replica, the receipt is valid at both, and both can forget it.
        assert await a.receipts.claim("o", "g:k") is None
        waiting = asyncio.create_task(b.receipts.claim("o", "g:k"))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await a.receipts.settle("o", "g:k", b"answer")
        receipt = await waiting
        assert receipt is not None and receipt.answer == b"answer"
        await b.receipts.forget("o", "g:k")
        assert await a.receipts.claim("o", "g:k") is None
        # Tasks, and messages of a stream.
        a.notes.write("task", {"status": "working"}, 60)
        await a.logs.create("s", "1", {"id": 1})
        await a.logs.add("s", "1", 1, b"event", last=False)
        await a.bus.write_queue.flush()
        note, page = await b.notes.read("task"), await b.logs.read("s", "1", 0)
        assert note is not None and note.value == {"status": "working"} and note.holder_alive
        assert (
            page is not None and page.messages == [(1, b"event")] and page.holder_alive and page.metadata == {"id": 1}
        )
        b.notes.delete("task")
        await b.bus.write_queue.flush()
        assert await a.notes.read("task") is None
        # Limits.
        assert [await shared_wait(one.rate, "o") for one in (a, b)] == [0, 0]
        assert await shared_wait(a.rate, "o") > 0
        await a.quota.acquire("o")
        a.held = 1
        await b.quota.acquire("o")
        b.held = 1
        assert [await shared_wait(one.quota, "o") for one in (a, b)] == [2, 2]
        # Messages between replicas.
        for speaker, listener in ((a, b), (b, a)):
            assert speaker.bus.broadcast("word", word="to all")
            speaker.bus.send_to(listener.bus.replica_id, "word", word="to one")
            words = {await asyncio.wait_for(listener.heard.get(), 20) for _ in range(2)}
            assert words == {"to all", "to one"}


@pytest.mark.requirement("N22")
async def test_n22_active_session_outlives_its_original_secret(redis: Server) -> None:
    fields = {"id": "s", "level": "info", "customer": ""}
    async with members(redis, OLD_ONE) as (first,):
        await first.records.create("s", "o", {"level": "info", "customer": ""})
        await first.records.create("idle", "o", {})
    for secrets in STEPS[1:]:
        async with members(redis, secrets) as (member,):
            record = await member.records.find("s", "o", known_version=1)
            assert record is not None
            assert record.fields == fields if secrets == IN_USE else record.fields is None
            again = await member.records.find("s", "o")
            assert again is not None and again.fields == fields and again.version == 1
    async with members(redis, ALONE) as (last,):
        # The owner's list was renamed, too, with the session that no replica had read.
        assert await last.records.find("idle", "o") is None
        assert await last.records.create("t", "o", {}) == []
        with redis.client() as client:
            (old,), (new,) = name_variants(key_prefix(OLD_ONE)), name_variants(key_prefix(ALONE))
            assert not client.keys(f"{old}:sessions:*")
            assert client.keys(f"{new}:sessions:*") and client.keys(f"{new}:session:*")


@pytest.mark.requirement("N22")
async def test_n22_keepalive_also_renames_a_session(redis: Server) -> None:
    """A client with an open stream may send nothing for hours."""
    async with members(redis, OLD_ONE) as (first,):
        await first.records.create("s", "o", {})
    async with members(redis, IN_USE) as (member,):
        assert await member.records.renew([("s", "o")]) == [True]
    async with members(redis, ALONE) as (last,):
        record = await last.records.find("s", "o")
        assert record is not None and record.fields == {"id": "s"}


@pytest.mark.requirement("N22")
async def test_n22_nothing_is_written_under_a_retired_secret(redis: Server) -> None:
    """After the last step the old secret decrypts nothing: no name or value depends on it."""
    async with members(redis, IN_USE) as (member,):
        await member.records.create("s", "o", {"level": "info"})
        await member.results.put("o", b"rows")
        await member.receipts.claim("o", "g:k")
        member.notes.write("t", 1, 60)
        await member.bus.write_queue.flush()
        with redis.client() as client:
            keys = [key.decode() for key in client.keys()]
        (old,) = name_variants(key_prefix(OLD_ONE))
        # The liveness of this replica is not secret, and replicas that use the old name need it.
        assert {key for key in keys if key.startswith(old)} == {f"{old}:replica:{member.bus.replica_id}"}


class Traffic:
    """A session in constant use, at any replica that runs."""

    def __init__(self, session: Session, there: list[Replica]) -> None:
        self.session, self.there, self.calls = session, there, 0

    async def run(self) -> None:
        while True:
            site = self.there[self.calls % len(self.there)]
            try:
                answer = await at_replica(site, self.session).call("echo", {"text": "x"})
            except aiohttp.ClientError:
                # The replica is being replaced.
                await asyncio.sleep(0.01)
                continue
            assert answer.status == 200, answer
            self.calls += 1


def consent(state: str) -> dict[str, object]:
    answer = {"action": "accept", "content": {"name": "Ann"}}
    return {"name": "ask", "arguments": {}, "inputResponses": {"who": answer}, "requestState": state}


ELICITS = {"clientCapabilities": {"elicitation": {}}}
TASKS = {"clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}


async def question_state(site: Replica) -> str:
    return str((await site.call("ask", **ELICITS)).result["requestState"])


async def send_consent(site: Replica, state: str) -> Answer:
    return await site.send_stateless("tools/call", consent(state), **ELICITS)


@pytest.mark.requirement("N22")
@pytest.mark.timeout(240)
async def test_n22_secrets_rotate_under_traffic(redis: Server) -> None:
    """Two processes are replaced one after the other, three times: no session ends, and every consent stays valid."""
    async with replicas(redis.url) as (world, _), AsyncExitStack() as stack:

        async def start(step: tuple[str, ...]) -> Process:
            named = ["derived" if member == SECRET else member for member in step]
            return await stack.enter_async_context(separate(world, redis.url, state_secrets=named))

        fleet = [await start(OLD_ONE) for _ in range(2)]
        sites = [member.site for member in fleet]
        session = await sites[0].initialize()
        traffic = Traffic(session, sites)
        running = asyncio.create_task(traffic.run())
        for step in STEPS[1:]:
            for place in range(2):
                states = [await question_state(site) for site in sites]
                replaced = fleet[place]
                fleet[place] = await start(step)
                sites[place] = fleet[place].site
                await replaced.kill()
                for site in sites:
                    for state in states:
                        done = await send_consent(site, state)
                        assert done.result["structuredContent"] == {"said": "Ann"}
                calls = traffic.calls
                while traffic.calls < calls + 10:
                    assert not running.done(), running.exception()
                    await asyncio.sleep(0.01)
                # A task of one replica is visible at the other, and so is a change.
                task = (await sites[place].call("long", **TASKS)).result["taskId"]
                task_state = (await sites[1 - place].send_stateless("tasks/get", {"taskId": task}, **TASKS)).result
                assert task_state["status"] == "working"
                await hears(sites[1 - place], at_replica(sites[place], session))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def hears(publisher: Replica, session: Session) -> None:
    async with session.stream() as stream, asyncio.timeout(20):
        assert stream.status == 200
        async with publisher.http.post(f"{publisher.base}/tests/change") as response:
            assert response.status == 200
        assert "list_changed" in (await next_event(stream))[1]
