"""Trace: what one request did, for its log line; found by whoever works on the request, without being handed down."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

# W3C Trace Context, 3.2; other versions may be longer, so only their beginning is read.
PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
OWN_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
HEADER = "X-MCP-Trace-Id"

CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)


@dataclass(slots=True)
class Trace:
    """One request: the *id* that users can quote and operators find, and what is known of it by its end.

    *parent* is the traceparent of requests made for it. *method* and *tool* are names of ours, never a caller's words.
    *calls* and *seconds* are those of the DoiT API.
    """

    id: str
    parent: str
    method: str = ""
    tool: str = ""
    failed: bool = False
    owner: str = ""
    customer: str = ""
    calls: int = 0
    seconds: float = 0.0

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
    found = PARENT.fullmatch(headers.get("traceparent", ""))
    known = found is not None and int(found[1], 16) != 0 and int(found[2], 16) != 0
    trace_id = found[1] if found is not None and known else f"{bits(128):032x}"
    flags = found[3] if found is not None and known else "00"
    own = headers.get(HEADER, "")
    name = own if OWN_ID.fullmatch(own) else trace_id
    trace = Trace(name, f"00-{trace_id}-{bits(64):016x}-{flags}")
    CURRENT.set(trace)
    return trace
