"""Verification of DoiT API tokens: responses of the API, caching, limits of failed attempts, and logs."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from doit_mcp.auth.api_tokens import ApiTokenVerifier
from doit_mcp.auth.authenticator import Authenticator
from doit_mcp.auth.bearer import token_digest
from doit_mcp.auth.errors import AuthError
from doit_mcp.auth.failed_attempts import TOO_MANY_REFUSED_TOKENS
from doit_mcp.auth.principal import Principal
from doit_mcp.resilience.limits import LimitExceeded

from .conftest import Mint
from .minting import BASE, Signer, base64url, claims, encode_members, make_unsigned
from .provider import Clock, Provider, flood, hang, reset_connection, respond

TOKEN = "canary-of-an-api-token"
ACME = {"domain": "acme.example", "email": "Admin@Acme.example"}


@pytest.fixture(autouse=True)
def _known(provider: Provider) -> None:
    provider.users[TOKEN] = ACME


async def enter(authenticator: Authenticator, token: str, address: str = "") -> Principal:
    return await authenticator.authenticate([f"Bearer {token}"], address)


async def rejection(authenticator: Authenticator, token: str = TOKEN, address: str = "") -> AuthError:
    with pytest.raises(AuthError) as caught:
        await enter(authenticator, token, address)
    assert token not in caught.value.description
    return caught.value


@pytest.mark.requirement("P1")
async def test_p1_valid_token_has_the_identity_the_api_returns(
    authenticator: Authenticator, provider: Provider
) -> None:
    principal = await enter(authenticator, TOKEN)
    assert (principal.subject, principal.customer, principal.employee, principal.kind) == (
        "admin@acme.example",
        "",
        False,
        "api",
    )
    assert principal.tenant == principal.domain == "acme.example"
    assert principal.token == TOKEN and TOKEN not in repr(principal)
    assert provider.validations == [(TOKEN, "")]  # at the base's own path


@pytest.mark.requirement("P1")
@pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 300, 304, 400, 401, 402, 404, 409, 410, 422, 429, 451])
async def test_p1_any_other_response_rejects_the_token(
    authenticator: Authenticator, provider: Provider, status: int
) -> None:
    body = "" if status in (204, 304) else json.dumps(ACME)
    provider.validate_answer = respond(status, body)
    error = await rejection(authenticator)
    assert (error.status, error.error) == (401, "invalid_token")


@pytest.mark.requirement("X7", "P1")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_p1_x7_redirects_are_not_followed(
    authenticator: Authenticator, provider: Provider, canary: tuple[str, list[str]], status: int
) -> None:
    url, requests = canary
    provider.validate_answer = respond(status, json.dumps(ACME), Location=url)
    assert (await rejection(authenticator)).status == 401
    assert requests == []


@pytest.mark.requirement("P1")
@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "<html>",
        "{}",
        '{"email": "a@b"}',
        '{"domain": "b"}',
        '{"domain": "", "email": "a@b"}',
        '{"domain": "b", "email": ""}',
        '{"domain": 1, "email": "a@b"}',
        '{"domain": "b", "email": ["a@b"]}',
        '{"domain": "b", "email": "nobody"}',
        '{"domain": "b", "email": "a@b\\n"}',
        "[" * 50_000,
        '{"domain": "b", "email": "a@' + "b" * 1000 + '"}',
        '{"domain": "b", "email": null}',
        '{"x": NaN}',
    ],
)
async def test_p1_malformed_identity_is_an_outage(authenticator: Authenticator, provider: Provider, body: str) -> None:
    provider.validate_answer = respond(200, body)
    assert (await rejection(authenticator)).status == 503


@pytest.mark.requirement("P1")
@pytest.mark.parametrize("timeout_seconds", [1.0])
async def test_p1_outages_are_503_and_end_immediately(authenticator: Authenticator, provider: Provider) -> None:
    until = asyncio.Event()
    for answer in (
        respond(500),
        respond(502, "<html>"),
        respond(504),
        reset_connection,
        flood,
        hang(until),
        respond(200, "x", Content_Encoding="gzip"),
    ):
        provider.validate_answer = answer
        error = await rejection(authenticator)
        assert (error.status, error.error) == (503, "temporarily_unavailable")
        assert error.retry_after is not None and error.retry_after > 0
    until.set()
    provider.validate_answer = None
    assert (await enter(authenticator, TOKEN)).subject == "admin@acme.example"


@pytest.mark.requirement("P2")
async def test_p2_jwt_claims_grant_no_rights(authenticator: Authenticator, provider: Provider) -> None:
    token = make_unsigned(
        {"alg": "HS256", "typ": "JWT"},
        {"sub": "admin@acme.EXAMPLE", "DoitEmployee": True, "doit_employee": True, "customer_context": "globex"},
        "c2ln",
    )
    provider.users[token] = ACME
    principal = await enter(authenticator, token)
    assert (principal.subject, principal.customer, principal.employee) == ("admin@acme.example", "", False)


@pytest.mark.requirement("P2")
@pytest.mark.parametrize(
    "subject", ["admin@globex.example", "", "admin@acme.example ", 1, None, ["admin@acme.example"]]
)
async def test_p2_rejects_a_different_subject(authenticator: Authenticator, provider: Provider, subject: Any) -> None:
    body = json.dumps({"sub": subject}).encode()
    token = f"{base64url(encode_members({'alg': 'HS256'}))}.{base64url(body)}.c2ln"
    provider.users[token] = ACME
    assert (await rejection(authenticator, token)).status == 401
    assert (await rejection(authenticator, token)).status == 401
    assert len(provider.validations) == 1


@pytest.mark.requirement("P2")
@pytest.mark.parametrize("second", ["", "x", "AAAA", base64url(b"[]"), base64url(b'{"sub":'), base64url(b"[" * 3000)])
async def test_p2_unreadable_jwt_is_not_sent_to_the_api(
    authenticator: Authenticator, provider: Provider, second: str
) -> None:
    token = f"{base64url(encode_members({'alg': 'HS256', 'typ': 'JWT'}))}.{second}.c2ln"
    assert (await rejection(authenticator, token)).status == 401
    assert provider.validations == []


async def test_a_403_is_retried_with_the_employee_context(authenticator: Authenticator, provider: Provider) -> None:
    provider.employees["employee-token"] = "someone@doit.example"
    principal = await enter(authenticator, "employee-token")
    assert (principal.subject, principal.customer, principal.employee) == ("someone@doit.example", "", True)
    assert principal.tenant == "doit.com" and principal.for_customer("acme").tenant == "acme"
    assert provider.validations == [("employee-token", ""), ("employee-token", "customerContext=doit.com")]


async def test_only_the_employee_retry_marks_an_employee(authenticator: Authenticator, provider: Provider) -> None:
    provider.users["plain"] = {"domain": "doit.com", "email": "someone@doit.example"}
    assert (await enter(authenticator, "plain")).employee is False

    async def other_domain(request: web.Request) -> web.StreamResponse:
        if "customerContext" not in request.query:
            return web.Response(status=403)
        return web.json_response({"domain": "acme.example", "email": "someone@acme.example"})

    provider.validate_answer = other_domain
    assert (await rejection(authenticator, "other")).status == 401
    provider.validate_answer = respond(403)
    assert (await rejection(authenticator, "another")).status == 401


@pytest.mark.requirement("P3")
async def test_p3_valid_results_are_cached_for_thirty_seconds(
    authenticator: Authenticator, provider: Provider, clock: Clock
) -> None:
    for _ in range(30):
        await enter(authenticator, TOKEN)
    assert len(provider.validations) == 1
    del provider.users[TOKEN]
    clock.advance(29)
    await enter(authenticator, TOKEN)
    clock.advance(1)
    assert authenticator.cached_principal(f"Bearer {TOKEN}") is None
    assert (await rejection(authenticator)).status == 401


@pytest.mark.requirement("P3")
async def test_p3_invalid_results_are_cached(authenticator: Authenticator, provider: Provider, clock: Clock) -> None:
    for _ in range(30):
        assert (await rejection(authenticator, "wrong")).status == 401
    assert len(provider.validations) == 1
    clock.advance(30)
    provider.users["wrong"] = ACME
    assert await enter(authenticator, "wrong")


@pytest.mark.requirement("P3")
async def test_p3_transient_rejections_are_not_cached(authenticator: Authenticator, provider: Provider) -> None:
    provider.validate_answer = respond(429)
    assert (await rejection(authenticator)).status == 401
    provider.validate_answer = None
    assert await enter(authenticator, TOKEN)


@pytest.mark.requirement("P3")
async def test_p3_fifty_concurrent_requests_share_one_validation(
    authenticator: Authenticator, provider: Provider
) -> None:
    principals = await asyncio.gather(*(enter(authenticator, TOKEN) for _ in range(50)))
    assert {principal.subject for principal in principals} == {"admin@acme.example"}
    assert len(provider.validations) == 1


@pytest.mark.requirement("P4")
async def test_p4_unauthenticated_clients_cannot_flood_the_api(
    authenticator: Authenticator, provider: Provider, clock: Clock
) -> None:
    async def status(number: int) -> int:
        error = await rejection(authenticator, f"wrong-{number}")
        assert (error.status == 429) == (error.retry_after is not None)
        return error.status

    statuses = await asyncio.gather(*(status(number) for number in range(600)))
    assert set(statuses) == {401, 429}
    assert len(provider.validations) == statuses.count(401) <= 200
    clock.advance(10)
    assert [await status(1000 + number) for number in range(60)].count(401) <= 40


@pytest.mark.requirement("P4")
async def test_p4_addresses_have_their_own_limit(authenticator: Authenticator, provider: Provider) -> None:
    async def status(number: int, address: str) -> int:
        return (await rejection(authenticator, f"wrong-{number}", address)).status

    first = [await status(number, "192.0.2.1") for number in range(150)]
    assert first.count(401) == len(provider.validations) <= 120 and first[-1] == 429
    assert await status(1000, "192.0.2.2") == 401
    assert (await rejection(authenticator, "wrong", "192.0.2.1")).status == 429


@pytest.mark.requirement("P4")
async def test_p4_previously_validated_tokens_are_not_locked_out(
    authenticator: Authenticator, provider: Provider, clock: Clock
) -> None:
    await enter(authenticator, TOKEN)
    for number in range(250):
        await rejection(authenticator, f"wrong-{number}")
    clock.advance(30)
    while (await rejection(authenticator, f"more-{provider.sent.count('more')}")).status != 429:
        continue
    assert await enter(authenticator, TOKEN)


@pytest.mark.requirement("P4")
async def test_p4_valid_tokens_consume_no_attempts(authenticator: Authenticator, provider: Provider) -> None:
    for number in range(300):
        provider.users[f"good-{number}"] = ACME
        assert await enter(authenticator, f"good-{number}", "192.0.2.1")


class Elsewhere:
    """The limiter shared by all replicas, which refuses with these waits."""

    def __init__(self, *waits: float) -> None:
        self.waits = list(waits)
        self.seen: list[str] = []

    async def acquire(self, owner: str, amount: int = 1) -> None:
        self.seen.append(f"acquire {owner}")
        await asyncio.sleep(0)
        if self.waits and (wait := self.waits.pop(0)):
            raise LimitExceeded("owner", wait, TOO_MANY_REFUSED_TOKENS)

    def release(self, owner: str, amount: int = 1) -> None:
        self.seen.append(f"release {owner}")


@pytest.mark.requirement("P4")
async def test_p4_attempts_at_other_replicas_count(
    provider: Provider, http: aiohttp.ClientSession, clock: Clock
) -> None:
    """Concurrent requests with one token take one shared attempt. A refusal there gives the local attempt back, and a
    token that was verified before takes none."""
    elsewhere = Elsewhere(2.5, 0.0)
    tokens = ApiTokenVerifier(f"{provider.url}/api-base", http, clock, shared_attempts=elsewhere)
    outcomes = await asyncio.gather(*(tokens.verify(TOKEN, "192.0.2.1") for _ in range(9)), return_exceptions=True)
    assert [(outcome.status, outcome.retry_after) for outcome in outcomes if isinstance(outcome, AuthError)] == [
        (429, 3)
    ] * 9
    assert provider.validations == [] and elsewhere.seen == ["acquire 192.0.2.1"]
    assert (await tokens.verify(TOKEN, "192.0.2.1")).subject == "admin@acme.example"
    assert elsewhere.seen[1:] == ["acquire 192.0.2.1", "release 192.0.2.1"]
    clock.advance(30)
    await tokens.verify(TOKEN, "192.0.2.1")
    with pytest.raises(AuthError):
        await tokens.verify("wrong", "192.0.2.2")
    assert elsewhere.seen[3:] == ["acquire 192.0.2.2"]
    await tokens.close()


async def test_too_many_concurrent_validations_are_503_not_401(
    provider: Provider, http: aiohttp.ClientSession, clock: Clock
) -> None:
    until = asyncio.Event()
    provider.validate_answer = hang(until)
    small = ApiTokenVerifier(f"{provider.url}/api-base", http, clock, max_concurrent=1)
    waiting = asyncio.create_task(small.verify("first", ""))
    while not provider.validations:
        await asyncio.sleep(0)
    with pytest.raises(AuthError) as caught:
        await small.verify("second", "")
    assert (caught.value.status, caught.value.retry_after) == (503, 1)
    await small.close()
    await asyncio.gather(waiting, return_exceptions=True)
    until.set()


@pytest.mark.requirement("P5")
@pytest.mark.parametrize("word", ["demo_key", "demo", "test", "null", "undefined", "true", "sandbox", "admin", "0"])
async def test_p5_placeholder_words_are_not_tokens(authenticator: Authenticator, provider: Provider, word: str) -> None:
    assert (await rejection(authenticator, word)).status == 401
    assert provider.validations == [(word, "")]


@pytest.mark.requirement("X1")
async def test_x1_access_tokens_are_never_tried_as_api_tokens(
    authenticator: Authenticator, provider: Provider, mint: Mint, clock: Clock
) -> None:
    ours: dict[str, Any] = {"iss": provider.url}
    tokens = [
        mint(exp=1),
        mint(aud="https://other.example"),
        mint(iss="https://evil.example"),
        mint(scope=None),
        mint(sub=1),
        Signer().token(**ours),
        make_unsigned({"alg": "none"}, claims(**ours)),
        mint() + "=",
        mint() + "x",
        "x" + mint(),
        mint()[:-30],
        mint().rpartition(".")[0],
        mint() + "." + mint(),
        mint().replace(".", "~"),
        provider.signer.token(header={"kid": "other"}, **ours),
        provider.signer.token(header={"kid": None}, **ours),
        provider.signer.token(header={"alg": "HS256"}, **ours),
        provider.signer.token(header={"kid": "x"}, iss="https://evil.example", aud=BASE),
        provider.signer.raw(b'{"alg":"ES256","kid":"mcp-access"}', b"[" * 5000),
        provider.signer.raw(b'{"alg":"ES256"}', b'{"iss":"' + provider.url.encode() + b'","x":' + b"[" * 3000 + b"}"),
    ]
    for token in tokens:
        assert (await rejection(authenticator, token)).status in (401, 403), token
    assert provider.validations == []


@pytest.mark.requirement("X6")
async def test_x6_tokens_are_never_logged(
    authenticator: Authenticator, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for number, answer in enumerate(
            [*(respond(status, "canary-of-a-body") for status in (500, 401, 200)), reset_connection]
        ):
            provider.validate_answer = answer
            await rejection(authenticator, f"canary-{number}")
    assert "canary" not in caplog.text


@pytest.mark.requirement("N21")
async def test_n21_distributed_flood_leaves_attempts_to_known_addresses(
    authenticator: Authenticator, provider: Provider
) -> None:
    """Without other replicas: a new token from a known address is accepted while all other attempts are used up."""
    await enter(authenticator, TOKEN, "198.51.100.7")
    for number in range(400):
        await rejection(authenticator, f"wrong-{number}", f"192.0.2.{number % 250}")
    provider.users["new"] = ACME
    assert (await rejection(authenticator, "new", "203.0.113.1")).status == 429
    assert (await enter(authenticator, "new", "198.51.100.7")).subject == "admin@acme.example"


class Proofs:
    """The verified tokens that replicas share."""

    def __init__(self) -> None:
        self.known: set[bytes] = set()
        self.calls = 0

    async def contains(self, digest: bytes) -> bool:
        return digest in self.known

    def add(self, digest: bytes) -> None:
        self.known.add(digest)
        self.calls += 1

    def remove(self, digest: bytes) -> None:
        self.known.discard(digest)
        self.calls += 1


@pytest.mark.requirement("N21")
@pytest.mark.parametrize("address", ["192.0.2.1", ""])
async def test_n21_token_verified_at_another_replica_is_not_locked_out(
    address: str, provider: Provider, http: aiohttp.ClientSession, clock: Clock
) -> None:
    proofs, base = Proofs(), f"{provider.url}/api-base"
    before = ApiTokenVerifier(base, http, clock, verified_tokens=proofs)
    await before.verify(TOKEN, address)
    assert proofs.known == {token_digest(TOKEN)}
    # After a restart, all attempts are used up from the same address.
    tokens = ApiTokenVerifier(base, http, clock, verified_tokens=proofs)

    async def send_wrong(number: int) -> int:
        with pytest.raises(AuthError) as caught:
            await tokens.verify(f"wrong-{number}", address)
        return caught.value.status

    assert (await asyncio.gather(*(send_wrong(number) for number in range(300))))[-1] == 429
    calls = proofs.calls
    assert (await tokens.verify(TOKEN, address)).subject == "admin@acme.example"
    # Only verified tokens are reported to Redis, not the flood, and each one once per interval.
    assert proofs.calls == calls + 1
    clock.advance(31)
    await tokens.verify(TOKEN, address)
    assert proofs.calls == calls + 1
    clock.advance(3600)
    await tokens.verify(TOKEN, address)
    assert proofs.calls == calls + 2
    # A revoked token is treated as unknown.
    del provider.users[TOKEN]
    clock.advance(31)
    with pytest.raises(AuthError):
        await tokens.verify(TOKEN, address)
    assert proofs.known == set()


@pytest.mark.requirement("N21")
async def test_n21_verified_token_is_accepted_despite_rejections_by_other_replicas(
    provider: Provider, http: aiohttp.ClientSession, clock: Clock
) -> None:
    """The token takes no attempt, neither here nor at other replicas."""
    proofs, elsewhere = Proofs(), Elsewhere(2.5, 2.5)
    tokens = ApiTokenVerifier(
        f"{provider.url}/api-base", http, clock, shared_attempts=elsewhere, verified_tokens=proofs
    )
    with pytest.raises(AuthError) as caught:
        await tokens.verify(TOKEN, "192.0.2.1")
    assert caught.value.status == 429 and provider.validations == []
    proofs.known.add(token_digest(TOKEN))
    assert await tokens.verify(TOKEN, "192.0.2.1")
    assert elsewhere.seen == ["acquire 192.0.2.1"] * 2
