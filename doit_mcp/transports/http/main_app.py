"""The application that users run: the MCP server with its catalogs and its landing page."""

from __future__ import annotations

from aiohttp import web

from ...catalog.toolsets import Selection, toolset_names
from ...server.catalog import catalog_factory
from ...settings import Settings
from .app import build_app
from .landing_page import render_page


def make_main_app(settings: Settings) -> web.Application:
    """Build the application for *settings*, with the landing page at ``/``."""
    make_offer = catalog_factory()
    usual, everything = make_offer(Selection(), False), make_offer(Selection(frozenset({"all"})), False)
    page, headers = render_page(
        settings.resource_url,
        settings.auth_server_url,
        [(tool.title, tool.description) for tool in usual.tools],
        toolset_names(everything.tools),
    )

    async def home(request: web.Request) -> web.Response:
        return web.Response(body=page, headers=headers)

    app = build_app(settings, make_offer)
    app.router.add_get("/", home, allow_head=False)
    return app
