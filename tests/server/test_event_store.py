"""Replay: every event id stands for one place in one stream of one session, and room is bounded (T13, T14, S7)."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.server.event_store import EVENT_BYTES, LOG_BYTES, MOST_EVENTS, Replays, place

MESSAGES = st.lists(st.binary(min_size=1, max_size=20), max_size=30)


async def collected(replays: Replays, session: str, event_id: str) -> list[tuple[str, bytes]]:
    found = replays.find(session, event_id)
    assert found is not None
    log, number = found
    return [item async for item in log.after(number)]


@given(MESSAGES, st.data())
def test_continues_after_any_event(messages: list[bytes], data: st.DataObject) -> None:
    replays = Replays()
    log = replays.open("s", "1")
    ids = [log.id_of(0)] + [replays.add("s", log, message) for message in messages]
    replays.add("s", log, b"last", last=True)
    at = data.draw(st.integers(0, len(messages)))
    rest = asyncio.run(collected(replays, "s", ids[at]))
    assert [message for _, message in rest] == [*messages[at:], b"last"]
    assert [id for id, _ in rest][:-1] == ids[at + 1 :]


async def test_follows_what_is_still_to_come() -> None:
    replays = Replays()
    log = replays.open("s", "1")
    following = asyncio.create_task(collected(replays, "s", "1_0"))
    await asyncio.sleep(0)
    replays.add("s", log, b"a")
    await asyncio.sleep(0)
    replays.add("s", log, b"b", last=True)
    assert await following == [("1_1", b"a"), ("1_2", b"b")]


UNKNOWN = ("", "1", "1_", "_1", "1_x", "2_1", "1_2", "1_-1", "1_1_1", "1_1e3", "1_٣", "1_1" * 9)


@pytest.mark.parametrize("event_id", UNKNOWN)
def test_unknown_ids(event_id: str) -> None:
    replays = Replays()
    replays.add("s", replays.open("s", "1"), b"a")
    assert replays.find("s", event_id) is None
    assert replays.find("other", "1_1") is None


def test_a_long_stream_forgets_its_beginning() -> None:
    replays = Replays()
    log = replays.open("s", "1")
    for _ in range(MOST_EVENTS + 10):
        replays.add("s", log, b"x")
    assert replays.find("s", "1_9") is None and replays.find("s", "1_10") is not None
    assert len(log.events) == MOST_EVENTS and replays.bytes == MOST_EVENTS * (1 + EVENT_BYTES) + LOG_BYTES


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("12"), st.binary(min_size=1, max_size=40))))
def test_room_is_bounded_and_counted(steps: list[tuple[str, str, bytes]]) -> None:
    most = 200 + 3 * LOG_BYTES + 8 * EVENT_BYTES
    replays = Replays(most)
    logs = {}
    for session, stream, data in steps:
        if (session, stream) not in logs:
            logs[session, stream] = replays.open(session, stream)
        replays.add(session, logs[session, stream], data)
        assert replays.bytes <= most
    for session in "abc":
        replays.forget(session)
    assert replays.bytes == 0


async def test_followers_end_with_the_session() -> None:
    replays = Replays()
    replays.add("s", replays.open("s", "1"), b"a")
    following = asyncio.create_task(collected(replays, "s", "1_0"))
    await asyncio.sleep(0)
    replays.forget("s")
    assert await following == [("1_1", b"a")]
    assert replays.find("s", "1_0") is None


def test_an_event_id_names_its_stream() -> None:
    """Found by scripts/fuzz: "1" was read as message 1 of a stream without a name."""
    assert place("a_1") == ("a", 1) and place("_1") == ("", 1) and place("1") == ("", None)
    replays = Replays()
    replays.add("session", replays.open("session", ""), b"message")
    assert replays.find("session", "1") is None


def test_n5_an_owner_has_a_bound_of_its_own() -> None:
    """Who fills it loses the oldest of its own logs; those of others stay."""
    replays = Replays(owner_bytes=40_000)
    quiet = replays.open("quiet", "1", owner="q")
    replays.add("quiet", quiet, b"kept")
    for number in range(20):
        log = replays.open(f"s{number}", "1", owner="greedy")
        replays.add(f"s{number}", log, b"x" * 1_000)
    assert replays.bytes <= 40_000 + quiet.bytes
    assert replays.find("quiet", "1_0") is not None and replays.find("s0", "1_0") is None
    assert replays.find("s19", "1_0") is not None
    # A log that is larger than the bound goes as well, and so does its share.
    replays.add("s19", log, b"x" * 50_000)
    assert replays.find("s19", "1_0") is None and replays.bytes == quiet.bytes


def test_n5_ids_and_logs_without_messages_count() -> None:
    """A batch has up to 50 ids of 256 characters, and a log takes room before its first message."""
    replays = Replays(owner_bytes=100_000)
    first = replays.open("s", "first", ["i" * 256] * 50, owner="greedy")
    assert replays.bytes == first.bytes == LOG_BYTES + 50 * 256
    for number in range(100):
        replays.open("s", str(number), [number], owner="greedy")
    assert replays.bytes <= 100_000
    assert replays.find("s", "first_0") is None and replays.find("s", "99_0") is not None
    replays.forget("s")
    assert replays.bytes == 0
