"""Tasks of all replicas. Each runs at one replica, and can be found, answered and stopped at any (SEP-2663)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..catalog.call import NoAnswer, Question
from ..protocol.jsonrpc import INTERNAL_ERROR, JsonObject, RpcError
from ..resilience.limits import SharedLimiter
from ..resilience.unavailable import StateUnavailable
from ..server.notification_hub import TASK_UPDATED, ChangeEvent, NotificationHub
from ..server.task import FINAL_STATUSES, LIFETIME_SECONDS, Task, check_answers
from ..server.tasks import MemoryTasks, Work
from .message_bus import MessageBus, Payload
from .task_records import TaskRecord, TaskRecords

log = logging.getLogger(__name__)

SAVE_TIMEOUT_SECONDS = 2.0
# How long to wait until an answer or a stop takes effect at another replica, and how often to check.
EFFECT_TIMEOUT_SECONDS, POLL_SECONDS = 2.0, 0.02
# The message that replaces a change too large to send to every replica (notification_relay).
TASK_MOVED = "task moved"
REPLICA_LOST = "The server that ran the task was restarted; call again"
STORED_FIELDS = ("id", "owner", "created", "updated", "status", "message", "result", "error")


class RedisTasks:
    """Implements :class:`doit_mcp.server.tasks.Tasks` with a record of each task in Redis.

    Answers and stops are sent to the replica that runs the task. All replicas share the limit on running tasks. Each
    has its own limit on stored ones.
    """

    def __init__(
        self, hub: NotificationHub, records: TaskRecords, bus: MessageBus, clock: Callable[[], float] = time.time
    ) -> None:
        self.local = MemoryTasks(hub, clock, on_change=self._save, on_remove=self._delete)
        self._hub, self._clock, self._records, self._bus = hub, clock, records, bus
        self._has_unsaved = False
        bus.on_message("task stop", self._on_stop)
        bus.on_message("task answer", self._on_answer)
        bus.on_message(TASK_MOVED, self._on_moved)

    def __len__(self) -> int:
        return len(self.local)

    def share(self, quota: SharedLimiter) -> None:
        """Limit the running tasks of all replicas together by *quota*."""
        self.local.share(quota)

    async def check_quota(self, owner: str) -> None:
        """Check that the tasks at other replicas leave room for one more. Raise LimitExceeded."""
        await self.local.check_quota(owner)

    def count_running(self, owner: str) -> int:
        """Return the number of tasks of *owner* that run in this process."""
        return self.local.count_running(owner)

    def create(self, owner: str, work: Work, answers: Mapping[str, JsonObject], message: str = "") -> Task:
        """Start *work* as a new task of *owner* in this process. Raise LimitExceeded."""
        return self.local.create(owner, work, answers, message)

    async def ask(self, task: Task, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Ask the client of a task of this process, and wait for the answers."""
        return await self.local.ask(task, questions)

    def show_progress(self, task: Task, message: str) -> None:
        """Make *message* the status message of a task of this process, unless it has changed a short time ago."""
        self.local.show_progress(task, message)

    def _save(self, task: Task) -> None:
        questions = {
            key: [question.method, question.params, question.signed] for key, question in task.open_questions.items()
        }
        value = {name: getattr(task, name) for name in STORED_FIELDS} | {"asked": questions}
        self._records.write(task.id, value, task.created + LIFETIME_SECONDS - self._clock())
        self._has_unsaved = True

    def _delete(self, task: Task) -> None:
        self._records.delete(task.id)

    async def wait_until_saved(self) -> None:
        """Wait until the tasks created here can be found at every replica, unless Redis is unavailable."""
        if self._has_unsaved:
            self._has_unsaved = False
            await self._records.wait_until_saved(SAVE_TIMEOUT_SECONDS)

    async def find(self, id: str, owner: str) -> Task | None:
        """Return the task from the replica where it runs."""
        task = self.local.find_local(id, owner)
        if task is not None:
            return task
        record = await self._read(id)
        # A task that this replica no longer stores has been removed, even if its record still exists.
        if record is None or record.holder == self._bus.replica_id or record.value["owner"] != owner:
            return None
        return _task_from_record(record)

    async def _read(self, id: str) -> TaskRecord | None:
        try:
            return await self._records.read(id)
        except StateUnavailable as unavailable:
            raise RpcError(INTERNAL_ERROR, str(unavailable)) from unavailable

    async def stop(self, task: Task) -> None:
        """Stop the task at the replica where it runs."""
        if task.holder:
            self._bus.send_to(task.holder, "task stop", id=task.id, owner=task.owner)
            await self._wait_for_effect(task)
        else:
            self.local.cancel(task)

    async def accept_answers(self, task: Task, answers: Mapping[str, object]) -> None:
        """Send answers to the replica where the task runs. Raise NoAnswer."""
        if task.holder:
            if accepted := check_answers(task, answers):
                self._bus.send_to(task.holder, "task answer", id=task.id, owner=task.owner, answers=accepted)
                await self._wait_for_effect(task)
        else:
            self.local.apply_answers(task, answers)

    async def _wait_for_effect(self, task: Task) -> None:
        """Wait a moment until the task has changed, so that the client sees the change with its next request."""
        if task.status in FINAL_STATUSES:
            return
        try:
            async with asyncio.timeout(EFFECT_TIMEOUT_SECONDS):
                while (record := await self._read(task.id)) is not None and _is_unchanged(task, record.value):
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            log.warning("a replica is slow to update a task")

    async def end_all(self) -> None:
        """Stop every task of this process (shutdown)."""
        await self.local.end_all()

    async def _on_moved(self, body: Payload) -> None:
        """Publish the state in the record to listeners here. It was written before the message was sent."""
        if self._hub.has_listener(body["owner"]):
            record = await self._records.read(body["id"])
            if record is not None and record.value["owner"] == body["owner"]:
                detail = _task_from_record(record).detail
                self._hub.publish_locally(
                    ChangeEvent(TASK_UPDATED, subject=body["id"], owner=body["owner"], params=detail)
                )

    async def _on_stop(self, body: Payload) -> None:
        task = self.local.find_local(body["id"], body["owner"])
        if task is not None:
            self.local.cancel(task)

    async def _on_answer(self, body: Payload) -> None:
        task = self.local.find_local(body["id"], body["owner"])
        if task is not None:
            try:
                self.local.apply_answers(task, body["answers"])
            except NoAnswer:
                # The task asks a different question now. The client sees that one and answers it.
                log.info("an answer arrived after its question was closed")


def _is_unchanged(task: Task, value: JsonObject) -> bool:
    return (value["status"], set(value["asked"])) == (task.status, set(task.open_questions))


def _task_from_record(record: TaskRecord) -> Task:
    """Return the task with its last recorded state. A task whose holder died has failed."""
    value: dict[str, Any] = {name: record.value[name] for name in STORED_FIELDS}
    questions = {key: Question(*fields) for key, fields in record.value["asked"].items()}
    task = Task(**value, open_questions=questions, holder=record.holder)
    if task.status not in FINAL_STATUSES and not record.holder_alive:
        task.status, task.error = "failed", {"code": INTERNAL_ERROR, "message": REPLICA_LOST}
    return task
