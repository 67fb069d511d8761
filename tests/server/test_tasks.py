"""MemoryTasks: one-way state transitions, questions answered one by one, owners and limits (SEP-2663)."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from doit_mcp.catalog.call import NoAnswer, Question
from doit_mcp.protocol.jsonrpc import RpcError
from doit_mcp.resilience.limits import LimitExceeded
from doit_mcp.server.client_requests import MAX_ANSWER_BYTES
from doit_mcp.server.notification_hub import TASK_UPDATED, ChangeEvent, NotificationHub
from doit_mcp.server.task import LIFETIME_SECONDS, MAX_POLL_MILLISECONDS, Task
from doit_mcp.server.task_progress import MAX_MESSAGE_CHARACTERS, TaskProgress
from doit_mcp.server.tasks import (
    MAX_OWNER_BYTES,
    MAX_RESULT_BYTES,
    MAX_RUNNING_PER_OWNER,
    MAX_TASKS_PER_OWNER,
    MIN_PROGRESS_SECONDS,
    MemoryTasks,
    TaskInputCollector,
)

FORM = Question(
    "elicitation/create",
    {"message": "?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}},
)


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def input_response(name: str) -> dict[str, Any]:
    return {"action": "accept", "content": {"name": name}}


def state_of(task: Task) -> Any:
    """The state of the task as the client reads it."""
    return orjson.loads(orjson.dumps(task.detail))


async def until(task: Task, status: str) -> None:
    while task.status != status:
        await asyncio.sleep(0)


async def test_task_completes() -> None:
    tasks = MemoryTasks(NotificationHub(), Clock())

    async def work(task: Task) -> dict[str, Any]:
        return {"content": []}

    task = tasks.create("a", work, {})
    created = task.created_result
    assert (
        created["resultType"] == "task"
        and created["status"] == "working"
        and created["ttlMs"] == LIFETIME_SECONDS * 1000
    )
    assert created["createdAt"].endswith("Z") and "result" not in created
    await until(task, "completed")
    assert tasks.find_local(task.id, "a") is task and tasks.find_local(task.id, "b") is None
    assert state_of(task)["result"] == {"content": []}
    tasks.cancel(task)
    assert task.status == "completed"


async def test_progress_is_the_status_message_and_lengthens_the_poll_interval() -> None:
    clock, saved, proceed = Clock(), list[str](), asyncio.Event()
    tasks = MemoryTasks(NotificationHub(), clock, on_change=lambda task: saved.append(task.message))
    progress = TaskProgress()
    await progress.report(1, message="before there is a task")

    async def work(task: Task) -> dict[str, Any]:
        progress.show_in(tasks, task)
        await proceed.wait()
        return {"content": []}

    task = tasks.create("a", work, {}, "Customer: acme")
    created = task.created_result
    assert (created["statusMessage"], created["pollIntervalMs"]) == ("Customer: acme", 1000)
    await asyncio.sleep(0)
    for _ in range(100):
        clock.now += MIN_PROGRESS_SECONDS / 4
        await progress.advance(f"It runs since {clock.now - task.created:g} seconds.\u200b" + "x" * 999)
    # Only one report in MIN_PROGRESS_SECONDS is a change.
    assert len(saved) == 1 + 25
    state = state_of(task)
    assert state["statusMessage"].startswith("Customer: acme. It runs since 125 seconds.xxx")
    assert len(state["statusMessage"]) <= len("Customer: acme. ") + MAX_MESSAGE_CHARACTERS
    assert state["lastUpdatedAt"] > created["lastUpdatedAt"] and state["pollIntervalMs"] == 6250
    clock.now += 900
    await progress.report(1, message="Still running.")
    assert state_of(task)["pollIntervalMs"] == MAX_POLL_MILLISECONDS
    proceed.set()
    await until(task, "completed")
    await progress.report(2, message="too late")
    assert task.message == "Customer: acme. Still running."


@pytest.mark.requirement("M110")
@pytest.mark.parametrize(("failure", "code"), [(RpcError(7, "no", {"a": 1}), 7), (RuntimeError("secret"), -32603)])
async def test_task_fails(failure: Exception, code: int) -> None:
    tasks = MemoryTasks(NotificationHub(), Clock())

    async def work(task: Task) -> dict[str, Any]:
        raise failure

    task = tasks.create("a", work, {})
    await until(task, "failed")
    assert task.detail["error"]["code"] == code and "secret" not in str(task.detail) and "result" not in task.detail


@pytest.mark.requirement("M110")
async def test_task_requests_two_inputs_in_sequence() -> None:
    hub = NotificationHub()
    statuses: list[str] = []

    def hear(change: ChangeEvent) -> None:
        assert change.method == TASK_UPDATED and change.params is not None
        statuses.append(str(change.params["status"]))

    tasks = MemoryTasks(hub, Clock())

    async def work(task: Task) -> dict[str, Any]:
        answers = await TaskInputCollector(tasks, task).ask({"one": FORM, "two": FORM, "known": FORM})
        return {"names": [answers[key]["content"]["name"] for key in ("one", "two", "known")]}

    with hub.subscribe("a", hear), hub.subscribe("b", lambda change: statuses.append("foreign")):
        task = tasks.create("a", work, {"known": input_response("K")})
        await until(task, "input_required")
        assert set(task.detail["inputRequests"]) == {"one", "two"}
        for wrong in ("text", {"action": "perhaps"}, {"action": "accept", "content": {"name": 5}}):
            with pytest.raises(NoAnswer):
                tasks.apply_answers(task, {"one": wrong})
        tasks.apply_answers(task, {"one": input_response("A"), "other": {}})
        assert task.status == "input_required" and set(task.detail["inputRequests"]) == {"two"}
        tasks.apply_answers(task, {"two": input_response("B")})
        assert task.status == "working" and "inputRequests" not in task.detail
        await until(task, "completed")
    assert state_of(task)["result"] == {"names": ["A", "B", "K"]}
    assert statuses == ["input_required", "input_required", "working", "completed"]


async def test_bounds_and_expiry() -> None:
    clock = Clock()
    tasks = MemoryTasks(NotificationHub(), clock)
    hold = asyncio.Event()

    async def waits(task: Task) -> dict[str, Any]:
        await hold.wait()
        return {}

    running = [tasks.create("a", waits, {}) for _ in range(MAX_RUNNING_PER_OWNER)]
    with pytest.raises(LimitExceeded, match="Too many tasks"):
        tasks.create("a", waits, {})
    tasks.create("b", waits, {})
    hold.set()
    for task in running:
        await until(task, "completed")
    for _ in range(2 * MAX_TASKS_PER_OWNER):
        await until(tasks.create("a", waits, {}), "completed")
    assert len(tasks) == MAX_TASKS_PER_OWNER + 1
    assert tasks.find_local(running[0].id, "a") is None
    clock.now += LIFETIME_SECONDS + 1
    assert tasks.find_local(running[-1].id, "a") is None and len(tasks) == 0


async def test_shutdown_cancels_all_tasks() -> None:
    tasks = MemoryTasks(NotificationHub(), Clock())

    async def forever(task: Task) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    task = tasks.create("a", forever, {})
    await asyncio.sleep(0)
    await tasks.end_all()
    assert task.status == "cancelled" and len(tasks) == 0


@pytest.mark.requirement("N4")
async def test_n4_results_are_bounded_in_bytes() -> None:
    """A result that is too large is an error. Beyond the limit the owner's oldest results are dropped, never another
    owner's."""
    tasks = MemoryTasks(NotificationHub(), Clock())

    async def answers(task: Task, size: int = MAX_RESULT_BYTES // 2) -> dict[str, Any]:
        return {"text": "x" * size}

    other = tasks.create("b", answers, {})
    await until(other, "completed")
    tasks_made = []
    for _ in range(10):
        tasks_made.append(tasks.create("a", answers, {}))
        await until(tasks_made[-1], "completed")
    remaining = [task for task in tasks_made if tasks.find_local(task.id, "a") is not None]
    assert (
        remaining == tasks_made[-len(remaining) :]
        and 0 < sum(task.result_size for task in remaining) <= MAX_OWNER_BYTES
    )
    assert tasks.find_local(other.id, "b") is other
    large = tasks.create("a", lambda task: answers(task, MAX_RESULT_BYTES), {})
    await until(large, "failed")
    assert large.result is None and "larger than" in state_of(large)["error"]["message"]


@pytest.mark.requirement("N4")
async def test_n4_answers_are_bounded_and_freed_at_the_end() -> None:
    tasks = MemoryTasks(NotificationHub(), Clock())

    async def work(task: Task) -> dict[str, Any]:
        return await TaskInputCollector(tasks, task).ask({"one": FORM})

    task = tasks.create("a", work, {"before": input_response("B")})
    await until(task, "input_required")
    with pytest.raises(NoAnswer, match="larger than 64 KB"):
        tasks.apply_answers(task, {"one": input_response("A") | {"_meta": {"junk": "x" * MAX_ANSWER_BYTES}}})
    assert task.answers == {"before": input_response("B")}
    tasks.apply_answers(task, {"one": input_response("A")})
    await until(task, "completed")
    assert state_of(task)["result"] == {"one": input_response("A")} and not task.answers and not task.open_questions
