"""Client connections: aiohttp's protocol with limits on received data, and errors that never quote the request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.http_parser import HttpRequestParser
from aiohttp.web_protocol import RequestHandler, RequestPayloadError

from ...observability.trace import TRACE_ID_HEADER
from ...protocol.jsonrpc import INVALID_REQUEST, RpcError, error_bytes
from .buffered_response import make_response
from .connection_limits import ConnectionLimits
from .request_head_limits import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_PIPELINED_REQUESTS,
    MAX_TARGET_BYTES,
    HeadParser,
    HeadTooLarge,
    TooManyPipelinedRequests,
)
from .request_logging import log_unreadable_request
from .request_spelling import with_canonical_path

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Bytes of a body to read ahead of the handler.
READ_AHEAD_BYTES = 64 << 10


class ClientConnection(RequestHandler):
    """Limits what a client can make the process hold, and never quotes the request in errors.

    aiohttp would quote its bytes, including a bearer token.
    """

    __slots__ = ("_head_parser", "_limits")

    def __init__(
        self, manager: web.Server, limits: ConnectionLimits, *, loop: asyncio.AbstractEventLoop, **options: Any
    ) -> None:
        super().__init__(manager, loop=loop, **options)
        self._limits = limits
        parser = HttpRequestParser(
            self,
            loop,
            READ_AHEAD_BYTES,
            max_line_size=MAX_TARGET_BYTES,
            # Never reached, because the size of the whole head is limited.
            max_field_size=4 * MAX_HEAD_BYTES,
            max_headers=MAX_HEADERS,
            payload_exception=RequestPayloadError,
            auto_decompress=False,
        )
        self._head_parser = HeadParser(parser, self._on_head_bytes, self._messages)
        self._parser = self._head_parser  # type: ignore[assignment]  # it has all the methods that aiohttp calls

    def _on_head_bytes(self, size: int) -> None:
        self._limits.silent_connections.untrack(self)
        if size:
            self._limits.incomplete_heads.track(self, size)
        else:
            self._limits.incomplete_heads.untrack(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, and track it until its first bytes arrive."""
        super().connection_made(transport)
        self._limits.open_connections += 1
        self._limits.silent_connections.track(self, 0)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop counting and tracking the connection."""
        self._limits.open_connections -= 1
        self._limits.silent_connections.untrack(self)
        self._limits.incomplete_heads.untrack(self)
        super().connection_lost(exc)

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Resume reading if it was paused. aiohttp calls this after each read of a body, paused or not."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def _process_keepalive(self) -> None:
        # An unfinished head has its own deadline. aiohttp sets this timer again after the response.
        if self in self._limits.incomplete_heads:
            self._keepalive_handle = None
        else:
            super()._process_keepalive()

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Send *resp*.

        Errors that aiohttp raises outside any handler, as for Expect, are replaced, because they quote the request.
        """
        # It can only be a web.HTTPException, but checking for that class is slower, because it is abstract.
        if isinstance(resp, Exception):
            resp = self._error_response(resp.status, f"The request was refused: {resp.reason}")
        if not request.content.is_eof() and request.content_length is None and not resp.prepared:
            # The response precedes the end of a chunked body, for example if the token is missing. The rest of the body
            # is received, so that the client can read the response, but not parsed. A body with a length costs nothing
            # to parse.
            resp.force_close()
            self._head_parser.ignore_rest()
            # aiohttp keeps reading for a while before it closes the connection. An invalid body was already reported.
            request.content._exception = None
        return RequestHandler.finish_response(self, request, resp, start_time)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return a JSON error that names the exceeded limit and does not quote the request.

        Like every request, it gets a trace ID and a log line.
        """
        if status >= 500:
            super().handle_error(request, status, exc, message)
        elif request.writer.output_size > 0:
            raise ConnectionError("part of the response was already sent")
        return self._error_response(*_describe_error(status, exc))

    def _error_response(self, status: int, text: str) -> web.StreamResponse:
        self._limits.record_rejection(status)
        headers = {"Server": "doit-mcp", TRACE_ID_HEADER: log_unreadable_request(status)}
        response = make_response(status, error_bytes(RpcError(INVALID_REQUEST, text), None), headers)
        response.force_close()
        return response


def _describe_error(status: int, failure: BaseException | None) -> tuple[int, str]:
    match failure:
        case HeadTooLarge():
            return 431, f"The request head is limited to {MAX_HEAD_BYTES} bytes"
        case LineTooLong():
            return 414, f"The request target is limited to {MAX_TARGET_BYTES} bytes"
        case TooManyPipelinedRequests():
            return 400, f"A connection is limited to {MAX_PIPELINED_REQUESTS} pipelined requests"
    return status, "The HTTP request is invalid" if status < 500 else "Internal error"


class ConnectionServer(web.Server):
    """Creates a ClientConnection for each connection. aiohttp has no setting for this class."""

    limits: ConnectionLimits

    def __call__(self) -> RequestHandler:
        return ClientConnection(self, self.limits, loop=self._loop, **self._kwargs)


class LimitedAppRunner(web.AppRunner):
    """An AppRunner whose connections are subject to *limits*.

    *make_handler* is called when the application has started, and returns the function that handles its requests; by
    default, the application does.
    """

    def __init__(
        self,
        app: web.Application,
        limits: ConnectionLimits,
        make_handler: Callable[[], Handler] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(app, keepalive_timeout=limits.keep_alive_seconds, **options)
        self._limits, self._make_handler = limits, make_handler

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = ConnectionServer
        assert isinstance(server, ConnectionServer)
        server.limits = self._limits
        if self._make_handler is not None:
            server.request_handler = self._make_handler()  # type: ignore[assignment]  # its factory makes web.Request
        server.request_factory = with_canonical_path(server.request_factory)
        return server
