"""Dynamic client registration: accepted metadata, responses, errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..conftest import CALLBACK, Clock, Party, error_of

URL = "/api/auth/register"

# Request bodies of real clients.
CHATGPT = {
    "client_name": "ChatGPT",
    "application_type": "native",
    "redirect_uris": ["https://chatgpt.com/connector/oauth/kQ3vXw81"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "client_secret_post",
}
CLAUDE_CODE = {
    "client_name": "Claude Code (doit)",
    "application_type": "native",
    "redirect_uris": ["http://localhost:33418/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
    "scope": "mcp:tools offline_access",
}
CURSOR = {
    "client_name": "Cursor",
    "redirect_uris": ["cursor://anysphere.cursor-mcp/oauth/callback"],
    "token_endpoint_auth_method": "none",
}
MCP_REMOTE = {
    "client_name": "MCP CLI Proxy",
    "redirect_uris": ["http://localhost:3334/oauth/callback"],
    "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
    "software_version": "0.15.1",
    "token_endpoint_auth_method": "none",
}


async def refusal(party: Party, body: Any) -> tuple[int, str]:
    async with party.http.post(party.url + URL, json=body) as answer:
        return await error_of(answer)


@pytest.mark.parametrize("body", [CHATGPT, CLAUDE_CODE, CURSOR, MCP_REMOTE], ids=lambda body: body["client_name"])
async def test_clients_get_the_requested_metadata(party: Party, clock: Clock, body: dict[str, Any]) -> None:
    client = await party.register(**body)
    assert client["client_id_issued_at"] == int(clock.now)
    assert {name: client.get(name) for name in body} == body
    if body["token_endpoint_auth_method"] == "none":
        assert "client_secret" not in client
    else:
        assert len(client["client_secret"]) >= 32 and client["client_secret_expires_at"] == 0


async def test_responses_are_private_and_ids_unique(party: Party) -> None:
    item, other = await party.register(), await party.register()
    assert item["client_id"] != other["client_id"]
    async with party.http.post(party.url + URL, json=CURSOR) as answer:
        assert answer.headers["Cache-Control"] == "no-store" and answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_defaults_follow_the_rfc(party: Party) -> None:
    async with party.http.post(party.url + URL, json={"redirect_uris": [CALLBACK]}) as answer:
        body = await answer.json()
    assert body["token_endpoint_auth_method"] == "client_secret_basic" and body["client_secret"]
    assert (body["grant_types"], body["response_types"]) == (["authorization_code"], ["code"])


async def test_unsupported_values_are_omitted(party: Party) -> None:
    metadata = {
        "grant_types": ["authorization_code", "implicit", "refresh_token"],
        "response_types": ["code", "token"],
        "scope": "openid mcp:tools email",
        "unknown": {"x": 1},
    }
    client = await party.register(**metadata)
    assert client["grant_types"] == ["authorization_code", "refresh_token"]
    assert (client["response_types"], client["scope"]) == (["code"], "mcp:tools")
    assert "unknown" not in client


@pytest.mark.parametrize(
    "uri",
    [
        "http://evil.example/cb",
        "http://127.0.0.2/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://user@127.0.0.1/cb",
        "https://user:password@app.example/cb",
        "https://app.example/cb#fragment",
        "https:///cb",
        "https://app.example:99999/cb",
        "https://app.example:0/cb",
        "https://app.example/a b",
        "https://app.example\\@evil.example/cb",
        "https://app.ex\u00e4mple/cb",
        "https://app.example/\r\ncb",
        "javascript:alert(1)",
        "JavaScript://app.example/%0aalert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "intent://x/#Intent;end",
        "app:",
        "//app.example/cb",
        "/cb",
        "",
        7,
        None,
        "https://app.example/" + "x" * 2048,
    ],
)
async def test_invalid_redirect_uris_are_rejected(party: Party, uri: object) -> None:
    assert await refusal(party, {"redirect_uris": [CALLBACK, uri]}) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize("uris", [None, [], "https://app.example/cb", {}, [CALLBACK] * 21])
async def test_redirect_uri_list_is_bounded(party: Party, uris: object) -> None:
    assert await refusal(party, {"redirect_uris": uris}) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize(
    "changes",
    [
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": 7},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}, "jwks_uri": "https://app.example/k"},
        {"jwks": "x"},
        {"grant_types": ["client_credentials"]},
        {"grant_types": "authorization_code"},
        {"grant_types": [7]},
        {"grant_types": ["authorization_code"] * 51},
        {"response_types": ["token"]},
        {"application_type": "browser"},
        {"client_name": 7},
        {"client_name": "x" * 2049},
        {"client_name": ["x"]},
        {"contacts": "me"},
        {"scope": ["mcp:tools"]},
    ],
)
async def test_invalid_metadata_is_rejected(party: Party, changes: dict[str, Any]) -> None:
    assert await refusal(party, {"redirect_uris": [CALLBACK], **changes}) == (400, "invalid_client_metadata")


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"\xff", b"[" * 50_000, b'{"a": NaN', b'"x"'])
async def test_invalid_bodies_are_rejected(party: Party, body: bytes) -> None:
    async with party.http.post(party.url + URL, data=body) as answer:
        assert await error_of(answer) == (400, "invalid_client_metadata")


async def test_large_bodies_are_rejected(party: Party) -> None:
    body = json.dumps({"redirect_uris": [CALLBACK], "client_name": "x" * 70_000}).encode()
    async with party.http.post(party.url + URL, data=body) as answer:
        assert await error_of(answer) == (413, "invalid_request")
