"""Owns the watching over HTTP: the recorder around every call, the page, its state and its stream of events."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from ipaddress import ip_address
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp_sse import EventSourceResponse, sse_response

from ..accounts import CUSTOMERS, USERS, Grant, People, may
from ..identity import VISITOR, Identity
from ..identity.metadata import REGISTER, REVOKE, TOKEN
from .calls import LOST, Call, clean, side_of, target
from .page import PRIVATE, page
from .stream import HISTORY, QUEUE, WATCHERS, Event, Stream, Watcher
from .tokens import Token, TokenBook, fingerprint

PAGES = ("/", "/world")
STATE = "/world/state"
EVENTS = "/world/events"
# Tests steer the world by these, and no client knows them.
CONTROL = "/sandbox/"

KEEP_ALIVE_S = 15.0
WRITE_TIMEOUT_S = 10.0
RETRY_MS = 1000

_Who = tuple[str, str]  # user and customer


class Watch:
    """Records the calls of a world and shows them; the arguments are those of `Stream`."""

    def __init__(
        self,
        identity: Identity,
        clock: Callable[[], float] = time.time,
        *,
        history: int = HISTORY,
        watchers: int = WATCHERS,
        queue: int = QUEUE,
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._book = TokenBook(identity, clock)
        self._stream = Stream(history=history, watchers=watchers, queue=queue)
        self._told: list[dict[str, Any]] = []

    def register(self, app: web.Application) -> None:
        """Add the pages to *app*, and the recorder as the outermost of its middlewares."""
        app.middlewares.insert(0, self._recorder())
        for path in PAGES:
            app.router.add_route("*", path, _here(self._page, apart=True))
        app.router.add_route("*", STATE, _here(self._state))
        app.router.add_route("*", EVENTS, _here(self._events))

        async def close(app: web.Application) -> None:
            self._stream.close()

        app.on_shutdown.append(close)

    def _recorder(self) -> Middleware:
        @web.middleware
        async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path in (*PAGES, STATE, EVENTS) or request.path.startswith(CONTROL):
                return await handler(request)
            return await self._recorded(request, handler)

        return record

    async def _recorded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer as the handler does, and remember what it was."""
        at, began = self._clock(), time.perf_counter()
        bearer = _bearer(request)
        # Asked before the answer: a call may end the token it is made with.
        grant = self._identity.lookup(bearer) if bearer else None
        try:
            response = await handler(request)
        except web.HTTPException as error:
            self._remember(request, error, at, began, grant)
            raise
        self._remember(request, response, at, began, grant)
        return response

    def _remember(
        self, request: web.Request, response: web.StreamResponse, at: float, began: float, grant: Grant | None
    ) -> None:
        given, note = self._learnt(request, response)
        user, customer = _known(request, given, grant, self._identity.people)
        call = Call(
            at=at,
            side=side_of(request.path),
            method=clean(request.method, 20),
            target=target(request.raw_path, self._book.clients),
            user=user,
            customer=clean(customer, 40),
            token=_named(request, given, grant),
            status=LOST if _gone(request) else response.status,
            ms=round((time.perf_counter() - began) * 1000, 1),
            note=note,
        )
        self._stream.call(json.dumps(asdict(call)))
        if request.path in (TOKEN, REVOKE):
            self._tell_tokens()

    def _learnt(self, request: web.Request, response: web.StreamResponse) -> tuple[Token | None, str]:
        """The token that an answer of the provider gives, and what the call was about."""
        if request.method != "POST" or request.path not in (TOKEN, REGISTER, REVOKE):
            return None, ""
        answer = _json(response)
        if response.status >= 400:
            return None, clean(str(answer.get("error", "")), 40)
        if request.path == REGISTER:
            return None, self._book.registered(answer)
        return self._book.given(answer)

    def _tell_tokens(self) -> None:
        out = self._book.out()
        if out != self._told:
            self._told = out
            self._stream.tell(Event("tokens", json.dumps({"tokens": out, "now": self._clock()})))

    async def _page(self, request: web.Request) -> web.StreamResponse:
        text, headers = page()
        return web.Response(text=text, content_type="text/html", charset="utf-8", headers=headers)

    async def _state(self, request: web.Request) -> web.StreamResponse:
        calls = [json.loads(event.data) for event in self._stream.all()]
        return web.json_response({**self._seen(), "calls": calls}, headers=PRIVATE)

    def _seen(self) -> dict[str, Any]:
        return {
            "now": self._clock(),
            "customers": {customer.id: customer.name for customer in CUSTOMERS},
            "users": [
                {
                    "email": user.email,
                    "password": user.password,
                    "customer": user.customer,
                    "may": may(user),
                    "api_token": fingerprint(user.api_token),
                }
                for user in USERS
            ],
            "tokens": self._book.out(),
        }

    async def _events(self, request: web.Request) -> web.StreamResponse:
        watcher = self._stream.join(lambda: _cut(request), lambda: _gone(request))
        if watcher is None:
            headers = {**PRIVATE, "Retry-After": "5"}
            return web.json_response({"error": "too many pages watch this world"}, status=503, headers=headers)
        try:
            # Nothing is awaited between joining and this: a call is either in the past or in the queue.
            past = self._past(request)
            kept = sse_response(
                request, sep="\n", headers=PRIVATE, send_timeout=WRITE_TIMEOUT_S, ping_interval=KEEP_ALIVE_S
            )
            async with kept as response:
                await _pour(response, past, watcher)
        finally:
            self._stream.leave(watcher)
        return response

    def _past(self, request: web.Request) -> list[Event]:
        # The browser sends the header when it connects again by itself; a page that paused can only use the address.
        last = request.headers.get("Last-Event-ID") or request.query.get("after", "")
        missed = self._stream.since(last)
        hello = {**self._seen(), "reset": missed is None, "history": self._stream.history}
        return [Event("hello", json.dumps(hello)), *(self._stream.all() if missed is None else missed)]


async def _pour(response: EventSourceResponse, past: list[Event], watcher: Watcher) -> None:
    """Send what was, then what comes, until the end or until the watcher takes nothing any more."""
    try:
        for event in past:
            await response.send(event.data, id=event.id, event=event.name, retry=RETRY_MS if event.id is None else None)
        async for event in watcher.events():
            await response.send(event.data, id=event.id, event=event.name)
    except (ConnectionError, TimeoutError):
        return


def _here(handler: Handler, *, apart: bool = False) -> Handler:
    """The handler for this machine's own pages: by address, by name (DNS rebinding), and for no page from elsewhere.

    *apart*: other sites may link to it, which tells them nothing. Refusals are made here, without headers for CORS.
    """

    async def guarded(request: web.Request) -> web.StreamResponse:
        if request.method != "GET":
            return _refused(405, "only GET", {"Allow": "GET"})
        if not (_loopback(request.remote) and _loopback(request.url.host)):
            return _refused(403, "this is for browsers on the sandbox's own machine")
        if not apart and request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            return _refused(403, "this is for the sandbox's own page")
        return await handler(request)

    return guarded


def _refused(status: int, why: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": why}, status=status, headers={**PRIVATE, **(headers or {})})


def _loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _known(request: web.Request, given: Token | None, grant: Grant | None, people: People) -> _Who:
    """Who calls, for which customer: by the token it has or gets, or by the session of a browser."""
    if given is not None:
        return given.user, given.customer
    if grant is not None:
        asked = request.headers.get("X-Tenant-Id") or request.query.get("customerContext")
        return grant.user.email, asked or grant.customer
    visitor = people.user(request.get(VISITOR, ""))
    if visitor is None:
        return "", ""
    # An employee chooses the customer on the page, and only the token says which.
    return visitor.email, "" if visitor.employee else visitor.customer


def _named(request: web.Request, given: Token | None, grant: Grant | None) -> str:
    if given is not None:
        return given.fingerprint
    return fingerprint(_bearer(request)) if grant is not None else ""


def _json(response: web.StreamResponse) -> dict[str, Any]:
    body = response.body if isinstance(response, web.Response) else None
    try:
        found = json.loads(body) if isinstance(body, bytes) else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
