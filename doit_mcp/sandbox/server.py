"""Owns the sandbox's outside world: identity provider and DoiT API together on one loopback port."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from . import console_api
from .accounts import NAMED, Grant, People
from .dashboard import Watch
from .identity import Identity, Resolver

log = logging.getLogger(__name__)

# The API takes uploaded files; the identity provider has a smaller limit of its own.
BODY_LIMIT = 32 * 1024 * 1024


class Api(Protocol):
    """What a world needs of the DoiT API it hosts."""

    def register(self, app: web.Application, lookup: Callable[[str], Grant | None]) -> None:
        """Add the operations to *app*; *lookup* says what a bearer stands for."""


@dataclass(frozen=True, slots=True)
class World:
    """A running world; *url* is issuer and base of the API, without trailing slash."""

    url: str
    identity: Identity
    api: Api


@web.middleware
async def json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer in JSON also where no handler did: no such path, wrong method, a bug of ours."""
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
    """A bound socket, and the URL it serves: the issuer's name has to be known before anything answers."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.create_server((host, port), family=family)
    name = f"[{host}]" if ":" in host else host
    return bound, f"http://{name}:{bound.getsockname()[1]}"


def _usual_api(clock: Callable[[], float], people: People) -> Api:
    # Imported when needed: its data takes time to make, which tests of the provider alone need not wait for.
    from .api import Api as DoitApi

    return DoitApi(clock=clock, people=people)


@asynccontextmanager
async def world(
    *,
    resource_url: str,
    secret: str,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Callable[[], float] = time.time,
    access_ttl: float = 3600,
    exchanged_ttl: float = 3600,
    auto_approve: str | None = None,
    resolver: Resolver | None = None,
    api: Api | None = None,
    people: People = NAMED,
) -> AsyncIterator[World]:
    """A world that lasts as long as the block; *resource_url* and *secret* are the MCP server's.

    Raises OSError when the port is taken. The other arguments are those of `Identity`; *api* replaces the usual one.
    """
    bound, url = _listen(host, port)
    with bound:
        identity = Identity(
            url,
            resource_url,
            secret,
            clock=clock,
            access_ttl=access_ttl,
            exchanged_ttl=exchanged_ttl,
            auto_approve=auto_approve,
            resolver=resolver,
            people=people,
        )
        hosted = api if api is not None else _usual_api(clock, people)
        app = web.Application(middlewares=[json_errors], client_max_size=BODY_LIMIT)
        identity.register(app)
        hosted.register(app, identity.lookup)
        console_api.register(app, identity.lookup, people)
        Watch(identity, clock).register(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
        await runner.setup()
        try:
            await web.SockSite(runner, bound).start()
            yield World(url, identity, hosted)
        finally:
            await runner.cleanup()
