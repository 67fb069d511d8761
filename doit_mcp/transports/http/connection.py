"""One client connection: aiohttp's protocol with bounds on what is received, and errors that quote nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
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

# What is read ahead of a body that is not taken.
READ_AHEAD_BYTES = 64 << 10


class ClientConnection(RequestHandler):
    """Bounds what a client can make the process keep, and answers errors without repeating the request: aiohttp quotes
    its bytes, a bearer among them."""

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
            # Never reached, since the head as a whole is bounded.
            max_field_size=4 * MAX_HEAD_BYTES,
            max_headers=MAX_HEADERS,
            payload_exception=RequestPayloadError,
            auto_decompress=False,
        )
        self._head_parser = HeadParser(parser, self._on_head_bytes, self._messages)
        self._parser = self._head_parser  # type: ignore[assignment]  # it has what aiohttp uses of a parser

    def _on_head_bytes(self, size: int) -> None:
        self._limits.silent_connections.untrack(self)
        if size:
            self._limits.incomplete_heads.track(self, size)
        else:
            self._limits.incomplete_heads.untrack(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        super().connection_made(transport)
        self._limits.open_connections += 1
        self._limits.silent_connections.track(self, 0)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget it."""
        self._limits.open_connections -= 1
        self._limits.silent_connections.untrack(self)
        self._limits.incomplete_heads.untrack(self)
        super().connection_lost(exc)

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Go on if reading was paused. aiohttp calls this after each read of a body, paused or not."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def _process_keepalive(self) -> None:
        # A head that has begun has a deadline of its own. aiohttp sets this timer again after the answer.
        if self in self._limits.incomplete_heads:
            self._keepalive_handle = None
        else:
            super()._process_keepalive()

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Send *resp*. What aiohttp itself raises outside of every handler, as for Expect, would quote the request."""
        # That is a web.HTTPException; asking for that class takes longer, since it is abstract.
        if isinstance(resp, Exception):
            resp = self._error_response(resp.status, f"The request was refused: {resp.reason}")
        if not request.content.is_eof() and request.content_length is None and not resp.prepared:
            # It is answered before its chunks ended, as without a token. They are received, so that the client gets to
            # see the answer, but not parsed. A body with a length costs nothing to parse.
            resp.force_close()
            self._head_parser.ignore_rest()
            # aiohttp reads on for a while before it closes the connection; that the body is invalid is said already.
            request.content._exception = None
        return RequestHandler.finish_response(self, request, resp, start_time)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A JSON error that says what bound was passed and nothing of the request, with a trace id and a log line as
        all requests have."""
        if status >= 500:
            super().handle_error(request, status, exc, message)
        elif request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
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
            return 431, f"The head of a request may have {MAX_HEAD_BYTES} bytes"
        case LineTooLong():
            return 414, f"The target of a request may have {MAX_TARGET_BYTES} bytes"
        case TooManyPipelinedRequests():
            return 400, f"A connection may have {MAX_PIPELINED_REQUESTS} requests waiting"
    return status, "This is not a valid HTTP request" if status < 500 else "Internal error"


class ConnectionServer(web.Server):
    """Makes the protocols of connections. aiohttp has no setting for their class."""

    limits: ConnectionLimits

    def __call__(self) -> RequestHandler:
        return ClientConnection(self, self.limits, loop=self._loop, **self._kwargs)


class LimitedAppRunner(web.AppRunner):
    """An AppRunner whose connections are bounded by *edge*."""

    def __init__(self, app: web.Application, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(app, keepalive_timeout=limits.keep_alive_seconds, **options)
        self._limits = limits

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = ConnectionServer
        assert isinstance(server, ConnectionServer)
        server.limits = self._limits
        return server
