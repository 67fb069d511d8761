"""Servers as processes: who there is, whether it is installed, how it is started, when it answers, how it is ended."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import machine
from .client import ACCEPT, HOST, INITIALIZE
from .inputs import Inputs

ROOT = Path(__file__).resolve().parents[2]
PEERS_DIRECTORY = Path(__file__).resolve().parent / "peers"
NODE_DIRECTORY = PEERS_DIRECTORY / "node"
# Where `scripts/bench --install` puts the Python peers, apart from what the tests run with.
PEERS_PYTHON = ROOT / "build" / "bench" / "bin" / "python"
START_TIMEOUT_SECONDS = 30.0
MAX_START_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ServerKind:
    """A program that can serve; *is_installed* says whether it is installed."""

    name: str
    command: tuple[str, ...]
    is_installed: Callable[[], bool] = lambda: True
    # Compiles itself while it runs: needs more load before it is what it will be.
    compiles_at_runtime: bool = False


def peers_python() -> str:
    """The interpreter that has the Python peers."""
    return str(PEERS_PYTHON) if PEERS_PYTHON.exists() else sys.executable


def has_modules(*names: str) -> bool:
    """Whether the peers' interpreter finds these."""
    test = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {names!r})))"
    return subprocess.run([peers_python(), "-c", test], check=False).returncode == 0


def has_packages(*names: str) -> bool:
    """Whether Node is there, and these packages are."""
    return shutil.which("node") is not None and all((NODE_DIRECTORY / "node_modules" / name).is_dir() for name in names)


def server_kinds() -> dict[str, ServerKind]:
    """Every program by its name."""
    python, node = peers_python(), shutil.which("node") or "node"
    every = [
        ServerKind("ours", (sys.executable, str(ROOT / "scripts" / "bench_server.py"))),
        ServerKind("limit", (sys.executable, "-m", "scripts.benchmark.limits")),
        ServerKind("py-sdk", (python, str(PEERS_DIRECTORY / "py_sdk.py")), lambda: has_modules("mcp", "uvicorn")),
        ServerKind(
            "py-fastmcp", (python, str(PEERS_DIRECTORY / "py_fastmcp.py")), lambda: has_modules("fastmcp", "uvicorn")
        ),
    ]
    needed = {
        "ts-sdk1": ("@modelcontextprotocol/sdk",),
        "ts-sdk2": ("@modelcontextprotocol/server", "@modelcontextprotocol/node", "@modelcontextprotocol/express"),
        "ts-fastmcp": ("fastmcp",),
    }
    for name, packages in needed.items():
        command = (node, str(NODE_DIRECTORY / f"{name.removeprefix('ts-')}.mjs"))
        every.append(ServerKind(name, command, partial(has_packages, *packages), compiles_at_runtime=True))
    return {kind.name: kind for kind in every}


def peer_remarks() -> list[str]:
    """What makes the peers slower than they could be here."""
    if has_modules("mcp") and not has_modules("httptools", "uvloop"):
        return ["httptools or uvloop is missing: the Python peers run slower than they can; see --install"]
    return []


class ServerFailed(Exception):
    """A server that does not serve."""


def find_free_port(first: int) -> int:
    """A port at or above *first* that nobody listens on."""
    for port in range(first, 65_000):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise ServerFailed("no free port")


class Ports:
    """Hands out ports, each once: one that a server has just left may not be free yet."""

    def __init__(self, first: int) -> None:
        self._next = first

    def take(self) -> int:
        """The next free one."""
        port = find_free_port(self._next)
        self._next = port + 1
        return port


class RunningServer:
    """A server's process. *startup_seconds* is how many seconds it took from its start to its first answer."""

    def __init__(self, name: str, kind: ServerKind, port: int, process: subprocess.Popen[bytes]) -> None:
        self.name, self.kind, self.port, self.process = name, kind, port, process
        self.startup_seconds = 0.0

    @property
    def pid(self) -> int:
        """The process."""
        return self.process.pid

    def stop(self) -> None:
        """End it at once; nothing of it is needed."""
        self.process.kill()
        self.process.wait()


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
    """Start a server and wait for its first answer to initialize; if it is to stay *cold*, for its first refusal of who
    has no token. Raises Broken, with what it wrote."""
    log = inputs.directory / "servers.log"
    for _ in range(MAX_START_ATTEMPTS):
        port = ports.take()
        command = [*kind.command, "--port", str(port), "--inputs", str(inputs.directory), *options]
        with open(log, "ab") as output:
            begun = time.perf_counter()
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=output, preexec_fn=machine.pin_to_core(core)
            )
        running = RunningServer(name, kind, port, process)
        wanted = 401 if cold else None if "--legacy" in options else 200
        if _wait_for_answer(running, "" if cold else inputs.token, wanted):
            running.startup_seconds = time.perf_counter() - begun
            return running
        ended = process.poll() is not None
        running.stop()
        if not ended:
            break
    raise ServerFailed(f"{name} does not start:\n{log.read_text(errors='replace')[-2000:]}")


def _wait_for_answer(running: RunningServer, token: str, wanted: int | None) -> bool:
    """Wait until it answers with the *wanted* status, if there is one; False if its process ended, perhaps since
    another took the port, or it never does."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": ACCEPT}
    limit = time.perf_counter() + START_TIMEOUT_SECONDS
    while time.perf_counter() < limit and running.process.poll() is None:
        connection = http.client.HTTPConnection(HOST, running.port, timeout=10)
        try:
            connection.request("POST", "/mcp", json.dumps(INITIALIZE), headers)
            # A server of the older transport alone knows no /mcp, and serves all the same: nothing is wanted of it.
            if connection.getresponse().status == wanted or wanted is None:
                return True
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.003)
    return False
