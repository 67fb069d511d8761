"""The keys of the identity provider: parsing, rotation, outages and hostile responses."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from doit_mcp.auth.authenticator import Authenticator
from doit_mcp.auth.errors import AuthError
from doit_mcp.auth.jwks import (
    COOLDOWN_SECONDS,
    MAX_KEYS,
    MAX_STALE_SECONDS,
    REFRESH_INTERVAL_SECONDS,
    RETRY_INTERVAL_SECONDS,
    InvalidKeySet,
    JwksCache,
    read_keys,
)

from .conftest import Idle, Mint
from .minting import Signer, base64url
from .provider import Answering, Clock, Provider, flood, hang, reset_connection, respond


async def status_of(authenticator: Authenticator, token: str) -> int:
    """200, or the status of the refusal."""
    try:
        await authenticator.authenticate([f"Bearer {token}"])
    except AuthError as error:
        if error.status == 503:
            assert isinstance(error.retry_after, int) and 0 < error.retry_after <= 60
        return error.status
    return 200


def foreign_entries(signer: Signer) -> list[Any]:
    """Entries that are not for verifying access tokens."""
    x = signer.jwk()["x"]
    big = Signer(ec.SECP384R1()).private.public_key().public_numbers()
    return [
        None,
        1,
        "text",
        [],
        {},
        {"kid": "mcp-access"},
        {"kty": 1, "kid": "mcp-access"},
        {"kty": "oct", "k": base64url(b"secret"), "kid": "mcp-access", "alg": "HS256"},
        {"kty": "RSA", "n": base64url(bytes(256)), "e": "AQAB", "kid": "mcp-access"},
        {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "mcp-access"},
        signer.jwk(crv="P-384"),
        signer.jwk(crv="secp256k1"),
        signer.jwk(crv=["P-256"]),
        signer.jwk(crv=None),
        {
            "kty": "EC",
            "crv": "P-384",
            "x": base64url(big.x.to_bytes(48)),
            "y": base64url(big.y.to_bytes(48)),
            "kid": "mcp-access",
        },
        signer.jwk(x="!!"),
        signer.jwk(x=""),
        signer.jwk(x=None),
        signer.jwk(x=1),
        signer.jwk(x="é"),
        signer.jwk(x=x + "="),
        signer.jwk(x=base64url(bytes(33))),
        signer.jwk(x=base64url(bytes(31))),
        signer.jwk(y=x),
        signer.jwk(x=base64url(bytes(32))),
        signer.jwk(x=base64url(b"\xff" * 32)),
        signer.jwk(use="enc"),
        signer.jwk(use=1),
        signer.jwk(alg="ES384"),
        signer.jwk(alg=["ES256"]),
        signer.jwk(key_ops=["sign"]),
        signer.jwk(key_ops="verify"),
        signer.jwk(d=base64url(bytes(32))),
        signer.jwk(kid="id-token"),
        signer.jwk(kid=None),
        signer.jwk(kid="MCP-ACCESS"),
        signer.jwk(kid=["mcp-access"]),
    ]


@pytest.mark.requirement("T4")
def test_t4_foreign_and_malformed_entries_are_skipped(signer: Signer) -> None:
    good = Signer()
    keys = read_keys({"keys": [*foreign_entries(signer), good.jwk(), *foreign_entries(signer)]})
    assert [key.public_numbers() for key in keys.values()] == [good.private.public_key().public_numbers()]


@pytest.mark.requirement("T4")
def test_t4_entries_of_other_types_are_not_keys(signer: Signer) -> None:
    for entry in foreign_entries(signer):
        try:
            assert not read_keys({"keys": [entry]}), entry
        except InvalidKeySet:
            continue


def test_several_keys_may_share_a_key_id_up_to_a_limit(signer: Signer) -> None:
    assert len(read_keys({"keys": [signer.jwk(), Signer().jwk(), signer.jwk()]})) == 2
    assert len(read_keys({"keys": [Signer().jwk() for _ in range(MAX_KEYS + 3)]})) == MAX_KEYS


def test_use_and_alg_are_optional(signer: Signer) -> None:
    assert len(read_keys({"keys": [signer.jwk(use=None, alg=None, key_ops=["verify"])]})) == 1


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"keys": None},
        {"keys": {}},
        {"keys": "x"},
        {"keys": []},
        {"keys": [1, None]},
        {"keys": [{"kid": "mcp-access"}]},
        {"keys": [{"kty": "EC", "kid": "mcp-access"}]},
    ],
)
def test_malformed_key_set_withdraws_no_keys(document: Any) -> None:
    with pytest.raises(InvalidKeySet):
        read_keys(document)


def test_key_set_with_only_unrelated_keys_withdraws_ours(signer: Signer) -> None:
    assert read_keys({"keys": [signer.jwk(kid="id-token")]}) == {}


@pytest.mark.requirement("T4")
async def test_t4_key_for_another_purpose_verifies_nothing(
    authenticator: Authenticator, provider: Provider, mint: Mint
) -> None:
    other = Signer()
    provider.keys = [other.jwk(kid="id-token"), *provider.keys]
    assert await status_of(authenticator, other.token(iss=provider.url)) == 401
    assert await status_of(authenticator, mint()) == 200


@pytest.mark.requirement("T3")
async def test_t3_urls_in_the_token_are_never_fetched(
    authenticator: Authenticator, provider: Provider, canary: tuple[str, list[str]]
) -> None:
    url, requests = canary
    for name in ("jku", "x5u", "kid", "jwk"):
        forged = Signer().token(iss=provider.url, header={name: f"{url}/.well-known/jwks.json"})
        assert await status_of(authenticator, forged) == 401
    assert await status_of(authenticator, Signer().token(iss=url)) == 401
    assert requests == []


@pytest.mark.requirement("K1")
async def test_k1_concurrent_cold_requests_fetch_once(
    authenticator: Authenticator, provider: Provider, mint: Mint
) -> None:
    tokens = [mint(jti=str(number)) for number in range(200)]
    assert set(await asyncio.gather(*(status_of(authenticator, token) for token in tokens))) == {200}
    assert provider.jwks_asked == 1


@pytest.mark.requirement("K2")
async def test_k2_floods_of_bad_signatures_and_key_ids_cause_few_fetches(
    authenticator: Authenticator, provider: Provider, mint: Mint, idle: Idle
) -> None:
    good = mint()
    assert await status_of(authenticator, good) == 200
    forged = [Signer().token(iss=provider.url, jti=str(number)) for number in range(20)]
    kids = [provider.signer.token(iss=provider.url, header={"kid": f"kid-{number}"}) for number in range(400)]
    flood = [*forged * 20, *kids]
    assert set(await asyncio.gather(*(status_of(authenticator, token) for token in flood))) == {401}
    for token in forged:
        assert await status_of(authenticator, token) == 401
    assert provider.jwks_asked == 2  # the first fetch, and a refresh for the first bad signature
    assert await status_of(authenticator, good) == 200
    await idle.begun.wait()
    assert idle.asked == [COOLDOWN_SECONDS]


@pytest.mark.requirement("K3")
async def test_k3_rotation_is_detected_by_the_first_new_token(
    authenticator: Authenticator, provider: Provider, mint: Mint
) -> None:
    old = mint()
    assert await status_of(authenticator, old) == 200
    provider.signer = Signer()
    provider.keys = [provider.signer.jwk()]
    assert authenticator.cached_principal(f"Bearer {old}") is not None
    assert await status_of(authenticator, mint()) == 200
    assert authenticator.cached_principal(f"Bearer {old}") is None
    assert await status_of(authenticator, old) == 401
    assert provider.jwks_asked == 2


@pytest.mark.requirement("K3")
async def test_k3_rotation_during_the_cooldown_is_detected_when_it_ends(
    authenticator: Authenticator, provider: Provider, mint: Mint, idle: Idle, clock: Clock, keys: JwksCache
) -> None:
    old = mint()
    assert await status_of(authenticator, old) == 200
    assert await status_of(authenticator, Signer().token(iss=provider.url)) == 401  # uses up the refresh
    provider.signer = Signer()
    provider.keys = [provider.signer.jwk()]
    assert await status_of(authenticator, mint()) == 401
    await idle.begun.wait()
    assert idle.asked == [COOLDOWN_SECONDS]
    clock.advance(COOLDOWN_SECONDS)
    idle.over.set()
    while provider.jwks_asked < 3 or await status_of(authenticator, old) == 200:
        await asyncio.sleep(0)
    assert await status_of(authenticator, mint()) == 200
    assert provider.jwks_asked == 3


@pytest.mark.requirement("K3")
async def test_k3_tokens_of_the_old_key_stay_valid_beside_a_new_key(
    authenticator: Authenticator, provider: Provider, mint: Mint
) -> None:
    old = mint()
    assert await status_of(authenticator, old) == 200
    second = Signer()
    provider.keys.append(second.jwk())
    assert await status_of(authenticator, second.token(iss=provider.url)) == 200
    assert authenticator.cached_principal(f"Bearer {old}") is not None


@pytest.mark.requirement("K3")
async def test_k3_keys_are_refreshed_without_requests(
    authenticator: Authenticator, provider: Provider, mint: Mint, idle: Idle, keys: JwksCache
) -> None:
    old = mint()
    refreshing = asyncio.create_task(keys.refresh_periodically())
    await idle.begun.wait()
    assert await status_of(authenticator, old) == 200
    provider.keys = [Signer().jwk()]
    idle.begun.clear()
    idle.over.set()
    await idle.begun.wait()
    assert idle.asked == [REFRESH_INTERVAL_SECONDS, REFRESH_INTERVAL_SECONDS] and REFRESH_INTERVAL_SECONDS <= 600
    assert await status_of(authenticator, old) == 401
    refreshing.cancel()


async def test_background_refresh_retries_soon_after_a_failure(provider: Provider, idle: Idle, keys: JwksCache) -> None:
    provider.jwks_answer = respond(500)
    refreshing = asyncio.create_task(keys.refresh_periodically())
    for answer in (None, respond(502), None):
        await idle.begun.wait()
        idle.begun.clear()
        provider.jwks_answer = answer
        idle.over.set()
    await idle.begun.wait()
    assert idle.asked == [RETRY_INTERVAL_SECONDS, REFRESH_INTERVAL_SECONDS, COOLDOWN_SECONDS, REFRESH_INTERVAL_SECONDS]
    refreshing.cancel()


@pytest.mark.requirement("K4")
async def test_k4_cached_keys_are_used_during_an_outage(
    authenticator: Authenticator, provider: Provider, mint: Mint, clock: Clock
) -> None:
    assert await status_of(authenticator, mint()) == 200
    provider.jwks_answer = respond(503)
    clock.advance(6 * 3600)
    assert await status_of(authenticator, mint(jti="another")) == 200
    # While the provider is down, the token may be signed by a new key, so it must not be refused with 401.
    for _ in range(5):
        assert await status_of(authenticator, Signer().token(iss=provider.url, now=clock.now)) == 503
    assert provider.jwks_asked == 2
    provider.jwks_answer = None
    clock.advance(COOLDOWN_SECONDS)
    assert await status_of(authenticator, Signer().token(iss=provider.url, now=clock.now)) == 401
    assert await status_of(authenticator, mint(jti="a third")) == 200


@pytest.mark.requirement("K4")
async def test_k4_cached_keys_expire(
    authenticator: Authenticator, provider: Provider, mint: Mint, clock: Clock, keys: JwksCache
) -> None:
    assert await status_of(authenticator, mint()) == 200
    provider.jwks_answer = respond(503)
    clock.advance(MAX_STALE_SECONDS + 1)
    assert await status_of(authenticator, Signer().token(iss=provider.url, now=clock.now)) == 503
    assert await status_of(authenticator, mint()) == 503
    assert keys.ready


@pytest.mark.requirement("K4")
async def test_k4_outage_without_keys_is_503_and_recovers(
    authenticator: Authenticator, provider: Provider, mint: Mint, clock: Clock, keys: JwksCache
) -> None:
    provider.jwks_answer = respond(500)
    tokens = [mint(jti=str(number)) for number in range(50)]
    assert set(await asyncio.gather(*(status_of(authenticator, token) for token in tokens))) == {503}
    for token in tokens:
        assert await status_of(authenticator, token) == 503
    assert (provider.jwks_asked, keys.ready) == (1, False)
    assert await status_of(authenticator, mint(exp=1)) == 401  # needs no key
    provider.jwks_answer = None
    clock.advance(RETRY_INTERVAL_SECONDS)
    assert await status_of(authenticator, mint()) == 200
    assert (provider.jwks_asked, keys.ready) == (2, True)
    assert RETRY_INTERVAL_SECONDS <= 45


@pytest.mark.requirement("K2")
async def test_k2_withdrawn_key_does_not_cause_a_fetch_per_request(
    authenticator: Authenticator, provider: Provider, mint: Mint, clock: Clock
) -> None:
    provider.keys = [provider.signer.jwk(kid="id-token")]
    for _ in range(50):
        assert await status_of(authenticator, mint()) == 503
    assert provider.jwks_asked == 1
    provider.keys = [provider.signer.jwk()]
    clock.advance(RETRY_INTERVAL_SECONDS)
    assert await status_of(authenticator, mint()) == 200


@pytest.mark.requirement("K4")
async def test_k4_connection_refused(http: aiohttp.ClientSession, clock: Clock, idle: Idle) -> None:
    keys = JwksCache("http://127.0.0.1:1", http, clock, sleep=idle)
    with pytest.raises(AuthError) as caught:
        await keys.get_keys()
    assert (caught.value.status, caught.value.error) == (503, "temporarily_unavailable")
    await keys.close()


async def drip(request: web.Request) -> web.StreamResponse:
    """A response that trickles in, so that no single read takes long."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.02)


async def compression_bomb(request: web.Request) -> web.StreamResponse:
    """A compressed response: small on the wire, 64 MiB decompressed."""
    return web.Response(body=gzip.compress(bytes(64 << 20), 1), headers={"Content-Encoding": "gzip"})


def redirect_to(url: str, status: int) -> Answering:
    return respond(status, Location=url)


FAULTS: list[Callable[[asyncio.Event, str], Answering]] = [
    lambda until, url: respond(500),
    lambda until, url: respond(404, "<html>not here</html>", Content_Type="text/html"),
    lambda until, url: respond(200, "<html>sign in</html>"),
    lambda until, url: respond(200, ""),
    lambda until, url: respond(200, "[" * 100_000),
    lambda until, url: respond(200, "null"),
    lambda until, url: respond(200, '{"keys": {}}'),
    lambda until, url: respond(200, '{"keys": []}'),
    lambda until, url: respond(200, '{"keys": NaN}'),
    lambda until, url: respond(204),
    lambda until, url: respond(201, '{"keys": []}'),
    lambda until, url: respond(200, "not gzip", Content_Encoding="gzip"),
    lambda until, url: redirect_to(url, 302),
    lambda until, url: redirect_to(url, 307),
    lambda until, url: redirect_to("/.well-known/jwks.json", 302),
    lambda until, url: reset_connection,
    lambda until, url: flood,
    lambda until, url: compression_bomb,
    lambda until, url: drip,
    lambda until, url: hang(until),
]


TIMEOUTS = [(fault, 10.0) for fault in FAULTS[:-2]] + [(fault, 1.0) for fault in FAULTS[-2:]]


@pytest.mark.requirement("K5")
@pytest.mark.parametrize(("fault", "timeout_seconds"), TIMEOUTS, ids=range(len(FAULTS)))
async def test_k5_hostile_key_set_is_503_when_cold_and_ignored_when_warm(
    fault: Callable[[asyncio.Event, str], Answering],
    authenticator: Authenticator,
    provider: Provider,
    mint: Mint,
    clock: Clock,
    canary: tuple[str, list[str]],
    keys: JwksCache,
) -> None:
    until = asyncio.Event()
    url, requests = canary
    provider.jwks_answer = fault(until, url)
    assert await status_of(authenticator, mint()) == 503
    # aiohttp itself retries once when a connection breaks.
    assert provider.jwks_asked <= 2
    provider.jwks_answer = None
    clock.advance(RETRY_INTERVAL_SECONDS)
    assert await status_of(authenticator, mint()) == 200
    provider.jwks_answer = fault(until, url)
    assert await status_of(authenticator, Signer().token(iss=provider.url)) == 503
    assert await status_of(authenticator, mint(jti="another")) == 200
    assert requests == []
    until.set()


@pytest.mark.requirement("K5")
async def test_k5_only_the_fetch_waits_for_a_hanging_provider(
    authenticator: Authenticator, provider: Provider, mint: Mint
) -> None:
    assert await status_of(authenticator, mint()) == 200
    until = asyncio.Event()
    provider.jwks_answer = hang(until)
    forged = asyncio.create_task(status_of(authenticator, Signer().token(iss=provider.url)))
    while provider.jwks_asked < 2:
        await asyncio.sleep(0)
    assert await status_of(authenticator, mint(jti="another")) == 200
    assert not forged.done()
    until.set()
    assert await forged == 503


async def test_canceled_caller_does_not_cancel_the_fetch(
    authenticator: Authenticator, provider: Provider, mint: Mint
) -> None:
    release = asyncio.Event()

    async def slowly(request: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.json_response({"keys": provider.keys})

    provider.jwks_answer = slowly
    leaving, staying = (asyncio.create_task(status_of(authenticator, mint(jti=name))) for name in "ab")
    while not provider.jwks_asked:
        await asyncio.sleep(0)
    leaving.cancel()
    release.set()
    assert await staying == 200
    assert leaving.cancelled() and provider.jwks_asked == 1


async def test_clock_set_back_does_not_stop_refreshes(
    authenticator: Authenticator, provider: Provider, mint: Mint, clock: Clock
) -> None:
    assert await status_of(authenticator, mint()) == 200
    assert await status_of(authenticator, Signer().token(iss=provider.url, now=clock.now)) == 401
    clock.advance(-7200)
    provider.signer = Signer()
    provider.keys = [provider.signer.jwk()]
    assert await status_of(authenticator, mint()) == 200
