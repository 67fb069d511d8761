"""Metadata documents of the provider, and its key set."""

from __future__ import annotations

import jwt
import pytest

from doit_mcp.sandbox.accounts import USERS

from ..conftest import BASE, Party, error_of

PATHS = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")


@pytest.mark.parametrize("path", PATHS)
async def test_metadata_has_what_clients_need(party: Party, path: str) -> None:
    answer = await party.get(party.url + path)
    body = await answer.json()
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert body["issuer"] == party.url
    assert body["authorization_endpoint"] == f"{party.url}/sign-in/oauth"
    assert body["token_endpoint"] == f"{party.url}/api/auth/token"
    assert body["registration_endpoint"] == f"{party.url}/api/auth/register"
    assert body["revocation_endpoint"] == f"{party.url}/api/auth/revoke"
    assert body["code_challenge_methods_supported"] == ["S256"]
    assert body["client_id_metadata_document_supported"] is True
    assert body["authorization_response_iss_parameter_supported"] is True
    assert body["response_types_supported"] == ["code"]
    assert body["scopes_supported"] == ["mcp:tools", "mcp:resources", "offline_access"]
    methods = {"none", "client_secret_post", "client_secret_basic", "private_key_jwt"}
    assert set(body["token_endpoint_auth_methods_supported"]) == methods


async def test_openid_document_meets_its_specification(party: Party) -> None:
    body = await (await party.get(party.url + PATHS[1])).json()
    required = {"jwks_uri", "subject_types_supported", "id_token_signing_alg_values_supported"}
    assert required <= set(body)


@pytest.mark.parametrize("path", [*PATHS, "/.well-known/jwks.json", "/api/auth/token", "/api/auth/register"])
async def test_cors_allows_any_origin(party: Party, path: str) -> None:
    headers = {"Origin": "https://inspector.example", "Access-Control-Request-Method": "POST"}
    async with party.http.options(party.url + path, headers=headers) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_key_set_has_the_access_key_and_one_for_another_purpose(party: Party) -> None:
    answer = await party.get(f"{party.url}/.well-known/jwks.json")
    keys = (await answer.json())["keys"]
    assert [key["kid"] for key in keys] == ["mcp-access", "id-token"]
    for key in keys:
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
        assert "d" not in key
    assert party.world.identity.request_counts["jwks"] == 1


def check(token: str, keys: list[dict[str, str]], kid: str = "mcp-access") -> bool:
    for key in (key for key in keys if key["kid"] == kid):
        try:
            jwt.decode(token, jwt.PyJWK(key), algorithms=["ES256"], audience=BASE)
        except jwt.InvalidSignatureError:
            continue
        return True
    return False


async def test_rotation_changes_the_key_under_the_same_id(party: Party) -> None:
    identity = party.world.identity
    before = identity.mint(USERS[0])
    identity.rotate_keys()
    after = identity.mint(USERS[0])
    keys = (await (await party.get(f"{party.url}/.well-known/jwks.json")).json())["keys"]
    assert [key["kid"] for key in keys] == ["mcp-access", "id-token"]
    assert check(after, keys) and not check(before, keys)
    assert not check(after, keys, "id-token")


async def test_rotation_can_keep_the_former_key(party: Party) -> None:
    identity = party.world.identity
    before = identity.mint(USERS[0])
    identity.rotate_keys(keep=True)
    keys = identity.signing.jwks()["keys"]
    assert [key["kid"] for key in keys] == ["mcp-access", "mcp-access", "id-token"]
    assert check(before, keys) and check(identity.mint(USERS[0]), keys)


async def test_minted_tokens_match_sign_in_tokens(party: Party) -> None:
    client = await party.register()
    real = (await party.login(client["client_id"]))["access_token"]
    minted = party.world.identity.mint(USERS[0], resource=f"{BASE}/mcp")
    assert jwt.get_unverified_header(real) == jwt.get_unverified_header(minted)
    item, other = (jwt.decode(token, options={"verify_signature": False}) for token in (real, minted))
    assert set(item) == set(other)
    for name in ("iss", "aud", "sub", "scope", "customer_context", "exp"):
        assert item[name] == other[name]


async def test_minted_claims_can_be_overridden(party: Party) -> None:
    token = party.world.identity.mint(USERS[3], ttl=5, scope="mcp:resources", jti=None, aud=["a", "b"], extra=1)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 5
    assert "jti" not in claims
    assert (claims["aud"], claims["extra"], claims["scope"]) == (["a", "b"], 1, "mcp:resources")
    assert claims["doit_employee"] is True


async def test_outage_affects_keys_and_tokens_but_not_metadata(party: Party) -> None:
    party.world.identity.down = True
    keys = await party.get(f"{party.url}/.well-known/jwks.json")
    assert await error_of(keys) == (503, "temporarily_unavailable")
    assert keys.headers["Retry-After"].isdigit()
    assert await error_of(await party.token(grant_type="refresh_token")) == (503, "temporarily_unavailable")
    assert await error_of(await party.post("/api/auth/revoke", {})) == (503, "temporarily_unavailable")
    assert (await party.get(party.url + PATHS[0])).status == 200
    party.world.identity.down = False
    assert (await party.get(f"{party.url}/.well-known/jwks.json")).status == 200
