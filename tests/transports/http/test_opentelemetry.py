"""OpenTelemetry spans of the product: their ids match the propagated ones, they contain no personal data, and they
can be off."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExportResult
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from doit_mcp.observability import opentelemetry, opentelemetry_metrics
from doit_mcp.observability.metrics import MCP_BUCKETS_SECONDS, Metrics
from doit_mcp.observability.opentelemetry import SpanRecorder
from doit_mcp.observability.opentelemetry_metrics import MetricsExport
from doit_mcp.sandbox.api import Fault
from doit_mcp.settings import Settings
from doit_mcp.settings.errors import BadSettings
from doit_mcp.transports.http.main_app import make_main_app
from doit_mcp.transports.http.request_logging import SPANS
from tests.transports.http.serving import ACCEPT, ADMIN, LATEST_STATEFUL, SECRET
from tests.transports.http.test_outages import Product, served

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
# Requests that authenticate the caller, or exchange the token.
IDENTITY = ("token exchange", "keys", "API token")


class TracedProduct:
    """The product and its recorded spans."""

    def __init__(self, there: Product, exporter: InMemorySpanExporter) -> None:
        self.there, self.exporter = there, exporter

    async def call(
        self, name: str, arguments: Any = None, flags: str = "01", meta: Any = None, **headers: str
    ) -> dict[str, str]:
        """Send a call with a traceparent and return the headers of the response."""
        bearer = self.there.world.identity.mint(ADMIN, resource=f"{self.there.base}/mcp")
        parent = {"traceparent": f"00-{TRACE}-{CALLER}-{flags}"} if flags else {}
        request_headers = {
            "Authorization": f"Bearer {bearer}",
            "Accept": ACCEPT,
            "MCP-Protocol-Version": LATEST_STATEFUL,
        }
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        params = {"name": name, "arguments": arguments or {}} | ({} if meta is None else {"_meta": meta})
        message |= {"params": params}  # type: ignore[dict-item]  # JSON
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
        served, sent = ([span for span in spans if span.kind is kind] for kind in (SpanKind.SERVER, SpanKind.CLIENT))
        return served, sent

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
async def traced() -> AsyncIterator[TracedProduct]:
    exporter = InMemorySpanExporter()

    def prepare(app: web.Application) -> None:
        app[SPANS] = SpanRecorder(SimpleSpanProcessor(exporter))

    async with served(prepare) as server:
        yield TracedProduct(server, exporter)
        await server.app[SPANS].close()


def ids(span: ReadableSpan) -> tuple[str, str, str]:
    """Trace, span and parent ("" without one)."""
    assert span.context is not None
    parent = f"{span.parent.span_id:016x}" if span.parent else ""
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}", parent


async def test_call_has_a_child_span_with_children_for_its_requests(traced: TracedProduct) -> None:
    await traced.call("list_labels")
    (server,), (client,) = traced.kinds()
    trace, span_id, above = ids(server)
    assert (trace, above, server.name) == (TRACE, CALLER, "tools/call list_labels")
    assert dict(server.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/mcp",
        "http.response.status_code": 200,
        "mcp.method.name": "tools/call",
        "mcp.protocol.version": LATEST_STATEFUL,
        "gen_ai.tool.name": "list_labels",
        "gen_ai.operation.name": "execute_tool",
        "network.transport": "tcp",
        "jsonrpc.request.id": "1",
    }
    assert server.status.status_code is StatusCode.UNSET and server.resource.attributes["service.name"] == "doit-mcp"
    assert ids(client) == (TRACE, traced.parents()[0][1], span_id) and traced.parents() == [
        [TRACE, ids(client)[1], "01"]
    ]
    assert client.name == "list_labels" and dict(client.attributes or {}) == {
        "http.request.method": "GET",
        "doit_mcp.upstream": "api",
        "http.response.status_code": 200,
    }
    assert server.start_time <= client.start_time <= client.end_time <= server.end_time  # type: ignore[operator]  # ended spans have times


async def test_every_retry_has_its_own_span(traced: TracedProduct) -> None:
    traced.there.api.faults += [Fault("/analytics/v1/labels", 503), Fault("/analytics/v1/labels", "reset")]
    await traced.call("list_labels")
    _, clients = traced.kinds()
    assert [ids(span)[1] for span in clients] == [span for _, span, _ in traced.parents()] and len(clients) == 3
    assert len({ids(span)[1] for span in clients}) == 3
    assert [(span.attributes or {}).get("error.type") for span in clients] == ["503", "no answer", None]


async def test_unsampled_caller_is_not_sampled(traced: TracedProduct) -> None:
    await traced.call("list_labels", flags="00")
    ((trace, _, flags),) = traced.parents()
    assert (trace, flags, traced.exporter.get_finished_spans()) == (TRACE, "00", ())


async def test_trace_starts_here_without_a_caller(traced: TracedProduct) -> None:
    headers = await traced.call("list_labels", flags="")
    (server,), _ = traced.kinds()
    assert ids(server)[0] == headers["X-MCP-Trace-Id"] != TRACE and ids(server)[2] == ""
    assert traced.parents()[0][::2] == [headers["X-MCP-Trace-Id"], "01"]


async def test_trace_context_in_meta_is_the_parent(traced: TracedProduct) -> None:
    """The MCP request has a span in the trace that its _meta names, and the HTTP request one in that of its header."""
    other_trace, other_caller = "1" * 32, "2" * 16
    meta = {"traceparent": f"00-{other_trace}-{other_caller}-01", "tracestate": "vendor=1"}
    await traced.call("list_labels", meta=meta)
    (mcp, http), (sent,) = traced.kinds()
    assert (mcp.name, *ids(mcp)[::2]) == ("tools/call list_labels", other_trace, other_caller)
    assert (http.name, *ids(http)[::2]) == ("POST /mcp", TRACE, CALLER)
    assert [(link.context.trace_id, link.context.span_id) for link in mcp.links] == [
        (http.context.trace_id, http.context.span_id)
    ]
    assert (mcp.attributes or {})["gen_ai.tool.name"] == "list_labels" and "mcp.method.name" not in http.attributes
    assert ids(sent)[::2] == ids(mcp)[:2] and traced.parents() == [[other_trace, ids(sent)[1], "01"]]
    # The next request on the connection has no trace of its own.
    await traced.call("list_labels")
    assert ids(traced.kinds()[0][-1])[0] == TRACE


async def test_trace_context_in_meta_reaches_the_api_without_a_collector() -> None:
    async with served() as server:
        await server.call("list_labels", traceparent=f"00-{TRACE}-{CALLER}-01")
        await server.call("list_labels")
        sent = [dict(call.headers)["traceparent"] for call in server.api.calls if "labels" in call.path]
    assert [parent.split("-")[1] == TRACE for parent in sent] == [True, False] and CALLER not in sent[0]


@pytest.mark.parametrize("traceparent", ["", f"00-{'0' * 32}-{CALLER}-01", "00-xyz", 7, None])
async def test_malformed_trace_context_in_meta_is_ignored(traced: TracedProduct, traceparent: object) -> None:
    await traced.call("list_labels", meta={"traceparent": traceparent})
    (server,), _ = traced.kinds()
    assert (server.name, ids(server)[0], len(server.links)) == ("tools/call list_labels", TRACE, 0)


async def test_failures_are_recorded_without_naming_users(traced: TracedProduct) -> None:
    traced.there.api.faults.append(Fault("/analytics/v1/budgets", 500))
    await traced.call("get_budget", {"id": "canary-of-an-argument"})
    await traced.call("canary-of-a-tool")
    await traced.call("list_labels", Authorization="Bearer canary-of-a-token")
    async with traced.there.http.get(f"{traced.there.base}/canary-of-a-path?canary=1", headers={}) as answer:
        assert answer.status == 404
    servers, clients = traced.kinds()
    outcomes = [(span.name, (span.attributes or {}).get("error.type")) for span in servers]
    assert outcomes == [
        ("tools/call get_budget", "tool_error"),
        ("tools/call", "-32602"),
        ("POST /mcp", None),
        ("GET other", None),
    ]
    assert [span.name for span in clients] == ["budget"] and clients[0].status.status_code is StatusCode.ERROR
    for secret in ("canary", ADMIN.email, ADMIN.customer, "Bearer"):
        assert secret not in traced.text


async def test_token_exchange_is_a_span_of_its_request(traced: TracedProduct) -> None:
    """Once per token: a cached exchange makes no request."""
    bearer = f"Bearer {traced.there.world.identity.mint(ADMIN, resource=f'{traced.there.base}/mcp')}"
    await traced.call("list_labels", Authorization=bearer)
    await traced.call("list_labels", Authorization=bearer)
    (exchange,), (first, _) = traced.named("token exchange"), traced.kinds()[0]
    assert ids(exchange)[::2] == (TRACE, ids(first)[1]) and exchange.kind is SpanKind.CLIENT
    assert dict(exchange.attributes or {}) == {
        "http.request.method": "POST",
        "doit_mcp.upstream": "identity",
        "http.response.status_code": 200,
    }
    # All spans have ended, so all have times, although their types are optional.
    assert first.start_time <= exchange.start_time <= exchange.end_time <= first.end_time  # type: ignore[operator]  # ended spans have times
    assert traced.there.world.url not in traced.text and bearer not in traced.text and SECRET not in traced.text


async def test_shared_exchange_belongs_to_the_first_request(traced: TracedProduct) -> None:
    bearer = f"Bearer {traced.there.world.identity.mint(ADMIN, resource=f'{traced.there.base}/mcp')}"
    traces = [f"{number:032x}" for number in range(1, 6)]
    calls = [
        traced.call("list_labels", Authorization=bearer, traceparent=f"00-{trace}-{CALLER}-01") for trace in traces
    ]
    await asyncio.gather(*calls)
    (exchange,), (servers, _) = traced.named("token exchange"), traced.kinds()
    assert [ids(exchange)[::2]] == [ids(span)[:2] for span in servers if ids(span)[1] == ids(exchange)[2]]


async def test_failed_exchange_is_recorded(traced: TracedProduct) -> None:
    await traced.call("list_labels")
    traced.there.world.identity.down = True
    await traced.call("list_labels")
    (_, server), clients = traced.kinds()
    assert server.status.status_code is StatusCode.ERROR and len(clients) == 1
    exchanges = [((span.attributes or {}).get("error.type"), ids(span)[2]) for span in traced.named("token exchange")]
    assert exchanges[1:] == [("503", ids(server)[1])] * 2


async def test_key_refresh_is_a_span_of_its_request(traced: TracedProduct) -> None:
    """Background refreshes of the keys have no span."""
    await traced.call("list_labels")
    assert traced.named("keys") == []
    traced.there.world.identity.rotate_keys()
    await traced.call("list_labels", traceparent=f"00-{'1' * 32}-{CALLER}-01")
    (keys,), server = traced.named("keys"), traced.kinds()[0][-1]
    assert ids(keys)[::2] == ids(server)[:2] == ("1" * 32, ids(server)[1])
    assert (keys.attributes or {})["doit_mcp.upstream"] == "identity" and keys.status.status_code is StatusCode.UNSET


async def test_api_token_validation_is_a_span(traced: TracedProduct) -> None:
    await traced.call("list_labels", Authorization=f"Bearer {ADMIN.api_token}")
    await traced.call("list_labels", Authorization="Bearer canary-of-a-token")
    (servers, _), checks = traced.kinds(), traced.named("API token")
    assert [ids(span)[2] for span in checks] == [ids(span)[1] for span in servers]
    assert [(span.attributes or {})["http.response.status_code"] for span in checks] == [200, 401]
    assert {(span.attributes or {})["doit_mcp.upstream"] for span in checks} == {"api"}
    for secret in (ADMIN.api_token, ADMIN.email, "canary", "validate", "customerContext"):
        assert secret not in traced.text


async def test_work_outliving_its_caller_keeps_its_trace(traced: TracedProduct) -> None:
    traced.there.api.faults.append(Fault("/auth/v1/validate", "slow", delay=0.3))
    calling = asyncio.create_task(traced.call("list_labels", Authorization=f"Bearer {ADMIN.api_token}"))
    while not traced.there.api.calls:
        await asyncio.sleep(0.01)
    calling.cancel()
    request = await traced.ended("POST /mcp")
    assert traced.named("API token") == []
    check = await traced.ended("API token")
    assert ids(check)[::2] == ids(request)[:2] and (check.attributes or {})["http.response.status_code"] == 200


class Collector:
    """A collector that keeps what it receives."""

    def __init__(self) -> None:
        self.traces: list[ExportTraceServiceRequest] = []
        self.metrics: list[ExportMetricsServiceRequest] = []

    async def collect(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        if request.path == "/v1/traces":
            self.traces.append(ExportTraceServiceRequest.FromString(body))
        else:
            assert request.path == "/v1/metrics"
            if request.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            self.metrics.append(ExportMetricsServiceRequest.FromString(body))
        return web.Response(content_type="application/x-protobuf")

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        runner = web.ServerRunner(web.Server(self.collect), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()


async def test_collector_receives_spans_and_metrics() -> None:
    collector = Collector()
    async with collector.serve() as url, served(otlp_endpoint=url) as server:
        await server.call("list_labels")
    names = [
        span.name
        for export in collector.traces
        for all_of in export.resource_spans
        for span in all_of.scope_spans[0].spans
    ]
    assert sorted(names) == ["list_labels", "token exchange", "tools/call list_labels"]
    (resource,) = collector.metrics[-1].resource_metrics
    described = {item.key: item.value.string_value for item in resource.resource.attributes}
    assert described["service.name"] == "doit-mcp" and described["service.instance.id"]
    metrics = {metric.name: metric for metric in resource.scope_metrics[0].metrics}
    operation = metrics["mcp.server.operation.duration"]
    points = {
        tuple(sorted((item.key, item.value.string_value) for item in point.attributes)): point
        for point in operation.histogram.data_points
    }
    point = points[
        ("gen_ai.tool.name", "list_labels"),
        ("mcp.method.name", "tools/call"),
        ("mcp.protocol.version", LATEST_STATEFUL),
        ("network.transport", "tcp"),
    ]
    assert (operation.unit, point.count, sum(point.bucket_counts)) == ("s", 1, 1)
    assert tuple(point.explicit_bounds) == MCP_BUCKETS_SECONDS and point.sum > 0 and not point.HasField("min")
    assert 0 < point.start_time_unix_nano < point.time_unix_nano
    calls = metrics["doit_mcp_tool_calls"].sum
    assert calls.is_monotonic and [point.as_double or point.as_int for point in calls.data_points] == [1]
    assert metrics["doit_mcp_sessions"].WhichOneof("data") == "gauge" and "doit_mcp_messages" not in metrics


async def test_metrics_export_can_be_off() -> None:
    collector = Collector()
    async with collector.serve() as url, served(otlp_endpoint=url, metrics_exporter="none") as server:
        await server.call("list_labels")
    assert collector.traces and not collector.metrics


async def test_hanging_collector_does_not_delay_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opentelemetry, "SHUTDOWN_TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(opentelemetry_metrics, "SHUTDOWN_TIMEOUT_SECONDS", 0.01)
    free = Event()

    class HangingExporter(ConsoleMetricExporter):
        def export(self, *args: Any, **kwargs: Any) -> MetricExportResult:
            free.wait()
            return MetricExportResult.SUCCESS

    class Hanging(SpanProcessor):
        def shutdown(self) -> None:
            free.wait()

    await SpanRecorder(Hanging()).close()
    await MetricsExport(Metrics({}).collect, HangingExporter(), 60).close()
    free.set()


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "doit_mcp.observability.opentelemetry", None)
    monkeypatch.delattr("doit_mcp.observability.opentelemetry")
    with pytest.raises(BadSettings, match="extra otel"):
        make_main_app(Settings(exchange_secret="s", otlp_endpoint="http://127.0.0.1:1"))


def test_opentelemetry_is_imported_only_when_enabled() -> None:
    code = (
        "import sys; from doit_mcp.settings import Settings; from doit_mcp.transports.http.main_app import make_main_app; "
        "make_main_app(Settings(exchange_secret='s')); "
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
