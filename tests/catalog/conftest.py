"""The sandbox's API, and a fixture that calls tools against it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web

from doit_mcp.api import Doit
from doit_mcp.api.client import Client
from doit_mcp.api.http import open_upstream
from doit_mcp.catalog.stores.result_store import MemoryResultStore
from doit_mcp.catalog.tools import tool_result
from doit_mcp.catalog.tools.tool import ContentResult
from doit_mcp.sandbox.accounts import ACME, USERS, Grant
from doit_mcp.sandbox.api import Api
from tests.api.recorder import Recorder

from .caller import TOOLS, Caller

Ask = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="module")
def witness() -> Api:
    """One API for all tests of a module, because its data takes time to create."""
    return Api(clock=lambda: 1_790_000_000.0)


@pytest.fixture
async def make_caller(witness: Api) -> AsyncIterator[Callable[[], Caller]]:
    """Return a function that makes calls to the sandbox's API as Acme's billing admin."""
    app = web.Application()
    witness.register(app, lambda token: Grant(USERS[0], ACME.id) if token == "admin" else None)
    # The API's data outlives the application of this test.
    app.on_cleanup.clear()
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]

    async def credential(*, fresh: bool = False) -> str:
        return "admin"

    results = MemoryResultStore()
    async with open_upstream(f"http://{host}:{port}") as upstream:

        def make() -> Caller:
            caller = Caller(Recorder())
            caller.doit, caller.results = Doit.for_sender(Client(upstream, credential, ACME.id)), results
            return caller

        yield make
    await runner.cleanup()


@pytest.fixture
def ask(make_caller: Callable[[], Caller]) -> Ask:
    """Return a function that calls a tool as Acme's billing admin and returns its structured content."""

    async def call(name: str, /, **arguments: Any) -> Any:
        tool = TOOLS[name]
        coerced = tool.coerce_arguments(arguments)
        assert tool.argument_problems(coerced) == []
        result = await tool.run(make_caller(), coerced)
        if isinstance(result, ContentResult):
            assert tool.result_problems(result.structured or {}) == []
            return result.structured
        body = orjson.loads(orjson.dumps(tool_result.make_tool_result_inline(tool, coerced, result)))
        assert not body.get("isError"), body
        assert tool.result_problems(body["structuredContent"]) == []
        return body["structuredContent"]

    return call
