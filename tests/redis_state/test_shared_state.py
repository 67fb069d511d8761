"""Sessions, events and tasks of two replicas, in situations that HTTP requests cannot produce reliably."""

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
from doit_mcp.protocol.revisions import DEFAULT_REVISION
from doit_mcp.redis_state import event_store, tasks
from doit_mcp.redis_state.client import open_connection
from doit_mcp.redis_state.encryption import Encryptor, key_prefix
from doit_mcp.redis_state.event_logs import EventLogs
from doit_mcp.redis_state.event_store import RedisEventStore
from doit_mcp.redis_state.message_bus import MessageBus
from doit_mcp.redis_state.session_records import SessionRecords
from doit_mcp.redis_state.sessions import RedisSessions
from doit_mcp.redis_state.task_records import TaskRecords
from doit_mcp.redis_state.tasks import TASK_MOVED, RedisTasks
from doit_mcp.server.message_queue import MessageQueue
from doit_mcp.server.notification_hub import ChangeEvent, NotificationHub
from doit_mcp.server.task import LIFETIME_SECONDS, Task
from doit_mcp.server.tasks import MAX_TASKS_PER_OWNER, TaskInputCollector
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server, wait_for_redis

CALLER = Caller(DEFAULT_REVISION, {"name": "c"}, {"roots": {}})
FORM = Question("elicitation/create", {"message": "?"})


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Member:
    """A replica without HTTP."""

    def __init__(self, url: str) -> None:
        self.link = open_connection(url, key_prefix(SECRET), timeout=0.3)
        self.bus = MessageBus(self.link, Encryptor(SECRET, "bus"), heartbeat_seconds=0.05)
        self.ended: list[str] = []
        records = SessionRecords(self.link, Encryptor(SECRET, "sessions"), "session", self.bus.replica_id, ttl=60)
        self.sessions = RedisSessions(records, self.bus, "session", on_end=self.ended.append)
        logs = EventLogs(
            self.link, Encryptor(SECRET, "logs"), self.bus.write_queue, self.bus.replica_id, ttl=60, max_events=10
        )
        self.replays = RedisEventStore(logs, self.bus, 12_000)
        self.clock = Clock()
        notes = TaskRecords(self.link, Encryptor(SECRET, "tasks"), self.bus.write_queue, "task", self.bus.replica_id)
        self.tasks = RedisTasks(NotificationHub(), notes, self.bus, self.clock)


Pair = tuple[Member, Member]


@pytest.fixture
async def pair(redis: Server) -> AsyncIterator[Pair]:
    a, b = Member(redis.url), Member(redis.url)
    async with a.bus.lifespan(), b.bus.lifespan():
        yield a, b
    for member in (a, b):
        await member.tasks.end_all()
        await member.link.close()


async def wait_for_messages(a: Member, b: Member) -> None:
    """Wait until all messages of *a* have reached *b*."""
    notified: asyncio.Queue[None] = asyncio.Queue()

    async def hear(body: Any) -> None:
        notified.put_nowait(None)

    b.bus.on_message("heard", hear)
    a.bus.send_to(b.bus.replica_id, "heard")
    a.bus.broadcast("heard")
    for _ in range(2):
        await asyncio.wait_for(notified.get(), 20)


async def test_session_is_local_while_it_is_used(pair: Pair) -> None:
    a, b = pair
    session = await a.sessions.open("o", CALLER)
    remote = await b.sessions.find(session.id, "o")
    assert remote is not None and remote is await b.sessions.find(session.id, "o")
    assert (remote.caller, remote.log_level, remote.customer) == (CALLER, "info", "") and len(b.sessions) == 1
    del remote
    gc.collect()
    assert len(b.sessions) == 0 and await b.sessions.find(session.id, "p") is None


async def test_session_ended_while_its_record_is_read(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = pair
    session = await a.sessions.open("o", CALLER)
    held = [await b.sessions.find(session.id, "o")]
    read = b.sessions._records.find

    async def slowly(*arguments: Any, **named: Any) -> Any:
        record = await read(*arguments, **named)
        held.clear()
        gc.collect()
        return record

    monkeypatch.setattr(b.sessions._records, "find", slowly)
    again = await b.sessions.find(session.id, "o")
    assert again is not None and again.caller == CALLER


async def test_changes_are_merged(pair: Pair) -> None:
    """Two replicas change different fields at once; unchanged fields are not written."""
    a, b = pair
    session = await a.sessions.open("o", CALLER)
    remote = await b.sessions.find(session.id, "o")
    assert remote is not None
    await session.save()
    session.log_level = "error"
    session.subscriptions |= {"doc://a"}
    remote.subscriptions |= {"doc://b"}
    await asyncio.gather(session.save(), remote.save())
    for member in pair:
        reloaded = await member.sessions.find(session.id, "o")
        assert (
            reloaded is not None and reloaded.log_level == "error" and reloaded.subscriptions == {"doc://a", "doc://b"}
        )
    session.customer, session.has_unsaved_changes = "globex", True
    remote.log_level = "debug"
    await remote.save()
    # An unsaved change is not overwritten by the writes of other replicas.
    assert (await a.sessions.find(session.id, "o")) is session and session.customer == "globex"
    await session.save()
    assert (
        not session.has_unsaved_changes
        and (await b.sessions.find(session.id, "o")) is remote
        and remote.customer == "globex"
    )


async def test_change_after_the_end(pair: Pair) -> None:
    a, b = pair
    session = await a.sessions.open("o", CALLER)
    task = asyncio.create_task(asyncio.Event().wait())
    session.running_requests[1] = task  # type: ignore[assignment]  # a task is a task
    await b.sessions._records.delete(session.id, "o")
    session.log_level = "error"
    await session.save()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled() and a.ended == [session.id]


async def test_unwritable_change_is_an_error(pair: Pair, redis: Server) -> None:
    a, _ = pair
    session = await a.sessions.open("o", CALLER)
    redis.kill()
    session.customer, session.has_unsaved_changes = "globex", True
    with pytest.raises(RpcError, match="temporarily unavailable"):
        await session.save()
    redis.start()
    await wait_for_redis(a.link)
    assert not session.has_unsaved_changes and await a.sessions.find(session.id, "o") is None


async def test_messages_without_a_recipient(pair: Pair) -> None:
    """Messages without a receiver are sent to the replica that may wait for them, and do no harm elsewhere."""
    a, b = pair
    session = await a.sessions.open("o", CALLER)
    remote = await b.sessions.find(session.id, "o")
    assert remote is not None
    request_id = f"doit-{session.question_count}"
    for id in (None, 5, "other", request_id, f"doit-{remote.question_count}", f"doit-{'9' * 40}"):
        session.receive(Response(id, {}))
    for params in ({}, {"requestId": [1]}, {"requestId": "x" * 300}, {"requestId": 1}, {"requestId": True}):
        session.receive(Notification("notifications/cancelled", params))
    session.receive(Notification("notifications/initialized", {}))
    del remote
    gc.collect()
    b.sessions.forward(session, Response(request_id, {}))
    for name in ("saved", "listens", "out", "cancel", "answer", "end"):
        b.bus.broadcast(f"session {name}", id="unknown", data="", request=1, answer=[1, {}, None])
    await wait_for_messages(a, b)
    await wait_for_messages(b, a)
    assert (await a.sessions.find(session.id, "o")) is session


async def test_one_of_two_streams_stays(pair: Pair) -> None:
    """MCP, Multiple Connections: of two streams that begin at the same time, the one that is later in Redis stays."""
    a, b = pair
    local = await a.sessions.open("ann", CALLER)
    remote = await b.sessions.find(local.id, "ann")
    assert remote is not None
    queue, other = MessageQueue(), MessageQueue()
    local.attach_queue(queue)
    remote.attach_queue(other)
    await wait_for_messages(a, b)
    await wait_for_messages(b, a)
    assert queue.closed != other.closed
    newest = MessageQueue()
    local.attach_queue(newest)
    await wait_for_messages(a, b)
    assert other.closed and not newest.closed


async def test_sessions_outlive_their_replica(pair: Pair) -> None:
    a, b = pair
    outbox = MessageQueue()
    session = await a.sessions.open("o", CALLER, outbox)
    a.sessions.end_all()
    assert outbox.closed and await b.sessions.find(session.id, "o") is not None


async def collect_items(rest: AsyncIterator[tuple[str, bytes]] | None) -> list[bytes]:
    assert rest is not None
    return [data async for _, data in rest]


async def test_dropped_logs(pair: Pair) -> None:
    """Beyond the limit the oldest logs are dropped, from memory and from Redis."""
    a, b = pair
    old, new = a.replays.open_log("s", "old"), a.replays.open_log("s", "new")
    for log in (old, new):
        await a.replays.begin_log("s", log)
    await a.replays.append_event("s", old, b"1")
    await a.replays.append_event("s", new, b"x" * 4000)
    await a.replays.append_event("s", old, b"2")
    await a.replays.end_log("s", new)
    await a.bus.write_queue.flush()
    assert await b.replays.events_after("s", "old_0") is None and await b.replays.events_after("s", "x") is None


async def test_follows_through_an_outage(pair: Pair, redis: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_store, "POLL_SECONDS", 0.05)
    a, b = pair
    log = a.replays.open_log("s", "1", [7])
    await a.replays.begin_log("s", log)
    following = asyncio.create_task(collect_items(await b.replays.events_after("s", "1_0")))
    while not log.is_resumed:
        await asyncio.sleep(0.005)
    redis.pause()
    # Longer than the timeout of a command.
    await asyncio.sleep(0.5)
    keeping = asyncio.create_task(a.replays.append_event("s", log, b"answer", last=True))
    redis.resume()
    await keeping
    assert await asyncio.wait_for(following, 20) == [b"answer"]


async def test_message_is_seen_before_it_reaches_redis(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_store, "POLL_SECONDS", 0.05)
    a, b = pair
    log = a.replays.open_log("s", "1", [7])
    await a.replays.begin_log("s", log)
    finding = asyncio.create_task(b.replays.events_after("s", "1_1"))
    await asyncio.sleep(0.01)
    await a.replays.append_event("s", log, b"1")
    await a.replays.append_event("s", log, b"2", last=True)
    assert await collect_items(await finding) == [b"2"]


@pytest.mark.requirement("N5")
async def test_n5_log_with_unknown_requests_ends_without_responses(pair: Pair, redis: Server) -> None:
    """The metadata of a log has its own key, which Redis can lose."""
    a, b = pair
    written = EventLogs(a.link, Encryptor(SECRET, "logs"), a.bus.write_queue, "dead", ttl=60, max_events=10)
    await written.create("s", "1", [7])
    await written.add("s", "1", 1, b"x", last=False)
    await a.bus.write_queue.flush()
    message, answer = await collect_items(await b.replays.events_after("s", "1_0"))
    assert message == b"x" and b'"id":7' in answer
    with redis.client() as client:
        client.delete(*client.keys("*:log:*:about"))
    assert await collect_items(await b.replays.events_after("s", "1_0")) == [b"x"]


async def test_missing_log_has_no_followers(pair: Pair) -> None:
    a, b = pair
    for kind in ("follow", "more", "left"):
        b.bus.send_to(a.bus.replica_id, f"log {kind}", key=["s", "gone"], by=b.bus.replica_id)
    await wait_for_messages(b, a)
    assert len(a.replays._remote_followers) == 0


async def waits(task: Task) -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def test_late_answers(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    """The task has asked a different question by the time the answer arrives from another replica."""
    caplog.set_level(logging.INFO)
    a, b = pair

    async def work(task: Task) -> dict[str, Any]:
        return await TaskInputCollector(a.tasks, task).ask({"one": FORM})

    task = a.tasks.create("o", work, {})
    while task.status != "input_required":
        await asyncio.sleep(0)
    await a.tasks.wait_until_saved()
    await a.tasks.wait_until_saved()
    for answers in ({"one": {"action": "perhaps"}}, {"two": {}}):
        b.bus.send_to(a.bus.replica_id, "task answer", id=task.id, owner="o", answers=answers)
    for kind in ("answer", "stop"):
        b.bus.send_to(a.bus.replica_id, f"task {kind}", id="unknown", owner="o", answers={})
        b.bus.send_to(a.bus.replica_id, f"task {kind}", id=task.id, owner="p", answers={})
    await wait_for_messages(b, a)
    assert "after its question was closed" in caplog.text and task.status == "input_required"
    remote = await b.tasks.find(task.id, "o")
    assert remote is not None and remote.holder == a.bus.replica_id
    with pytest.raises(NoAnswer):
        await b.tasks.accept_answers(remote, {"one": 5})
    await b.tasks.accept_answers(remote, {"two": {}})
    assert await a.tasks.find(task.id, "o") is task
    await a.tasks.accept_answers(task, {"one": {"action": "decline"}})
    while task.status != "completed":
        await asyncio.sleep(0)


async def test_moved_missing_or_foreign_task(pair: Pair) -> None:
    a, b = pair
    task = a.tasks.create("o", waits, {})
    await a.tasks.wait_until_saved()
    events: list[ChangeEvent] = []
    with b.tasks._hub.subscribe("o", events.append), b.tasks._hub.subscribe("p", events.append):
        for id, owner in (("unknown", "o"), (task.id, "p"), (task.id, "q"), (task.id, "o")):
            a.bus.broadcast(TASK_MOVED, id=id, owner=owner)
        await wait_for_messages(a, b)
    assert [(change.subject, change.owner) for change in events] == [(task.id, "o")]


async def test_slow_holder(pair: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(tasks, "EFFECT_TIMEOUT_SECONDS", 0.05)
    a, b = pair
    task = a.tasks.create("o", waits, {})
    await a.tasks.wait_until_saved()
    remote = await b.tasks.find(task.id, "o")
    assert remote is not None
    monkeypatch.setattr(a.tasks.local, "cancel", lambda task: None)
    await b.tasks.stop(remote)
    assert "slow" in caplog.text
    monkeypatch.undo()
    await a.tasks.stop(task)
    assert task.status == "cancelled"


async def test_tasks_end_and_expire(pair: Pair) -> None:
    a, b = pair

    async def at_once(task: Task) -> dict[str, Any]:
        return {}

    tasks = []
    for _ in range(MAX_TASKS_PER_OWNER + 1):
        tasks.append(a.tasks.create("o", at_once, {}))
        while tasks[-1].status != "completed":
            await asyncio.sleep(0)
    await a.tasks.wait_until_saved()
    assert await b.tasks.find(tasks[0].id, "o") is None
    remote = await b.tasks.find(tasks[-1].id, "o")
    assert remote is not None and remote.status == "completed"
    await b.tasks.stop(remote)
    a.clock.now += LIFETIME_SECONDS + 1
    assert await a.tasks.find(tasks[-1].id, "o") is None
    await a.bus.write_queue.flush()
    assert await b.tasks.find(tasks[-1].id, "o") is None
