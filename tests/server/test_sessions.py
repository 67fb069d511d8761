"""Sessions have owners and limits, and expire when idle, but never while a request is running in them."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.protocol.jsonrpc import Request, Response, RpcError
from doit_mcp.protocol.request_metadata import Caller
from doit_mcp.protocol.revisions import DEFAULT_REVISION
from doit_mcp.redis_state.encryption import Encryptor
from doit_mcp.resilience.concurrency import ConcurrencyLimiter
from doit_mcp.resilience.limits import LimitExceeded
from doit_mcp.server.memory_sessions import MAX_ENDED_PER_OWNER, MemorySessions
from doit_mcp.server.message_queue import MessageQueue
from doit_mcp.server.session_ids import SessionIds

CALLER = Caller(DEFAULT_REVISION)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def new_sessions(clock: Clock | None = None, *, per_owner: int = 3, total: int = 5) -> MemorySessions:
    return MemorySessions(idle_seconds=10, max_per_owner=per_owner, max_total=total, clock=clock or Clock())


@pytest.mark.requirement("S3", "M39", "M47")
async def test_ids_cannot_be_guessed_or_chosen() -> None:
    """At least 128 bits, visible ASCII, and each one unique."""
    sessions = new_sessions(per_owner=2000, total=2000)
    ids = {(await sessions.open("a", CALLER)).id for _ in range(1000)}
    assert len(ids) == 1000 and all(re.fullmatch("[0-9a-f]{48}", id) for id in ids)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["open", "use", "wait", "close"])), max_size=60))
async def test_bounds_hold_for_any_sequence(steps: list[tuple[str, str]]) -> None:
    clock = Clock()
    sessions = new_sessions(clock)
    ids: dict[str, list[str]] = {"a": [], "b": [], "c": []}
    for owner, step in steps:
        if step == "open":
            ids[owner].append((await sessions.open(owner, CALLER)).id)
        elif step == "wait":
            clock.now += 4
        elif ids[owner] and (session := await sessions.find(ids[owner][0], owner)) and step == "close":
            await sessions.close(session)
        assert len(sessions) <= 5
        for other in "abc":
            alive = [id for id in ids[other] if await sessions.find(id, other)]
            assert len(alive) <= 3
            for foreign in set("abc") - {other}:
                assert [await sessions.find(id, foreign) for id in alive] == [None] * len(alive)


async def test_oldest_session_of_the_owner_is_evicted() -> None:
    sessions = new_sessions()
    other = await sessions.open("b", CALLER)
    first, second, third = [await sessions.open("a", CALLER) for _ in range(3)]
    assert await sessions.find(first.id, "a")
    await sessions.open("a", CALLER)
    assert await sessions.find(second.id, "a") is None
    for session in (first, third, other):
        assert await sessions.find(session.id, session.owner) is session


async def test_idle_sessions_expire_and_busy_ones_stay() -> None:
    clock = Clock()
    sessions = new_sessions(clock)
    idle, running, listening = [await sessions.open(owner, CALLER) for owner in "abc"]
    task = asyncio.create_task(asyncio.sleep(60))
    running.start_request(Request(1, "x", {}), task)
    outbox = MessageQueue()
    listening.attach_queue(outbox)
    clock.now = 11
    sessions.close_idle()
    assert len(sessions) == 2 and await sessions.find(idle.id, "a") is None
    assert await sessions.find(running.id, "b") and await sessions.find(listening.id, "c")
    sessions.end_all()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert outbox.closed and len(sessions) == 0


async def test_requests_in_progress() -> None:
    session = await new_sessions().open("a", CALLER)
    task = asyncio.create_task(asyncio.sleep(60))
    session.start_request(Request(1, "x", {}), task)
    with pytest.raises(RpcError):
        session.check_request_id(Request(1, "x", {}))
    for other in (True, 1.0, "1", None, [1]):
        session.cancel_request(other)
    await asyncio.sleep(0)
    assert not task.cancelled()
    session.cancel_request(1)
    with pytest.raises(asyncio.CancelledError):
        await task
    session.check_request_id(Request(1, "x", {}))


async def test_responses_to_client_requests() -> None:
    session = await new_sessions().open("a", CALLER)
    session.pending_questions["q"] = future = asyncio.get_running_loop().create_future()
    session.resolve_question(Response("other", {}))
    session.resolve_question(Response(None, error={"code": 1, "message": ""}))
    assert not future.done()
    session.resolve_question(Response("q", {"a": 1}))
    session.resolve_question(Response("q", {"a": 2}))
    assert (await future).result == {"a": 1}


@pytest.mark.requirement("Q2")
@given(st.lists(st.tuples(st.booleans(), st.sampled_from("ab")), max_size=40))
def test_slots_are_counted(steps: list[tuple[bool, str]]) -> None:
    """Each owner and all owners together have a limit, and owners without a slot take no memory."""
    slots = ConcurrencyLimiter(max_per_owner=2, max_total=3)
    held: list[str] = []
    for take, owner in steps:
        if take:
            full = held.count(owner) >= 2 or len(held) >= 3
            try:
                slots.acquire(owner)
                assert not full
                held.append(owner)
            except LimitExceeded as refused:
                assert full and refused.scope == ("owner" if held.count(owner) >= 2 else "server")
        elif owner in held:
            held.remove(owner)
            slots.release(owner)
        assert slots.in_use == len(held)
    for owner in held:
        slots.release(owner)
    assert slots.in_use == 0
    asyncio.run(slots.wait_until_idle())


@pytest.mark.requirement("N3")
def test_n3_batch_takes_no_more_than_the_free_slots() -> None:
    slots = ConcurrencyLimiter(max_per_owner=5, max_total=7)
    assert [slots.acquire_up_to("a", 3), slots.acquire_up_to("a", 3)] == [3, 2] and slots.held_by("a") == 5
    with pytest.raises(LimitExceeded) as caught:
        slots.acquire_up_to("a", 1)
    assert slots.acquire_up_to("b", 8) == 2
    with pytest.raises(LimitExceeded) as all_taken:
        slots.acquire_up_to("c", 1)
    assert (caught.value.scope, all_taken.value.scope) == ("owner", "server")
    for owner, places in (("a", 2), ("b", 2), ("a", 3)):
        slots.release(owner, places)
    assert slots.in_use == slots.held_by("a") == slots.held_by("b") == 0


def revivable(clock: Clock | None = None, *, per_owner: int = 3, total: int = 5) -> MemorySessions:
    """The sessions of another process with the same secret."""
    ids = SessionIds(Encryptor("a secret", "session ids"))
    return MemorySessions(idle_seconds=10, max_per_owner=per_owner, max_total=total, ids=ids, clock=clock or Clock())


@pytest.mark.requirement("S1", "S4")
async def test_another_process_revives_a_session_for_its_owner() -> None:
    original = await revivable().open("a", CALLER)
    process = revivable()
    assert await process.find(original.id, "b") is None and len(process) == 0
    revived = await process.find(original.id, "a")
    assert revived is not None and revived.caller == CALLER and revived.is_revived
    assert await process.find(original.id, "a") is revived


@pytest.mark.requirement("M3")
async def test_revived_session_does_not_repeat_ids_of_questions() -> None:
    original = await revivable().open("a", CALLER)
    revived = [await revivable().find(original.id, "a") for _ in range(20)]
    assert len({session.question_count for session in revived if session is not None} | {0}) == 21


@pytest.mark.requirement("S4", "M40")
async def test_ended_session_is_not_revived() -> None:
    """Neither is one that another process opened, nor one whose end was forgotten."""
    clock = Clock()
    process = revivable(clock)
    ended = [await process.open("a", CALLER), await revivable().open("a", CALLER)]
    for session in ended:
        found = await process.find(session.id, "a")
        assert found is not None
        await process.close(found)
        assert await process.find(session.id, "a") is None
    for _ in range(MAX_ENDED_PER_OWNER):
        await process.close(await process.open("a", CALLER))
    clock.now += 1_000
    assert [await process.find(session.id, "a") for session in ended] == [None, None]


@pytest.mark.requirement("S8")
async def test_limits_hold_for_revived_sessions() -> None:
    opened = [await revivable(per_owner=9, total=9).open(owner, CALLER) for owner in "aaaabbb"]
    process = revivable()
    revived = []
    for session in opened:
        revived.append(await process.find(session.id, session.owner))
        assert len(process) <= 5
    # The first of the owner made room for its fourth, and the next one for the last of all.
    for kept in revived[2:]:
        assert kept is not None and await process.find(kept.id, kept.owner) is kept


async def test_sessions_without_ids_are_not_revived() -> None:
    sessions = new_sessions()
    session = await sessions.open("a", CALLER)
    await sessions.close(session)
    assert await sessions.find(session.id, "a") is None
