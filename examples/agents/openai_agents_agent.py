"""Tools for an agent of the OpenAI Agents SDK (pip install openai-agents)."""

import asyncio
import os

from agents.mcp import MCPServerStreamableHttp

URL = os.environ.get("DOIT_MCP_URL", "http://127.0.0.1:8080/mcp")
TOKEN = os.environ.get("DOIT_API_KEY", "sandbox-api-token-acme-admin")


async def main() -> None:
    # Calls may take 45 seconds; the SDK's own limit is 5.
    server = MCPServerStreamableHttp(
        params={"url": URL, "headers": {"Authorization": f"Bearer {TOKEN}"}},
        client_session_timeout_seconds=50,
        cache_tools_list=True,
    )
    # Pass mcp_servers=[server] to Agent. This calls a tool without a model.
    async with server:
        print(f"{len(await server.list_tools())} tools")
        print(await server.call_tool("cost_trend", {"months": 3}))


asyncio.run(main())
