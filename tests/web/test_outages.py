"""The product with its sandbox: provider or API down, slow or talking nonsense; and tenants that stay apart."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest

from doit_mcp.sandbox.api import Api, Fault
from doit_mcp.sandbox.people import CUSTOMERS, User
from doit_mcp.sandbox.world import World, world
from doit_mcp.settings import Settings
from doit_mcp.web.serve import address, bind, running
from doit_mcp.web.site import site as product
from tests.web.serving import ACCEPT, ADMIN, EMPLOYEE, LATEST, SECRET, STRANGER, VIEWER, Answer, read


@dataclass
class Product:
    """The product's server and its world."""

    base: str
    world: World
    http: aiohttp.ClientSession

    @property
    def api(self) -> Api:
        assert isinstance(self.world.api, Api)
        return self.world.api

    async def call(
        self, name: str, arguments: Any = None, *, user: User = ADMIN, token: str = "", path: str = "/mcp", **meta: Any
    ) -> Answer:
        bearer = token or self.world.identity.mint(user, resource=f"{self.base}/mcp")
        params = {"name": name, "arguments": arguments or {}} | ({"_meta": meta} if meta else {})
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {"Authorization": f"Bearer {bearer}", "Accept": ACCEPT, "MCP-Protocol-Version": LATEST}
        async with self.http.post(self.base + path, json=message, headers=headers) as response:
            return await read(response)


@asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[Product]:
    with bind("127.0.0.1", 0) as bound:
        base = address(bound)
        async with world(resource_url=base, secret=SECRET) as made:
            own = replace(
                Settings(),
                resource_url=base,
                auth_server_url=made.url,
                doit_api_base=made.url,
                exchange_secret=SECRET,
                **settings,
            )
            async with aiohttp.ClientSession() as http, running(product(own), bound):
                yield Product(base, made, http)


@pytest.fixture
async def there() -> AsyncIterator[Product]:
    async with served() as made:
        yield made


async def test_no_keys_at_all() -> None:
    """K4: 503 and when to come back, not 401; and it works as soon as the provider does."""
    async with served() as there:
        there.world.identity.down = True
        there.world.identity.rotate()
        async with there.http.get(there.base + "/healthz") as answer:
            assert answer.status == 200
        refused = await there.call("validate_user")
        # The keys may have been had before the provider went down; then the token of the new one is looked into.
        assert refused.status == 503 and refused.headers["Retry-After"].isdigit()


async def test_keys_that_are_had_serve_on(there: Product) -> None:
    """K4, X5: a known caller is served; one whose token must be exchanged gets a clear failure, and no 500."""
    known = there.world.identity.mint(ADMIN, resource=f"{there.base}/mcp")
    assert (await there.call("validate_user", token=known)).result["structuredContent"]
    there.world.identity.down = True
    assert (await there.call("validate_user", token=known)).result["structuredContent"]
    other = await there.call("validate_user", user=STRANGER)
    assert other.status == 200 and other.result["isError"] is True and "sign-in" in other.text
    there.world.identity.down = False
    assert (await there.call("validate_user", user=STRANGER)).result["structuredContent"]


@pytest.mark.parametrize("kind", [400, 401, 403, 404, 409, 422, 500, 524, "garbage", "truncated", "huge", "reset"])
async def test_whatever_the_api_answers(there: Product, kind: Any) -> None:
    """F5, F6, F7: a result in words, HTTP 200, nothing of the body; the next call is fine."""
    there.api.faults.append(Fault("/analytics/v1/budgets", kind, times=9))
    answer = await there.call("list_budgets")
    assert answer.status == 200 and answer.result["isError"] is True
    text = answer.result["content"][0]["text"]
    assert text.startswith("list_budgets failed") and len(text) < 700
    assert "<html" not in text and there.world.url not in text and "Traceback" not in text
    there.api.faults.clear()
    assert (await there.call("list_budgets")).result["structuredContent"]["budgets"]


async def test_reads_are_repeated_and_writes_are_not(there: Product) -> None:
    """F2, F3."""
    there.api.faults.append(Fault("/analytics/v1/budgets", 503, times=1, retry_after=0))
    assert (await there.call("list_budgets")).result["structuredContent"]["budgets"]
    sent = len(there.api.calls)
    there.api.faults.append(Fault("/support/v1/tickets", 503, times=1))
    ticket = {"subject": "s", "body": "b", "platform": "doit", "product": "p", "severity": "low"}
    answer = await there.call("create_ticket", {"ticket": ticket})
    assert answer.result["isError"] is True and "check" in answer.text
    assert [call.method for call in list(there.api.calls)[sent:]] == ["POST"]


async def test_a_wait_that_is_too_long_is_told(there: Product) -> None:
    there.api.faults.append(Fault("/analytics/v1/budgets", 429, times=9, retry_after=120))
    text = (await there.call("list_budgets")).result["content"][0]["text"]
    assert "120 seconds" in text and "429" in text


async def test_tenants_stay_apart(there: Product) -> None:
    """C1: the tenant is the token's; no argument, _meta, query or header of a client changes it."""
    own = (await there.call("list_budgets")).result["structuredContent"]["budgets"]
    theirs = (await there.call("list_budgets", user=STRANGER)).result["structuredContent"]["budgets"]
    assert own and theirs and not {one["id"] for one in own} & {one["id"] for one in theirs}
    other = STRANGER.customer
    for tried in (
        await there.call("list_budgets", {"customerContext": other}),
        await there.call("list_budgets", path=f"/mcp?customerContext={other}"),
        await there.call("list_budgets", **{"customerContext": other, "openai/subject": other}),
    ):
        assert tried.result["structuredContent"]["budgets"] == own
    foreign = await there.call("get_budget", {"id": theirs[0]["id"]})
    assert foreign.result["isError"] is True and "404" in foreign.text
    tenants = {call.tenant for call in there.api.calls if "budgets" in call.path}
    assert tenants == {customer.id for customer in CUSTOMERS}


async def test_the_callers_token_never_goes_upstream(there: Product) -> None:
    """X1, X6, X8: not in a header, not in a path, not in a body; neither does a cookie."""
    token = there.world.identity.mint(ADMIN, resource=f"{there.base}/mcp")
    await there.call("list_budgets", token=token)
    await there.call("validate_user", token=token[:-3] + "AAA")
    for call in there.api.calls:
        body = call.body.decode("utf-8", "replace")
        whole = json.dumps([call.method, call.path, list(call.headers), body, call.bearer])
        assert token not in whole and token[:40] not in whole and "Cookie" not in whole


async def test_permissions_are_the_users(there: Product) -> None:
    refused = await there.call("list_invoices", user=VIEWER)
    assert refused.result["isError"] is True and "permission" in refused.text


async def test_api_tokens_serve_until_they_are_revoked(there: Product) -> None:
    """P1, P5."""
    for user in (ADMIN, STRANGER):
        answer = await there.call("validate_user", token=user.api_token)
        assert answer.result["structuredContent"]["email"] == user.email
    for wrong in ("demo_key", "sandbox-api-token-nobody", "x"):
        assert (await there.call("validate_user", token=wrong)).status == 401


async def test_an_employee_acts_for_the_customer_of_the_token(there: Product) -> None:
    answer = await there.call("validate_user", user=EMPLOYEE)
    assert answer.result["structuredContent"]["domain"] == "acme.example"


async def test_reading_only_is_enforced(there: Product) -> None:
    """A4: not listed, and not run when called by name."""
    ticket = {"subject": "s", "body": "b", "platform": "doit", "product": "p", "severity": "low"}
    refused = await there.call("create_ticket", {"ticket": ticket}, path="/mcp/readonly")
    assert refused.error["code"] == -32602
    assert (await there.call("list_tickets", path="/mcp/readonly")).result["structuredContent"]
    assert (await there.call("list_budgets", path="/mcp/x/tickets")).result["structuredContent"]
    unknown = await there.call("list_budgets", path="/mcp/x/nothing")
    assert unknown.status == 404 and "core" in unknown.text
