"""HTTP requests of authentication to the identity provider and the DoiT API: bounded in size and time, no redirects."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout
from yarl import URL

from ..observability.trace import CURRENT_OPERATION, CURRENT_TRACE, UpstreamRequest, new_span_id
from ..process.file_descriptors import is_local_shortage
from ..protocol.jsonrpc import JsonObject, parse_json_object

MAX_RESPONSE_BYTES = 1 << 20
# `fetch` limits the whole request. A limit on single reads would let a response trickle in forever.
NO_TIMEOUT = ClientTimeout(total=None)


class FetchError(Exception):
    """The connection failed, or the response took too long or was too large. The message contains no address."""


class LocalShortage(FetchError):
    """This process or its system lacks resources for a connection. The upstream may be healthy."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete response; *body* is decompressed, and *retry_after* is the header as received, "" without it."""

    status: int
    body: bytes
    retry_after: str

    def json_object(self) -> JsonObject | None:
        """Return the JSON object in the body, or None if it is anything else."""
        return parse_json_object(self.body)


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
    """Return the response, whatever its status.

    Redirects are not followed, since they could send credentials elsewhere.

    *timeout_seconds* covers everything from connecting to the last byte, and *max_bytes* limits the decompressed body.
    *name* and *upstream* identify the request in the trace of the request that caused it, if there is one. Raise
    FetchError.
    """
    status, started = None, time.perf_counter()
    try:
        response = await _fetch(http, method, url, timeout_seconds, headers, form, max_bytes)
        status = response.status
        return response
    finally:
        _record_in_trace(name, upstream, method, status, started)


async def fetch_document(
    http: ClientSession, url: str, *, name: str, timeout_seconds: float, max_bytes: int = MAX_RESPONSE_BYTES
) -> JsonObject | None:
    """Return the JSON object that the identity provider publishes at *url*; None if it is not one.

    *name* identifies the request in traces. Raise FetchError, also for a status other than 200.
    """
    response = await fetch(
        http,
        "GET",
        url,
        name=name,
        upstream="identity",
        timeout_seconds=timeout_seconds,
        headers={"Accept": "application/json"},
        max_bytes=max_bytes,
    )
    if response.status != 200:
        raise FetchError(f"status {response.status}")
    return response.json_object()


def _record_in_trace(name: str, upstream: str, method: str, status: int | None, started: float) -> None:
    trace = CURRENT_TRACE.get()
    if trace is None:
        return
    trace.count_identity_call(status, seconds := time.perf_counter() - started)
    spans = CURRENT_OPERATION.get() or trace
    if spans.on_upstream_request is not None:
        spans.on_upstream_request(UpstreamRequest(new_span_id(), upstream, name, method, status, started, seconds))


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
                        raise FetchError("the response is too large")
                return HttpResponse(response.status, bytes(body), response.headers.get("Retry-After", ""))
            finally:
                # release() would first read the rest of a response that was given up.
                if response.content.at_eof():
                    response.release()
                else:
                    response.close()
    except TimeoutError:
        raise FetchError("no complete response in time") from None
    except (ClientError, OSError, ValueError) as error:
        is_local = isinstance(error, ClientConnectorError) and is_local_shortage(error)
        kind = LocalShortage if is_local else FetchError
        raise kind(f"no response ({type(error).__name__})") from None
