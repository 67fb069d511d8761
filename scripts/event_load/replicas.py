"""The processes of the load: the replicas and their Redis."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

EXCHANGE_SECRET = secrets.token_urlsafe(32)
REPORT_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


@asynccontextmanager
async def running(*command: str, env: dict[str, str] | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process, and kill it at the end."""
    null = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=null, stderr=null)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def replica_environment(resource: str, port: int, redis_port: int, sandbox: str, certificate: Path) -> dict[str, str]:
    """Return the settings of a replica."""
    return os.environ | {
        "DOIT_MCP_PORT": str(port),
        "MCP_RESOURCE_URL": resource,
        "DOIT_MCP_ALLOWED_HOSTS": f"127.0.0.1:{port}",
        "AUTH_SERVER_URL": sandbox,
        "DOIT_API_BASE": sandbox,
        "MCP_TOKEN_EXCHANGE_SECRET": EXCHANGE_SECRET,
        "DOIT_MCP_REDIS_URL": f"redis://127.0.0.1:{redis_port}",
        "DOIT_MCP_EVENTS_HOLD_S": "0",
        "DOIT_MCP_EVENTS_POLL_S": "3600",
        "DOIT_MCP_EVENTS_PRIVATE_RECEIVERS": "localhost",
        "DOIT_MCP_EVENTS_INGEST_SECRET": REPORT_SECRET,
        "DOIT_MCP_LOG_LEVEL": "error",
        "SSL_CERT_FILE": str(certificate),
    }


async def wait_until_ready(http: aiohttp.ClientSession, base: str) -> None:
    """Wait until a replica is ready."""
    async with asyncio.timeout(60):
        while True:
            try:
                async with http.get(f"{base}/readyz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)


def resident_megabytes(process: asyncio.subprocess.Process) -> float:
    """Return the resident memory of a process."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def cpu_seconds(process: asyncio.subprocess.Process) -> float:
    """Return the time that a process has computed."""
    # The name of the program, in parentheses, may contain spaces. User and system time are the fields 14 and 15.
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
