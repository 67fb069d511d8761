"""Calls a tool with the Python SDK (pip install 'mcp>=2.3') and a DoiT API token.

Without settings, it calls the sandbox (scripts/sandbox).
"""

import asyncio
import json
import os

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

URL = os.environ.get("DOIT_MCP_URL", "http://127.0.0.1:8080/mcp")
TOKEN = os.environ.get("DOIT_API_KEY", "sandbox-api-token-acme-admin")


async def main() -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        async with Client(streamable_http_client(URL, http_client=http)) as client:
            tools = await client.list_tools()
            print(f"{len(tools.tools)} tools with protocol {client.protocol_version}")
            result = await client.call_tool("cost_trend", {"months": 3})
            print(json.dumps(result.structured_content, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
