"""The sandbox on a chosen day: calls tools as a user would, and answers the same questions by SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

import orjson
from aiohttp import web

from doit_mcp.api import Doit
from doit_mcp.api.client import Client
from doit_mcp.api.errors import ApiError, explain
from doit_mcp.api.http import Upstream, open_upstream
from doit_mcp.catalog.stores.result_store import MemoryResultStore
from doit_mcp.catalog.tools import tool_result
from doit_mcp.catalog.tools.tool import ContentResult, ToolError
from doit_mcp.sandbox.accounts import ACME, USERS, Customer, Grant
from doit_mcp.sandbox.api import Api
from tests.api.recorder import Recorder
from tests.catalog.caller import TOOLS, Caller

MICROS = 1_000_000


def ordinal(text: str) -> int:
    """Return a day as the ledger numbers it."""
    return date.fromisoformat(text).toordinal()


def dollars(micros: Any) -> float:
    """Return micro-dollars as dollars, rounded to cents with halves away from zero."""
    return float((Decimal(micros or 0) / MICROS).quantize(Decimal("0.01"), ROUND_HALF_UP))


@dataclass
class World:
    """The sandbox on the day *today*."""

    today: date
    api: Api
    upstream: Upstream
    results: MemoryResultStore = field(default_factory=MemoryResultStore)
    facts: Any = None

    async def call(
        self,
        name: str,
        arguments: dict[str, Any],
        customer: Customer = ACME,
        tenant: str | None = None,
        user: str | None = None,
    ) -> Any:
        """Return the CallToolResult of a tool, called by the customer's admin or by the *user* with this address."""
        tool = TOOLS[name]
        caller = self._caller(customer, tenant, user)
        coerced = tool.coerce_arguments(arguments)
        if problems := tool.argument_problems(coerced):
            return {"isError": True, "content": [{"type": "text", "text": "; ".join(map(str, problems))}]}
        try:
            result = await tool.run(caller, coerced)
        except ApiError as error:
            return {"isError": True, "content": [{"type": "text", "text": explain(error, name)}]}
        except ToolError as error:
            return {"isError": True, "content": [{"type": "text", "text": str(error)}]}
        if isinstance(result, ContentResult):
            assert tool.result_problems(result.structured or {}) == []
            return {"structuredContent": result.structured}
        return orjson.loads(orjson.dumps(tool_result.make_tool_result_inline(tool, coerced, result)))

    async def ask(self, name: str, /, **arguments: Any) -> Any:
        """Return the structured content of a call that must succeed."""
        answer = await self.call(name, arguments)
        assert not answer.get("isError"), answer["content"][0]["text"]
        return answer["structuredContent"]

    async def refusal(self, name: str, /, **arguments: Any) -> str:
        """Return the error text of a call that must be refused."""
        answer = await self.call(name, arguments)
        assert answer.get("isError"), answer
        return str(answer["content"][0]["text"])

    def doit(self, customer: Customer) -> Doit:
        """Return the API as the customer's admin, for records that no tool is tested with."""
        return self._caller(customer, None, None).doit

    def _caller(self, customer: Customer, tenant: str | None, user: str | None) -> Caller:
        async def credential(*, fresh: bool = False) -> str:
            return user or customer.id

        caller = Caller(Recorder())
        tenant = customer.id if tenant is None else tenant
        caller.doit = Doit.for_sender(Client(self.upstream, credential, tenant))
        caller.now = self.now
        caller.results, caller.tenant, caller.owner = self.results, tenant, customer.id
        return caller

    @property
    def now(self) -> float:
        """Noon of the day, in epoch seconds."""
        return datetime.combine(self.today, time(12), UTC).timestamp()

    @property
    def query_configs(self) -> list[dict[str, Any]]:
        """The configs of the queries that reached the API, in order."""
        sent = [call for call in self.api.calls if "/reports/query" in call.path]
        return [orjson.loads(call.body)["config"] for call in sent]

    def sql(self, query: str, *values: Any, customer: Customer = ACME) -> list[tuple[Any, ...]]:
        """Run a query over a copy of the customer's billing lines: tables lines, series and days."""
        with closing(sqlite3.connect(":memory:")) as copy:
            self.api.tenant(customer).ledger.copy_to(copy)
            return copy.execute(query, values).fetchall()

    def cost(self, first: str, last: str, where: str = "1", *values: Any, customer: Customer = ACME) -> float:
        """Return the cost from *first* to *last* without promotional credits, in dollars."""
        query = (
            "SELECT SUM(cost) FROM lines JOIN series USING (series) WHERE day BETWEEN ? AND ?"
            f" AND cost_type <> 'credit' AND {where}"
        )
        return dollars(self.sql(query, ordinal(first), ordinal(last), *values, customer=customer)[0][0])

    def costs(self, column: str, first: str, last: str, where: str = "1", *values: Any) -> dict[Any, float]:
        """Return the cost from *first* to *last* by a column of the billing lines, without promotional credits."""
        query = (
            f"SELECT {column}, SUM(cost) FROM lines JOIN series USING (series) WHERE day BETWEEN ? AND ?"
            f" AND cost_type <> 'credit' AND {where} GROUP BY 1"
        )
        return {row[0]: dollars(row[1]) for row in self.sql(query, ordinal(first), ordinal(last), *values)}


@cache
def api_of(noon: float) -> Api:
    """Return the sandbox's API at a time; one for all tests, because its billing lines take time to create."""
    return Api(clock=lambda: noon)


@asynccontextmanager
async def open_world(today: str) -> AsyncIterator[World]:
    """Serve the sandbox's API on loopback as if the day were *today*."""
    day = date.fromisoformat(today)
    noon = datetime.combine(day, time(12), UTC).timestamp()
    api = api_of(noon)
    api.calls.clear()
    app = web.Application()
    users = {user.customer: user for user in reversed(USERS) if not user.employee}
    users |= {user.email: user for user in USERS}
    api.register(app, lambda token: Grant(users[token], users[token].customer) if token in users else None)
    # The API outlives the application of this test.
    app.on_cleanup.clear()
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        async with open_upstream(f"http://{host}:{port}") as upstream:
            yield World(day, api, upstream)
    finally:
        await runner.cleanup()
