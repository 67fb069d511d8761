"""Spans for OpenTelemetry, of each request and of what it asked upstream; imported only where they are exported.

They have the ids that travel in ``traceparent`` headers anyway (W3C Trace Context): :mod:`doit_mcp.observability.trace` knows them.
Attributes are names of ours and numbers: never an argument, an address, a token or who it was.

What is sent upstream is a span below the request that it was sent for, made when it is over: that may be after the
request, of a call that goes on as a task or an exchange whose caller left. Where several requests wait for one
exchange, validation or look at the keys, it stands below the one that started it. Keys that are refreshed because time
has passed are nobody's request, and no span.
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
    """Hands out the ids that the next span is to have, in place of new ones."""

    def __init__(self) -> None:
        self.trace_id = self.span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class SpanRecorder:
    """Makes spans and gives them to *processor*. Which traces are sampled is what the SDK's own variables say."""

    def __init__(self, processor: SpanProcessor) -> None:
        self._id_generator = PresetIdGenerator()
        self._provider = TracerProvider(
            resource=_make_resource(), id_generator=self._id_generator, shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("doit_mcp", __version__)

    def start_span(self, trace: Trace) -> Span:
        """The span of the request of *trace*, which from now on says what is sent for it, and whether it is sampled."""
        self._id_generator.trace_id, self._id_generator.span_id = int(trace.trace_id, 16), random.getrandbits(64) | 1
        span = self._tracer.start_span("request", _parent_context(trace), SpanKind.SERVER)
        trace.flags = f"{span.get_span_context().trace_flags & TraceFlags.SAMPLED:02x}"
        if span.is_recording():
            trace.on_upstream_request = partial(self._record_upstream_request, set_span_in_context(span, Context()))
        return span

    def end_span(self, span: Span, trace: Trace, method: str, route: str, status: int) -> None:
        """The request was answered with *status*; *method* and *route* are names of ours."""
        if not span.is_recording():
            return
        span.update_name(" ".join(filter(None, (trace.method, trace.tool))) or f"{method} {route}")
        span.set_attributes({"http.request.method": method, "http.route": route})
        span.set_attribute("http.response.status_code", status)
        named = {"mcp.method.name": trace.method, "gen_ai.tool.name": trace.tool}
        span.set_attributes({name: value for name, value in named.items() if value})
        if trace.failed or status >= 500:
            span.set_attribute("error.type", "tool_error" if trace.failed else str(status))
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def _record_upstream_request(self, parent: Context, request: UpstreamRequest) -> None:
        # From the clock that durations are taken from to the one that spans are dated by.
        started = time.time_ns() - time.perf_counter_ns() + int(request.started * 1e9)
        self._id_generator.span_id = int(request.span_id, 16)
        said: Mapping[str, str] = {"http.request.method": request.method, "doit_mcp.upstream": request.upstream}
        span = self._tracer.start_span(request.name.strip("_"), parent, SpanKind.CLIENT, said, start_time=started)
        if request.status is not None:
            span.set_attribute("http.response.status_code", request.status)
        if request.status is None or request.status >= 400:
            span.set_attribute("error.type", "no answer" if request.status is None else str(request.status))
            span.set_status(Status(StatusCode.ERROR))
        span.end(started + int(request.seconds * 1e9))

    async def close(self) -> None:
        """Export what is left, unless that takes long: a collector that is away must not hold up the shutdown."""
        closing = Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, SHUTDOWN_TIMEOUT_SECONDS)


def _parent_context(trace: Trace) -> Context:
    """Where the request's span belongs: below that of the caller, or nowhere."""
    if not trace.parent_span_id:
        return Context()
    flags = TraceFlags(int(trace.flags, 16))
    caller = SpanContext(int(trace.trace_id, 16), int(trace.parent_span_id, 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(caller), Context())


def _make_resource() -> Resource:
    """What OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say, and our own name where they name nothing."""
    found = Resource.create()
    if str(found.attributes[SERVICE_NAME]).startswith("unknown_service"):
        found = found.merge(Resource({SERVICE_NAME: "doit-mcp", SERVICE_VERSION: __version__}))
    return found


def open_span_recorder(endpoint: str) -> SpanRecorder:
    """Spans that go to the collector at *endpoint* (OTLP over HTTP), from a thread of their own."""
    return SpanRecorder(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
