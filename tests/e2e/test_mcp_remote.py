"""mcp-remote, the bridge for clients that support only stdio: OAuth, then JSON-RPC lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.answers import ExpectedResults, check_listed, check_progress, check_results
from tests.e2e.launch import Sandbox
from tests.e2e.node_packages import browser, environment
from tests.loopback_ports import unused_port

LIMIT = 40.0
CLIENT = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "e2e", "version": "1"}}


@dataclass(frozen=True, slots=True)
class Bridge:
    """A running mcp-remote process."""

    process: asyncio.subprocess.Process
    log: Path
    notes: list[dict[str, Any]]

    async def send(self, message: Mapping[str, Any]) -> None:
        """Write one message."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        await self.process.stdin.drain()

    async def request(self, identifier: int, method: str, params: Mapping[str, Any]) -> Any:
        """Send a request and return its result; notifications before it are kept in *notes*."""
        assert self.process.stdout is not None
        await self.send({"id": identifier, "method": method, "params": params})
        while True:
            line = await asyncio.wait_for(self.process.stdout.readline(), LIMIT)
            assert line, f"mcp-remote ended\n{self.log.read_text()}"
            message = json.loads(line)
            if message.get("id") == identifier and "method" not in message:
                assert "result" in message, f"{message}\n{self.log.read_text()}"
                return message["result"]
            self.notes.append(message)


@asynccontextmanager
async def bridge(node: Path, home: Path, url: str, *flags: str) -> AsyncIterator[Bridge]:
    """Run mcp-remote with its own home directory and our browser."""
    command = ["node", str(node / "node_modules/mcp-remote/dist/proxy.js"), url, str(unused_port()), *flags]
    env = environment(home, MCP_REMOTE_CONFIG_DIR=str(home / "remote"), **browser(home))
    log = home / "mcp-remote.log"
    with open(log, "wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=1 << 24,
        )
    try:
        yield Bridge(process, log, [])
    finally:
        process.terminate()
        await asyncio.wait_for(process.communicate(), LIMIT)


@pytest.mark.parametrize(
    ("path", "flags"),
    [("mcp", ()), ("sse", ("--transport", "sse-only"))],
    ids=["default", "sse-only"],
)
async def test_signs_in_and_calls(
    sandbox: Sandbox, expected: ExpectedResults, node: Path, tmp_path: Path, path: str, flags: tuple[str, ...]
) -> None:
    async with bridge(node, tmp_path, getattr(sandbox, path), *flags) as remote:
        opened = await remote.request(1, "initialize", CLIENT)
        assert opened["protocolVersion"] == "2025-11-25" and "tools" in opened["capabilities"]
        await remote.send({"method": "notifications/initialized"})
        listed = await remote.request(2, "tools/list", {})
        check_listed([tool["name"] for tool in listed["tools"]])
        results = {}
        for number, (name, arguments) in enumerate(expected.calls.items(), start=3):
            params = {"name": name, "arguments": arguments, "_meta": {"progressToken": number}}
            results[name] = await remote.request(number, "tools/call", params)
    check_results(results, expected)
    check_progress([note["params"] for note in remote.notes if note["method"] == "notifications/progress"])
    saved = [json.loads(file.read_text()) for file in (tmp_path / "remote").rglob("*tokens.json")]
    assert [bool(tokens["refresh_token"]) for tokens in saved] == [True]
