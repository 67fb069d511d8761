"""Callers: connections that send one request after another and check each response, without coroutines."""

from __future__ import annotations

import asyncio
import math
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from .client import ID_PLACEHOLDER, LegacySession, Message
from .wire import Connection


@dataclass(frozen=True, slots=True)
class Job:
    """The workload for the server that listens on *port* as process *pid*."""

    operation: str
    port: int
    pid: int
    inputs: str
    connections: int = 1
    # The number of requests to send in total; 0 to send them for *seconds* after *warmup*.
    requests: int = 0
    seconds: float = 1.0
    warmup: float = 0.3
    core: int | None = None
    tool: str = "echo"
    # The expected Content-Type of responses; any if empty.
    expect: str = ""
    # The Accept header; the usual one if empty.
    accept: str = ""
    # For probes: the number of sessions, streams or callers, and how long they are observed.
    count: int = 0
    # The size of a result in bytes.
    size: int = 0
    idle: float = 0.0


def request_message(job: Job) -> tuple[Message, int]:
    """The request of an operation, and how often its number must occur in the response: as id, and as echoed argument."""
    if job.operation == "list":
        return {"jsonrpc": "2.0", "id": ID_PLACEHOLDER, "method": "tools/list", "params": {}}, 1
    fetches = job.operation == "fetch"
    arguments: Message = (
        {"id": f"r-{ID_PLACEHOLDER}"} if fetches else {"text": f"text-{ID_PLACEHOLDER}-which-comes-back"}
    )
    if job.size:
        arguments["size"] = job.size
    params: Message = {"name": "fetch_report" if fetches else job.tool, "arguments": arguments}
    if job.operation == "stream":
        params["_meta"] = {"progressToken": ID_PLACEHOLDER}
    return {"jsonrpc": "2.0", "id": ID_PLACEHOLDER, "method": "tools/call", "params": params}, 2


class Meter:
    """Measurements between start and stop, and the first failure at any time."""

    def __init__(self) -> None:
        self.latencies = array("d")
        self.measuring = False
        self.sending = True
        # The number of requests that may still be sent.
        self.unsent = math.inf
        self.failures = 0
        self.first_failure = ""

    def may_send(self) -> bool:
        """Whether to send another request, which is then counted."""
        self.unsent -= 1
        return self.sending and self.unsent >= 0

    def record_response(self, since: float) -> None:
        """Record a correct response to the request sent at *since*."""
        if self.measuring:
            self.latencies.append(time.perf_counter() - since)

    def record_failure(self, description: str) -> None:
        """Record a wrong or missing response."""
        self.failures += 1
        self.first_failure = self.first_failure or description[:400]


class Caller:
    """The requests of one connection, driven by callbacks."""

    def __init__(
        self, connection: Connection, meter: Meter, job: Job, parts: list[bytes], min_occurrences: int
    ) -> None:
        self._connection, self._meter, self._parts = connection, meter, parts
        self._min_occurrences = min_occurrences
        self._number = 0
        self._expected_id = b""
        self._since = 0.0
        self._expected_text = (
            b"fetch_report" if job.operation == "list" else b"COMPLETED" if job.operation == "fetch" else b""
        )
        self._expected_type = b"Content-Type: " + job.expect.encode() if job.expect else b""
        self.finished = asyncio.get_running_loop().create_future()

    def start(self, number: int) -> None:
        """Start, with request ids from *number* on."""
        self._number = number
        self._connection.on_response, self._connection.on_lost = self._on_response, self._on_lost
        self.send()

    def send(self) -> None:
        """Send the next request."""
        self._number += 1
        self._expected_id = b"%d" % self._number
        request = self.build_request()
        self._since = time.perf_counter()
        self._connection.transport.write(request)

    def build_request(self) -> bytes:
        """The bytes of the next request."""
        return self._expected_id.join(self._parts)

    def _on_response(self, status: int, head: bytes, body: bytes) -> None:
        is_correct = (
            status == 200 and body.count(self._expected_id) >= self._min_occurrences and self._expected_text in body
        )
        if is_correct and b'"isError":true' not in body and self._expected_type.lower() in head.lower():
            self._meter.record_response(self._since)
        else:
            self._meter.record_failure(f"{status} {head[:200]!r} {body[:200]!r}")
        if self._meter.may_send():
            self.send()
        elif not self.finished.done():
            self.finished.set_result(None)

    def _on_lost(self) -> None:
        if not self.finished.done():
            self._meter.record_failure("the server closed the connection")
            self.finished.set_result(None)


class NewTokenCaller(Caller):
    """A caller that sends each request with a new token."""

    tokens: Iterator[str]
    old_token: bytes

    def build_request(self) -> bytes:
        """The request with the next token; all tokens have the same length."""
        head, *more_parts = self._parts
        return self._expected_id.join([head.replace(self.old_token, next(self.tokens).encode(), 1), *more_parts])


class LegacyCaller(Caller):
    """A caller on the HTTP+SSE transport: a request is complete when its POST is accepted and its response has arrived."""

    def attach(self, session: LegacySession) -> None:
        """Receive responses from the session's stream."""
        self._parts_left = 2
        self._response_body = b""
        session.on_message = self._on_message

    def send(self) -> None:
        """Send the next request."""
        self._parts_left, self._response_body = 2, b""
        super().send()

    def _on_message(self, data: bytes) -> None:
        # Other messages, such as log messages, are skipped.
        if self._expected_id and self._expected_id in data:
            self._response_body = data
            self._complete_part()

    def _on_response(self, status: int, head: bytes, body: bytes) -> None:
        if status not in (200, 202):
            self._meter.record_failure(f"post: {status} {body[:200]!r}")
        self._complete_part()

    def _complete_part(self) -> None:
        self._parts_left -= 1
        if self._parts_left == 0:
            super()._on_response(200, b"", self._response_body)
