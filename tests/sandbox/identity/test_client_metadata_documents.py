"""Client ID metadata documents: bundled ones of well-known clients, and validation of fetched ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from doit_mcp.sandbox.identity.client_metadata_documents import (
    ClientDocumentError,
    client_name,
    is_document_url,
    read_client,
)
from doit_mcp.sandbox.identity.known_clients import KNOWN_HOSTS, find_bundled_document

from ..conftest import CALLBACK, Party, Web

URL = "https://app.example/client.json"


def document(**changes: Any) -> bytes:
    """A valid document, with changes; None removes a member."""
    members = {"client_id": URL, "client_name": "App", "redirect_uris": [CALLBACK], **changes}
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()


@pytest.mark.parametrize(
    ("client", "callback"),
    [
        ("https://chatgpt.com/oauth/client.json", "https://chatgpt.com/connector_platform_oauth_redirect"),
        ("https://chatgpt.com/oauth/kQ3vXw81/client.json", "https://chatgpt.com/connector/oauth/kQ3vXw81"),
        ("https://chatgpt.com/oauth/codex/client.json", "http://127.0.0.1:49152/callback"),
        ("https://claude.ai/oauth/claude-code-client-metadata", "http://localhost:3118/callback"),
        ("https://claude.ai/oauth/claude-code-client-metadata", "http://127.0.0.1:3118/callback"),
        ("https://claude.ai/oauth/mcp-oauth-client-metadata", "https://claude.ai/api/mcp/auth_callback"),
        ("https://claude.ai/oauth/mcp-oauth-client-metadata", "https://claude.com/api/mcp/auth_callback"),
        ("https://cursor.com/oauth/mcp-client.json", "https://www.cursor.com/agents/mcp/oauth/callback"),
    ],
)
async def test_well_known_clients_sign_in_without_network_access(
    party: Party, documents: Web, client: str, callback: str
) -> None:
    party.world.identity.auto_approve = "admin@acme.example"
    answer = await party.get(party.ask(client, redirect_uri=callback))
    code = party.callback_parameters(answer, callback)["code"]
    tokens = await party.redeem(client, code, redirect_uri=callback)
    assert tokens.status == 200
    assert (await party.refresh(client, (await tokens.json())["refresh_token"])).status == 200
    assert documents.asked == []


@pytest.mark.parametrize(
    ("client", "callback"),
    [
        ("https://chatgpt.com/oauth/client.json", "https://chatgpt.com/connector/oauth/kQ3vXw81"),
        ("https://chatgpt.com/oauth/kQ3vXw81/client.json", "https://chatgpt.com/connector/oauth/other"),
        ("https://chatgpt.com/oauth/codex/client.json", "http://localhost:49152/callback"),
        ("https://claude.ai/oauth/claude-code-client-metadata", "http://localhost:3118/other"),
    ],
)
async def test_well_known_clients_use_only_their_own_redirect_uris(party: Party, client: str, callback: str) -> None:
    answer = await party.get(party.ask(client, redirect_uri=callback))
    assert answer.status == 400 and "Location" not in answer.headers


def test_recorded_documents_are_valid_with_known_hosts() -> None:
    for url in ("https://chatgpt.com/oauth/client.json", "https://cursor.com/oauth/mcp-client.json"):
        body = find_bundled_document(url)
        assert body is not None and read_client(url, body).has_document
    assert {"chatgpt.com", "claude.ai", "claude.com", "vscode.dev"} <= KNOWN_HOSTS
    assert not KNOWN_HOSTS & {"localhost", "127.0.0.1"}
    for url in ("https://chatgpt.com/oauth/a/b/client.json", "https://chatgpt.com/oauth//client.json"):
        assert find_bundled_document(url) is None


async def test_other_documents_are_fetched(party: Party, documents: Web) -> None:
    documents.pages[URL] = document()
    party.world.identity.auto_approve = "admin@acme.example"
    code = party.callback_parameters(await party.get(party.ask(URL)))["code"]
    assert (await party.redeem(URL, code)).status == 200
    assert set(documents.asked) == {URL}
    # Without its document the client is unknown.
    del documents.pages[URL]
    assert (await party.get(party.ask(URL))).status == 400


def test_document_describes_its_client() -> None:
    keys = {"jwks_uri": "https://app.example/keys", "token_endpoint_auth_method": "private_key_jwt"}
    client = read_client(URL, document(**keys))
    assert (client.id, client.name, client.redirect_uris, client.has_document) == (URL, "App", (CALLBACK,), True)
    assert client.auth_methods == {"private_key_jwt"} and client.jwks_uri == "https://app.example/keys"
    assert read_client(URL, document(client_name=None)).name == "app.example"
    metadata = document(token_endpoint_auth_method="private_key_jwt", token_endpoint_auth_methods=["none", "other"])
    assert read_client(URL, metadata).auth_methods == {"none", "private_key_jwt"}


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": URL + "/"},
        {"client_id": URL.upper()},
        {"client_secret": "x"},
        {"client_secret_expires_at": 0},
        {"redirect_uris": None},
        {"redirect_uris": []},
        {"redirect_uris": CALLBACK},
        {"redirect_uris": [CALLBACK] * 51},
        {"redirect_uris": ["http://evil.example/cb"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": [7]},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"token_endpoint_auth_methods": ["client_secret_basic"]},
    ],
)
def test_mismatched_documents_are_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(ClientDocumentError):
        read_client(URL, document(**changes))


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"[" * 50_000, b"<html>"])
def test_malformed_documents_are_rejected(body: bytes) -> None:
    with pytest.raises(ClientDocumentError):
        read_client(URL, body)


@pytest.mark.parametrize(
    ("url", "right"),
    [
        (URL, True),
        ("https://app.example/client?x=1", True),
        ("https://app.example:8443/client", True),
        ("https://app.example", False),
        ("https://app.example/", False),
        ("http://app.example/client", False),
        ("https://app.example/a/../client", False),
        ("https://app.example/a/.", False),
        ("https://app.example/client#x", False),
        ("https://me@app.example/client", False),
        ("https:///client", False),
        ("https://app.example/ client", False),
        ("client", False),
    ],
)
def test_client_id_urls(url: str, right: bool) -> None:
    assert is_document_url(url) is right


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("  A\n\tB  ", "A B"),
        ("\u202eevil", "evil"),
        ("\u200b", "none"),
        (7, "none"),
        (None, "none"),
        ("x" * 90, "x" * 80),
    ],
)
def test_client_names_are_safe_to_display(name: object, shown: str) -> None:
    assert client_name(name, "none") == shown
