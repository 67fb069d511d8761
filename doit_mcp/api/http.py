"""HTTP to the DoiT API: one connection pool, requests sent exactly once, responses of bounded size."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from typing import NamedTuple

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    ServerDisconnectedError,
    TCPConnector,
)
from yarl import URL

from ..observability.rate_limited_warning import RateLimitedWarning
from ..observability.trace import CURRENT_OPERATION, CURRENT_TRACE, Trace, UpstreamRequest
from ..process.file_descriptors import is_local_shortage, max_connections_per_side
from ..resilience.circuit_breaker import CircuitBreaker
from ..resilience.requester import Requester
from .errors import ApiError
from .operation import Request
from .request_encoding import encode_query, query_pairs

log = logging.getLogger(__name__)

MAX_URL_CHARACTERS = 8_192
MAX_BODY_BYTES = 5 << 20
CONNECT_TIMEOUT_SECONDS = 5.0
TIMEOUT_SECONDS = 25.0
SLOW_TIMEOUT_SECONDS = 40.0
# Upstream, operation, status (None without a response) and duration in seconds of an exchange.
OnExchange = Callable[[str, str, int | None, float], None]


class SeveredError(ClientError):
    """The connection broke after the request may have been sent.

    Replaces ServerDisconnectedError and ClientOSError, after which aiohttp resends GET, PUT and DELETE on its own.
    """


class PreparedRequest(NamedTuple):
    """A request of the operation *name*, ready to be sent. The circuit breaker counts its outcome for *requester*."""

    name: str
    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None
    requester: Requester


class Reply(NamedTuple):
    """A response with its decompressed body. *complete* is False if the body exceeded the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool


async def forbid_resend(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Client middleware that keeps aiohttp from resending requests."""
    try:
        return await handler(request)
    except (ClientConnectorError, ConnectionTimeoutError):
        raise
    except (ClientOSError, ServerDisconnectedError) as error:
        raise SeveredError(str(error)) from error


MIDDLEWARES = (forbid_resend,)


def open_session() -> ClientSession:
    """Return a session without cookies, which users would share. Call this in a running event loop.

    Only the file descriptors of the process limit its connections; further requests wait for one. Concurrency per
    caller is limited elsewhere.
    """
    # For aiohttp, 0 means no limit.
    limit = max_connections_per_side() or 0
    return ClientSession(cookie_jar=DummyCookieJar(), connector=TCPConnector(limit=limit, ttl_dns_cache=60))


@asynccontextmanager
async def open_upstream(
    base_url: str, *, timeout: float = TIMEOUT_SECONDS, slow_timeout: float = SLOW_TIMEOUT_SECONDS
) -> AsyncIterator["Upstream"]:
    """Open an Upstream with its own session, and close it on exit."""
    async with open_session() as http:
        yield Upstream(http, base_url, timeout=timeout, slow_timeout=slow_timeout)


class Upstream:
    """The DoiT API at *base_url*, whose path is kept, reached through the session *http*. One per process.

    *timeout* and *slow_timeout* limit one exchange, in seconds, for ordinary and for slow operations. The methods that
    send raise CircuitOpen while *breaker* is open.
    """

    def __init__(
        self,
        http: ClientSession,
        base_url: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        slow_timeout: float = SLOW_TIMEOUT_SECONDS,
        connect_timeout: float = CONNECT_TIMEOUT_SECONDS,
        max_body: int = MAX_BODY_BYTES,
        on_exchange: OnExchange = lambda upstream, operation, status, seconds: None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self._http = http
        base = URL(base_url.rstrip("/"), encoded=True)
        self._scheme, self._authority, self._base_path = base.scheme, base.raw_authority, base.raw_path.rstrip("/")
        self._base_length = len(str(base))
        self._connect_timeout = connect_timeout
        # The usual timeouts, created once.
        self._client_timeouts: dict[float | None, ClientTimeout] = {
            total: ClientTimeout(total=total, sock_connect=connect_timeout) for total in (timeout, slow_timeout)
        }
        self.timeout = timeout
        self.slow_timeout = slow_timeout
        self.max_body = max_body
        self._on_exchange = on_exchange
        self._warn_shortage = RateLimitedWarning(log, "file descriptors are low; a connection to the DoiT API failed")
        self.breaker = breaker or CircuitBreaker("api")

    def make_url(self, request: Request, common_query: str) -> URL:
        """Return the URL of *request* with the encoded *common_query*. Raises ApiError ("argument") if over 8 KB.

        The URL is marked as encoded, so that aiohttp does not normalize its path.
        """
        try:
            query = encode_query(query_pairs(request.query)) if request.query else ""
        except UnicodeEncodeError:
            raise ApiError("an argument is not valid Unicode text", kind="argument") from None
        full_query = f"{query}&{common_query}" if query and common_query else query or common_query
        if self._base_length + len(request.path) + len(full_query) + bool(full_query) > MAX_URL_CHARACTERS:
            raise ApiError("the arguments are too long for one request", kind="argument")
        # Building it from its parts is cheaper than parsing the whole URL.
        return URL.build(
            scheme=self._scheme,
            authority=self._authority,
            path=self._base_path + request.path,
            query_string=full_query,
            encoded=True,
        )

    @cached_property
    def clock(self) -> Callable[[], float]:
        """The event loop's clock. Python 3.11 makes a system call to look up the loop."""
        return asyncio.get_running_loop().time

    @asynccontextmanager
    async def open_response(self, request: PreparedRequest) -> AsyncIterator[ClientResponse]:
        """Send one request without a timeout and yield its response. Any interruption closes the connection."""
        ticket = self.breaker.enter(request.requester)
        trace, status = CURRENT_TRACE.get(), None
        request = _with_span_header(request, trace)
        started = time.perf_counter()
        try:
            try:
                response = await self._send(request, None)
            except BaseException as error:
                self._report_failure(ticket, error, request, None)
                raise
            status = response.status
            self._report_status(ticket, status, request)
            try:
                yield response
            finally:
                _release(response)
        finally:
            self._record(trace, request, status, started)

    def _send(self, request: PreparedRequest, timeout: float | None) -> Awaitable[ClientResponse]:
        _, method, url, headers, body, _ = request
        client_timeout = self._client_timeouts.get(timeout) or ClientTimeout(
            total=timeout, sock_connect=self._connect_timeout
        )
        return self._http.request(
            method,
            url,
            headers=headers,
            data=body,
            timeout=client_timeout,
            allow_redirects=False,
            middlewares=MIDDLEWARES,
        )

    async def exchange(self, request: PreparedRequest, timeout: float) -> Reply:
        """Send one request and read the response, both within *timeout* seconds.

        Raises CircuitOpen, aiohttp.ClientError or TimeoutError.
        """
        ticket = self.breaker.enter(request.requester)
        trace, status = CURRENT_TRACE.get(), None
        request = _with_span_header(request, trace)
        started = time.perf_counter()
        try:
            response = await self._send(request, timeout)
            try:
                content, complete = await self.read_body(response)
            finally:
                _release(response)
            status = response.status
            self._report_status(ticket, status, request)
            return Reply(status, response.headers, content, complete)
        except BaseException as error:
            self._report_failure(ticket, error, request, timeout)
            raise
        finally:
            self._record(trace, request, status, started)

    def _record(self, trace: Trace | None, request: PreparedRequest, status: int | None, started: float) -> None:
        """Record a finished request in the metrics and in the trace of the incoming request."""
        seconds, upstream = time.perf_counter() - started, self.breaker.name
        if trace is not None:
            trace.count_upstream_call(status, seconds)
            spans = CURRENT_OPERATION.get() or trace
            if spans.on_upstream_request is not None:
                span_id = request.headers["traceparent"].split("-")[2]
                spans.on_upstream_request(
                    UpstreamRequest(span_id, upstream, request.name, request.method, status, started, seconds)
                )
        self._on_exchange(upstream, request.name.strip("_"), status, seconds)

    def _report_status(self, ticket: int, status: int, request: PreparedRequest) -> None:
        if status < 500:
            # Client errors, including 429, mean that the API is working.
            self.breaker.record_success(ticket)
        else:
            self.breaker.record_failure(ticket, request.requester, request.name)

    def _report_failure(
        self, ticket: int, error: BaseException, request: PreparedRequest, timeout: float | None
    ) -> None:
        """Report to the breaker why there is no response."""
        if isinstance(error, ClientConnectorError) and is_local_shortage(error):
            self._warn_shortage()
            self.breaker.record_no_outcome(ticket)
        elif isinstance(error, ClientConnectorError | ConnectionTimeoutError):
            self.breaker.record_failure(ticket, None, request.name)
        elif isinstance(error, ClientError) or (isinstance(error, TimeoutError) and timeout == self.timeout):
            self.breaker.record_failure(ticket, request.requester, request.name)
        else:
            # The caller left, the operation is slow, or the call had little time left: the API did not fail.
            self.breaker.record_no_outcome(ticket)

    async def read_body(self, response: ClientResponse) -> tuple[bytes, bool]:
        """Return the decompressed body up to the limit, and whether it is complete."""
        stream = response.content
        chunk = await stream.readany()
        if stream.at_eof() and len(chunk) <= self.max_body:
            return chunk, True
        content = bytearray(chunk)
        while chunk and len(content) <= self.max_body:
            # Yield to other tasks, because a buffered body is read without waiting.
            await asyncio.sleep(0)
            chunk = await stream.readany()
            content += chunk
        complete = len(content) <= self.max_body
        return bytes(content if complete else content[: self.max_body]), complete


def _with_span_header(request: PreparedRequest, trace: Trace | None) -> PreparedRequest:
    """Return *request*, with its own traceparent if tracing is on."""
    spans = CURRENT_OPERATION.get() or trace
    if spans is None or spans.on_upstream_request is None:
        return request
    return request._replace(headers={**request.headers, "traceparent": spans.make_traceparent()})


def _release(response: ClientResponse) -> None:
    # Not release(): draining an unread body would keep the connection.
    if response.content.at_eof():
        response.release()
    else:
        response.close()
