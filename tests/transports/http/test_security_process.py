"""The product in a process of its own, as users run it, between clients and upstream services of the tests.

Load and soak tests need this: memory, descriptors and tasks are those of the server alone. Its settings come as JSON on
standard input; ``/tests/inside`` reports what metrics do not.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import io
import json
import os
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from doit_mcp.cli import run_until_complete
from doit_mcp.observability import logging_setup
from doit_mcp.settings import Settings
from doit_mcp.transports.http.main_app import make_main_app
from doit_mcp.transports.http.runner import bind, freeze_heap, serve_app, socket_url, wait_for_stop_signal
from tests.transports.http.loop_probe import Heartbeat
from tests.transports.http.serving import ACCEPT, SECRET, STATELESS_REVISION, Answer, Json, read
from tests.transports.http.test_security_outside import RESOURCE, Outside

ROOT = Path(__file__).resolve().parents[3]
LONG = os.environ.get("DOIT_MCP_TEST_LONG") == "1"
META = "io.modelcontextprotocol/"
HEARTBEAT: web.AppKey[list[Heartbeat]] = web.AppKey("heartbeat")


def many_descriptors() -> None:
    """Let this process and its children open as many connections as the machine allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@dataclass
class Program:
    """The server's process, with ways to send requests and to inspect it."""

    base: str
    outside: Outside
    http: aiohttp.ClientSession
    process: asyncio.subprocess.Process
    log: Path

    def headers(self, token: str, **more: str) -> dict[str, str]:
        usual = {"Authorization": f"Bearer {token}", "Accept": ACCEPT, "Content-Type": "application/json"}
        return usual | {name.replace("_", "-"): value for name, value in more.items()}

    async def send(self, method: str, path: str, headers: Json, data: bytes | None = None) -> Answer:
        # aiohttp recommends files for large bodies.
        body = None if data is None else io.BytesIO(data)
        async with self.http.request(method, self.base + path, headers=headers, data=body) as response:
            return await read(response)

    async def post(self, message: Json, token: str, *, path: str = "/mcp", **headers: str) -> Answer:
        return await self.send("POST", path, self.headers(token, **headers), json.dumps(message).encode())

    async def send_stateless(self, message: Json, token: str) -> Answer:
        return await self.send(
            "POST", "/mcp", self.headers(token) | stateless_headers(message), encode_message(message)
        )

    async def initialize(self, token: str) -> str:
        params: Json = {"protocolVersion": "2025-11-25", "capabilities": {}}
        params["clientInfo"] = {"name": "t", "version": "1"}
        answer = await self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}, token)
        assert answer.status == 200, answer
        return answer.headers["Mcp-Session-Id"]

    async def inside(self) -> int:
        """Return the tasks of the server's event loop, after garbage collection."""
        return int((await self.send("GET", "/tests/inside", {})).text)

    async def longest_hold(self) -> float:
        """Return the longest time, in CPU seconds, for which the event loop was blocked since the last call."""
        return float((await self.send("GET", "/tests/longest-hold", {})).text)

    async def gauges(self) -> dict[str, float]:
        lines = (await self.send("GET", "/metrics", {})).text.splitlines()
        pairs = [line.split() for line in lines if line.startswith("doit_mcp_") and "{" not in line]
        return {name.removeprefix("doit_mcp_"): float(value) for name, value in pairs}

    async def until(self, **wanted: float) -> None:
        """Wait until the metrics have these values."""
        while not wanted.items() <= (await self.gauges()).items():
            await asyncio.sleep(0.05)

    @property
    def rss(self) -> int:
        """Resident memory in bytes."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()

    @property
    def cpu(self) -> float:
        """CPU seconds used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    async def rest(self) -> tuple[int, int]:
        """Return descriptors and tasks while one connection is open and only this request is in progress."""
        await self.http.close()
        self.http = client()
        tasks = await self.inside()
        return self.descriptors, tasks

    async def until_rest(self, before: tuple[int, int]) -> None:
        """Wait until there are no more of either than *before*. pytest's timeout limits the wait."""
        while any(now > then for now, then in zip(await self.rest(), before, strict=True)):
            await asyncio.sleep(0.1)

    def lines(self) -> list[Json]:
        """Return the log lines; every line must be JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def client() -> aiohttp.ClientSession:
    """A client without a connection limit."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


def encode_message(message: Json) -> bytes:
    return json.dumps(message).encode()


def budget(number: int, id: str) -> Json:
    """A call of the tool that sends one request upstream."""
    return {
        "jsonrpc": "2.0",
        "id": number,
        "method": "tools/call",
        "params": {"name": "get_budget", "arguments": {"id": id}},
    }


def with_request_metadata(message: Json) -> Json:
    """The message as a stateless request."""
    meta = {f"{META}protocolVersion": STATELESS_REVISION, f"{META}clientCapabilities": {}}
    return message | {"params": message.get("params", {}) | {"_meta": meta}}


def stateless_headers(message: Json) -> dict[str, str]:
    name = message["params"].get("name")
    return {"MCP-Protocol-Version": STATELESS_REVISION, "Mcp-Method": message["method"]} | (
        {"Mcp-Name": name} if name else {}
    )


@asynccontextmanager
async def program(folder: Path, **settings: Any) -> AsyncIterator[Program]:
    """The running server, its upstream services and a client without limits."""
    many_descriptors()
    outside, logged = Outside(), folder / "server.log"
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(outside.running())
        options: Json = {
            "resource_url": RESOURCE,
            "auth_server_url": outside.url,
            "doit_api_base": outside.url,
            "exchange_secret": SECRET,
            "drain_s": 1,
            "log_level": "info",
            **settings,
        }
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "tests.transports.http.test_security_process")
        errors = stack.enter_context(logged.open("w"))
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=errors)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(options).encode() + b"\n")
        try:
            base = (await process.stdout.readline()).decode().strip()
            assert base, logged.read_text()
            program_started = Program(base, outside, client(), process, logged)
            try:
                while (await program_started.send("GET", "/readyz", {})).status != 200:
                    await asyncio.sleep(0.05)
                yield program_started
            finally:
                await program_started.http.close()
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _inside(request: web.Request) -> web.Response:
    gc.collect()
    # Makes the allocator return free memory, so that resident memory is memory in use.
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return web.Response(text=str(len(asyncio.all_tasks())))


async def _longest_hold(request: web.Request) -> web.Response:
    """Return the longest block of the loop since the last call; the first call starts the measurement."""
    if not request.app[HEARTBEAT]:
        request.app[HEARTBEAT].append(Heartbeat())
    return web.Response(text=str(request.app[HEARTBEAT][0].take()))


async def main() -> None:
    """Serve until stopped."""
    options = json.loads(sys.stdin.readline())
    with bind("127.0.0.1", 0) as bound:
        base = socket_url(bound)
        settings = replace(Settings(), **(options | {"allowed_hosts": (base.removeprefix("http://"),)}))
        logging_setup.configure(settings.log_level)
        app = make_main_app(settings)
        app.router.add_get("/tests/inside", _inside)
        app[HEARTBEAT] = []
        app.router.add_get("/tests/longest-hold", _longest_hold)
        async with serve_app(app, bound):
            freeze_heap()
            print(base, flush=True)
            await wait_for_stop_signal()


@pytest.mark.requirement("F2", "F7", "G1")
async def test_calls_through_the_complete_program(tmp_path: Path) -> None:
    """Each API failure has a response, and a log line with the outcome."""
    mended, permanent = {"busy", "reset", "cut"}, {"missing", "garbage"}
    async with program(tmp_path) as server:
        server.outside.gate.set()
        token = server.outside.token("ann")
        for number, fault in enumerate(["ok", *sorted(mended), *sorted(permanent)]):
            answer = await server.send_stateless(with_request_metadata(budget(number, f"{fault}-1")), token)
            assert answer.status == 200 and answer.body["id"] == number
            assert answer.result.get("isError", False) is (fault in permanent), answer
            assert server.outside.seen[f"{fault}-1"] == 1 + (fault in mended)
    lines = [line for line in server.lines() if line.get("tool") == "get_budget"]
    assert [line["upstream_calls"] for line in lines] == [1, 2, 2, 2, 1, 1]
    statuses = [[200], [503, 200], [None, 200], [None, 200], [200], [404]]
    assert [line["upstream_status"] for line in lines] == statuses
    assert [line.get("identity_status") for line in lines] == [[200], None, None, None, None, None]
    assert lines[0]["identity_ms"] > 0
    assert all(line["status"] == 200 and len(line["trace"]) == 32 for line in lines)
    assert server.process.returncode == 0


if __name__ == "__main__":
    run_until_complete(main())
