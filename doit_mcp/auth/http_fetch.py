"""One request to the identity provider or the DoiT API: no redirects, an answer with a bound, a limit on all of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout
from yarl import URL

from ..observability.trace import CURRENT_TRACE, UpstreamRequest, new_span_id
from ..process.file_descriptors import is_local_shortage
from ..protocol.jsonrpc import JsonObject

MAX_RESPONSE_BYTES = 1 << 20
# One limit for everything is set around it all; a limit on reads alone would let an answer drip in forever.
NO_TIMEOUT = ClientTimeout(total=None)


class FetchError(Exception):
    """There is no usable answer: no connection, a broken one, too late, too large. The message names no address."""


class LocalShortage(FetchError):
    """This process or its system could open no connection, which says nothing about the other side."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole answer; *body* is decompressed, *retry_after* the header as it came."""

    status: int
    body: bytes
    retry_after: str

    def json_object(self) -> JsonObject | None:
        """The JSON object in the body; None for anything else."""
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None
        return value if isinstance(value, dict) else None


async def fetch(
    http: ClientSession,
    method: str,
    url: str,
    *,
    name: str,
    upstream: str,
    timeout_seconds: float,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    max_bytes: int = MAX_RESPONSE_BYTES,
) -> HttpResponse:
    """The answer, whatever its status; a redirect is an answer too (it would carry credentials elsewhere).

    *timeout_seconds* limits everything from connecting to the last byte, *max_bytes* is the size of the body in bytes. *name* and
    *upstream* are what it is called in the trace of the request that it is made for, if there is one.
    Raises FetchError.
    """
    status, started = None, time.perf_counter()
    try:
        answer = await _fetch(http, method, url, timeout_seconds, headers, form, max_bytes)
        status = answer.status
        return answer
    finally:
        _record_in_trace(name, upstream, method, status, started)


def _record_in_trace(name: str, upstream: str, method: str, status: int | None, started: float) -> None:
    trace = CURRENT_TRACE.get()
    if trace is None:
        return
    trace.count_identity_call(status, seconds := time.perf_counter() - started)
    if trace.on_upstream_request is not None:
        trace.on_upstream_request(UpstreamRequest(new_span_id(), upstream, name, method, status, started, seconds))


async def _fetch(
    http: ClientSession,
    method: str,
    url: str,
    timeout_seconds: float,
    headers: Mapping[str, str] | None,
    form: Mapping[str, str] | None,
    max_bytes: int,
) -> HttpResponse:
    try:
        async with asyncio.timeout(timeout_seconds):
            response = await http.request(
                method, URL(url, encoded=True), headers=headers, data=form, allow_redirects=False, timeout=NO_TIMEOUT
            )
            try:
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > max_bytes:
                        raise FetchError("the answer is too large")
                return HttpResponse(response.status, bytes(body), response.headers.get("Retry-After", ""))
            finally:
                # Not release(): the rest of an answer that was given up would be drained first.
                if response.content.at_eof():
                    response.release()
                else:
                    response.close()
    except TimeoutError:
        raise FetchError("no complete answer in time") from None
    except (ClientError, OSError, ValueError) as error:
        own = isinstance(error, ClientConnectorError) and is_local_shortage(error)
        kind = LocalShortage if own else FetchError
        raise kind(f"no answer ({type(error).__name__})") from None
