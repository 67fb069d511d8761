"""The load: so many connections, on each one request after the other, for a while; every answer is looked at.

A process of its own on the load's core: ``python -m scripts.benchmark.load JOB`` with a Job as JSON prints one JSON
object. Latency runs from writing a request to the last byte of its answer.
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
from .callers import Caller, Job, LegacyCaller, Meter, Stranger, message_of
from .client import PLACE, Legacy, Message, Target, connect, end, filled, handshake, result_of
from .figures import percentile
from .inputs import Inputs
from .wire import Connection, Failed

# Each connection has numbers of its own, all of eight digits.
NUMBERS = 100_000
MOST_NUMBERS = 9 * PLACE
# How long the last requests may take once nothing new is sent.
LAST = 30.0
# How many times as long as asked a window may be, and at least how many seconds where hardly anything is answered.
LONGER = 5
SLOWEST = 30.0


async def _callers(job: Job, target: Target, meter: Meter) -> tuple[list[Caller], list[tuple[Connection, str]]]:
    """A caller for each connection, whose first answer was read in full; and the sessions to end."""
    message, least = message_of(job)
    made: list[Caller] = []
    tokens = Inputs(Path(job.inputs)).tokens()

    async def begun() -> tuple[Connection, str]:
        connection = await connect(target)
        return connection, await handshake(target, connection)

    # All at once: a handshake may be slow without being work.
    sessions = await asyncio.gather(*(begun() for _ in range(job.connections)))
    for index, (connection, session) in enumerate(sessions):
        parts = target.post(message, session)
        number = PLACE + index * _numbers(job)
        result = result_of(*await connection.ask(filled(parts, number)), number)
        _look(job, result, number)
        if job.operation == "fresh":
            caller: Caller = Stranger(connection, meter, job, parts, least)
            assert isinstance(caller, Stranger)
            caller.tokens, caller.old = tokens, target.token.encode()
        else:
            caller = Caller(connection, meter, job, parts, least)
        made.append(caller)
    return made, sessions


def _numbers(job: Job) -> int:
    return min(NUMBERS, MOST_NUMBERS // job.connections)


def _look(job: Job, result: Message, number: int) -> None:
    """Raises Failed where a result does not say what it must."""
    if job.operation == "list":
        if job.count and len(result["tools"]) != job.count:
            raise Failed(f"{len(result['tools'])} tools are listed, not {job.count}")
        return
    text = result["content"][0]["text"]
    whole = f"text-{number}-which-comes-back"
    if job.size:
        if not text.startswith(whole) or len(text) != job.size:
            raise Failed(f"the wrong text: {len(text)} of {job.size} {text[:200]}")
        return
    if (f"r-{number}" not in text) if job.operation == "fetch" else text != whole:
        raise Failed(f"the wrong text: {text[:200]}")


async def _legacy_callers(job: Job, target: Target, meter: Meter) -> list[Caller]:
    message, least = message_of(job)

    async def begun() -> Caller:
        post = await connect(target)
        session = Legacy(target, await connect(target))
        await session.open(post)
        caller = LegacyCaller(post, meter, job, target.post(message, path=session.path), least)
        caller.attach(session)
        return caller

    return await asyncio.gather(*(begun() for _ in range(job.connections)))


async def _handshakes(target: Target, meter: Meter) -> None:
    connection = await connect(target)
    while meter.sending:
        since = time.perf_counter()
        try:
            await end(target, connection, await handshake(target, connection))
        except Failed as failure:
            meter.failed(str(failure))
            return
        meter.answered(since)


async def run(job: Job) -> dict[str, Any]:
    """Measure. Raises Failed where the measurement cannot even begin."""
    target = Target(job.port, Inputs(Path(job.inputs)).token, job.accept)
    meter = Meter()
    callers: list[Caller] = []
    sessions: list[tuple[Connection, str]] = []
    tasks: list[asyncio.Future[Any]] = []
    if job.operation == "init":
        tasks = [asyncio.ensure_future(_handshakes(target, meter)) for _ in range(job.connections)]
    elif job.operation == "legacy":
        callers = await _legacy_callers(job, target, meter)
    else:
        callers, sessions = await _callers(job, target, meter)
    for index, caller in enumerate(callers):
        caller.start(PLACE + index * _numbers(job))
    tasks += [caller.idle for caller in callers]
    await asyncio.sleep(job.warmup)
    measured = await _window(job, meter)
    meter.sending = False
    _, late = await asyncio.wait(tasks, timeout=LAST)
    if late:
        meter.failed(f"{len(late)} requests were never answered")
    for connection, session in sessions:
        if not connection.closed:
            await end(target, connection, session)
    return measured | {"failures": meter.failures, "failure": meter.first}


async def _window(job: Job, meter: Meter) -> dict[str, Any]:
    """The time for which answers count, and what the server and its core did then."""
    gc.collect()
    # A collection here would be latency there.
    gc.disable()
    before = (time.perf_counter(), machine.cpu_seconds(job.pid), _busy(job), time.process_time())
    meter.on = True
    end = before[0] + max(LONGER * job.seconds, SLOWEST)
    while time.perf_counter() < end:
        await asyncio.sleep(job.seconds)
        # Some servers answer in bursts of all that is under way: a window without a whole one shows nothing.
        if len(meter.latencies) >= 2 * job.connections or meter.failures:
            break
    meter.on = False
    after = (time.perf_counter(), machine.cpu_seconds(job.pid), _busy(job), time.process_time())
    wall, served, busy, own = (late - early for late, early in zip(after, before, strict=True))
    ordered = sorted(meter.latencies)
    if not ordered:
        raise Failed(f"nothing was answered in {wall:.1f} s {meter.first}")
    return {
        "requests": len(ordered),
        "rps": len(ordered) / wall,
        "p50_ms": percentile(ordered, 0.5) * 1e3,
        "p99_ms": percentile(ordered, 0.99) * 1e3,
        "cpu_us": served / len(ordered) * 1e6,
        "foreign": max(0.0, busy - served) / wall,
        "load_busy": own / wall,
    }


def _busy(job: Job) -> float:
    return machine.busy_seconds(job.core) if job.core is not None else 0.0


def main() -> None:
    """Do the job of the command line."""
    from .fairness import SCENES
    from .probe import hold, sessions, streams

    job = Job(**json.loads(sys.argv[1]))
    work = {"sessions": sessions, "streams": streams, "hold": hold, **SCENES}.get(job.operation, run)
    try:
        print(json.dumps(machine.run(work(job))), flush=True)
    except (Failed, OSError, TimeoutError) as failure:
        print(json.dumps({"error": f"{type(failure).__name__}: {failure}"[:600]}), flush=True)


if __name__ == "__main__":
    main()
