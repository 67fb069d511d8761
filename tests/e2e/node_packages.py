"""Owns the Node clients: installs what the lock file names, once for all test processes, and runs them.

A machine without Node skips these tests, unless it is one that must run everything.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

NODE = Path(__file__).resolve().parent / "node"
SIGN_IN = NODE.parent / "sign_in.py"
LOCK = NODE / "package-lock.json"
MARK = NODE / "node_modules" / ".lock-hash"
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that has ended."""

    status: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit status {self.status}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def unavailable(reason: str) -> None:
    """Skip for *reason*; fail where nothing may be skipped."""
    if os.environ.get("CI") or os.environ.get("DOIT_MCP_TEST_REQUIRE_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def install() -> None:
    """Make node_modules what the lock file says. Test processes that come second wait and find it done."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            unavailable(f"{program} is not installed: the Node clients cannot run")
    with open(LOCK, "rb") as lock:
        # npm removes node_modules first, so the lock cannot live there; the lock file itself stays.
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256(lock.read()).hexdigest()
        if MARK.exists() and MARK.read_text() == wanted:
            return
        done = subprocess.run(INSTALL, cwd=NODE, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            unavailable(f"npm could not install the Node clients:\n{done.stdout}\n{done.stderr}")
        MARK.write_text(wanted)


async def run(command: Sequence[str], *, env: Mapping[str, str], limit: float = 60.0) -> Finished:
    """Run *command* to its end, or kill it after *limit* seconds and fail with what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(env),
        cwd=NODE,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    talk = asyncio.ensure_future(process.communicate())
    done, _ = await asyncio.wait({talk}, timeout=limit)
    if not done:
        process.kill()
    out, err = await talk
    finished = Finished(process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))
    if not done:
        pytest.fail(f"{command} took more than {limit:.0f} s\n{finished}", pytrace=False)
    return finished


def environment(home: Path, **more: str) -> dict[str, str]:
    """An environment of its own for a client: a fresh home, no proxies, nothing of ours."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "NO_COLOR": "1"} | more


def browser(directory: Path) -> dict[str, str]:
    """Environment in which the client's browser is ours: it approves and visits the callback without a screen."""
    script = directory / "bin" / "xdg-open"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(SIGN_IN))} "$1"\n')
    script.chmod(0o755)
    return {"PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}", "BROWSER": str(script)}


def free_port() -> int:
    """A TCP port on loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
