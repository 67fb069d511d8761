"""Runs the driver of a client as a process, and sends it orders."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from scripts.client_matrix.registry import Client
from tests.e2e.launch import ROOT
from tests.e2e.node_packages import NODE, environment

DRIVERS = Path(__file__).resolve().parent / "drivers"
EXAMPLES = ROOT / "examples" / "agents"
# Frameworks take up to half a minute to import on a busy machine.
ANSWER_LIMIT_SECONDS = 120
EXIT_LIMIT_SECONDS = 20
SHOWN_CHARACTERS = 600
MAX_LINE_BYTES = 16 * 2**20


class DriverFailed(Exception):
    """The driver ended or did not answer; the message contains the end of its standard error."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A client and the environment that it is installed in; *work* is a folder for its files."""

    client: Client
    home: Path
    work: Path

    def command(self, script: Path) -> Sequence[str]:
        """Return the command that runs *script* with the client's packages."""
        if self.client.ecosystem == "python":
            return (str(self.home / "bin" / "python"), str(script))
        own = sorted(self.home.glob("node_modules/node-*/bin/node"))
        return (str(own[0]) if own else "node", str(self._beside_packages(script)))

    def _beside_packages(self, script: Path) -> Path:
        """Copy *script* and what it imports: Node finds packages from the folder of a script."""
        folder = self.home / "node_modules" / f".{script.parent.name}"
        folder.mkdir(exist_ok=True)
        for source in (*script.parent.glob("*.mjs"), NODE / "visit.mjs"):
            shutil.copyfile(source, folder / source.name)
        return folder / script.name


class Driver:
    """A running driver."""

    def __init__(self, process: asyncio.subprocess.Process, errors: Path) -> None:
        self._process, self._errors = process, errors
        self.revision: str | None = None

    async def list_tools(self) -> dict[str, list[str]]:
        """Return the names of the arguments of each tool, as the framework converted it."""
        tools: dict[str, list[str]] = (await self._send({"list": True}))["tools"]
        return tools

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a call: ``text``, and in ``seen`` how the framework showed it to its model."""
        return await self._send({"call": tool, "arguments": arguments})

    async def _send(self, order: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to *order*. Raises DriverFailed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            async with asyncio.timeout(ANSWER_LIMIT_SECONDS):
                while line := await self._process.stdout.readline():
                    # Some frameworks print to standard output themselves.
                    if line.startswith(b"{"):
                        answer: dict[str, Any] = json.loads(line)
                        self.revision = answer["revision"]
                        return answer
        except (TimeoutError, ConnectionError) as error:
            raise DriverFailed(f"{type(error).__name__}\n{self.errors()}") from error
        raise DriverFailed(f"the driver ended\n{self.errors()}")

    def errors(self) -> str:
        """Return the end of standard error."""
        return self._errors.read_text(errors="replace")[-SHOWN_CHARACTERS:]

    async def close(self) -> None:
        """End the input, so that the driver closes its connection and exits."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(EXIT_LIMIT_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def running_driver(installed: Installed, url: str, token: str | None = None) -> AsyncIterator[Driver]:
    """Yield the client's driver, connected to *url* with *token*; without one, it signs in."""
    command = (*installed.command(DRIVERS / installed.client.driver), url, *([token] if token else ()))
    pipe = asyncio.subprocess.PIPE
    with NamedTemporaryFile(dir=installed.work, prefix="stderr-", delete=False) as stderr:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=client_environment(installed.work),
            cwd=installed.work,
            stdin=pipe,
            stdout=pipe,
            stderr=stderr,
            limit=MAX_LINE_BYTES,
        )
    driver = Driver(process, Path(stderr.name))
    try:
        yield driver
    finally:
        await driver.close()


async def run_example(installed: Installed, url: str, token: str) -> str:
    """Return what the example of the client prints. Raises DriverFailed if it fails."""
    assert installed.client.example is not None
    process = await asyncio.create_subprocess_exec(
        *installed.command(EXAMPLES / installed.client.example),
        env=client_environment(installed.work, DOIT_MCP_URL=url, DOIT_API_KEY=token),
        cwd=installed.work,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(ANSWER_LIMIT_SECONDS):
            out, err = await process.communicate()
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise DriverFailed("the example did not end") from error
    if process.returncode != 0:
        raise DriverFailed(err.decode(errors="replace")[-SHOWN_CHARACTERS:])
    return out.decode(errors="replace")


def client_environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a client, without the telemetry of frameworks."""
    quiet = {"CREWAI_DISABLE_TELEMETRY": "true", "OTEL_SDK_DISABLED": "true", "MASTRA_TELEMETRY_DISABLED": "1"}
    return environment(home, **quiet, **more)
