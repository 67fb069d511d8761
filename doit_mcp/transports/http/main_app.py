"""The application that users run: the MCP server with its catalogs and its landing page."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web

from ...catalog.toolsets import Selection, toolset_names
from ...server.catalog import catalog_factory
from ...settings import Settings
from . import public_documents
from .app import build_app
from .landing_page import policy_links, render_page
from .server_card import server_icons


def make_main_app(settings: Settings, clock: Callable[[], float] = time.time) -> web.Application:
    """Build the application for *settings*, with the landing page at ``/``. *clock* tells tools the current time."""
    make_catalog = catalog_factory(server_icons(settings.resource_url))
    default_catalog, full_catalog = make_catalog(Selection(), False), make_catalog(Selection(frozenset({"all"})), False)
    page, headers = render_page(
        settings.resource_url,
        settings.auth_server_url,
        [(tool.title, tool.description) for tool in default_catalog.tools],
        toolset_names(full_catalog.tools),
        links=policy_links(settings),
    )

    async def home(request: web.Request) -> web.Response:
        return web.Response(body=page, headers=headers)

    app = build_app(settings, make_catalog, clock=clock)
    app.router.add_get("/", home)
    app.add_routes(public_documents.routes(settings))
    return app
