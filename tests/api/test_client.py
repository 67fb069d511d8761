"""The client against an API on loopback: the requests it sends, the results it returns, and every kind of failure."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypedDict, Unpack
from urllib.parse import parse_qsl

import pytest

from doit_mcp.api.client import Client
from doit_mcp.api.errors import ApiError, CredentialError, explain, parse_retry_after
from doit_mcp.api.http import open_upstream as upstream_at
from doit_mcp.api.operation import Area, delete, get, post, put
from doit_mcp.protocol.json_schema import JsonObject

from .conftest import Api, Handler, hang, reset_connection, respond, stream_chunks, truncate_body

Connect = Callable[..., Client]


class Body(TypedDict, total=False):
    name: Any


class Things(Area):
    """Things."""

    @get("/things/{id}")
    async def read(self, *, id: str, q: Any = None) -> JsonObject:
        raise AssertionError("the decorator sends")

    @post("/things")
    async def write(self, **body: Unpack[Body]) -> JsonObject:
        raise AssertionError("the decorator sends")

    @get("/things", retry_after_member="wait")
    async def state(self) -> JsonObject:
        raise AssertionError("the decorator sends")

    @put("/things/{id}")
    async def replace(self, *, id: str, **body: Unpack[Body]) -> JsonObject:
        raise AssertionError("the decorator sends")

    @delete("/things/{id}", confirm=True)
    async def remove(self, *, id: str) -> JsonObject:
        raise AssertionError("the decorator sends")

    @get("/things/export", text_member="text", header_members={"X-Next": "next", "X-Count": "count"})
    async def export(self) -> JsonObject:
        raise AssertionError("the decorator sends")

    @post("/things", needs_idempotency_key=True)
    async def keyed(self, **body: Unpack[Body]) -> JsonObject:
        raise AssertionError("the decorator sends")

    @post("/things", stream=True)
    def talk(self, **body: Unpack[Body]) -> Any:
        raise AssertionError("the decorator sends")


async def call_and_fail(client: Client, *, write: bool = False) -> ApiError:
    """Return the error of one call."""
    with pytest.raises(ApiError) as caught:
        await (Things(client).write(name="n") if write else Things(client).read(id="1"))
    return caught.value


@pytest.mark.requirement("U2")
async def test_request_has_url_credential_tenant_and_tracking_headers(api: Api, connect: Connect) -> None:
    client = connect("acme & co/x", tracking={"mcp": "true", "mcpClient": "c" * 300 + "&x=1"})
    await Things(client).read(id="../a b", q=["1", "a&b=c\r\nX: y"])
    request = api.seen[0]
    path, _, query = request.target.partition("?")
    assert (request.method, path) == ("GET", "/base/things/..%2Fa%20b")
    assert parse_qsl(query) == [
        ("q", "1"),
        ("q", "a&b=c\r\nX: y"),
        ("customerContext", "acme & co/x"),
        ("mcp", "true"),
        ("mcpClient", "c" * 100),
    ]
    assert (
        request.headers["Authorization"] == "Bearer token" and request.headers["X-Tenant-Id"] == "acme%20%26%20co%2Fx"
    )
    assert "Content-Type" not in request.headers and "Idempotency-Key" not in request.headers


async def test_body_is_json_and_missing_tenant_sends_no_header(api: Api, connect: Connect) -> None:
    await Things(connect()).write(name="ü")
    request = api.seen[0]
    assert json.loads(request.body) == {"name": "ü"} and request.headers["Content-Type"] == "application/json"
    assert "X-Tenant-Id" not in request.headers and "customerContext" not in request.target


@pytest.mark.requirement("X8")
async def test_response_cookies_are_discarded(api: Api, connect: Connect) -> None:
    api.script = [respond(200, {}, Set_Cookie="session=other-user; Path=/")]
    await Things(connect()).read(id="1")
    await Things(connect()).read(id="1")
    assert "Cookie" not in api.seen[1].headers


@pytest.mark.requirement("F2")
@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_reads_are_retried_twice(api: Api, connect: Connect, status: int) -> None:
    api.script = [respond(status, {"error": "busy"})]
    error = await call_and_fail(connect())
    assert len(api.seen) == 3 and error.status == status and not error.maybe_applied


@pytest.mark.requirement("F2")
@pytest.mark.parametrize("step", [reset_connection, truncate_body])
@pytest.mark.parametrize("warm", [False, True])
async def test_broken_connection_causes_at_most_three_requests(
    api: Api, connect: Connect, step: Handler, warm: bool
) -> None:
    """aiohttp adds no retries of its own, on a new connection or a reused one."""
    if warm:
        await Things(connect()).read(id="1")
    api.script = [step]
    error = await call_and_fail(connect())
    assert error.kind == "network" and len(api.seen) == 3 + warm


@pytest.mark.parametrize("step", [respond(429), respond(503), reset_connection, truncate_body])
async def test_read_succeeds_on_the_second_attempt(api: Api, connect: Connect, step: Handler) -> None:
    api.script = [step, respond(200, {"ok": True})]
    assert await Things(connect()).read(id="1") == {"ok": True}
    assert len(api.seen) == 2


@pytest.mark.requirement("F3")
@pytest.mark.parametrize(
    "step", [respond(429), respond(500), respond(503), respond(200, b"{"), reset_connection, truncate_body]
)
async def test_write_is_sent_exactly_once(api: Api, connect: Connect, step: Handler) -> None:
    api.script = [step, respond(200, {"ok": True})]
    error = await call_and_fail(connect(), write=True)
    assert len(api.seen) == 1
    assert error.maybe_applied == (error.kind != "rate")


@pytest.mark.requirement("F3")
async def test_put_on_a_stale_connection_is_not_retried(api: Api, connect: Connect) -> None:
    api.script = [respond(200, {}), reset_connection, respond(200, {})]
    area = Things(connect())
    await area.replace(id="1")
    with pytest.raises(ApiError) as caught:
        await area.replace(id="1")
    assert len(api.seen) == 2 and caught.value.maybe_applied


@pytest.mark.requirement("F4")
async def test_write_with_idempotency_key_is_retried_with_the_same_key(api: Api, connect: Connect) -> None:
    api.script = [respond(503), reset_connection, respond(200, {"ok": True})]
    keys = iter("ab")
    area = Things(connect(make_key=lambda: next(keys)))
    await area.keyed()
    await area.keyed()
    assert [request.headers["Idempotency-Key"] for request in api.seen] == ["a", "a", "a", "b"]


async def test_409_to_a_repeated_request_means_that_the_first_one_is_running(api: Api, connect: Connect) -> None:
    api.script = [respond(503), respond(409, {"error": "in progress"}), respond(200, {"ok": True})]
    assert await Things(connect()).keyed() == {"ok": True}
    api.script = [reset_connection, respond(409, {"error": "in progress"}), respond(409, {"error": "in progress"})]
    with pytest.raises(ApiError) as caught:
        await Things(connect()).keyed()
    assert (caught.value.status, caught.value.maybe_applied) == (409, True)


@pytest.mark.parametrize("status", [409, 412])
@pytest.mark.parametrize("first", [[], [respond(429)]], ids=["first request", "after a refusal"])
async def test_conflict_of_a_new_request_is_final(
    api: Api, connect: Connect, first: list[Handler], status: int
) -> None:
    api.script = [*first, respond(status, {"error": "taken"})]
    with pytest.raises(ApiError) as caught:
        await Things(connect()).keyed()
    assert (caught.value.status, caught.value.maybe_applied, len(api.seen)) == (status, False, len(first) + 1)


@pytest.mark.parametrize("status", [412, 429])
async def test_refused_repetition_leaves_the_outcome_open(api: Api, connect: Connect, status: int) -> None:
    api.script = [reset_connection, respond(status, {"error": "changed"}, Retry_After="60")]
    with pytest.raises(ApiError) as caught:
        await Things(connect()).keyed()
    assert (caught.value.status, caught.value.maybe_applied, len(api.seen)) == (status, True, 2)


async def test_retries_are_limited_per_call(api: Api, connect: Connect) -> None:
    api.script = [respond(503), respond(200, {}), respond(503), respond(200, {}), respond(503), respond(200, {})]
    area = Things(connect())
    await area.read(id="1")
    await area.read(id="1")
    with pytest.raises(ApiError):
        await area.read(id="1")
    assert len(api.seen) == 5


@pytest.mark.requirement("F2")
@pytest.mark.parametrize("wait", ["30", "100000000"])
async def test_long_retry_after_is_passed_on_immediately(api: Api, connect: Connect, wait: str) -> None:
    api.script = [respond(429, {"error": "slow down"}, Retry_After=wait)]
    error = await call_and_fail(connect())
    assert len(api.seen) == 1 and error.retry_after == float(wait)
    assert f"Try again in {wait} seconds" in explain(error, "read")


async def test_retry_after_of_a_success_is_a_member_of_the_result_if_declared(api: Api, connect: Connect) -> None:
    api.script = [respond(200, {"a": 1}, Retry_After="7"), respond(200, {"a": 1}), respond(200, {}, Retry_After="soon")]
    area = Things(connect())
    assert [await area.state() for _ in range(3)] == [{"a": 1, "wait": 7}, {"a": 1}, {}]
    api.script = [respond(200, {"a": 1}, Retry_After="7")]
    assert await area.read(id="1") == {"a": 1}


@pytest.mark.requirement("F2")
@pytest.mark.parametrize("wait", ["0", "garbage", "-5", "Mon, 01 Jan 2001 00:00:00 GMT"])
async def test_invalid_retry_after_is_ignored(api: Api, connect: Connect, wait: str) -> None:
    api.script = [respond(429, {}, Retry_After=wait), respond(200, {"ok": True})]
    assert await Things(connect()).read(id="1") == {"ok": True}


@pytest.mark.requirement("F2")
@pytest.mark.parametrize(
    ("header", "chance", "received"), [({}, 0.0, 3), ({}, 0.5, 1), ({"Retry_After": "9"}, 0.0, 1)], ids=str
)
async def test_backoff_is_randomized_from_zero_and_bounded_by_the_call(
    api: Api, connect: Connect, header: dict[str, str], chance: float, received: int
) -> None:
    """Waits have full jitter unless Retry-After is given. A wait that would outlast the call does not start."""
    api.script = [respond(503, {}, **header)]
    error = await call_and_fail(connect(first_wait=30.0, random_fraction=lambda: chance, deadline=4.0))
    assert (error.kind, error.status, len(api.seen)) == ("fault", 503, received)


@pytest.mark.requirement("F1")
async def test_token_exchange_gets_the_remaining_time_of_the_call(api: Api, connect: Connect) -> None:
    """An exchange has the usual timeout unless the call has less time left."""
    api.script = [hang]
    delays: list[float] = []
    for deadline in (60.0, 0.1):
        client = connect(deadline=deadline, timeout=0.2)
        within = client._exchange_timeout

        def noted(longest: float, within: Callable[[float], float] = within) -> float:
            delays.append(within(longest))
            return delays[-1]

        client._exchange_timeout = noted  # type: ignore[method-assign, assignment]  # notes the limit of each try
        await call_and_fail(client)
    assert delays[0] == 0.2 and delays[1] <= 0.1


def test_retry_after_accepts_seconds_and_dates() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert (
        parse_retry_after("7", now) == 7 and parse_retry_after("0", now) is None and parse_retry_after("", now) is None
    )
    assert parse_retry_after("Thu, 01 Jan 2026 00:00:09 GMT", now) == 9
    assert parse_retry_after("Thu, 01 Jan 2026 00:00:09 -0000", now) == 9
    assert parse_retry_after("١٢", now) is None and parse_retry_after("9" * 10, now) is None


@pytest.mark.requirement("X4")
async def test_a_401_is_retried_once_with_a_fresh_token_even_for_writes(api: Api, connect: Connect) -> None:
    api.script = [respond(401), respond(200, {"ok": True})]
    assert await Things(connect()).write() == {"ok": True}
    assert [request.headers["Authorization"] for request in api.seen] == ["Bearer token", "Bearer fresh"]
    api.script = [respond(401, {"error": "who are you"})]
    error = await call_and_fail(connect())
    assert (error.kind, error.reason) == ("credential", "") and len(api.seen) == 4


@pytest.mark.requirement("F2")
async def test_call_makes_at_most_four_requests(api: Api, connect: Connect) -> None:
    api.script = [respond(503), respond(503), respond(401), respond(503)]
    await call_and_fail(connect())
    assert len(api.seen) == 4


async def test_missing_credential_is_a_distinct_error(api: Api, connect: Connect) -> None:
    error = await call_and_fail(connect(tokens=(CredentialError("refused", "signed out"),)))
    assert (error.kind, error.reason) == ("credential", "signed out")
    error = await call_and_fail(connect(tokens=(CredentialError("unavailable", "x", retry_after=9.0),)))
    assert (error.kind, error.retry_after) == ("network", 9.0) and api.seen == []


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (400, "refused", "bad filter"),
        (403, "forbidden", ""),
        (404, "missing", "bad filter"),
        (405, "unsupported", "bad filter"),
        (408, "fault", "bad filter"),
        (409, "conflict", "bad filter"),
        (410, "missing", "bad filter"),
        (422, "conflict", "bad filter"),
        (423, "conflict", "bad filter"),
        (425, "early", "bad filter"),
        (428, "unsupported", "bad filter"),
        (500, "fault", ""),
        (524, "fault", ""),
        (302, "fault", ""),
    ],
)
async def test_status_codes_map_to_error_kinds_and_reasons(
    api: Api, connect: Connect, status: int, kind: str, reason: str
) -> None:
    api.script = [respond(status, {"error": "bad filter"}, Location="http://127.0.0.1:1/elsewhere")]
    error = await call_and_fail(connect())
    assert (error.kind, error.reason, error.status, len(api.seen)) == (kind, reason, status, 1)


async def test_only_a_request_with_a_body_or_a_list_can_be_corrected_after_a_422(api: Api, connect: Connect) -> None:
    api.script = [respond(422, {"error": "the name is too long"}), respond(422, {"error": "the flow is not published"})]
    api.script.append(respond(422, {"error": "the filter is unknown"}))
    client = connect()
    advice = []
    for send in (Things(client).write(name="n"), Things(client).read(id="1"), Things(client).state()):
        with pytest.raises(ApiError) as caught:
            await send
        advice.append(explain(caught.value, "x"))
    assert "Correct the arguments" in advice[0] and "Correct the arguments" in advice[2]
    assert advice[1].endswith("conflicts with the current state. Read the current state first, then decide.")


@pytest.mark.parametrize(
    ("seconds", "hint"), [(5.0, "Try again in 5 seconds."), (None, "Wait a minute, then try again.")]
)
def test_too_early_means_the_same_call_later(seconds: float | None, hint: str) -> None:
    error = ApiError("the operation has not ended yet", kind="early", status=425, retry_after=seconds)
    text = explain(error, "get_report_run_results")
    assert text.endswith(f"It is not ready yet: the same call works later. {hint}") and "Correct" not in text


def test_what_the_server_does_not_send_is_not_solved_by_waiting() -> None:
    text = explain(ApiError("If-Match is required", kind="unsupported", status=428), "update_thing")
    assert "Do not repeat the call" in text and "minute" not in text


@pytest.mark.requirement("F5")
@pytest.mark.parametrize(
    "body",
    [b"<html>", b"", b"\xff\xfe", b"[" * 50_000, b'{"a": NaN}', b'{"a": "\xed\xa0\x80"}', b'{"a": 1} x'],
    ids=["html", "empty", "utf16", "deep", "nan", "surrogate", "more"],
)
async def test_non_json_response_is_an_api_error(api: Api, connect: Connect, body: bytes) -> None:
    api.script = [respond(200, body)]
    error = await call_and_fail(connect())
    assert error.kind == "answer" and not error.maybe_applied and len(api.seen) == 1


async def test_parses_numbers_of_any_length(api: Api, connect: Connect) -> None:
    api.script = [respond(200, b'{"a": ' + b"9" * 6000 + b"}")]
    try:
        assert isinstance((await Things(connect()).read(id="1"))["a"], float)
    except ApiError as error:
        assert error.kind == "answer"


@pytest.mark.parametrize("status", [200, 204])
async def test_write_with_an_empty_response_succeeds(api: Api, connect: Connect, status: int) -> None:
    api.script = [respond(status, b"")]
    assert await Things(connect()).write() is None


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (202, b'{"message": "Accepted"}', {"message": "Accepted", "status": "accepted"}),
        (202, b"", {"status": "accepted"}),
        (200, b'{"message": "Deleted"}', {"message": "Deleted"}),
        (204, b"", None),
    ],
)
async def test_accepted_deletion_is_not_called_done(
    api: Api, connect: Connect, status: int, body: bytes, result: JsonObject | None
) -> None:
    api.script = [respond(status, body)]
    assert await Things(connect()).remove(id="1") == result


async def test_text_and_headers_become_members(api: Api, connect: Connect) -> None:
    first = respond(200, "a,b\r\n1,ü\r\n".encode(), X_Next="t")
    api.script = [first, respond(200, b""), respond(200, b"\xff")]
    things = Things(connect())
    assert await things.export() == {"text": "a,b\r\n1,ü\r\n", "next": "t"}
    assert await things.export() == {"text": ""}
    assert api.seen[0].headers["Accept"] == "*/*"
    with pytest.raises(ApiError, match="not text"):
        await things.export()


@pytest.mark.parametrize("packed", [False, True])
async def test_oversized_response_is_cut_off(api: Api, connect: Connect, packed: bool) -> None:
    body = json.dumps({"a": "x" * 100_000}).encode()
    step = respond(200, gzip.compress(body), Content_Encoding="gzip") if packed else respond(200, body)
    api.script = [step]
    error = await call_and_fail(connect(max_body=50_000))
    assert (error.kind, error.reason) == ("answer", "the response is too large")


@pytest.mark.requirement("F5")
async def test_invalid_compression_is_an_api_error(api: Api, connect: Connect) -> None:
    api.script = [respond(200, b"no gzip", Content_Encoding="gzip")]
    assert (await call_and_fail(connect())).kind == "network"


@pytest.mark.requirement("F1")
async def test_slow_drip_hits_the_total_timeout_and_closes_the_connection(api: Api, connect: Connect) -> None:
    api.script = [hang]
    # Long enough for the request to arrive on a busy machine; the test is about the wait for the response.
    error = await call_and_fail(connect(timeout=0.5))
    assert error.kind == "timeout" and len(api.seen) == 1
    await api.gone.wait()
    assert (await call_and_fail(connect(deadline=0.5), write=True)).maybe_applied


@pytest.mark.requirement("F7")
async def test_connection_refused_reports_that_nothing_was_applied(connect: Connect) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        error = await call_and_fail(connect(base=f"http://127.0.0.1:{listener.getsockname()[1]}"), write=True)
    assert error.kind == "network" and not error.maybe_applied


@pytest.mark.requirement("U2")
async def test_unserializable_request_is_rejected_before_sending(api: Api, connect: Connect) -> None:
    area = Things(connect())
    for call in (area.read(id="1", q="x" * 9000), area.read(id="1", q="\ud800"), area.write(name="\ud800")):
        with pytest.raises(ApiError) as caught:
            await call
        assert caught.value.kind == "argument"
    with pytest.raises(ApiError):
        await area.write(name=10**30)
    assert api.seen == []


async def test_events_are_delivered_as_they_arrive(api: Api, connect: Connect) -> None:
    api.script = [stream_chunks(b'data: {"answer": "a"}\n', b"\ndata: plain\n\ndata: [1]\n\n", b"data: lost")]
    events = [event async for event in Things(connect()).talk(name="q")]
    assert events == [{"answer": "a"}, {"answer": "plain"}, {"answer": "[1]"}]
    assert api.seen[0].headers["Accept"] == "text/event-stream" and json.loads(api.seen[0].body) == {"name": "q"}


async def test_stream_restarts_with_a_fresh_token_after_a_401(api: Api, connect: Connect) -> None:
    api.script = [respond(401), stream_chunks(b"data: a\n\n")]
    assert [event async for event in Things(connect()).talk()] == [{"answer": "a"}]
    assert api.seen[1].headers["Authorization"] == "Bearer fresh"


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (stream_chunks(b"data: a\n\n", end=reset_connection), "network"),
        (stream_chunks(b"data: a\n\n", end=hang), "timeout"),
        (stream_chunks(b"data: a\n\n", b"data: \xff\n\n"), "network"),
        (stream_chunks(b"data: a\n\n", b"data: " + b"x" * 200_000), "network"),
    ],
    ids=["reset", "hang", "encoding", "size"],
)
async def test_broken_stream_yields_its_events_and_then_an_error(
    api: Api, connect: Connect, step: Handler, kind: str
) -> None:
    api.script = [step]
    events = []
    with pytest.raises(ApiError) as caught:
        async for event in Things(connect(deadline=2.0, max_body=100_000)).talk():
            events.append(event)
    assert events == [{"answer": "a"}] and caught.value.kind == kind and caught.value.maybe_applied
    assert len(api.seen) == 1


@pytest.mark.parametrize(
    ("step", "kind"), [(respond(403, {}), "forbidden"), (respond(502, {}), "fault"), (respond(200, {}), "answer")]
)
async def test_non_stream_response_is_an_error(api: Api, connect: Connect, step: Handler, kind: str) -> None:
    api.script = [step]
    with pytest.raises(ApiError) as caught:
        assert [event async for event in Things(connect()).talk()]
    assert caught.value.kind == kind and len(api.seen) == 1


async def test_leaving_a_stream_closes_its_connection(api: Api, connect: Connect) -> None:
    api.script = [stream_chunks(b"data: a\n\n", end=hang)]
    events = Things(connect()).talk()
    assert await anext(events) == {"answer": "a"}
    await events.aclose()
    await api.gone.wait()


async def test_progress_is_sent_to_listeners(connect: Connect) -> None:
    messages: list[str] = []

    async def listen(message: str) -> None:
        messages.append(message)

    await connect(report=listen).report("half")
    await connect().report("nobody")
    assert messages == ["half"]


async def test_upstream_closes_the_session_it_owns(api: Api) -> None:
    async def credential(*, fresh: bool = False) -> str:
        return "t"

    async with upstream_at(api.base) as upstream:
        assert await Things(Client(upstream, credential)).read(id="1") == {}


async def test_operations_without_a_credential_do_not_identify_the_user(api: Api, connect: Connect) -> None:
    class Doors(Area):
        """Doors."""

        @get("/things/{id}", unauthenticated=True)
        async def knock(self, *, id: str) -> JsonObject:
            raise AssertionError("the decorator sends")

    api.script = [respond(401, {"error": "x"})]
    with pytest.raises(ApiError):
        await Doors(connect("acme", tokens=(CredentialError("refused", "gone"),), tracking={"mcp": "true"})).knock(
            id="1"
        )
    [request] = api.seen
    assert "Authorization" not in request.headers and "X-Tenant-Id" not in request.headers
    assert request.target == "/base/things/1?mcp=true"
