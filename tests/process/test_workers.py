"""Workers on one port: all of them serve, one that dies is replaced, and all stop with their supervisor."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from doit_mcp.process.workers import MAX_FAILED_STARTS, WorkerSupervisor, reserve_port
from doit_mcp.sandbox.server import run_sandbox
from doit_mcp.transports.http.runner import bind
from tests.redis_state.redis_server import redis_server
from tests.test_cli import environment, run
from tests.transports.http.serving import LATEST_STATEFUL, SECRET, Bench, NotificationHub, Site

LISTENING = "0A"


def listeners(port: int) -> int:
    """The number of sockets that listen on the port (proc(5), net/tcp)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(f":{port:04X}") and line[3] == LISTENING for line in lines)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def until(read_value: Any, expected: Any) -> None:
    """Wait until *found* returns *wanted*."""
    async with asyncio.timeout(60):
        while read_value() != expected:
            await asyncio.sleep(0.02)


@contextmanager
def free_port() -> Iterator[socket.socket]:
    """A socket that keeps other processes off a port, but not servers that call reserve_port()."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield held


@asynccontextmanager
async def two_workers(
    stderr: int | None = None, stdout: int | None = None, before: Sequence[str] = (), **settings: str | None
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Site, int]]:
    """A running `doit-mcp serve --workers 2`, started by the command *before*, with a sandbox and a function that
    calls it. *settings* are added; None removes one."""
    with redis_server() as redis, free_port() as held:
        port = held.getsockname()[1]
        base = f"http://127.0.0.1:{port}"
        async with run_sandbox(resource_url=base, secret=SECRET) as sandbox:
            variables = {
                "MCP_TOKEN_EXCHANGE_SECRET": SECRET,
                "MCP_RESOURCE_URL": base,
                "AUTH_SERVER_URL": sandbox.url,
                "DOIT_API_BASE": sandbox.url,
                "DOIT_MCP_REDIS_URL": redis.url,
            } | settings
            present = {name: text for name, text in variables.items() if text is not None}
            command = [*before, sys.executable, "-m", "doit_mcp", "serve", "--workers", "2", "--port", str(port)]
            process = await asyncio.create_subprocess_exec(
                *command, env=environment(**present), stdout=stdout, stderr=stderr
            )
            # One connection per request, so that the kernel chooses a worker each time.
            connector = aiohttp.TCPConnector(force_close=True)
            try:
                async with aiohttp.ClientSession(connector=connector) as http:
                    await until(lambda: listeners(port), 2)
                    yield process, Site(base, sandbox, http, Bench(), NotificationHub()), port
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()
                await until(lambda: listeners(port), 0)


async def test_sessions_are_shared_by_workers_and_outlive_one() -> None:
    async with two_workers() as (process, site, port):
        session = await site.initialize(LATEST_STATEFUL)
        for _ in range(20):
            assert (await session.ask("ping")).result == {}
        workers = children(process.pid)
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        await until(lambda: len(set(children(process.pid)) - set(workers)), 1)
        await until(lambda: listeners(port), 2)
        for _ in range(20):
            assert (await session.ask("ping")).result == {}
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


@pytest.mark.requirement("N22")
async def test_n22_replacement_worker_has_the_secrets_of_the_others(tmp_path: Path) -> None:
    """Even if the file with the secret has changed or is gone: a rotation requires a restart of the whole server."""
    file = tmp_path / "secret"
    file.write_text(SECRET)
    of_file = {"MCP_TOKEN_EXCHANGE_SECRET": None, "MCP_TOKEN_EXCHANGE_SECRET_FILE": str(file)}
    async with two_workers(**of_file) as (process, site, port):
        session = await site.initialize(LATEST_STATEFUL)
        for change in (lambda: file.write_text("w" * 40), file.unlink):
            change()
            for worker in children(process.pid):
                os.kill(worker, signal.SIGKILL)
                await until(lambda gone=worker: gone in children(process.pid), False)
                await until(lambda: listeners(port), 2)
            for _ in range(20):
                assert (await session.ask("ping")).result == {}


@pytest.mark.requirement("N7")
async def test_n7_second_server_on_the_same_port_is_rejected() -> None:
    """This includes servers with workers, which share a port among themselves. The first server continues."""
    async with two_workers() as (process, site, port):
        more = {"MCP_TOKEN_EXCHANGE_SECRET": SECRET, "DOIT_MCP_REDIS_URL": "redis://127.0.0.1:1"}
        for flags in (["--workers", "2"], []):
            done = await asyncio.to_thread(run, "serve", *flags, "--port", str(port), **more)
            assert done.returncode == 2 and f"port {port}" in done.stderr
        assert listeners(port) == 2 and process.returncode is None


@pytest.mark.requirement("N7")
def test_n7_port_is_reserved_while_no_worker_listens() -> None:
    with reserve_port("127.0.0.1", 0) as held:
        with pytest.raises(OSError, match="in use"):
            reserve_port(*held.getsockname())
        with socket.socket() as worker:
            worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            worker.bind(held.getsockname())


@pytest.mark.requirement("N7")
def test_n7_closed_connections_do_not_prevent_a_restart() -> None:
    """TIME_WAIT, the state of the side that closes first, would make a bind without SO_REUSEADDR fail."""
    with reserve_port("127.0.0.1", 0) as held:
        address = held.getsockname()
        with (
            bind(*address, reuse_port=True) as listening,
            socket.create_connection(address) as client,
        ):
            accepted, _ = listening.accept()
            accepted.close()
            assert client.recv(1) == b""
    with reserve_port(*address) as held, pytest.raises(OSError, match="in use"):
        socket.create_server(address)


async def test_workers_stop_without_their_supervisor() -> None:
    async with two_workers() as (process, site, port):
        process.kill()
        await process.wait()
        await until(lambda: listeners(port), 0)


async def test_supervisor_gives_up_if_no_worker_serves() -> None:
    workers = WorkerSupervisor(
        [sys.executable, "-c", "raise SystemExit(2)"], dict(os.environ), 2, 1.0, min_restart_delay=0.001
    )
    assert not await workers.run()


SERVES = "import os, sys, time; os.write(0, b'.'); "


@pytest.mark.requirement("N7")
async def test_n7_failing_worker_that_served_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """One of two dies repeatedly, each time after it served; the other continues, and so do the restarts."""
    monkeypatch.setattr("doit_mcp.process.workers.MAX_RESTART_DELAY_SECONDS", 0.05)
    caplog.set_level("INFO")
    # The first process stays; later ones die after they served.
    program = SERVES + (
        "os.mkdir(sys.argv[1]) if not os.path.exists(sys.argv[1]) else sys.exit(3); sys.stdin.buffer.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "first")]
    workers = WorkerSupervisor(command, dict(os.environ), 2, 5.0, min_restart_delay=0.01)
    running = asyncio.create_task(workers.run())

    def pauses() -> list[float]:
        ends = [vars(record) for record in caplog.records if "restarting it" in record.message]
        assert {end["serving"] for end in ends} <= {1}
        return [end["pause_s"] for end in ends]

    await until(lambda: len(pauses()) >= 8 or running.done(), True)
    assert not running.done()
    # The pause grows up to its maximum.
    assert pauses()[:5] == [0.01, 0.02, 0.04, 0.05, 0.05]
    os.kill(os.getpid(), signal.SIGTERM)
    await running


@pytest.mark.requirement("N7")
async def test_n7_workers_that_never_serve_do_not_stop_serving_ones(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    starts.touch()
    program = (
        "import os, sys, time; log = open(sys.argv[1], 'a'); log.write('.'); log.close(); "
        "os.path.exists(sys.argv[2]) and sys.exit(2); os.mkdir(sys.argv[2]); os.write(0, b'.'); sys.stdin.buffer.read()"
    )
    command = [sys.executable, "-c", program, str(starts), str(tmp_path / "first")]
    workers = WorkerSupervisor(command, dict(os.environ), 2, 5.0, min_restart_delay=0.001)
    running = asyncio.create_task(workers.run())
    await until(lambda: len(starts.read_text()) > 8 or running.done(), True)
    assert not running.done()
    os.kill(os.getpid(), signal.SIGTERM)
    await running


@pytest.mark.requirement("N7")
async def test_n7_single_worker_that_served_is_always_restarted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only starts that never served count as failed, even if no other worker serves in the meantime."""
    monkeypatch.setattr("doit_mcp.process.workers.MAX_RESTART_DELAY_SECONDS", 0.01)
    starts = tmp_path / "starts"
    starts.touch()
    program = SERVES + "log = open(sys.argv[1], 'a'); log.write('.'); log.close(); sys.exit(3)"
    command = [sys.executable, "-c", program, str(starts)]
    workers = WorkerSupervisor(command, dict(os.environ), 1, 5.0, min_restart_delay=0.001)
    running = asyncio.create_task(workers.run())
    await until(lambda: len(starts.read_text()) > MAX_FAILED_STARTS + 1 or running.done(), True)
    assert not running.done()
    os.kill(os.getpid(), signal.SIGTERM)
    await running


@pytest.mark.requirement("N7")
async def test_n7_workers_survive_five_deaths_of_one() -> None:
    """Each one dies after it served. Sessions continue."""
    async with two_workers() as (process, site, port):
        session = await site.initialize(LATEST_STATEFUL)
        healthy, victim = children(process.pid)
        for _ in range(5):
            os.kill(victim, signal.SIGKILL)
            await until(lambda gone=victim: gone in children(process.pid), False)
            await until(lambda: listeners(port), 2)
            (victim,) = set(children(process.pid)) - {healthy}
            assert (await session.ask("ping")).result == {}
        assert process.returncode is None and healthy in children(process.pid)


@pytest.mark.requirement("N24")
@pytest.mark.parametrize("of", ["watcher", "worker"])
async def test_n24_hangup_drains(of: str) -> None:
    """SIGHUP works like SIGTERM: exit status 0, and a worker that gets SIGHUP alone is replaced."""
    async with two_workers() as (process, site, port):
        session = await site.initialize(LATEST_STATEFUL)
        assert (await session.ask("ping")).result == {}
        workers = children(process.pid)
        if of == "watcher":
            process.send_signal(signal.SIGHUP)
            assert await process.wait() == 0
        else:
            os.kill(workers[0], signal.SIGHUP)
            await until(lambda: workers[0] in children(process.pid), False)
            assert process.returncode is None
            assert (await session.ask("ping")).result == {}


async def test_stuck_worker_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doit_mcp.process.workers.KILL_GRACE_SECONDS", 0.1)
    deaf = "import os,signal,sys; signal.signal(15, signal.SIG_IGN); open(sys.argv[1], 'w').close(); signal.pause()"
    sign = Path(f"/tmp/doit-deaf-{os.getpid()}")
    workers = WorkerSupervisor([sys.executable, "-c", deaf, str(sign)], dict(os.environ), 1, 0.0)
    running = asyncio.create_task(workers.run())
    await until(sign.exists, True)
    sign.unlink()
    os.kill(os.getpid(), signal.SIGTERM)
    assert not await running


def test_single_process_without_redis() -> None:
    done = run("serve", "--workers", "2", MCP_TOKEN_EXCHANGE_SECRET=SECRET)
    assert done.returncode == 2 and "DOIT_MCP_REDIS_URL" in done.stderr
    assert "single process" in run("sandbox", "--workers", "2").stderr
    assert run("serve", "--workers", "0", MCP_TOKEN_EXCHANGE_SECRET=SECRET).returncode == 2


def test_port_in_use_is_reported_immediately() -> None:
    with reserve_port("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        held.close()
        with socket.create_server(("127.0.0.1", port)):
            more = {"MCP_TOKEN_EXCHANGE_SECRET": SECRET, "DOIT_MCP_REDIS_URL": "redis://127.0.0.1:1"}
            done = run("serve", "--workers", "2", "--port", str(port), **more)
    assert done.returncode == 2 and str(port) in done.stderr
