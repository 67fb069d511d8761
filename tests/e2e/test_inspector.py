"""MCP Inspector's command line: portable schemas, stateful and stateless calls, views, bearer tokens and OAuth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from doit_mcp.catalog.registry import all_tools
from doit_mcp.catalog.skills.collection import SKILLS
from doit_mcp.catalog.views.document import VIEW_MIME_TYPE, view_uri
from doit_mcp.catalog.views.metadata import has_view
from doit_mcp.catalog.writes.confirmation import with_change_card
from tests.e2e.answers import ADMIN, ExpectedResults, check_costs, check_tools, read_structured, read_user
from tests.e2e.launch import Sandbox
from tests.e2e.node_packages import Finished, browser, environment, run
from tests.loopback_ports import unused_port

ERAS = ("legacy", "auto", "modern")


async def inspect(node: Path, home: Path, *arguments: str, **env: str) -> Finished:
    """Run the Inspector, which must succeed."""
    command = [str(node / "node_modules/.bin/mcp-inspector"), "--cli", *arguments, "--format", "json"]
    finished = await run(command, env=environment(home, MCP_INSPECTOR_SECRET_STORE="file", **env))
    assert finished.status == 0, str(finished)
    return finished


def result(finished: Finished) -> Any:
    """Return the printed result; newer versions wrap it."""
    output = json.loads(finished.out)
    return output.get("result", output)


def bearer(sandbox: Sandbox) -> tuple[str, str]:
    return "--header", f"Authorization: Bearer {sandbox.api_tokens[ADMIN]}"


@pytest.mark.parametrize("era", ERAS)
async def test_schemas_are_portable(sandbox: Sandbox, node: Path, tmp_path: Path, era: str) -> None:
    flags = ("--method", "tools/list", "--strict", "--protocol-era", era)
    finished = await inspect(node, tmp_path, sandbox.mcp, *flags, *bearer(sandbox))
    check_tools(result(finished)["tools"], stripped=True)
    assert "problem" not in finished.err, str(finished)


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize(
    ("path", "there", "not_there"),
    [
        ("/x/all", {"delete_budget", "run_query", "build_cloud_flow", "create_billing_transfer_handshakes"}, set()),
        ("/readonly", {"run_query", "read_operation"}, {"create_ticket", "call_operation"}),
        ("/x/all/readonly", {"list_users", "run_query"}, {"delete_user", "create_ticket"}),
        ("/x/discovery", {"search", "fetch", "find_operation", "call_operation", "validate_user"}, {"run_query"}),
    ],
    ids=["all", "readonly", "all-readonly", "discovery"],
)
async def test_schemas_of_other_selections_are_portable(
    sandbox: Sandbox, node: Path, tmp_path: Path, path: str, there: set[str], not_there: set[str], era: str
) -> None:
    # The Inspector infers the transport only from URLs that end in /mcp or /sse.
    flags = ("--transport", "http", "--method", "tools/list", "--strict", "--protocol-era", era)
    finished = await inspect(node, tmp_path, sandbox.mcp + path, *flags, *bearer(sandbox))
    names = [tool["name"] for tool in result(finished)["tools"]]
    assert there <= set(names) and not not_there & set(names) and len(set(names)) == len(names)
    assert "problem" not in finished.err, str(finished)


@pytest.mark.parametrize("era", ERAS)
async def test_calls_a_tool(sandbox: Sandbox, expected: ExpectedResults, node: Path, tmp_path: Path, era: str) -> None:
    flags = ("--method", "tools/call", "--tool-name", "cost_breakdown", "--tool-arg", "groupBy=service")
    finished = await inspect(node, tmp_path, sandbox.mcp, *flags, "--protocol-era", era, *bearer(sandbox))
    check_costs(read_structured(result(finished)), expected.services)


async def test_calls_over_sse(sandbox: Sandbox, expected: ExpectedResults, node: Path, tmp_path: Path) -> None:
    flags = ("--method", "tools/call", "--tool-name", "validate_user")
    finished = await inspect(node, tmp_path, sandbox.sse, *flags, *bearer(sandbox))
    assert read_user(result(finished)) == expected.user


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_signs_in(sandbox: Sandbox, expected: ExpectedResults, node: Path, tmp_path: Path, era: str) -> None:
    flags = ("--method", "tools/call", "--tool-name", "validate_user", "--protocol-era", era)
    callback = f"http://127.0.0.1:{unused_port()}/oauth/callback"
    env = browser(tmp_path) | {"MCP_AUTO_OPEN_ENABLED": "true"}
    finished = await inspect(node, tmp_path, sandbox.mcp, *flags, "--callback-url", callback, **env)
    assert read_user(result(finished)) == expected.user


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_finds_the_view_of_each_tool(sandbox: Sandbox, node: Path, tmp_path: Path, era: str) -> None:
    flags = ("--method", "tools/list", "--app-info", "--advertise-apps", "--protocol-era", era)
    finished = await inspect(node, tmp_path, sandbox.mcp, *flags, *bearer(sandbox))
    found = {app["toolName"]: app for app in map(json.loads, finished.out.splitlines())}
    offered = (with_change_card(tool, "when-destructive") for tool in all_tools())
    with_view = {tool.name for tool in offered if has_view(tool.meta)}
    assert with_view & found.keys() == {name for name, app in found.items() if app["hasApp"]}
    for name in with_view & found.keys():
        assert found[name]["resourceUri"] == view_uri() and found[name]["visibility"] == ["model", "app"]
        assert found[name]["resourceMimeType"] == VIEW_MIME_TYPE
        assert found[name]["csp"] == {} and found[name]["prefersBorder"] is True


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_verifies_skills_and_their_digests(sandbox: Sandbox, node: Path, tmp_path: Path, era: str) -> None:
    flags = ("--method", "skills/list", "--verify", "--require-digests", "--protocol-era", era)
    finished = await inspect(node, tmp_path, sandbox.mcp, *flags, *bearer(sandbox))
    reports = {report["name"]: report for report in map(json.loads, finished.out.splitlines())}
    assert list(reports) == [skill.name for skill in SKILLS]
    for report in reports.values():
        assert report["outcome"] == "verified" and report["conformance"] == report["frontmatter"] == []
