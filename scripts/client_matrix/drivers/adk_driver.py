"""Google's Agent Development Kit: an agent whose model orders one call and keeps what it receives."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StreamableHTTPConnectionParams
from google.genai import types
from harness import Answer, bearer, serve


class Model(BaseLlm):
    """Orders *part*, and keeps the last request."""

    part: types.Part
    request: LlmRequest | None = None

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        self.request, first = llm_request, self.request is None
        part = self.part if first else types.Part(text="done")
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


class Adk:
    """An agent with the toolset."""

    def __init__(self, toolset: McpToolset) -> None:
        self._toolset = toolset

    async def tools(self) -> Mapping[str, Sequence[str]]:
        request = await self._run(types.Part(text="done"))
        declared = request.config.tools[0].function_declarations
        return {
            tool.name: list((tool.parameters_json_schema or tool.parameters.model_dump())["properties"] or ())
            for tool in declared
        }

    async def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        order = types.Part(function_call=types.FunctionCall(name=tool, args=arguments))
        request = await self._run(order)
        response = request.contents[-1].parts[0].function_response.response
        return Answer(response["content"][0]["text"], response.get("isError", False))

    async def _run(self, part: types.Part) -> LlmRequest:
        model = Model(model="scripted", part=part)
        agent = LlmAgent(name="doit", model=model, tools=[self._toolset])
        await InMemoryRunner(agent=agent, app_name="matrix").run_debug("Go on", quiet=True)
        return model.request


@asynccontextmanager
async def connect(url: str, token: str | None) -> AsyncIterator[Adk]:
    connection = StreamableHTTPConnectionParams(url=url, headers=bearer(token), timeout=50)
    toolset = McpToolset(connection_params=connection)
    try:
        yield Adk(toolset)
    finally:
        await toolset.close()


serve(connect)
