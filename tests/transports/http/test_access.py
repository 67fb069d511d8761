"""Access control and its refusals: Host, Origin, bearer tokens, methods and bodies."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging

import pytest

from tests.transports.http.serving import ACCEPT, ADMIN, LATEST_STATEFUL, OTHER_USER, VIEWER, Site, events, serving

ENDPOINTS = ("/mcp", "/sse", "/sse/message", "/mcp/readonly", "/mcp/x/core", "/mcp/x/core/readonly")
FORMS = ("/.well-known/oauth-protected-resource{path}", "{path}/.well-known/oauth-protected-resource")


@pytest.mark.requirement("T12", "H5", "H6", "M41", "M55", "M66")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT", "PATCH"])
async def test_missing_token_is_rejected(site: Site, path: str, method: str) -> None:
    """Requests without a token get 401 before any other check, whatever their method and body, and the metadata URL
    works."""
    answer = await site.send(method, path, {"Accept": ACCEPT}, b"{not json")
    assert answer.status == 401 and answer.body["error"] == "invalid_token"
    challenge = answer.headers["WWW-Authenticate"]
    resource = "/sse" if path == "/sse/message" else path
    document = f"{site.base}/.well-known/oauth-protected-resource{resource}"
    assert challenge.startswith(f'Bearer resource_metadata="{document}", error="invalid_token"')
    assert 'scope="mcp:tools offline_access"' in challenge
    async with site.http.get(document) as response:
        assert (await response.json())["resource"] == site.base + resource


async def test_provider_metadata_is_relayed(site: Site) -> None:
    """Clients of 2025-03-26 look for it here. It names the provider as its issuer, and other documents stay 404."""
    answer = await site.send("GET", "/.well-known/oauth-authorization-server", {"Origin": "https://anywhere.example"})
    async with site.http.get(f"{site.world.url}/.well-known/oauth-authorization-server") as original:
        assert answer.status == 200 and answer.body == await original.json()
    assert answer.body["issuer"] == site.world.url and answer.headers["Access-Control-Allow-Origin"] == "*"
    for path in ("/.well-known/oauth-authorization-server/mcp", "/mcp/.well-known/oauth-authorization-server"):
        assert (await site.send("GET", path, {})).status == 404


@pytest.mark.requirement("H7", "M54", "M66")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", ["/mcp", "/sse", "/mcp/readonly", "/mcp/x/core"])
async def test_metadata_at_every_location(site: Site, form: str, path: str) -> None:
    answer = await site.send("GET", form.format(path=path), {"Origin": "https://anywhere.example"})
    assert answer.status == 200 and answer.body["resource"] == site.base + path
    assert answer.body["authorization_servers"] == [site.world.url]
    assert answer.body["bearer_methods_supported"] == ["header"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_no_metadata_elsewhere(site: Site) -> None:
    root = await site.send("GET", "/.well-known/oauth-protected-resource", {})
    assert root.status == 200 and root.body["resource"] == site.base
    for path, accept in (
        ("/.well-known/oauth-protected-resource/other", "text/html"),
        ("/.well-known/openid-configuration", "text/html"),
        ("/nowhere", "*/*"),
    ):
        answer = await site.send("GET", path, {"Accept": accept})
        assert answer.status == 404 and answer.headers["Content-Type"].startswith("application/json")


@pytest.mark.requirement("O1")
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Host": "localhost.evil.example"},
        {"X-Forwarded-Host": "evil.example", "Host": "evil.example"},
    ],
)
async def test_unknown_hosts_are_rejected(site: Site, headers: dict[str, str]) -> None:
    assert (await site.send("POST", "/mcp", site.headers() | headers)).status == 421
    for probe in ("/healthz", "/readyz"):
        assert (await site.send("GET", probe, headers)).status == 200


@pytest.mark.requirement("O2", "M9")
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://chatgpt.com.evil.example", "https://x@chatgpt.com", ""]
)
async def test_foreign_origins_are_rejected_first(site: Site, origin: str) -> None:
    """The origin is checked even before the token."""
    for path in ("/mcp", "/sse", "/sse/message"):
        answer = await site.send("POST", path, {"Origin": origin})
        assert answer.status == 403 and "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.requirement("O3")
async def test_allowed_origins(site: Site) -> None:
    """Preflight requests need no token, and responses carry the headers that browsers require."""
    origin = {"Origin": "https://chatgpt.com"}
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    preflight = await site.send("OPTIONS", "/mcp", origin | asks)
    assert preflight.status == 204 and preflight.headers["Access-Control-Allow-Origin"] == origin["Origin"]
    allowed = preflight.headers["Access-Control-Allow-Headers"].lower()
    for (
        name
    ) in "authorization content-type mcp-session-id mcp-protocol-version last-event-id mcp-method mcp-name".split():
        assert name in allowed
    refused = await site.send("POST", "/mcp", origin)
    assert refused.status == 401 and refused.headers["Access-Control-Allow-Origin"] == origin["Origin"]
    exposed = refused.headers["Access-Control-Expose-Headers"]
    assert "WWW-Authenticate" in exposed and "Mcp-Session-Id" in exposed
    assert refused.headers["Vary"] == "Origin" and "Access-Control-Allow-Credentials" not in refused.headers
    same_origin = await site.send("POST", "/mcp", {"Origin": site.base})
    assert same_origin.status == 401


@pytest.mark.requirement("H1", "H2", "H3", "M41")
@pytest.mark.parametrize("where", ["query", "cookie", "header", "bare", "twice"])
async def test_tokens_are_accepted_in_one_header_only(site: Site, where: str) -> None:
    token = site.token()
    request_headers: list[tuple[str, str]] = [("Accept", ACCEPT), ("Content-Type", "application/json")]
    request_headers += {
        "query": [],
        "cookie": [("Cookie", f"token={token}; Authorization=Bearer {token}")],
        "header": [("X-Authorization", f"Bearer {token}"), ("X-User", ADMIN.email)],
        "bare": [("Authorization", token)],
        "twice": [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")],
    }[where]
    path = f"/mcp?access_token={token}" if where == "query" else "/mcp"
    async with site.http.post(site.base + path, data=b"{}", headers=request_headers) as response:
        assert response.status in (400, 401)
        assert token not in await response.text() and token not in str(response.headers)


@pytest.mark.requirement("T11", "M41")
async def test_missing_scope(site: Site) -> None:
    headers = {"Authorization": f"Bearer {site.token(scope='mcp:resources')}", "Accept": ACCEPT}
    answer = await site.send("POST", "/mcp", headers)
    assert answer.status == 403 and answer.body["error"] == "insufficient_scope"
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


@pytest.mark.requirement("H9", "X6")
@pytest.mark.parametrize("size", [9_000, 100_000])
async def test_oversized_token_has_a_clear_error(site: Site, size: int) -> None:
    """The refusal never quotes the token, whichever layer sends it."""
    answer = await site.send("POST", "/mcp", {"Authorization": "Bearer " + "s3cret" * (size // 6)})
    assert 400 <= answer.status < 500 and "s3cret" not in answer.text


@pytest.mark.requirement("J8", "G1", "G4")
@pytest.mark.parametrize(
    "raw",
    [
        b"GET /mcp HTTP/1.1\r\nHost: x\r\nAuthor\x01ization: Bearer s3cret\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\nX: s3cret\r\n\r\n",
        b"s3cret\r\n\r\n",
    ],
)
async def test_invalid_http_is_not_echoed(site: Site, raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """One response without a quote or a version, then the connection is closed. The log line has its trace ID, and
    clients cannot fill the log with errors."""
    caplog.set_level(logging.INFO)
    host, port = site.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(raw)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    await writer.wait_closed()
    assert b" 400 " in answer and b"s3cret" not in answer and b"aiohttp" not in answer.lower()
    (line,) = [record for record in caplog.records if record.name == "doit_mcp.requests"]
    assert vars(line)["status"] == 400 and vars(line)["trace"].encode() in answer
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.requirement("J7", "M29")
@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD"])
async def test_other_methods(site: Site, method: str) -> None:
    """405 with Allow, after the token check."""
    answer = await site.send(method, "/mcp", site.headers())
    assert answer.status == 405 and answer.headers["Allow"] == "POST, GET, DELETE, OPTIONS"


@pytest.mark.requirement("J5", "J6")
@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({"Content-Type": ""}, b"{}", 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, gzip.compress(b"{}" * 100, mtime=0), 415),
        ({"Content-Type": "application/json", "Accept": "text/html"}, b"{}", 406),
        ({"Content-Type": "application/json", "Accept": "application/json;q=0, text/event-stream;q=0"}, b"{}", 406),
        ({"Content-Type": "application/json"}, b'"' + b"x" * (5 << 20) + b'"', 413),
    ],
)
async def test_rejected_bodies(site: Site, headers: dict[str, str], body: bytes, status: int) -> None:
    answer = await site.send("POST", "/mcp", site.headers() | headers, io.BytesIO(body))
    assert answer.status == status and "id" not in answer.body


@pytest.mark.requirement("J6", "M30")
@pytest.mark.parametrize("accept", ["*/*", "application/*", "application/json", "text/event-stream", None])
async def test_acceptable_response_types(site: Site, accept: str | None) -> None:
    headers = site.headers() | {"Content-Type": "application/json; charset=utf-8"}
    del headers["Accept"]
    headers |= {"Accept": accept} if accept else {}
    answer = await site.send("POST", "/mcp", headers, json.dumps(site.request("ping")).encode())
    assert answer.status == 200
    expected = "text/event-stream" if accept == "text/event-stream" else "application/json"
    assert answer.headers["Content-Type"] == expected


async def test_accepting_only_events_gets_events(site: Site) -> None:
    """RFC 9110, 12.5.1: each response is a stream of one event; errors are still JSON."""
    only = {"Accept": "text/event-stream"}
    client = {"name": "t", "version": "1"}
    params = {"protocolVersion": LATEST_STATEFUL, "capabilities": {}, "clientInfo": client}
    hello = site.request("initialize", params)
    welcome = await site.post(hello, revision=LATEST_STATEFUL, **only)
    assert welcome.headers["Content-Type"] == "text/event-stream" and welcome.headers["Mcp-Session-Id"]
    session = await site.initialize()
    requests = (site.request("tools/list"), site.request("tools/call", {"name": "echo", "arguments": {"text": "hi"}}))
    for message in requests:
        answer = await site.post(message, revision=session.revision, **only, **session.head)
        assert answer.headers["Content-Type"] == "text/event-stream" and len(answer.messages) == 1
        assert answer.result and answer.headers["Cache-Control"].startswith("no-cache")
    stateless_answer = await site.send_stateless(
        "tools/call", {"name": "echo", "arguments": {"text": "hi"}}, headers=only
    )
    assert (
        stateless_answer.headers["Content-Type"] == "text/event-stream"
        and stateless_answer.result["resultType"] == "complete"
    )
    refused = await site.send_stateless("nothing/at/all", headers=only)
    assert refused.code == (404, -32601) and refused.headers["Content-Type"] == "application/json"


@pytest.mark.requirement("J1", "J2", "M1", "M32")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping"} x', -32700),
        (b'{"a": NaN}', -32700),
        ('{"a": "ü"}'.encode("utf-16"), -32700),
        (b'{"a": "\xff"}', -32700),
        (b"[" * 100 + b"]" * 100, -32700),
        (b"5", -32600),
        (b'{"id": 1, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": ""}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}', -32600),
        (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600),
    ],
)
async def test_malformed_messages(site: Site, body: bytes, code: int) -> None:
    """400, with an id only if one could be read."""
    answer = await site.send("POST", "/mcp", site.headers() | {"Content-Type": "application/json"}, body)
    assert answer.code == (400, code)
    assert answer.body.get("id", 1) == 1


@pytest.mark.requirement("J9")
async def test_body_that_never_arrives() -> None:
    """A body that stalls half way is cut off, and other requests are not delayed."""
    async with serving(body_timeout_s=1) as site:
        host, port = site.base.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /mcp HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {site.token()}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{{".encode())
        assert (await site.post(site.request("ping"))).result == {}
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.startswith(b"HTTP/1.1 408 ")
        writer.close()
        await writer.wait_closed()


@pytest.mark.requirement("Q2", "M19")
async def test_fair_share_of_each_user() -> None:
    """A user who exhausts the limit gets 429 with Retry-After, while others are served."""
    async with serving(calls_per_principal=2, calls_total=3) as site:
        waiting = [asyncio.create_task(site.call("wait")) for _ in range(2)]
        await site.bench.started.wait()
        refused = await site.call("echo")
        assert refused.status == 429 and refused.headers["Retry-After"].isdigit()
        assert (await site.call("echo", user=OTHER_USER)).status == 200
        waiting.append(asyncio.create_task(site.call("wait", user=OTHER_USER)))
        while (answer := await site.call("echo", user=VIEWER)).status == 200:
            await asyncio.sleep(0.01)
        assert answer.status == 503 and answer.headers["Retry-After"].isdigit()
        site.bench.proceed.set()
        assert [response.status for response in await asyncio.gather(*waiting)] == [200] * 3
        assert (await site.call("echo")).status == 200


@pytest.mark.requirement("G4", "M71")
async def test_headers_of_every_response(site: Site) -> None:
    """The trace ID is the client's if it is well-formed."""
    for answer in (await site.call("echo"), await site.send("GET", "/nowhere", {})):
        assert answer.headers["Server"] == "doit-mcp" and answer.headers["X-Content-Type-Options"] == "nosniff"
        assert len(answer.headers["X-MCP-Trace-Id"]) == 32
    named = await site.post(site.request("ping"), X_MCP_Trace_Id="chat-42")
    assert named.headers["X-MCP-Trace-Id"] == "chat-42"
    parent = f"00-{'ab' * 16}-{'cd' * 8}-01"
    assert (await site.post(site.request("ping"), traceparent=parent)).headers["X-MCP-Trace-Id"] == "ab" * 16
    for odd in ("x" * 65, "a b", "ü"):
        assert (await site.post(site.request("ping"), X_MCP_Trace_Id=odd)).headers["X-MCP-Trace-Id"] != odd


@pytest.mark.requirement("G3")
async def test_metrics_have_no_client_supplied_labels(site: Site) -> None:
    await site.call("echo")
    await site.send_stateless("no/such/method")
    await site.send("PROPFIND", "/nobody", {})
    text = (await site.send("GET", "/metrics", {})).text
    assert 'doit_mcp_tool_calls_total{outcome="ok",tool="echo"} 1.0' in text
    assert 'doit_mcp_messages_total{method="other"} 1.0' in text
    assert 'method="other",route="other",status="404"' in text
    assert "no/such" not in text and "nobody" not in text and "doit_mcp_calls_in_flight 0.0" in text


async def test_unknown_toolsets(site: Site) -> None:
    """The tests' catalog accepts every selection, so only the form of the path is checked here."""
    assert (await site.post(site.request("ping"), path="/mcp/x/core,budgets")).status == 200
    assert (await site.post(site.request("ping"), path="/mcp/x/")).status == 404
    assert (await site.post(site.request("ping"), path="/mcp/other")).status == 404


@pytest.mark.requirement("L7")
async def test_api_data_cannot_start_an_event(site: Site) -> None:
    answer = await site.call("steps", progressToken="a\n\nevent: x\r\ndata: {}\n\n", logLevel="info")
    assert len(events(answer.text)[0]) == 4
