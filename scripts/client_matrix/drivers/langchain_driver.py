"""LangChain, with its MCP adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import sign_in
from harness import Answer, bearer, serve
from langchain_core.tools import BaseTool
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools


class LangChain:
    """The tools of one session, as LangChain's own."""

    def __init__(self, tools: Sequence[BaseTool]) -> None:
        self._tools = {tool.name: tool for tool in tools}

    async def tools(self) -> Mapping[str, Sequence[str]]:
        return {name: list(tool.args) for name, tool in self._tools.items()}

    async def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        call = {"type": "tool_call", "id": "1", "name": tool, "args": arguments}
        message = await self._tools[tool].ainvoke(call)
        return Answer(message.content[0]["text"], message.status == "error")


@asynccontextmanager
async def connect(url: str, token: str | None) -> AsyncIterator[LangChain]:
    connection = {"transport": "streamable_http", "url": url, "headers": bearer(token)}
    client = MultiServerMCPClient({"doit": connection | ({} if token else {"auth": sign_in.provider(url)})})
    async with client.session("doit") as session:
        yield LangChain(await load_mcp_tools(session))


serve(connect)
