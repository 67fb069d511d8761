"""SDK clients continue their session when the server restarts without Redis: they would never start a new one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from tests.e2e.answers import ADMIN
from tests.e2e.launch import Sandbox, running_sandbox
from tests.e2e.node_packages import environment
from tests.loopback_ports import unused_port

Start = Callable[[], AbstractContextManager[Sandbox]]
LIMIT_SECONDS = 60


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts the sandbox, always at the same URL and with the same secret."""
    ports = ("--port", str(unused_port()), "--sandbox-port", str(unused_port()))
    return partial(running_sandbox, tmp_path, *ports, "--state-dir", str(tmp_path / "state"))


async def test_python_sdk(start: Start) -> None:
    with ExitStack() as running:
        before = running.enter_context(start())
        headers = {"Authorization": f"Bearer {before.api_tokens[ADMIN]}"}
        async with (
            create_mcp_http_client(headers=headers) as http,
            Client(streamable_http_client(before.mcp, http_client=http), mode="legacy") as client,
        ):
            first = await client.call_tool("validate_user", {})
            running.close()
            running.enter_context(start())
            second = await client.call_tool("validate_user", {})
    assert not second.is_error and second.structured_content == first.structured_content


@pytest.mark.parametrize("sdk", ["v1", "v2"])
async def test_typescript_sdk(start: Start, node: Path, tmp_path: Path, sdk: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with start() as before:
        order = {"sdk": sdk, "url": before.mcp, "token": before.api_tokens[ADMIN], "tool": "validate_user"}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            "node",
            str(node / "restart.mjs"),
            json.dumps(order),
            env=environment(home),
            cwd=node,
            stdin=pipe,
            stdout=pipe,
        )
        assert process.stdin is not None and process.stdout is not None
        async with asyncio.timeout(LIMIT_SECONDS):
            first = json.loads(await process.stdout.readline())
    with start():
        process.stdin.write(b"again\n")
        async with asyncio.timeout(LIMIT_SECONDS):
            second = json.loads(await process.stdout.readline())
            assert await process.wait() == 0
    assert first == second and first["session"] and not first["isError"]
