"""Random messages to ``/mcp`` get a well-formed response with the right kind of code, never a 500, and never hang.

DOIT_MCP_TEST_LONG=1 tries 10,000 examples in each test.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transports.http.serving import (
    ACCEPT,
    LATEST_STATEFUL,
    META,
    STATELESS_REVISION,
    Answer,
    Session,
    Site,
    serving,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
METHODS = st.sampled_from(
    "initialize ping tools/list tools/call prompts/get resources/read completion/complete logging/setLevel"
    " server/discover subscriptions/none tasks/get notifications/cancelled x".split()
) | st.text(max_size=20)
REQUEST_METADATA = st.fixed_dictionaries(
    {},
    optional={
        f"{META}protocolVersion": st.sampled_from([STATELESS_REVISION, LATEST_STATEFUL, "x"]) | JSON,
        f"{META}clientCapabilities": st.just({}) | JSON,
        f"{META}logLevel": st.sampled_from(["info", "x"]) | JSON,
        "progressToken": JSON,
    },
)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "_meta": REQUEST_METADATA | JSON,
        "name": st.sampled_from(["echo", "steps", "greet", "fail"]) | JSON,
        "arguments": st.dictionaries(st.sampled_from(["text", "region", "size", "who"]), JSON, max_size=3) | JSON,
        "uri": st.sampled_from(["doc://one", "doc://number/1"]) | JSON,
        "cursor": JSON,
        "inputResponses": JSON,
        "requestState": JSON,
        "taskId": JSON,
        "level": JSON,
        "ref": JSON,
        "protocolVersion": st.sampled_from([LATEST_STATEFUL, STATELESS_REVISION]) | JSON,
    },
)
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0") | JSON},
    optional={"id": JSON, "method": METHODS | JSON, "params": PARAMS | JSON, "result": JSON, "error": JSON},
)
VALUE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "MCP-Protocol-Version": st.sampled_from([STATELESS_REVISION, LATEST_STATEFUL, "2024-11-05", ""]) | VALUE,
        "Mcp-Method": METHODS.filter(str.isascii).filter(str.isprintable) | VALUE,
        "Mcp-Name": st.sampled_from(["echo", "=?base64?ZWNobw==?=", "=?base64?x?="]) | VALUE,
        "Mcp-Session-Id": VALUE,
        "Last-Event-ID": VALUE,
        "traceparent": VALUE,
        "X-MCP-Toolsets": VALUE,
    },
)


class Loop:
    """One server for all examples, in an event loop of its own."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.site: Site = self._runner.run(self._stack.enter_async_context(serving()))

    def post(self, body: bytes, headers: dict[str, str]) -> Answer:
        return self.send("POST", "/mcp", {"Content-Type": "application/json"} | headers, body)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
        request_headers = self.site.headers() | {"Accept": ACCEPT} | headers
        return self._runner.run(asyncio.wait_for(self.site.send(method, path, request_headers, body), 20))

    def initialize(self, revision: str) -> Session:
        return self._runner.run(self.site.initialize(revision, elicitation={}))

    def close(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    loop_client = Loop()
    yield loop_client
    loop_client.close()


LONG = os.environ.get("DOIT_MCP_TEST_LONG") == "1"
FEW = settings(max_examples=10_000 if LONG else 150)
# Limits the whole test, which takes longer with more examples; each response has its own timeout to detect hangs.
pytestmark = pytest.mark.timeout(3600 if LONG else 120)


def judge(answer: Answer) -> None:
    """Check what all responses have in common."""
    assert answer.status in (200, 202, 400, 404), answer
    if answer.status == 202:
        assert answer.text == ""
        return
    for message in answer.messages:
        for item in message if isinstance(message, list) else [message]:
            assert item["jsonrpc"] == "2.0" and item.get("id", 0) is not None
            assert ("method" in item) or ("result" in item) != ("error" in item)
            assert item.get("error", {}).get("code") != -32603, item
    assert answer.messages or answer.status == 200, answer


@pytest.mark.requirement("J12")
@FEW
@given(message=MESSAGES | JSON | st.lists(MESSAGES, max_size=3), headers=HEADERS)
def test_any_json_with_any_headers(loop: Loop, message: Any, headers: dict[str, str]) -> None:
    judge(loop.post(json.dumps(message).encode("utf-8", "replace"), headers))


@pytest.mark.requirement("M69")
@FEW
@given(params=PARAMS, method=METHODS, capabilities=st.just({}) | JSON)
def test_any_complete_request_metadata(loop: Loop, params: dict[str, Any], method: str, capabilities: Any) -> None:
    meta = {f"{META}protocolVersion": STATELESS_REVISION, f"{META}clientCapabilities": capabilities}
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params | {"_meta": meta}}
    plain = method.isascii() and method.isprintable()
    headers = {"MCP-Protocol-Version": STATELESS_REVISION, "Mcp-Method": method if plain else "x"}
    if isinstance(name := params.get("uri" if method == "resources/read" else "name"), str) and name.isprintable():
        headers |= {"Mcp-Name": name} if name.isascii() else {}
    judge(loop.post(json.dumps(message).encode(), headers))


@pytest.mark.requirement("J12", "M25")
@FEW
@given(body=st.binary(max_size=200))
def test_any_bytes(loop: Loop, body: bytes) -> None:
    answer = loop.post(body, {})
    judge(answer)
    assert answer.status != 202


@pytest.mark.requirement("J12")
@FEW
@given(
    message=MESSAGES | st.lists(MESSAGES, max_size=3),
    revision=st.sampled_from(["2024-11-05", "2025-03-26", LATEST_STATEFUL]),
)
def test_any_json_on_a_session(loop: Loop, message: Any, revision: str) -> None:
    """Whatever was sent before, the session works afterwards."""
    session = loop.initialize(revision)
    headers = {name.replace("_", "-"): value for name, value in session.head.items()}
    judge(loop.post(json.dumps(message).encode("utf-8", "replace"), headers))
    ping = json.dumps({"jsonrpc": "2.0", "id": "last", "method": "ping"}).encode()
    answer = loop.post(ping, headers)
    assert answer.status == 200 and answer.body == {"jsonrpc": "2.0", "id": "last", "result": {}}


@FEW
@given(method=st.sampled_from(["GET", "DELETE", "HEAD", "PUT", "PATCH"]), headers=HEADERS, accept=VALUE | st.none())
def test_any_other_method(loop: Loop, method: str, headers: dict[str, str], accept: str | None) -> None:
    """Without a session of its own the client gets no stream, and never hangs."""
    answer = loop.send(method, "/mcp", headers | ({} if accept is None else {"Accept": accept}))
    assert answer.status in (400, 404, 405, 406), answer
    assert ("Allow" in answer.headers) == (answer.status == 405)


@FEW
@given(path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30), query=VALUE)
def test_any_path(loop: Loop, path: str, query: str) -> None:
    """Paths that select tools and all others return JSON and never a 5xx."""
    for start in ("/", "/mcp/", "/mcp/x/", "/sse/"):
        url = quote(f"{start}{path}", safe="/,%") + "?" + quote(query, safe="=&,")
        answer = loop.send("POST", url, {"Content-Type": "application/json"}, b"{}")
        assert answer.status in (400, 404, 405), (url, answer)
        assert answer.headers["Content-Type"].startswith("application/json")
