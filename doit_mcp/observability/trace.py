"""Trace: what one request did, for its log line; found by whoever works on the request, without being handed down."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple

# W3C Trace Context, 3.2; other versions may be longer, so only their beginning is read.
TRACEPARENT_PATTERN = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
CLIENT_TRACE_ID_PATTERN = re.compile(r"[A-Za-z0-9._:-]{1,64}")
TRACE_ID_HEADER = "X-MCP-Trace-Id"
MAX_STATUSES = 10
"""Of a request that sent more than that the last ones are told: they are what became of it."""

CURRENT_TRACE: ContextVar[Trace | None] = ContextVar("trace", default=None)


def new_span_id(random_bits: Callable[[int], int] = random.getrandbits) -> str:
    """Sixteen hexadecimal digits, never all of them zero."""
    return f"{random_bits(64) | 1:016x}"


class UpstreamRequest(NamedTuple):
    """One request to an *upstream*, of the operation called *name*; *status* None where no answer came.

    *started* is a time of time.perf_counter.
    """

    span_id: str
    upstream: str
    name: str
    method: str
    status: int | None
    started: float
    seconds: float


@dataclass(slots=True)
class Trace:
    """One request: the *id* that users can quote and operators find, and what is known of it by its end.

    *trace_id* and *flags* are those of W3C Trace Context. *method* and *tool* are names of ours, never a caller's
    words. *upstream_calls*, *upstream_seconds* and *upstream_statuses* are those of the DoiT API, the ones with *identity* those of finding out
    who calls and of getting a token for them. *parent_span_id* is the caller's span, if one was named; *on_upstream_request* is there only
    where spans are made, and hears of everything sent.

    What several requests wait for is told of the one that started it; what begins without a request is told of none.
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

    def count_upstream_call(self, status: int | None, seconds: float) -> None:
        """Count a request to the DoiT API that is over; *status* None where no answer came."""
        self.upstream_calls += 1
        self.upstream_seconds += seconds
        self.upstream_statuses = (*self.upstream_statuses[1 - MAX_STATUSES :], status)

    def count_identity_call(self, status: int | None, seconds: float) -> None:
        """Count a request that was made to know the caller, or to act for them."""
        self.identity_seconds += seconds
        self.identity_statuses = (*self.identity_statuses[1 - MAX_STATUSES :], status)

    def make_traceparent(self, random_bits: Callable[[int], int] = random.getrandbits) -> str:
        """The traceparent of a request made for this one, as a span of its own."""
        return f"00-{self.trace_id}-{new_span_id(random_bits)}-{self.flags}"

    @property
    def log_fields(self) -> dict[str, object]:
        """What there is to say, for a log line."""
        said: dict[str, object] = {"trace": self.id}
        if self.method:
            said["rpc"] = self.method
        if self.tool:
            said["tool"], said["failed"] = self.tool, self.failed
        if self.owner:
            said["principal"] = self.owner[:12]
        if self.customer:
            said["customer"] = self.customer
        if self.upstream_calls:
            said |= {"upstream_calls": self.upstream_calls, "upstream_ms": round(self.upstream_seconds * 1000, 2)}
            said["upstream_status"] = self.upstream_statuses
        if self.identity_statuses:
            said |= {"identity_ms": round(self.identity_seconds * 1000, 2), "identity_status": self.identity_statuses}
        return said


def begin_trace(headers: Mapping[str, str], random_bits: Callable[[int], int] = random.getrandbits) -> Trace:
    """A trace that goes on from what the caller sent, where that is well-formed, and is the current one from now on."""
    trace_id, parent_id, flags = "", "", "00"
    if (sent := headers.get("traceparent")) and (found := TRACEPARENT_PATTERN.fullmatch(sent)):
        if int(found[1], 16) and int(found[2], 16):
            trace_id, parent_id, flags = found[1], found[2], found[3]
    trace_id = trace_id or f"{random_bits(128) | 1:032x}"
    own = headers.get(TRACE_ID_HEADER)
    trace = Trace(
        own if own and CLIENT_TRACE_ID_PATTERN.fullmatch(own) else trace_id, trace_id, flags, parent_span_id=parent_id
    )
    CURRENT_TRACE.set(trace)
    return trace
