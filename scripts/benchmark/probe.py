"""Cost of idle sessions and streams: opens many, leaves them idle, and closes them. Runs in the load's process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from . import machine
from .callers import Job
from .client import LegacySession, Target, close_session, connect, open_session
from .inputs import Inputs
from .wire import Connection

# Time for the server to finish and free memory.
SETTLE_SECONDS = 1.0
MAX_CONCURRENT_OPENS = 32
MB = 2**20

Opener = Callable[[Connection], Awaitable[Connection | None]]


def _target(job: Job) -> Target:
    return Target(job.port, Inputs(Path(job.inputs)).token)


async def _open_many(target: Target, count: int, work: Opener) -> list[Connection]:
    """Run *work* *count* times over a few connections; returns the connections that stay open."""
    remaining = iter(range(count))
    open_connections: list[Connection] = []

    async def open_some() -> None:
        connection = await connect(target)
        for _ in remaining:
            item = await work(connection)
            if item is not None:
                open_connections.append(item)
        connection.transport.close()

    await asyncio.gather(*(open_some() for _ in range(min(MAX_CONCURRENT_OPENS, count))))
    return open_connections


def _session_opener(target: Target) -> Opener:
    async def open_one(connection: Connection) -> None:
        await open_session(target, connection)

    return open_one


def _stream_opener(target: Target) -> Opener:
    async def open_one(connection: Connection) -> Connection:
        session = LegacySession(target, await connect(target))
        await session.open(connection)
        return session.stream

    return open_one


async def measure_sessions(job: Job) -> dict[str, Any]:
    """Measure the memory of idle sessions."""
    target = _target(job)
    connection = await connect(target)
    await close_session(target, connection, await open_session(target, connection))
    await asyncio.sleep(SETTLE_SECONDS)
    before = machine.resident_bytes(job.pid)
    await _open_many(target, job.count, _session_opener(target))
    await asyncio.sleep(SETTLE_SECONDS)
    after = machine.resident_bytes(job.pid)
    return {"rss_mb": before / MB, "full_mb": after / MB, "bytes_each": max(0, after - before) / job.count}


async def measure_streams(job: Job) -> dict[str, Any]:
    """Measure memory and CPU of idle /sse streams, and the memory after closing and reopening them twice."""
    target = _target(job)
    for item in await _open_many(target, 1, _stream_opener(target)):
        item.transport.abort()
    await asyncio.sleep(SETTLE_SECONDS)
    before = machine.resident_bytes(job.pid)
    streams = await _open_many(target, job.count, _stream_opener(target))
    await asyncio.sleep(SETTLE_SECONDS)
    after = machine.resident_bytes(job.pid)
    idle_figures: dict[str, Any] = {}
    if job.idle:
        cpu_before = machine.cpu_seconds(job.pid)
        await asyncio.sleep(job.idle)
        idle_figures["idle_share"] = (machine.cpu_seconds(job.pid) - cpu_before) / job.idle
    closed_count = sum(item.closed for item in streams)
    for _ in range(2):
        for item in streams:
            item.transport.abort()
        await asyncio.sleep(SETTLE_SECONDS)
        streams = await _open_many(target, job.count, _stream_opener(target))
    await asyncio.sleep(SETTLE_SECONDS)
    reopened = machine.resident_bytes(job.pid)
    return idle_figures | {
        "rss_mb": before / MB,
        "full_mb": after / MB,
        "bytes_each": max(0, after - before) / job.count,
        "regrown_mb": (reopened - after) / MB,
        "failures": closed_count,
        "failure": f"{closed_count} streams were closed by the server" if closed_count else "",
    }


async def hold(job: Job) -> dict[str, Any]:
    """Open sessions or streams, report that they are open, and keep them until this process is killed."""
    target = _target(job)
    connections = await _open_many(
        target, job.count, _stream_opener(target) if job.tool == "streams" else _session_opener(target)
    )
    print('{"holding": true}', flush=True)
    while not any(item.closed for item in connections):
        await asyncio.sleep(1)
    return {"error": "the server closed streams that were held"}
