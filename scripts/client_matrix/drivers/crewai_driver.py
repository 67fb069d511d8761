"""CrewAI, with its MCP adapter, which has no coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from crewai.tools import BaseTool
from crewai_tools import MCPServerAdapter
from harness import Answer, bearer, serve


class CrewAi:
    """The tools of the adapter, as an agent uses them."""

    def __init__(self, tools: Sequence[BaseTool]) -> None:
        self._tools = {tool.name: tool for tool in tools}

    async def tools(self) -> Mapping[str, Sequence[str]]:
        return {name: list(tool.args_schema.model_json_schema()["properties"]) for name, tool in self._tools.items()}

    async def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        return Answer(await asyncio.to_thread(self._tools[tool].to_structured_tool().invoke, arguments))


@asynccontextmanager
async def connect(url: str, token: str | None) -> AsyncIterator[CrewAi]:
    with MCPServerAdapter({"url": url, "transport": "streamable-http", "headers": bearer(token)}) as tools:
        yield CrewAi(tools)


serve(connect)
