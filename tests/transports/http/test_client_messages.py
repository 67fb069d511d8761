"""Messages and headers as serializers and clients write them in practice."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from doit_mcp.server import round_trip_state
from doit_mcp.server.client_requests import ANSWER_TIMEOUT_SECONDS
from tests.transports.http.serving import (
    LATEST_STATEFUL,
    META,
    STATELESS_REVISION,
    VIEWER,
    Json,
    Site,
)
from tests.transports.http.streaming import open_stream
from tests.transports.http.test_endpoints import serving_site

HELLO: Json = {
    "protocolVersion": LATEST_STATEFUL,
    "capabilities": {},
    "clientInfo": {"name": "t", "version": "1"},
}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("ping", None),
        ("tools/list", {"cursor": None, "_meta": None}),
        ("tools/call", {"name": "echo", "arguments": None, "_meta": None, "task": None}),
        ("tools/call", {"name": "echo", "arguments": {}, "_meta": {"progressToken": None}}),
        ("prompts/list", {"cursor": None}),
        ("resources/read", {"uri": "doc://one", "_meta": None}),
        (
            "completion/complete",
            {
                "ref": {"type": "ref/prompt", "name": "greet", "title": None},
                "argument": {"name": "who", "value": "A"},
                "context": {"arguments": None},
            },
        ),
    ],
)
async def test_null_is_absent_in_params(site: Site, method: str, params: Json | None) -> None:
    """Many serializers write null for an optional member that has no value."""
    session = await site.initialize()
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = await session.post(message)
    assert "result" in answer.body and not answer.result.get("isError"), answer
    if method == "ping":
        return
    meta = {f"{META}protocolVersion": STATELESS_REVISION, f"{META}clientCapabilities": {}, f"{META}clientInfo": None}
    message["params"] = {**(params or {}), "_meta": meta | {f"{META}logLevel": None}}
    answer = await site.post(message, **stateless_headers(site, message))
    assert answer.status == 200 and not answer.result.get("isError"), answer


def stateless_headers(site: Site, message: Json) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in site.stateless_headers(message).items()}


async def test_required_metadata_can_be_null_but_not_missing(site: Site) -> None:
    message = site.stateless_request("tools/list")
    message["params"]["_meta"][f"{META}clientCapabilities"] = None
    assert (await site.post(message, **stateless_headers(site, message))).result["tools"]
    del message["params"]["_meta"][f"{META}clientCapabilities"]
    answer = await site.post(message, **stateless_headers(site, message))
    assert answer.code == (400, -32602) and "clientCapabilities" in answer.error["message"]


@pytest.mark.parametrize(
    "changes",
    [
        {"clientInfo": None},
        {"capabilities": None},
        {"clientInfo": None, "capabilities": None, "_meta": None},
        {"capabilities": {"elicitation": None, "roots": None, "sampling": None, "extensions": None}},
    ],
)
async def test_null_is_absent_in_initialize(site: Site, changes: Json) -> None:
    answer = await site.post(site.request("initialize", {**HELLO, **changes}), revision=LATEST_STATEFUL)
    assert answer.status == 200 and answer.result["protocolVersion"] == LATEST_STATEFUL
    headers = {"Mcp_Session_Id": answer.headers["Mcp-Session-Id"]}
    assert (
        await site.post({"jsonrpc": "2.0", "method": "notifications/initialized", "params": None}, **headers)
    ).status == 202
    # Nothing was declared, so nothing is asked.
    asked = await site.post(site.request("tools/call", {"name": "ask"}), **headers)
    assert asked.result["isError"] is True and len(asked.messages) == 1


async def test_null_members_of_a_capability_and_of_an_answer_are_absent(site: Site) -> None:
    """The client declares forms, and its answer has error and _meta although it succeeded."""
    session = await site.initialize(elicitation={"form": None, "url": None})
    call = site.request("tools/call", {"name": "ask"})
    async with open_stream(site, call, site.headers(**session.head), LATEST_STATEFUL) as stream:
        question = await stream.until("elicitation/create")
        result = {"action": "decline", "content": None, "_meta": None}
        reply = {"jsonrpc": "2.0", "id": question["id"], "result": result, "error": None}
        assert (await session.post(reply)).status == 202
        assert (await stream.until(""))["result"]["structuredContent"] == {"said": "decline"}


@pytest.mark.requirement("M8")
@pytest.mark.parametrize("version", [STATELESS_REVISION, "2099-01-01", "DRAFT-2026-v1", "1.0", "", " "])
async def test_initialize_negotiates_whatever_the_version_header(site: Site, version: str) -> None:
    answer = await site.post(site.request("initialize", HELLO), MCP_Protocol_Version=version)
    assert answer.status == 200 and answer.result["protocolVersion"] == LATEST_STATEFUL
    assert answer.headers["Mcp-Session-Id"]
    newer = await site.post(
        site.request("initialize", {**HELLO, "protocolVersion": "2099-01-01"}), MCP_Protocol_Version=version
    )
    assert newer.result["protocolVersion"] == LATEST_STATEFUL


async def test_empty_version_header_is_absent(site: Site) -> None:
    alone = await site.post(site.request("tools/list"), revision="2025-03-26", MCP_Protocol_Version="")
    assert alone.status == 200 and "resultType" not in alone.result
    session = await site.initialize()
    listed = await session.post(site.request("tools/list"), MCP_Protocol_Version="")
    assert listed.result["tools"][0]["outputSchema"]
    note = await session.post({"jsonrpc": "2.0", "method": "notifications/initialized"}, MCP_Protocol_Version="")
    assert note.status == 202
    async with session.stream(MCP_Protocol_Version="") as stream:
        assert stream.status == 200


@pytest.mark.requirement("M45", "M50")
@pytest.mark.parametrize("revision", ["2024-11-05", "2025-03-26", "2025-06-18", LATEST_STATEFUL])
@pytest.mark.parametrize("version", [STATELESS_REVISION, "2099-01-01"])
async def test_wrong_version_in_a_session_names_the_version_of_the_session(
    site: Site, revision: str, version: str
) -> None:
    session = await site.initialize(revision)
    headers = {"Mcp_Session_Id": session.id, "MCP_Protocol_Version": version}
    for method in ("tools/list", "tools/call"):
        message = site.request(method, {"name": "echo"})
        answer = await site.post(message, **headers)
        assert answer.code == (400, -32600) and answer.body["id"] == message["id"]
        assert revision in answer.error["message"] and version in answer.error["message"]
    for http_method in ("GET", "DELETE"):
        refused = await site.send(http_method, "/mcp", site.headers(**headers))
        assert refused.code == (400, -32600) and revision in refused.error["message"]
    # The metadata of a stateless request decides first: its session is ignored.
    stateless = site.stateless_request("tools/list")
    answer = await site.post(stateless, **(stateless_headers(site, stateless) | {"Mcp_Session_Id": session.id}))
    assert answer.status == 200 and answer.result["resultType"] == "complete"


@pytest.mark.requirement("M34")
@pytest.mark.parametrize("path", ["/mcp", "/mcp/readonly"])
@pytest.mark.parametrize("version", ["", "2025-03-26", LATEST_STATEFUL, STATELESS_REVISION])
async def test_get_without_a_session_is_not_allowed(site: Site, path: str, version: str) -> None:
    """Clients that probe with GET continue with POST after 405, and fail after 400."""
    headers = site.headers(**({"MCP_Protocol_Version": version} if version else {})) | {"Accept": "text/event-stream"}
    answer = await site.send("GET", path, headers)
    assert answer.code == (405, -32600) and answer.headers["Allow"] == "POST"


@pytest.mark.requirement("S1", "S4")
async def test_initialize_with_a_dead_session_opens_a_new_one(site: Site) -> None:
    ended, foreign, live = await site.initialize(), await site.initialize(user=VIEWER), await site.initialize()
    await ended.delete()
    for id in (ended.id, foreign.id, "never-existed"):
        answer = await site.post(
            site.request("initialize", HELLO), Mcp_Session_Id=id, MCP_Protocol_Version="2025-06-18"
        )
        assert answer.status == 200 and answer.result["protocolVersion"] == LATEST_STATEFUL
        opened = answer.headers["Mcp-Session-Id"]
        assert opened not in (ended.id, foreign.id, "never-existed")
        assert (await site.post(site.request("ping"), Mcp_Session_Id=opened)).result == {}
        assert (await site.post(site.request("ping"), Mcp_Session_Id=ended.id)).status == 404
    assert (await live.ask("initialize", HELLO)).code == (400, -32600)
    assert (await foreign.ask("ping")).result == {}


@pytest.mark.requirement("J5")
@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "x-gzip"])
async def test_unsupported_encoding_names_the_accepted_one(site: Site, encoding: str) -> None:
    body = gzip.compress(json.dumps(site.request("ping")).encode(), mtime=0)
    headers = site.headers() | {"Content-Type": "application/json", "Content-Encoding": encoding}
    answer = await site.send("POST", "/mcp", headers, body)
    assert answer.code == (415, -32600) and answer.headers["Accept-Encoding"] == "identity"
    assert "identity" in answer.error["message"]
    for unencoded in ("", "Identity"):
        plain = headers | {"Content-Encoding": unencoded}
        assert (await site.send("POST", "/mcp", plain, json.dumps(site.request("ping")).encode())).result == {}


@pytest.mark.requirement("J1", "M4")
@pytest.mark.parametrize("id", [7, "seven", "s\N{LATIN SMALL LETTER U WITH DIAERESIS}ben", 0])
@pytest.mark.parametrize("text", [rb"\ud83d", rb"\uDE00 x", b"\xed\xa0\xbd"])
async def test_lone_surrogates_are_refused_with_the_id(site: Site, id: Any, text: bytes) -> None:
    """A model cuts a text in the middle of an emoji. The client can match the error with its request."""
    headers = site.headers(MCP_Protocol_Version=LATEST_STATEFUL) | {"Content-Type": "application/json"}
    message = {"jsonrpc": "2.0", "id": id, "method": "tools/call"}
    whole = json.dumps({**message, "params": {"name": "echo", "arguments": {"text": "TEXT"}}}, ensure_ascii=False)
    for body in (whole.encode().replace(b"TEXT", text), whole.encode().replace(b"TEXT", text + b"x" * 200_000)):
        answer = await site.send("POST", "/mcp", headers, body)
        assert answer.code == (400, -32700) and answer.body["id"] == id
        assert "surrogate" in answer.error["message"]
    assert site.bench.ran == []
    pair = whole.encode().replace(b"TEXT", rb"\ud83d\ude00")
    served = await site.send("POST", "/mcp", headers, pair)
    assert served.result["structuredContent"] == {"said": "\N{GRINNING FACE}"}


@pytest.mark.requirement("J1")
@pytest.mark.parametrize(
    "body",
    [
        rb'{"jsonrpc": "2.0", "id": "\ud83d", "method": "ping"}',
        rb'{"jsonrpc": "2.0", "id": 123456789012345678901234567890, "method": "\ud83d"}',
        rb'{"jsonrpc": "2.0", "id": true, "method": "\ud83d"}',
        rb'{"jsonrpc": "2.0", "id": 1, "method": "\ud83d"',
        rb'["\ud83d", {"id": 1}]',
        b'{"id": 1, "a": "\xed\xa0\xbd", "b": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"id": ' + b"1" * 5_000 + b', "a": "\xed\xa0\xbd"}',
        b'{"id": 1, "a": "\xed\xa0\xbd' + b"x" * 300_000 + b'"}',
    ],
)
async def test_unreadable_ids_are_left_out(site: Site, body: bytes) -> None:
    answer = await site.send("POST", "/mcp", site.headers() | {"Content-Type": "application/json"}, body)
    assert answer.code == (400, -32700) and "id" not in answer.body


DELETE: Json = {"name": "delete_label", "arguments": {"id": "l1"}}


async def test_question_that_is_never_answered_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user may not have seen it, so the result says what else works."""
    assert ANSWER_TIMEOUT_SECONDS < 60
    monkeypatch.setattr(round_trip_state, "ANSWER_TIMEOUT_SECONDS", 0.05)
    async with serving_site() as (site, api):
        session = await site.initialize(elicitation={})
        call = site.request("tools/call", DELETE)
        async with open_stream(site, call, site.headers(**session.head), LATEST_STATEFUL) as stream:
            question = await stream.until("elicitation/create")
            canceled = await stream.until("notifications/cancelled")
            assert canceled["params"]["requestId"] == question["id"]
            result = (await stream.until(""))["result"]
        assert_other_ways(site, result)
        assert "no answer came within 0.05 seconds" in result["content"][0]["text"]
        assert "DELETE" not in api.methods


@pytest.mark.parametrize(
    "reply",
    [
        {"result": {"action": "decline"}},
        {"result": {"action": "cancel", "content": None}},
        {"error": {"code": -32601, "message": "Method not found"}},
    ],
)
async def test_refusal_may_come_from_the_client(reply: Json) -> None:
    async with serving_site() as (site, api):
        session = await site.initialize(elicitation={})
        call = site.request("tools/call", DELETE)
        async with open_stream(site, call, site.headers(**session.head), LATEST_STATEFUL) as stream:
            question = await stream.until("elicitation/create")
            assert (await session.post({"jsonrpc": "2.0", "id": question["id"], **reply})).status == 202
            assert_other_ways(site, (await stream.until(""))["result"])
        assert "DELETE" not in api.methods


def assert_other_ways(site: Site, result: Json) -> None:
    text = result["content"][0]["text"]
    assert result["isError"] is True and text.startswith("Nothing was changed: ")
    assert "If the user saw no question" in text and site.world.url in text and "client that shows questions" in text


async def test_an_unknown_version_without_a_session_is_named(site: Site) -> None:
    headers = site.headers() | {"Content-Type": "application/json", "MCP-Protocol-Version": "2099-01-01"}
    answer = await site.send("POST", "/mcp", headers, json.dumps(site.request("tools/list")).encode())
    assert answer.status == 400 and answer.error["message"] == "Unsupported protocol version: 2099-01-01"
    assert answer.error["data"]["supported"]
