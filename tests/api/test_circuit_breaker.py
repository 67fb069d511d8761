"""The client and the circuit breaker of the API: which outcomes are failures, and how calls behave while it is open."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import nullcontext
from typing import Any, TypedDict, Unpack

import pytest
from aiohttp import web

from doit_mcp.api.client import Client
from doit_mcp.api.errors import ApiError, explain
from doit_mcp.api.operation import Area, get, post
from doit_mcp.observability.trace import UpstreamRequest, begin_trace
from doit_mcp.protocol.json_schema import JsonObject
from doit_mcp.resilience.circuit_breaker import MIN_OPEN_SECONDS, PROBE_TIMEOUT_SECONDS, CircuitBreaker
from doit_mcp.resilience.outcome_counts import MIN_OUTCOMES
from doit_mcp.resilience.requester import SINGLE_REQUESTER, Requester
from tests.descriptor_shortage import no_descriptors

from .conftest import Api, Handler, hang, reset_connection, respond, stream_chunks, truncate_body

Connect = Callable[..., Client]
GOOD, LEFT = "good", "left"
SHORTAGE_MESSAGE = "file descriptors are low; a connection to the DoiT API failed"


class Body(TypedDict, total=False):
    name: Any


class Things(Area):
    """Things."""

    @get("/things")
    async def read(self) -> JsonObject:
        raise AssertionError("the decorator sends")

    @get("/sums", slow=True)
    async def compute(self) -> JsonObject:
        raise AssertionError("the decorator sends")

    @post("/things", needs_idempotency_key=True)
    async def keyed(self, **body: Unpack[Body]) -> JsonObject:
        raise AssertionError("the decorator sends")

    @post("/talk", stream=True)
    def talk(self, **body: Unpack[Body]) -> AsyncIterator[JsonObject]:
        raise AssertionError("the decorator sends")


class RecordingBreaker(CircuitBreaker):
    """Records outcomes, and has a clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__("api", clock=lambda: self.now, random_fraction=lambda: 0.5)
        self.said: list[Any] = []

    def record_success(self, ticket: int) -> None:
        self.said.append(GOOD)
        super().record_success(ticket)

    def record_no_outcome(self, ticket: int) -> None:
        self.said.append(LEFT)
        super().record_no_outcome(ticket)

    def record_failure(self, ticket: int, caller: Hashable, operation: str = "") -> None:
        self.said.append((caller, operation))
        super().record_failure(ticket, caller, operation)


@pytest.fixture
def breaker() -> RecordingBreaker:
    return RecordingBreaker()


def fail(breaker: CircuitBreaker, times: int) -> None:
    """Record failures without a caller, and without noting them in ``said``."""
    for _ in range(times):
        CircuitBreaker.record_failure(breaker, breaker.enter(SINGLE_REQUESTER), None)


async def error_of(client: Client, call: str = "read") -> ApiError | None:
    try:
        if call == "talk":
            assert [event async for event in Things(client).talk()]
        else:
            await getattr(Things(client), call)()
    except ApiError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("step", "well"),
    [
        (respond(200, {}), True),
        (respond(200, b"<html>"), True),
        (respond(302), True),
        (respond(401), True),
        (respond(404), True),
        (respond(429), True),
        (respond(500), False),
        (respond(503), False),
        (reset_connection, False),
        (truncate_body, False),
        (respond(200, b"no gzip", Content_Encoding="gzip"), False),
    ],
)
async def test_failures_attributed_to_the_api(
    api: Api, connect: Connect, breaker: RecordingBreaker, step: Handler, well: bool
) -> None:
    api.script = [step]
    await error_of(connect(breaker=breaker))
    kinds = {outcome if outcome == GOOD else outcome[1] for outcome in breaker.said}
    assert kinds == {GOOD if well else "read"} and len(breaker.said) == len(api.seen) > 0


@pytest.mark.requirement("N17")
async def test_n17_callers_are_identified_by_user_across_tokens_and_customers(
    api: Api, connect: Connect, breaker: RecordingBreaker
) -> None:
    api.script = [respond(500)]
    requesters = [
        Requester.for_user(*identity) for identity in (("a@x", "x"), ("A@x", "x"), ("a@x", "y"), ("b@x", "y"))
    ]
    for number, requester in enumerate(requesters):
        await error_of(connect(str(number), tokens=(str(number),), breaker=breaker, requester=requester))
    assert [outcome[0] for outcome in breaker.said] == requesters
    assert [requester.user == requesters[0].user for requester in requesters] == [True, True, True, False]
    assert [requester.customer == requesters[2].customer for requester in requesters] == [False, False, True, True]
    await error_of(connect("", breaker=breaker))
    assert breaker.said[-1] == (SINGLE_REQUESTER, "read")


@pytest.mark.requirement("N24")
async def test_n24_file_descriptor_exhaustion_is_not_an_api_failure(
    api: Api, connect: Connect, breaker: RecordingBreaker, caplog: pytest.LogCaptureFixture
) -> None:
    """A descriptor shortage is local to the process or system, so it does not count as a failure of the API."""
    api.script = [respond(200, {})]
    for shortage, expected in ((True, LEFT), (False, GOOD)):
        client = connect(breaker=breaker)
        with no_descriptors() if shortage else nullcontext():
            errors = [await error_of(client) for _ in range(MIN_OUTCOMES)]
        assert all(error is not None and error.status is None for error in errors) is shortage
        assert set(breaker.said) == {expected} and breaker.state == "closed"
        breaker.said.clear()
    assert [record.message for record in caplog.records if record.name == "doit_mcp.api.http"] == [SHORTAGE_MESSAGE]


async def test_connection_failures_are_attributed_to_no_caller(connect: Connect, breaker: RecordingBreaker) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        await error_of(connect(base=f"http://127.0.0.1:{listener.getsockname()[1]}", breaker=breaker))
    assert breaker.said == [(None, "read")] * 3


@pytest.mark.parametrize(
    ("call", "limits", "counts"),
    [
        ("read", {"timeout": 0.3}, True),
        # The operation is declared slow, so a timeout indicates nothing.
        ("compute", {"slow_timeout": 0.3}, False),
        # The call had less time left than the API may take.
        ("read", {"timeout": 30.0, "deadline": 0.3}, False),
        ("talk", {"deadline": 0.3}, False),
    ],
)
async def test_timeouts_that_count_as_failures(
    api: Api, connect: Connect, breaker: RecordingBreaker, call: str, limits: dict[str, float], counts: bool
) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("nobody ends it")

    api.script = [silent if call == "talk" else hang]
    error = await error_of(connect(breaker=breaker, **limits), call)
    assert error is not None and error.kind == "timeout"
    assert [outcome != LEFT for outcome in breaker.said] == [counts]


@pytest.mark.requirement("L1")
async def test_canceled_caller_records_no_outcome(api: Api, connect: Connect, breaker: RecordingBreaker) -> None:
    """Canceling a call ends its request, which counts neither as success nor as failure."""
    api.script = [hang]
    call = asyncio.create_task(error_of(connect(breaker=breaker)))
    while not api.seen:
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await api.gone.wait()
    assert breaker.said == [LEFT]


@pytest.mark.parametrize(
    ("step", "good"),
    [(stream_chunks(b"data: a\n\n"), True), (respond(403), True), (respond(503), False), (reset_connection, False)],
)
async def test_stream_is_counted_when_it_starts(
    api: Api, connect: Connect, breaker: RecordingBreaker, step: Handler, good: bool
) -> None:
    api.script = [step]
    await error_of(connect(breaker=breaker), "talk")
    assert [outcome == GOOD for outcome in breaker.said] == [good]


@pytest.mark.parametrize("call", ["read", "talk"])
async def test_sent_requests_are_recorded_in_the_trace(
    api: Api, connect: Connect, breaker: RecordingBreaker, call: str
) -> None:
    """Each request has a span whose id it sends, if spans are recorded; otherwise requests are only counted."""
    api.script = [respond(503), stream_chunks(b"data: a\n\n") if call == "talk" else respond(200, {})]
    trace = begin_trace({})
    await error_of(connect(breaker=breaker), call)
    requests: list[UpstreamRequest] = []
    trace.on_upstream_request = requests.append
    await error_of(connect(breaker=breaker), call)
    assert trace.upstream_calls == len(api.seen) == (2 if call == "talk" else 3)
    assert trace.upstream_statuses == ((503, 200) if call == "talk" else (503, 200, 200))
    assert [(request.upstream, request.name, request.status) for request in requests] == [("api", call, 200)]
    assert api.seen[-1].headers["traceparent"] == f"00-{trace.trace_id}-{requests[0].span_id}-00"


@pytest.mark.parametrize("call", ["read", "keyed", "talk"])
async def test_open_circuit_sends_nothing(api: Api, connect: Connect, breaker: RecordingBreaker, call: str) -> None:
    fail(breaker, MIN_OUTCOMES)
    error = await error_of(connect(breaker=breaker), call)
    assert error is not None and api.seen == []
    assert (error.kind, error.retry_after, error.maybe_applied) == ("fault", MIN_OPEN_SECONDS, False)
    words = explain(error, call)
    assert "temporarily unavailable" in words and "not sent" in words and "Try again in 5 seconds." in words


@pytest.mark.parametrize("call", ["read", "keyed"])
async def test_retry_is_not_sent_into_an_open_circuit(
    api: Api, connect: Connect, breaker: RecordingBreaker, call: str
) -> None:
    """The error is that of the first request, with the time to retry. A write may still have been applied."""
    fail(breaker, MIN_OUTCOMES - 1)
    api.script = [respond(503)]
    error = await error_of(connect(breaker=breaker), call)
    assert error is not None and len(api.seen) == 1
    assert (error.status, error.retry_after, error.maybe_applied) == (503, MIN_OPEN_SECONDS, call == "keyed")


async def test_retry_blocked_by_an_open_circuit_reports_the_original_error(
    api: Api, connect: Connect, breaker: RecordingBreaker
) -> None:
    """Other calls opened the circuit while this one waited to retry."""

    api.script = [respond(503), respond(200, {"ok": True})]
    client = connect(breaker=breaker, first_wait=0.05, random_fraction=lambda: 1.0)
    call = asyncio.create_task(error_of(client))
    while not breaker.said:
        await asyncio.sleep(0)
    fail(breaker, MIN_OUTCOMES - 1)
    error = await call
    assert error is not None and error.status == 503 and len(api.seen) == 1


async def test_one_probe_closes_the_circuit(api: Api, connect: Connect, breaker: RecordingBreaker) -> None:
    fail(breaker, MIN_OUTCOMES)
    breaker.now += MIN_OPEN_SECONDS
    held = asyncio.Event()

    async def holds(request: web.Request) -> web.StreamResponse:
        await held.wait()
        return web.json_response({"ok": True})

    api.script = [holds, respond(200, {"ok": True})]
    probe = asyncio.create_task(error_of(connect(breaker=breaker)))
    while not api.seen:
        await asyncio.sleep(0)
    error = await error_of(connect(breaker=breaker))
    assert error is not None and error.retry_after == PROBE_TIMEOUT_SECONDS and len(api.seen) == 1
    held.set()
    assert await probe is None and breaker.state == "closed"
    assert await error_of(connect(breaker=breaker)) is None
