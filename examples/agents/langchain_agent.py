"""Tools for a LangChain agent (pip install langchain-mcp-adapters)."""

import asyncio
import os

from langchain_mcp_adapters.client import MultiServerMCPClient

URL = os.environ.get("DOIT_MCP_URL", "http://127.0.0.1:8080/mcp")
TOKEN = os.environ.get("DOIT_API_KEY", "sandbox-api-token-acme-admin")


async def main() -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    client = MultiServerMCPClient({"doit": {"transport": "streamable_http", "url": URL, "headers": headers}})
    tools = {tool.name: tool for tool in await client.get_tools()}
    # Pass list(tools.values()) to create_agent(model, tools=...). This calls a tool without a model.
    print(f"{len(tools)} tools")
    print(await tools["cost_trend"].ainvoke({"months": 3}))


asyncio.run(main())
