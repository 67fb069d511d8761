"""OpenAI's Agents SDK, with the function tools that it makes of MCP tools."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from agents import Agent, FunctionTool
from agents.mcp import MCPServer, MCPServerStreamableHttp, MCPUtil
from agents.run_context import RunContextWrapper
from agents.tool_context import ToolContext
from harness import Answer, bearer, serve


class OpenAiAgents:
    """The tools of a server, as the SDK's own."""

    def __init__(self, server: MCPServer) -> None:
        self._server = server

    async def tools(self) -> Mapping[str, Sequence[str]]:
        return {name: list(tool.params_json_schema["properties"]) for name, tool in (await self._tools()).items()}

    async def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        text = json.dumps(arguments)
        context = ToolContext(None, tool_name=tool, tool_call_id="1", tool_arguments=text)
        output = await (await self._tools())[tool].on_invoke_tool(context, text)
        return Answer(output["text"] if isinstance(output, dict) else output)

    async def _tools(self) -> dict[str, FunctionTool]:
        tools = await MCPUtil.get_all_function_tools([self._server], True, RunContextWrapper(None), Agent("DoiT"))
        return {tool.name: tool for tool in tools}


@asynccontextmanager
async def connect(url: str, token: str | None) -> AsyncIterator[OpenAiAgents]:
    params = {"url": url, "headers": bearer(token)}
    async with MCPServerStreamableHttp(params, client_session_timeout_seconds=50, cache_tools_list=True) as server:
        yield OpenAiAgents(server)


serve(connect)
