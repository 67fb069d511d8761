"""Dashboard routes: the recording middleware, the page, its state and its event stream."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp_sse import EventSourceResponse, sse_response

from ...observability.trace import TRACEPARENT_PATTERN
from ..accounts import CUSTOMERS, USERS, AccountDirectory, Grant, permission_summary
from ..event_receiver import STATE_PATH as RECEIVER_PATH
from ..event_receiver import EventReceiver
from ..http_requests import abort, bearer_token, is_disconnected, is_loopback, requested_tenant
from ..identity import SIGNED_IN_USER, IdentityProvider
from ..identity.metadata import REGISTER_PATH, REVOKE_PATH, TOKEN_PATH
from .active_tokens import TokenSummary, TokenTracker, fingerprint
from .calls import (
    CLIENT_PARAMETER,
    DISCONNECTED_STATUS,
    TOOL_PARAMETER,
    VERSION_PARAMETER,
    CallSummary,
    find_side,
    redact,
    redact_target,
)
from .page import PRIVATE_HEADERS, dashboard_page
from .stream import MAX_HISTORY, MAX_QUEUED_EVENTS, MAX_WATCHERS, Event, EventStream, Watcher

PAGE_PATHS = ("/", "/dashboard")
STATE_PATH = "/dashboard/state"
EVENTS_PATH = "/dashboard/events"
# Control endpoints, which only tests use.
CONTROL_PREFIX = "/sandbox/"

KEEPALIVE_SECONDS = 15.0
WRITE_TIMEOUT_SECONDS = 10.0
RETRY_MILLISECONDS = 1000

_Caller = tuple[str, str]  # user and customer


class Dashboard:
    """Records the calls to the sandbox and shows them; the arguments are those of `EventStream`."""

    def __init__(
        self,
        identity: IdentityProvider,
        clock: Callable[[], float] = time.time,
        *,
        history: int = MAX_HISTORY,
        watchers: int = MAX_WATCHERS,
        queue: int = MAX_QUEUED_EVENTS,
        event_receiver: EventReceiver | None = None,
    ) -> None:
        self._identity = identity
        self._clock, self._event_receiver = clock, event_receiver
        self._token_tracker = TokenTracker(identity, clock)
        self._stream = EventStream(history=history, watchers=watchers, queue=queue)
        self._published_tokens: list[dict[str, Any]] = []

    def register(self, app: web.Application) -> None:
        """Add the pages to *app*, and the recorder as its outermost middleware."""
        app.middlewares.insert(0, self._recording_middleware())
        for path in PAGE_PATHS:
            app.router.add_route("*", path, _local_only(self._page, allow_cross_site=True))
        app.router.add_route("*", RECEIVER_PATH, _local_only(self._show_receiver))
        app.router.add_route("*", STATE_PATH, _local_only(self._state))
        app.router.add_route("*", EVENTS_PATH, _local_only(self._events))

        async def close(app: web.Application) -> None:
            self._stream.close()

        app.on_shutdown.append(close)

    def _recording_middleware(self) -> Middleware:
        @web.middleware
        async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path in (*PAGE_PATHS, STATE_PATH, EVENTS_PATH) or request.path.startswith(CONTROL_PREFIX):
                return await handler(request)
            return await self._record_call(request, handler)

        return record

    async def _record_call(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Run the handler and record the call."""
        at, started = self._clock(), time.perf_counter()
        token = bearer_token(request)
        # Looked up before the handler runs, because a call can revoke the token it is made with.
        grant = self._identity.lookup(token) if token else None
        try:
            response = await handler(request)
        except web.HTTPException as error:
            self._add_call(request, error, at, started, grant)
            raise
        self._add_call(request, response, at, started, grant)
        return response

    def _add_call(
        self, request: web.Request, response: web.StreamResponse, at: float, started: float, grant: Grant | None
    ) -> None:
        issued, note = self._track_response(request, response)
        user, customer = _identify_caller(request, issued, grant, self._identity.directory)
        tool, client, trace = _tool_call(request)
        call = CallSummary(
            at=at,
            side=find_side(request.path),
            method=redact(request.method, 20),
            target=redact_target(request.raw_path, self._token_tracker.clients),
            user=user,
            customer=redact(customer, 40),
            token=_token_fingerprint(request, issued, grant),
            status=DISCONNECTED_STATUS if is_disconnected(request) else response.status,
            ms=round((time.perf_counter() - started) * 1000, 1),
            note=note,
            tool=tool,
            client=client,
            trace=trace,
        )
        self._stream.publish_call(json.dumps(asdict(call)))
        if request.path in (TOKEN_PATH, REVOKE_PATH):
            self._publish_tokens()

    def _track_response(self, request: web.Request, response: web.StreamResponse) -> tuple[TokenSummary | None, str]:
        """The token issued by a response of the provider, and a summary of the call."""
        if request.method != "POST" or request.path not in (TOKEN_PATH, REGISTER_PATH, REVOKE_PATH):
            return None, ""
        body = _response_json(response)
        if response.status >= 400:
            return None, redact(str(body.get("error", "")), 40)
        if request.path == REGISTER_PATH:
            return None, self._token_tracker.track_client(body)
        return self._token_tracker.track_tokens(body)

    def _publish_tokens(self) -> None:
        tokens = self._token_tracker.active_tokens()
        if tokens != self._published_tokens:
            self._published_tokens = tokens
            self._stream.publish(Event("tokens", json.dumps({"tokens": tokens, "now": self._clock()})))

    async def _page(self, request: web.Request) -> web.StreamResponse:
        text, headers = dashboard_page(self._identity.home)
        return web.Response(text=text, content_type="text/html", charset="utf-8", headers=headers)

    async def _state(self, request: web.Request) -> web.StreamResponse:
        calls = [json.loads(event.data) for event in self._stream.all_calls()]
        return web.json_response({**self._snapshot(), "calls": calls}, headers=PRIVATE_HEADERS)

    async def _show_receiver(self, request: web.Request) -> web.StreamResponse:
        state = None if self._event_receiver is None else self._event_receiver.state()
        return web.json_response(state, headers=PRIVATE_HEADERS)

    def _snapshot(self) -> dict[str, Any]:
        return {
            "now": self._clock(),
            "customers": {customer.id: customer.name for customer in CUSTOMERS},
            "users": [
                {
                    "email": user.email,
                    "password": user.password,
                    "customer": user.customer,
                    "may": permission_summary(user),
                    # Public, like the passwords: the startup message prints both.
                    "api_token": user.api_token,
                    "fingerprint": fingerprint(user.api_token),
                }
                for user in USERS
            ],
            "tokens": self._token_tracker.active_tokens(),
        }

    async def _events(self, request: web.Request) -> web.StreamResponse:
        watcher = self._stream.subscribe(lambda: abort(request), lambda: is_disconnected(request))
        if watcher is None:
            headers = {**PRIVATE_HEADERS, "Retry-After": "5"}
            return web.json_response({"error": "too many dashboard pages are open"}, status=503, headers=headers)
        try:
            # No await between subscribing and this: each call is either in the history or in the queue.
            initial_events = self._initial_events(request)
            stream = sse_response(
                request,
                sep="\n",
                headers=PRIVATE_HEADERS,
                send_timeout=WRITE_TIMEOUT_SECONDS,
                ping_interval=KEEPALIVE_SECONDS,
            )
            async with stream as response:
                await _send_events(response, initial_events, watcher)
        finally:
            self._stream.unsubscribe(watcher)
        return response

    def _initial_events(self, request: web.Request) -> list[Event]:
        # Browsers send the header when they reconnect by themselves; a page that was hidden can only use the query.
        last_id = request.headers.get("Last-Event-ID") or request.query.get("after", "")
        missed_calls = self._stream.calls_since(last_id)
        snapshot = {**self._snapshot(), "reset": missed_calls is None, "history": self._stream.history}
        return [
            Event("hello", json.dumps(snapshot)),
            *(self._stream.all_calls() if missed_calls is None else missed_calls),
        ]


async def _send_events(response: EventSourceResponse, initial_events: list[Event], watcher: Watcher) -> None:
    """Send the initial events and then new ones, until the stream ends or the client disconnects or stops reading."""
    try:
        for event in initial_events:
            await response.send(
                event.data, id=event.id, event=event.name, retry=RETRY_MILLISECONDS if event.id is None else None
            )
        async for event in watcher.events():
            await response.send(event.data, id=event.id, event=event.name)
    except (ConnectionError, TimeoutError):
        return


def _local_only(handler: Handler, *, allow_cross_site: bool = False) -> Handler:
    """Restrict *handler* to pages of this machine: by address, by host name (DNS rebinding) and by request origin.

    *allow_cross_site* allows links from other sites, which reveal nothing to them. Errors are sent without CORS
    headers.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.method != "GET":
            return _error_response(405, "only GET", {"Allow": "GET"})
        if not (is_loopback(request.remote) and is_loopback(request.url.host)):
            return _error_response(403, "available only to browsers on this machine")
        if not allow_cross_site and request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            return _error_response(403, "available only to the dashboard page")
        return await handler(request)

    return handle


def _error_response(status: int, reason: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": reason}, status=status, headers={**PRIVATE_HEADERS, **(headers or {})})


def _tool_call(request: web.Request) -> tuple[str, str, str]:
    """The tool, client and trace of a call that the MCP server makes for a tool; "" for other calls."""
    query, parent = request.query, TRACEPARENT_PATTERN.fullmatch(request.headers.get("traceparent", ""))
    if TOOL_PARAMETER not in query or parent is None:
        return "", "", ""
    client = f"{query.get(CLIENT_PARAMETER, '')} {query.get(VERSION_PARAMETER, '')}".strip()
    return redact(query[TOOL_PARAMETER]), redact(client), parent[1]


def _identify_caller(
    request: web.Request, token: TokenSummary | None, grant: Grant | None, directory: AccountDirectory
) -> _Caller:
    """The user and customer of a call: from the token it uses or receives, or from the browser session."""
    if token is not None:
        return token.user, token.customer
    if grant is not None:
        return grant.user.email, requested_tenant(request) or grant.customer
    signed_in = directory.user_by_email(request.get(SIGNED_IN_USER, ""))
    if signed_in is None:
        return "", ""
    # Employees choose the customer on the consent page, so only the token names it.
    return signed_in.email, "" if signed_in.employee else signed_in.customer


def _token_fingerprint(request: web.Request, token: TokenSummary | None, grant: Grant | None) -> str:
    if token is not None:
        return token.fingerprint
    return fingerprint(bearer_token(request)) if grant is not None else ""


def _response_json(response: web.StreamResponse) -> dict[str, Any]:
    body = response.body if isinstance(response, web.Response) else None
    try:
        document = json.loads(body) if isinstance(body, bytes) else {}
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
