"""Runs several replicas in one process that share only the resource URL of tokens and a Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp

from doit_mcp.catalog.stores.run_followers import RunFollowers
from doit_mcp.sandbox.accounts import User
from doit_mcp.sandbox.server import HostedApi, SandboxServer, run_sandbox
from doit_mcp.server.notification_hub import NotificationHub
from doit_mcp.settings import Settings
from doit_mcp.transports.http.app import build_app
from doit_mcp.transports.http.catalog_selection import MakeCatalog
from doit_mcp.transports.http.event_wiring import EventNetwork
from doit_mcp.transports.http.runner import bind, serve_app, socket_url
from tests.transports.http.serving import ADMIN, SECRET, Bench, Json, NoApi, Session, Site, offer


class Replica(Site):
    """One replica; *resource* is the audience of tokens."""

    def __init__(
        self,
        base: str,
        resource: str,
        sandbox: SandboxServer,
        http: aiohttp.ClientSession,
        bench: Bench,
        hub: NotificationHub,
    ) -> None:
        super().__init__(base, sandbox, http, bench, hub)
        self.resource = resource

    def token(self, user: User = ADMIN, **claims: Any) -> str:
        return self.world.identity.mint(user, resource=f"{self.resource}/mcp", **claims)


def at_replica(site: Site, session: Session, user: User | None = None) -> Session:
    """The session, used at another replica."""
    return Session(site, session.id, session.revision, user or session.user, session.welcome)


async def wait_for_redis(*sites: Site) -> None:
    """Wait until these replicas know that Redis is available."""
    for site in sites:
        while "redis_unavailable 0.0" not in (await site.send("GET", "/metrics", {})).text:
            await asyncio.sleep(0.01)


def settings_for(url: str, sandbox: SandboxServer, base: str, redis_url: str) -> Json:
    """The settings of one replica."""
    return {
        "resource_url": url,
        "auth_server_url": sandbox.url,
        "doit_api_base": sandbox.url,
        "exchange_secret": SECRET,
        "allowed_hosts": (base.removeprefix("http://"),),
        "drain_s": 2,
        "redis_url": redis_url,
    }


@asynccontextmanager
async def replicas(
    redis_url: str,
    *,
    benches: tuple[Bench, ...] = (),
    changes: Json | None = None,
    api: HostedApi | None = None,
    make: MakeCatalog | None = None,
    run_followers: RunFollowers | None = None,
    event_network: EventNetwork | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[Replica, ...]]:
    """Two replicas, or one for each of *benches*. *make* creates the catalog, *run_followers* has the clock of waits
    for reports."""
    async with AsyncExitStack() as stack:
        sockets = [stack.enter_context(bind("127.0.0.1", 0)) for _ in benches or range(2)]
        url = socket_url(sockets[0])
        sandbox = await stack.enter_async_context(run_sandbox(resource_url=url, secret=SECRET, api=api or NoApi()))
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        sites = []
        for number, bound in enumerate(sockets):
            bench, hub = benches[number] if benches else Bench(), NotificationHub()
            offered = offer(bench, **(changes or {}))
            site_settings = replace(Settings(), **(settings_for(url, sandbox, socket_url(bound), redis_url) | settings))
            make_catalog = make or (lambda selection, employee, offered=offered: offered)
            app = build_app(
                site_settings, make_catalog, hub=hub, run_followers=run_followers, event_network=event_network
            )
            await stack.enter_async_context(serve_app(app, bound))
            sites.append(Replica(socket_url(bound), url, sandbox, http, bench, hub))
        yield tuple(sites)


@asynccontextmanager
async def another(beside: Replica, redis_url: str, **settings: Any) -> AsyncIterator[Replica]:
    """One more replica, which shuts down at the end of the block."""
    bench, hub = Bench(), NotificationHub()
    offered = offer(bench)
    with bind("127.0.0.1", 0) as bound:
        options = settings_for(beside.resource, beside.world, socket_url(bound), redis_url) | settings
        async with serve_app(
            build_app(replace(Settings(), **options), lambda selection, employee: offered, hub=hub), bound
        ):
            yield Replica(socket_url(bound), beside.resource, beside.world, beside.http, bench, hub)
