"""Tools for a LlamaIndex agent (pip install llama-index-tools-mcp)."""

import asyncio
import os

from llama_index.tools.mcp import BasicMCPClient, McpToolSpec

URL = os.environ.get("DOIT_MCP_URL", "http://127.0.0.1:8080/mcp")
TOKEN = os.environ.get("DOIT_API_KEY", "sandbox-api-token-acme-admin")


async def main() -> None:
    client = BasicMCPClient(URL, headers={"Authorization": f"Bearer {TOKEN}"})
    tools = {tool.metadata.name: tool for tool in await McpToolSpec(client).to_tool_list_async()}
    # Pass list(tools.values()) to FunctionAgent(tools=..., llm=...). This calls a tool without a model.
    print(f"{len(tools)} tools")
    print(await tools["cost_trend"].acall(months=3))


asyncio.run(main())
