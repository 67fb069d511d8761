"""Tools for an agent of Google's Agent Development Kit (pip install 'google-adk[mcp]')."""

import asyncio
import os

from google.adk.tools.mcp_tool import McpToolset, StreamableHTTPConnectionParams

URL = os.environ.get("DOIT_MCP_URL", "http://127.0.0.1:8080/mcp")
TOKEN = os.environ.get("DOIT_API_KEY", "sandbox-api-token-acme-admin")


async def main() -> None:
    connection = StreamableHTTPConnectionParams(url=URL, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=50)
    # Pass tools=[toolset] to LlmAgent, which calls the tools.
    toolset = McpToolset(connection_params=connection)
    try:
        print(f"{len(await toolset.get_tools())} tools")
    finally:
        await toolset.close()


asyncio.run(main())
