"""The Python SDK, version 1."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import sign_in
from harness import Answer, bearer, serve
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


class PythonSdk:
    """A session of the SDK."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def tools(self) -> Mapping[str, Sequence[str]]:
        listed = (await self._session.list_tools()).tools
        return {tool.name: list(tool.inputSchema["properties"]) for tool in listed}

    async def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        result = await self._session.call_tool(tool, arguments)
        return Answer(result.content[0].text, result.isError)


@asynccontextmanager
async def connect(url: str, token: str | None) -> AsyncIterator[PythonSdk]:
    auth = None if token else sign_in.provider(url)
    async with (
        streamablehttp_client(url, headers=bearer(token), auth=auth) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield PythonSdk(session)


serve(connect)
