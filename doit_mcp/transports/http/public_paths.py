"""Paths of documents without user data, which pages of any origin may read."""

from __future__ import annotations

from ...protocol.endpoint_urls import MCP_PATH, WELL_KNOWN_PATH

AI_CATALOG_PATH = f"{WELL_KNOWN_PATH}ai-catalog.json"
# OpenAI reads it to verify that the domain belongs to the publisher of an entry in the ChatGPT directory.
OPENAI_CHALLENGE_PATH = f"{WELL_KNOWN_PATH}openai-apps-challenge"
# Reserved by SEP-2127: the URL of the endpoint, followed by /server-card.
SERVER_CARD_PATH = f"{MCP_PATH}/server-card"
PNG_ICON_PATH, SVG_ICON_PATH = "/icon.png", "/icon.svg"
PUBLIC_PATHS = frozenset({SERVER_CARD_PATH, PNG_ICON_PATH, SVG_ICON_PATH})


def is_public(path: str) -> bool:
    """Return whether pages of any origin may read *path*.

    Discovery documents are fetched before anything is configured (RFC 9728, 3.1).
    """
    return WELL_KNOWN_PATH in path or path in PUBLIC_PATHS
