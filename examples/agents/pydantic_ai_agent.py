"""Tools for a Pydantic AI agent (pip install 'pydantic-ai-slim[mcp]')."""

import asyncio
import os

from pydantic_ai.mcp import MCPToolset

URL = os.environ.get("DOIT_MCP_URL", "http://127.0.0.1:8080/mcp")
TOKEN = os.environ.get("DOIT_API_KEY", "sandbox-api-token-acme-admin")


async def main() -> None:
    toolset = MCPToolset(URL, headers={"Authorization": f"Bearer {TOKEN}"})
    # Pass toolsets=[toolset] to Agent. This calls a tool without a model.
    async with toolset:
        print(f"{len(await toolset.list_tools())} tools")
        print(await toolset.direct_call_tool("cost_trend", {"months": 3}))


asyncio.run(main())
