"""Fairness between callers: greedy, hostile or many callers beside a quiet one, run in the load's process.

Ids such as Q2 are those of docs/security/requirements.rst. A quiet caller sends one call after another. Each of its
responses must be correct, or the measurement is void; each scenario defines the valid responses for the others.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from . import machine
from .callers import Job, request_message
from .client import HOST, ID_PLACEHOLDER, INITIALIZE, Message, Target, connect, fill_id, open_session, parse_result
from .figures import percentile
from .inputs import Inputs
from .wire import Connection, MeasurementFailed, find_header

# Between two calls of the quiet caller, and between two requests for /healthz.
PAUSE_SECONDS = 0.02
# The maximum duration of a scenario, relative to other measurements.
DURATION_FACTOR = 4
# Connections for scenarios that need many.
FORGER_CONNECTIONS = 100
# For each caller of a crowd.
CALLS_PER_CALLER = 10
SMALL_BUFFER_BYTES = 4096
MB = 2**20

Scenario = Callable[[Job], Coroutine[Any, Any, dict[str, Any]]]
SHED_STATUSES = (429, 503)


def _call_message(tool: str, **arguments: Any) -> Message:
    return {
        "jsonrpc": "2.0",
        "id": ID_PLACEHOLDER,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    }


SLOW_CALL = _call_message("fetch_report", id=f"slow-{ID_PLACEHOLDER}")
ECHO_CALL, _ = request_message(Job("call", 0, 0, ""))
FETCH_CALL, _ = request_message(Job("fetch", 0, 0, ""))


def _distinct_callers(job: Job) -> Iterator[Target]:
    """An infinite sequence of different callers."""
    return (Target(job.port, token) for token in Inputs(Path(job.inputs)).tokens(callers=True))


async def _open_connection(target: Target) -> tuple[Connection, str]:
    connection = await connect(target)
    return connection, await open_session(target, connection)


async def _run_quiet_caller(
    target: Target, message: Message, done: Callable[[], bool], min_calls: int = 0
) -> dict[str, float]:
    """Make one call after another until *done*, but at least *min_calls*; returns figures of their durations."""
    connection, session = await _open_connection(target)
    parts = target.post(message, session)
    durations: list[float] = []
    while len(durations) < min_calls or not done():
        since, number = time.perf_counter(), ID_PLACEHOLDER + len(durations)
        parse_result(*await connection.request(fill_id(parts, number)), number)
        durations.append(time.perf_counter() - since)
        await asyncio.sleep(PAUSE_SECONDS)
    if not durations:
        raise MeasurementFailed("the other callers finished before the first call of the quiet caller")
    return {
        "calls": len(durations),
        "p50_s": percentile(sorted(durations), 0.5),
        "p95_s": percentile(sorted(durations), 0.95),
    }


def _check_shed(status: int, head: bytes, body: bytes) -> None:
    if status not in SHED_STATUSES or not find_header(head, "retry-after").isdigit():
        raise MeasurementFailed(f"neither a result nor a retryable error: {status} {body[:300]!r}")


@asynccontextmanager
async def _run_together(*awaitables: Awaitable[object]) -> AsyncIterator[Sequence[asyncio.Future[object]]]:
    """Run these while the block runs; all must succeed afterward. Raises MeasurementFailed."""
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        yield tasks
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def run_greedy_caller(job: Job) -> dict[str, Any]:
    """One caller keeps many slow calls running and repeats refused ones at once; another is quiet (Q2)."""
    callers, statuses = _distinct_callers(job), Counter[int]()
    quiet, busy = next(callers), next(callers)
    session_connection, session = await _open_connection(busy)
    session_connection.transport.close()
    parts, limit = busy.post(SLOW_CALL, session), time.perf_counter() + DURATION_FACTOR * job.seconds
    numbers = count(ID_PLACEHOLDER)

    async def repeat_calls() -> None:
        connection = await connect(busy)
        while time.perf_counter() < limit:
            status, head, body = await connection.request(fill_id(parts, next(numbers)))
            statuses[status] += 1
            if status != 200:
                _check_shed(status, head, body)

    async with _run_together(*(repeat_calls() for _ in range(job.count))):
        figures: dict[str, Any] = await _run_quiet_caller(quiet, FETCH_CALL, lambda: time.perf_counter() > limit)
    return figures | {"answered": statuses[200], "shed": statuses.total() - statuses[200]}


async def run_crowd(job: Job) -> dict[str, Any]:
    """Many calls at once while the API takes a second, ten for each caller; one client reads /healthz (Q3)."""
    callers, durations = _distinct_callers(job), list[float]()
    statuses, calls = Counter[int](), list[tuple[Connection, list[bytes], int]]()
    for _ in range(job.count // CALLS_PER_CALLER):
        target = next(callers)
        connection, session = await _open_connection(target)
        parts = target.post(SLOW_CALL, session)
        calls += [(connection, parts, ID_PLACEHOLDER)]
        calls += [(await connect(target), parts, ID_PLACEHOLDER + number) for number in range(1, CALLS_PER_CALLER)]

    async def make_call(connection: Connection, parts: list[bytes], number: int) -> None:
        since = time.perf_counter()
        status, head, body = await connection.request(fill_id(parts, number))
        durations.append(time.perf_counter() - since)
        statuses[status] += 1
        if status == 200:
            parse_result(status, head, body, number)
        else:
            _check_shed(status, head, body)

    probe = Target(job.port, "")
    health_connection, slowest_health = await connect(probe), 0.0
    async with _run_together(*(make_call(*item) for item in calls)) as tasks:
        while not all(task.done() for task in tasks):
            since = time.perf_counter()
            status, head, _ = await health_connection.request(probe.head("GET", "/healthz").encode() + b"\r\n")
            if status != 200:
                raise MeasurementFailed(f"/healthz: {head[:200]!r}")
            slowest_health = max(slowest_health, time.perf_counter() - since)
            await asyncio.sleep(PAUSE_SECONDS)
    shed = statuses.total() - statuses[200]
    return {"slowest_s": max(durations), "healthz_s": slowest_health, "answered": statuses[200], "shed": shed}


async def run_forgers(job: Job) -> dict[str, Any]:
    """Many tokens with a foreign signature, over many connections; one caller has a valid one (Q4)."""
    forged_tokens = Inputs(Path(job.inputs)).tokens(callers=True, forged=True)
    quiet, requests = next(_distinct_callers(job)), list[bytes]()
    for _ in range(job.count):
        target = Target(job.port, next(forged_tokens))
        requests.append(fill_id(target.post(INITIALIZE), ID_PLACEHOLDER))
    remaining, before = iter(requests), machine.resident_bytes(job.pid)

    async def send_forged() -> None:
        connection = await connect(quiet)
        for request in remaining:
            status, head, _ = await connection.request(request)
            if status not in (401, 429):
                raise MeasurementFailed(f"a forged token: {head[:200]!r}")

    async with _run_together(*(send_forged() for _ in range(FORGER_CONNECTIONS))) as tasks:
        figures: dict[str, Any] = await _run_quiet_caller(quiet, ECHO_CALL, lambda: all(task.done() for task in tasks))
    return figures | {"grown_mb": (machine.resident_bytes(job.pid) - before) / MB}


async def run_stalled_readers(job: Job) -> dict[str, Any]:
    """Many callers request a large result and read nothing of it for a while; another is quiet (L3)."""
    callers = _distinct_callers(job)
    quiet, responses, stalled = next(callers), list[asyncio.Future[tuple[int, bytes, bytes]]](), list[Connection]()
    message = _call_message("sized_echo", text=f"text-{ID_PLACEHOLDER}-which-comes-back", size=job.size)
    for _ in range(job.count):
        target = next(callers)
        session_connection, session = await _open_connection(target)
        session_connection.transport.close()
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        reader.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(reader, (HOST, job.port))
        _, connection = await loop.create_connection(Connection, sock=reader)
        connection.transport.pause_reading()
        responses.append(connection.request(fill_id(target.post(message, session), ID_PLACEHOLDER)))
        stalled.append(connection)
    limit = time.perf_counter() + DURATION_FACTOR * job.seconds
    # They stall until resumed, so the quiet call always runs beside them.
    figures: dict[str, Any] = await _run_quiet_caller(
        quiet, FETCH_CALL, lambda: time.perf_counter() > limit, min_calls=1
    )
    for connection in stalled:
        connection.transport.resume_reading()
    # They were only slow, so they must receive their complete results.
    for status, head, body in await asyncio.gather(*responses):
        if len(parse_result(status, head, body, ID_PLACEHOLDER)["content"][0]["text"]) != job.size:
            raise MeasurementFailed("a stalled reader received an incomplete result")
    return figures


async def run_herd(job: Job) -> dict[str, Any]:
    """The first requests of a new server, many at once, each from another caller (K1)."""
    callers = _distinct_callers(job)
    connections = [(await connect(target), target) for target in (next(callers) for _ in range(job.count))]
    since = time.perf_counter()
    responses = [
        connection.request(fill_id(target.post(INITIALIZE), ID_PLACEHOLDER)) for connection, target in connections
    ]
    for response in await asyncio.gather(*responses):
        parse_result(*response, ID_PLACEHOLDER)
    return {"slowest_s": time.perf_counter() - since}


SCENARIOS: dict[str, Scenario] = {
    "greedy": run_greedy_caller, "crowd": run_crowd, "forgers": run_forgers, "stalled": run_stalled_readers, "herd": run_herd
}  # fmt: skip
