"""The TypeScript SDK, versions 1 and 2: OAuth on both HTTP transports, and stdio with a DoiT API token."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.answers import ADMIN, ExpectedResults, check_listed, check_progress, check_results
from tests.e2e.launch import ROOT, Sandbox
from tests.e2e.node_packages import environment, run


async def drive(node: Path, home: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Run the driver with *order* and return what it printed."""
    finished = await run(["node", str(node / "ts_sdk.mjs"), json.dumps(order)], env=environment(home))
    assert finished.status == 0, str(finished)
    report: dict[str, Any] = json.loads(finished.out)
    return report


def check(said: dict[str, Any], expected: ExpectedResults) -> None:
    """Check what every SDK connection must receive."""
    check_listed([tool["name"] for tool in said["tools"]])
    check_results(said["results"], expected)
    check_progress(said["progress"])


@pytest.mark.parametrize(
    ("sdk", "transport", "era", "revision"),
    [
        ("v1", "http", "legacy", "2025-11-25"),
        ("v1", "sse", "legacy", "2025-11-25"),
        ("v2", "http", "legacy", "2025-11-25"),
        ("v2", "http", "auto", "2026-07-28"),
        ("v2", "http", "modern", "2026-07-28"),
        ("v2", "sse", "auto", "2025-11-25"),
    ],
)
async def test_signs_in_and_calls(
    sandbox: Sandbox,
    expected: ExpectedResults,
    node: Path,
    tmp_path: Path,
    sdk: str,
    transport: str,
    era: str,
    revision: str,
) -> None:
    url = sandbox.sse if transport == "sse" else sandbox.mcp
    order = {"sdk": sdk, "transport": transport, "era": era, "url": url, "calls": expected.calls}
    report = await drive(node, tmp_path, order)
    check(report, expected)
    # Version 1 of the SDK does not report the revision of an SSE connection.
    assert report["revision"] == revision or (report["revision"] is None and sdk == "v1")
    assert report["asked"]["resource"] == url
    assert report["asked"]["code_challenge_method"] == "S256"


@pytest.mark.parametrize("sdk", ["v1", "v2"])
@pytest.mark.parametrize("target", ["/MCP", "/mcp/", "//mcp"])
async def test_signs_in_at_another_spelling_of_the_url(
    sandbox: Sandbox, node: Path, tmp_path: Path, sdk: str, target: str
) -> None:
    """The SDK compares the resource in the metadata with its URL, in the same case."""
    url = sandbox.mcp.removesuffix("/mcp") + target
    order = {"sdk": sdk, "transport": "http", "era": "legacy", "url": url, "calls": {}}
    report = await drive(node, tmp_path, order)
    check_listed([tool["name"] for tool in report["tools"]])
    assert report["asked"]["resource"] == url
    assert report["returned"]["iss"] == sandbox.services
    assert report["tokens"]["expires_in"] >= 3600
    # Version 1 requests exactly the scope of the challenge.
    assert "refresh_token" in report["tokens"] and "offline_access" in report["asked"]["scope"].split()


@pytest.mark.parametrize("sdk", ["v1", "v2"])
@pytest.mark.parametrize("target", ["/mcp", "/mcp?readOnly=true"])
async def test_signs_in_at_localhost(sandbox: Sandbox, node: Path, tmp_path: Path, sdk: str, target: str) -> None:
    """The SDK refuses metadata of a resource on another host, and the sandbox announces 127.0.0.1."""
    base = sandbox.base.replace("127.0.0.1", "localhost")
    order = {"sdk": sdk, "transport": "http", "era": "legacy", "url": base + target, "calls": {}}
    report = await drive(node, tmp_path, order)
    assert report["tools"] and report["asked"]["resource"] == f"{base}/mcp"


@pytest.mark.parametrize(("sdk", "era"), [("v1", "legacy"), ("v2", "legacy"), ("v2", "auto")])
async def test_stdio(
    sandbox: Sandbox, expected: ExpectedResults, node: Path, tmp_path: Path, sdk: str, era: str
) -> None:
    env = environment(
        tmp_path,
        DOIT_API_KEY=sandbox.api_tokens[ADMIN],
        DOIT_API_BASE=sandbox.services,
        AUTH_SERVER_URL=sandbox.services,
        PYTHONPATH=str(ROOT),
    )
    server = {"command": sys.executable, "args": ["-m", "doit_mcp", "stdio"], "env": env, "cwd": str(tmp_path)}
    report = await drive(
        node, tmp_path, {"sdk": sdk, "transport": "stdio", "era": era, "calls": expected.calls} | server
    )
    check(report, expected)
