"""The server card, and the catalog that links to it: clients use them to find this server before they connect.

Server cards are an experimental MCP extension (SEP-2127); the catalog is an AI Catalog 1.0. Both contain only public information.
"""

from __future__ import annotations

from ...protocol.endpoint_urls import MCP_PATH, SSE_PATH
from ...protocol.jsonrpc import JsonObject
from ...protocol.revisions import REVISIONS, STATEFUL_REVISIONS
from ...server.catalog import SERVER_INFO
from ...settings import Settings
from .public_paths import PNG_ICON_PATH, SERVER_CARD_PATH, SVG_ICON_PATH

SERVER_CARD_TYPE, AI_CATALOG_TYPE = "application/mcp-server-card+json", "application/ai-catalog+json"
SERVER_CARD_SCHEMA = "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json"
PUBLISHER_DOMAIN = "doit.com"
# The name in the MCP Registry: the publisher's domain in reverse order, and the name that the server itself reports.
REGISTRY_NAME = f"{'.'.join(reversed(PUBLISHER_DOMAIN.split('.')))}/{SERVER_INFO['name']}"
LINKS_KEY = "com.doit/links"
POLICY_URLS_KEY = "https://ai-catalog.org/extensions/policy-urls"


def server_icons(resource_url: str) -> list[JsonObject]:
    """Return the icons of this server (Icon, MCP 2025-11-25), on its own origin. Every client can show the first."""
    return [
        {"src": resource_url + PNG_ICON_PATH, "mimeType": "image/png", "sizes": ["128x128"]},
        {"src": resource_url + SVG_ICON_PATH, "mimeType": "image/svg+xml", "sizes": ["any"]},
    ]


def server_card(settings: Settings) -> JsonObject:
    """Return the server card: identity, endpoints and protocol versions. It lists no tools, which depend on the URL."""
    base = settings.resource_url
    links = _select_links(
        privacyPolicy=settings.privacy_url, termsOfService=settings.terms_url, support=settings.support_url
    )
    card: JsonObject = {
        "$schema": SERVER_CARD_SCHEMA,
        **SERVER_INFO,
        "name": REGISTRY_NAME,
        "icons": server_icons(base),
        "remotes": [
            {
                "type": "streamable-http",
                "url": base + MCP_PATH,
                "supportedProtocolVersions": [revision.name for revision in REVISIONS],
            },
            {"type": "sse", "url": base + SSE_PATH, "supportedProtocolVersions": list(STATEFUL_REVISIONS)},
        ],
    }
    return card | ({"_meta": {LINKS_KEY: links}} if links else {})


def ai_catalog(settings: Settings) -> JsonObject:
    """Return the catalog with one entry, the server card (AI Catalog 1.0)."""
    entry: JsonObject = {
        "identifier": f"urn:air:{PUBLISHER_DOMAIN}:mcp:{SERVER_INFO['name']}",
        "type": SERVER_CARD_TYPE,
        "url": settings.resource_url + SERVER_CARD_PATH,
    }
    policies = _select_links(privacyPolicyUrl=settings.privacy_url, termsOfServiceUrl=settings.terms_url)
    if policies:
        entry["extensions"] = {POLICY_URLS_KEY: policies}
    return {
        "specVersion": "1.0",
        "host": {"displayName": SERVER_INFO["title"], "identifier": PUBLISHER_DOMAIN},
        "entries": [entry],
    }


def _select_links(**links: str) -> dict[str, str]:
    """Return the links that are set."""
    return {name: url for name, url in links.items() if url}
