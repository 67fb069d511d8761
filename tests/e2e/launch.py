"""Starts and stops the sandbox process for the tests, and reads its announcement.

The process writes to files rather than pipes, so nothing needs to drain them and a failing test can show their end.
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
# After SIGTERM, calls in flight have up to 30 seconds to finish.
STOP_LIMIT = 40.0


class SandboxFailed(RuntimeError):
    """The sandbox did not start or stop as it should; the message has the end of its output."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What the process announced on its first line, and the directory of its output."""

    mcp: str
    sse: str
    base: str
    services: str
    api_tokens: Mapping[str, str] = field(repr=False)
    users: Mapping[str, str] = field(repr=False)
    output: Path

    def tail(self, size: int = 6000) -> str:
        """Return the last *size* characters of the output."""
        return output(self.output)[-size:]


def output(directory: Path) -> str:
    """Return everything a process wrote to *directory*, stderr last."""
    files = (directory / name for name in ("stdout", "stderr"))
    return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')}" for file in files if file.exists())


def environment() -> dict[str, str]:
    """Return the current environment without variables that configure the server, with the project importable."""
    foreign = ("DOIT_", "MCP_", "AUTH_SERVER_", "CUSTOMER_CONTEXT", "TENANT_ID")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return variables | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def announcement(process: subprocess.Popen[bytes], directory: Path) -> dict[str, object]:
    """Return the first line of output, parsed as JSON. Raises SandboxFailed if the process ends or stays silent."""
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit:
        line, newline, _ = (directory / "stdout").read_text().partition("\n")
        if newline:
            fields: dict[str, object] = json.loads(line)
            return fields
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise SandboxFailed(f"the sandbox did not announce itself (exit status {process.poll()})\n{output(directory)}")


def stop(process: subprocess.Popen[bytes], directory: Path) -> None:
    """Stop the process as an operator would. Raises SandboxFailed unless it exits by itself with status 0."""
    process.terminate()
    try:
        status = process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise SandboxFailed(f"the sandbox ignored SIGTERM for {STOP_LIMIT:.0f} s\n{output(directory)}") from None
    if status != 0:
        raise SandboxFailed(f"the sandbox ended with status {status}\n{output(directory)}")


@contextmanager
def running_sandbox(directory: Path, *flags: str, **variables: str) -> Iterator[Sandbox]:
    """Run ``python -m doit_mcp sandbox`` with *flags* and environment *variables* on free ports.

    Its output goes to *directory*. Raises SandboxFailed.
    """
    command = [sys.executable, "-m", "doit_mcp", "sandbox", "--port", "0", "--sandbox-port", "0", "--announce", "json"]
    with open(directory / "stdout", "wb") as out, open(directory / "stderr", "wb") as err:
        process = subprocess.Popen(
            [*command, *flags],
            cwd=directory,
            env=environment() | variables,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
    try:
        fields = announcement(process, directory)
    except BaseException:
        process.kill()
        process.wait()
        raise
    try:
        yield Sandbox(**fields, output=directory)  # type: ignore[arg-type]  # JSON values
    finally:
        stop(process, directory)
