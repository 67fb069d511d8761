"""The official suite's scenarios for authorization servers, run against the sandbox's identity provider."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest

from scripts.conformance_suite import HOOKS, SUITE, judge
from tests.e2e.launch import Sandbox
from tests.e2e.node_packages import environment
from tests.e2e.sign_in import follow, parameters, visit
from tests.loopback_ports import unused_port

SCENARIOS = ("authorization-server-metadata-endpoint", "authorization-code-grant")
LIMIT_S = 60


async def register_client(sandbox: Sandbox, callback: str) -> str:
    """Register a public client and return its id."""
    metadata = {"client_name": "Conformance", "redirect_uris": [callback], "token_endpoint_auth_method": "none"}
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{sandbox.services}/api/auth/register", json=metadata) as answer:
            assert answer.status == 201, await answer.text()
            client: dict[str, str] = await answer.json()
    return client["client_id"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/mcp/x/nothing", ("Unknown toolset 'nothing'", "budgets")),
        ("/mcp?toolsets=core,nothing", ("Unknown toolset 'nothing'",)),
        ("/mcp?tools=list_budget", ("Unknown tool 'list_budget'", "list_budgets")),
        ("/mcp?readonly=maybe", ("true, false",)),
        ("/mcp?api_key=1", ("query parameters toolsets, tools and readonly",)),
        ("/mcp/nothing", ("endpoints",)),
    ],
)
async def test_no_token_for_an_endpoint_that_does_not_exist(
    sandbox: Sandbox, target: str, words: tuple[str, ...]
) -> None:
    callback = "http://127.0.0.1:5001/callback"
    query = {
        "client_id": await register_client(sandbox, callback),
        "redirect_uri": callback,
        "response_type": "code",
        "code_challenge": "a" * 43,
        "code_challenge_method": "S256",
    }
    for base in (sandbox.base, sandbox.base.replace("127.0.0.1", "localhost")):
        granted = await follow(_authorize(sandbox, **query, resource=f"{base}/MCP/X/Budgets/?read_only=1"), callback)
        assert "code" in parameters(granted)
        refused = parameters(await follow(_authorize(sandbox, **query, resource=base + target), callback))
        assert refused["error"] == "invalid_target"
        assert all(word in refused["error_description"] for word in words), refused
        assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", refused["error_description"])


def _authorize(sandbox: Sandbox, **query: str) -> str:
    return f"{sandbox.services}/sign-in/oauth?{urlencode(query)}"


async def test_every_scenario(sandbox: Sandbox, node: Path, tmp_path: Path) -> None:
    port = unused_port()
    client = await register_client(sandbox, f"http://127.0.0.1:{port}/callback")
    command = ["node", "--import", HOOKS.as_uri(), str(SUITE / "dist" / "index.js"), "authorization"]
    options = {
        "--url": sandbox.services,
        "--client-id": client,
        "-p": str(port),
        "--resource": sandbox.mcp,
        "-o": "out",
    }
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
