"""Ladder: servers between the limits and this product, each with one more piece of its work than the one before.

The pieces are the product's own, called one after the other, without what connects them there. The last rung is
therefore a floor: the least that a server with these properties needs. Rungs, each with the work of the ones before it,
beginning with that of limit c:

connection  limits on connections, request heads and pipelined requests; the garbage collector runs less often
trace       a trace ID, the checks of Host and Origin, metrics, and errors as JSON
write       head and body of the response in one write, instead of aiohttp's response with headers that a signal adds
message     checks of media types, body, JSON-RPC message and protocol version; the memory of bodies is limited
limits      calls in progress are limited, for each user and in total
task        a call runs in its own task: it survives its connection, can be canceled, and keeps its client waiting
tool        arguments are checked against the schema, results adapted to the revision, calls measured
api         fetch_report uses the product's API client: deadlines, retries, circuit breaker, responses of bounded size
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from doit_mcp.api.http import Upstream
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.observability.metrics import Metrics
from doit_mcp.observability.trace import CURRENT_TRACE
from doit_mcp.protocol.content_blocks import downgrade_blocks
from doit_mcp.protocol.downgrade import downgrade
from doit_mcp.protocol.jsonrpc import Id, Request, result_bytes
from doit_mcp.protocol.request_metadata import Caller, check_session_version, is_stateless_request
from doit_mcp.protocol.revisions import STATEFUL_REVISIONS
from doit_mcp.resilience.concurrency import ConcurrencyLimiter
from doit_mcp.server.api_client import make_api_client
from doit_mcp.server.payloads import Payload, parse_payload
from doit_mcp.settings import Settings
from doit_mcp.transports.http import app_keys
from doit_mcp.transports.http.access import add_common_headers
from doit_mcp.transports.http.body_memory import BodyMemory
from doit_mcp.transports.http.buffered_response import BufferedResponse, make_response
from doit_mcp.transports.http.connection import Handler, LimitedAppRunner
from doit_mcp.transports.http.connection_limits import ConnectionLimits
from doit_mcp.transports.http.event_stream import format_event
from doit_mcp.transports.http.keepalive import Keepalive
from doit_mcp.transports.http.post_response import PostResponse
from doit_mcp.transports.http.request_body import ACCEPT_ALL, parse_accept, read_body
from doit_mcp.transports.http.request_logging import RequestHandler
from doit_mcp.transports.http.runner import freeze_heap

from ..bench_server import FETCH_REPORT, echo
from .client import REVISION
from .inputs import Inputs, make_tools
from .machine import run_async
from .minimal_servers import LimitServer, Message

RUNGS = ("connection", "trace", "write", "message", "limits", "task", "tool", "api")
CALLER = Caller(STATEFUL_REVISIONS[REVISION])
BODY_TIMEOUT_SECONDS = 30.0
API_DEADLINE_SECONDS = 45.0
MAX_CALLS = 10_000
MAX_BODY_BYTES = 4 << 20


async def _get_credential(*, fresh: bool = False) -> str:
    return "a-token-of-the-api"


async def _report_nothing(message: str) -> None:
    """Send no progress notification, because these clients ask for none."""


class LadderServer(LimitServer):
    """A server of one rung."""

    def __init__(self, rung: str, inputs: Inputs, port: int) -> None:
        super().__init__("c", inputs, len(make_tools(2)))
        self._rungs = frozenset(RUNGS[: RUNGS.index(rung) + 1])
        self._host, self._metrics = f"127.0.0.1:{port}", Metrics({})
        self._bodies, self._keepalive = BodyMemory(MAX_BODY_BYTES), Keepalive(15.0)
        self._calls = ConcurrencyLimiter(max_per_owner=MAX_CALLS, max_total=MAX_CALLS)
        self._running: dict[tuple[str, Id], asyncio.Task[None]] = {}
        self._tools = {
            definition["name"]: Tool(
                definition["name"], "", definition["description"], definition["inputSchema"], echo, deadline=None
            )
            for definition in make_tools(2)
        }
        self._api_base = inputs.urls["upstream"].removesuffix("/small")

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Handle POST /mcp."""
        if "write" not in self._rungs:
            return await super().post(request)
        owner = self.authenticate(request)["sub"]
        message = await self._receive(request, owner) if "message" in self._rungs else await _read_unchecked(request)
        if not isinstance(message, Request):
            return BufferedResponse(202, b"", ())
        if message.method == "initialize":
            body = await self.respond({"id": message.id, "method": message.method})
            return make_response(200, body, {"Mcp-Session-Id": self.open_session()})
        session = request.headers["Mcp-Session-Id"]
        self.sessions[session] = time.monotonic()
        if "message" in self._rungs:
            check_session_version(CALLER.revision, request.headers)
        if "task" not in self._rungs:
            return make_response(200, await self._answer_here(owner, message))
        with PostResponse(request, ACCEPT_ALL, self._keepalive) as response:
            response.open(None, (message.id,))
            self._start(owner, session, message, partial(response.finish, 200))
            return await response.wait_for_response()

    async def post_message(self, request: web.Request) -> web.StreamResponse:
        """Handle POST /messages: the response goes to the stream."""
        if "write" not in self._rungs:
            return await super().post_message(request)
        owner = self.authenticate(request)["sub"]
        message = await self._receive(request, owner) if "message" in self._rungs else await _read_unchecked(request)
        session = request.query["session"]
        stream = self.streams[session]
        if isinstance(message, Request):
            if message.method == "initialize":
                await stream.write(format_event(await self.respond({"id": message.id, "method": message.method})))
            elif "task" in self._rungs:
                self._start(owner, session, message, partial(_write_event, stream))
            else:
                await _write_event(stream, await self._answer_here(owner, message))
        return BufferedResponse(202, b"Accepted", (("Content-Type", "text/plain; charset=utf-8"),))

    async def _receive(self, request: web.Request, owner: str) -> Payload:
        with self._bodies.share(owner) as share:
            body = await read_body(request, parse_accept(request), BODY_TIMEOUT_SECONDS, share)
            payload = await parse_payload(body)
        assert not isinstance(payload, list) and not is_stateless_request(request.headers, payload)
        return payload

    async def _answer_here(self, owner: str, message: Request) -> bytes:
        """The response to a call, which runs in the task of its HTTP request."""
        if "limits" not in self._rungs:
            return await self._answer(message)
        self._calls.acquire(owner)
        try:
            return await self._answer(message)
        finally:
            self._calls.release(owner)

    def _start(self, owner: str, session: str, message: Request, send: Callable[[bytes], Any]) -> None:
        self._calls.acquire(owner)
        task = self._keepalive.loop.create_task(self._run(message, send))
        self._running[session, message.id] = task
        task.add_done_callback(partial(self._end, owner, (session, message.id)))

    async def _run(self, message: Request, send: Callable[[bytes], Any]) -> None:
        await send(await self._answer(message))

    def _end(self, owner: str, key: tuple[str, Id], task: asyncio.Task[None]) -> None:
        del self._running[key]
        self._calls.release(owner)
        if not task.cancelled():
            task.result()

    async def _answer(self, message: Request) -> bytes:
        """The response to a call, encoded."""
        name, arguments = message.params["name"], message.params["arguments"]
        if "tool" not in self._rungs:
            text = await self.call_tool(name, arguments)
            return result_bytes(message.id, {"content": [{"type": "text", "text": text}]})
        started = time.perf_counter()
        tool = self._tools[name]
        assert tool.accepts(arguments)
        text = await self.call_tool(tool.name, arguments)
        blocks = downgrade_blocks([{"type": "text", "text": text}], CALLER.revision)
        result = downgrade("CallToolResult", {"content": blocks}, CALLER.revision)
        if (trace := CURRENT_TRACE.get()) is not None:
            trace.method, trace.tool = message.method, tool.name
        self._metrics.count_tool_call(tool.name, CALLER.client_info, False, time.perf_counter() - started)
        return result_bytes(message.id, result)

    async def call_tool(self, name: str, arguments: Message) -> str:
        """The text that a tool returns."""
        if name != "fetch_report" or "api" not in self._rungs:
            return await super().call_tool(name, arguments)
        doit = make_api_client(
            self._upstream, _get_credential, "customer-1", name, CALLER, _report_nothing, API_DEADLINE_SECONDS
        )
        return orjson.dumps(await doit.auth.sender.send(FETCH_REPORT, arguments)).decode()

    def make_runner(self) -> web.BaseRunner:
        """The aiohttp runner of this rung."""
        app = web.Application()
        self.add_routes(app)
        make_handler: Callable[[], Handler] | None = None
        if "trace" in self._rungs:
            app[app_keys.METRICS], app[app_keys.SETTINGS] = self._metrics, Settings()
            app[app_keys.ALLOWED_HOSTS], app[app_keys.ALLOWED_ORIGINS] = frozenset({self._host}), frozenset()
            app.on_response_prepare.append(add_common_headers)
            make_handler = partial(_make_handler, app)
        self._upstream = Upstream(self.http, self._api_base)
        freeze_heap()
        limits = ConnectionLimits(self._metrics, 75.0)
        return LimitedAppRunner(app, limits, make_handler, access_log=None, handler_cancellation=True)


def _make_handler(app: web.Application) -> Handler:
    return RequestHandler(app).handle


async def _read_unchecked(request: web.Request) -> Payload:
    content: Message = orjson.loads(await request.read())
    if "id" not in content:
        return []
    return Request(content["id"], content["method"], content["params"])


async def _write_event(stream: web.StreamResponse, body: bytes) -> None:
    await stream.write(format_event(body))


def main() -> None:
    """Serve with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--rung", choices=RUNGS, default=RUNGS[-1])
    options = parser.parse_args()
    run_async(LadderServer(options.rung, Inputs(options.inputs), options.port).serve(options.port))


if __name__ == "__main__":
    main()
