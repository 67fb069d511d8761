"""Tasks: calls that continue after their request has its response (io.modelcontextprotocol/tasks, SEP-2663)."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, Protocol

import orjson

from ..catalog.call import Question
from ..process.memory import compact_copy
from ..protocol.jsonrpc import INTERNAL_ERROR, JsonObject, RpcError
from ..resilience.concurrency import BUSY_MESSAGE
from ..resilience.limits import LimitExceeded, SharedLimiter
from .notification_hub import TASK_UPDATED, ChangeEvent, NotificationHub
from .task import FINAL_STATUSES, LIFETIME_SECONDS, Task, check_answers

log = logging.getLogger(__name__)

MAX_TASKS_PER_OWNER = 50
MAX_TASKS = 5_000
MAX_RUNNING_PER_OWNER = 8
# Limits for one result, for all stored results of one principal, and in total. The oldest are dropped first.
MAX_RESULT_BYTES, MAX_OWNER_BYTES, MAX_TOTAL_BYTES = 1 << 20, 2 << 20, 64 << 20
RESULT_TOO_LARGE = f"The result is larger than {MAX_RESULT_BYTES >> 10} KB, so it is not kept; ask for less"


TOO_MANY_TASKS = "Too many tasks are running for this user; wait for one to finish, or cancel one"
RETRY_AFTER_SECONDS = 5.0
MIN_PROGRESS_SECONDS = 5.0
"""The shortest time between two changes of a status message: each is a write and a message to all replicas."""

Work = Callable[[Task], Awaitable[JsonObject]]


class Tasks(Protocol):
    """Stores and runs tasks. Each belongs to a principal, and only this principal can see it."""

    def __len__(self) -> int: ...

    def share(self, quota: SharedLimiter) -> None:
        """Limit the running tasks of all replicas together by *quota*."""

    async def check_quota(self, owner: str) -> None:
        """Check that the tasks at other replicas leave room for one more. Raise LimitExceeded otherwise.

        Call :meth:`create` afterward without awaiting in between.
        """

    def count_running(self, owner: str) -> int:
        """Return the number of tasks of *owner* that run in this process."""

    def create(self, owner: str, work: Work, answers: Mapping[str, JsonObject], message: str = "") -> Task:
        """Start *work* as a new task of *owner*. Raise LimitExceeded.

        *answers* are the client's answers so far, *message* is the status message.
        """

    async def find(self, id: str, owner: str) -> Task | None:
        """Return the task with this id if it belongs to *owner* and has not expired.

        Raise RpcError if shared state is unavailable.
        """

    async def stop(self, task: Task) -> None:
        """Stop a task that :meth:`find` returned."""

    async def accept_answers(self, task: Task, answers: Mapping[str, object]) -> None:
        """Accept answers to the open questions of a task that :meth:`find` returned. Raise NoAnswer."""

    async def ask(self, task: Task, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Ask the client, wait for the answers and return them by key."""

    def show_progress(self, task: Task, message: str) -> None:
        """Make *message* the status message of a task of this process, unless it has changed a short time ago."""

    async def wait_until_saved(self) -> None:
        """Wait until every created task can be found at all replicas."""

    async def end_all(self) -> None:
        """Stop every task of this process (shutdown)."""


class MemoryTasks:
    """The tasks of one process.

    *on_change* is called with every task that was created or has changed, *on_remove* with every removed task.
    """

    def __init__(
        self,
        hub: NotificationHub,
        clock: Callable[[], float] = time.time,
        *,
        on_change: Callable[[Task], None] = lambda task: None,
        on_remove: Callable[[Task], None] = lambda task: None,
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._on_change, self._on_remove = on_change, on_remove
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._quota: SharedLimiter | None = None

    def __len__(self) -> int:
        return len(self._tasks)

    def share(self, quota: SharedLimiter) -> None:
        """Limit the running tasks of all replicas together by *quota*."""
        self._quota = quota

    async def check_quota(self, owner: str) -> None:
        """Check that the tasks at other replicas leave room for one more. Raise LimitExceeded otherwise."""
        if self._quota is not None:
            await self._quota.acquire(owner)

    def count_running(self, owner: str) -> int:
        """Return the number of tasks of *owner* that have not ended."""
        return sum(task.owner == owner and task.status not in FINAL_STATUSES for task in self._tasks.values())

    def create(self, owner: str, work: Work, answers: Mapping[str, JsonObject], message: str = "") -> Task:
        """Start *work* as a new task of *owner*. Raise LimitExceeded."""
        self._expire()
        owned = [task for task in self._tasks.values() if task.owner == owner]
        if sum(task.status not in FINAL_STATUSES for task in owned) >= MAX_RUNNING_PER_OWNER:
            raise LimitExceeded("owner", RETRY_AFTER_SECONDS, TOO_MANY_TASKS)
        if len(owned) >= MAX_TASKS_PER_OWNER:
            self._remove(next(task for task in owned if task.status in FINAL_STATUSES))
        elif len(self._tasks) >= MAX_TASKS:
            self._remove(self._find_oldest_ended())
        now = self._clock()
        task = Task(secrets.token_urlsafe(24), owner, now, now, message=message, answers=dict(answers))
        self._tasks[task.id] = task
        task.runner = asyncio.create_task(self._run(task, work))
        self._on_change(task)
        return task

    async def find(self, id: str, owner: str) -> Task | None:
        """Return the task with this id if it belongs to *owner* and has not expired."""
        return self.find_local(id, owner)

    async def stop(self, task: Task) -> None:
        """Stop a task that :meth:`find` returned."""
        self.cancel(task)

    async def accept_answers(self, task: Task, answers: Mapping[str, object]) -> None:
        """Accept answers to the open questions of a task that :meth:`find` returned. Raise NoAnswer."""
        self.apply_answers(task, answers)

    async def wait_until_saved(self) -> None:
        """Return at once, because a task can be found as soon as it is created."""

    def show_progress(self, task: Task, message: str) -> None:
        """Make *message* the status message of a working task, unless it has changed a short time ago."""
        if task.status == "working" and self._clock() - task.updated >= MIN_PROGRESS_SECONDS:
            task.message = message
            self._publish_change(task)

    def find_local(self, id: str, owner: str) -> Task | None:
        """Do the same as :meth:`find`, without waiting."""
        self._expire()
        task = self._tasks.get(id)
        return task if task is not None and task.owner == owner else None

    async def _run(self, task: Task, work: Work) -> None:
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
        self._make_room([other for other in self._tasks.values() if other.owner == task.owner], MAX_OWNER_BYTES)
        self._make_room(list(self._tasks.values()), MAX_TOTAL_BYTES)

    def _make_room(self, tasks: list[Task], max_bytes: int) -> None:
        """Drop the oldest ended *tasks* until their results fit in *max_bytes*."""
        stored_bytes = sum(task.result_size for task in tasks)
        for task in tasks:
            if stored_bytes <= max_bytes:
                return
            if task.status in FINAL_STATUSES:
                stored_bytes -= task.result_size
                self._remove(task)

    def _fail(self, task: Task, error: RpcError) -> None:
        task.error = {"code": error.code, "message": error.message}
        if error.data is not None:
            task.error["data"] = error.data
        self._set_status(task, "failed")

    def _set_status(self, task: Task, status: str) -> None:
        """Set the status unless the task has ended: final statuses never change."""
        if task.status in FINAL_STATUSES:
            return
        task.status = status
        if status in FINAL_STATUSES:
            # An ended task no longer needs its questions and answers.
            task.open_questions.clear()
            task.answers.clear()
        self._publish_change(task)

    def _publish_change(self, task: Task) -> None:
        task.updated = self._clock()
        self._on_change(task)
        if self._quota is not None and task.status in FINAL_STATUSES:
            self._quota.release(task.owner)
        self._hub.publish(ChangeEvent(TASK_UPDATED, subject=task.id, owner=task.owner, params=task.detail))

    def cancel(self, task: Task) -> None:
        """Stop the task unless it has ended."""
        self._set_status(task, "cancelled")
        if task.runner is not None:
            task.runner.cancel()

    def apply_answers(self, task: Task, answers: Mapping[str, object]) -> None:
        """Accept answers to open questions and ignore other keys. Raise NoAnswer for an invalid answer."""
        accepted = check_answers(task, answers)
        for key, answer in accepted.items():
            task.answers[key] = answer
            del task.open_questions[key]
        if accepted:
            if not task.open_questions and task.status == "input_required":
                task.status = "working"
            self._publish_change(task)
            task.answers_changed.set()

    async def ask(self, task: Task, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Ask the client, wait for the answers and return them by key.

        Questions answered before the call became a task are not asked again.
        """
        missing = {key: question for key, question in questions.items() if key not in task.answers}
        if missing:
            task.open_questions |= missing
            self._set_status(task, "input_required")
            while any(key not in task.answers for key in missing):
                task.answers_changed.clear()
                await task.answers_changed.wait()
        return {key: task.answers[key] for key in questions}

    def _find_oldest_ended(self) -> Task:
        ended = next((task for task in self._tasks.values() if task.status in FINAL_STATUSES), None)
        if ended is None:
            raise LimitExceeded("server", RETRY_AFTER_SECONDS, BUSY_MESSAGE)
        return ended

    def _expire(self) -> None:
        oldest = self._clock() - LIFETIME_SECONDS
        while self._tasks and (task := next(iter(self._tasks.values()))).created < oldest:
            self._remove(task)

    def _remove(self, task: Task) -> None:
        del self._tasks[task.id]
        self.cancel(task)
        self._on_remove(task)

    async def end_all(self) -> None:
        """Stop every task (shutdown)."""
        runners = [task.runner for task in self._tasks.values() if task.runner is not None]
        for task in list(self._tasks.values()):
            self.cancel(task)
        self._tasks.clear()
        await asyncio.gather(*runners, return_exceptions=True)


class TaskInputCollector:
    """Asks the client of a task."""

    waits_for_answers: ClassVar[bool] = True

    def __init__(self, tasks: Tasks, task: Task) -> None:
        self._tasks, self._task = tasks, task
        self.answers = task.answers

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Set the task to input_required and wait for the answers."""
        return await self._tasks.ask(self._task, questions)
