"""The tenant of a call is that of its token, whatever else a client sends or has opened before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.sandbox.accounts import USERS, Grant
from doit_mcp.sandbox.api import Api as Sandbox
from doit_mcp.server.catalog import catalog_factory
from tests.transports.http.serving import (
    ADMIN,
    EMPLOYEE,
    LATEST_STATEFUL,
    OTHER_USER,
    VIEWER,
    Json,
    Session,
    Site,
    schema,
    serving,
)

OTHER = OTHER_USER.customer
# Names that could be mistaken for a tenant's.
NAMES = ("customerContext", "customer_context", "tenantId", "tenant", "X-Tenant-Id", "customerId")


@dataclass
class Api:
    """A DoiT API that answers with the requested tenant and records every request."""

    seen: list[web.Request] = field(default_factory=list)

    def register(self, app: web.Application, lookup: Callable[[str], Grant | None]) -> None:
        """Register the two operations that these tests use."""

        async def budgets(request: web.Request) -> web.Response:
            self.seen.append(request)
            grant = lookup(bearer(request))
            if grant is None:
                return web.json_response({"error": "unauthorized"}, status=401)
            await asyncio.sleep(0)
            row = {"id": grant.customer, "budgetName": grant.user.email}
            return web.json_response({"budgets": [row], "rowCount": 1})

        async def validate(request: web.Request) -> web.Response:
            grant = lookup(bearer(request))
            if grant is None:
                return web.json_response({"error": "unauthorized"}, status=401)
            return web.json_response({"domain": grant.user.email.partition("@")[2], "email": grant.user.email})

        app.router.add_get("/analytics/v1/budgets", budgets)
        app.router.add_get("/auth/v1/validate", validate)


def bearer(request: web.Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


async def mine(call: Call, arguments: Json) -> Json:
    """Return the rows of the caller, with the messages of the call."""
    budgets = await call.doit.budgets.list_budgets()
    return {"rows": budgets["budgets"], "said": arguments.get("text", "")}


def rows(answer: Any) -> set[tuple[str, str]]:
    return {(row["id"], row["budgetName"]) for row in answer.result["structuredContent"]["rows"]}


@asynccontextmanager
async def serving_site(**settings: Any) -> AsyncIterator[tuple[Site, Api]]:
    api = Api()
    output = {"type": "object", "properties": {"rows": {"type": "array"}, "said": {"type": "string"}}}
    tool = Tool("mine", "Mine", "Whose data.", schema(text={"type": "string"}), mine, output)
    async with serving(changes={"tools": (tool,)}, api=api, **settings) as site:
        yield site, api


def check_upstream(site: Site, api: Api, token: str) -> None:
    """Check the upstream requests: the token's tenant once, an exchanged credential, and nothing that the client
    chose."""
    (request,) = api.seen
    assert request.headers.getall("X-Tenant-Id") == [ADMIN.customer]
    assert request.query.getall("customerContext", [ADMIN.customer]) == [ADMIN.customer]
    assert token not in str(request.headers) and bearer(request) not in ("", token)
    # Tracking headers repeat the client's name as a value.
    assert not [name for name, value in request.query.items() if OTHER in value and not name.startswith("mcpClient")]
    named = {"x-user", "x-forwarded-user", "x-customer-context", "x-user-email", "cookie"}
    assert not named & {name.lower() for name in request.headers}


@pytest.mark.requirement("H4", "C1", "U2")
@pytest.mark.parametrize("channel", ["meta", "query", "headers", "client", "forwarded"])
async def test_client_data_cannot_change_the_tenant(channel: str) -> None:
    """With stateful and stateless requests."""
    async with serving_site() as (site, api):
        named = dict.fromkeys(NAMES, OTHER)
        token = site.token()
        headers: dict[str, str] = {"Authorization": f"Bearer {token}"}
        meta: Json = {}
        path = "/mcp"
        if channel == "meta":
            meta = named
        elif channel == "query":
            path += "?" + "&".join(f"{name}={OTHER}" for name in NAMES)
        elif channel == "headers":
            headers |= {"X-Tenant-Id": OTHER, "X-Customer-Context": OTHER, "X-User": OTHER_USER.email}
        elif channel == "forwarded":
            headers |= {"X-Forwarded-User": OTHER_USER.email, "Forwarded": f"for={OTHER_USER.email}", "Cookie": "t=1"}
        client: Json = {"name": f"x&customerContext={OTHER}#", "version": f"1\r\nX-Tenant-Id: {OTHER}"}
        message = site.stateless_request(
            "tools/call", {"name": "mine"}, clientInfo=client if channel == "client" else None
        )
        message["params"]["_meta"] |= meta
        request_headers = {
            name.replace("-", "_"): value for name, value in (site.stateless_headers(message) | headers).items()
        }
        answer = await site.post(message, path=path, **request_headers)
        assert rows(answer) == {(ADMIN.customer, ADMIN.email)}
        check_upstream(site, api, token)

        api.seen.clear()
        params: Json = {"protocolVersion": LATEST_STATEFUL, "capabilities": named, "clientInfo": client, **named}
        handshake = await site.post(site.request("initialize", params))
        session = Session(site, handshake.headers["Mcp-Session-Id"], LATEST_STATEFUL, ADMIN, {})
        call = site.request("tools/call", {"name": "mine", "_meta": meta, **named})
        extra = {name.replace("-", "_"): value for name, value in headers.items()}
        assert rows(await session.post(call, path=path, **extra)) == {(ADMIN.customer, ADMIN.email)}
        check_upstream(site, api, token)


@pytest.mark.requirement("C1", "J13")
@pytest.mark.parametrize("name", NAMES)
async def test_arguments_outside_the_schema_have_no_effect(name: str) -> None:
    """Refused before any upstream request, or ignored where the previous server accepted them."""
    async with serving_site() as (site, api):
        token = site.token()
        headers = {"Authorization": f"Bearer {token}"}
        answer = await site.send_stateless("tools/call", {"name": "mine", "arguments": {name: OTHER}}, headers=headers)
        if answer.result.get("isError"):
            assert api.seen == []
        else:
            assert rows(answer) == {(ADMIN.customer, ADMIN.email)}
            check_upstream(site, api, token)


@pytest.mark.requirement("S1", "S2", "M46")
async def test_request_uses_its_own_token_not_that_of_initialize() -> None:
    """A refreshed token of the owner continues the session; the same user for another customer has no session there."""
    async with serving_site() as (site, api):
        session = await site.initialize(user=EMPLOYEE)
        call = site.request("tools/call", {"name": "mine"})
        for _ in range(2):
            fresh = f"Bearer {site.token(EMPLOYEE)}"
            assert rows(await session.post(call, Authorization=fresh)) == {(EMPLOYEE.customer, EMPLOYEE.email)}
        other = f"Bearer {site.token(EMPLOYEE, customer_context=OTHER)}"
        api.seen.clear()
        for message in (call, {"jsonrpc": "2.0", "method": "notifications/x"}):
            assert (await session.post(message, Authorization=other)).status == 404
        assert api.seen == []
        alone = await site.post(call, Authorization=other, MCP_Protocol_Version=LATEST_STATEFUL)
        assert rows(alone) == {(OTHER, EMPLOYEE.email)}
        assert api.seen[0].headers["X-Tenant-Id"] == OTHER


@pytest.mark.requirement("S1")
async def test_api_token_of_the_same_user_is_another_principal() -> None:
    async with serving_site() as (site, api):
        session = await site.initialize()
        as_token = f"Bearer {ADMIN.api_token}"
        assert (await site.call("mine", headers={"Authorization": as_token})).status == 200
        assert (await session.post(site.request("ping"), Authorization=as_token)).status == 404
        headers = site.headers(**session.head) | {"Authorization": as_token}
        request_headers = {name.replace("_", "-"): value for name, value in headers.items()}
        assert (await site.send("DELETE", "/mcp", request_headers)).status == 404
        assert (await session.ask("ping")).result == {}


@pytest.mark.requirement("S3")
async def test_session_id_made_up_by_a_client_is_rejected(site: Site) -> None:
    """Session fixation is impossible; ids are visible ASCII, long and unique."""
    params = {"protocolVersion": LATEST_STATEFUL, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    invented = "a" * 48
    opened = await site.post(site.request("initialize", params), Mcp_Session_Id=invented)
    assert opened.headers["Mcp-Session-Id"] != invented
    assert (await site.post(site.request("ping"), Mcp_Session_Id=invented)).status == 404
    ids = {(await site.initialize()).id for _ in range(20)}
    assert len(ids) == 20 and invented not in ids
    assert all(len(id) >= 32 and id.isascii() and id.isprintable() and " " not in id for id in ids)


@pytest.mark.requirement("S6", "C3", "Q1")
async def test_callers_with_equal_ids_are_isolated() -> None:
    """Every caller gets exactly one response with its own data, with and without sessions."""
    async with serving_site(calls_per_principal=100) as (site, api):
        users = [user for user in USERS if user != EMPLOYEE] * 10
        callers = [(user, str(number), f"Bearer {site.token(user)}") for number, user in enumerate(users)]

        async def ask(user: Any, text: str, token: str, envelope: bool) -> None:
            params = {"name": "mine", "arguments": {"text": text}}
            if envelope:
                answer = await site.send_stateless("tools/call", params, id=1, headers={"Authorization": token})
            else:
                session = await site.initialize(user=user)
                answer = await session.ask("tools/call", params, 1)
            assert answer.body["id"] == 1 and answer.result["structuredContent"]["said"] == text
            assert rows(answer) == {(user.customer, user.email)}

        calls = [ask(*person, envelope) for person in callers for envelope in (True, False)]
        await asyncio.gather(*calls)
        assert len(api.seen) == len(calls)
        assert {user.customer for user in (ADMIN, VIEWER, OTHER_USER)} == {ADMIN.customer, OTHER}


HOSTILE = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "ftp",
    "X-Forwarded-Prefix": "/evil",
    "Forwarded": "host=evil.example;proto=ftp",
    "X-Original-URL": "/evil",
}


@pytest.mark.requirement("H8")
async def test_urls_come_from_configuration_only(site: Site) -> None:
    """Challenge, metadata and the SSE endpoint ignore the Host header."""
    refused = await site.send("POST", "/mcp", HOSTILE)
    document = f"{site.base}/.well-known/oauth-protected-resource/mcp"
    assert f'resource_metadata="{document}"' in refused.headers["WWW-Authenticate"]
    metadata = await site.send("GET", "/.well-known/oauth-protected-resource/mcp", HOSTILE)
    assert metadata.body["resource"] == f"{site.base}/mcp" and "evil" not in metadata.text
    async with site.http.get(f"{site.base}/sse", headers=site.headers() | HOSTILE) as response:
        assert (await response.content.readline()) == b"event: endpoint\n"
        assert (await response.content.readline()).startswith(b"data: /sse/message?sessionId=")


async def test_base_url_path_is_kept_in_every_url() -> None:
    """The message endpoint is relative, and works behind a gateway's prefix."""
    async with serving(resource_url="http://127.0.0.1:1/gate/way", allowed_hosts=()) as site:
        host = {"Host": "127.0.0.1:1"}
        refused = await site.send("POST", "/mcp", host)
        document = "http://127.0.0.1:1/gate/way/.well-known/oauth-protected-resource/mcp"
        assert document in refused.headers["WWW-Authenticate"]
        token = site.world.identity.mint(ADMIN, aud="http://127.0.0.1:1/gate/way/sse")
        headers = host | {"Authorization": f"Bearer {token}"}
        async with site.http.get(f"{site.base}/sse", headers=headers) as response:
            await response.content.readline()
            assert (await response.content.readline()).startswith(b"data: /gate/way/sse/message?sessionId=")


async def test_a_digest_names_the_customer_that_an_employee_acts_for() -> None:
    async with serving(make=catalog_factory(), api=Sandbox()) as site:
        answer = await site.call("weekly_digest", {"customerContext": OTHER}, user=EMPLOYEE)
        own = await site.call("weekly_digest", {}, user=OTHER_USER)
    digest = answer.result["structuredContent"]
    domain = OTHER_USER.email.partition("@")[2]
    assert digest.pop("customer") == {"id": OTHER, "domain": domain}
    assert (
        digest["spend"] == own.result["structuredContent"]["spend"]
        and "customer" not in own.result["structuredContent"]
    )
