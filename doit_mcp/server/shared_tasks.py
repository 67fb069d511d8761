"""Tasks among replicas: each runs at one, and can be followed, answered and stopped at all (SEP-2663)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..catalog.call import NoAnswer, Question
from ..protocol.jsonrpc import INTERNAL_ERROR, JsonObject, RpcError
from ..redis_state.errors import Unavailable
from ..redis_state.message_bus import MessageBus, Payload
from ..redis_state.task_records import TaskRecord, TaskRecords
from .notification_hub import TASK_UPDATED, ChangeEvent, NotificationHub
from .task import FINAL_STATUSES, LIFETIME_SECONDS, Task, check_answers
from .tasks import Tasks

log = logging.getLogger(__name__)

SAVE_TIMEOUT_SECONDS = 2.0
# How long the effect of an answer or a stop is waited for, and how often it is looked for (seconds).
EFFECT_TIMEOUT_SECONDS, POLL_SECONDS = 2.0, 0.02
# What is told instead of a change that is too large to go to every replica (relay).
TASK_MOVED = "task moved"
REPLICA_LOST = "The server that worked at the task was restarted; call again"
STORED_FIELDS = ("id", "owner", "created", "updated", "status", "message", "result", "error")


class SharedTasks(Tasks):
    """Tasks of this replica, a note of each in Redis, and ways to those of others.

    Only the bound on running tasks is one for all replicas; how many are kept is each one's own affair.
    """

    def __init__(
        self, hub: NotificationHub, records: TaskRecords, bus: MessageBus, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(hub, clock)
        self._records, self._bus = records, bus
        self._has_unsettled = False
        bus.on_message("task stop", self._on_stop)
        bus.on_message("task answer", self._on_answer)
        bus.on_message(TASK_MOVED, self._on_moved)

    def _save(self, task: Task) -> None:
        asked = {key: [one.method, one.params, one.signed] for key, one in task.open_questions.items()}
        value = {name: getattr(task, name) for name in STORED_FIELDS} | {"asked": asked}
        self._records.write(task.id, value, task.created + LIFETIME_SECONDS - self._clock())
        self._has_unsettled = True
        if task.status in FINAL_STATUSES and self.quota is not None:
            self.quota.report_change(task.owner)

    def _delete(self, task: Task) -> None:
        self._records.delete(task.id)

    async def wait_until_saved(self) -> None:
        """Tasks that were created here can be found everywhere, unless Redis is away."""
        if self._has_unsettled:
            self._has_unsettled = False
            await self._records.wait_until_saved(SAVE_TIMEOUT_SECONDS)

    async def find(self, id: str, owner: str) -> Task | None:
        """The task, wherever it runs."""
        task = self.find_local(id, owner)
        if task is not None:
            return task
        note = await self._read(id)
        # One of this replica's own that is not here is over, even if its note is still there.
        if note is None or note.holder == self._bus.replica_id or note.value["owner"] != owner:
            return None
        return _task_from_record(note)

    async def _read(self, id: str) -> TaskRecord | None:
        try:
            return await self._records.read(id)
        except Unavailable as away:
            raise RpcError(INTERNAL_ERROR, str(away)) from away

    async def stop(self, task: Task) -> None:
        """Stop it, wherever it runs."""
        if task.holder:
            self._bus.send_to(task.holder, "task stop", id=task.id, owner=task.owner)
            await self._wait_for_effect(task)
        else:
            self.cancel(task)

    async def accept_answers(self, task: Task, answers: Mapping[str, object]) -> None:
        """Take answers to it, wherever it runs."""
        if task.holder:
            if taken := check_answers(task, answers):
                self._bus.send_to(task.holder, "task answer", id=task.id, owner=task.owner, answers=taken)
                await self._wait_for_effect(task)
        else:
            self.apply_answers(task, answers)

    async def _wait_for_effect(self, task: Task) -> None:
        """Wait until the task has moved, so that the client sees it with its next request; but not for long."""
        if task.status in FINAL_STATUSES:
            return
        try:
            async with asyncio.timeout(EFFECT_TIMEOUT_SECONDS):
                while (note := await self._read(task.id)) is not None and _is_unchanged(task, note.value):
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            log.warning("a replica is slow to move a task")

    async def _on_moved(self, body: Payload) -> None:
        """Tell those who listen here what stands in the note, which was written before this was said."""
        if self._hub.has_listener(body["owner"]):
            note = await self._records.read(body["id"])
            if note is not None and note.value["owner"] == body["owner"]:
                self._hub.publish_locally(
                    ChangeEvent(
                        TASK_UPDATED, subject=body["id"], owner=body["owner"], params=_task_from_record(note).detail
                    )
                )

    async def _on_stop(self, body: Payload) -> None:
        task = self.find_local(body["id"], body["owner"])
        if task is not None:
            self.cancel(task)

    async def _on_answer(self, body: Payload) -> None:
        task = self.find_local(body["id"], body["owner"])
        if task is not None:
            try:
                self.apply_answers(task, body["answers"])
            except NoAnswer:
                # The task asks something else by now; the client sees that, and answers that.
                log.info("an answer came too late for its question")


def _is_unchanged(task: Task, value: JsonObject) -> bool:
    return (value["status"], set(value["asked"])) == (task.status, set(task.open_questions))


def _task_from_record(note: TaskRecord) -> Task:
    """The task as its holder left it. One whose holder died is over."""
    value: dict[str, Any] = {name: note.value[name] for name in STORED_FIELDS}
    asked = {key: Question(*one) for key, one in note.value["asked"].items()}
    task = Task(**value, open_questions=asked, holder=note.holder)
    if task.status not in FINAL_STATUSES and not note.holder_alive:
        task.status, task.error = "failed", {"code": INTERNAL_ERROR, "message": REPLICA_LOST}
    return task
