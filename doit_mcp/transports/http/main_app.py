"""The application that users run: the MCP server with its catalogs and its pages."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web

from ...catalog.toolsets import toolset_names
from ...settings import Settings
from ..catalog_wiring import catalog_from_settings
from . import app_keys, public_documents
from .app import build_app
from .catalog_selection import DEFAULT_SELECTION
from .event_wiring import EventNetwork
from .html_templates import read_template
from .landing_page import policy_links, render_page
from .sandbox_info import SandboxInfo
from .server_card import server_icons
from .static_page import StaticPage
from .try_page import render_try_page, view_page

ICON_HEADERS = {"Content-Type": "image/svg+xml", "Cache-Control": "public, max-age=86400"}


def make_main_app(
    settings: Settings,
    clock: Callable[[], float] = time.time,
    sandbox: SandboxInfo | None = None,
    event_network: EventNetwork | None = None,
) -> web.Application:
    """Build the application for *settings*, with the landing page at ``/``. *clock* tells tools the current time.

    With *sandbox*, the landing page names the users of the sandbox, and ``/try`` calls tools as one of them.
    """
    make_catalog = catalog_from_settings(settings, server_icons(settings.resource_url))
    app = build_app(settings, make_catalog, clock=clock, event_network=event_network)
    catalog = app[app_keys.CATALOG_SELECTOR].catalog_for(DEFAULT_SELECTION, False)
    offered = (*catalog.tools, *catalog.unlisted_tools)
    landing_page = render_page(
        settings.resource_url,
        settings.auth_server_url,
        [(tool.title, tool.description) for tool in catalog.tools],
        toolset_names(offered),
        sandbox,
        policy_links(settings),
    )
    pages = {"/": landing_page, "/favicon.ico": (read_template("icon.svg").encode(), ICON_HEADERS)}
    if sandbox is not None:
        areas = {tool.name: tool.area for tool in offered}
        pages["/try"] = render_try_page(sandbox, areas, [tool.name for tool in catalog.tools])
        pages["/try/view"] = view_page()
        app[app_keys.EXAMPLE_TOKEN] = sandbox.accounts[0].token
    app.add_routes(public_documents.document_routes(settings))
    for path, (body, headers) in pages.items():
        app.router.add_get(path, StaticPage(body, headers).respond)
    return app
