"""Trace: what one request did, for its log line; found by whoever works on the request, without being handed down."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple

# W3C Trace Context, 3.2; other versions may be longer, so only their beginning is read.
PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
OWN_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
HEADER = "X-MCP-Trace-Id"

CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)


class Sent(NamedTuple):
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
    words. *calls* and *seconds* are those of the DoiT API. *parent_id* is the caller's span, if one was named; *sent*
    is kept only where somebody makes spans of it.
    """

    id: str
    trace_id: str
    flags: str = "00"
    method: str = ""
    tool: str = ""
    failed: bool = False
    owner: str = ""
    customer: str = ""
    calls: int = 0
    seconds: float = 0.0
    parent_id: str = ""
    sent: list[Sent] | None = None

    def parent(self, bits: Callable[[int], int] = random.getrandbits) -> str:
        """The traceparent of a request made for this one, as a span of its own."""
        return f"00-{self.trace_id}-{bits(64) | 1:016x}-{self.flags}"

    @property
    def facts(self) -> dict[str, object]:
        """What there is to say, for a log line."""
        said: dict[str, object] = {"trace": self.id}
        named = {"rpc": self.method, "tool": self.tool, "principal": self.owner[:12], "customer": self.customer}
        said |= {name: value for name, value in named.items() if value}
        if self.tool:
            said["failed"] = self.failed
        if self.calls:
            said |= {"upstream_calls": self.calls, "upstream_ms": round(self.seconds * 1000, 2)}
        return said


def begin(headers: Mapping[str, str], bits: Callable[[int], int] = random.getrandbits) -> Trace:
    """A trace that goes on from what the caller sent, where that is well-formed, and is the current one from now on."""
    trace_id, parent_id, flags = "", "", "00"
    if (sent := headers.get("traceparent")) and (found := PARENT.fullmatch(sent)):
        if int(found[1], 16) and int(found[2], 16):
            trace_id, parent_id, flags = found[1], found[2], found[3]
    trace_id = trace_id or f"{bits(128) | 1:032x}"
    own = headers.get(HEADER)
    trace = Trace(own if own and OWN_ID.fullmatch(own) else trace_id, trace_id, flags, parent_id=parent_id)
    CURRENT.set(trace)
    return trace
