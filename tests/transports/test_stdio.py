"""The stdio server on a pipe: one client, one message per line, stateful and stateless requests, limits, and a clean
shutdown."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from doit_mcp.api import Doit
from doit_mcp.settings import Settings
from doit_mcp.transports.stdio import StdioServer, StdoutChannel, read_lines
from tests.api.recorder import Recorder
from tests.test_cli import environment
from tests.transports.http.serving import LATEST_STATEFUL, META, NAME, STATELESS_REVISION, Bench, Json, offer
from tests.wire_schema import check

BATCHES = "2025-03-26"


class Out(io.BytesIO):
    """The other end of a pipe, in this process; if *broken*, its reader has closed it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: asyncio.Queue[bytes] = asyncio.Queue()
        self.loop = asyncio.get_running_loop()
        self.broken = False

    def write(self, data: Any) -> int:
        if self.broken:
            raise BrokenPipeError
        assert data.endswith(b"\n") and data.count(b"\n") == 1
        self.loop.call_soon_threadsafe(self.lines.put_nowait, bytes(data))
        return len(data)


class Client:
    """A client that uses both ends of the pipe."""

    def __init__(self, bench: Bench, out: Out) -> None:
        self.bench, self.out = bench, out
        self.input: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.revision = BATCHES
        self.count = 0

    def send(self, message: Any) -> None:
        self.input.put_nowait(message if isinstance(message, bytes) else json.dumps(message).encode())

    def request(self, method: str, params: Json | None = None, id: Any = None) -> Json:
        self.count += 1
        message: Json = {"jsonrpc": "2.0", "id": self.count if id is None else id, "method": method}
        return message | ({} if params is None else {"params": params})

    def stateless_request(self, method: str, params: Json | None = None, **more: Any) -> Json:
        meta = {f"{META}protocolVersion": STATELESS_REVISION, f"{META}clientCapabilities": {}} | more
        return self.request(method, {**(params or {}), "_meta": meta})

    async def next(self, method: str | None = None, revision: str = "") -> Any:
        message = json.loads(await asyncio.wait_for(self.out.lines.get(), 20))
        check(revision or self.revision, message, method)
        return message

    async def ask(self, method: str, params: Json | None = None) -> Json:
        self.send(self.request(method, params))
        answer: Json = await self.next(method)
        return answer

    async def initialize(self, revision: str, **capabilities: Json) -> Json:
        self.revision = revision
        client = {"name": "t", "version": "1"}
        params = {"protocolVersion": revision, "capabilities": capabilities, "clientInfo": client}
        return await self.ask("initialize", params)


@asynccontextmanager
async def piped(**settings: Any) -> AsyncIterator[Client]:
    """A server on a pipe of this process. Its input ends with the block, which stops it."""
    bench, out = Bench(), Out()
    client = Client(bench, out)

    async def lines() -> AsyncIterator[bytes]:
        while (line := await client.input.get()) is not None:
            yield line

    doit = Doit.for_sender(Recorder())
    server = StdioServer(offer(bench), lambda *_: doit, StdoutChannel(out), Settings(**settings))
    running = asyncio.create_task(server.run(lines(), asyncio.Event()))
    try:
        yield client
    finally:
        client.input.put_nowait(None)
        await asyncio.wait_for(running, 20)
        assert out.lines.empty(), "nobody read this"


@pytest.mark.parametrize("revision", ["2024-11-05", BATCHES, "2025-06-18", LATEST_STATEFUL])
async def test_every_stateful_revision(revision: str) -> None:
    async with piped() as client:
        assert (await client.initialize(revision))["result"]["protocolVersion"] == revision
        client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert (await client.ask("ping"))["result"] == {}
        result = (await client.ask("tools/call", {"name": "echo", "arguments": {"text": "hi"}}))["result"]
        assert ("structuredContent" in result) == (revision >= "2025-06-18")
        assert (await client.ask("server/discover"))["error"]["code"] == -32601


async def test_stateful_and_stateless_requests_over_one_pipe() -> None:
    """Each message is classified by itself, because there are no headers."""
    async with piped() as client:
        await client.initialize(LATEST_STATEFUL)
        client.send(client.stateless_request("server/discover"))
        assert (await client.next("server/discover", STATELESS_REVISION))["result"]["supportedVersions"] == [
            STATELESS_REVISION
        ]
        assert "resultType" not in (await client.ask("tools/list"))["result"]
        client.send(client.stateless_request("initialize"))
        assert (await client.next(revision=STATELESS_REVISION))["error"]["code"] == -32601
        client.send(client.stateless_request("tools/list", **{f"{META}protocolVersion": "1900-01-01"}))
        assert (await client.next(revision=STATELESS_REVISION))["error"]["code"] == -32022


async def test_notifications_come_before_the_response() -> None:
    async with piped() as client:
        await client.initialize(LATEST_STATEFUL)
        client.send(client.request("tools/call", {"name": "steps", "_meta": {"progressToken": "p"}}))
        kinds = [(await client.next()).get("method", "answer") for _ in range(4)]
        assert kinds == ["notifications/progress", "notifications/message", "notifications/progress", "answer"]


async def test_requests_input_and_gets_an_answer() -> None:
    async with piped() as client:
        await client.initialize(LATEST_STATEFUL, elicitation={})
        client.send(client.request("tools/call", {"name": "ask"}))
        question = await client.next()
        assert question["method"] == "elicitation/create" and question["params"]["message"] == NAME["message"]
        client.send({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}})
        assert (await client.next("tools/call"))["result"]["structuredContent"] == {"said": "decline"}


async def test_cancels_a_request() -> None:
    """The request stops without a response, alone and in a batch."""
    for batched in (False, True):
        async with piped() as client:
            await client.initialize(BATCHES)
            call = client.request("tools/call", {"name": "wait"}, "w")
            client.send([call] if batched else call)
            await client.bench.started.wait()
            client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "w"}})
            await asyncio.wait_for(client.bench.ended.wait(), 20)
            assert client.bench.cancelled and (await client.ask("ping"))["result"] == {}


async def test_batches_where_the_revision_supports_them() -> None:
    async with piped() as client:
        await client.initialize(BATCHES)
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        client.send([note])
        client.send([client.request("ping", id="a"), note, {"jsonrpc": "2.0", "id": "b", "method": 5}])
        answers = await client.next()
        assert [answer["id"] for answer in answers] == ["a", "b"] and answers[1]["error"]["code"] == -32600
        client.send([])
        assert (await client.next())["error"]["code"] == -32600
        await client.initialize(LATEST_STATEFUL)
        client.send([client.request("ping")])
        assert (await client.next())["error"]["code"] == -32600


async def test_malformed_lines_are_harmless() -> None:
    async with piped() as client:
        for line, code in ((b"{", -32700), (b"", -32700), (b"5", -32600), (b'{"id":1}', -32600)):
            client.send(line)
            assert (await client.next())["error"]["code"] == code
        client.send(client.request("initialize", {"protocolVersion": 5}))
        assert (await client.next())["error"]["code"] == -32602
        assert (await client.ask("ping"))["result"] == {}


async def test_too_many_calls_at_once() -> None:
    """The refusal has the id of the request, so that the client does not wait for it."""
    async with piped(calls_total=1) as client:
        await client.initialize(BATCHES)
        client.send(client.request("tools/call", {"name": "wait"}, "first"))
        await client.bench.started.wait()
        client.send(client.request("tools/call", {"name": "echo"}, "second"))
        refused = await client.next()
        assert refused["id"] == "second" and refused["error"]["code"] == -32600
        client.send([client.request("ping")])
        assert (await client.next())["error"]["code"] == -32600
        client.send(client.request("ping", id="first"))
        assert (await client.next())["error"]["message"].endswith("already in flight")
        client.bench.proceed.set()
        assert (await client.next("tools/call"))["id"] == "first"


async def test_subscribes_to_changes_until_end_of_input() -> None:
    """The subscription is acknowledged, and ends with a result when the client closes its end."""
    async with piped() as client:
        client.send(client.stateless_request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}))
        acknowledged = await client.next("subscriptions/listen", STATELESS_REVISION)
        assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
        client.input.put_nowait(None)
        ended = await client.next("subscriptions/listen", STATELESS_REVISION)
        assert ended["result"]["resultType"] == "complete"


async def test_running_calls_are_answered_at_end_of_input() -> None:
    async with piped() as client:
        await client.initialize(LATEST_STATEFUL)
        client.send(client.request("tools/call", {"name": "wait"}, "last"))
        await client.bench.started.wait()
        client.input.put_nowait(None)
        client.bench.proceed.set()
        assert (await client.next("tools/call"))["id"] == "last"


async def test_closed_reader_gets_nothing_more() -> None:
    async with piped() as client:
        await client.initialize(LATEST_STATEFUL)
        client.out.broken = True
        client.send(client.request("ping"))
        client.send(b"{")
        client.send(client.request("tools/call", {"name": "echo"}))
        while not client.bench.ran:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"", []),
        (b"a\nb\n", [b"a\n", b"b\n"]),
        (b"a\n\n  \nb", [b"a\n", b"b"]),
        (b"x" * 10 + b"\n", [b"x" * 10 + b"\n"]),
        (b"x" * 11 + b"\nb\n", [b"", b"b\n"]),
        (b"x" * 95 + b"\nb\n", [b"", b"b\n"]),
        (b"x" * 95, [b""]),
    ],
)
async def test_lines_are_bounded(text: bytes, lines: list[bytes]) -> None:
    """A line that is too long is skipped to its end, and gets a parse error."""
    source: BinaryIO = io.BytesIO(text)
    assert [line async for line in read_lines(source, 10)] == lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupt_exits_immediately(number: int) -> None:
    """The server does not wait for a line that may never come, and prints no traceback."""
    command = [sys.executable, "-m", "doit_mcp", "stdio"]
    variables = environment(DOIT_API_KEY="a key", DOIT_API_BASE="http://127.0.0.1:9")
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=variables, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["result"] == {}
        process.send_signal(number)
        assert process.wait(10) == 0 and process.stderr.read() == b""


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": LATEST_STATEFUL, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
CREATE = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": "create_label", "arguments": {"name": "n24", "color": "blue"}},
}


def text_of(*messages: Json) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


class SlowApi:
    """An API that responds to a change when the test lets it."""

    def __init__(self) -> None:
        self.arrived, self.proceed = asyncio.Event(), asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        if request.method != "POST":
            return web.json_response({})
        self.arrived.set()
        await self.proceed.wait()
        return web.json_response({"id": "made", "name": "n24", "color": "blue"}, status=201)


@asynccontextmanager
async def slow_api() -> AsyncIterator[tuple[SlowApi, str]]:
    api, app = SlowApi(), web.Application()
    app.router.add_route("*", "/{path:.*}", api.answer)
    async with TestServer(app) as server:
        yield api, str(server.make_url(""))


@asynccontextmanager
async def program(base: str, stdout: int = subprocess.PIPE) -> AsyncIterator[asyncio.subprocess.Process]:
    """`doit-mcp stdio`, as a client starts it."""
    pipe, variables = subprocess.PIPE, environment(DOIT_API_KEY="a key", DOIT_API_BASE=base)
    command = (sys.executable, "-m", "doit_mcp", "stdio")
    process = await asyncio.create_subprocess_exec(*command, env=variables, stdin=pipe, stdout=stdout, stderr=pipe)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.requirement("N24")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_n24_signal_lets_a_write_finish_with_its_response_and_audit_line(number: int) -> None:
    async with slow_api() as (api, base), program(base) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.write(text_of(INITIALIZE, CREATE))
        await api.arrived.wait()
        process.send_signal(number)
        api.proceed.set()
        answers = [json.loads(line) async for line in process.stdout]
        assert await process.wait() == 0
        (line,) = [json.loads(line) async for line in process.stderr]
    assert answers[1]["result"]["structuredContent"]["id"] == "made"
    assert (line["logger"], line["tool"], line["outcome"]) == ("doit_mcp.audit", "create_label", "done")


@pytest.mark.requirement("N24")
async def test_n24_signal_exits_though_messages_are_unread() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writing, b"\n" * 4096)
    os.set_blocking(writing, True)
    try:
        async with program("http://127.0.0.1:9", writing) as process:
            assert process.stdin is not None
            process.stdin.write(text_of(INITIALIZE, CREATE))
            # The line was read, so signal handlers are installed.
            await process.stdin.drain()
            await wait_for_start(process.pid)
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        os.close(reading)
        os.close(writing)


async def wait_for_start(pid: int) -> None:
    """Wait until the process catches SIGTERM (proc(5), SigCgt)."""
    while True:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        (caught,) = [int(line.split()[1], 16) for line in lines if line.startswith("SigCgt")]
        if caught >> (signal.SIGTERM - 1) & 1:
            return
        await asyncio.sleep(0.02)


@pytest.mark.requirement("N24")
async def test_n24_unwritable_standard_output_exits() -> None:
    """The server stops although the client keeps the other pipe open."""
    with open("/dev/full", "wb") as full:
        async with program("http://127.0.0.1:9", full.fileno()) as process:
            assert process.stdin is not None and process.stderr is not None
            process.stdin.write(text_of(INITIALIZE))
            assert await asyncio.wait_for(process.wait(), 60) == 1
            (line,) = [json.loads(line) async for line in process.stderr]
    assert line["level"] == "error" and line["message"] == "cannot write to standard output"
    assert line["reason"] == "No space left on device"


@pytest.mark.requirement("N24")
async def test_n24_client_that_stops_reading_causes_exit() -> None:
    """The server stops although the client keeps the other pipe open, and this is not a failure."""
    reading, writing = os.pipe()
    async with program("http://127.0.0.1:9", writing) as process:
        os.close(writing)
        os.close(reading)
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(text_of(INITIALIZE))
        assert await asyncio.wait_for(process.wait(), 60) == 0
        assert await process.stderr.read() == b""


def test_client_that_closes_its_end_first() -> None:
    """A broken pipe is not a failure: exit status 0 at the end of the input, and no output about it."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "doit_mcp", "stdio"]
    variables = environment(DOIT_API_KEY="a key", DOIT_API_BASE="http://127.0.0.1:9")
    with subprocess.Popen(
        command, env=variables, stdin=subprocess.PIPE, stdout=writing, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(writing)
        os.close(reading)
        _, errors = process.communicate('{"jsonrpc": "2.0", "id": 1, "method": "ping"}\nno json\n', timeout=20)
    assert process.returncode == 0 and errors == ""
