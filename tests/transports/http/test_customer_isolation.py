"""One email address with API tokens of two customers is two principals that share nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from doit_mcp.protocol.extensions import TASKS
from doit_mcp.resilience.circuit_breaker import FEW_CALLERS_THRESHOLD
from doit_mcp.resilience.outcome_counts import MIN_OUTCOMES
from doit_mcp.sandbox.accounts import Grant
from tests.catalog.caller import TOOLS
from tests.transports.http.serving import (
    ADMIN,
    LATEST_STATEFUL,
    Answer,
    Bench,
    Json,
    Session,
    Site,
    next_event,
    serving,
)
from tests.transports.http.serving import tools as bench_tools

EMAIL = "consultant@partner.example"
DOMAINS = {"token-of-a": "a.example", "second-token-of-a": "A.example", "token-of-b": "b.example"}
A, SECOND_A, B = ({"Authorization": f"Bearer {token}"} for token in DOMAINS)
REAL = ("create_label", "list_budgets", "list_reports")
LABEL = {"name": "Q3", "color": "blue"}
CLIENT = {"extensions": {TASKS: {}}}


@dataclass
class Api:
    """A DoiT API that creates labels for the customer of each token and records the requests."""

    created: list[tuple[str, str]] = field(default_factory=list)
    named: list[str] = field(default_factory=list)

    def register(self, app: web.Application, lookup: Callable[[str], Grant | None]) -> None:
        """Register the operations that these tests use; lists fail for the tokens of these two customers."""

        async def validate(request: web.Request) -> web.Response:
            return web.json_response({"domain": domain_of(request), "email": EMAIL})

        async def create(request: web.Request) -> web.Response:
            domain = domain_of(request).lower()
            self.created.append((domain, (await request.json())["name"]))
            self.named += [request.headers.get("X-Tenant-Id", ""), request.query.get("customerContext", "")]
            return web.json_response({"id": f"label-of-{domain}", **LABEL}, status=201)

        async def label(request: web.Request) -> web.Response:
            return web.json_response({"id": request.match_info["id"], **LABEL})

        app.router.add_get("/analytics/v1/labels/{id}", label)

        async def listed(request: web.Request) -> web.Response:
            if request.headers["Authorization"].removeprefix("Bearer ") in DOMAINS:
                return web.json_response({"error": "this customer's data breaks it"}, status=500)
            return web.json_response({request.path.rpartition("/")[2]: [], "rowCount": 0})

        for name in ("budgets", "reports"):
            app.router.add_get(f"/analytics/v1/{name}", listed)
        app.router.add_get("/auth/v1/validate", validate)
        app.router.add_post("/analytics/v1/labels", create)


def domain_of(request: web.Request) -> str:
    return DOMAINS[request.headers["Authorization"].removeprefix("Bearer ")]


@pytest.fixture
async def tenant_site() -> AsyncIterator[tuple[Site, Api]]:
    api = Api()
    bench = Bench()
    async with serving(bench, changes={"tools": (*bench_tools(bench), *map(TOOLS.__getitem__, REAL))}, api=api) as site:
        yield site, api


async def open_stream(site: Site, bearer: Json) -> Session:
    params = {"protocolVersion": LATEST_STATEFUL, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    answer = await site.post(site.request("initialize", params), user=None, **bearer)
    assert answer.status == 200, answer
    return Session(site, answer.headers["Mcp-Session-Id"], LATEST_STATEFUL, None, {})  # type: ignore[arg-type]  # no user


@pytest.mark.requirement("N9")
async def test_n9_write_at_the_second_customer_is_sent(tenant_site: tuple[Site, Api]) -> None:
    site, api = tenant_site
    for bearer, domain in ((A, "a.example"), (B, "b.example")):
        answer = await site.call("create_label", LABEL, headers=bearer)
        assert answer.result["structuredContent"]["id"] == f"label-of-{domain}"
    again = await site.call("create_label", LABEL, headers=SECOND_A)
    assert "alreadyDone" in again.result["structuredContent"]
    assert api.created == [("a.example", "Q3"), ("b.example", "Q3")]
    # The API knows the customer of a token; the domain is never sent to it.
    assert set(api.named) == {""}


@pytest.mark.requirement("N9")
async def test_n9_sessions_belong_to_a_user_at_one_customer(tenant_site: tuple[Site, Api]) -> None:
    site, _ = tenant_site
    session = await open_stream(site, A)
    head = session.head
    assert (await site.post(site.request("ping"), user=None, **head, **B)).status == 404
    assert (await site.send("DELETE", "/mcp", site.headers(None, **head, **B))).status == 404
    async with site.http.get(f"{site.base}/mcp", headers=site.headers(None, **head, **B)) as stream:
        assert stream.status == 404
    for bearer in (A, SECOND_A):
        assert (await site.post(site.request("ping"), user=None, **head, **bearer)).result == {}


@pytest.mark.requirement("N9")
async def test_n9_legacy_streams_accept_messages_of_the_same_customer_only(tenant_site: tuple[Site, Api]) -> None:
    site, _ = tenant_site
    async with site.http.get(f"{site.base}/sse", headers=site.headers(None, **A)) as stream:
        path = (await next_event(stream))[1].removeprefix(site.base)
        for bearer, status in ((B, 404), (SECOND_A, 202)):
            answer = await site.post(site.request("ping"), user=None, path=path, **bearer)
            assert answer.status == status, answer


@pytest.mark.requirement("N9")
async def test_n9_tasks_belong_to_a_user_at_one_customer(tenant_site: tuple[Site, Api]) -> None:
    site, _ = tenant_site

    async def ask(method: str, id: str, bearer: Json) -> Answer:
        return await site.send_stateless(method, {"taskId": id}, headers=bearer, clientCapabilities=CLIENT)

    created = await site.call("long", headers=A, clientCapabilities=CLIENT)
    id = created.result["taskId"]
    for method in ("tasks/get", "tasks/cancel"):
        assert (await ask(method, id, B)).error["message"].endswith("is not one of your tasks")
    assert (await ask("tasks/get", id, SECOND_A)).result["status"] == "working"
    site.bench.proceed.set()
    while (task := (await ask("tasks/get", id, A)).result)["status"] == "working":
        await asyncio.sleep(0)
    assert task["status"] == "completed"


@pytest.mark.requirement("N17")
@pytest.mark.parametrize("failures", [MIN_OUTCOMES + 10, FEW_CALLERS_THRESHOLD + 10])
async def test_n17_user_with_two_tokens_does_not_open_the_circuit_for_others(
    tenant_site: tuple[Site, Api], failures: int
) -> None:
    """Other users are still served, even if no request succeeded before."""
    site, _ = tenant_site
    for number in range(failures):
        answer = await site.call(REAL[1 + number // 2 % 2], headers=(A, B)[number % 2])
        assert answer.result["isError"]
    for number in range(10):
        assert not (await site.call(REAL[1 + number % 2], user=ADMIN)).result.get("isError")
