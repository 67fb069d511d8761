"""Client authentication at the token endpoint: each registered method, and invalid attempts."""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import quote_plus

import jwt
import pytest
from aiohttp import ClientResponse
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from doit_mcp.sandbox.identity.assertions import AssertionVerifier
from doit_mcp.sandbox.identity.client_metadata_documents import ClientDocuments
from doit_mcp.sandbox.identity.clients import ClientRegistry
from doit_mcp.sandbox.identity.models import Client
from doit_mcp.sandbox.identity.responses import OAuthError

from ..conftest import CALLBACK, Clock, Party, Web, error_of

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CHATGPT = "https://chatgpt.com/oauth/client.json"
CHATGPT_CALLBACK = "https://chatgpt.com/connector_platform_oauth_redirect"
RSA_KEY = rsa.generate_private_key(65537, 2048)
DEEP = "W1tb" * 4_000
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def key_set(*keys: tuple[str, Any]) -> dict[str, Any]:
    """A key set of public keys with these ids."""
    members = []
    for kid, key in keys:
        algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
        members.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid})
    return {"keys": members}


def basic(client_id: str, secret: str) -> dict[str, str]:
    """The Authorization header of HTTP Basic under RFC 6749, both parts form-encoded."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


async def redeem(
    party: Party, client: str, *, headers: Any = None, callback: str = CALLBACK, **proof: str
) -> ClientResponse:
    """Redeem a new code at the token endpoint; *proof* are additional form fields."""
    party.world.identity.auto_approve = "admin@acme.example"
    answer = await party.get(party.ask(client, redirect_uri=callback))
    form = {
        "grant_type": "authorization_code",
        "code": party.callback_parameters(answer, callback)["code"],
        "redirect_uri": callback,
        "code_verifier": party.verifier,
        **proof,
    }
    return await party.post("/api/auth/token", form, headers=headers or {})


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic", None])
async def test_client_secret_works_in_header_or_body(party: Party, method: str | None) -> None:
    client = await party.register(token_endpoint_auth_method=method)
    identifier, secret = client["client_id"], client["client_secret"]
    assert (await redeem(party, identifier, client_id=identifier, client_secret=secret)).status == 200
    assert (await redeem(party, identifier, headers=basic(identifier, secret))).status == 200
    named = await redeem(party, identifier, headers=basic(identifier, secret), client_id=identifier)
    assert named.status == 200


async def test_confidential_client_must_authenticate(party: Party) -> None:
    client = await party.register(token_endpoint_auth_method="client_secret_post")
    identifier, secret = client["client_id"], client["client_secret"]
    for form in ({"client_id": identifier}, {"client_id": identifier, "client_secret": "wrong"}):
        answer = await redeem(party, identifier, **form)
        assert await error_of(answer) == (401, "invalid_client") and "WWW-Authenticate" not in answer.headers
    answer = await redeem(party, identifier, headers=basic(identifier, "wrong"))
    assert await error_of(answer) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    # Each grant, and revocation, requires the same authentication.
    tokens = await (await redeem(party, identifier, client_id=identifier, client_secret=secret)).json()
    assert await error_of(await party.refresh(identifier, tokens["refresh_token"])) == (401, "invalid_client")
    form = {"client_id": identifier, "token": tokens["refresh_token"]}
    assert await error_of(await party.post("/api/auth/revoke", form)) == (401, "invalid_client")
    assert (await party.refresh(identifier, tokens["refresh_token"], client_secret=secret)).status == 200
    assert (await party.post("/api/auth/revoke", {**form, "client_secret": secret})).status == 200


@pytest.mark.parametrize(
    "header",
    [
        "Bearer x",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b":secret").decode(),
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
    ],
)
async def test_other_authorization_headers_are_rejected(party: Party, header: str) -> None:
    identifier = (await party.register())["client_id"]
    answer = await redeem(party, identifier, headers={"Authorization": header})
    assert await error_of(answer) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


async def test_public_client_identifies_itself(party: Party) -> None:
    identifier = (await party.register())["client_id"]
    assert (await redeem(party, identifier, client_id=identifier)).status == 200
    # Some libraries send Basic with an empty secret.
    assert (await redeem(party, identifier, headers=basic(identifier, ""))).status == 200
    assert await error_of(await redeem(party, identifier)) == (401, "invalid_client")
    assert await error_of(await redeem(party, identifier, client_id="nobody")) == (401, "invalid_client")
    answer = await redeem(party, identifier, client_id=identifier, client_secret="x")
    assert await error_of(answer) == (401, "invalid_client")


async def test_only_one_authentication_method_is_allowed(party: Party) -> None:
    client = await party.register(token_endpoint_auth_method="client_secret_basic")
    identifier, secret = client["client_id"], client["client_secret"]
    answer = await redeem(party, identifier, headers=basic(identifier, secret), client_secret=secret)
    assert await error_of(answer) == (400, "invalid_request")
    answer = await redeem(party, identifier, headers=basic(identifier, secret), client_id="other")
    assert await error_of(answer) == (400, "invalid_request")


def proof(party: Party, client: str, key: Any, *, kid: str | None = "one", **changes: Any) -> dict[str, str]:
    """Form fields of private_key_jwt; None removes a claim."""
    claims = {"iss": client, "sub": client, "aud": party.url, "exp": int(time.time()) + 60, "jti": "a", **changes}
    algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
    present = {name: value for name, value in claims.items() if value is not None}
    token = jwt.encode(present, key, algorithm, headers={"kid": kid} if kid else {})
    return {"client_id": client, "client_assertion_type": JWT_BEARER, "client_assertion": token}


@pytest.mark.parametrize("key", [RSA_KEY, EC_KEY], ids=["RS256", "ES256"])
async def test_private_key_authenticates_its_client(party: Party, key: Any) -> None:
    keys = key_set(("other", EC_KEY), ("one", key))
    client = (await party.register(token_endpoint_auth_method="private_key_jwt", jwks=keys))["client_id"]
    for number, audience in enumerate((party.url, f"{party.url}/api/auth/token", [party.url])):
        answer = await redeem(party, client, **proof(party, client, key, aud=audience, jti=f"{number}"))
        assert answer.status == 200, await answer.text()
    # The assertion identifies the client (RFC 7521 section 4.2), and a key set can be searched without a key id.
    form = proof(party, client, key, jti="alone", kid=None)
    del form["client_id"]
    assert (await redeem(party, client, **form)).status == 200


async def test_assertion_is_accepted_once(party: Party) -> None:
    keys = key_set(("one", EC_KEY))
    client = (await party.register(token_endpoint_auth_method="private_key_jwt", jwks=keys))["client_id"]
    form = proof(party, client, EC_KEY)
    assert (await redeem(party, client, **form)).status == 200
    assert await error_of(await redeem(party, client, **form)) == (401, "invalid_client")


@pytest.mark.parametrize(
    "changes",
    [
        {"key": ec.generate_private_key(ec.SECP256R1())},
        {"kid": "two"},
        {"iss": "other"},
        {"sub": None},
        {"aud": "https://other.example"},
        {"exp": 10**400},
        {"exp": None},
        {"iat": "now"},
        {"jti": None},
    ],
)
async def test_invalid_assertions_are_rejected(party: Party, changes: dict[str, Any]) -> None:
    keys = key_set(("one", EC_KEY))
    client = (await party.register(token_endpoint_auth_method="private_key_jwt", jwks=keys))["client_id"]
    form = proof(party, client, changes.pop("key", EC_KEY), **changes)
    assert await error_of(await redeem(party, client, **form)) == (401, "invalid_client")


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", f"{DEEP}.e30.x", f"e30.{DEEP}.x"])
async def test_malformed_assertions_are_rejected(party: Party, token: str) -> None:
    keys = key_set(("one", EC_KEY))
    client = (await party.register(token_endpoint_auth_method="private_key_jwt", jwks=keys))["client_id"]
    form = {"client_assertion_type": JWT_BEARER, "client_assertion": token}
    assert await error_of(await redeem(party, client, **form)) == (401, "invalid_client")
    assert await error_of(await redeem(party, client, client_id=client, **form)) == (401, "invalid_client")


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"keys": "x"},
        {"keys": [7, {}, {"kty": "oct", "k": "AAAA"}, {"kty": "RSA"}, {"kty": "EC", "crv": "P-256", "x": "!", "y": 3}]},
        key_set(("one", rsa.generate_private_key(65537, 1024))),
    ],
    ids=["empty", "no list", "odd members", "too short"],
)
async def test_invalid_key_sets_are_rejected(party: Party, keys: dict[str, Any]) -> None:
    client = (await party.register(token_endpoint_auth_method="private_key_jwt", jwks=keys))["client_id"]
    answer = await redeem(party, client, **proof(party, client, RSA_KEY))
    assert await error_of(answer) == (401, "invalid_client")


async def test_assertions_require_their_type_and_a_registered_client(party: Party) -> None:
    keys = key_set(("one", EC_KEY))
    client = (await party.register(token_endpoint_auth_method="private_key_jwt", jwks=keys))["client_id"]
    form = proof(party, client, EC_KEY)
    answer = await redeem(party, client, **{**form, "client_assertion_type": "other"})
    assert await error_of(answer) == (400, "invalid_request")
    assert await error_of(await redeem(party, client, client_id=client)) == (401, "invalid_client")
    open_client = (await party.register())["client_id"]
    answer = await redeem(party, open_client, **proof(party, open_client, EC_KEY))
    assert await error_of(answer) == (401, "invalid_client")


async def test_chatgpt_may_authenticate_or_not(party: Party, documents: Web) -> None:
    """ChatGPT sometimes acts as a public client, although its document names a key set."""
    documents.put("https://chatgpt.com/oauth/jwks.json", key_set(("one", RSA_KEY)))
    open_answer = await redeem(party, CHATGPT, callback=CHATGPT_CALLBACK, client_id=CHATGPT)
    assert open_answer.status == 200
    proven = await redeem(party, CHATGPT, callback=CHATGPT_CALLBACK, **proof(party, CHATGPT, RSA_KEY))
    assert proven.status == 200
    forged = proof(party, CHATGPT, rsa.generate_private_key(65537, 2048), jti="b")
    answer = await redeem(party, CHATGPT, callback=CHATGPT_CALLBACK, **forged)
    assert await error_of(answer) == (401, "invalid_client")


@pytest.mark.parametrize(
    "uri", ["https://nothing.example/jwks.json", "http://127.0.0.1/jwks.json", "https://chatgpt.com/bad", None]
)
async def test_unavailable_keys_authenticate_nothing(party: Party, documents: Web, uri: str | None) -> None:
    documents.pages["https://chatgpt.com/bad"] = b"[]"
    url, callback = "https://app.example/client.json", "https://app.example/cb"
    document = {"client_id": url, "redirect_uris": [callback], "token_endpoint_auth_method": "private_key_jwt"}
    documents.put(url, {**document, "jwks_uri": uri})
    answer = await redeem(party, url, callback=callback, **proof(party, url, RSA_KEY))
    assert await error_of(answer) == (401, "invalid_client")
    # Only https URLs are fetched.
    assert "http://127.0.0.1/jwks.json" not in documents.asked


def client(number: int) -> Client:
    return Client(id=f"c{number}", name="", redirect_uris=(CALLBACK,))


async def test_registration_flood_evicts_only_unused_clients(clock: Clock, documents: Web) -> None:
    clients = ClientRegistry(ClientDocuments(documents), AssertionVerifier({"x"}, clock), limit=3)
    for number in range(3):
        clients.add(client(number))
    clients.mark_used("c0")
    for number in range(3, 20):
        clients.add(client(number))
    assert (await clients.find("c0")).id == "c0"
    assert (await clients.find("c19")).id == "c19"
    with pytest.raises(OAuthError):
        await clients.find("c1")
    for number in (18, 19):
        clients.mark_used(f"c{number}")
    with pytest.raises(OAuthError) as refused:
        clients.add(client(20))
    assert (refused.value.status, refused.value.error) == (503, "temporarily_unavailable")
