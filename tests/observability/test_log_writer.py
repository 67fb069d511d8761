"""Logs that are pipes with stalled, slow or closed readers: the server never blocks, and lost lines are reported."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from doit_mcp.observability.log_writer import LogStream
from doit_mcp.process.workers import reserve_port
from doit_mcp.sandbox.server import run_sandbox
from tests.process.test_workers import two_workers
from tests.test_cli import environment
from tests.transports.http.serving import ADMIN, LATEST_STATEFUL, SECRET, Bench, Json, NotificationHub, Session, Site

REQUESTS = 2_000


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe; those still open at the end are closed."""
    ends = os.pipe()
    before = [os.fstat(end).st_ino for end in ends]
    try:
        yield ends
    finally:
        for end, inode in zip(ends, before, strict=True):
            try:
                still = os.fstat(end).st_ino == inode
            except OSError:
                still = False
            if still:
                os.close(end)


def fill(end: int) -> None:
    """Write to a pipe until it is full."""
    os.set_blocking(end, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(end, b"\n" * 4096)
    os.set_blocking(end, True)


@dataclass
class Served:
    """A running `doit-mcp serve`, and ways to call it."""

    process: asyncio.subprocess.Process
    site: Site

    async def ask(self, count: int) -> None:
        """Send *count* requests, each of which logs a line."""
        for _ in range(count):
            assert (await self.site.send("GET", "/healthz", {})).status == 200

    async def write(self, session: Session, name: str) -> str:
        """Create a label, which logs a line in the audit log, and return its id."""
        created = await session.call("create_label", {"name": name, "color": "blue"})
        assert "isError" not in created.result, created.result
        label_id: str = created.result["structuredContent"]["id"]
        return label_id

    async def logs(self) -> dict[str, str]:
        """The log streams in /readyz; the server stays ready."""
        answer = await self.site.send("GET", "/readyz", {})
        assert answer.status == 200
        statuses: dict[str, str] = answer.body["logs"]
        return statuses

    async def number(self, name: str) -> float:
        """Return the value of a metric."""
        lines = (await self.site.send("GET", "/metrics", {})).text.splitlines()
        (line,) = [line for line in lines if line.startswith(name)]
        return float(line.rpartition(" ")[2])

    async def stop(self) -> None:
        """Stop the server with SIGTERM, within the time of drain and flush; pytest's timeout limits the rest."""
        self.process.terminate()
        assert await asyncio.wait_for(self.process.wait(), 30) == 0


@asynccontextmanager
async def served(stdout: int, stderr: int, before: Sequence[str] = (), **settings: str) -> AsyncIterator[Served]:
    """Runs the server as a process with these descriptors as standard output and error; *before* is a command that
    starts it, such as nohup."""
    with reserve_port("127.0.0.1", 0) as held:
        port = str(held.getsockname()[1])
        base = f"http://127.0.0.1:{port}"
        async with run_sandbox(resource_url=base, secret=SECRET) as sandbox:
            variables = {
                "MCP_TOKEN_EXCHANGE_SECRET": SECRET,
                "MCP_RESOURCE_URL": base,
                "AUTH_SERVER_URL": sandbox.url,
                "DOIT_API_BASE": sandbox.url,
                "DOIT_MCP_DRAIN_S": "1",
                **settings,
            }
            # A worker shares its port, so no other process can take the port first. It ends when the socket is closed.
            command = [*before, sys.executable, "-m", "doit_mcp", "serve", "--worker", "--port", port]
            watching, watched = socket.socketpair()
            with watched:
                process = await asyncio.create_subprocess_exec(
                    *command, env=environment(**variables), stdin=watched.fileno(), stdout=stdout, stderr=stderr
                )
            try:
                async with aiohttp.ClientSession() as http:
                    await _until_ready(http, base, process)
                    yield Served(process, Site(base, sandbox, http, Bench(), NotificationHub()))
            finally:
                watching.close()
                if process.returncode is None:
                    process.kill()
                await process.wait()


async def _until_ready(http: aiohttp.ClientSession, base: str, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        try:
            async with http.get(base + "/readyz") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientConnectionError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError("the server ended")


def lines_of(text: bytes) -> list[Json]:
    return [json.loads(line) for line in text.splitlines()]


async def read_until(end: int, expected: str) -> list[Json]:
    """Return the lines of a pipe up to the first with *wanted* as its message or tool."""
    text = b""
    while True:
        text += await asyncio.to_thread(os.read, end, 1 << 16)
        complete = text[: text.rfind(b"\n") + 1]
        lines = lines_of(complete)
        if any(expected in (line["message"], line.get("tool")) for line in lines):
            return lines


@pytest.mark.requirement("N6")
async def test_n6_unread_log_does_not_block() -> None:
    """Far more lines than fit into a pipe, then SIGTERM."""
    with pipe() as (_, end):
        async with served(asyncio.subprocess.DEVNULL, end) as server:
            await server.ask(REQUESTS)
            await server.stop()


@pytest.mark.requirement("N6")
async def test_n6_unread_audit_log_does_not_block(tmp_path: Path) -> None:
    with pipe() as (_, end), (tmp_path / "log").open("wb") as log:
        fill(end)
        async with served(end, log.fileno()) as server:
            session = await server.site.initialize(LATEST_STATEFUL)
            for number in range(5):
                await server.write(session, f"n6-{number}")
            await server.ask(10)
            async with asyncio.timeout(60):
                while (await server.logs())["audit"] != "failing":
                    await asyncio.sleep(0.2)
            assert (await server.logs())["log"] == "ok"
            await server.stop()


@pytest.mark.requirement("N6")
async def test_n6_unread_worker_log_does_not_block() -> None:
    """The log of their supervisor blocks nothing either."""
    with pipe() as (_, end):
        fill(end)
        async with two_workers(end) as (process, site, _port):
            session = await site.initialize(LATEST_STATEFUL)
            for _number in range(20):
                assert (await session.ask("ping")).result == {}
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 60) == 0


@pytest.mark.requirement("N6")
async def test_n6_unread_stdio_log_does_not_block() -> None:
    """Clients that start a server may ignore its standard error."""
    messages = [
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": LATEST_STATEFUL,
                "capabilities": {},
                "clientInfo": {"name": "t", "version": "1"},
            },
        },
        {
            "jsonrpc": "2.0",
            "id": 2,
            "method": "tools/call",
            "params": {"name": "create_label", "arguments": {"name": "n6 stdio", "color": "blue"}},
        },
    ]
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    with pipe() as (_, end):
        fill(end)
        async with run_sandbox(resource_url="http://127.0.0.1:1", secret=SECRET) as sandbox:
            variables = {
                "DOIT_API_KEY": ADMIN.api_token,
                "DOIT_API_BASE": sandbox.url,
                "AUTH_SERVER_URL": sandbox.url,
            }
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "doit_mcp", "stdio", env=environment(**variables), stderr=end, **pipes
            )
            text = b"".join(json.dumps(message).encode() + b"\n" for message in messages)
            out, _error = await asyncio.wait_for(process.communicate(text), 60)
    answers = {answer["id"]: answer["result"] for answer in lines_of(out)}
    assert answers[2].get("isError") is None and process.returncode == 0


@pytest.mark.requirement("N6")
async def test_n6_closed_audit_log_reader(tmp_path: Path) -> None:
    """The server continues, and operators see the failure before a line is lost, and the number of lost lines."""
    with pipe() as (read, end), (tmp_path / "log").open("wb") as log:
        async with served(end, log.fileno()) as server:
            session = await server.site.initialize(LATEST_STATEFUL)
            first = await server.write(session, "n6 first")
            (line,) = await read_until(read, "create_label")
            assert line["objects"]["id"] == first
            assert await server.logs() == {"log": "ok", "audit": "ok"}
            assert await server.number('doit_mcp_log_failing{stream="audit"}') == 0
            os.close(end)
            os.close(read)
            assert await server.logs() == {"log": "ok", "audit": "failing"}
            await server.write(session, "n6 second")
            await server.write(session, "n6 third")
            async with asyncio.timeout(60):
                while await server.number('doit_mcp_log_lines_dropped_total{stream="audit"}') != 2:
                    await asyncio.sleep(0.05)
            assert await server.number('doit_mcp_log_failing{stream="audit"}') == 1
            assert await server.number('doit_mcp_log_lines_dropped_total{stream="log"}') == 0
            await server.stop()
    lines = lines_of((tmp_path / "log").read_bytes())
    assert [line["tool"] for line in lines if "tool" in line] == 3 * ["create_label"]


@pytest.mark.requirement("N6")
async def test_n6_full_disk_does_not_stop_the_server() -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        async with served(full.fileno(), full.fileno()) as server:
            session = await server.site.initialize(LATEST_STATEFUL)
            await server.write(session, "n6 full")
            await server.ask(50)
            async with asyncio.timeout(60):
                for stream, lost in (("log", 50), ("audit", 1)):
                    while await server.number(f'doit_mcp_log_lines_dropped_total{{stream="{stream}"}}') < lost:
                        await asyncio.sleep(0.05)
            assert await server.logs() == {"log": "failing", "audit": "failing"}
            await server.stop()


@pytest.mark.requirement("N6")
async def test_n6_last_lines_are_written_before_exit(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log, (tmp_path / "audit").open("wb") as audit:
        async with served(audit.fileno(), log.fileno()) as server:
            session = await server.site.initialize(LATEST_STATEFUL)
            await server.write(session, "n6 last")
            await server.stop()
    assert len(lines_of((tmp_path / "audit").read_bytes())) == 1
    assert [line["tool"] for line in lines_of((tmp_path / "log").read_bytes()) if "tool" in line] == ["create_label"]


@pytest.mark.requirement("N6")
async def test_n6_writes_wait_for_a_required_audit_log(tmp_path: Path) -> None:
    """DOIT_MCP_AUDIT_REQUIRED refuses changes that would not be recorded; reads continue."""
    with pipe() as (read, end), (tmp_path / "log").open("wb") as log:
        async with served(end, log.fileno(), DOIT_MCP_AUDIT_REQUIRED="true") as server:
            session = await server.site.initialize(LATEST_STATEFUL)
            first = await server.write(session, "n6 first")
            os.close(end)
            os.close(read)
            refused = await session.call("create_label", {"name": "n6 second", "color": "blue"})
            assert refused.result["isError"] is True and "audit log" in refused.result["content"][0]["text"]
            labels = (await session.call("list_labels")).result["structuredContent"]["labels"]
            assert first in [label["id"] for label in labels]
            assert "n6 second" not in [label["name"] for label in labels]
            await server.stop()


@pytest.mark.requirement("N6")
async def test_n6_writes_fail_fast_when_the_required_audit_log_is_unread(tmp_path: Path) -> None:
    """Only the first change, made while no line was pending, can be missing, and the log reports it at the end."""
    with pipe() as (_, end), (tmp_path / "log").open("wb") as log:
        fill(end)
        async with served(end, log.fileno(), DOIT_MCP_AUDIT_REQUIRED="true") as server:
            session = await server.site.initialize(LATEST_STATEFUL)
            await server.write(session, "n6 first")
            for number in range(5):
                refused = await session.call("create_label", {"name": f"n6 {number}", "color": "blue"})
                assert refused.result["isError"] is True and "audit log" in refused.result["content"][0]["text"]
            assert (await server.logs())["audit"] == "failing"
            await server.stop()
    lines = lines_of((tmp_path / "log").read_bytes())
    (line,) = [line for line in lines if line.get("stream") == "audit"]
    # Refused changes are logged as well.
    assert line["level"] == "error" and line["message"] == "6 lines were not written" and line["missing"] == 6


@pytest.mark.requirement("N6")
async def test_n6_unwritten_lines_are_reported_on_the_other_stream_at_exit(tmp_path: Path) -> None:
    """This includes lines of the audit log. The exit status stays 0."""
    with pipe() as (_, end), (tmp_path / "audit").open("wb") as audit:
        fill(end)
        async with served(audit.fileno(), end) as server:
            await server.write(await server.site.initialize(LATEST_STATEFUL), "n6 last")
            await server.stop()
    first, last = lines_of((tmp_path / "audit").read_bytes())
    assert first["tool"] == "create_label"
    assert last["level"] == "error" and last["stream"] == "log" and last["missing"] > 0


@pytest.mark.requirement("N6")
async def test_n6_required_audit_lines_are_written_in_sequence(tmp_path: Path) -> None:
    """A slow reader causes no refusals."""
    with (tmp_path / "log").open("wb") as log, (tmp_path / "audit").open("wb") as audit:
        async with served(audit.fileno(), log.fileno(), DOIT_MCP_AUDIT_REQUIRED="true") as server:
            session = await server.site.initialize(LATEST_STATEFUL)
            for number in range(20):
                await server.write(session, f"n6 {number}")
            await server.stop()
    assert len(lines_of((tmp_path / "audit").read_bytes())) == 20


CLOSED = "import os, sys; [os.close(int(n)) for n in sys.argv[1].split(',')]; os.execv(sys.argv[2], sys.argv[2:])"


@pytest.mark.requirement("N6")
@pytest.mark.parametrize("closed", ["1", "2", "1,2"])
async def test_n6_starts_without_standard_streams(closed: str, tmp_path: Path) -> None:
    """A missing stream is reported as failing, audit lines go to no other stream, and the process ends normally."""
    with (tmp_path / "log").open("wb") as log, (tmp_path / "audit").open("wb") as audit:
        before = (sys.executable, "-c", CLOSED, closed)
        async with served(audit.fileno(), log.fileno(), before, DOIT_MCP_AUDIT_REQUIRED="true") as server:
            statuses = {"audit": "failing" if "1" in closed else "ok", "log": "failing" if "2" in closed else "ok"}
            assert await server.logs() == statuses
            session = await server.site.initialize(LATEST_STATEFUL)
            answer = await session.call("create_label", {"name": "n6 closed", "color": "blue"})
            assert answer.result.get("isError", False) is ("1" in closed)
            await server.stop()
    assert b"doit_mcp.audit" not in (tmp_path / "log").read_bytes()
    written = lines_of((tmp_path / "audit").read_bytes())
    assert [line["tool"] for line in written if "tool" in line] == ([] if "1" in closed else ["create_label"])


@pytest.mark.requirement("N6")
async def test_n6_workers_without_standard_output(tmp_path: Path) -> None:
    """Workers inherit /dev/null under its number, and do not use it as the audit log."""
    with (tmp_path / "log").open("wb") as log:
        async with two_workers(log.fileno(), before=(sys.executable, "-c", CLOSED, "1")) as (_process, site, _port):
            for _number in range(10):
                answer = await site.send("GET", "/readyz", {})
                assert answer.body["logs"] == {"log": "ok", "audit": "failing"}
            await (await site.initialize(LATEST_STATEFUL)).call("create_label", {"name": "n6 workers", "color": "blue"})
    assert b"doit_mcp.audit" not in (tmp_path / "log").read_bytes()


@pytest.mark.requirement("N6")
async def test_n6_long_audit_lines_of_workers_do_not_interleave() -> None:
    """Users can make every identifier of a refused call long, and the reader of the pipe is slow."""
    with pipe() as (read, end):
        async with two_workers(stdout=end) as (process, site, _port):
            session = await site.initialize(LATEST_STATEFUL)
            ids: Json = {"eventIds": ["\u0416" * 256] * 20, "nonsense": 1}

            few = asyncio.Semaphore(8)

            async def refused(number: int) -> None:
                async with few:
                    name, arguments = "delete_label", {"id": str(number), "nonsense": 1}
                    if number % 2:
                        name, arguments = "delete_datahub_events_by_filter", ids
                    assert (await session.call(name, arguments)).result["isError"] is True

            calls = asyncio.gather(*map(refused, range(60)))
            os.close(end)
            output, calling = b"", True
            while calling or b"\n" not in output or len(lines_of(output[: output.rfind(b"\n") + 1])) < 60:
                output += await asyncio.to_thread(os.read, read, 1500)
                calling = not calls.done()
            await calls
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 60) == 0
    lines = lines_of(output)
    assert len(lines) == 60 and sum("shortened" in line for line in lines) == 30


def report(dropped: int) -> bytes:
    return f"{dropped} dropped\n".encode()


def drain(end: int) -> bytes:
    """Return the bytes that a pipe holds now."""
    os.set_blocking(end, False)
    output = b""
    try:
        while piece := os.read(end, 1 << 16):
            output += piece
    except BlockingIOError:
        pass
    return output


def make_lines(count: int, size: int = 1000) -> list[bytes]:
    return [f"{number:08}".encode().ljust(size - 1, b".") + b"\n" for number in range(count)]


@pytest.mark.requirement("N6")
@pytest.mark.parametrize("bounds", [{"max_lines": 100}, {"max_bytes": 100_000}])
def test_n6_paused_reader_gets_the_lines_and_the_count_of_dropped_ones(bounds: Any) -> None:
    with pipe() as (read, end):
        fill(end)
        stream = LogStream(end, report, **bounds)
        expected_lines = make_lines(1000)
        for line in expected_lines:
            stream.put(line)
        dropped = stream.dropped
        # All but 100 lines and possibly a batch that is being written.
        assert 895 <= dropped <= 900 and stream.failing
        output, mark = b"", stream.make_flush_event()
        while not mark.wait(0.01):
            output += drain(read)
        output += drain(read)
        assert not stream.failing and stream.dropped == dropped
        lines = output.lstrip(b"\n").splitlines(keepends=True)
        assert lines.count(report(dropped)) == 1
        lines.remove(report(dropped))
        assert lines == expected_lines[: 1000 - dropped]
        stream.put(b"after\n")
        assert stream.make_flush_event().wait(10) and drain(read) == b"after\n"


@pytest.mark.requirement("N6")
def test_n6_truncated_line_does_not_corrupt_the_next(tmp_path: Path) -> None:
    """A disk that fills up in the middle of a line and later has space again."""
    written, room = tmp_path / "log", 2500
    with written.open("wb") as file:
        stream = LogStream(file.fileno(), report)
        stream._write_part = write_with_limit(file.fileno(), written, lambda: room)  # type: ignore[method-assign]  # a full pipe
        for line in make_lines(4):
            stream.put(line)
            assert stream.make_flush_event().wait(10)
        assert stream.dropped == 2 and stream.failing
        room = 100_000
        stream.put(b"after\n")
        assert stream.make_flush_event().wait(10) and not stream.failing
    lines = written.read_bytes().splitlines(keepends=True)
    assert lines[:2] == make_lines(2) and lines[3:] == [b"after\n", b"2 dropped\n"]


def write_with_limit(fd: int, path: Path, room: Any) -> Any:
    """A write() to a disk with limited space."""

    def write(data: memoryview) -> int:
        free_bytes = room() - path.stat().st_size
        if free_bytes <= 0:
            raise OSError(28, "No space left on device")
        return os.write(fd, data[:free_bytes])

    return write


@pytest.mark.requirement("N6")
def test_n6_non_blocking_pipe_is_awaited() -> None:
    with pipe() as (read, end):
        os.set_blocking(end, False)
        stream = LogStream(end, report)
        lines = make_lines(300)
        for line in lines:
            stream.put(line)
        output, mark = b"", stream.make_flush_event()
        while not mark.wait(0.01):
            output += drain(read)
        assert output + drain(read) == b"".join(lines) and stream.dropped == 0


@pytest.mark.requirement("N6")
def test_n6_hanging_stream_is_reported_as_failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported even before its queue is full."""
    monkeypatch.setattr("doit_mcp.observability.log_writer.STALL_SECONDS", 0.0)
    with pipe() as (read, end):
        stream = LogStream(end, report)
        assert not stream.failing
        for line in make_lines(100):
            stream.put(line)
        while not stream.failing:
            time.sleep(0.01)
        assert stream.dropped == 0
        mark = stream.make_flush_event()
        while not mark.wait(0.01):
            drain(read)
        assert not stream.failing


@pytest.mark.requirement("N6")
def test_n6_batches_fit_an_atomic_pipe_write() -> None:
    """Lines of processes that share a pipe are then not interleaved."""
    sizes: list[int] = []
    with open(os.devnull, "wb") as null:
        stream = LogStream(null.fileno(), report)
        write = stream._write_part

        def measure_write(data: memoryview) -> int:
            sizes.append(len(data))
            return write(data)

        stream._write_part = measure_write  # type: ignore[method-assign]  # notes sizes
        for line in [*make_lines(50, 500), *make_lines(2, 5000), *make_lines(50, 500)]:
            stream.put(line)
        assert stream.make_flush_event().wait(10)
    assert sum(sizes) == 60_000 and [size for size in sizes if size > 4096] == [5000, 5000]
    assert len(sizes) < 100
