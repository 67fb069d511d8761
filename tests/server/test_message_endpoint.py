"""The message endpoint: how it handles payloads, and that three transports respond to the same payload alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import orjson
import pytest

from doit_mcp.api import Doit
from doit_mcp.protocol.jsonrpc import Id, Message, Request, RpcError
from doit_mcp.protocol.request_metadata import Caller
from doit_mcp.protocol.revisions import DEFAULT_REVISION
from doit_mcp.resilience.concurrency import ConcurrencyLimiter
from doit_mcp.resilience.limits import LimitExceeded
from doit_mcp.server.message_endpoint import MessageEndpoint
from doit_mcp.server.notification_hub import NotificationHub
from doit_mcp.server.payloads import MAX_INLINE_PARSE_BYTES, parse_payload
from doit_mcp.server.request_context import Services
from doit_mcp.server.request_runner import RequestRunner
from doit_mcp.server.sender import Sender
from doit_mcp.server.sessions import Session
from doit_mcp.server.signed_state import StateSigner
from doit_mcp.server.tasks import MemoryTasks
from tests.api.recorder import Recorder
from tests.transports.http.serving import LATEST_STATEFUL, Bench, Json, Site, offer, serving
from tests.transports.http.serving import Session as HttpSession
from tests.transports.http.test_legacy_sse import open_stream as sse_opened
from tests.transports.test_stdio import piped

BATCHES = "2025-03-26"
PING: Json = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
CALL: Json = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "echo", "arguments": {}}}
WAIT: Json = CALL | {"params": {"name": "wait", "arguments": {}}}
NOTE: Json = {"jsonrpc": "2.0", "method": "notifications/initialized"}


class Recorded:
    """A channel that records, in order, when it is opened and what it carries."""

    may_stream = True

    def __init__(self, *, is_shared: bool = True) -> None:
        self.is_shared = is_shared
        self.events: list[Any] = []

    def open(self, session: Session | None, request_ids: Sequence[Id]) -> None:
        self.events.append(("open", list(request_ids)))

    async def send(self, data: bytes) -> None:
        self.events.append(orjson.loads(data))

    async def release(self) -> None:
        """Do nothing: the channel stays open."""

    async def finish(self, status: int, body: bytes) -> None:
        self.events.append((status, orjson.loads(body)))

    async def finish_canceled(self) -> None:
        self.events.append("canceled")


class Policy:
    """Admits up to *most* requests and batches, and counts how many asked for admission."""

    def __init__(self, most: int = 100) -> None:
        self.most, self.asked = most, 0

    async def admit(self, owner: str, *messages: Message | RpcError) -> None:
        self.asked += 1
        if self.asked > self.most:
            raise LimitExceeded("owner", 1.0, "too many requests")


class Endpoint:
    """An endpoint with one session."""

    def __init__(self, policy: Policy | None = None) -> None:
        hub, self.bench = NotificationHub(), Bench()
        services = Services(hub, StateSigner(b"k" * 32), MemoryTasks(hub))
        self.limiter = ConcurrencyLimiter(max_per_owner=2, max_total=2)
        self.runner = RequestRunner(self.limiter)
        self.endpoint = MessageEndpoint(services, self.runner, policy)
        doit = Doit.for_sender(Recorder())
        self.sender = Sender(offer(self.bench), "owner", lambda session: (lambda *_: doit, None, "tenant"))
        self.session = Session("s", "owner", Caller(DEFAULT_REVISION), 0.0)

    async def handle(self, value: Any, channel: Recorded) -> asyncio.Task[None] | None:
        payload = await parse_payload(orjson.dumps(value))
        return await self.endpoint.handle(self.sender, self.session.caller, self.session, payload, channel)


async def test_requests_are_admitted_then_registered_then_run() -> None:
    policy, channel = Policy(), Recorded()
    endpoint = Endpoint(policy)
    task = await endpoint.handle(CALL, channel)
    assert policy.asked == 1 and channel.events == [("open", [2])] and endpoint.limiter.in_use == 1
    assert task is not None
    await task
    assert channel.events[1][0] == 200 and channel.events[1][1]["id"] == 2 and endpoint.limiter.in_use == 0


class ReusingId(Recorded):
    """A channel whose client sends its next request, with the same id, while the response is being written."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self.endpoint, self.next = endpoint, Recorded()
        self.task: asyncio.Task[None] | None = None

    async def finish(self, status: int, body: bytes) -> None:
        await super().finish(status, body)
        self.task = await self.endpoint.handle(WAIT, self.next)
        await self.endpoint.bench.started.wait()


async def test_id_is_free_once_the_client_can_have_the_response() -> None:
    endpoint = Endpoint()
    channel = ReusingId(endpoint)
    first = await endpoint.handle(CALL, channel)
    assert first is not None
    await first
    assert channel.events[1][1]["result"]
    # The end of the first request does not free the id of the second, which still runs.
    again = Recorded()
    with pytest.raises(RpcError, match="already in flight"):
        await endpoint.handle(PING | {"id": CALL["id"]}, again)
    endpoint.bench.proceed.set()
    assert channel.task is not None
    await channel.task
    assert channel.next.events[1][1]["id"] == CALL["id"] and "result" in channel.next.events[1][1]


async def test_batches_are_admitted_once() -> None:
    policy, channel = Policy(), Recorded()
    task = await Endpoint(policy).handle([CALL, NOTE, PING], channel)
    assert policy.asked == 1 and channel.events == [("open", [2, 1])] and task is not None
    await task
    assert [message["id"] for message in channel.events[1][1]] == [2, 1]


async def test_rejected_payload_leaves_nothing() -> None:
    channel = Recorded()
    endpoint = Endpoint(Policy(most=0))
    for value in (CALL, [CALL]):
        with pytest.raises(LimitExceeded):
            await endpoint.handle(value, channel)
    assert channel.events == [] and endpoint.limiter.in_use == 0 and not endpoint.session.running_requests


async def test_only_single_payload_channels_get_immediate_answers() -> None:
    """On a shared channel a response may have to wait, which would delay the reading of further messages."""
    policy = Policy()
    endpoint, exclusive, shared = Endpoint(policy), Recorded(is_shared=False), Recorded()
    assert await endpoint.handle(PING, exclusive) is None
    assert exclusive.events == [(200, {"jsonrpc": "2.0", "id": 1, "result": {}})] and policy.asked == 0
    task = await endpoint.handle(PING, shared)
    assert shared.events == [("open", [1])] and task is not None and policy.asked == 1
    await task
    assert shared.events[1:] == exclusive.events


async def test_notifications_cancel_requests_of_the_session() -> None:
    endpoint, channel = Endpoint(), Recorded()
    task = await endpoint.handle(WAIT, channel)
    await endpoint.bench.started.wait()
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}
    assert task is not None and await endpoint.handle(cancel, channel) is None
    await asyncio.wait([task])
    assert channel.events == [("open", [2]), "canceled"]


async def test_stateless_requests_end_with_their_task() -> None:
    policy, channel = Policy(), Recorded()
    endpoint = Endpoint(policy)
    request = Request(2, "tools/call", WAIT["params"])
    answering = asyncio.create_task(
        endpoint.endpoint.answer(endpoint.sender, Caller(DEFAULT_REVISION), request, channel)
    )
    await endpoint.bench.started.wait()
    assert policy.asked == 1 and endpoint.limiter.in_use == 1
    answering.cancel()
    await asyncio.wait([answering])
    assert endpoint.bench.cancelled and endpoint.limiter.in_use == 0 and channel.events == [("open", [2])]


async def test_long_payloads_are_parsed_off_the_event_loop() -> None:
    """The event loop keeps running, and the result or the error is the same."""
    long = [PING, "x" * MAX_INLINE_PARSE_BYTES]
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    assert await parse_payload(orjson.dumps(long)) == long
    with pytest.raises(RpcError) as caught:
        await parse_payload(b"[" + b" " * MAX_INLINE_PARSE_BYTES)
    assert caught.value.code == -32700 and turns > 0
    counting.cancel()


class Client(Protocol):
    """A client of one transport: returns the response to the bytes it sends, or None if they are only accepted."""

    async def __call__(self, data: bytes) -> Any: ...


@asynccontextmanager
async def on_streamable_http(revision: str) -> AsyncIterator[Client]:
    # A process on stdio has no events.
    async with serving(events=False) as site:
        session = await site.initialize(revision)

        async def ask(data: bytes) -> Any:
            # Use a new session for initialize, which this transport allows only outside a session.
            alone = data.startswith(b"{") and b'"initialize"' in data
            in_session = {} if alone else session.head
            return await post(site, session, "/mcp", data, in_session)

        yield ask


async def post(site: Site, session: HttpSession, path: str, data: bytes, headers: dict[str, str]) -> Any:
    request_headers = site.headers(**headers) | {"Content-Type": "application/json"}
    answer = await site.send("POST", path, request_headers, data)
    assert answer.status in (200, 202, 400)
    return answer.body


@asynccontextmanager
async def on_http_with_sse(revision: str) -> AsyncIterator[Client]:
    async with serving(events=False) as site, sse_opened(site) as stream:
        await stream.initialize(revision)

        async def ask(data: bytes) -> Any:
            headers = site.headers() | {"Content-Type": "application/json"}
            answer = await site.send("POST", stream.address, headers, data)
            if answer.status == 400:
                return answer.body
            assert answer.status == 202
            return None if is_unanswered(data, revision) else await next_message(stream.response)

        yield ask


async def next_message(response: Any) -> Any:
    while not (line := await asyncio.wait_for(response.content.readline(), 20)).startswith(b"data: "):
        pass
    return json.loads(line.removeprefix(b"data: "))


@asynccontextmanager
async def on_stdio(revision: str) -> AsyncIterator[Client]:
    async with piped() as client:
        await client.initialize(revision)

        async def ask(data: bytes) -> Any:
            client.send(data)
            return (
                None
                if is_unanswered(data, revision)
                else json.loads(await asyncio.wait_for(client.out.lines.get(), 20))
            )

        yield ask


def is_unanswered(data: bytes, revision: str) -> bool:
    """Return whether *data* is valid at *revision* and contains no request."""
    try:
        value = json.loads(data)
    except ValueError:
        return False
    return value == NOTE or (value == [NOTE, NOTE] and revision == BATCHES)


Transport = Callable[[str], AbstractAsyncContextManager[Client]]
TRANSPORTS: tuple[Transport, ...] = (on_streamable_http, on_http_with_sse, on_stdio)


def initialize(version: Any) -> Json:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    return {"jsonrpc": "2.0", "id": 9, "method": "initialize", "params": params}


SAME: dict[str, bytes] = {
    name: value if isinstance(value, bytes) else json.dumps(value).encode()
    for name, value in {
        "truncated": b"{",
        "not UTF-8": b'{"jsonrpc": "2.0", "id": "\xff", "method": "ping"}',
        "a number": b"5",
        "no version": {"id": 1, "method": "ping"},
        "a method that is none": {"jsonrpc": "2.0", "id": 1, "method": 5},
        "parameters that are a list": {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]},
        "an unknown method": {"jsonrpc": "2.0", "id": 1, "method": "no/such"},
        "ping": PING,
        "a call": CALL,
        "a notification": NOTE,
        "initialize": initialize(BATCHES),
        "initialize without a version": initialize(None),
        "an empty batch": [],
        "a batch": [PING, NOTE, CALL, {"jsonrpc": "2.0", "id": 3, "method": 5}],
        "a batch of notifications": [NOTE, NOTE],
        "a batch with initialize": [initialize(BATCHES)],
        "a batch with one id twice": [PING, PING],
    }.items()
}


@pytest.mark.parametrize("revision", [BATCHES, LATEST_STATEFUL])
async def test_all_transports_answer_alike(revision: str) -> None:
    answers = []
    for transport in TRANSPORTS:
        async with transport(revision) as ask:
            answers.append({name: await ask(data) for name, data in SAME.items() if "initialize" not in name})
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["a call"]["result"]["content"] and answers[0]["a notification"] is None
    batch = answers[0]["a batch"]
    assert (
        [message["id"] for message in batch] == [1, 2, 3] if revision == BATCHES else batch["error"]["code"] == -32600
    )


@pytest.mark.parametrize("name", [name for name in SAME if "initialize" in name])
async def test_all_transports_initialize_alike(name: str) -> None:
    answers = []
    for transport in TRANSPORTS:
        async with transport(BATCHES) as ask:
            answers.append(await ask(SAME[name]))
    assert answers[0] == answers[1] == answers[2]
    assert ("result" in answers[0]) == (name == "initialize")
