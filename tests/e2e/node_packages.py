"""Installs locked Node packages once for all test processes, and runs them."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

NODE = Path(__file__).resolve().parent / "node"
SIGN_IN = NODE.parent / "sign_in.py"
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


class NotInstalled(Exception):
    """Packages cannot be installed on this machine; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished process."""

    status: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit status {self.status}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def unavailable(reason: str) -> None:
    """Skip for *reason*, or fail if the environment must run everything."""
    if os.environ.get("CI") or os.environ.get("DOIT_MCP_TEST_REQUIRE_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def find_browser() -> str:
    """Return the path of Chromium: of the variant without windows if it is installed, which needs half of the time."""
    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if path is None:
        unavailable("Chromium is not installed: pages cannot be shown")
    return str(path)


def install(directory: Path = NODE) -> None:
    """Install the packages of the lock file in *directory*. Processes that start later wait and find them.

    Raises NotInstalled.
    """
    mark = directory / "node_modules" / ".lock-hash"
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NotInstalled(f"{program} is not installed: the Node packages cannot run")
    with open(directory / "package-lock.json", "rb") as lock:
        # npm removes node_modules first, so the file to lock cannot be there; the lock file itself stays.
        fcntl.flock(lock, fcntl.LOCK_EX)
        digest = hashlib.sha256(lock.read()).hexdigest()
        if mark.exists() and mark.read_text() == digest:
            return
        done = subprocess.run(INSTALL, cwd=directory, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotInstalled(f"npm could not install the Node packages:\n{done.stdout}\n{done.stderr}")
        mark.write_text(digest)


async def run(command: Sequence[str], *, env: Mapping[str, str], limit: float = 60.0) -> Finished:
    """Run *command* to its end; after *limit* seconds, kill it and fail with its output."""
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
    """Return a clean environment for a client: a new home directory, no proxies, and none of our variables."""
    variables = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return variables | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "NO_COLOR": "1"} | more


def browser(directory: Path) -> dict[str, str]:
    """Return variables that make sign_in.py the client's browser, which visits the callback without a display."""
    script = directory / "bin" / "xdg-open"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(SIGN_IN))} "$1"\n')
    script.chmod(0o755)
    return {"PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}", "BROWSER": str(script)}
