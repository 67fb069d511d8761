"""Reading the body of a POST: type, encoding, size and time are checked before a byte is parsed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

from aiohttp import HttpVersion11, web

from ...protocol.jsonrpc import INVALID_REQUEST, Id, RpcError, error_bytes
from .body_memory import Share, TooManyBytes
from .post_response import whole

JSON, EVENTS = "application/json", "text/event-stream"
# Characters of an Accept header that are looked at.
MOST_ACCEPT = 1_000
CONTINUE = "100-continue"
CLOSE = {"Connection": "close"}
# Shorter bodies that arrive in one piece are not counted: the calls in flight bound those.
MAX_UNCOUNTED_BYTES = 64 << 10
# Callers parse longer bodies in a thread.
MAX_IN_PLACE_BYTES = 128 << 10


class Refused(Exception):
    """The HTTP request itself cannot be served; the text says why."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.headers = status, headers


def refuse(status: int, text: str, headers: dict[str, str] | None = None, id: Id | None = None) -> web.StreamResponse:
    """The answer to an HTTP request that cannot be served; *id* is that of the message in it, if one was read."""
    return whole(status, error_bytes(RpcError(INVALID_REQUEST, text), id), headers)


class Takes(NamedTuple):
    """What a client can be answered with."""

    json: bool
    events: bool


EVERYTHING = Takes(True, True)


def takes(request: web.Request) -> Takes:
    """What ``Accept`` allows; no header allows all (RFC 9110, 12.5.1)."""
    values = request.headers.getall("Accept", None)
    return EVERYTHING if values is None else _takes(",".join(values)[:MOST_ACCEPT])


@lru_cache(maxsize=256)
def _takes(value: str) -> Takes:
    return Takes(_accepted(value, JSON), _accepted(value, EVENTS))


def _accepted(value: str, kind: str) -> bool:
    main = kind.partition("/")[0]
    for item in value.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if name in (kind, f"{main}/*", "*/*") and not any(_zero(parameter) for parameter in parameters):
            return True
    return False


def _zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip() in ("0", "0.", "0.0", "0.00", "0.000")


async def read(request: web.Request, timeout: float, share: Share) -> bytes:
    """The whole body of a request, counted in *share*; raises :class:`Refused` with 400, 406, 408, 413, 415, 429 or
    503."""
    # What nearly all clients send needs no parsing.
    if request.headers.get("Content-Type") != JSON and request.content_type != JSON:
        raise Refused(415, f"Content-Type must be {JSON}")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused(415, "Content-Encoding is not supported; send the body as it is")
    if not any(takes(request)):
        raise Refused(406, f"Accept must allow {JSON} or {EVENTS}")
    if request.content.is_eof():
        # It is all here, as it nearly always is.
        body = request.content.read_nowait()
        if len(body) > request.client_max_size:
            raise _too_large(request)
        if len(body) > MAX_UNCOUNTED_BYTES:
            with _refusing():
                share.add(len(body))
        return body
    if (request.content_length or 0) > request.client_max_size:
        raise _too_large(request)
    try:
        async with asyncio.timeout(timeout):
            with _refusing():
                return await _receive(request, share)
    except TimeoutError:
        raise Refused(408, "The body did not arrive in time", CLOSE) from None
    except web.RequestPayloadError:
        raise Refused(400, "The body is not valid HTTP, or its chunks are too small", CLOSE) from None


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except TooManyBytes as full:
        raise Refused(full.status, str(full), CLOSE | {"Retry-After": "5"}) from None


def _too_large(request: web.Request) -> Refused:
    return Refused(413, f"The body is too large: at most {request.client_max_size} bytes", CLOSE)


async def _receive(request: web.Request, share: Share) -> bytes:
    if request.version == HttpVersion11 and request.headers.get("Expect", "").lower() == CONTINUE:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # It is no part of the answer, which has not begun.
        request.writer.output_size = 0
    body = bytearray()
    async for piece in request.content.iter_any():
        share.add(len(piece))
        body += piece
        if len(body) > request.client_max_size:
            raise _too_large(request)
        # Where the rest of the body has been received already, nothing else would interrupt parsing it.
        await asyncio.sleep(0)
    return bytes(body)
