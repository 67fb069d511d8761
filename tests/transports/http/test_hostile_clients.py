"""Hostile input: malformed JSON and HTTP, unusual text, compression bombs, and requests forged by other web pages."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.transports.http.serving import LATEST_STATEFUL, STATELESS_REVISION, Site, serving
from tests.transports.http.streaming import raw_connection, raw_post

ENDPOINTS = ("/mcp", "/sse", "/sse/message", "/mcp/readonly", "/mcp/x/core")
PING = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}'


@pytest.mark.requirement("J1")
@pytest.mark.parametrize(
    "body",
    [
        PING.decode().encode("utf-16"),
        PING.decode().encode("utf-32"),
        b"\xef\xbb\xbf" + PING,
        b"\x00" + PING,
        PING + b"\x00",
        PING + PING,
        PING.replace(b"1", b"Infinity"),
        PING.replace(b"1", b"-NaN"),
        PING.replace(b"1", b"01"),
        PING.replace(b"ping", b"p\x01ng"),
        PING.replace(b"1", rb'"\ud800"'),
        PING.replace(b"ping", b"\xed\xa0"),
        PING.replace(b'"', b"'"),
        b'{"a":' * 70 + b"1" + b"}" * 70,
        b"[" * 100_000,
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": ' + b"[" * 65 + b"]" * 65 + b"}",
    ],
)
async def test_non_strict_json(site: Site, body: bytes) -> None:
    """400 and -32700, without an id; the server keeps serving."""
    answer = await site.send("POST", "/mcp", site.headers() | {"Content-Type": "application/json"}, body)
    assert answer.code == (400, -32700) and "id" not in answer.body
    assert (await site.post(site.request("ping"))).result == {}


@pytest.mark.requirement("J1")
@pytest.mark.parametrize("digits", [19, 400, 6000])
async def test_numbers_with_many_digits(site: Site, digits: int) -> None:
    """Python refuses to parse the longest ones; they never cause a 5xx, as an id or anywhere else."""
    for place in ('"id":%s', '"id":1,"params":{"x":%s}'):
        body = ('{"jsonrpc":"2.0","method":"ping",' + place % ("9" * digits) + "}").encode()
        answer = await site.send("POST", "/mcp", site.headers() | {"Content-Type": "application/json"}, body)
        assert answer.status in (200, 400)


@pytest.mark.requirement("J2")
@pytest.mark.parametrize(
    "change",
    [
        {"jsonrpc": "1.0"},
        {"jsonrpc": 2.0},
        {"method": 5},
        {"method": None},
        {"method": ""},
        {"method": "x" * 257},
        {"params": [1]},
        {"params": "x"},
        {"id": []},
        {"id": {}},
        {"id": False},
        {"id": 0.5},
    ],
)
async def test_non_messages(site: Site, change: Any) -> None:
    """No tool runs."""
    message = site.request("tools/call", {"name": "echo"}) | change
    assert (await site.post(message)).code == (400, -32600)
    assert site.bench.ran == []


@pytest.mark.requirement("J3")
async def test_message_without_an_id_runs_nothing(site: Site) -> None:
    """Holds for every revision and transport, alone and in a batch."""
    call = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "echo", "arguments": {}}}
    assert (await site.post(call)).status == 202
    assert (await (await site.initialize()).post(call)).status == 202
    assert (await (await site.initialize("2025-03-26")).post([call, call])).status == 202
    stateless_message = site.stateless_request("tools/call", {"name": "echo"})
    del stateless_message["id"]
    assert (await site.post(stateless_message, MCP_Protocol_Version=STATELESS_REVISION)).status == 202
    assert site.bench.ran == []


TEXTS = {
    "surrogates": "a\ud800b",
    "bidi": "\u202egnp.exe\u202c",
    "tags": "\U000e0041\U000e0042",
    "null": "a\x00b",
    "ansi": "\x1b[31mred\x1b[0m",
    "lines": "a\r\nb\u2028c",
    "long": "x" * 100_000,
    "path": "../../etc/passwd",
    "format": "%s%n{0}${7*7}",
    "emoji": "👩‍👩‍👧‍👦",
}
FIELDS: dict[str, Any] = {
    "argument": lambda text: ("tools/call", {"name": "echo", "arguments": {"text": text}}),
    "argument name": lambda text: ("tools/call", {"name": "echo", "arguments": {text: 1}}),
    "tool": lambda text: ("tools/call", {"name": text}),
    "prompt": lambda text: ("prompts/get", {"name": "greet", "arguments": {"who": text}}),
    "uri": lambda text: ("resources/read", {"uri": f"doc://number/{text}"}),
    "cursor": lambda text: ("tools/list", {"cursor": text}),
    "completion": lambda text: (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "who", "value": text}},
    ),
    "method": lambda text: (text, {}),
    "level": lambda text: ("logging/setLevel", {"level": text}),
    "token": lambda text: ("tools/call", {"name": "steps", "_meta": {"progressToken": text}}),
}


@pytest.mark.requirement("J12")
@pytest.mark.parametrize("kind", TEXTS)
async def test_any_text_in_any_field(site: Site, kind: str) -> None:
    """The response is a result or a clean error."""
    for field, request in FIELDS.items():
        method, params = request(TEXTS[kind])
        answer = await site.post(site.request(method, params), MCP_Protocol_Version=LATEST_STATEFUL)
        assert answer.status in (200, 400), field
        assert answer.messages, field
        for message in answer.messages:
            assert "method" in message or ("result" in message) != ("error" in message), field
            assert message.get("error", {}).get("code") != -32603, field


@pytest.mark.requirement("J5")
async def test_body_without_a_length_is_cut_off(site: Site) -> None:
    """A body without a length is refused while it is read."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b" " * 65_536

    answer = await site.send("POST", "/mcp", site.headers() | {"Content-Type": "application/json"}, endless())
    assert answer.status == 413


@pytest.mark.requirement("J5")
async def test_oversized_content_length_is_rejected_immediately(site: Site) -> None:
    """The refusal does not wait for the body."""
    async with raw_connection(site) as wire:
        wire.writer.write(raw_post(site, site.headers() | {"Content-Length": "1000000000"}) + b"{")
        status, body = await wire.answer()
        assert status == 413 and b'"error"' in body


@pytest.mark.requirement("J5")
async def test_compression_bomb_is_not_unpacked(site: Site) -> None:
    """With and without a token."""
    bomb = gzip.compress(b" " * (50 << 20))
    encoded = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert (await site.send("POST", "/mcp", site.headers() | encoded, bomb)).status == 415
    assert (await site.send("POST", "/mcp", encoded, bomb)).status == 401


@pytest.mark.requirement("H5")
async def test_unauthenticated_body_is_not_read(site: Site) -> None:
    """The refusal does not wait for the body."""
    async with raw_connection(site) as wire:
        wire.writer.write(raw_post(site, {"Content-Length": "50"}) + b"{")
        assert (await wire.answer())[0] == 401


SMUGGLED = {
    "two lengths": "Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
    "length and chunks": "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length": "Content-Length: -1\r\n\r\n",
    "length with a sign": "Content-Length: +2\r\n\r\n{}",
    "length in words": "Content-Length: two\r\n\r\n",
    "odd chunk": "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "folded": "X-A: b\r\n c: d\r\nContent-Length: 2\r\n\r\n{}",
    "null": "X-A: b\x00c\r\nContent-Length: 2\r\n\r\n{}",
    "blank before colon": "Content-Length : 2\r\n\r\n{}",
    "no name": ": x\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.requirement("J8")
@pytest.mark.parametrize("case", SMUGGLED)
async def test_ambiguous_http(site: Site, case: str) -> None:
    """One 400, then the connection is closed; the bytes behind it are never parsed as a request."""
    head = f"POST /mcp HTTP/1.1\r\nHost: {site.base.removeprefix('http://')}\r\n"
    behind = f"GET /healthz HTTP/1.1\r\nHost: {site.base.removeprefix('http://')}\r\n\r\n"
    async with raw_connection(site) as wire:
        wire.writer.write((head + SMUGGLED[case] + behind).encode("latin-1"))
        answer = await wire.rest()
    assert answer.split(b" ", 2)[1] == b"400" and answer.count(b"HTTP/1.") == 1 and b'"status"' not in answer


@pytest.mark.requirement("J8")
async def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    """Pipelining works within limits."""
    async with raw_connection(site) as wire:
        for number in range(5):
            body = json.dumps(site.request("ping", id=number)).encode()
            wire.writer.write(raw_post(site, site.headers(), body))
        for number in range(5):
            assert json.loads((await wire.answer())[1])["id"] == number


HOSTS = ["evil.example", "127.0.0.1", "{host}.", "{host}@evil.example", "x{host}", "{host}, a.example", "", "{host}/"]


@pytest.mark.requirement("O1")
@pytest.mark.parametrize("host", HOSTS)
async def test_lookalike_hosts(site: Site, host: str) -> None:
    """Hosts are compared as whole strings; the response is 400 or 421."""
    own_host = site.base.removeprefix("http://")
    async with raw_connection(site) as wire:
        headers = site.headers() | {"Host": host.format(host=own_host)}
        wire.writer.write(raw_post(site, headers, PING))
        assert (await wire.answer())[0] in (400, 421)


@pytest.mark.requirement("O1")
async def test_missing_or_repeated_host_headers(site: Site) -> None:
    host = site.base.removeprefix("http://")
    for lines in ("", f"Host: {host}\r\nHost: {host}\r\n"):
        async with raw_connection(site) as wire:
            wire.writer.write(f"POST /mcp HTTP/1.1\r\n{lines}Content-Length: 0\r\n\r\n".encode())
            assert (await wire.answer())[0] in (400, 421)


async def test_hosts_are_case_insensitive(site: Site) -> None:
    async with serving(allowed_hosts=("mcp.example:99",)) as other:
        headers = other.headers() | {"Host": "MCP.Example:99", "Content-Type": "application/json"}
        assert (await other.send("POST", "/mcp", headers, PING)).status == 200


ORIGINS = [
    "null",
    "",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "https://{host}",
    "{base}.evil.example",
    "{base}/",
    "{base} https://chatgpt.com",
    "https://chatgpt.com:8443",
    "http://chatgpt.com",
    "https://CHATGPT.com",
    "https://chatgpt.com@evil.example",
    "https://evil.example/https://chatgpt.com",
    "file://",
]


@pytest.mark.requirement("O2", "O3")
@pytest.mark.parametrize("origin", ORIGINS)
async def test_lookalike_origins(site: Site, origin: str) -> None:
    """403 on every endpoint and method before any work, without CORS permission to read the response."""
    origin_sent = origin.format(base=site.base, host=site.base.removeprefix("http://"))
    for path in ENDPOINTS:
        for method in ("POST", "GET", "DELETE", "OPTIONS"):
            answer = await site.send(method, path, site.headers() | {"Origin": origin_sent}, PING)
            assert answer.status == 403 and not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_two_origin_headers(site: Site) -> None:
    request_headers = [*site.headers().items(), ("Origin", site.base), ("Origin", site.base)]
    async with site.http.post(f"{site.base}/mcp", data=PING, headers=request_headers) as response:
        assert response.status == 403


@pytest.mark.requirement("O3")
@pytest.mark.parametrize("path", ENDPOINTS)
async def test_preflights_of_every_endpoint(site: Site, path: str) -> None:
    """Preflight needs no token, lists the methods of the path, and never allows credentials."""
    preflight = {"Origin": "https://claude.ai", "Access-Control-Request-Method": "POST"}
    answer = await site.send("OPTIONS", path, preflight)
    assert answer.status == 204 and answer.text == ""
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert ("DELETE" in answer.headers["Access-Control-Allow-Methods"]) == (path != "/sse/message")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://claude.ai"
    assert answer.headers["Vary"] == "Origin" and "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/mcp/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server/sse",
        "/mcp/.well-known/openid-configuration",
    ],
)
async def test_preflights_of_metadata(site: Site, path: str) -> None:
    """Clients send their protocol version here too, so browsers send a preflight request, from any origin."""
    preflight = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "mcp-protocol-version"}
    answer = await site.send("OPTIONS", path, preflight | {"Origin": "https://anywhere.example"})
    assert answer.status == 204 and answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "mcp-protocol-version" in answer.headers["Access-Control-Allow-Headers"].lower()
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"


@pytest.mark.requirement("H1")
@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("bearer {token}", 200),
        ("BEARER {token}", 200),
        ("Bearer  {token}", 200),
        ("Bearer\t{token}", 401),
        ("Bearer {token} x", 401),
        ("Bearer {token},Bearer {token}", 401),
        ("Bearer{token}", 401),
        ("Bearer", 401),
        ("Basic {token}", 401),
        ("Token {token}", 401),
        ("DPoP {token}", 401),
        ('Bearer "{token}"', 401),
        ("", 401),
    ],
)
async def test_credential_forms(site: Site, form: str, status: int) -> None:
    """Both before and after a token is cached."""
    token = site.token()
    message = json.dumps(site.request("ping")).encode()
    for _ in range(2):
        request_headers = {"Authorization": form.format(token=token), "Content-Type": "application/json"}
        answer = await site.send("POST", "/mcp", request_headers, message)
        assert answer.status == status and token not in answer.text
        await site.post(site.request("ping"), Authorization=f"Bearer {token}")


@pytest.mark.requirement("H2")
@pytest.mark.parametrize(
    "place", ["query", "body", "X-Api-Key", "Proxy-Authorization", "X-Access-Token", "Mcp-Session-Id"]
)
async def test_token_elsewhere_is_not_a_credential(site: Site, place: str) -> None:
    token = site.token()
    path = f"/mcp?access_token={token}&token={token}" if place == "query" else "/mcp"
    body = {"access_token": token, "params": {"_meta": {"authorization": token}}} if place == "body" else {}
    headers = {place: f"Bearer {token}"} if place not in ("query", "body") else {}
    answer = await site.send("POST", path, headers | {"Content-Type": "application/json"}, json.dumps(body).encode())
    assert answer.status == 401 and token not in answer.text + str(answer.headers)


@pytest.mark.requirement("J7")
@pytest.mark.parametrize(
    "path", ["/admin", "/mcp/admin/", "/mcp/../healthz", "/mcp%2f", "/%00", "/mcp/x/%3Cscript%3E", "/sse/x"]
)
async def test_unknown_paths(site: Site, path: str) -> None:
    """A 404 in JSON that quotes nothing."""
    async with raw_connection(site) as wire:
        wire.writer.write(f"GET {path} HTTP/1.1\r\nHost: {site.base.removeprefix('http://')}\r\n\r\n".encode())
        status, body = await wire.answer()
    assert status in (400, 404) and "error" in json.loads(body)
    assert b"<" not in body and b"admin" not in body and b"Traceback" not in body


@pytest.mark.requirement("J9")
async def test_flood_of_partial_bodies_does_not_slow_others() -> None:
    """Each of these clients is disconnected eventually."""
    async with serving(body_timeout_s=1) as site:
        async with asyncio.timeout(20):
            wires = [raw_connection(site) for _ in range(50)]
            opened = [await open_wire.__aenter__() for open_wire in wires]
            for wire in opened:
                wire.writer.write(raw_post(site, site.headers() | {"Content-Length": "50"}) + b"{")
            assert (await site.post(site.request("ping"))).result == {}
            answers = await asyncio.gather(*(wire.rest() for wire in opened))
            for open_wire in wires:
                await open_wire.__aexit__(None, None, None)
        assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)
