"""Reads the body of a POST. Type, encoding, size and time are checked before anything is parsed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

from aiohttp import HttpVersion11, web

from ...protocol.jsonrpc import INVALID_REQUEST, Id, RpcError, error_bytes
from ...resilience.limits import LimitExceeded
from .body_memory import BodyShare
from .buffered_response import make_response

JSON_TYPE, EVENT_STREAM_TYPE = "application/json", "text/event-stream"
# Characters of an Accept header that are parsed.
MAX_ACCEPT_CHARACTERS = 1_000
# The encoding of bodies (RFC 9110, 12.5.3): none, so that their size is known before they are read.
ACCEPTED_ENCODING = "identity"
EXPECT_CONTINUE = "100-continue"
CLOSE_HEADERS = {"Connection": "close"}
# Smaller bodies that arrive in one piece are not counted, because the limits on concurrent calls bound them.
MAX_UNCOUNTED_BYTES = 64 << 10


class RequestRejected(Exception):
    """The HTTP request is rejected with *status*. The text gives the reason."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.headers = status, headers


def limit_rejection(exceeded: LimitExceeded, headers: Mapping[str, str] | None = None) -> RequestRejected:
    """Return the error for a limit: 429 for the client's own, 503 for the server's, with Retry-After."""
    status = 429 if exceeded.scope == "owner" else 503
    return RequestRejected(status, str(exceeded), {**(headers or {}), "Retry-After": str(exceeded.retry_after_seconds)})


def rpc_error_response(
    status: int, text: str, headers: dict[str, str] | None = None, id: Id | None = None
) -> web.StreamResponse:
    """Return a JSON-RPC error for a rejected HTTP request. *id* is the ID of its message, if one was parsed."""
    return make_response(status, error_bytes(RpcError(INVALID_REQUEST, text), id), headers)


class AcceptedTypes(NamedTuple):
    """The media types that a client accepts: JSON, event streams, or both."""

    json: bool
    events: bool


ACCEPT_ALL = AcceptedTypes(True, True)


def parse_accept(request: web.Request) -> AcceptedTypes:
    """Return what ``Accept`` allows. Without the header, everything is allowed (RFC 9110, 12.5.1)."""
    values = request.headers.getall("Accept", None)
    return ACCEPT_ALL if values is None else _parse_accept_value(",".join(values)[:MAX_ACCEPT_CHARACTERS])


@lru_cache(maxsize=256)
def _parse_accept_value(value: str) -> AcceptedTypes:
    return AcceptedTypes(_accepts(value, JSON_TYPE), _accepts(value, EVENT_STREAM_TYPE))


def _accepts(value: str, kind: str) -> bool:
    main = kind.partition("/")[0]
    for item in value.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if name in (kind, f"{main}/*", "*/*") and not any(_has_zero_weight(parameter) for parameter in parameters):
            return True
    return False


def _has_zero_weight(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip() in ("0", "0.", "0.0", "0.00", "0.000")


async def read_body(request: web.Request, accepted: AcceptedTypes, timeout: float, share: BodyShare) -> bytes:
    """Return the whole body of a request whose client accepts *accepted*, counted in *share*.

    Raise RequestRejected with status 400, 406, 408, 413, 415, 429 or 503.
    """
    # Fast path: the value that most clients send needs no parsing.
    if request.headers.get("Content-Type") != JSON_TYPE and request.content_type != JSON_TYPE:
        raise RequestRejected(415, f"Content-Type must be {JSON_TYPE}")
    if (request.headers.get("Content-Encoding") or ACCEPTED_ENCODING).lower() != ACCEPTED_ENCODING:
        text = f"Content-Encoding is not supported; accepted: {ACCEPTED_ENCODING}. Send the body unencoded"
        raise RequestRejected(415, text, {"Accept-Encoding": ACCEPTED_ENCODING})
    if not (accepted.json or accepted.events):
        raise RequestRejected(406, f"Accept must allow {JSON_TYPE} or {EVENT_STREAM_TYPE}")
    if request.content.is_eof():
        # The usual case: the whole body has been received.
        body = request.content.read_nowait()
        if len(body) > request.client_max_size:
            raise _too_large_error(request)
        if len(body) > MAX_UNCOUNTED_BYTES:
            with _reject_on_overflow():
                share.add(len(body))
        return body
    if (request.content_length or 0) > request.client_max_size:
        raise _too_large_error(request)
    try:
        async with asyncio.timeout(timeout):
            with _reject_on_overflow():
                return await _receive(request, share)
    except TimeoutError:
        raise RequestRejected(408, "The body did not arrive in time", CLOSE_HEADERS) from None
    except web.RequestPayloadError:
        raise RequestRejected(400, "The body is not valid HTTP, or its chunks are too small", CLOSE_HEADERS) from None


@contextmanager
def _reject_on_overflow() -> Iterator[None]:
    try:
        yield
    except LimitExceeded as exceeded:
        raise limit_rejection(exceeded, CLOSE_HEADERS) from None


def _too_large_error(request: web.Request) -> RequestRejected:
    return RequestRejected(413, f"The body is too large: at most {request.client_max_size} bytes", CLOSE_HEADERS)


async def _receive(request: web.Request, share: BodyShare) -> bytes:
    if request.version == HttpVersion11 and request.headers.get("Expect", "").lower() == EXPECT_CONTINUE:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # The interim response does not count as a part of the response.
        request.writer.output_size = 0
    body = bytearray()
    async for piece in request.content.iter_any():
        share.add(len(piece))
        body += piece
        if len(body) > request.client_max_size:
            raise _too_large_error(request)
        # If the rest of the body has already been received, only this lets other tasks run and the timeout fire.
        await asyncio.sleep(0)
    return bytes(body)
