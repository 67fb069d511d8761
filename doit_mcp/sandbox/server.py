"""Sandbox server: the identity provider, the DoiT API and the dashboard on one loopback port."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from . import console_api
from .accounts import DEFAULT_DIRECTORY, AccountDirectory, Grant
from .dashboard import Dashboard
from .event_receiver import EventReceiver
from .identity import DocumentResolver, IdentityProvider

log = logging.getLogger(__name__)

# The API accepts file uploads; the identity provider enforces a smaller limit.
MAX_BODY_BYTES = 32 * 1024 * 1024


class HostedApi(Protocol):
    """What the sandbox server requires of the API it hosts."""

    def register(self, app: web.Application, lookup: Callable[[str], Grant | None]) -> None:
        """Add the operations to *app*; *lookup* resolves bearer tokens."""


@dataclass(frozen=True, slots=True)
class SandboxServer:
    """A running sandbox; *url* is the issuer and the base of the API, without a trailing slash."""

    url: str
    identity: IdentityProvider
    api: HostedApi


@web.middleware
async def json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Return JSON for errors raised outside the handlers: unknown paths, wrong methods, bugs."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        headers = {name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers}
        headers["Access-Control-Allow-Origin"] = "*"
        return web.json_response({"error": error.reason}, status=error.status, headers=headers)
    except Exception:
        log.exception("sandbox: %s %s failed", request.method, request.path)
        return web.json_response({"error": "Internal Server Error"}, status=500)


def _listen(host: str, port: int) -> tuple[socket.socket, str]:
    """A bound socket and its URL: the issuer must be known before the server accepts requests."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.create_server((host, port), family=family)
    name = f"[{host}]" if ":" in host else host
    return bound, f"http://{name}:{bound.getsockname()[1]}"


def _default_api(clock: Callable[[], float], directory: AccountDirectory) -> HostedApi:
    # Imported here because building its data takes time that tests of the identity provider alone do not need.
    from .api import Api as DoitApi

    return DoitApi(clock=clock, directory=directory)


@asynccontextmanager
async def run_sandbox(
    *,
    resource_url: str,
    secret: str,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Callable[[], float] = time.time,
    access_ttl: float = 3600,
    exchanged_ttl: float = 3600,
    auto_approve: str | None = None,
    resolver: DocumentResolver | None = None,
    api: HostedApi | None = None,
    directory: AccountDirectory = DEFAULT_DIRECTORY,
    resource_aliases: Sequence[str] = (),
    event_receiver: EventReceiver | None = None,
) -> AsyncIterator[SandboxServer]:
    """Run the sandbox for the duration of the block; *resource_url* and *secret* are the MCP server's.

    Raises OSError if the port is in use. The other arguments are those of `IdentityProvider`; *api* replaces the
    default one. *event_receiver* is shown on the dashboard.
    """
    bound, url = _listen(host, port)
    with bound:
        identity = IdentityProvider(
            url,
            resource_url,
            secret,
            clock=clock,
            access_ttl=access_ttl,
            exchanged_ttl=exchanged_ttl,
            auto_approve=auto_approve,
            resolver=resolver,
            directory=directory,
            resource_aliases=resource_aliases,
        )
        hosted = api if api is not None else _default_api(clock, directory)
        app = _make_app(identity, hosted, clock, directory, event_receiver)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
        await runner.setup()
        try:
            await web.SockSite(runner, bound).start()
            yield SandboxServer(url, identity, hosted)
        finally:
            await runner.cleanup()


def _make_app(
    identity: IdentityProvider,
    hosted: HostedApi,
    clock: Callable[[], float],
    directory: AccountDirectory,
    event_receiver: EventReceiver | None,
) -> web.Application:
    app = web.Application(middlewares=[json_errors], client_max_size=MAX_BODY_BYTES)
    identity.register(app)
    hosted.register(app, identity.lookup)
    console_api.register(app, identity.lookup, directory)
    Dashboard(identity, clock, event_receiver=event_receiver).register(app)
    return app
