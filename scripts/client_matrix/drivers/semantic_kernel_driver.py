"""Semantic Kernel, with its MCP plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from harness import Answer, bearer, serve
from semantic_kernel import Kernel
from semantic_kernel.connectors.mcp import MCPStreamableHttpPlugin
from semantic_kernel.functions import KernelArguments, KernelPlugin


class SemanticKernel:
    """The functions of the plugin in a kernel."""

    def __init__(self, kernel: Kernel, plugin: KernelPlugin) -> None:
        self._kernel, self._plugin = kernel, plugin

    async def tools(self) -> Mapping[str, Sequence[str]]:
        functions = self._plugin.functions
        return {name: [item.name for item in function.parameters] for name, function in functions.items()}

    async def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        result = await self._kernel.invoke(self._plugin.functions[tool], KernelArguments(**arguments))
        return Answer(result.value[0].text)


@asynccontextmanager
async def connect(url: str, token: str | None) -> AsyncIterator[SemanticKernel]:
    plugin = MCPStreamableHttpPlugin(name="doit", url=url, headers=bearer(token), load_prompts=False)
    async with plugin:
        kernel = Kernel()
        yield SemanticKernel(kernel, kernel.add_plugin(plugin, plugin_name="doit"))


serve(connect)
