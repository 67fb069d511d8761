"""Client of the DoiT API for one tool call: credential, tenant, tracking, retries, and parsing of responses."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import lru_cache
from itertools import count
from typing import Any, Protocol
from uuid import uuid4

from aiohttp import ClientError, ClientResponse
from yarl import URL

from ..observability.trace import CURRENT_OPERATION, CURRENT_TRACE
from ..protocol.jsonrpc import JsonObject, parse_json_object
from ..resilience.circuit_breaker import CircuitOpen
from ..resilience.compute_thread import run_in_thread
from ..resilience.requester import SINGLE_REQUESTER, Requester
from .effects import READ_ONLY, RequestEffect
from .errors import ApiError, CredentialError
from .event_stream import EventStreamParser, StreamError
from .http import PreparedRequest, Reply, Upstream
from .operation import Operation, Request
from .replies import parse_reply
from .request_bodies import Body, encode_body
from .request_encoding import encode_query, percent_encode
from .request_errors import circuit_open_error, connection_error, credential_error, status_error, timeout_error

JSON, ANY_TYPE = "application/json", "*/*"
MAX_TRACKING_CHARACTERS = 100
MAX_PARSED_IN_PLACE_BYTES = 256 << 10
RETRIED_STATUSES = frozenset({429, 502, 503, 504})
UNCLEAR_STATUSES = frozenset({409, 412})
"""Statuses of a retry that the first attempt may have caused: it is still running, or it has already changed the
version of the object."""
MAX_RETRIES = 2
"""Maximum retries per tool call, for all of its requests together."""
FIRST_WAIT_SECONDS = 0.5
MAX_WAIT_SECONDS = 10.0
DEADLINE_SECONDS = 40.0


class Credential(Protocol):
    """Returns the bearer token for the API, a new one if *fresh*. Raises CredentialError."""

    def __call__(self, *, fresh: bool = False) -> Awaitable[str]: ...


class Client:
    """Sends the operations of one tool call. Implements Sender.

    Every request carries *tenant* (the customer id, or "") and the query parameters *tracking*, each cut to 100
    characters. The call ends *deadline* seconds after the client is created. *make_key* returns an idempotency key for
    each operation, which its retries share. The circuit breaker counts outcomes for *requester*.
    """

    def __init__(
        self,
        upstream: Upstream,
        credential: Credential,
        tenant: str = "",
        tracking: Mapping[str, str] | None = None,
        report: Callable[[str], Awaitable[None]] | None = None,
        *,
        deadline: float = DEADLINE_SECONDS,
        first_wait: float = FIRST_WAIT_SECONDS,
        random_fraction: Callable[[], float] = random.random,
        make_key: Callable[[], str] = lambda: str(uuid4()),
        requester: Requester = SINGLE_REQUESTER,
    ) -> None:
        self._upstream = upstream
        self._credential = credential
        self.tenant = tenant
        self._tracking = tuple(tracking.items()) if tracking else ()
        self._report = report
        self._clock = upstream.clock
        self._deadline = self._clock() + deadline
        # Long deadlines are for calls without a client waiting on an open connection.
        self._slow_timeout = upstream.slow_timeout if deadline <= DEADLINE_SECONDS else deadline
        self._first_wait = first_wait
        self._random_fraction = random_fraction
        self._make_key = make_key
        self._requester = requester
        self._retries = MAX_RETRIES

    def _common_query(self, operation: Operation) -> str:
        # Legacy API keys take the tenant from customerContext, not from the header.
        return _encode_common_query("" if operation.unauthenticated else self.tenant, self._tracking)

    async def report(self, message: str) -> None:
        """Report progress."""
        if self._report is not None:
            await self._report(message)

    async def send(self, operation: Operation, arguments: Mapping[str, Any]) -> Any:
        """Send an operation and return the JSON value of the response, None for an empty one. Raises ApiError."""
        request = operation.build_request(arguments)
        url = self._upstream.make_url(request, self._common_query(operation))
        body = encode_body(request, operation.content_type)
        try:
            reply = await self._send_authenticated(operation, url, body, self._own_headers(operation, request))
        except TimeoutError:
            raise timeout_error(operation) from None
        if len(reply.body) <= MAX_PARSED_IN_PLACE_BYTES:
            return parse_reply(operation, reply)
        return await run_in_thread(parse_reply, operation, reply)

    async def stream(self, operation: Operation, arguments: Mapping[str, Any]) -> AsyncGenerator[JsonObject, None]:
        """Send an operation and yield its events; text becomes {answer: text}. Raises ApiError."""
        request = operation.build_request(arguments)
        url = self._upstream.make_url(request, self._common_query(operation))
        body = encode_body(request, operation.content_type)
        own = self._own_headers(operation, request)
        try:
            for fresh in (False, True):
                async with asyncio.timeout_at(self._deadline):
                    prepared = await self._prepare(operation, url, body, own, fresh=fresh, accept="text/event-stream")
                async with AsyncExitStack() as stack:
                    effect = stack.enter_context(RequestEffect(operation.read_only))
                    effect.sent = True
                    async with asyncio.timeout_at(self._deadline):
                        response = await stack.enter_async_context(self._upstream.open_response(prepared))
                    effect.status = response.status
                    if response.status == 401 and not fresh:
                        continue
                    await self._check_event_stream(operation, response)
                    async for data in self._read_events(response):
                        yield _parse_event(data)
                    return
        except (ClientError, StreamError) as error:
            raise connection_error(operation, error) from error
        except CircuitOpen as error:
            raise circuit_open_error(error) from None
        except TimeoutError:
            raise timeout_error(operation) from None

    async def _read_events(self, response: ClientResponse) -> AsyncGenerator[str, None]:
        """Yield the data of events. Bounds each read separately, because a timeout must not span a yield."""
        parser, size = EventStreamParser(), 0
        while True:
            async with asyncio.timeout_at(self._deadline):
                chunk = await response.content.readany()
            for data in parser.feed(chunk):
                yield data
            size += len(chunk)
            if size > self._upstream.max_body:
                raise StreamError("the stream is too long")
            if not chunk:
                return

    async def _check_event_stream(self, operation: Operation, response: ClientResponse) -> None:
        """Raise ApiError unless the response is an event stream."""
        if response.status != 200:
            async with asyncio.timeout_at(self._deadline):
                content, _ = await self._upstream.read_body(response)
            raise status_error(operation, response.status, response.headers, content)
        if response.content_type != "text/event-stream":
            raise ApiError(
                "the response is not an event stream", kind="answer", status=200, maybe_applied=not operation.read_only
            )

    def _own_headers(self, operation: Operation, request: Request) -> dict[str, str]:
        """Return the headers that only some operations have. All attempts share them."""
        headers = {"If-Match": request.if_match} if request.if_match else {}
        return headers | {"Idempotency-Key": self._make_key()} if operation.needs_idempotency_key else headers

    async def _send_authenticated(
        self, operation: Operation, url: URL, body: Body | None, own: Mapping[str, str]
    ) -> Reply:
        """Send a request, again with a new credential after a 401, which means that the API did nothing yet."""
        reply = await self._send_with_retries(operation, await self._prepare(operation, url, body, own))
        if reply.status == 401 and not operation.unauthenticated:
            prepared = await self._prepare(operation, url, body, own, fresh=True)
            reply = await self._send_with_retries(operation, prepared)
        return reply

    async def _send_with_retries(self, operation: Operation, prepared: PreparedRequest) -> Reply:
        """Send a request, with retries if it is safe to repeat. Other writes are sent once."""
        max_timeout = self._slow_timeout if operation.slow else self._upstream.timeout
        error: ApiError | None = None
        with READ_ONLY if operation.read_only else RequestEffect(read_only=False) as effect:
            for attempt in count():
                try:
                    timeout = self._exchange_timeout(max_timeout)
                    effect.sent = True
                    reply = await self._upstream.exchange(prepared, timeout)
                    repeats = _is_repeat(operation, error)
                    if reply.status not in RETRIED_STATUSES and not (repeats and reply.status in UNCLEAR_STATUSES):
                        effect.status = reply.status
                        return reply
                    error = status_error(operation, reply.status, reply.headers, reply.body)
                    error.maybe_applied |= repeats
                    if reply.status == 412:
                        raise error
                except ClientError as client_error:
                    error = connection_error(operation, client_error)
                except CircuitOpen as circuit_open:
                    # The previous error is more specific, and says whether a write may have been applied.
                    raise error or circuit_open_error(circuit_open) from None
                await self._wait_before_retry(operation, error, attempt)
        raise AssertionError("unreachable")

    def _exchange_timeout(self, limit: float) -> float:
        """Return the seconds for one exchange, at most those left for the call. Raises TimeoutError after that."""
        remaining = self._deadline - self._clock()
        if remaining <= 0:
            raise TimeoutError
        return min(limit, remaining)

    async def _wait_before_retry(self, operation: Operation, error: ApiError, attempt: int) -> None:
        """Wait for Retry-After, or exponential backoff with full jitter. Raises *error* if no retry is left."""
        wait = error.retry_after
        if wait is None:
            wait = self._random_fraction() * min(MAX_WAIT_SECONDS, self._first_wait * 2**attempt)
        past_deadline = self._clock() + wait >= self._deadline
        if (open_seconds := self._upstream.breaker.retry_after_for(self._requester)) > wait:
            # The circuit is open: a retry would not be sent.
            error.retry_after = open_seconds
            raise error
        if not operation.retryable or not self._retries or wait > MAX_WAIT_SECONDS or past_deadline:
            raise error
        self._retries -= 1
        await asyncio.sleep(wait)

    async def _prepare(
        self,
        operation: Operation,
        url: URL,
        body: Body | None,
        own: Mapping[str, str],
        *,
        fresh: bool = False,
        accept: str = "",
    ) -> PreparedRequest:
        """Return the request with all headers, including *own*. Raises ApiError if there is no credential."""
        identity = {} if operation.unauthenticated else await self._identity_headers(fresh)
        accepted = accept or (ANY_TYPE if operation.text_member else JSON)
        headers = {**identity, "Accept": accepted, **own}
        if (trace := CURRENT_OPERATION.get() or CURRENT_TRACE.get()) is not None:
            headers["traceparent"] = trace.make_traceparent()
        if body is not None:
            headers["Content-Type"] = body.content_type
        content = None if body is None else body.content
        return PreparedRequest(operation.name, operation.method, url, headers, content, self._requester)

    async def _identity_headers(self, fresh: bool) -> dict[str, str]:
        """Return the headers with the credential and the customer. Raises ApiError if there is no credential."""
        try:
            token = await self._credential(fresh=fresh)
        except CredentialError as error:
            raise credential_error(error) from error
        tenant = {"X-Tenant-Id": percent_encode(self.tenant)} if self.tenant else {}
        return {"Authorization": f"Bearer {token}", **tenant}


@lru_cache(maxsize=1024)
def _encode_common_query(tenant: str, tracking: tuple[tuple[str, str], ...]) -> str:
    """Encode the query parameters that all calls of a tool by one caller share."""
    context = [("customerContext", tenant)] if tenant else []
    pairs = [(name, value[:MAX_TRACKING_CHARACTERS].encode("utf-8", "replace").decode()) for name, value in tracking]
    return encode_query([*context, *pairs])


def _is_repeat(operation: Operation, previous: ApiError | None) -> bool:
    """Return whether a request retries, with the same idempotency key, one with an unknown outcome."""
    return operation.needs_idempotency_key and previous is not None and previous.maybe_applied


def _parse_event(data: str) -> JsonObject:
    value = parse_json_object(data)
    return {"answer": data} if value is None else value
