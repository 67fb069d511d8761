"""Owns the sandbox process the tests talk to: start, announcement, end.

The process writes to a file, not to a pipe: nobody has to drain it, and a failing test can show its tail.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT = 20.0
# SIGTERM lets calls in flight finish for up to 30 seconds.
STOP_LIMIT = 40.0


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What the process announced on its first line, and where its output goes."""

    mcp: str
    sse: str
    base: str
    world: str
    api_tokens: Mapping[str, str] = field(repr=False)
    users: Mapping[str, str] = field(repr=False)
    output: Path

    def tail(self, size: int = 6000) -> str:
        """The last *size* characters of what the process wrote."""
        return output(self.output)[-size:]


def output(directory: Path) -> str:
    """Everything a process wrote into *directory*, error stream last."""
    files = (directory / name for name in ("stdout", "stderr"))
    return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')}" for file in files if file.exists())


def environment() -> dict[str, str]:
    """Our environment, less what would configure the server from outside, with the project importable."""
    foreign = ("DOIT_", "MCP_", "AUTH_SERVER_", "CUSTOMER_CONTEXT", "TENANT_ID")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def announcement(process: subprocess.Popen[bytes], directory: Path) -> dict[str, object]:
    """The first line of the process, as JSON. Raises RuntimeError when it ends or stays silent instead."""
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit:
        line, newline, _ = (directory / "stdout").read_text().partition("\n")
        if newline:
            said: dict[str, object] = json.loads(line)
            return said
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"the sandbox did not announce itself (exit status {process.poll()})\n{output(directory)}")


def stop(process: subprocess.Popen[bytes], directory: Path) -> None:
    """End the process as an operator would; it must leave by itself, with status 0."""
    process.terminate()
    try:
        status = process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise RuntimeError(f"the sandbox ignored SIGTERM for {STOP_LIMIT:.0f} s\n{output(directory)}") from None
    if status != 0:
        raise RuntimeError(f"the sandbox ended with status {status}\n{output(directory)}")


@contextmanager
def launched(directory: Path, *flags: str) -> Iterator[Sandbox]:
    """Run ``python -m doit_mcp sandbox`` with *flags* on free ports; its output goes to *directory*."""
    command = [sys.executable, "-m", "doit_mcp", "sandbox", "--port", "0", "--world-port", "0", "--announce", "json"]
    with open(directory / "stdout", "wb") as out, open(directory / "stderr", "wb") as err:
        process = subprocess.Popen(
            [*command, *flags], cwd=directory, env=environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
    try:
        said = announcement(process, directory)
        yield Sandbox(**said, output=directory)  # type: ignore[arg-type]
    finally:
        stop(process, directory)
