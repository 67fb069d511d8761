"""LlamaIndex, with its MCP tools."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import sign_in
from harness import Answer, bearer, serve
from llama_index.core.tools import FunctionTool
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec


class LlamaIndex:
    """The tools, as LlamaIndex's own."""

    def __init__(self, tools: Sequence[FunctionTool]) -> None:
        self._tools = {tool.metadata.name: tool for tool in tools}

    async def tools(self) -> Mapping[str, Sequence[str]]:
        return {name: list(tool.metadata.get_parameters_dict()["properties"]) for name, tool in self._tools.items()}

    async def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        output = await self._tools[tool].acall(**arguments)
        return Answer(output.raw_output.content[0].text, output.is_error)


@asynccontextmanager
async def connect(url: str, token: str | None) -> AsyncIterator[LlamaIndex]:
    client = BasicMCPClient(url, headers=bearer(token), auth=None if token else sign_in.provider(url))
    yield LlamaIndex(await McpToolSpec(client).to_tool_list_async())


serve(connect)
