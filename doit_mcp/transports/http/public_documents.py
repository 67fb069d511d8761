"""Documents by which clients, registries and directories find this server, and its icons.

They hold no user data and no secrets. They are made once, so a request costs only the response.
"""

from __future__ import annotations

from importlib.resources import files

import orjson
from aiohttp import web

from ...protocol.jsonrpc import JsonObject
from ...settings import Settings
from .access import preflight_response
from .public_paths import AI_CATALOG_PATH, OPENAI_CHALLENGE_PATH, PNG_ICON_PATH, SERVER_CARD_PATH, SVG_ICON_PATH
from .server_card import AI_CATALOG_TYPE, SERVER_CARD_TYPE, ai_catalog, server_card
from .static_page import StaticPage

# Operators change these settings with a restart, and directories read them soon after that.
DOCUMENT_CACHING = "public, max-age=3600"
ICON_CACHING = "public, max-age=86400"


def document_routes(settings: Settings) -> list[web.RouteDef]:
    """Return the routes of the documents. Without a challenge in *settings*, its path is not served."""
    pages = {
        SERVER_CARD_PATH: _json_page(server_card(settings), SERVER_CARD_TYPE),
        AI_CATALOG_PATH: _json_page(ai_catalog(settings), AI_CATALOG_TYPE),
        PNG_ICON_PATH: _icon_page("icon.png", "image/png"),
        SVG_ICON_PATH: _icon_page("icon.svg", "image/svg+xml"),
    }
    if settings.openai_challenge:
        headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache"}
        pages[OPENAI_CHALLENGE_PATH] = StaticPage(settings.openai_challenge.encode(), headers)
    return [
        route
        for path, page in pages.items()
        for route in (web.get(path, page.respond), web.options(path, _handle_preflight))
    ]


async def _handle_preflight(request: web.Request) -> web.Response:
    """Return the response to a CORS preflight."""
    return preflight_response("GET, HEAD, OPTIONS")


def _json_page(document: JsonObject, content_type: str) -> StaticPage:
    return StaticPage(orjson.dumps(document), {"Content-Type": content_type, "Cache-Control": DOCUMENT_CACHING})


def _icon_page(name: str, content_type: str) -> StaticPage:
    body = files(__package__).joinpath("templates", name).read_bytes()
    return StaticPage(body, {"Content-Type": content_type, "Cache-Control": ICON_CACHING})
