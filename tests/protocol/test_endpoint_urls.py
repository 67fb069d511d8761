"""Spellings of the paths of the endpoints and of the parameters that select tools."""

from __future__ import annotations

import pytest

from doit_mcp.protocol.endpoint_urls import canonical_path, is_endpoint, selection_parameter


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/mcp", "/mcp"),
        ("//MCP//X/Budgets,%2C//ReadOnly/", "/mcp/x/budgets,%2c/readonly"),
        ("/SSE/Message", "/sse/message"),
        ("/.Well-Known//oauth-protected-resource/MCP/", "/.well-known/oauth-protected-resource/mcp"),
        ("mcp/", "/mcp"),
        *((path, path) for path in ("", "/", "//", "/Healthz/", "//metrics", "/mcpX/", "/mcp/\N{KELVIN SIGN}/")),
    ],
)
def test_canonical_paths(path: str, canonical: str) -> None:
    assert canonical_path(path) == canonical


@pytest.mark.parametrize(
    "target",
    [
        "/mcp/x",
        "/mcp/other",
        "/mcp/x/a/b",
        "/mcp?a=b",
        "/mcp?",
        "/mcp?tools=a&",
        "/mcp?tools=a b",
        "/sse/message",
        "/mcp#a",
    ],
)
def test_other_targets_are_not_endpoints(target: str) -> None:
    assert not is_endpoint(target)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("readOnly", "readonly"), ("read_only", "readonly"), ("TOOL", "tools"), ("sessionId", None), ("", None)],
)
def test_selection_parameters(name: str, parameter: str | None) -> None:
    assert selection_parameter(name) == parameter
