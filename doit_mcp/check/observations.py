"""Observations: what a request or a stream showed. The checks are functions of these and perform no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..protocol.jsonrpc import JsonObject, parse_json_object


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete response. *headers* have lower-case names.

    *clock_offset* is the response's ``Date`` minus this computer's time, in seconds; None without a ``Date``.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    clock_offset: float | None = None

    def json_object(self) -> JsonObject | None:
        """Return the JSON object in the body, or None if it is anything else."""
        return parse_json_object(self.body)


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No response: *reason* continues the sentence "no response: …"."""

    url: str
    reason: str


Observation = Reply | Unreachable


@dataclass(frozen=True, slots=True)
class StreamObservation:
    """An event stream that was watched for *watched_seconds*.

    *first_event_seconds* is when the first event arrived, *closed_seconds* when the stream ended; None if it did not.
    *keepalives* counts the comments.
    """

    url: str
    status: int
    watched_seconds: float
    first_event_seconds: float | None = None
    closed_seconds: float | None = None
    keepalives: int = 0


def describe(observation: Observation) -> str:
    """Return what was seen, such as "status 404 from https://…"."""
    if isinstance(observation, Unreachable):
        return f"no response from {observation.url}: {observation.reason}"
    return f"status {observation.status} from {observation.url}"
