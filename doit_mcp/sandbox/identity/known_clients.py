"""Bundled metadata documents of well-known clients, for a sandbox without network access."""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from urllib.parse import urlsplit

from .models import JsonObject

_GRANT_TYPES = ["authorization_code", "refresh_token"]


def _make_document(url: str, name: str, redirect_uris: list[str], **members: object) -> JsonObject:
    return {
        "client_id": url,
        "client_name": name,
        "redirect_uris": redirect_uris,
        "grant_types": _GRANT_TYPES,
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        **members,
    }


def _chatgpt_document(url: str, redirect_uri: str) -> JsonObject:
    # ChatGPT publishes both members: the list of supported methods, and the older member with its preferred one.
    return _make_document(
        url,
        "ChatGPT",
        [redirect_uri],
        client_uri="https://chatgpt.com",
        token_endpoint_auth_methods=["private_key_jwt", "none"],
        token_endpoint_auth_method="private_key_jwt",
        token_endpoint_auth_signing_alg="RS256",
        jwks_uri="https://chatgpt.com/oauth/jwks.json",
    )


def _make_bundled_documents() -> dict[str, JsonObject]:
    documents = (
        _chatgpt_document(
            "https://chatgpt.com/oauth/client.json", "https://chatgpt.com/connector_platform_oauth_redirect"
        ),
        _make_document("https://chatgpt.com/oauth/codex/client.json", "Codex", ["http://127.0.0.1/callback"]),
        _make_document(
            "https://claude.ai/oauth/claude-code-client-metadata",
            "Claude Code",
            ["http://localhost/callback", "http://127.0.0.1/callback"],
            client_uri="https://claude.ai",
        ),
        _make_document(
            "https://claude.ai/oauth/mcp-oauth-client-metadata",
            "Claude",
            ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"],
            client_uri="https://claude.ai",
        ),
        _make_document(
            "https://cursor.com/oauth/mcp-client.json",
            "Cursor",
            ["https://www.cursor.com/agents/mcp/oauth/callback"],
            client_uri="https://cursor.com",
        ),
    )
    return {document["client_id"]: document for document in documents}


_DOCUMENTS = MappingProxyType(_make_bundled_documents())
_CHATGPT_CONNECTOR = re.compile(r"https://chatgpt\.com/oauth/([A-Za-z0-9_-]{1,100})/client\.json")

# Hosts of redirect URIs that need no warning on the consent page.
KNOWN_HOSTS = frozenset(
    urlsplit(uri).hostname
    for document in _DOCUMENTS.values()
    for uri in document["redirect_uris"]
    if uri.startswith("https:")
) | {"vscode.dev", "insiders.vscode.dev", "grok.com"}


def find_bundled_document(url: str) -> bytes | None:
    """The bundled document for this client id, or None. ChatGPT has one client id per connector."""
    if document := _DOCUMENTS.get(url):
        return json.dumps(document).encode()
    if match := _CHATGPT_CONNECTOR.fullmatch(url):
        return json.dumps(_chatgpt_document(url, f"https://chatgpt.com/connector/oauth/{match[1]}")).encode()
    return None
