"""The trace of a request: its ids and what it did, for its log line. The current one is in a context variable."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple

# W3C Trace Context, section 3.2. Later versions may be longer, so only the beginning is read.
TRACEPARENT_PATTERN = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
CLIENT_TRACE_ID_PATTERN = re.compile(r"[A-Za-z0-9._:-]{1,64}")
TRACE_ID_HEADER = "X-MCP-Trace-Id"
MAX_STATUSES = 10
"""Maximum upstream statuses in a log line. The last ones are kept, because they decide the outcome."""

MAX_REQUEST_ID_CHARACTERS = 64

CURRENT_TRACE: ContextVar[Trace | None] = ContextVar("trace", default=None)
CURRENT_OPERATION: ContextVar[Operation | None] = ContextVar("operation", default=None)
"""The MCP request in progress, if it has a trace context of its own."""


def new_span_id(random_bits: Callable[[int], int] = random.getrandbits) -> str:
    """Return a new span id: sixteen hexadecimal digits, not all zero."""
    return f"{random_bits(64) | 1:016x}"


class UpstreamRequest(NamedTuple):
    """One request to *upstream* for the operation *name*; *status* is None if there was no response.

    *started* is a value of time.perf_counter, and *seconds* the duration.
    """

    span_id: str
    upstream: str
    name: str
    method: str
    status: int | None
    started: float
    seconds: float


class RemoteSpan(NamedTuple):
    """The span of a caller, from a ``traceparent``: hexadecimal ids and flags."""

    trace_id: str
    span_id: str
    flags: str


def read_traceparent(traceparent: object) -> RemoteSpan | None:
    """Return the span that a ``traceparent`` names, or None if it is not well-formed."""
    match = TRACEPARENT_PATTERN.fullmatch(traceparent) if isinstance(traceparent, str) else None
    if match is None or not int(match[1], 16) or not int(match[2], 16):
        return None
    return RemoteSpan(match[1], match[2], match[3])


@dataclass(slots=True)
class Operation:
    """An MCP request whose ``_meta`` names the caller's span. Its upstream requests belong to the caller's trace.

    *on_upstream_request* is called with every upstream request, and *on_end* with the error type ("" on success) and
    the trace of the HTTP request; they are set only if spans are exported.
    """

    trace_id: str
    flags: str = "00"
    on_upstream_request: Callable[[UpstreamRequest], None] | None = None
    on_end: Callable[[McpFields], None] | None = None

    def make_traceparent(self, random_bits: Callable[[int], int] = random.getrandbits) -> str:
        """Return a ``traceparent`` header for an upstream request, with a new span id."""
        return f"00-{self.trace_id}-{new_span_id(random_bits)}-{self.flags}"


def rpc_status_code(error_type: str) -> str:
    """Return the JSON-RPC error code that *error_type* is, "" if it is another one."""
    return error_type if error_type.startswith("-") else ""


class McpFields(NamedTuple):
    """What is known of an MCP request when it ends. Names are known ones, never a caller's text; "" means none.

    *request_id* is the caller's, cut to MAX_REQUEST_ID_CHARACTERS.
    """

    method: str
    tool: str
    prompt: str
    error_type: str
    revision: str
    request_id: str = ""

    @property
    def status_code(self) -> str:
        """The error code of the response, "" if it has none."""
        return rpc_status_code(self.error_type)


# The same as a plain tuple, which every request makes: a named one takes ten times as long to create.
OperationFields = tuple[str, str, str, str, str]


@dataclass(slots=True)
class Trace:
    """One request: its *id*, which users can quote and operators can find in the log, and what it did.

    *trace_id* and *flags* are those of W3C Trace Context, and *parent_span_id* is the caller's span, "" without one.
    *method* and *tool* are known names, never a caller's text. The fields with *upstream* count requests to the DoiT
    API, those with *identity* the requests that identify the caller or get a token for them. *on_upstream_request* is
    called with every upstream request, and *start_operation* with the caller's span in the ``_meta`` of an MCP request;
    they are set only if spans are exported. *mcp* describes the last MCP request without a span of its own.

    A request that several callers wait for counts for the one that started it, and a background request for none.
    """

    id: str
    trace_id: str
    flags: str = "00"
    method: str = ""
    tool: str = ""
    failed: bool = False
    owner: str = ""
    customer: str = ""
    upstream_calls: int = 0
    upstream_seconds: float = 0.0
    upstream_statuses: tuple[int | None, ...] = ()
    identity_seconds: float = 0.0
    identity_statuses: tuple[int | None, ...] = ()
    parent_span_id: str = ""
    on_upstream_request: Callable[[UpstreamRequest], None] | None = None
    start_operation: Callable[[RemoteSpan], Operation] | None = None
    mcp: McpFields | None = None

    def count_upstream_call(self, status: int | None, seconds: float) -> None:
        """Count a completed request to the DoiT API; *status* is None if there was no response."""
        self.upstream_calls += 1
        self.upstream_seconds += seconds
        self.upstream_statuses = (*self.upstream_statuses[1 - MAX_STATUSES :], status)

    def count_identity_call(self, status: int | None, seconds: float) -> None:
        """Count a request that identified the caller or got a token for them."""
        self.identity_seconds += seconds
        self.identity_statuses = (*self.identity_statuses[1 - MAX_STATUSES :], status)

    def make_traceparent(self, random_bits: Callable[[int], int] = random.getrandbits) -> str:
        """Return a ``traceparent`` header for an upstream request, with a new span id."""
        return f"00-{self.trace_id}-{new_span_id(random_bits)}-{self.flags}"

    @property
    def log_fields(self) -> dict[str, object]:
        """The fields of the request's log line that have a value."""
        fields: dict[str, object] = {"trace": self.id}
        if self.method:
            fields["rpc"] = self.method
        if self.tool:
            fields["tool"], fields["failed"] = self.tool, self.failed
        if self.owner:
            fields["principal"] = self.owner[:12]
        if self.customer:
            fields["customer"] = self.customer
        if self.upstream_calls:
            fields |= {"upstream_calls": self.upstream_calls, "upstream_ms": round(self.upstream_seconds * 1000, 2)}
            fields["upstream_status"] = self.upstream_statuses
        if self.identity_statuses:
            fields |= {"identity_ms": round(self.identity_seconds * 1000, 2), "identity_status": self.identity_statuses}
        return fields


def begin_trace(headers: Mapping[str, str], random_bits: Callable[[int], int] = random.getrandbits) -> Trace:
    """Start a trace and make it current. It continues the trace in *headers* if that is well-formed."""
    traceparent = headers.get("traceparent")
    caller = None if traceparent is None else read_traceparent(traceparent)
    trace_id, parent_id, flags = (f"{random_bits(128) | 1:032x}", "", "00") if caller is None else caller
    client_trace_id = headers.get(TRACE_ID_HEADER)
    trace = Trace(
        client_trace_id if client_trace_id and CLIENT_TRACE_ID_PATTERN.fullmatch(client_trace_id) else trace_id,
        trace_id,
        flags,
        parent_span_id=parent_id,
    )
    CURRENT_TRACE.set(trace)
    return trace
