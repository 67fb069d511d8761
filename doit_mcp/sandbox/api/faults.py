"""Fault injection, and records of requests."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from aiohttp import web

from ..http_requests import abort, is_disconnected
from .responses import ApiError, error_response, has_problem_details

FaultKind = int | Literal["slow", "hang", "garbage", "reset", "truncated", "huge"]
FAULT_KINDS = ("slow", "hang", "garbage", "reset", "truncated", "huge")  # in addition to status codes
MAX_DELAY_SECONDS = 300.0
HUGE_BODY_MEBIBYTES = 64
MAX_RECORDED_BODY_BYTES = 64 * 1024
EDGE_TIMEOUT_STATUS = 524  # the proxy's own response: an HTML page, not JSON


@dataclass(slots=True)
class Fault:
    """A fault for the next *times* requests (None: all) whose raw path starts with *path_prefix*.

    *operation* limits it to one operation of the API document: ``GET /analytics/v1/budgets/{id}``. *retry_after* is in
    seconds, or any text. *rate* is the share of the matching requests to fail; the others do not count. *delay* is in
    seconds; after it, a fault of kind "slow" has no further effect.
    """

    path_prefix: str
    kind: FaultKind
    times: int | None = 1
    retry_after: int | str | None = None
    rate: float = 1.0
    delay: float = 0.0
    operation: str = ""

    def matches(self, method: str, path: str) -> bool:
        """Whether the fault applies to a request with this method and raw path."""
        if not path.startswith(self.path_prefix):
            return False
        return (
            not self.operation
            or _operation_pattern(self.operation).fullmatch(f"{method} {path.partition('?')[0]}") is not None
        )


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A recorded request: raw *path* with query, *headers* in order, the start of *body*, and the *bearer* token."""

    method: str
    path: str
    tenant: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    bearer: str = field(repr=False)

    @property
    def bearer_hash(self) -> str:
        """The SHA-256 of the bearer token in hex."""
        return hashlib.sha256(self.bearer.encode()).hexdigest()

    def header(self, name: str) -> str | None:
        """The first header with this name (case-insensitive)."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def record_call(request: web.Request, body: bytes, tenant: str, bearer: str) -> RecordedCall:
    """The record of a request."""
    headers = tuple(request.headers.items())
    return RecordedCall(request.method, request.raw_path, tenant, headers, body[:MAX_RECORDED_BODY_BYTES], bearer)


def take_fault(faults: list[Fault], method: str, path: str, rng: random.Random) -> Fault | None:
    """The first fault that applies to this request; its remaining count is reduced by one."""
    for fault in faults:
        if fault.matches(method, path) and rng.random() < fault.rate:
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    faults.remove(fault)
            return fault
    return None


async def pause(seconds: float, closing: asyncio.Event) -> None:
    """Sleep, but stop when the server shuts down."""
    try:
        await asyncio.wait_for(closing.wait(), seconds)
    except TimeoutError:
        return


async def faulty_response(
    request: web.Request, fault: Fault, *, rng: random.Random, closing: asyncio.Event
) -> web.StreamResponse:
    """The response to a request that *fault* applies to."""
    if isinstance(fault.kind, int):
        problem = has_problem_details(request.path, fault.kind)
        return _status_response(fault.kind, fault.retry_after, problem=problem, rng=rng)
    if fault.kind == "hang":
        return await _hang_response(request, closing)
    if fault.kind == "huge":
        return await _huge_response(request)
    if fault.kind == "truncated":
        return await _truncated_response(request)
    if fault.kind == "reset":
        abort(request)
        return web.Response(status=500)
    return web.Response(body=b'{"result": [1, 2, <<<', content_type="application/json")


@lru_cache(maxsize=256)
def _operation_pattern(operation: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{[^/]*?\\}", "[^/]+", re.escape(operation)))


def _status_response(status: int, retry_after: int | str | None, *, problem: bool, rng: random.Random) -> web.Response:
    if status == EDGE_TIMEOUT_STATUS:
        response = edge_timeout_response()
    else:
        response = error_response(ApiError(status, f"fault switched on: {status}"), problem=problem, rng=rng)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def edge_timeout_response() -> web.Response:
    """The response of the proxy in front of the API to a request that takes too long."""
    response = web.Response(text="<html><title>524: A timeout occurred</title></html>", content_type="text/html")
    response.set_status(EDGE_TIMEOUT_STATUS, "A Timeout Occurred")
    return response


async def _hang_response(request: web.Request, closing: asyncio.Event) -> web.Response:
    # aiohttp does not cancel the handler of a disconnected client, so check for that to let tests end.
    while not closing.is_set() and not is_disconnected(request):
        try:
            await asyncio.wait_for(closing.wait(), 0.02)
        except TimeoutError:
            continue
    return web.Response(status=503)


async def _truncated_response(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type = "application/json"
    response.content_length = 1000
    await response.prepare(request)
    await response.write(b'{"result": {"rows": [')
    abort(request)
    return response


async def _huge_response(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type = "application/json"
    await response.prepare(request)
    block = b"x" * (1 << 20)
    try:
        await response.write(b'{"padding": "')
        for _ in range(HUGE_BODY_MEBIBYTES):
            await response.write(block)
        await response.write(b'"}')
        await response.write_eof()
    except ConnectionError:
        # The client stopped reading, as expected.
        return response
    return response
