"""Pydantic AI: an agent whose model orders one call and returns what it receives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import sign_in
from harness import Answer, bearer, serve
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel


class PydanticAi:
    """An agent with the toolset."""

    def __init__(self, toolset: MCPToolset) -> None:
        self._toolset = toolset

    async def tools(self) -> Mapping[str, Sequence[str]]:
        declared: dict[str, Sequence[str]] = {}

        def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            declared.update(
                {tool.name: list(tool.parameters_json_schema["properties"]) for tool in info.function_tools}
            )
            return ModelResponse([TextPart("done")])

        await Agent(FunctionModel(model), toolsets=[self._toolset]).run("List the tools")
        return declared

    async def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        received: list[Any] = []

        def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            if len(messages) == 1:
                return ModelResponse([ToolCallPart(tool, arguments)])
            received.append(messages[-1].parts[0])
            return ModelResponse([TextPart("done")])

        await Agent(FunctionModel(model), toolsets=[self._toolset]).run("Call the tool")
        return Answer(received[0].model_response_str(), received[0].outcome != "success")


@asynccontextmanager
async def connect(url: str, token: str | None) -> AsyncIterator[PydanticAi]:
    async with MCPToolset(url, headers=bearer(token), auth=None if token else sign_in.provider(url)) as toolset:
        yield PydanticAi(toolset)


serve(connect)
