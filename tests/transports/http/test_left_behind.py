"""Hostile requests leave nothing behind in the memory of the server's process, with one user and with many.

Every kind of request carries megabytes in a different place. Most are refused; whatever the response is, the memory of
the process must return to its former size. ``DOIT_MCP_TEST_LONG=1`` sends a thousand requests of each kind.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.transports.http.serving import LATEST_STATEFUL, STATELESS_REVISION, Json, read
from tests.transports.http.test_load import gather_limited
from tests.transports.http.test_security_outside import MIB
from tests.transports.http.test_security_process import LONG, META, Program, program

REQUESTS, WARM = (1_000, 30) if LONG else (24, 6)
BODY = (4 * MIB if LONG else MIB) - 64 * 1024
# A process that keeps half of what it receives grows by more than this.
MAX_GROWTH = 50 * MIB if LONG else 10 * MIB
CONCURRENCY = 2
BUDGET: Json = {"id": "free-1"}
TEMPLATE = "doit://reports/"
# Replaced by a different text in each request, so that a cache keyed by client data grows.
MARK = "@@@@@@@@"

pytestmark = pytest.mark.timeout(7200 if LONG else 300)


def text(size: int = BODY) -> str:
    return MARK + "x" * (size - len(MARK))


def members() -> Json:
    """An object of many members, which takes much more memory than its bytes."""
    return {f"{MARK}-{index}": [index] for index in range(BODY // 32)}


def rpc(method: str, params: Json, id: object = 1) -> Json:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def introduction(**changes: object) -> Json:
    params: Json = {"protocolVersion": LATEST_STATEFUL, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    return rpc("initialize", params | changes)


def make_call(arguments: Json, **meta: object) -> Json:
    """A call that succeeds without *arguments*."""
    usual = {f"{META}protocolVersion": STATELESS_REVISION, f"{META}clientCapabilities": {}}
    return rpc("tools/call", {"name": "get_budget", "arguments": BUDGET | arguments, "_meta": usual | meta})


def stateless_call(method: str, params: Json, **meta: object) -> Json:
    usual = {f"{META}protocolVersion": STATELESS_REVISION, f"{META}clientCapabilities": {}}
    return rpc(method, {**params, "_meta": usual | meta})


# Requests that open sessions or need none.
ALONE: dict[str, Json] = {
    "capabilities": introduction(capabilities=members()),
    "known-capabilities": introduction(capabilities={"elicitation": members()}),
    "extensions": introduction(capabilities={"extensions": members()}),
    "client-name": introduction(clientInfo={"name": text(), "version": "1"}),
    "client-members": introduction(clientInfo={"name": "t", "version": "1", **members()}),
    "version": introduction(protocolVersion=text()),
    "id": rpc("ping", {}, text()),
    "method": rpc(text(), {}),
    "envelope-capabilities": make_call({}, **{f"{META}clientCapabilities": members()}),
    "envelope-client": make_call({}, **{f"{META}clientInfo": {"name": text(), "version": "1"}}),
    "locale": make_call({}, **{"openai/locale": text()}),
    "progress-token": make_call({}, progressToken=text()),
    "meta": make_call({}, **members()),
    "argument": make_call({"filter": text()}),
    "arguments": make_call(members()),
    "state": stateless_call("tools/call", {"name": "get_budget", "requestState": text()}),
    "answers": stateless_call("tools/call", {"name": "get_budget", "inputResponses": {"a": members()}}),
    "cursor": stateless_call("tools/list", {"cursor": text()}),
    "uri": stateless_call("resources/read", {"uri": TEMPLATE + text()}),
    "task": stateless_call("tasks/get", {"taskId": text()}),
    "prompt": stateless_call("prompts/get", {"name": text()}),
}
# Requests in one session of each user.
IN_SESSION: dict[str, Json] = {
    "subscription": rpc("resources/subscribe", {"uri": TEMPLATE + text()}),
    "long-subscription": rpc("resources/subscribe", {"uri": TEMPLATE + text(1_900)}),
    "unsubscription": rpc("resources/unsubscribe", {"uri": TEMPLATE + text()}),
    "level": rpc("logging/setLevel", {"level": text()}),
    "cancellation": {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": text()}},
    "response": {"jsonrpc": "2.0", "id": f"doit-{MARK}", "result": members()},
    "session-progress-token": rpc(
        "tools/call", {"name": "get_budget", "arguments": BUDGET, "_meta": {"progressToken": text()}}, MARK
    ),
    "completion": rpc(
        "completion/complete",
        {"ref": {"type": "ref/resource", "uri": TEMPLATE}, "argument": {"name": "id", "value": text()}},
        MARK,
    ),
}
KINDS = ALONE | IN_SESSION


class Sender:
    """Sends one kind of request, as several users; each has a session if the request needs one."""

    def __init__(self, server: Program, message: Json, tokens: list[str], sessions: list[str]) -> None:
        self.made, self.message, self.tokens, self.sessions = server, message, tokens, sessions
        self.data = json.dumps(message).encode()
        assert len(self.data) <= 4 * MIB
        self.sent = 0

    async def one(self, number: int) -> None:
        user = number % len(self.tokens)
        headers = self.made.headers(self.tokens[user]) | self.send_stateless()
        if self.sessions:
            headers |= {"Mcp-Session-Id": self.sessions[user]}
        body = io.BytesIO(self.data.replace(MARK.encode(), b"%08d" % number))
        async with self.made.http.post(f"{self.made.base}/mcp", headers=headers, data=body) as response:
            answer = await read(response)
        assert answer.status < 429, answer
        self.sent += 1

    def send_stateless(self) -> dict[str, str]:
        """The headers of the newest revision if the message belongs to it."""
        params = self.message.get("params", {})
        if f"{META}protocolVersion" not in params.get("_meta", {}):
            return {}
        named = [params[name] for name in ("name", "uri", "taskId") if name in params]
        heads = {"MCP-Protocol-Version": STATELESS_REVISION, "Mcp-Method": self.message["method"]}
        return heads | ({"Mcp-Name": named[-1][:100]} if named else {})


async def memory_growth(sender: Sender) -> int:
    """Return the bytes by which the process grew during the requests, after garbage collection."""
    await gather_limited((sender.one(number) for number in range(WARM)), CONCURRENCY)
    await sender.made.inside()
    before = sender.made.rss
    await gather_limited((sender.one(number) for number in range(WARM, WARM + REQUESTS)), CONCURRENCY)
    await sender.made.inside()
    return sender.made.rss - before


@pytest.mark.requirement("N4")
@pytest.mark.parametrize("users", [1, 50])
async def test_n4_hostile_requests_leak_nothing(tmp_path: Path, users: int) -> None:
    grown: dict[str, float] = {}
    # No session of one kind is evicted by those of another.
    async with program(tmp_path, sessions_per_principal=10_000) as server:
        server.outside.gate.set()
        tokens = [server.outside.token(f"person{number}") for number in range(users)]
        sessions = [await server.initialize(token) for token in tokens]
        for kind, message in KINDS.items():
            sender = Sender(server, message, tokens, sessions if kind in IN_SESSION else [])
            grown[kind] = await memory_growth(sender)
            assert sender.sent == WARM + REQUESTS
    print({kind: f"{size / MIB:.1f} MiB" for kind, size in grown.items()})
    assert not {kind: size // MIB for kind, size in grown.items() if size > MAX_GROWTH}
