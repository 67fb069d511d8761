"""Tasks among replicas: each runs at one, and can be followed, answered and stopped at all (issue 6; SEP-2663)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..catalog.call import NoAnswer, Question
from ..protocol.jsonrpc import INTERNAL_ERROR, JsonObject, RpcError
from ..redis_state.errors import Away
from ..redis_state.message_bus import Body, Bus
from ..redis_state.task_records import Note, Notes
from .notification_hub import TASK, Change, Hub
from .task import FINAL, LIFE_S, Task, check_answers
from .tasks import Tasks

log = logging.getLogger(__name__)

SETTLE_S = 2.0
# How long the effect of an answer or a stop is waited for, and how often it is looked for (seconds).
EFFECT_S, LOOK_S = 2.0, 0.02
# What is told instead of a change that is too large to go to every replica (relay).
MOVED = "task moved"
DEAD = "The server that worked at the task was restarted; call again"
KEPT = ("id", "owner", "created", "updated", "status", "message", "result", "error")


class SharedTasks(Tasks):
    """Tasks of this replica, a note of each in Redis, and ways to those of others.

    Only the bound on running tasks is one for all replicas; how many are kept is each one's own affair.
    """

    def __init__(self, hub: Hub, notes: Notes, bus: Bus, clock: Callable[[], float] = time.time) -> None:
        super().__init__(hub, clock)
        self._notes, self._bus = notes, bus
        self._created = False
        bus.on("task stop", self._on_stop)
        bus.on("task answer", self._on_answer)
        bus.on(MOVED, self._on_moved)

    def _keep(self, task: Task) -> None:
        asked = {key: [one.method, one.params, one.sealed] for key, one in task.asked.items()}
        value = {name: getattr(task, name) for name in KEPT} | {"asked": asked}
        self._notes.write(task.id, value, task.created + LIFE_S - self._clock())
        self._created = True
        if task.status in FINAL and self.counts is not None:
            self.counts.changed(task.owner)

    def _forget(self, task: Task) -> None:
        self._notes.drop(task.id)

    async def settled(self) -> None:
        """Tasks that were created here can be found everywhere, unless Redis is away."""
        if self._created:
            self._created = False
            await self._notes.settled(SETTLE_S)

    async def find(self, id: str, owner: str) -> Task | None:
        """The task, wherever it runs."""
        task = self.here(id, owner)
        if task is not None:
            return task
        note = await self._read(id)
        # One of this replica's own that is not here is over, even if its note is still there.
        if note is None or note.holder == self._bus.id or note.value["owner"] != owner:
            return None
        return _task(note)

    async def _read(self, id: str) -> Note | None:
        try:
            return await self._notes.read(id)
        except Away as away:
            raise RpcError(INTERNAL_ERROR, str(away)) from away

    async def stop(self, task: Task) -> None:
        """Stop it, wherever it runs."""
        if task.holder:
            self._bus.tell(task.holder, "task stop", id=task.id, owner=task.owner)
            await self._effect(task)
        else:
            self.cancel(task)

    async def take(self, task: Task, answers: Mapping[str, object]) -> None:
        """Take answers to it, wherever it runs."""
        if task.holder:
            if taken := check_answers(task, answers):
                self._bus.tell(task.holder, "task answer", id=task.id, owner=task.owner, answers=taken)
                await self._effect(task)
        else:
            self.answer(task, answers)

    async def _effect(self, task: Task) -> None:
        """Wait until the task has moved, so that the client sees it with its next request; but not for long."""
        if task.status in FINAL:
            return
        try:
            async with asyncio.timeout(EFFECT_S):
                while (note := await self._read(task.id)) is not None and _unmoved(task, note.value):
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            log.warning("a replica is slow to move a task")

    async def _on_moved(self, body: Body) -> None:
        """Tell those who listen here what stands in the note, which was written before this was said."""
        if self._hub.hears(body["owner"]):
            note = await self._notes.read(body["id"])
            if note is not None and note.value["owner"] == body["owner"]:
                self._hub.tell(Change(TASK, about=body["id"], owner=body["owner"], params=_task(note).detail))

    async def _on_stop(self, body: Body) -> None:
        task = self.here(body["id"], body["owner"])
        if task is not None:
            self.cancel(task)

    async def _on_answer(self, body: Body) -> None:
        task = self.here(body["id"], body["owner"])
        if task is not None:
            try:
                self.answer(task, body["answers"])
            except NoAnswer:
                # The task asks something else by now; the client sees that, and answers that.
                log.info("an answer came too late for its question")


def _unmoved(task: Task, value: JsonObject) -> bool:
    return (value["status"], set(value["asked"])) == (task.status, set(task.asked))


def _task(note: Note) -> Task:
    """The task as its holder left it. One whose holder died is over."""
    value: dict[str, Any] = {name: note.value[name] for name in KEPT}
    asked = {key: Question(*one) for key, one in note.value["asked"].items()}
    task = Task(**value, asked=asked, holder=note.holder)
    if task.status not in FINAL and not note.alive:
        task.status, task.error = "failed", {"code": INTERNAL_ERROR, "message": DEAD}
    return task
