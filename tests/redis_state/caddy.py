"""Runs Caddy with the configuration in ``deploy``, on loopback and without certificates."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

PROGRAM = "caddy"
FILE = Path(__file__).resolve().parents[2] / "deploy" / "Caddyfile"
REPLICAS = "mcp-1:8080 mcp-2:8080"
GLOBAL = "\tgrace_period 5s\n"


def program() -> str:
    """The path of the program. Without it a test is skipped, or fails with DOIT_MCP_TEST_REQUIRE_ALL=1."""
    path = shutil.which(PROGRAM)
    if path is None:
        assert os.environ.get("DOIT_MCP_TEST_REQUIRE_ALL") != "1", f"{PROGRAM} is not installed"
        pytest.skip(f"{PROGRAM} is not installed")
    return path


async def run(*arguments: str, folder: Path, site: str) -> asyncio.subprocess.Process:
    """Run the program for a *site*, with its data in *folder*."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "DOIT_MCP_SITE": site}
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(program(), *arguments, env=environment, stdout=pipe, stderr=pipe)


async def version(folder: Path) -> tuple[int, ...]:
    _, output = await said_by(await run("version", folder=folder, site=""))
    return tuple(map(int, output.split()[0].removeprefix("v").split(".")))


async def said_by(process: asyncio.subprocess.Process) -> tuple[int, str]:
    """Return the exit status and all output of a program that ends by itself."""
    out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, (out + errors).decode()


@asynccontextmanager
async def caddy(
    folder: Path, site: str, *replicas: str, grace: str = "5s"
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The proxy of ``deploy/Caddyfile`` at *site* ("127.0.0.1:8000"), in front of these replicas.

    Only the *grace* period of calls differs from the file, and only this machine can connect.
    """
    text = FILE.read_text()
    assert text.count(REPLICAS) == 1 and text.count(GLOBAL) == 1
    config = folder / "Caddyfile"
    addresses = " ".join(replica.removeprefix("http://") for replica in replicas)
    config.write_text(
        text.replace(REPLICAS, addresses).replace(GLOBAL, f"\tgrace_period {grace}\n\tdefault_bind 127.0.0.1\n")
    )
    process = await run("run", "--config", str(config), folder=folder, site=f"http://{site}")
    reading = asyncio.create_task(_until_it_serves(process))
    try:
        await asyncio.wait_for(reading, 30)
        draining = asyncio.create_task(process.communicate())
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await draining
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until_it_serves(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    output = b""
    while b"serving initial configuration" not in output:
        line = await process.stderr.readline()
        assert line, output.decode()
        output += line
