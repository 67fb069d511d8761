"""Sessions, logs and tasks of two replicas, where HTTP would not come to."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from doit_mcp.catalog.call import NoAnswer, Question
from doit_mcp.protocol.jsonrpc import Notification, Response, RpcError
from doit_mcp.protocol.request_metadata import Caller
from doit_mcp.protocol.revisions import UNSAID
from doit_mcp.redis_state.connection import open_link
from doit_mcp.redis_state.encryption import Box, prefix
from doit_mcp.redis_state.event_logs import Logs
from doit_mcp.redis_state.message_bus import Bus
from doit_mcp.redis_state.session_records import Records
from doit_mcp.redis_state.task_records import Notes
from doit_mcp.server import shared_event_store, shared_tasks
from doit_mcp.server.message_queue import Outbox
from doit_mcp.server.notification_hub import Change, Hub
from doit_mcp.server.shared_event_store import SharedReplays
from doit_mcp.server.shared_sessions import SharedSessions
from doit_mcp.server.shared_tasks import SharedTasks
from doit_mcp.server.task import LIFE_S, Task
from doit_mcp.server.tasks import PER_OWNER, InTask
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server, back

CALLER = Caller(UNSAID, {"name": "c"}, {"roots": {}})
FORM = Question("elicitation/create", {"message": "?"})


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Member:
    """A replica without HTTP."""

    def __init__(self, url: str) -> None:
        self.link = open_link(url, prefix(SECRET), timeout=0.3)
        self.bus = Bus(self.link, Box(SECRET, "bus"), beat=0.05)
        self.ended: list[str] = []
        records = Records(self.link, Box(SECRET, "sessions"), "session", self.bus.id, life=60)
        self.sessions = SharedSessions(records, self.bus, "session", ended=self.ended.append)
        logs = Logs(self.link, Box(SECRET, "logs"), self.bus.sender, self.bus.id, life=60, most_events=10)
        self.replays = SharedReplays(logs, self.bus, 12_000)
        self.clock = Clock()
        notes = Notes(self.link, Box(SECRET, "tasks"), self.bus.sender, "task", self.bus.id)
        self.tasks = SharedTasks(Hub(), notes, self.bus, self.clock)


Pair = tuple[Member, Member]


@pytest.fixture
async def pair(redis: Server) -> AsyncIterator[Pair]:
    a, b = Member(redis.url), Member(redis.url)
    async with a.bus.running(), b.bus.running():
        yield a, b
    for member in (a, b):
        await member.tasks.end_all()
        await member.link.close()


async def heard(a: Member, b: Member) -> None:
    """What *a* said so far has reached *b*."""
    told: asyncio.Queue[None] = asyncio.Queue()

    async def hear(body: Any) -> None:
        told.put_nowait(None)

    b.bus.on("heard", hear)
    a.bus.tell(b.bus.id, "heard")
    a.bus.broadcast("heard")
    for _ in range(2):
        await asyncio.wait_for(told.get(), 20)


async def test_a_session_is_here_while_it_is_used(pair: Pair) -> None:
    a, b = pair
    session = await a.sessions.open("o", CALLER)
    there = await b.sessions.find(session.id, "o")
    assert there is not None and there is await b.sessions.find(session.id, "o")
    assert (there.caller, there.level, there.customer) == (CALLER, "info", "") and len(b.sessions) == 1
    del there
    gc.collect()
    assert len(b.sessions) == 0 and await b.sessions.find(session.id, "p") is None


async def test_one_that_goes_while_its_record_is_read(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = pair
    session = await a.sessions.open("o", CALLER)
    held = [await b.sessions.find(session.id, "o")]
    read = b.sessions._records.find

    async def slowly(*arguments: Any, **named: Any) -> Any:
        found = await read(*arguments, **named)
        held.clear()
        gc.collect()
        return found

    monkeypatch.setattr(b.sessions._records, "find", slowly)
    again = await b.sessions.find(session.id, "o")
    assert again is not None and again.caller == CALLER


async def test_changes_are_merged(pair: Pair) -> None:
    """Two replicas change different things at once; nothing is written where nothing changed."""
    a, b = pair
    session = await a.sessions.open("o", CALLER)
    there = await b.sessions.find(session.id, "o")
    assert there is not None
    await session.save()
    session.level = "error"
    session.subscriptions |= {"doc://a"}
    there.subscriptions |= {"doc://b"}
    await asyncio.gather(session.save(), there.save())
    for member in pair:
        found = await member.sessions.find(session.id, "o")
        assert found is not None and found.level == "error" and found.subscriptions == {"doc://a", "doc://b"}
    session.customer, session.unsaved = "globex", True
    there.level = "debug"
    await there.save()
    # Not yet written, and not to be overwritten by what others wrote meanwhile.
    assert (await a.sessions.find(session.id, "o")) is session and session.customer == "globex"
    await session.save()
    assert not session.unsaved and (await b.sessions.find(session.id, "o")) is there and there.customer == "globex"


async def test_what_is_changed_after_the_end(pair: Pair) -> None:
    a, b = pair
    session = await a.sessions.open("o", CALLER)
    task = asyncio.create_task(asyncio.Event().wait())
    session.running[1] = task  # type: ignore[assignment]  # a task is a task
    await b.sessions._records.close(session.id, "o")
    session.level = "error"
    await session.save()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled() and a.ended == [session.id]


async def test_a_change_that_could_not_be_written_is_none(pair: Pair, redis: Server) -> None:
    a, _ = pair
    session = await a.sessions.open("o", CALLER)
    redis.kill()
    session.customer, session.unsaved = "globex", True
    with pytest.raises(RpcError, match="temporarily unavailable"):
        await session.save()
    redis.start()
    await back(a.link)
    assert not session.unsaved and await a.sessions.find(session.id, "o") is None


async def test_messages_for_nobody(pair: Pair) -> None:
    """They go where somebody may wait for them, and harm nothing."""
    a, b = pair
    session = await a.sessions.open("o", CALLER)
    there = await b.sessions.find(session.id, "o")
    assert there is not None
    own = f"doit-{session.questions}"
    for id in (None, 5, "other", own, f"doit-{there.questions}", f"doit-{'9' * 40}"):
        session.receive(Response(id, {}))
    for params in ({}, {"requestId": [1]}, {"requestId": "x" * 300}, {"requestId": 1}, {"requestId": True}):
        session.receive(Notification("notifications/cancelled", params))
    session.receive(Notification("notifications/initialized", {}))
    del there
    gc.collect()
    b.sessions.pass_on(session, Response(own, {}))
    for name in ("saved", "listens", "out", "cancel", "answer", "end"):
        b.bus.broadcast(f"session {name}", id="unknown", data="", request=1, answer=[1, {}, None])
    await heard(a, b)
    await heard(b, a)
    assert (await a.sessions.find(session.id, "o")) is session


async def test_one_of_two_streams_stays(pair: Pair) -> None:
    """Multiple Connections: of two that begin before either replica heard of the other's, the later in Redis stays."""
    a, b = pair
    here = await a.sessions.open("ann", CALLER)
    there = await b.sessions.find(here.id, "ann")
    assert there is not None
    one, other = Outbox(), Outbox()
    here.listen(one)
    there.listen(other)
    await heard(a, b)
    await heard(b, a)
    assert one.closed != other.closed
    newest = Outbox()
    here.listen(newest)
    await heard(a, b)
    assert other.closed and not newest.closed


async def test_the_end_of_a_replica_is_not_that_of_its_sessions(pair: Pair) -> None:
    a, b = pair
    outbox = Outbox()
    session = await a.sessions.open("o", CALLER, outbox)
    a.sessions.end_all()
    assert outbox.closed and await b.sessions.find(session.id, "o") is not None


async def collected(rest: AsyncIterator[tuple[str, bytes]] | None) -> list[bytes]:
    assert rest is not None
    return [data async for _, data in rest]


async def test_logs_that_are_dropped(pair: Pair) -> None:
    """Where room is short the oldest go, here and in Redis."""
    a, b = pair
    old, new = a.replays.open("s", "old"), a.replays.open("s", "new")
    for log in (old, new):
        await a.replays.begin("s", log)
    await a.replays.keep("s", old, b"1")
    await a.replays.keep("s", new, b"x" * 4000)
    await a.replays.keep("s", old, b"2")
    await a.replays.end("s", new)
    await a.bus.sender.flush()
    assert await b.replays.after("s", "old_0") is None and await b.replays.after("s", "x") is None


async def test_following_through_an_outage(pair: Pair, redis: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_event_store, "LOOK_S", 0.05)
    a, b = pair
    log = a.replays.open("s", "1", [7])
    await a.replays.begin("s", log)
    following = asyncio.create_task(collected(await b.replays.after("s", "1_0")))
    while not log.followed:
        await asyncio.sleep(0.005)
    redis.pause()
    # Longer than a command may take.
    await asyncio.sleep(0.5)
    keeping = asyncio.create_task(a.replays.keep("s", log, b"answer", last=True))
    redis.resume()
    await keeping
    assert await asyncio.wait_for(following, 20) == [b"answer"]


async def test_a_message_seen_before_redis_has_it(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_event_store, "LOOK_S", 0.05)
    a, b = pair
    log = a.replays.open("s", "1", [7])
    await a.replays.begin("s", log)
    finding = asyncio.create_task(b.replays.after("s", "1_1"))
    await asyncio.sleep(0.01)
    await a.replays.keep("s", log, b"1")
    await a.replays.keep("s", log, b"2", last=True)
    assert await collected(await finding) == [b"2"]


async def test_n5_a_log_whose_requests_are_not_known_ends_without_answers(pair: Pair, redis: Server) -> None:
    """What a log is about is stored beside it; Redis can lose that alone."""
    a, b = pair
    written = Logs(a.link, Box(SECRET, "logs"), a.bus.sender, "dead", life=60, most_events=10)
    await written.begin("s", "1", [7])
    await written.add("s", "1", 1, b"x", last=False)
    await a.bus.sender.flush()
    message, answer = await collected(await b.replays.after("s", "1_0"))
    assert message == b"x" and b'"id":7' in answer
    with redis.client() as client:
        client.delete(*client.keys("*:log:*:about"))
    assert await collected(await b.replays.after("s", "1_0")) == [b"x"]


async def test_nobody_follows_what_is_gone(pair: Pair) -> None:
    a, b = pair
    for kind in ("follow", "more", "left"):
        b.bus.tell(a.bus.id, f"log {kind}", key=["s", "gone"], by=b.bus.id)
    await heard(b, a)
    assert len(a.replays._followed) == 0


async def waits(task: Task) -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def test_answers_that_come_too_late(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    """The question was another one when the answer was given elsewhere."""
    caplog.set_level(logging.INFO)
    a, b = pair

    async def work(task: Task) -> dict[str, Any]:
        return await InTask(a.tasks, task).ask({"one": FORM})

    task = a.tasks.create("o", work, {})
    while task.status != "input_required":
        await asyncio.sleep(0)
    await a.tasks.settled()
    await a.tasks.settled()
    for answers in ({"one": {"action": "perhaps"}}, {"two": {}}):
        b.bus.tell(a.bus.id, "task answer", id=task.id, owner="o", answers=answers)
    for kind in ("answer", "stop"):
        b.bus.tell(a.bus.id, f"task {kind}", id="unknown", owner="o", answers={})
        b.bus.tell(a.bus.id, f"task {kind}", id=task.id, owner="p", answers={})
    await heard(b, a)
    assert "too late" in caplog.text and task.status == "input_required"
    there = await b.tasks.find(task.id, "o")
    assert there is not None and there.holder == a.bus.id
    with pytest.raises(NoAnswer):
        await b.tasks.take(there, {"one": 5})
    await b.tasks.take(there, {"two": {}})
    assert await a.tasks.find(task.id, "o") is task
    await a.tasks.take(task, {"one": {"action": "decline"}})
    while task.status != "completed":
        await asyncio.sleep(0)


async def test_a_task_that_moved_and_is_gone_or_of_somebody_else(pair: Pair) -> None:
    a, b = pair
    task = a.tasks.create("o", waits, {})
    await a.tasks.settled()
    told: list[Change] = []
    with b.tasks._hub.listening("o", told.append), b.tasks._hub.listening("p", told.append):
        for id, owner in (("unknown", "o"), (task.id, "p"), (task.id, "q"), (task.id, "o")):
            a.bus.broadcast(shared_tasks.MOVED, id=id, owner=owner)
        await heard(a, b)
    assert [(change.about, change.owner) for change in told] == [(task.id, "o")]


async def test_a_holder_that_is_slow(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shared_tasks, "EFFECT_S", 0.05)
    a, b = pair
    task = a.tasks.create("o", waits, {})
    await a.tasks.settled()
    there = await b.tasks.find(task.id, "o")
    assert there is not None
    monkeypatch.setattr(a.tasks, "cancel", lambda task: None)
    await b.tasks.stop(there)
    assert "slow" in caplog.text
    monkeypatch.undo()
    await a.tasks.stop(task)
    assert task.status == "cancelled"


async def test_tasks_that_end_and_go(pair: Pair) -> None:
    a, b = pair

    async def at_once(task: Task) -> dict[str, Any]:
        return {}

    tasks = []
    for _ in range(PER_OWNER + 1):
        tasks.append(a.tasks.create("o", at_once, {}))
        while tasks[-1].status != "completed":
            await asyncio.sleep(0)
    await a.tasks.settled()
    assert await b.tasks.find(tasks[0].id, "o") is None
    there = await b.tasks.find(tasks[-1].id, "o")
    assert there is not None and there.status == "completed"
    await b.tasks.stop(there)
    a.clock.now += LIFE_S + 1
    assert await a.tasks.find(tasks[-1].id, "o") is None
    await a.bus.sender.flush()
    assert await b.tasks.find(tasks[-1].id, "o") is None
