"""The event store: an event id identifies one position in one stream of one session, and memory is limited."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.server.event_store import (
    EVENT_OVERHEAD_BYTES,
    LOG_OVERHEAD_BYTES,
    MAX_EVENTS_PER_STREAM,
    MemoryEventStore,
    parse_event_id,
)

MESSAGES = st.lists(st.binary(min_size=1, max_size=20), max_size=30)


async def collect(replays: MemoryEventStore, session: str, event_id: str) -> list[tuple[str, bytes]]:
    event_log = replays.find_event(session, event_id)
    assert event_log is not None
    log, number = event_log
    return [item async for item in log.events_after(number)]


@given(MESSAGES, st.data())
def test_resumes_after_any_event(messages: list[bytes], data: st.DataObject) -> None:
    replays = MemoryEventStore()
    log = replays.open_log("s", "1")
    ids = [log.event_id(0)] + [replays.append_local("s", log, message) for message in messages]
    replays.append_local("s", log, b"last", last=True)
    at = data.draw(st.integers(0, len(messages)))
    rest = asyncio.run(collect(replays, "s", ids[at]))
    assert [message for _, message in rest] == [*messages[at:], b"last"]
    assert [id for id, _ in rest][:-1] == ids[at + 1 :]


async def test_follows_new_events() -> None:
    replays = MemoryEventStore()
    log = replays.open_log("s", "1")
    following = asyncio.create_task(collect(replays, "s", "1_0"))
    await asyncio.sleep(0)
    replays.append_local("s", log, b"a")
    await asyncio.sleep(0)
    replays.append_local("s", log, b"b", last=True)
    assert await following == [("1_1", b"a"), ("1_2", b"b")]


UNKNOWN = ("", "1", "1_", "_1", "1_x", "2_1", "1_2", "1_-1", "1_1_1", "1_1e3", "1_٣", "1_1" * 9)


@pytest.mark.parametrize("event_id", UNKNOWN)
def test_unknown_ids(event_id: str) -> None:
    replays = MemoryEventStore()
    replays.append_local("s", replays.open_log("s", "1"), b"a")
    assert replays.find_event("s", event_id) is None
    assert replays.find_event("other", "1_1") is None


def test_long_stream_drops_its_oldest_events() -> None:
    replays = MemoryEventStore()
    log = replays.open_log("s", "1")
    for _ in range(MAX_EVENTS_PER_STREAM + 10):
        replays.append_local("s", log, b"x")
    assert replays.find_event("s", "1_9") is None and replays.find_event("s", "1_10") is not None
    assert (
        len(log.events) == MAX_EVENTS_PER_STREAM
        and replays.total_bytes == MAX_EVENTS_PER_STREAM * (1 + EVENT_OVERHEAD_BYTES) + LOG_OVERHEAD_BYTES
    )


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("12"), st.binary(min_size=1, max_size=40))))
def test_size_is_bounded_and_counted(steps: list[tuple[str, str, bytes]]) -> None:
    most = 200 + 3 * LOG_OVERHEAD_BYTES + 8 * EVENT_OVERHEAD_BYTES
    replays = MemoryEventStore(most)
    logs = {}
    for session, stream, data in steps:
        if (session, stream) not in logs:
            logs[session, stream] = replays.open_log(session, stream)
        replays.append_local(session, logs[session, stream], data)
        assert replays.total_bytes <= most
    for session in "abc":
        replays.forget_session(session)
    assert replays.total_bytes == 0


async def test_followers_end_with_the_session() -> None:
    replays = MemoryEventStore()
    replays.append_local("s", replays.open_log("s", "1"), b"a")
    following = asyncio.create_task(collect(replays, "s", "1_0"))
    await asyncio.sleep(0)
    replays.forget_session("s")
    assert await following == [("1_1", b"a")]
    assert replays.find_event("s", "1_0") is None


def test_event_id_names_its_stream() -> None:
    """Found by scripts/fuzz: "1" was parsed as message 1 of a stream without a name."""
    assert parse_event_id("a_1") == ("a", 1) and parse_event_id("_1") == ("", 1) and parse_event_id("1") == ("", None)
    replays = MemoryEventStore()
    replays.append_local("session", replays.open_log("session", ""), b"message")
    assert replays.find_event("session", "1") is None


@pytest.mark.requirement("N5")
def test_n5_owners_have_separate_limits() -> None:
    """An owner who exceeds the limit loses the oldest of their own logs; those of other owners stay."""
    replays = MemoryEventStore(max_owner_bytes=40_000)
    quiet = replays.open_log("quiet", "1", owner="q")
    replays.append_local("quiet", quiet, b"kept")
    for number in range(20):
        log = replays.open_log(f"s{number}", "1", owner="greedy")
        replays.append_local(f"s{number}", log, b"x" * 1_000)
    assert replays.total_bytes <= 40_000 + quiet.size_bytes
    assert replays.find_event("quiet", "1_0") is not None and replays.find_event("s0", "1_0") is None
    assert replays.find_event("s19", "1_0") is not None
    # A log that is larger than the limit is dropped as well, and no longer counts.
    replays.append_local("s19", log, b"x" * 50_000)
    assert replays.find_event("s19", "1_0") is None and replays.total_bytes == quiet.size_bytes


@pytest.mark.requirement("N5")
def test_n5_ids_and_empty_logs_count() -> None:
    """A batch has up to 50 ids of 256 characters, and a log takes memory before its first message."""
    replays = MemoryEventStore(max_owner_bytes=100_000)
    first = replays.open_log("s", "first", ["i" * 256] * 50, owner="greedy")
    assert replays.total_bytes == first.size_bytes == LOG_OVERHEAD_BYTES + 50 * 256
    for number in range(100):
        replays.open_log("s", str(number), [number], owner="greedy")
    assert replays.total_bytes <= 100_000
    assert replays.find_event("s", "first_0") is None and replays.find_event("s", "99_0") is not None
    replays.forget_session("s")
    assert replays.total_bytes == 0
