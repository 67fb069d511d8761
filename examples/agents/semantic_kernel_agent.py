"""Tools for a Semantic Kernel agent (pip install 'semantic-kernel[mcp]')."""

import asyncio
import os

from semantic_kernel import Kernel
from semantic_kernel.connectors.mcp import MCPStreamableHttpPlugin

URL = os.environ.get("DOIT_MCP_URL", "http://127.0.0.1:8080/mcp")
TOKEN = os.environ.get("DOIT_API_KEY", "sandbox-api-token-acme-admin")


async def main() -> None:
    plugin = MCPStreamableHttpPlugin(name="doit", url=URL, headers={"Authorization": f"Bearer {TOKEN}"})
    async with plugin:
        # Pass plugins=[plugin] to ChatCompletionAgent. This calls a tool without a model.
        kernel = Kernel()
        functions = kernel.add_plugin(plugin, plugin_name="doit").functions
        print(f"{len(functions)} tools and prompts")
        print(await kernel.invoke(functions["cost_trend"], months=3))


asyncio.run(main())
