"""OpenAI's Agents SDK: both of its HTTP server classes, with a DoiT API token as bearer."""

from __future__ import annotations

import pytest
from agents.mcp import MCPServerSse, MCPServerStreamableHttp

from tests.e2e.answers import ADMIN, ExpectedResults, check_listed, check_results
from tests.e2e.launch import Sandbox


def connection(sandbox: Sandbox, transport: str) -> MCPServerSse | MCPServerStreamableHttp:
    """Return the SDK's server object for *transport*."""
    headers = {"Authorization": f"Bearer {sandbox.api_tokens[ADMIN]}"}
    if transport == "sse":
        return MCPServerSse(params={"url": sandbox.sse, "headers": headers}, client_session_timeout_seconds=20)
    return MCPServerStreamableHttp(params={"url": sandbox.mcp, "headers": headers}, client_session_timeout_seconds=20)


@pytest.mark.parametrize("transport", ["streamable", "sse"])
async def test_list_and_call(sandbox: Sandbox, expected: ExpectedResults, transport: str) -> None:
    async with connection(sandbox, transport) as server:
        check_listed([tool.name for tool in await server.list_tools()])
        results = {}
        for name, arguments in expected.calls.items():
            result = await server.call_tool(name, arguments)
            results[name] = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    check_results(results, expected)
