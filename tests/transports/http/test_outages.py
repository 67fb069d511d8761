"""The product with its sandbox: an identity provider or API that is down, slow or sends garbage, and isolation of
tenants."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from doit_mcp.resilience.circuit_breaker import CircuitBreaker
from doit_mcp.resilience.outcome_counts import MIN_CALLERS, MIN_OUTCOMES
from doit_mcp.sandbox.accounts import CUSTOMERS, DEFAULT_DIRECTORY, AccountDirectory, User
from doit_mcp.sandbox.api import Api, Fault
from doit_mcp.sandbox.server import SandboxServer, run_sandbox
from doit_mcp.settings import Settings
from doit_mcp.transports.http import health
from doit_mcp.transports.http.main_app import make_main_app
from doit_mcp.transports.http.runner import bind, serve_app, socket_url
from tests.transports.http.serving import (
    ACCEPT,
    ADMIN,
    EMPLOYEE,
    LATEST_STATEFUL,
    OTHER_USER,
    SECRET,
    VIEWER,
    Answer,
    read,
)


@dataclass
class Product:
    """The product's server and its environment."""

    base: str
    world: SandboxServer
    http: aiohttp.ClientSession
    app: web.Application

    @property
    def circuits(self) -> dict[str, CircuitBreaker]:
        return {circuit.name: circuit for circuit in self.app[health.CIRCUIT_BREAKERS]}

    async def sees(self, upstream: str) -> tuple[int, str, float]:
        """Return what operators see of the circuit to *upstream*: status and message of /readyz, and the metric."""
        async with self.http.get(self.base + "/readyz") as ready:
            words = (await ready.json())["circuits"][upstream]
        async with self.http.get(self.base + "/metrics") as answer:
            line = f'doit_mcp_upstream_circuit{{upstream="{upstream}"}} '
            value = next(text for text in (await answer.text()).splitlines() if text.startswith(line))
        return ready.status, words, float(value.removeprefix(line))

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
        headers = {"Authorization": f"Bearer {bearer}", "Accept": ACCEPT, "MCP-Protocol-Version": LATEST_STATEFUL}
        async with self.http.post(self.base + path, json=message, headers=headers) as response:
            return await read(response)


@asynccontextmanager
async def served(
    prepare: Callable[[web.Application], None] = lambda app: None,
    accounts: AccountDirectory = DEFAULT_DIRECTORY,
    **settings: Any,
) -> AsyncIterator[Product]:
    with bind("127.0.0.1", 0) as bound:
        base = socket_url(bound)
        async with run_sandbox(
            resource_url=base, secret=SECRET, directory=accounts, api=Api(directory=accounts)
        ) as sandbox:
            site_settings = replace(
                Settings(),
                resource_url=base,
                auth_server_url=sandbox.url,
                exchange_secret=SECRET,
                **({"doit_api_base": sandbox.url} | settings),
            )
            app = make_main_app(site_settings)
            prepare(app)
            async with aiohttp.ClientSession() as http, serve_app(app, bound):
                yield Product(base, sandbox, http, app)


@pytest.fixture
async def product() -> AsyncIterator[Product]:
    async with served() as product:
        yield product


@pytest.mark.requirement("K4")
async def test_no_keys() -> None:
    """503 with Retry-After instead of 401, until the provider recovers."""
    async with served() as product:
        product.world.identity.down = True
        product.world.identity.rotate_keys()
        async with product.http.get(product.base + "/healthz") as answer:
            assert answer.status == 200
        refused = await product.call("validate_user")
        # The server may have fetched the old keys before the provider went down; they do not have the new key.
        assert refused.status == 503 and refused.headers["Retry-After"].isdigit()


@pytest.mark.requirement("K4", "X5")
async def test_cached_keys_continue_to_work(product: Product) -> None:
    """A known caller is served. A caller whose token must be exchanged gets a clear error, not a 500."""
    token = product.world.identity.mint(ADMIN, resource=f"{product.base}/mcp")
    assert (await product.call("validate_user", token=token)).result["structuredContent"]
    product.world.identity.down = True
    assert (await product.call("validate_user", token=token)).result["structuredContent"]
    other = await product.call("validate_user", user=OTHER_USER)
    assert other.status == 200 and other.result["isError"] is True and "sign-in" in other.text
    product.world.identity.down = False
    assert (await product.call("validate_user", user=OTHER_USER)).result["structuredContent"]


@pytest.mark.requirement("F5", "F6", "F7")
@pytest.mark.parametrize("kind", [400, 401, 403, 404, 409, 422, 500, 524, "garbage", "truncated", "huge", "reset"])
async def test_any_api_response(product: Product, kind: Any) -> None:
    """A tool result with an explanation and HTTP 200, nothing of the body; the next call succeeds."""
    product.api.faults.append(Fault("/analytics/v1/budgets", kind, times=9))
    answer = await product.call("list_budgets")
    assert answer.status == 200 and answer.result["isError"] is True
    text = answer.result["content"][0]["text"]
    assert text.startswith("Could not run list_budgets") and len(text) < 700
    assert "<html" not in text and product.world.url not in text and "Traceback" not in text
    product.api.faults.clear()
    assert (await product.call("list_budgets")).result["structuredContent"]["budgets"]


@pytest.mark.requirement("F2", "F3")
async def test_reads_are_retried_and_writes_are_not(product: Product) -> None:
    product.api.faults.append(Fault("/analytics/v1/budgets", 503, times=1, retry_after=0))
    assert (await product.call("list_budgets")).result["structuredContent"]["budgets"]
    call_count = len(product.api.calls)
    product.api.faults.append(Fault("/support/v1/tickets", 503, times=1))
    ticket = {"subject": "s", "body": "b", "platform": "doit", "product": "p", "severity": "low"}
    answer = await product.call("create_ticket", {"ticket": ticket})
    assert answer.result["isError"] is True and "check" in answer.text
    assert [call.method for call in list(product.api.calls)[call_count:]] == ["POST"]


async def test_long_retry_after_is_reported(product: Product) -> None:
    product.api.faults.append(Fault("/analytics/v1/budgets", 429, times=9, retry_after=120))
    text = (await product.call("list_budgets")).result["content"][0]["text"]
    assert "120 seconds" in text and "429" in text


@pytest.mark.requirement("F7")
async def test_api_outage_is_reported_and_recovers() -> None:
    """Connections are refused, and the server recovers without a restart."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        host, port = listener.getsockname()
        async with served(doit_api_base=f"http://{host}:{port}") as product:
            down = await product.call("list_budgets")
            text = down.result["content"][0]["text"]
            assert down.status == 200 and down.result["isError"] is True and "could not be reached" in text
            listener.listen()

            async def budgets(request: web.Request) -> web.Response:
                return web.json_response({"budgets": [], "rowCount": 0})

            runner = web.ServerRunner(web.Server(budgets), shutdown_timeout=0.1)
            await runner.setup()
            await web.SockSite(runner, listener).start()
            assert (await product.call("list_budgets")).result["structuredContent"]["budgets"] == []
            await runner.cleanup()


@pytest.fixture
async def customers() -> AsyncIterator[tuple[Product, list[User]]]:
    """Several customers, and a user of each."""
    directory = AccountDirectory(MIN_CALLERS)
    async with served(accounts=directory) as product:
        users = [
            directory.users_of(customer)[0]
            for customer in directory.customers(len(CUSTOMERS), len(CUSTOMERS) + MIN_CALLERS)
        ]
        yield product, users


@pytest.mark.requirement("F7", "F8", "L5")
async def test_open_circuit_is_probed_after_a_global_failure(customers: tuple[Product, list[User]]) -> None:
    """Calls fail at once with the time to retry and send no requests; the first call that succeeds closes the
    circuit."""
    product, users = customers
    assert (await product.call("list_budgets")).result["structuredContent"]["budgets"]
    product.api.faults.append(Fault("/analytics/v1", 500, times=None))
    tools = ("list_budgets", "list_reports")
    requests = [(tools[number // MIN_CALLERS % 2], users[number % MIN_CALLERS]) for number in range(MIN_OUTCOMES + 4)]
    await asyncio.gather(*(product.call(tool, user=user) for tool, user in requests))
    assert await product.sees("api") == (200, "open", 2.0) and await product.sees("identity") == (200, "closed", 0.0)
    call_count = len(product.api.calls)
    text = (await product.call("list_alerts")).result["content"][0]["text"]
    assert "temporarily unavailable" in text and "not sent" in text and "Try again in" in text
    assert len(product.api.calls) == call_count
    product.api.faults.clear()
    product.circuits["api"].clock = lambda: time.monotonic() + 6.1
    assert await product.sees("api") == (200, "half-open", 1.0)
    assert (await product.call("list_budgets")).result["structuredContent"]["budgets"]
    assert await product.sees("api") == (200, "closed", 0.0)


@pytest.mark.requirement("F8")
async def test_errors_of_one_user_do_not_affect_others(product: Product) -> None:
    """Whether one user is refused or gets failures, others are served."""
    for status in (500, 403):
        product.api.faults.append(Fault("/analytics/v1/budgets", status, times=None))
        await asyncio.gather(*(product.call("list_budgets", user=OTHER_USER) for _ in range(MIN_OUTCOMES + 4)))
        product.api.faults.clear()
    assert await product.sees("api") == (200, "closed", 0.0)
    assert (await product.call("list_budgets")).result["structuredContent"]["budgets"]


@pytest.mark.requirement("C1")
async def test_tenants_are_isolated(product: Product) -> None:
    """The tenant comes from the token; no argument, _meta, query or header of a client changes it."""
    budgets = (await product.call("list_budgets")).result["structuredContent"]["budgets"]
    theirs = (await product.call("list_budgets", user=OTHER_USER)).result["structuredContent"]["budgets"]
    assert budgets and theirs and not {budget["id"] for budget in budgets} & {budget["id"] for budget in theirs}
    other = OTHER_USER.customer
    for tried in (
        await product.call("list_budgets", {"customerContext": other}),
        await product.call("list_budgets", path=f"/mcp?customerContext={other}"),
        await product.call("list_budgets", **{"customerContext": other, "openai/subject": other}),
    ):
        assert tried.result["structuredContent"]["budgets"] == budgets
    foreign = await product.call("get_budget", {"id": theirs[0]["id"]})
    assert foreign.result["isError"] is True and "404" in foreign.text
    tenants = {call.tenant for call in product.api.calls if "budgets" in call.path}
    assert tenants == {ADMIN.customer, other}


@pytest.mark.requirement("X1", "X6", "X8", "M56")
async def test_callers_token_is_never_sent_upstream(product: Product) -> None:
    """Headers, path and body never contain it, nor any cookie."""
    token = product.world.identity.mint(ADMIN, resource=f"{product.base}/mcp")
    await product.call("list_budgets", token=token)
    await product.call("validate_user", token=token[:-3] + "AAA")
    for call in product.api.calls:
        body = call.body.decode("utf-8", "replace")
        text = json.dumps([call.method, call.path, list(call.headers), body, call.bearer])
        assert token not in text and token[:40] not in text and "Cookie" not in text


@pytest.mark.requirement("M19")
async def test_permissions_belong_to_the_user(product: Product) -> None:
    refused = await product.call("list_invoices", user=VIEWER)
    assert refused.result["isError"] is True and "permission" in refused.text


@pytest.mark.requirement("P1", "P5")
async def test_api_tokens_work_until_revoked(product: Product) -> None:
    for user in (ADMIN, OTHER_USER):
        answer = await product.call("validate_user", token=user.api_token)
        assert answer.result["structuredContent"]["email"] == user.email
    for wrong in ("demo_key", "sandbox-api-token-nobody", "x"):
        assert (await product.call("validate_user", token=wrong)).status == 401


async def test_employee_acts_for_the_customer_of_the_token(product: Product) -> None:
    answer = await product.call("validate_user", user=EMPLOYEE)
    assert answer.result["structuredContent"]["domain"] == "acme.example"


@pytest.mark.requirement("A4")
async def test_read_only_is_enforced(product: Product) -> None:
    """Write tools are neither listed nor callable by name."""
    ticket = {"subject": "s", "body": "b", "platform": "doit", "product": "p", "severity": "low"}
    refused = await product.call("create_ticket", {"ticket": ticket}, path="/mcp/readonly")
    assert refused.error["code"] == -32602
    assert (await product.call("list_tickets", path="/mcp/readonly")).result["structuredContent"]
    assert (await product.call("list_budgets", path="/mcp/x/tickets")).result["structuredContent"]
    unknown = await product.call("list_budgets", path="/mcp/x/nothing")
    assert unknown.status == 404 and "core" in unknown.text


@asynccontextmanager
async def canary() -> AsyncIterator[tuple[str, list[str]]]:
    """A host that must receive no token: its URL, and the requests it received."""
    requests: list[str] = []

    async def see(request: web.Request) -> web.StreamResponse:
        requests.append(f"{request.method} {request.path} {request.headers.get('Authorization')}")
        return web.json_response({"customers": [], "rowCount": 0})

    runner = web.ServerRunner(web.Server(see), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", requests
    finally:
        await runner.cleanup()


@pytest.mark.requirement("X7")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_token_is_sent_only_to_the_configured_console(status: int) -> None:
    """The console gets the exchanged token, never the caller's own; a redirect to another host is an error."""
    requests: list[str] = []
    async with canary() as (elsewhere, console_requests):

        async def redirects(request: web.Request) -> web.StreamResponse:
            requests.append(request.headers["Authorization"])
            return web.Response(status=status, headers={"Location": f"{elsewhere}/stolen"})

        runner = web.ServerRunner(web.Server(redirects), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        console = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with served(doit_console_base=console) as product:
            token = product.world.identity.mint(EMPLOYEE, resource=f"{product.base}/mcp")
            answer = await product.call("search_customers", {"domains": ["acme.example"]}, token=token)
            assert answer.result["isError"] is True and elsewhere not in answer.text
        await runner.cleanup()
        assert len(requests) == 1 and requests[0] != f"Bearer {token}" and console_requests == []


@pytest.mark.requirement("X7")
async def test_no_token_is_sent_to_an_unconfigured_console() -> None:
    """The issuer's host is not used as the console if the API has another host and no console is configured."""
    async with (
        canary() as (address, requests),
        served(doit_api_base=address.replace("127.0.0.1", "localhost")) as product,
    ):
        answer = await product.call("search_customers", {"domains": ["acme.example"]}, user=EMPLOYEE)
        assert answer.result["isError"] is True and "Customer search is not available" in answer.text
        assert requests == []


@pytest.mark.parametrize(
    ("console", "issuer", "api", "goes"),
    [
        ("", "https://console.doit.com", "https://api.doit.com", True),
        ("", "https://doit.com", "https://api.doit.com/base", True),
        ("", "https://login.example.com", "https://api.doit.com", False),
        ("", "https://console.doit.com.example.com", "https://api.doit.com", False),
        ("", "https://notdoit.com", "https://api.doit.com", False),
        ("", "https://console.doit.com", "https://api.example.com", False),
        ("", "http://127.0.0.1:1", "http://127.0.0.1:2", True),
        ("", "http://127.0.0.1:1", "http://localhost:1", False),
        ("https://console.example.com", "https://login.example.com", "https://api.doit.com", True),
    ],
)
def test_consoles_that_receive_tokens(console: str, issuer: str, api: str, goes: bool) -> None:
    settings = Settings(doit_console_base=console, auth_server_url=issuer, doit_api_base=api)
    assert settings.trusted_console_base == (settings.console_base if goes else "")
