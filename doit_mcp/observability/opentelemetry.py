"""OpenTelemetry spans of requests and of their upstream requests. Imported only if spans are exported.

Spans have the ids that ``traceparent`` headers carry (W3C Trace Context; see :mod:`doit_mcp.observability.trace`).
Attributes are fixed names and numbers, never arguments, addresses, tokens or users. Names and attributes are those of
OpenTelemetry's semantic conventions for MCP.

An HTTP request and the MCP request in it share a span, unless the ``_meta`` of the MCP request names the caller's span.
Then the MCP request has a span of its own: a child of the caller's span, linked to the span of the HTTP request.

An upstream request is a child span of the request that caused it. It is recorded when it ends, which may be after
that request: a call can continue as a task, and a caller can disconnect during a token exchange. If several requests
wait for one exchange, validation or key fetch, its parent is the one that started it. Periodic key refreshes have no
span.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from functools import partial
from threading import Thread

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from .. import __version__
from .metrics import TRANSPORT
from .telemetry_resource import make_resource
from .trace import McpFields, Operation, RemoteSpan, Trace, UpstreamRequest

SHUTDOWN_TIMEOUT_SECONDS = 3.0


class PresetIdGenerator(IdGenerator):
    """Assigns preset ids to spans instead of random ones."""

    def __init__(self) -> None:
        self.trace_id = self.span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class SpanRecorder:
    """Creates spans and passes them to *processor*. The SDK's own environment variables control sampling."""

    def __init__(self, processor: SpanProcessor) -> None:
        self._id_generator = PresetIdGenerator()
        self._provider = TracerProvider(
            resource=make_resource(), id_generator=self._id_generator, shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("doit_mcp", __version__)

    def start_span(self, trace: Trace) -> Span:
        """Start the span of the request behind *trace*, and have *trace* report upstream requests and sampling."""
        self._id_generator.trace_id, self._id_generator.span_id = int(trace.trace_id, 16), random.getrandbits(64) | 1
        span = self._tracer.start_span("request", _parent_context(trace), SpanKind.SERVER)
        trace.flags = f"{span.get_span_context().trace_flags & TraceFlags.SAMPLED:02x}"
        if span.is_recording():
            trace.on_upstream_request = partial(self._record_upstream_request, set_span_in_context(span, Context()))
        trace.start_operation = partial(self._start_operation, span.get_span_context())
        return span

    def _start_operation(self, http: SpanContext, caller: RemoteSpan) -> Operation:
        """Start the span of an MCP request that *caller* sent, in the HTTP request with the span *http*."""
        self._id_generator.span_id = random.getrandbits(64) | 1
        parent = _remote_context(caller)
        span = self._tracer.start_span("mcp", parent, SpanKind.SERVER, links=(Link(http),))
        operation = Operation(caller.trace_id, f"{span.get_span_context().trace_flags & TraceFlags.SAMPLED:02x}")
        if span.is_recording():
            operation.on_upstream_request = partial(self._record_upstream_request, set_span_in_context(span, Context()))
        operation.on_end = partial(_end_operation, span)
        return operation

    def end_span(self, span: Span, trace: Trace, method: str, route: str, status: int) -> None:
        """End the span of a request with the response *status*. *method* and *route* are from fixed sets."""
        if not span.is_recording():
            return
        span.update_name(f"{method} {route}")
        span.set_attributes({"http.request.method": method, "http.route": route})
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            _set_error(span, str(status))
        if trace.mcp is not None:
            _describe_operation(span, trace.mcp)
        span.end()

    def _record_upstream_request(self, parent: Context, request: UpstreamRequest) -> None:
        # Convert from the clock of durations to the wall clock of spans.
        started = time.time_ns() - time.perf_counter_ns() + int(request.started * 1e9)
        self._id_generator.span_id = int(request.span_id, 16)
        attributes: Mapping[str, str] = {"http.request.method": request.method, "doit_mcp.upstream": request.upstream}
        span = self._tracer.start_span(request.name.strip("_"), parent, SpanKind.CLIENT, attributes, start_time=started)
        if request.status is not None:
            span.set_attribute("http.response.status_code", request.status)
        if request.status is None or request.status >= 400:
            _set_error(span, "no answer" if request.status is None else str(request.status))
        span.end(started + int(request.seconds * 1e9))

    async def close(self) -> None:
        """Export the remaining spans for at most SHUTDOWN_TIMEOUT_SECONDS: the collector may be unavailable."""
        shutdown_thread = Thread(target=self._provider.shutdown, daemon=True)
        shutdown_thread.start()
        await asyncio.to_thread(shutdown_thread.join, SHUTDOWN_TIMEOUT_SECONDS)


def _describe_operation(span: Span, fields: McpFields) -> None:
    """Give *span* the name and the attributes of an MCP request."""
    span.update_name(f"{fields.method} {fields.tool or fields.prompt}".rstrip())
    attributes = {
        "mcp.method.name": fields.method,
        "mcp.protocol.version": fields.revision,
        "gen_ai.tool.name": fields.tool,
        "gen_ai.prompt.name": fields.prompt,
        "gen_ai.operation.name": "execute_tool" if fields.method == "tools/call" else "",
        "network.transport": TRANSPORT,
        "rpc.response.status_code": fields.status_code,
        "jsonrpc.request.id": fields.request_id,
    }
    span.set_attributes({name: value for name, value in attributes.items() if value})
    if fields.error_type:
        _set_error(span, fields.error_type)


def _end_operation(span: Span, fields: McpFields) -> None:
    if span.is_recording():
        _describe_operation(span, fields)
        span.end()


def _set_error(span: Span, error_type: str) -> None:
    span.set_attribute("error.type", error_type)
    span.set_status(Status(StatusCode.ERROR))


def _parent_context(trace: Trace) -> Context:
    """Return a context with the caller's span, if any, as the parent of the request's span."""
    if not trace.parent_span_id:
        return Context()
    return _remote_context(RemoteSpan(trace.trace_id, trace.parent_span_id, trace.flags))


def _remote_context(caller: RemoteSpan) -> Context:
    flags = TraceFlags(int(caller.flags, 16))
    context = SpanContext(int(caller.trace_id, 16), int(caller.span_id, 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(context), Context())


def open_span_recorder(endpoint: str) -> SpanRecorder:
    """Return a recorder whose spans a thread exports to the collector at *endpoint* (OTLP over HTTP)."""
    return SpanRecorder(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
