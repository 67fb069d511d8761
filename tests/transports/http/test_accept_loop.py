"""Without free file descriptors the server pauses accepting, logs it and resumes; waiting clients are served later."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from doit_mcp.observability.metrics import Metrics
from doit_mcp.transports.http.accept_loop import AcceptingSite
from doit_mcp.transports.http.connection import LimitedAppRunner
from doit_mcp.transports.http.connection_limits import ConnectionLimits
from doit_mcp.transports.http.runner import bind
from tests.observability.test_log_writer import served
from tests.transports.http.serving import ACCEPT, ADMIN, OTHER_USER, VIEWER, serving
from tests.transports.http.streaming import raw_connection
from tests.transports.http.test_security_process import Program, program

ASK = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
MESSAGE = "file descriptors are low; accepting connections is paused"


def limit(server: Program, descriptors: int) -> None:
    """Limit the server to this many descriptors."""
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (descriptors, hard))


async def pauses(server: Program, reason: str) -> float:
    text = (await server.send("GET", "/metrics", {})).text
    lines = [line for line in text.splitlines() if line.startswith(f'doit_mcp_accept_pauses_total{{reason="{reason}"')]
    return float(lines[0].split()[1]) if lines else 0.0


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Program]:
    """A server in a process of its own with one open connection, so that everything metrics need is loaded."""
    async with program(tmp_path) as running:
        assert not await pauses(running, "descriptors")
        yield running


@pytest.mark.requirement("N24")
@pytest.mark.parametrize(("reason", "room"), [("descriptors", 3), ("connections", 200)])
async def test_n24_accepting_pauses_without_descriptors(server: Program, reason: str, room: int) -> None:
    """A reserve of descriptors is kept for the server's own files; if they are used up elsewhere, accept(2) fails."""
    host, port = server.base.removeprefix("http://").split(":")
    # A quarter of a small limit is reserved.
    limit(server, server.descriptors + room)
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(room + 30)]
        while not await pauses(server, reason):
            await asyncio.sleep(0.05)
        while await pauses(server, reason) < 3:
            await asyncio.sleep(0.05)
        (line,) = [line for line in server.lines() if line["message"] == MESSAGE]
        assert line["level"] == "warning" and line["reason"] == reason and line["connections"] > 0
        # No client was accepted only to be dropped: all get responses, one after the other.
        for client in clients:
            client.sendall(ASK)
            client.settimeout(20)
            answer = b""
            while piece := await asyncio.to_thread(client.recv, 4096):
                answer += piece
            assert answer.startswith(b"HTTP/1.1 200 ")
            client.close()
        assert (await server.send("GET", "/healthz", {})).status == 200
    assert server.process.returncode is None


@pytest.mark.requirement("N24")
async def test_n24_waiting_for_descriptors_uses_no_cpu(server: Program) -> None:
    """The listening socket stays readable, which must not make the event loop spin."""
    host, port = server.base.removeprefix("http://").split(":")
    limit(server, server.descriptors + 2)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection((host, int(port))))
        while not await pauses(server, "descriptors"):
            await asyncio.sleep(0.05)
        before = server.cpu
        await asyncio.sleep(2)
        assert server.cpu - before < 1.0


@pytest.mark.requirement("N24")
async def test_n24_client_that_left_before_accept() -> None:
    async with serving() as site:
        host, port = site.base.removeprefix("http://").split(":")
        for _ in range(20):
            connection = socket.create_connection((host, int(port)))
            # Close with a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
        async with raw_connection(site) as wire:
            wire.writer.write(ASK)
            assert (await wire.answer())[0] == 200
        while "doit_mcp_connections 1.0" not in (await site.send("GET", "/metrics", {})).text:
            await asyncio.sleep(0.02)


class Refusing:
    """An event loop in which every client has disconnected before it is accepted."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.seen: list[socket.socket] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loop, name)

    async def connect_accepted_socket(self, server: object, connection: socket.socket) -> None:
        self.seen.append(connection)
        raise ConnectionResetError


@pytest.mark.requirement("N24")
async def test_n24_descriptor_of_a_departed_client_is_closed() -> None:
    edge = ConnectionLimits(Metrics({}, {}, {}), 75.0)
    runner, bound = LimitedAppRunner(web.Application(), edge), bind("127.0.0.1", 0)
    await runner.setup()
    site = AcceptingSite(runner, bound, edge)
    site._loop = loop = Refusing(asyncio.get_running_loop())  # type: ignore[assignment]  # a loop that refuses
    await site.start()
    reader, writer = await asyncio.open_connection(*bound.getsockname()[:2])
    assert await asyncio.wait_for(reader.read(), 20) == b""
    writer.close()
    assert [accepted.fileno() for accepted in loop.seen] == [-1]
    await runner.cleanup()
    edge.stop()


@pytest.mark.requirement("N24")
async def test_n24_stopped_server_leaks_no_descriptor() -> None:
    async with serving() as site:
        async with raw_connection(site):
            assert (await site.send("GET", "/healthz", {})).status == 200
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        async with serving() as site, raw_connection(site):
            assert (await site.send("GET", "/healthz", {})).status == 200
    assert len(os.listdir("/proc/self/fd")) <= before


LIMITED = ("sh", "-c", 'ulimit -Sn "$1" && ulimit -Hn "$2" && shift 2 && exec "$@"', "sh")


@pytest.mark.requirement("N24")
@pytest.mark.parametrize("hard", [128, 4096])
async def test_n24_calls_have_descriptors_left_for_the_api(hard: int, tmp_path: Path) -> None:
    """More clients than the soft limit, each with a call that sends several requests at once, are all served
    eventually. No connection to the API fails for lack of a descriptor."""
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_budgets", "arguments": {}}}
    users = (ADMIN, VIEWER, OTHER_USER)
    with (tmp_path / "log").open("wb") as log:
        before = (*LIMITED, "64", str(hard))
        null, options = asyncio.subprocess.DEVNULL, {"DOIT_MCP_CALLS_PER_PRINCIPAL": "200"}
        async with served(null, log.fileno(), before, **options) as program:
            assert resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
            connector = aiohttp.TCPConnector(limit=0, force_close=True)
            async with aiohttp.ClientSession(connector=connector) as http:

                async def call(number: int) -> str:
                    token = users[number % len(users)].api_token
                    headers = {"Authorization": f"Bearer {token}", "Accept": ACCEPT}
                    async with http.post(program.site.base + "/mcp", json=ask, headers=headers) as answer:
                        assert answer.status == 200
                        return await answer.text()

                for number in range(len(users)):
                    assert "isError" not in await call(number)
                faults = {"latency": 0.3, "faults": []}
                async with http.put(program.site.world.url + "/sandbox/faults", json=faults) as answer:
                    assert answer.status < 300
                answers = await asyncio.gather(*map(call, range(150)))
                assert not [text for text in answers if "isError" in text]
                metrics = (await program.site.send("GET", "/metrics", {})).text
                assert 'doit_mcp_upstream_requests_total{status="2xx"}' in metrics
                ready = await program.site.send("GET", "/readyz", {})
                assert ready.body["circuits"]["api"] == "closed"
            await program.stop()
    assert b"a connection to the DoiT API failed" not in (tmp_path / "log").read_bytes()
