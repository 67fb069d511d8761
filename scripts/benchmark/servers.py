"""Server processes: programs, installation checks, start, readiness, stop."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import machine
from .client import ACCEPT, HOST, INITIALIZE
from .inputs import Inputs

ROOT = Path(__file__).resolve().parents[2]
PEERS_DIRECTORY = Path(__file__).resolve().parent / "peers"
NODE_DIRECTORY = PEERS_DIRECTORY / "node"
# Where `scripts/bench --install` installs the Python peers, separate from the test environment.
PEERS_PYTHON = ROOT / "build" / "bench" / "bin" / "python"
START_TIMEOUT_SECONDS = 30.0
MAX_START_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ServerKind:
    """A server program; *is_installed* says whether it can run here."""

    name: str
    command: tuple[str, ...]
    is_installed: Callable[[], bool] = lambda: True
    # A JIT compiler needs more warmup.
    compiles_at_runtime: bool = False
    start_timeout: float = START_TIMEOUT_SECONDS


def peers_python() -> str:
    """The interpreter of the Python peers."""
    return str(PEERS_PYTHON) if PEERS_PYTHON.exists() else sys.executable


def has_modules(*names: str) -> bool:
    """Whether the peers' interpreter has these modules."""
    test = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {names!r})))"
    return subprocess.run([peers_python(), "-c", test], check=False).returncode == 0


def has_packages(*names: str) -> bool:
    """Whether Node and these packages are installed."""
    return shutil.which("node") is not None and all((NODE_DIRECTORY / "node_modules" / name).is_dir() for name in names)


def server_kinds() -> dict[str, ServerKind]:
    """All programs by name."""
    python, node = peers_python(), shutil.which("node") or "node"
    kinds = [
        ServerKind("ours", (sys.executable, str(ROOT / "scripts" / "bench_server.py"))),
        ServerKind("limit", (sys.executable, "-m", "scripts.benchmark.minimal_servers")),
        ServerKind("ladder", (sys.executable, "-m", "scripts.benchmark.ladder")),
        ServerKind("py-sdk", (python, str(PEERS_DIRECTORY / "py_sdk.py")), lambda: has_modules("mcp", "uvicorn")),
        ServerKind(
            "py-fastmcp", (python, str(PEERS_DIRECTORY / "py_fastmcp.py")), lambda: has_modules("fastmcp", "uvicorn")
        ),
    ]
    node_packages = {
        "ts-sdk1": ("@modelcontextprotocol/sdk",),
        "ts-sdk2": ("@modelcontextprotocol/server", "@modelcontextprotocol/node", "@modelcontextprotocol/express"),
        "ts-fastmcp": ("fastmcp",),
    }
    for name, packages in node_packages.items():
        command = (node, str(NODE_DIRECTORY / f"{name.removeprefix('ts-')}.mjs"))
        kinds.append(ServerKind(name, command, partial(has_packages, *packages), compiles_at_runtime=True))
    return {kind.name: kind for kind in kinds}


def peer_remarks() -> list[str]:
    """Reasons why the peers run slower here than they could."""
    if has_modules("mcp") and not has_modules("httptools", "uvloop"):
        return ["httptools or uvloop is missing: the Python peers run slower than they can; see --install"]
    return []


class ServerFailed(Exception):
    """A server did not start or stopped serving."""


def find_free_port(first: int) -> int:
    """An unused port at or above *first*."""
    for port in range(first, 65_000):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise ServerFailed("no free port")


class Ports:
    """Hands out each port once, because one that was just released may not be free yet."""

    def __init__(self, first: int) -> None:
        self._next = first

    def take(self) -> int:
        """The next free port."""
        port = find_free_port(self._next)
        self._next = port + 1
        return port


class RunningServer:
    """A running server process. *startup_seconds* is the time from its start to its first response."""

    def __init__(self, name: str, kind: ServerKind, port: int, process: subprocess.Popen[bytes]) -> None:
        self.name, self.kind, self.port, self.process = name, kind, port, process
        self.startup_seconds = 0.0

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def stop(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.wait()


def server_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The *environment* of a server. All keep the bytecode of their modules, as an installation does: otherwise each
    start would compile this server's source, but not the peers' installed packages.
    """
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}


def start_server(
    name: str,
    kind: ServerKind,
    options: tuple[str, ...],
    inputs: Inputs,
    ports: Ports,
    core: int | None,
    *,
    cold: bool = False,
) -> RunningServer:
    """Start a server and wait for its first response to initialize; a *cold* one for its first 401. Raises ServerFailed
    with its output.
    """
    log = inputs.directory / "servers.log"
    for _ in range(MAX_START_ATTEMPTS):
        port = ports.take()
        command = [*kind.command, "--port", str(port), "--inputs", str(inputs.directory), *options]
        with open(log, "ab") as output:
            started = time.perf_counter()
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=server_environment(os.environ),
                stdout=subprocess.DEVNULL,
                stderr=output,
                preexec_fn=machine.pin_to_core(core),
            )
        running = RunningServer(name, kind, port, process)
        expected_status = 401 if cold else None if "--legacy" in options else 200
        if _wait_for_response(running, "" if cold else inputs.token, expected_status):
            running.startup_seconds = time.perf_counter() - started
            return running
        has_ended = process.poll() is not None
        running.stop()
        if not has_ended:
            break
    raise ServerFailed(f"{name} does not start:\n{log.read_text(errors='replace')[-2000:]}")


def _wait_for_response(running: RunningServer, token: str, expected_status: int | None) -> bool:
    """Wait until the server responds with the *expected_status*, if any; False if its process ended, for example because
    the port was taken, or on a timeout.
    """
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": ACCEPT}
    limit = time.perf_counter() + running.kind.start_timeout
    while time.perf_counter() < limit and running.process.poll() is None:
        connection = http.client.HTTPConnection(HOST, running.port, timeout=running.kind.start_timeout)
        try:
            connection.request("POST", "/mcp", json.dumps(INITIALIZE), headers)
            # A server of only the HTTP+SSE transport has no /mcp, so any status will do.
            if connection.getresponse().status == expected_status or expected_status is None:
                return True
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.003)
    return False
