"""Tasks: calls that go on after their request was answered (extension io.modelcontextprotocol/tasks, SEP-2663)."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

import orjson

from ..catalog.call import Question
from ..process.memory import exact
from ..protocol.jsonrpc import INTERNAL_ERROR, JsonObject, RpcError
from ..redis_state.quotas import Counts
from .notification_hub import TASK, Change, Hub
from .task import FINAL, LIFE_S, Task, check_answers

log = logging.getLogger(__name__)

PER_OWNER = 50
TOTAL = 5_000
RUNNING_PER_OWNER = 8
# Of one result, and of all results that are kept for one principal and for all together; the oldest go first.
MAX_RESULT_BYTES, MAX_OWNER_BYTES, MAX_TOTAL_BYTES = 1 << 20, 2 << 20, 64 << 20
TOO_LARGE = f"The result is larger than {MAX_RESULT_BYTES >> 10} KB, so it is not kept; ask for less"


class TooManyTasks(Exception):
    """The principal has as many tasks running as one may have."""


class Tasks:
    """The tasks of one process; each belongs to a principal, who alone can see it (Y6).

    *counts*, where there are other replicas, makes the limit on running tasks one for all of them.
    """

    def __init__(self, hub: Hub, clock: Callable[[], float] = time.time) -> None:
        self._hub = hub
        self._clock = clock
        self._all: OrderedDict[str, Task] = OrderedDict()
        self.counts: Counts | None = None

    def __len__(self) -> int:
        return len(self._all)

    async def room(self, owner: str) -> None:
        """Before a task is created: see that other replicas leave room for it. Raises TooManyTasks."""
        if self.counts is not None and not await self.counts.room(owner):
            raise TooManyTasks

    def running(self, owner: str) -> int:
        """How many tasks of *owner* have not ended."""
        return sum(task.owner == owner and task.status not in FINAL for task in self._all.values())

    def create(
        self,
        owner: str,
        work: Callable[[Task], Awaitable[JsonObject]],
        known: Mapping[str, JsonObject],
        message: str = "",
    ) -> Task:
        """Start *work* as a new task of *owner*, which can be looked up from now on; *known* are answers that the
        client gave already, *message* is the status message. Raises TooManyTasks."""
        self._expire()
        own = [task for task in self._all.values() if task.owner == owner]
        if sum(task.status not in FINAL for task in own) >= RUNNING_PER_OWNER:
            raise TooManyTasks
        if len(own) >= PER_OWNER:
            self._remove(next(task for task in own if task.status in FINAL))
        elif len(self._all) >= TOTAL:
            self._remove(self._ended_first())
        now = self._clock()
        task = Task(secrets.token_urlsafe(24), owner, now, now, message=message, known=dict(known))
        self._all[task.id] = task
        task.work = asyncio.create_task(self._run(task, work))
        self._keep(task)
        return task

    def _keep(self, task: Task) -> None:
        """The task has changed; who needs it elsewhere sees to it."""

    def _forget(self, task: Task) -> None:
        """The task is no more."""

    async def find(self, id: str, owner: str) -> Task | None:
        """The task with this id, if it is this principal's and not expired. RpcError when that cannot be known now."""
        return self.here(id, owner)

    async def stop(self, task: Task) -> None:
        """Stop a task that was found."""
        self.cancel(task)

    async def take(self, task: Task, answers: Mapping[str, object]) -> None:
        """Take answers to what a task that was found asks. Raises NoAnswer."""
        self.answer(task, answers)

    async def settled(self) -> None:
        """What was created can be found."""

    def here(self, id: str, owner: str) -> Task | None:
        """The same, of those of this process."""
        self._expire()
        task = self._all.get(id)
        return task if task is not None and task.owner == owner else None

    async def _run(self, task: Task, work: Callable[[Task], Awaitable[JsonObject]]) -> None:
        try:
            async with asyncio.timeout(LIFE_S):
                data = exact(orjson.dumps(await work(task)))
            self._complete(task, data)
        except asyncio.CancelledError:
            self._move(task, "cancelled")
            raise
        except RpcError as error:
            self._fail(task, error)
        except TimeoutError:
            self._fail(task, RpcError(INTERNAL_ERROR, "The task took too long and was stopped"))
        except Exception:
            log.exception("a task failed")
            self._fail(task, RpcError(INTERNAL_ERROR, "Internal error"))

    def _complete(self, task: Task, data: bytes) -> None:
        if len(data) > MAX_RESULT_BYTES:
            self._fail(task, RpcError(INTERNAL_ERROR, TOO_LARGE))
            return
        task.result, task.size = orjson.Fragment(data), len(data)
        self._move(task, "completed")
        self._make_room([one for one in self._all.values() if one.owner == task.owner], MAX_OWNER_BYTES)
        self._make_room(list(self._all.values()), MAX_TOTAL_BYTES)

    def _make_room(self, tasks: list[Task], most: int) -> None:
        """Forget the oldest of *tasks* that have ended while their results have more bytes than *most*."""
        held = sum(task.size for task in tasks)
        for task in tasks:
            if held <= most:
                return
            if task.status in FINAL:
                held -= task.size
                self._remove(task)

    def _fail(self, task: Task, error: RpcError) -> None:
        task.error = {"code": error.code, "message": error.message}
        if error.data is not None:
            task.error["data"] = error.data
        self._move(task, "failed")

    def _move(self, task: Task, status: str) -> None:
        """A new status; the last three are never left."""
        if task.status in FINAL:
            return
        task.status = status
        if status in FINAL:
            # Nobody reads the questions and answers of a task that has ended.
            task.asked.clear()
            task.known.clear()
        self._touched(task)

    def _touched(self, task: Task) -> None:
        task.updated = self._clock()
        self._keep(task)
        self._hub.publish(Change(TASK, about=task.id, owner=task.owner, params=task.detail))

    def cancel(self, task: Task) -> None:
        """Stop the task; one that has ended stays as it is."""
        self._move(task, "cancelled")
        if task.work is not None:
            task.work.cancel()

    def answer(self, task: Task, answers: Mapping[str, object]) -> None:
        """Take answers to open questions; other keys are ignored. Raises NoAnswer for one that cannot be right."""
        taken = check_answers(task, answers)
        for key, answer in taken.items():
            task.known[key] = answer
            del task.asked[key]
        if taken:
            if not task.asked and task.status == "input_required":
                task.status = "working"
            self._touched(task)
            task.changed.set()

    async def ask(self, task: Task, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Put questions to the client and wait; those answered before the call became a task are not asked again."""
        missing = {key: one for key, one in questions.items() if key not in task.known}
        if missing:
            task.asked |= missing
            self._move(task, "input_required")
            while any(key not in task.known for key in missing):
                task.changed.clear()
                await task.changed.wait()
        return {key: task.known[key] for key in questions}

    def _ended_first(self) -> Task:
        ended = next((task for task in self._all.values() if task.status in FINAL), None)
        if ended is None:
            raise TooManyTasks
        return ended

    def _expire(self) -> None:
        oldest = self._clock() - LIFE_S
        while self._all and (first := next(iter(self._all.values()))).created < oldest:
            self._remove(first)

    def _remove(self, task: Task) -> None:
        del self._all[task.id]
        self.cancel(task)
        self._forget(task)

    async def end_all(self) -> None:
        """Stop every task (shutdown)."""
        works = [task.work for task in self._all.values() if task.work is not None]
        for task in list(self._all.values()):
            self.cancel(task)
        self._all.clear()
        await asyncio.gather(*works, return_exceptions=True)


class InTask:
    """How the client of a task is asked."""

    waits: ClassVar[bool] = True

    def __init__(self, tasks: Tasks, task: Task) -> None:
        self._tasks, self._task = tasks, task
        self.known = task.known

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Wait for the answers in the state input_required."""
        return await self._tasks.ask(self._task, questions)
