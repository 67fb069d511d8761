"""The product's application: its offer, and its page for people."""

from __future__ import annotations

from aiohttp import web

from ...catalog.toolsets import Selection, toolsets
from ...server.catalog import product
from ...settings import Settings
from .app import build
from .landing_page import render


def site(settings: Settings) -> web.Application:
    """The server that users run."""
    make_offer = product()
    usual, everything = make_offer(Selection(), False), make_offer(Selection(frozenset({"all"})), False)
    page, headers = render(
        settings.resource_url,
        settings.auth_server_url,
        [(tool.title, tool.description) for tool in usual.tools],
        toolsets(everything.tools),
    )

    async def home(request: web.Request) -> web.Response:
        return web.Response(body=page, headers=headers)

    app = build(settings, make_offer)
    app.router.add_get("/", home, allow_head=False)
    return app
