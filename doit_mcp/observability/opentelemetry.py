"""OpenTelemetry spans of requests and of their upstream requests. Imported only if spans are exported.

Spans have the ids that ``traceparent`` headers carry (W3C Trace Context; see :mod:`doit_mcp.observability.trace`).
Attributes are fixed names and numbers, never arguments, addresses, tokens or users.

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
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
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
from .trace import Trace, UpstreamRequest

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
            resource=_make_resource(), id_generator=self._id_generator, shutdown_on_exit=False
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
        return span

    def end_span(self, span: Span, trace: Trace, method: str, route: str, status: int) -> None:
        """End the span of a request with the response *status*. *method* and *route* are from fixed sets."""
        if not span.is_recording():
            return
        span.update_name(" ".join(filter(None, (trace.method, trace.tool))) or f"{method} {route}")
        span.set_attributes({"http.request.method": method, "http.route": route})
        span.set_attribute("http.response.status_code", status)
        mcp_attributes = {"mcp.method.name": trace.method, "gen_ai.tool.name": trace.tool}
        span.set_attributes({name: value for name, value in mcp_attributes.items() if value})
        if trace.failed or status >= 500:
            span.set_attribute("error.type", "tool_error" if trace.failed else str(status))
            span.set_status(Status(StatusCode.ERROR))
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
            span.set_attribute("error.type", "no answer" if request.status is None else str(request.status))
            span.set_status(Status(StatusCode.ERROR))
        span.end(started + int(request.seconds * 1e9))

    async def close(self) -> None:
        """Export the remaining spans for at most SHUTDOWN_TIMEOUT_SECONDS: the collector may be unavailable."""
        shutdown_thread = Thread(target=self._provider.shutdown, daemon=True)
        shutdown_thread.start()
        await asyncio.to_thread(shutdown_thread.join, SHUTDOWN_TIMEOUT_SECONDS)


def _parent_context(trace: Trace) -> Context:
    """Return a context with the caller's span, if any, as the parent of the request's span."""
    if not trace.parent_span_id:
        return Context()
    flags = TraceFlags(int(trace.flags, 16))
    caller = SpanContext(int(trace.trace_id, 16), int(trace.parent_span_id, 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(caller), Context())


def _make_resource() -> Resource:
    """Return the resource that the variables OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME describe."""
    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "doit-mcp", SERVICE_VERSION: __version__}))
    return resource


def open_span_recorder(endpoint: str) -> SpanRecorder:
    """Return a recorder whose spans a thread exports to the collector at *endpoint* (OTLP over HTTP)."""
    return SpanRecorder(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
