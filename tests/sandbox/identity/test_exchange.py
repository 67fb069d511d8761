"""Token exchange: authentication of the MCP server, and the validity of exchanged tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jwt
import pytest

from doit_mcp.sandbox.accounts import ACME, GLOBEX, USERS
from doit_mcp.sandbox.server import run_sandbox

from ..conftest import BASE, SECRET, Clock, NoApi, Party, error_of

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
ADMIN, VIEWER, GLOBEX_ADMIN, EMPLOYEE, *_ = USERS


def assertion(party: Party, clock: Clock, *, secret: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    """A client assertion; None removes a claim."""
    claims = {
        "iss": "mcp.doit.com",
        "sub": "mcp.doit.com",
        "aud": f"{party.url}/api/auth/token",
        "iat": int(clock.now),
        "exp": int(clock.now) + 60,
        "jti": f"id-{party.world.identity.request_counts.total()}",
        **changes,
    }
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, secret, algorithm)


def form(party: Party, clock: Clock, token: str, **changes: str) -> dict[str, str]:
    """A valid request, with changes; "" removes a field."""
    fields = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
        "requested_token_type": ACCESS_TOKEN,
        "audience": "cmp",
        "client_id": "mcp.doit.com",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": changes.pop("client_assertion", None) or assertion(party, clock),
        **changes,
    }
    return {name: value for name, value in fields.items() if value}


async def whoami(party: Party, token: str) -> dict[str, str] | int:
    async with party.http.get(f"{party.url}/whoami", headers={"Authorization": f"Bearer {token}"}) as answer:
        body: dict[str, str] = await answer.json()
        return body if answer.status == 200 else answer.status


async def exchange_token(party: Party, clock: Clock, token: str) -> dict[str, Any]:
    answer = await party.token(**form(party, clock, token))
    assert answer.status == 200, await answer.text()
    assert answer.headers["Cache-Control"] == "no-store"
    body: dict[str, Any] = await answer.json()
    return body


@pytest.mark.parametrize("user", USERS, ids=lambda user: user.email)
async def test_access_token_becomes_an_api_token(party: Party, clock: Clock, user: Any) -> None:
    body = await exchange_token(party, clock, party.world.identity.mint(user))
    assert set(body) == {"access_token", "issued_token_type", "token_type", "expires_in"}
    assert (body["issued_token_type"], body["token_type"], body["expires_in"]) == (ACCESS_TOKEN, "Bearer", 3600)
    assert await whoami(party, body["access_token"]) == {"email": user.email, "customer": user.customer}


async def test_exchanged_token_expires(party: Party, clock: Clock) -> None:
    body = await exchange_token(party, clock, party.world.identity.mint(ADMIN, ttl=100))
    assert body["expires_in"] == 100
    clock.advance(99)
    assert await whoami(party, body["access_token"]) != 401
    clock.advance(2)
    assert await whoami(party, body["access_token"]) == 401


async def test_exchanged_token_ends_with_its_subject_token(party: Party, clock: Clock) -> None:
    client = (await party.register())["client_id"]
    tokens = await party.login(client)
    body = await exchange_token(party, clock, tokens["access_token"])
    await party.post("/api/auth/revoke", {"client_id": client, "token": tokens["refresh_token"]})
    assert await whoami(party, body["access_token"]) == 401
    answer = await party.token(**form(party, clock, tokens["access_token"]))
    assert await error_of(answer) == (400, "invalid_grant")


async def test_revoked_access_token_is_not_exchanged(party: Party, clock: Clock) -> None:
    client = (await party.register())["client_id"]
    token = (await party.login(client))["access_token"]
    await party.post("/api/auth/revoke", {"client_id": client, "token": token})
    assert await error_of(await party.token(**form(party, clock, token))) == (400, "invalid_grant")


async def test_token_without_an_id_is_not_revoked_with_others(party: Party, clock: Clock) -> None:
    identity = party.world.identity
    client = (await party.register())["client_id"]
    item, other = (identity.mint(user, jti=None, cid=client) for user in (ADMIN, VIEWER))
    await party.post("/api/auth/revoke", {"client_id": client, "token": item})
    assert (await exchange_token(party, clock, other))["access_token"]


async def test_employees_act_for_the_customer_of_their_token(party: Party, clock: Clock) -> None:
    for customer in (ACME.id, GLOBEX.id, ""):
        body = await exchange_token(party, clock, party.world.identity.mint(EMPLOYEE, customer_context=customer))
        assert await whoami(party, body["access_token"]) == {"email": EMPLOYEE.email, "customer": customer}


SUBJECTS: dict[str, Callable[[Party], str]] = {
    "another customer": lambda party: party.world.identity.mint(ADMIN, customer_context=GLOBEX.id),
    "no such customer": lambda party: party.world.identity.mint(EMPLOYEE, customer_context="nobody"),
    "odd customer": lambda party: party.world.identity.mint(ADMIN, customer_context=["x"]),
    "nobody": lambda party: party.world.identity.mint(ADMIN, sub="nobody@acme.example"),
    "expired": lambda party: party.world.identity.mint(ADMIN, ttl=-1),
    "without end": lambda party: party.world.identity.mint(ADMIN, exp=None),
    "odd end": lambda party: party.world.identity.mint(ADMIN, exp="tomorrow"),
    "another issuer": lambda party: party.world.identity.mint(ADMIN, iss="https://other.example"),
    "another purpose": lambda party: party.world.identity.signing.sign({"sub": ADMIN.email}, key="id-token"),
    "another algorithm": lambda party: jwt.encode({"sub": ADMIN.email}, SECRET, headers={"kid": "mcp-access"}),
    "an exchanged-looking token": lambda party: "sandbox-exchanged-x",
    "an API token": lambda party: ADMIN.api_token,
    "too deep": lambda party: "W1tbW1tb" * 2_000 + ".e30.x",
}


@pytest.mark.parametrize("name", SUBJECTS)
async def test_invalid_subject_tokens_are_rejected(party: Party, clock: Clock, name: str) -> None:
    answer = await party.token(**form(party, clock, SUBJECTS[name](party)))
    assert await error_of(answer) == (400, "invalid_request")


async def test_rotated_key_invalidates_its_tokens_unless_kept(party: Party, clock: Clock) -> None:
    identity = party.world.identity
    first = identity.mint(ADMIN)
    identity.rotate_keys(keep=True)
    assert (await exchange_token(party, clock, first))["access_token"]
    identity.rotate_keys()
    assert await error_of(await party.token(**form(party, clock, first))) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"client_id": ""}, (400, "invalid_request")),
        ({"client_id": "other"}, (400, "unauthorized_client")),
        ({"client_assertion_type": ""}, (400, "invalid_request")),
        ({"client_assertion_type": "saml2-bearer"}, (400, "invalid_request")),
        ({"client_assertion": "nonsense"}, (401, "invalid_client")),
        ({"subject_token": ""}, (400, "invalid_request")),
        ({"subject_token_type": ""}, (400, "invalid_request")),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}, (400, "invalid_request")),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:jwt"}, (400, "invalid_request")),
        ({"audience": ""}, (400, "invalid_target")),
        ({"audience": "other"}, (400, "invalid_target")),
        ({"actor_token": "x"}, (400, "invalid_request")),
    ],
)
async def test_invalid_requests_are_rejected(
    party: Party, clock: Clock, changes: dict[str, str], expected: tuple[int, str]
) -> None:
    answer = await party.token(**form(party, clock, party.world.identity.mint(ADMIN), **changes))
    assert await error_of(answer) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "another-secret-that-has-enough-bytes-for-hmac"},
        {"secret": SECRET * 2, "algorithm": "HS512"},
        {"algorithm": "none", "secret": ""},
        {"iss": "other"},
        {"sub": "other"},
        {"iss": None},
        {"aud": "https://mcp.doit.com"},
        {"aud": None},
        {"aud": [7]},
        {"exp": None},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": 10**400},
        {"exp": 1},
        {"iat": None},
        {"iat": 10**400},
        {"iat": "now"},
        {"nbf": 10**400},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 300},
        {"jti": 7},
    ],
)
async def test_invalid_assertions_are_rejected(party: Party, clock: Clock, changes: dict[str, Any]) -> None:
    proof = assertion(party, clock, **changes)
    answer = await party.token(**form(party, clock, party.world.identity.mint(ADMIN), client_assertion=proof))
    assert await error_of(answer) == (401, "invalid_client")


async def test_assertion_lives_at_most_five_minutes(party: Party, clock: Clock) -> None:
    for seconds, status in ((300, 200), (320, 401)):
        proof = assertion(party, clock, exp=int(clock.now) + seconds, jti=f"a{seconds}")
        answer = await party.token(**form(party, clock, party.world.identity.mint(ADMIN), client_assertion=proof))
        assert answer.status == status


async def test_assertion_is_accepted_once(party: Party, clock: Clock) -> None:
    proof, token = assertion(party, clock), party.world.identity.mint(ADMIN)
    assert (await party.token(**form(party, clock, token, client_assertion=proof))).status == 200
    answer = await party.token(**form(party, clock, token, client_assertion=proof))
    assert await error_of(answer) == (401, "invalid_client")


async def test_issuer_is_not_an_exchange_audience(party: Party, clock: Clock) -> None:
    for audience, status in ((party.url, 401), ([party.url, f"{party.url}/api/auth/token"], 200)):
        proof = assertion(party, clock, aud=audience, jti=str(status))
        answer = await party.token(**form(party, clock, party.world.identity.mint(ADMIN), client_assertion=proof))
        assert answer.status == status


async def test_exchanges_are_counted(party: Party, clock: Clock) -> None:
    await exchange_token(party, clock, party.world.identity.mint(ADMIN))
    assert party.world.identity.request_counts["urn:ietf:params:oauth:grant-type:token-exchange"] == 1


async def test_exchanged_token_lifetime_is_configurable(clock: Clock, party: Party) -> None:
    async with run_sandbox(resource_url=BASE, secret=SECRET, clock=clock, exchanged_ttl=7, api=NoApi()) as sandbox:
        brief = Party(sandbox, party.http)
        assert (await exchange_token(brief, clock, sandbox.identity.mint(ADMIN)))["expires_in"] == 7
