"""Bodies of requests in progress share a limit in bytes, and each user has a share of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack
from threading import Event

import pytest

from doit_mcp.resilience import compute_thread
from doit_mcp.resilience.compute_thread import MAX_QUEUED_PER_CALLER
from doit_mcp.resilience.limits import LimitExceeded
from doit_mcp.sandbox.accounts import User
from doit_mcp.transports.http.body_memory import BODIES_PER_OWNER, BODIES_TOTAL, BodyMemory
from tests.transports.http.serving import ADMIN, EMPLOYEE, OTHER_USER, VIEWER, Answer, Site, serving
from tests.transports.http.streaming import Wire, raw_connection, raw_post

LARGEST = 64 << 10


@pytest.mark.requirement("N1")
def test_n1_received_bytes_are_released() -> None:
    bodies = BodyMemory(10)
    with bodies.share("ann") as ann, bodies.share("ann") as second:
        ann.add(10 * BODIES_PER_OWNER - 1)
        second.add(1)
        with pytest.raises(LimitExceeded) as refused:
            second.add(1)
        assert refused.value.scope == "owner"
    assert bodies.total_bytes == 0
    with bodies.share("ann") as ann:
        ann.add(10 * BODIES_PER_OWNER)
        with pytest.raises(LimitExceeded):
            ann.add(1)
    assert bodies.total_bytes == 0


@pytest.mark.requirement("N1")
def test_n1_total_is_limited() -> None:
    bodies = BodyMemory(10)
    with ExitStack() as stack:
        for number in range(BODIES_TOTAL // BODIES_PER_OWNER):
            stack.enter_context(bodies.share(f"user {number}")).add(10 * BODIES_PER_OWNER)
        late = stack.enter_context(bodies.share("late"))
        with pytest.raises(LimitExceeded) as refused:
            late.add(1)
        assert refused.value.scope == "server" and bodies.total_bytes == 10 * BODIES_TOTAL
    assert bodies.total_bytes == 0


async def begin(site: Site, wire: Wire, size: int, headers: Mapping[str, str]) -> None:
    """Send a body except for its last byte."""
    wire.writer.write(raw_post(site, {**headers, "Content-Length": str(size)}) + b" " * (size - 1))
    await wire.writer.drain()


async def count_bytes(site: Site) -> float:
    """Return the bytes of bodies in progress."""
    text = (await site.send("GET", "/metrics", {})).text
    (line,) = [line for line in text.splitlines() if line.startswith("doit_mcp_body_bytes ")]
    return float(line.split()[1])


async def until_received(site: Site, size: int) -> None:
    """Wait until bodies in progress have this many bytes."""
    while await count_bytes(site) != size:
        await asyncio.sleep(0.01)


@pytest.mark.requirement("N1")
@pytest.mark.parametrize(("users", "status"), [((ADMIN,), 429), ((VIEWER, OTHER_USER, EMPLOYEE), 503)])
async def test_n1_bodies_in_progress_are_bounded(
    users: tuple[User, ...], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits hold for each user and in total. Beyond them requests get Retry-After, and small requests are still
    served."""
    monkeypatch.setattr("doit_mcp.transports.http.body_memory.BODIES_TOTAL", 3 * BODIES_PER_OWNER)
    async with serving(max_body=LARGEST) as site, AsyncExitStack() as stack:
        wires = []
        for user in users:
            for _ in range(BODIES_PER_OWNER):
                wires.append(await stack.enter_async_context(raw_connection(site)))
                await begin(site, wires[-1], LARGEST, site.headers(user))
        await until_received(site, len(wires) * (LARGEST - 1))
        late = await stack.enter_async_context(raw_connection(site))
        await begin(site, late, LARGEST, site.headers(ADMIN))
        head = await asyncio.wait_for(late.reader.readuntil(b"\r\n\r\n"), 20)
        assert f" {status} ".encode() in head and b"Retry-After: " in head
        assert (await site.post(site.request("ping"))).result == {}
        for wire in wires:
            wire.writer.write(b" ")
            # The whole body is read, although blanks are not a message.
            assert (await wire.answer())[0] == 400
        await until_received(site, 0)


@pytest.mark.requirement("N1")
async def test_n1_departing_client_releases_its_bytes() -> None:
    async with serving(max_body=LARGEST) as site:
        async with raw_connection(site) as wire:
            await begin(site, wire, LARGEST, site.headers())
            await until_received(site, LARGEST - 1)
        await until_received(site, 0)


@pytest.mark.requirement("H5", "N1")
async def test_n1_unauthenticated_bodies_are_not_buffered() -> None:
    """The token is checked first, so such a body is never received."""
    async with serving(max_body=LARGEST) as site, AsyncExitStack() as stack:
        for _ in range(BODIES_TOTAL):
            wire = await stack.enter_async_context(raw_connection(site))
            await begin(site, wire, LARGEST, {})
            assert (await wire.answer())[0] == 401
        assert (await site.post(site.request("ping"))).result == {}


@pytest.mark.requirement("N1")
@pytest.mark.parametrize("era", ["modern", "handshake"])
async def test_n1_body_counts_until_its_request_ends(era: str) -> None:
    """A request that continues without its connection keeps its arguments in memory."""
    async with serving(max_body=4 * LARGEST) as site:
        params = {"name": "wait", "more": "x" * 2 * LARGEST}
        if era == "modern":
            answer = asyncio.create_task(site.send_stateless("tools/call", params))
        else:
            session = await site.initialize()
            answer = asyncio.create_task(session.post(site.request("tools/call", params)))
        await asyncio.wait_for(site.bench.started.wait(), 20)
        held = await count_bytes(site)
        assert held > 2 * LARGEST
        if era == "handshake":
            answer.cancel()
            await asyncio.wait({answer})
            assert await count_bytes(site) == held
        site.bench.proceed.set()
        await until_received(site, 0)
        if era == "modern":
            assert (await answer).status == 200


@pytest.mark.requirement("N1")
@pytest.mark.parametrize(
    ("size", "count", "waiting", "said"),
    [
        (900_000, 40, BODIES_PER_OWNER, "in progress are limited to"),
        # Together these are within the limit in bytes.
        (140_000, 28, MAX_QUEUED_PER_CALLER, "send fewer at a time"),
    ],
)
async def test_n1_few_bodies_wait_to_be_parsed(size: int, count: int, waiting: int, said: str) -> None:
    """While the thread is busy, waiting bodies of one user are limited in bytes and in number; 770 MB could wait
    before. Other users are served."""
    begin = Event()
    async with serving(max_body=1 << 20) as site:
        running = compute_thread._COMPUTE_THREAD.submit("busy", begin.wait)
        try:
            message = site.request("ping", {"x": "x" * size})
            posts = {asyncio.create_task(site.post(message)) for _ in range(count)}
            done: set[asyncio.Task[Answer]] = set()
            while len(done) < count - waiting:
                done |= (await asyncio.wait(posts - done, return_when=asyncio.FIRST_COMPLETED, timeout=20))[0]
            for refused in done:
                answer = refused.result()
                assert answer.status == 429 and "Retry-After" in answer.headers and said in answer.text
            assert (await site.post(site.request("ping"))).result == {}
            late = asyncio.create_task(site.post(message, user=OTHER_USER))
            await asyncio.wait({late}, timeout=0.1)
            assert len([post for post in posts if not post.done()]) == waiting and not late.done()
        finally:
            begin.set()
        assert running.result(20)
        assert {(await post).status for post in posts - done} == {200} and (await late).status == 200
        await until_received(site, 0)
