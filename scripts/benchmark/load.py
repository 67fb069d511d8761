"""Load generator: sends one request after another on each connection and checks every response.

It runs as a process on the load's core: ``python -m scripts.benchmark.load JOB`` with a Job as JSON prints one JSON
object. Latency is measured from writing a request to the last byte of its response.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

from . import machine
from .callers import Caller, Job, LegacyCaller, Meter, NewTokenCaller, request_message
from .client import (
    ID_PLACEHOLDER,
    LegacySession,
    Message,
    Target,
    close_session,
    connect,
    fill_id,
    open_session,
    parse_result,
)
from .figures import percentile
from .inputs import Inputs
from .wire import Connection, MeasurementFailed

# Each connection has its own range of numbers, all of eight digits.
NUMBERS_PER_CONNECTION = 100_000
MAX_NUMBERS = 9 * ID_PLACEHOLDER
# Timeout of the last requests, after the load stops.
DRAIN_SECONDS = 30.0
# The maximum extension of a window, and its minimum in seconds, if there are hardly any responses.
WINDOW_FACTOR = 5
MIN_WINDOW_SECONDS = 30.0


async def _open_callers(job: Job, target: Target, meter: Meter) -> tuple[list[Caller], list[tuple[Connection, str]]]:
    """A caller for each connection, after checking its first response completely; and the sessions to end."""
    message, min_occurrences = request_message(job)
    callers: list[Caller] = []
    tokens = Inputs(Path(job.inputs)).tokens()

    async def open_caller_session() -> tuple[Connection, str]:
        connection = await connect(target)
        return connection, await open_session(target, connection)

    # All at once, because a handshake can be slow without using CPU.
    sessions = await asyncio.gather(*(open_caller_session() for _ in range(job.connections)))
    for index, (connection, session) in enumerate(sessions):
        parts = target.post(message, session)
        number = ID_PLACEHOLDER + index * _numbers_per_connection(job)
        result = parse_result(*await connection.request(fill_id(parts, number)), number)
        _check_result(job, result, number)
        if job.operation == "fresh":
            caller: Caller = NewTokenCaller(connection, meter, job, parts, min_occurrences)
            assert isinstance(caller, NewTokenCaller)
            caller.tokens, caller.old_token = tokens, target.token.encode()
        else:
            caller = Caller(connection, meter, job, parts, min_occurrences)
        callers.append(caller)
    return callers, sessions


def _numbers_per_connection(job: Job) -> int:
    return min(NUMBERS_PER_CONNECTION, MAX_NUMBERS // job.connections)


def _check_result(job: Job, result: Message, number: int) -> None:
    """Raise MeasurementFailed if a result is wrong."""
    if job.operation == "list":
        if job.count and len(result["tools"]) != job.count:
            raise MeasurementFailed(f"{len(result['tools'])} tools are listed, not {job.count}")
        return
    text = result["content"][0]["text"]
    expected = f"text-{number}-which-comes-back"
    if job.size:
        if not text.startswith(expected) or len(text) != job.size:
            raise MeasurementFailed(f"the wrong text: {len(text)} of {job.size} {text[:200]}")
        return
    if (f"r-{number}" not in text) if job.operation == "fetch" else text != expected:
        raise MeasurementFailed(f"the wrong text: {text[:200]}")


async def _open_legacy_callers(job: Job, target: Target, meter: Meter) -> list[Caller]:
    message, min_occurrences = request_message(job)

    async def open_caller() -> Caller:
        post = await connect(target)
        session = LegacySession(target, await connect(target))
        await session.open(post)
        caller = LegacyCaller(post, meter, job, target.post(message, path=session.path), min_occurrences)
        caller.attach(session)
        return caller

    return await asyncio.gather(*(open_caller() for _ in range(job.connections)))


async def _run_handshakes(target: Target, meter: Meter) -> None:
    connection = await connect(target)
    while meter.sending:
        since = time.perf_counter()
        try:
            await close_session(target, connection, await open_session(target, connection))
        except MeasurementFailed as failure:
            meter.record_failure(str(failure))
            return
        meter.record_response(since)


async def run_job(job: Job) -> dict[str, Any]:
    """Run a job. Raises MeasurementFailed if it cannot start."""
    target = Target(job.port, Inputs(Path(job.inputs)).token, job.accept)
    meter = Meter()
    callers: list[Caller] = []
    sessions: list[tuple[Connection, str]] = []
    tasks: list[asyncio.Future[Any]] = []
    if job.operation == "init":
        tasks = [asyncio.ensure_future(_run_handshakes(target, meter)) for _ in range(job.connections)]
    elif job.operation == "legacy":
        callers = await _open_legacy_callers(job, target, meter)
    else:
        callers, sessions = await _open_callers(job, target, meter)
    if job.requests:
        meter.unsent = job.requests - len(callers)
    for index, caller in enumerate(callers):
        caller.start(ID_PLACEHOLDER + index * _numbers_per_connection(job))
    tasks += [caller.finished for caller in callers]
    if job.requests:
        measured: dict[str, Any] = {"requests": job.requests}
    else:
        await asyncio.sleep(job.warmup)
        measured = await _measure_window(job, meter)
        meter.sending = False
    _, pending = await asyncio.wait(tasks, timeout=DRAIN_SECONDS + job.requests)
    if pending:
        meter.record_failure(f"{len(pending)} requests received no response")
    for connection, session in sessions:
        if not connection.closed:
            await close_session(target, connection, session)
    return measured | {"failures": meter.failures, "failure": meter.first_failure}


async def _measure_window(job: Job, meter: Meter) -> dict[str, Any]:
    """Measure during a window: responses, and CPU of the server and its core."""
    gc.collect()
    # A garbage collection here would count as latency of the server.
    gc.disable()
    before = (time.perf_counter(), machine.cpu_seconds(job.pid), _busy_seconds(job), time.process_time())
    meter.measuring = True
    end = before[0] + max(WINDOW_FACTOR * job.seconds, MIN_WINDOW_SECONDS)
    while time.perf_counter() < end:
        await asyncio.sleep(job.seconds)
        # Some servers respond in bursts, so a window without a complete burst is meaningless.
        if len(meter.latencies) >= 2 * job.connections or meter.failures:
            break
    meter.measuring = False
    after = (time.perf_counter(), machine.cpu_seconds(job.pid), _busy_seconds(job), time.process_time())
    wall_seconds, server_cpu, core_busy, load_cpu = (late - early for late, early in zip(after, before, strict=True))
    ordered = sorted(meter.latencies)
    if not ordered:
        raise MeasurementFailed(f"no response in {wall_seconds:.1f} s {meter.first_failure}")
    return {
        "requests": len(ordered),
        "rps": len(ordered) / wall_seconds,
        "p50_ms": percentile(ordered, 0.5) * 1e3,
        "p99_ms": percentile(ordered, 0.99) * 1e3,
        "cpu_us": server_cpu / len(ordered) * 1e6,
        "foreign": max(0.0, core_busy - server_cpu) / wall_seconds,
        "load_busy": load_cpu / wall_seconds,
    }


def _busy_seconds(job: Job) -> float:
    return machine.busy_seconds(job.core) if job.core is not None else 0.0


def main() -> None:
    """Run the job given on the command line."""
    from .fairness import SCENARIOS
    from .probe import hold, measure_sessions, measure_streams

    job = Job(**json.loads(sys.argv[1]))
    work = {"sessions": measure_sessions, "streams": measure_streams, "hold": hold, **SCENARIOS}.get(
        job.operation, run_job
    )
    try:
        print(json.dumps(machine.run_async(work(job))), flush=True)
    except (MeasurementFailed, OSError, TimeoutError) as failure:
        print(json.dumps({"error": f"{type(failure).__name__}: {failure}"[:600]}), flush=True)


if __name__ == "__main__":
    main()
