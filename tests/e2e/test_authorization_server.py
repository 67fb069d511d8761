"""The official suite's scenarios for authorization servers, run against the sandbox's identity provider."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import aiohttp

from scripts.conformance_suite import HOOKS, SUITE, judge
from tests.e2e.launch import Sandbox
from tests.e2e.node_packages import environment
from tests.e2e.sign_in import visit
from tests.loopback_ports import unused_port

SCENARIOS = ("authorization-server-metadata-endpoint", "authorization-code-grant")
LIMIT_S = 60


async def register_client(sandbox: Sandbox, callback: str) -> str:
    """Register a public client and return its id."""
    metadata = {"client_name": "Conformance", "redirect_uris": [callback], "token_endpoint_auth_method": "none"}
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{sandbox.world}/api/auth/register", json=metadata) as answer:
            assert answer.status == 201, await answer.text()
            client: dict[str, str] = await answer.json()
    return client["client_id"]


async def test_every_scenario(sandbox: Sandbox, node: Path, tmp_path: Path) -> None:
    port = unused_port()
    client = await register_client(sandbox, f"http://127.0.0.1:{port}/callback")
    command = ["node", "--import", HOOKS.as_uri(), str(SUITE / "dist" / "index.js"), "authorization"]
    options = {"--url": sandbox.world, "--client-id": client, "-p": str(port), "--resource": sandbox.mcp, "-o": "out"}
    process = await asyncio.create_subprocess_exec(
        *command,
        *(word for pair in options.items() for word in pair),
        env=environment(tmp_path),
        cwd=tmp_path,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    output = ""
    async with asyncio.timeout(LIMIT_S):
        async for line in process.stdout:
            output += line.decode()
            # The suite prints the URL that a user would open.
            if match := re.search(r"https?://\S+/sign-in/oauth\?\S+", line.decode()):
                await visit(match[0])
        assert await process.wait() == 0, output
    for scenario in SCENARIOS:
        (result,) = (tmp_path / "out").glob(f"*{scenario}*/checks.json")
        outcome = judge("-", "required", scenario, json.loads(result.read_text()))
        assert outcome.verdict == "PASS", f"{outcome}\n{output}"
