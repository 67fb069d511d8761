"""OpenTelemetry spans of the product: their ids match the propagated ones, they contain no personal data, and they
can be off."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from threading import Event
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from doit_mcp.observability import opentelemetry
from doit_mcp.observability.opentelemetry import SpanRecorder
from doit_mcp.sandbox.api import Fault
from doit_mcp.settings import BadSettings, Settings
from doit_mcp.transports.http.main_app import make_main_app as product
from doit_mcp.transports.http.request_logging import SPANS
from tests.transports.http.serving import ACCEPT, ADMIN, LATEST, SECRET
from tests.transports.http.test_outages import Product, served

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
# Requests that authenticate the caller, or exchange the token.
IDENTITY = ("token exchange", "keys", "API token")


class Told:
    """The product and its recorded spans."""

    def __init__(self, there: Product, exporter: InMemorySpanExporter) -> None:
        self.there, self.exporter = there, exporter

    async def call(self, name: str, arguments: Any = None, flags: str = "01", **headers: str) -> dict[str, str]:
        """Send a call with a traceparent and return the headers of the response."""
        bearer = self.there.world.identity.mint(ADMIN, resource=f"{self.there.base}/mcp")
        parent = {"traceparent": f"00-{TRACE}-{CALLER}-{flags}"} if flags else {}
        request_headers = {"Authorization": f"Bearer {bearer}", "Accept": ACCEPT, "MCP-Protocol-Version": LATEST}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        message |= {"params": {"name": name, "arguments": arguments or {}}}  # type: ignore[dict-item]
        async with self.there.http.post(
            self.there.base + "/mcp", json=message, headers={**request_headers, **parent, **headers}
        ) as response:
            assert bearer not in self.text
            return dict(response.headers)

    @property
    def text(self) -> str:
        """The text of all spans."""
        return " ".join(span.to_json() for span in self.exporter.get_finished_spans())

    def kinds(self) -> tuple[list[ReadableSpan], list[ReadableSpan]]:
        """The spans of MCP requests, and those of the upstream requests."""
        spans = [span for span in self.exporter.get_finished_spans() if span.name not in IDENTITY]
        return tuple([span for span in spans if span.kind is kind] for kind in (SpanKind.SERVER, SpanKind.CLIENT))

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    async def ended(self, name: str) -> ReadableSpan:
        """Return the first span with this name, once there is one."""
        while not (spans := self.named(name)):
            await asyncio.sleep(0.01)
        return spans[0]

    def parents(self) -> list[list[str]]:
        """The traceparents that the API received: trace, span and flags."""
        headers_seen = [dict(call.headers) for call in self.there.api.calls]
        return [headers["traceparent"].split("-")[1:] for headers in headers_seen if "traceparent" in headers]


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    exporter = InMemorySpanExporter()

    def prepare(app: web.Application) -> None:
        app[SPANS] = SpanRecorder(SimpleSpanProcessor(exporter))

    async with served(prepare) as server:
        yield Told(server, exporter)
        await server.app[SPANS].close()


def ids(span: ReadableSpan) -> tuple[str, str, str]:
    """Trace, span and parent ("" without one)."""
    assert span.context is not None
    parent = f"{span.parent.span_id:016x}" if span.parent else ""
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}", parent


async def test_call_has_a_child_span_with_children_for_its_requests(told: Told) -> None:
    await told.call("list_budgets")
    (server,), (client,) = told.kinds()
    trace, span_id, above = ids(server)
    assert (trace, above, server.name) == (TRACE, CALLER, "tools/call list_budgets")
    assert dict(server.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/mcp",
        "http.response.status_code": 200,
        "mcp.method.name": "tools/call",
        "gen_ai.tool.name": "list_budgets",
    }
    assert server.status.status_code is StatusCode.UNSET and server.resource.attributes["service.name"] == "doit-mcp"
    assert ids(client) == (TRACE, told.parents()[0][1], span_id) and told.parents() == [[TRACE, ids(client)[1], "01"]]
    assert client.name == "budgets" and dict(client.attributes or {}) == {
        "http.request.method": "GET",
        "doit_mcp.upstream": "api",
        "http.response.status_code": 200,
    }
    assert server.start_time <= client.start_time <= client.end_time <= server.end_time  # type: ignore[operator]


async def test_every_retry_has_its_own_span(told: Told) -> None:
    told.there.api.faults += [Fault("/analytics/v1/budgets", 503), Fault("/analytics/v1/budgets", "reset")]
    await told.call("list_budgets")
    _, clients = told.kinds()
    assert [ids(span)[1] for span in clients] == [span for _, span, _ in told.parents()] and len(clients) == 3
    assert len({ids(span)[1] for span in clients}) == 3
    assert [(span.attributes or {}).get("error.type") for span in clients] == ["503", "no answer", None]


async def test_unsampled_caller_is_not_sampled(told: Told) -> None:
    await told.call("list_budgets", flags="00")
    ((trace, _, flags),) = told.parents()
    assert (trace, flags, told.exporter.get_finished_spans()) == (TRACE, "00", ())


async def test_trace_starts_here_without_a_caller(told: Told) -> None:
    headers = await told.call("list_budgets", flags="")
    (server,), _ = told.kinds()
    assert ids(server)[0] == headers["X-MCP-Trace-Id"] != TRACE and ids(server)[2] == ""
    assert told.parents()[0][::2] == [headers["X-MCP-Trace-Id"], "01"]


async def test_failures_are_recorded_without_naming_users(told: Told) -> None:
    told.there.api.faults.append(Fault("/analytics/v1/budgets", 500))
    await told.call("get_budget", {"id": "canary-of-an-argument"})
    await told.call("canary-of-a-tool")
    await told.call("list_budgets", Authorization="Bearer canary-of-a-token")
    async with told.there.http.get(f"{told.there.base}/canary-of-a-path?canary=1", headers={}) as answer:
        assert answer.status == 404
    servers, clients = told.kinds()
    outcomes = [(span.name, (span.attributes or {}).get("error.type")) for span in servers]
    assert outcomes == [
        ("tools/call get_budget", "tool_error"),
        ("tools/call", None),
        ("POST /mcp", None),
        ("GET other", None),
    ]
    assert [span.name for span in clients] == ["budget"] and clients[0].status.status_code is StatusCode.ERROR
    for secret in ("canary", ADMIN.email, ADMIN.customer, "Bearer"):
        assert secret not in told.text


async def test_token_exchange_is_a_span_of_its_request(told: Told) -> None:
    """Once per token: a cached exchange makes no request."""
    bearer = f"Bearer {told.there.world.identity.mint(ADMIN, resource=f'{told.there.base}/mcp')}"
    await told.call("list_budgets", Authorization=bearer)
    await told.call("list_budgets", Authorization=bearer)
    (exchange,), (first, _) = told.named("token exchange"), told.kinds()[0]
    assert ids(exchange)[::2] == (TRACE, ids(first)[1]) and exchange.kind is SpanKind.CLIENT
    assert dict(exchange.attributes or {}) == {
        "http.request.method": "POST",
        "doit_mcp.upstream": "identity",
        "http.response.status_code": 200,
    }
    # All spans have ended, so all have times, although their types are optional.
    assert first.start_time <= exchange.start_time <= exchange.end_time <= first.end_time  # type: ignore[operator]
    assert told.there.world.url not in told.text and bearer not in told.text and SECRET not in told.text


async def test_shared_exchange_belongs_to_the_first_request(told: Told) -> None:
    bearer = f"Bearer {told.there.world.identity.mint(ADMIN, resource=f'{told.there.base}/mcp')}"
    traces = [f"{number:032x}" for number in range(1, 6)]
    calls = [told.call("list_budgets", Authorization=bearer, traceparent=f"00-{trace}-{CALLER}-01") for trace in traces]
    await asyncio.gather(*calls)
    (exchange,), (servers, _) = told.named("token exchange"), told.kinds()
    assert [ids(exchange)[::2]] == [ids(span)[:2] for span in servers if ids(span)[1] == ids(exchange)[2]]


async def test_failed_exchange_is_recorded(told: Told) -> None:
    await told.call("list_budgets")
    told.there.world.identity.down = True
    await told.call("list_budgets")
    (_, server), clients = told.kinds()
    assert server.status.status_code is StatusCode.ERROR and len(clients) == 1
    exchanges = [((span.attributes or {}).get("error.type"), ids(span)[2]) for span in told.named("token exchange")]
    assert exchanges[1:] == [("503", ids(server)[1])] * 2


async def test_key_refresh_is_a_span_of_its_request(told: Told) -> None:
    """Background refreshes of the keys have no span."""
    await told.call("list_budgets")
    assert told.named("keys") == []
    told.there.world.identity.rotate_keys()
    await told.call("list_budgets", traceparent=f"00-{'1' * 32}-{CALLER}-01")
    (keys,), server = told.named("keys"), told.kinds()[0][-1]
    assert ids(keys)[::2] == ids(server)[:2] == ("1" * 32, ids(server)[1])
    assert (keys.attributes or {})["doit_mcp.upstream"] == "identity" and keys.status.status_code is StatusCode.UNSET


async def test_api_token_validation_is_a_span(told: Told) -> None:
    await told.call("list_budgets", Authorization=f"Bearer {ADMIN.api_token}")
    await told.call("list_budgets", Authorization="Bearer canary-of-a-token")
    (servers, _), checks = told.kinds(), told.named("API token")
    assert [ids(span)[2] for span in checks] == [ids(span)[1] for span in servers]
    assert [(span.attributes or {})["http.response.status_code"] for span in checks] == [200, 401]
    assert {(span.attributes or {})["doit_mcp.upstream"] for span in checks} == {"api"}
    for secret in (ADMIN.api_token, ADMIN.email, "canary", "validate", "customerContext"):
        assert secret not in told.text


async def test_work_outliving_its_caller_keeps_its_trace(told: Told) -> None:
    told.there.api.faults.append(Fault("/auth/v1/validate", "slow", delay=0.3))
    calling = asyncio.create_task(told.call("list_budgets", Authorization=f"Bearer {ADMIN.api_token}"))
    while not told.there.api.calls:
        await asyncio.sleep(0.01)
    calling.cancel()
    request = await told.ended("POST /mcp")
    assert told.named("API token") == []
    check = await told.ended("API token")
    assert ids(check)[::2] == ids(request)[:2] and (check.attributes or {})["http.response.status_code"] == 200


async def test_collector_receives_spans() -> None:
    exports: list[ExportTraceServiceRequest] = []

    async def collect(request: web.Request) -> web.Response:
        assert request.path == "/v1/traces"
        exports.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response(content_type="application/x-protobuf")

    runner = web.ServerRunner(web.Server(collect), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with served(otlp_endpoint=f"http://127.0.0.1:{runner.addresses[0][1]}") as server:
        await server.call("list_budgets")
    await runner.cleanup()
    names = [
        span.name for export in exports for all_of in export.resource_spans for span in all_of.scope_spans[0].spans
    ]
    assert sorted(names) == ["budgets", "token exchange", "tools/call list_budgets"]


async def test_hanging_collector_does_not_delay_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opentelemetry, "SHUTDOWN_TIMEOUT_SECONDS", 0.01)
    free = Event()

    class Hanging(SpanProcessor):
        def shutdown(self) -> None:
            free.wait()

    await SpanRecorder(Hanging()).close()
    free.set()


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "doit_mcp.observability.opentelemetry", None)
    monkeypatch.delattr("doit_mcp.observability.opentelemetry")
    with pytest.raises(BadSettings, match="extra otel"):
        product(Settings(exchange_secret="s", otlp_endpoint="http://127.0.0.1:1"))


def test_opentelemetry_is_imported_only_when_enabled() -> None:
    code = (
        "import sys; from doit_mcp.settings import Settings; from doit_mcp.transports.http.main_app import make_main_app; "
        "make_main_app(Settings(exchange_secret='s')); "
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
