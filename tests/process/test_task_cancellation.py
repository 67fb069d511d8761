"""Tests of the cancellation of asyncio tasks."""

from __future__ import annotations

import asyncio

from doit_mcp.process.task_cancellation import cancel_tasks


async def test_tasks_are_canceled_and_awaited() -> None:
    ended: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    tasks = [asyncio.create_task(work(name)) for name in ("first", "second")]
    await asyncio.sleep(0)
    await cancel_tasks(*tasks)
    assert sorted(ended) == ["first", "second"]
    assert all(task.cancelled() for task in tasks)


async def test_a_task_that_failed_raises_nothing() -> None:
    async def fail() -> None:
        raise ValueError("failed")

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    await cancel_tasks(task)
    assert isinstance(task.exception(), ValueError)


async def test_no_tasks() -> None:
    await cancel_tasks()
