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
from ..process.memory import compact_copy
from ..protocol.jsonrpc import INTERNAL_ERROR, JsonObject, RpcError
from ..redis_state.quotas import Quotas
from .notification_hub import TASK_UPDATED, ChangeEvent, NotificationHub
from .task import FINAL_STATUSES, LIFETIME_SECONDS, Task, check_answers

log = logging.getLogger(__name__)

MAX_TASKS_PER_OWNER = 50
MAX_TASKS = 5_000
MAX_RUNNING_PER_OWNER = 8
# Of one result, and of all results that are kept for one principal and for all together; the oldest go first.
MAX_RESULT_BYTES, MAX_OWNER_BYTES, MAX_TOTAL_BYTES = 1 << 20, 2 << 20, 64 << 20
RESULT_TOO_LARGE = f"The result is larger than {MAX_RESULT_BYTES >> 10} KB, so it is not kept; ask for less"


class TooManyTasks(Exception):
    """The principal has as many tasks running as one may have."""


class Tasks:
    """The tasks of one process; each belongs to a principal, who alone can see it.

    *quota*, where there are other replicas, makes the limit on running tasks one for all of them.
    """

    def __init__(self, hub: NotificationHub, clock: Callable[[], float] = time.time) -> None:
        self._hub = hub
        self._clock = clock
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self.quota: Quotas | None = None

    def __len__(self) -> int:
        return len(self._tasks)

    async def check_quota(self, owner: str) -> None:
        """Before a task is created: see that other replicas leave room for it. Raises TooManyTasks."""
        if self.quota is not None and not await self.quota.has_room(owner):
            raise TooManyTasks

    def count_running(self, owner: str) -> int:
        """How many tasks of *owner* have not ended."""
        return sum(task.owner == owner and task.status not in FINAL_STATUSES for task in self._tasks.values())

    def create(
        self,
        owner: str,
        work: Callable[[Task], Awaitable[JsonObject]],
        answers: Mapping[str, JsonObject],
        message: str = "",
    ) -> Task:
        """Start *work* as a new task of *owner*, which can be looked up from now on; *answers* are answers that the
        client gave already, *message* is the status message. Raises TooManyTasks."""
        self._expire()
        own = [task for task in self._tasks.values() if task.owner == owner]
        if sum(task.status not in FINAL_STATUSES for task in own) >= MAX_RUNNING_PER_OWNER:
            raise TooManyTasks
        if len(own) >= MAX_TASKS_PER_OWNER:
            self._remove(next(task for task in own if task.status in FINAL_STATUSES))
        elif len(self._tasks) >= MAX_TASKS:
            self._remove(self._oldest_ended())
        now = self._clock()
        task = Task(secrets.token_urlsafe(24), owner, now, now, message=message, answers=dict(answers))
        self._tasks[task.id] = task
        task.runner = asyncio.create_task(self._run(task, work))
        self._save(task)
        return task

    def _save(self, task: Task) -> None:
        """The task has changed; who needs it elsewhere sees to it."""

    def _delete(self, task: Task) -> None:
        """The task is no more."""

    async def find(self, id: str, owner: str) -> Task | None:
        """The task with this id, if it is this principal's and not expired. RpcError when that cannot be known now."""
        return self.find_local(id, owner)

    async def stop(self, task: Task) -> None:
        """Stop a task that was found."""
        self.cancel(task)

    async def accept_answers(self, task: Task, answers: Mapping[str, object]) -> None:
        """Take answers to what a task that was found asks. Raises NoAnswer."""
        self.apply_answers(task, answers)

    async def wait_until_saved(self) -> None:
        """What was created can be found."""

    def find_local(self, id: str, owner: str) -> Task | None:
        """The same, of those of this process."""
        self._expire()
        task = self._tasks.get(id)
        return task if task is not None and task.owner == owner else None

    async def _run(self, task: Task, work: Callable[[Task], Awaitable[JsonObject]]) -> None:
        try:
            async with asyncio.timeout(LIFETIME_SECONDS):
                data = compact_copy(orjson.dumps(await work(task)))
            self._complete(task, data)
        except asyncio.CancelledError:
            self._set_status(task, "cancelled")
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
            self._fail(task, RpcError(INTERNAL_ERROR, RESULT_TOO_LARGE))
            return
        task.result, task.result_size = orjson.Fragment(data), len(data)
        self._set_status(task, "completed")
        self._make_room([one for one in self._tasks.values() if one.owner == task.owner], MAX_OWNER_BYTES)
        self._make_room(list(self._tasks.values()), MAX_TOTAL_BYTES)

    def _make_room(self, tasks: list[Task], max_bytes: int) -> None:
        """Forget the oldest of *tasks* that have ended while their results have more bytes than *max_bytes*."""
        held = sum(task.result_size for task in tasks)
        for task in tasks:
            if held <= max_bytes:
                return
            if task.status in FINAL_STATUSES:
                held -= task.result_size
                self._remove(task)

    def _fail(self, task: Task, error: RpcError) -> None:
        task.error = {"code": error.code, "message": error.message}
        if error.data is not None:
            task.error["data"] = error.data
        self._set_status(task, "failed")

    def _set_status(self, task: Task, status: str) -> None:
        """A new status; the last three are never left."""
        if task.status in FINAL_STATUSES:
            return
        task.status = status
        if status in FINAL_STATUSES:
            # Nobody reads the questions and answers of a task that has ended.
            task.open_questions.clear()
            task.answers.clear()
        self._publish_change(task)

    def _publish_change(self, task: Task) -> None:
        task.updated = self._clock()
        self._save(task)
        self._hub.publish(ChangeEvent(TASK_UPDATED, subject=task.id, owner=task.owner, params=task.detail))

    def cancel(self, task: Task) -> None:
        """Stop the task; one that has ended stays as it is."""
        self._set_status(task, "cancelled")
        if task.runner is not None:
            task.runner.cancel()

    def apply_answers(self, task: Task, answers: Mapping[str, object]) -> None:
        """Take answers to open questions; other keys are ignored. Raises NoAnswer for one that cannot be right."""
        taken = check_answers(task, answers)
        for key, answer in taken.items():
            task.answers[key] = answer
            del task.open_questions[key]
        if taken:
            if not task.open_questions and task.status == "input_required":
                task.status = "working"
            self._publish_change(task)
            task.answers_changed.set()

    async def ask(self, task: Task, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Put questions to the client and wait; those answered before the call became a task are not asked again."""
        missing = {key: one for key, one in questions.items() if key not in task.answers}
        if missing:
            task.open_questions |= missing
            self._set_status(task, "input_required")
            while any(key not in task.answers for key in missing):
                task.answers_changed.clear()
                await task.answers_changed.wait()
        return {key: task.answers[key] for key in questions}

    def _oldest_ended(self) -> Task:
        ended = next((task for task in self._tasks.values() if task.status in FINAL_STATUSES), None)
        if ended is None:
            raise TooManyTasks
        return ended

    def _expire(self) -> None:
        oldest = self._clock() - LIFETIME_SECONDS
        while self._tasks and (first := next(iter(self._tasks.values()))).created < oldest:
            self._remove(first)

    def _remove(self, task: Task) -> None:
        del self._tasks[task.id]
        self.cancel(task)
        self._delete(task)

    async def end_all(self) -> None:
        """Stop every task (shutdown)."""
        works = [task.runner for task in self._tasks.values() if task.runner is not None]
        for task in list(self._tasks.values()):
            self.cancel(task)
        self._tasks.clear()
        await asyncio.gather(*works, return_exceptions=True)


class TaskInputCollector:
    """How the client of a task is asked."""

    waits_for_answers: ClassVar[bool] = True

    def __init__(self, tasks: Tasks, task: Task) -> None:
        self._tasks, self._task = tasks, task
        self.answers = task.answers

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Wait for the answers in the state input_required."""
        return await self._tasks.ask(self._task, questions)
