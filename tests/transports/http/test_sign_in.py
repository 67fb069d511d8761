"""A sign-in that ends while it is in use: the client's error and its streams."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.prompts.prompt import Prompt, PromptArgument, user_message
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.resources.resource import Resource
from doit_mcp.catalog.tools.tool import Tool
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import replicas
from tests.transports.http.serving import (
    ADMIN,
    LATEST_STATEFUL,
    STATELESS_REVISION,
    Answer,
    Json,
    Session,
    Site,
    next_event,
    serving,
)
from tests.transports.http.streaming import open_stream
from tests.transports.http.test_tenancy import Api, bearer, mine, schema, serving_site

CHALLENGE = "mcp/www_authenticate"
CAPABLE_OF_TASKS: Json = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


def mine_tool() -> Tool:
    output = {"type": "object", "properties": {"rows": {"type": "array"}, "said": {"type": "string"}}}
    return Tool("mine", "Mine", "Whose data.", schema(text={"type": "string"}), mine, output)


async def call(site: Site, token: str, path: str = "/mcp") -> Answer:
    return await send(site, token, site.stateless_request("tools/call", {"name": "mine", "arguments": {}}), path)


async def list_tools(site: Site, token: str) -> Answer:
    return await send(site, token, site.stateless_request("tools/list"))


async def send(site: Site, token: str, message: Json, path: str = "/mcp") -> Answer:
    head = site.headers(None) | site.stateless_headers(message) | {"Authorization": f"Bearer {token}"}
    return await site.send("POST", path, head | {"Content-Type": "application/json"}, json.dumps(message).encode())


@pytest.mark.requirement("N19")
@pytest.mark.parametrize("path", ["/mcp", "/mcp/readonly", "/sse"])
async def test_n19_result_has_the_challenge_and_the_next_request_is_401(path: str) -> None:
    async with serving_site() as (site, api):
        token = site.token()
        assert not (await call(site, token, path)).result.get("isError")
        site.world.identity.end_login(token)
        refused = await call(site, token, path)
        assert refused.status == 200 and refused.result["isError"]
        (challenge,) = refused.result["_meta"][CHALLENGE]
        assert f'resource_metadata="{site.base}/.well-known/oauth-protected-resource{path}"' in challenge
        assert 'error="invalid_token"' in challenge and 'error_description="' in challenge
        counts = len(api.seen), site.world.identity.request_counts.copy()
        # The challenge is the same as in the header for this path, and no more requests go upstream.
        for _ in range(3):
            after = await call(site, token, path)
            assert after.status == 401 and after.headers["WWW-Authenticate"] == challenge
        assert (len(api.seen), site.world.identity.request_counts) == counts
        fresh = site.world.identity.mint(ADMIN, resource=f"{site.base}/mcp", flow_id="another")
        assert not (await call(site, fresh, path)).result.get("isError")


@pytest.mark.requirement("N19")
@pytest.mark.parametrize("revision", ["2024-11-05", "2025-03-26", "2025-06-18", LATEST_STATEFUL])
async def test_n19_session_results_have_the_challenge(revision: str) -> None:
    async with serving_site() as (site, _):
        session = await site.initialize(revision)
        site.world.identity.end_login(site.token())
        refused = await session.call("mine")
        (challenge,) = refused.result["_meta"][CHALLENGE]
        assert "/.well-known/oauth-protected-resource/mcp" in challenge and refused.result["isError"]


@pytest.mark.requirement("N19")
async def test_n19_calls_that_may_become_tasks_have_the_challenge() -> None:
    """Such a call keeps nothing of its HTTP request, so its challenge is made in advance."""
    async with serving(changes={"tools": (replace(mine_tool(), task_after=30.0),)}, api=Api()) as site:
        site.world.identity.end_login(site.token())
        refused = await site.send_stateless("tools/call", {"name": "mine"}, clientCapabilities=CAPABLE_OF_TASKS)
        (challenge,) = refused.result["_meta"][CHALLENGE]
        assert f'resource_metadata="{site.base}/.well-known/oauth-protected-resource/mcp"' in challenge


@pytest.mark.requirement("N19")
@pytest.mark.parametrize(
    ("status", "code", "dead"),
    [
        (400, "invalid_grant", True),
        (401, "invalid_client", False),
        (400, "unauthorized_client", False),
        (400, "invalid_request", False),
        (503, "temporarily_unavailable", False),
        (500, "invalid_grant", False),
    ],
)
async def test_n19_only_an_ended_sign_in_is_discarded(status: int, code: str, dead: bool) -> None:
    """Configuration errors and outages never cause a 401."""

    async def exchange(request: web.Request) -> web.Response:
        return web.json_response({"error": code}, status=status)

    app = web.Application()
    app.router.add_post("/api/auth/token", exchange)
    async with provider(app) as (site, issuer):
        token = site.world.identity.mint(ADMIN, resource=f"{site.base}/mcp", iss=issuer)
        first = await call(site, token)
        assert first.status == 200 and first.result["isError"]
        signs_in = code in ("invalid_grant", "invalid_request") and status == 400
        assert (CHALLENGE in first.result["_meta"]) is signs_in
        assert (await list_tools(site, token)).status == (401 if dead else 200)


@asynccontextmanager
async def provider(app: web.Application) -> AsyncIterator[tuple[Site, str]]:
    """A server whose identity provider refuses all exchanges, but has the sandbox's keys."""
    keys: list[Json] = []
    notified = asyncio.Event()

    async def jwks(request: web.Request) -> web.Response:
        await notified.wait()
        return web.json_response({"keys": keys})

    app.router.add_get("/.well-known/jwks.json", jwks)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    issuer = "http://{}:{}".format(*runner.addresses[0][:2])
    try:
        async with serving_site(auth_server_url=issuer) as (site, _):
            async with site.http.get(f"{site.world.url}/.well-known/jwks.json") as answer:
                keys.extend((await answer.json())["keys"])
            notified.set()
            yield site, issuer
    finally:
        await runner.cleanup()


async def document(call: Call) -> Json:
    return {"text": str(await call.doit.budgets.list_budgets())}


async def prompted(call: Call, arguments: Mapping[str, str]) -> list[Json]:
    return [user_message(str(await call.doit.budgets.list_budgets()))]


async def suggested(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
    return [str(await call.doit.budgets.list_budgets())]


ASKING: dict[str, Json] = {
    "resources/read": {"uri": "doc://mine"},
    "prompts/get": {"name": "mine", "arguments": {"which": "x"}},
    "completion/complete": {"ref": {"type": "ref/prompt", "name": "mine"}, "argument": {"name": "which", "value": ""}},
}
OFFERED: Json = {
    "resources": (Resource("doc://mine", "mine", "Mine", "Whose data.", "text/plain", document),),
    "prompts": (
        Prompt("mine", "Mine", "Whose data.", prompted, (PromptArgument("which", "Which.", True, suggested),)),
    ),
}


@pytest.mark.requirement("N19")
@pytest.mark.parametrize("method", ASKING)
async def test_n19_errors_of_other_methods_have_the_challenge(method: str) -> None:
    async with serving(changes=OFFERED, api=Api()) as site:
        token = site.token()
        session = await site.initialize()
        assert "result" in (await send(site, token, site.stateless_request(method, ASKING[method]))).body
        assert "result" in (await session.ask(method, ASKING[method])).body
        site.world.identity.end_login(token)
        refused = await session.ask(method, ASKING[method])
        assert refused.code == (200, -32602)
        (challenge,) = refused.error["data"][CHALLENGE]
        assert 'error="invalid_token"' in challenge and "Sign in again" in refused.error["message"]
    async with serving(changes=OFFERED, api=Api()) as site:
        token = site.token()
        site.world.identity.end_login(token)
        refused = await send(site, token, site.stateless_request(method, ASKING[method]))
        assert refused.code == (400, -32602)
        (challenge,) = refused.error["data"][CHALLENGE]
        after = await send(site, token, site.stateless_request(method, ASKING[method]))
        assert after.status == 401 and after.headers["WWW-Authenticate"] == challenge


@pytest.mark.requirement("N19")
async def test_n19_write_requiring_confirmation_returns_the_challenge_instead() -> None:
    async with serving(changes={"tools": direct_tools()}, api=Api()) as site:
        token = site.token()
        site.world.identity.end_login(token)
        message = site.stateless_request(
            "tools/call",
            {"name": "delete_budget", "arguments": {"id": "b1"}},
            clientCapabilities={"elicitation": {"form": {}}},
        )
        refused = (await send(site, token, message)).result
        assert refused["isError"] and CHALLENGE in refused["_meta"]


class Refusing(Api):
    """A DoiT API that accepts no credential."""

    def register(self, app: web.Application, lookup: Any) -> None:
        super().register(app, lambda token: None)


@pytest.mark.requirement("N19")
async def test_n19_api_rejecting_a_fresh_credential_ends_no_sign_in() -> None:
    """Two 401 responses of the API after two successful exchanges: the result has the challenge, and the token stays
    valid."""
    async with serving(changes={"tools": (mine_tool(),)}, api=Refusing()) as site:
        token = site.token()
        refused = await call(site, token)
        assert refused.result["isError"] and CHALLENGE in refused.result["_meta"]
        assert (await list_tools(site, token)).status == 200


class Tokens(Api):
    """A DoiT API that knows one API token until it is revoked."""

    def __init__(self) -> None:
        super().__init__()
        self.good = {"an-api-token"}

    def register(self, app: web.Application, lookup: Any) -> None:
        async def budgets(request: web.Request) -> web.Response:
            status = 200 if bearer(request) in self.good else 401
            return web.json_response({"budgets": [], "rowCount": 0} if status == 200 else {}, status=status)

        async def validate(request: web.Request) -> web.Response:
            if bearer(request) not in self.good:
                return web.json_response({}, status=401)
            return web.json_response({"domain": "acme.example", "email": ADMIN.email})

        app.router.add_get("/analytics/v1/budgets", budgets)
        app.router.add_get("/auth/v1/validate", validate)


@pytest.mark.requirement("N19")
async def test_n19_revoked_api_token_is_reported_and_ends_its_stream() -> None:
    api = Tokens()
    async with serving(changes={"tools": (mine_tool(),)}, api=api) as site:
        message = site.stateless_request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        headers = site.stateless_headers(message) | site.headers(None) | {"Authorization": "Bearer an-api-token"}
        async with open_stream(site, message, headers, STATELESS_REVISION) as stream:
            await stream.message()
            assert not (await call(site, "an-api-token")).result.get("isError")
            api.good.clear()
            refused = await call(site, "an-api-token")
            assert refused.result["isError"] and CHALLENGE in refused.result["_meta"]
            assert (await list_tools(site, "an-api-token")).status == 401
            assert (await stream.message())["result"]
            assert await stream.ends()


def session_headers(session: Session, token: str) -> dict[str, str]:
    head = {name.replace("_", "-"): value for name, value in session.head.items()}
    return head | {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}


@pytest.mark.requirement("N19")
async def test_n19_streams_of_an_ended_sign_in_end() -> None:
    async with serving_site() as (site, _):
        token = site.token()
        session = await site.initialize()
        message = site.stateless_request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        stateless_headers = site.stateless_headers(message) | site.headers() | {"Authorization": f"Bearer {token}"}
        bearer_alone = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        async with (
            site.http.get(f"{site.base}/mcp", headers=session_headers(session, token)) as stream,
            site.http.get(f"{site.base}/sse", headers=bearer_alone) as legacy,
            site.http.get(f"{site.base}/sse", headers=site.headers() | {"Accept": "text/event-stream"}) as other,
            open_stream(site, message, stateless_headers, STATELESS_REVISION) as listening,
        ):
            assert (await next_event(legacy))[0] == "endpoint" and (await next_event(other))[0] == "endpoint"
            await listening.message()
            site.world.identity.end_login(token)
            assert (await call(site, token)).result["isError"]
            assert (await listening.message())["result"] and await listening.ends()
            assert b"data" not in await stream.content.read() + await legacy.content.read()
            # A stream with another token continues.
            assert not other.content.at_eof()
            for answer in (stream, legacy):
                async with site.http.get(answer.url, headers=session_headers(session, token)) as again:
                    assert again.status == 401


@pytest.mark.requirement("N19")
async def test_n19_streams_end_with_their_token_unless_renewed() -> None:
    """The session of /sse is its stream, so it continues for a client that sends a newer token there."""
    async with serving() as site:
        brief = {"Authorization": f"Bearer {site.token(exp=int(time.time()) + 2)}", "Accept": "text/event-stream"}
        session = await site.initialize()
        own_headers = session_headers(session, "") | brief
        async with (
            site.http.get(f"{site.base}/mcp", headers=own_headers) as stream,
            site.http.get(f"{site.base}/sse", headers=brief) as ending,
            site.http.get(f"{site.base}/sse", headers=brief) as renewed,
        ):
            assert (await next_event(ending))[0] == "endpoint"
            _, address = await next_event(renewed)
            ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
            headers = site.headers() | {"Content-Type": "application/json"}
            async with site.http.post(site.base + address, json=ping, headers=headers) as posted:
                assert posted.status == 202
            await next_event(renewed)
            assert b"data" not in await stream.content.read() + await ending.content.read()
            async with site.http.post(site.base + address, json=ping, headers=headers) as posted:
                assert posted.status == 202
            assert '"id":1' in (await next_event(renewed))[1]


@pytest.mark.requirement("N19")
async def test_n19_sign_in_ended_at_one_replica_ends_at_others(redis: Server) -> None:
    api = Api()
    async with replicas(redis.url, changes={"tools": (mine_tool(),)}, api=api) as (first, second):
        token = first.token()
        assert not (await call(first, token)).result.get("isError")
        assert (await list_tools(second, token)).status == 200
        first.world.identity.end_login(token)
        assert (await call(first, token)).result["isError"]
        async with asyncio.timeout(10):
            while (await list_tools(second, token)).status != 401:
                await asyncio.sleep(0.01)


@pytest.mark.requirement("N19")
async def test_n19_token_renewed_at_another_replica_keeps_the_stream(redis: Server) -> None:
    async with replicas(redis.url) as (first, second):
        brief = {"Authorization": f"Bearer {first.token(exp=int(time.time()) + 2)}", "Accept": "text/event-stream"}
        async with (
            first.http.get(f"{first.base}/sse", headers=brief) as ending,
            first.http.get(f"{first.base}/sse", headers=brief) as renewed,
        ):
            assert (await next_event(ending))[0] == "endpoint"
            _, address = await next_event(renewed)
            headers = first.headers() | {"Content-Type": "application/json"}
            for number in (1, 2):
                ping = {"jsonrpc": "2.0", "id": number, "method": "ping"}
                async with first.http.post(second.base + address, json=ping, headers=headers) as posted:
                    assert posted.status == 202
                assert f'"id":{number}' in (await next_event(renewed))[1]
                if number == 1:
                    assert b"data" not in await ending.content.read()


@pytest.mark.requirement("N19")
async def test_n19_resumed_stream_ends_too() -> None:
    async with serving() as site:
        session = await site.initialize()
        message = site.request("tools/call", {"name": "steps", "arguments": {"pause": True}})
        message["params"]["_meta"] = {"progressToken": "t"}
        async with open_stream(site, message, site.headers(**session.head), LATEST_STATEFUL) as stream:
            while (event := await stream.event()).id is None:
                pass
        brief = session_headers(session, site.token(exp=int(time.time()) + 2))
        async with site.http.get(f"{site.base}/mcp", headers=brief | {"Last-Event-ID": event.id}) as rest:
            assert rest.status == 200
            # The call still waits; only the stream ends.
            assert b'"result"' not in await rest.content.read() and not site.bench.ended.is_set()
        async with session.stream(Last_Event_ID=event.id) as again:
            site.bench.proceed.set()
            while '"result"' not in (await next_event(again))[1]:
                pass
