"""The authenticator and its cache: what is cached, for how long, and what invalidates it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from doit_mcp.auth.authenticator import Authenticator
from doit_mcp.auth.errors import AuthError

from .conftest import Mint
from .minting import Signer
from .provider import Clock, Provider


@pytest.mark.requirement("T14")
async def test_caller_is_cached_until_the_token_expires(authenticator: Authenticator, mint: Mint, clock: Clock) -> None:
    token = mint(exp=int(clock.now) + 60)
    assert authenticator.cached_principal(f"Bearer {token}") is None
    principal = await authenticator.authenticate([f"Bearer {token}"])
    assert authenticator.cached_principal(f"Bearer {token}") is principal
    assert authenticator.cached_principal(f"bearer {token}") is principal
    assert await authenticator.authenticate([f"BEARER   {token}"]) is principal
    clock.advance(60)
    assert authenticator.cached_principal(f"Bearer {token}") is None
    with pytest.raises(AuthError, match="expired"):
        await authenticator.authenticate([f"Bearer {token}"])


@pytest.mark.requirement("H1")
async def test_h1_cached_verification_applies_only_to_the_same_token(authenticator: Authenticator, mint: Mint) -> None:
    token = mint()
    await authenticator.authenticate([f"Bearer {token}"])
    good = f"Bearer {token}"
    for header in (
        token,
        f"Basic {token}",
        f" {good}",
        f"{good} ",
        f"{good}=",
        good[:-1],
        f"Bearer\t{token}",
        f"{good}, {good}",
        "",
        "Bearer ",
        "é",
        "\udcff",
        "x" * 1_000_000,
        f"{good}\udcff",
    ):
        assert authenticator.cached_principal(header) is None, header[:60]


@pytest.mark.requirement("H3")
async def test_h3_multiple_headers_are_rejected_even_when_cached(authenticator: Authenticator, mint: Mint) -> None:
    token = mint()
    await authenticator.authenticate([f"Bearer {token}"])
    with pytest.raises(AuthError) as caught:
        await authenticator.authenticate([f"Bearer {token}", f"Bearer {token}"])
    assert caught.value.status == 400


@pytest.mark.requirement("T14")
async def test_t14_cached_verifications_end_with_their_key(
    authenticator: Authenticator, provider: Provider, mint: Mint
) -> None:
    token = mint()
    await authenticator.authenticate([f"Bearer {token}"])
    provider.keys = [Signer().jwk()]
    with pytest.raises(AuthError):
        await authenticator.authenticate([f"Bearer {Signer().token(iss=provider.url)}"])
    assert authenticator.cached_principal(f"Bearer {token}") is None
    with pytest.raises(AuthError) as caught:
        await authenticator.authenticate([f"Bearer {token}"])
    assert caught.value.status == 401


@pytest.mark.requirement("T14")
async def test_t14_cached_verifications_end_when_the_key_is_withdrawn(
    authenticator: Authenticator, provider: Provider, mint: Mint
) -> None:
    token = mint()
    await authenticator.authenticate([f"Bearer {token}"])
    provider.keys = [provider.signer.jwk(kid="id-token")]
    with pytest.raises(AuthError):
        await authenticator.authenticate([f"Bearer {Signer().token(iss=provider.url)}"])
    assert authenticator.cached_principal(f"Bearer {token}") is None
    with pytest.raises(AuthError):
        await authenticator.authenticate([f"Bearer {token}"])


@pytest.mark.requirement("T14")
async def test_t14_rejections_are_not_cached(authenticator: Authenticator, provider: Provider, mint: Mint) -> None:
    for token in (mint(scope=None), mint(exp=1), Signer().token(iss=provider.url)):
        with pytest.raises(AuthError):
            await authenticator.authenticate([f"Bearer {token}"])
        assert authenticator.cached_principal(f"Bearer {token}") is None


@pytest.mark.requirement("T14")
async def test_t14_cache_is_bounded(provider: Provider, authenticator: Authenticator, mint: Mint, clock: Clock) -> None:
    small = Authenticator(authenticator._rules, authenticator._jwks, authenticator._api_tokens, clock, max_cached=3)
    tokens = [mint(jti=str(number)) for number in range(5)]
    for token in tokens:
        await small.authenticate([f"Bearer {token}"])
    assert [small.cached_principal(f"Bearer {token}") is not None for token in tokens] == [False] * 2 + [True] * 3


async def test_evicted_token_is_verified_again(authenticator: Authenticator, provider: Provider) -> None:
    provider.users["api-token"] = {"domain": "acme.example", "email": "a@acme.example"}
    await authenticator.authenticate(["Bearer api-token"])
    authenticator.forget("api-token")
    authenticator.forget("never seen")
    assert authenticator.cached_principal("Bearer api-token") is None
    await authenticator.authenticate(["Bearer api-token"])
    assert len(provider.validations) == 2


@pytest.mark.requirement("T12")
async def test_t12_concurrent_callers_keep_their_identities(
    authenticator: Authenticator, provider: Provider, mint: Mint
) -> None:
    async def subject(number: int) -> str:
        user = number % 40
        values: dict[str, Any] = {"sub": f"user-{user}@acme.example", "customer_context": f"customer-{user}"}
        principal = await authenticator.authenticate([f"Bearer {mint(**values)}"])
        assert (principal.subject, principal.customer) == (values["sub"], values["customer_context"])
        return principal.owner

    owners = await asyncio.gather(*(subject(number) for number in range(400)))
    assert len(set(owners)) == 40
    assert provider.jwks_asked == 1


@pytest.mark.requirement("H5")
async def test_h5_rejection_reveals_nothing_about_the_token(authenticator: Authenticator, mint: Mint) -> None:
    for header in (f"Bearer {mint(exp=1)}", f"Basic {mint()}", mint(), f"Bearer {mint()} x"):
        with pytest.raises(AuthError) as caught:
            await authenticator.authenticate([header])
        assert not set(header.split(".")) & set(caught.value.description.replace(",", " ").split())
        assert caught.value.__cause__ is None
