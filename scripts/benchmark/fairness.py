"""What callers notice of each other: scenes with a greedy, a hostile or a crowd of callers, in the load's process.

Their letters are rows of the sheet of security requirements. A quiet caller makes one call after the other and is
answered rightly throughout, or the measurement is void; how the others may be answered, each scene says.
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
from .callers import Job, message_of
from .client import HELLO, HOST, PLACE, Message, Target, connect, filled, handshake, result_of
from .figures import percentile
from .inputs import Inputs
from .wire import Connection, Failed, header

# Between two calls of the quiet caller, between two looks at /healthz.
PAUSE = 0.02
# A scene that could go on lasts so many times as long as other measurements.
LONGER = 4
# Connections for what only has to be many.
WIDTH = 100
# Of one caller in a crowd.
CALLS_EACH = 10
SMALL_BUFFER = 4096
MB = 2**20

Scene = Callable[[Job], Coroutine[Any, Any, dict[str, Any]]]
SHED = (429, 503)


def _call(tool: str, **arguments: Any) -> Message:
    return {"jsonrpc": "2.0", "id": PLACE, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


SLOW = _call("fetch_report", id=f"slow-{PLACE}")
ECHO, _ = message_of(Job("call", 0, 0, ""))
FETCH, _ = message_of(Job("fetch", 0, 0, ""))


def _callers(job: Job) -> Iterator[Target]:
    """Callers without end, each another."""
    return (Target(job.port, token) for token in Inputs(Path(job.inputs)).tokens(callers=True))


async def _session(target: Target) -> tuple[Connection, str]:
    connection = await connect(target)
    return connection, await handshake(target, connection)


async def _quiet(target: Target, message: Message, done: Callable[[], bool], least: int = 0) -> dict[str, float]:
    """One call after the other until the others are *done*, but *least* of them; how long they took."""
    connection, session = await _session(target)
    parts = target.post(message, session)
    taken: list[float] = []
    while len(taken) < least or not done():
        since, number = time.perf_counter(), PLACE + len(taken)
        result_of(*await connection.ask(filled(parts, number)), number)
        taken.append(time.perf_counter() - since)
        await asyncio.sleep(PAUSE)
    if not taken:
        raise Failed("the others were done before there was a call beside them")
    return {"calls": len(taken), "p50_s": percentile(sorted(taken), 0.5), "p95_s": percentile(sorted(taken), 0.95)}


def _shed(status: int, head: bytes, body: bytes) -> None:
    if status not in SHED or not header(head, "retry-after").isdigit():
        raise Failed(f"neither answered nor told to come back: {status} {body[:300]!r}")


@asynccontextmanager
async def _together(*works: Awaitable[object]) -> AsyncIterator[Sequence[asyncio.Future[object]]]:
    """These go on while the block runs, and have ended well behind it. Raises Failed where one did not."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield tasks
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def greedy(job: Job) -> dict[str, Any]:
    """Q2: one caller has so many slow calls under way, and repeats at once what is refused; another is quiet."""
    callers, statuses = _callers(job), Counter[int]()
    quiet, busy = next(callers), next(callers)
    first, session = await _session(busy)
    first.transport.close()
    parts, limit = busy.post(SLOW, session), time.perf_counter() + LONGER * job.seconds
    numbers = count(PLACE)

    async def ask() -> None:
        connection = await connect(busy)
        while time.perf_counter() < limit:
            status, head, body = await connection.ask(filled(parts, next(numbers)))
            statuses[status] += 1
            if status != 200:
                _shed(status, head, body)

    async with _together(*(ask() for _ in range(job.count))):
        found: dict[str, Any] = await _quiet(quiet, FETCH, lambda: time.perf_counter() > limit)
    return found | {"answered": statuses[200], "shed": statuses.total() - statuses[200]}


async def crowd(job: Job) -> dict[str, Any]:
    """Q3: so many calls at once of an API that takes a second, ten for each caller; somebody asks for /healthz."""
    callers, taken = _callers(job), list[float]()
    statuses, ready = Counter[int](), list[tuple[Connection, list[bytes], int]]()
    for _ in range(job.count // CALLS_EACH):
        target = next(callers)
        connection, session = await _session(target)
        parts = target.post(SLOW, session)
        ready += [(connection, parts, PLACE)]
        ready += [(await connect(target), parts, PLACE + number) for number in range(1, CALLS_EACH)]

    async def ask(connection: Connection, parts: list[bytes], number: int) -> None:
        since = time.perf_counter()
        status, head, body = await connection.ask(filled(parts, number))
        taken.append(time.perf_counter() - since)
        statuses[status] += 1
        if status == 200:
            result_of(status, head, body, number)
        else:
            _shed(status, head, body)

    probe = Target(job.port, "")
    asked, worst = await connect(probe), 0.0
    async with _together(*(ask(*one) for one in ready)) as tasks:
        while not all(task.done() for task in tasks):
            since = time.perf_counter()
            status, head, _ = await asked.ask(probe.head("GET", "/healthz").encode() + b"\r\n")
            if status != 200:
                raise Failed(f"/healthz: {head[:200]!r}")
            worst = max(worst, time.perf_counter() - since)
            await asyncio.sleep(PAUSE)
    shed = statuses.total() - statuses[200]
    return {"slowest_s": max(taken), "healthz_s": worst, "answered": statuses[200], "shed": shed}


async def forgers(job: Job) -> dict[str, Any]:
    """Q4: so many tokens that somebody else signed, over many connections; one caller with a good one."""
    forged = Inputs(Path(job.inputs)).tokens(callers=True, forged=True)
    quiet, requests = next(_callers(job)), list[bytes]()
    for _ in range(job.count):
        target = Target(job.port, next(forged))
        requests.append(filled(target.post(HELLO), PLACE))
    left, before = iter(requests), machine.resident(job.pid)

    async def forge() -> None:
        connection = await connect(quiet)
        for request in left:
            status, head, _ = await connection.ask(request)
            if status not in (401, 429):
                raise Failed(f"a forged token: {head[:200]!r}")

    async with _together(*(forge() for _ in range(WIDTH))) as tasks:
        found: dict[str, Any] = await _quiet(quiet, ECHO, lambda: all(task.done() for task in tasks))
    return found | {"grown_mb": (machine.resident(job.pid) - before) / MB}


async def stalled(job: Job) -> dict[str, Any]:
    """L3: so many ask for a large result and take none of it for now; another is quiet."""
    callers = _callers(job)
    quiet, answers, stopped = next(callers), list[asyncio.Future[tuple[int, bytes, bytes]]](), list[Connection]()
    message = _call("sized_echo", text=f"text-{PLACE}-which-comes-back", size=job.size)
    for _ in range(job.count):
        target = next(callers)
        other, session = await _session(target)
        other.transport.close()
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        reader.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(reader, (HOST, job.port))
        _, connection = await loop.create_connection(Connection, sock=reader)
        connection.transport.pause_reading()
        answers.append(connection.ask(filled(target.post(message, session), PLACE)))
        stopped.append(connection)
    limit = time.perf_counter() + LONGER * job.seconds
    # They stall until they are resumed, so a call is beside them however late it comes.
    found: dict[str, Any] = await _quiet(quiet, FETCH, lambda: time.perf_counter() > limit, least=1)
    for connection in stopped:
        connection.transport.resume_reading()
    # They were only slow: what they asked for was kept for them, whole.
    for status, head, body in await asyncio.gather(*answers):
        if len(result_of(status, head, body, PLACE)["content"][0]["text"]) != job.size:
            raise Failed("a stalled reader got less than the whole result")
    return found


async def herd(job: Job) -> dict[str, Any]:
    """K1: the first requests that a server ever gets, so many at once, each of another caller."""
    callers = _callers(job)
    ready = [(await connect(target), target) for target in (next(callers) for _ in range(job.count))]
    since = time.perf_counter()
    answers = [connection.ask(filled(target.post(HELLO), PLACE)) for connection, target in ready]
    for answer in await asyncio.gather(*answers):
        result_of(*answer, PLACE)
    return {"slowest_s": time.perf_counter() - since}


SCENES: dict[str, Scene] = {
    "greedy": greedy, "crowd": crowd, "forgers": forgers, "stalled": stalled, "herd": herd
}  # fmt: skip
