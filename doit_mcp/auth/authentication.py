"""Wiring and lifetime of authentication: authenticator, keys, API tokens and token exchange."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, Protocol

from aiohttp import ClientSession, DummyCookieJar

from ..process.task_cancellation import cancel_tasks
from ..resilience.circuit_breaker import CircuitBreaker
from ..resilience.limits import SharedLimiter
from .access_tokens import AccessTokenRules
from .api_tokens import ApiTokenVerifier
from .authenticator import Authenticator
from .ended_logins import EndedLogins
from .errors import UpstreamCredentialError
from .failed_attempts import SharedVerifiedTokens
from .jwks import JwksCache
from .principal import Principal
from .provider_metadata import ProviderMetadata
from .token_exchange import TokenExchange

log = logging.getLogger(__name__)


LONGEST_LOAN_SECONDS = 86_400.0


class LentToken(NamedTuple):
    """A token of the DoiT API, and when its use ends, in epoch seconds."""

    token: str
    expires: float


class GetCredential(Protocol):
    """Returns a bearer token for the DoiT API. *fresh* requests a new one, after the API refused the last.

    Raises UpstreamCredentialError.
    """

    def __call__(self, *, fresh: bool = False) -> Awaitable[str]: ...


class Authentication:
    """Identifies callers and provides their credentials for the DoiT API. The HTTP layer uses only this class."""

    def __init__(
        self,
        authenticator: Authenticator,
        jwks: JwksCache,
        token_exchange: TokenExchange,
        provider_metadata: ProviderMetadata,
    ) -> None:
        self.authenticator, self.provider_metadata = authenticator, provider_metadata
        self._jwks = jwks
        self._token_exchange = token_exchange

    @property
    def ready(self) -> bool:
        """Whether the identity provider's keys have been loaded at least once."""
        return self._jwks.ready

    def credential(self, principal: Principal) -> GetCredential:
        """Return the credential of *principal* for a call: its API token, or what its access token is exchanged for."""
        return (
            self._api_token_credential(principal) if principal.kind == "api" else self._exchanged_credential(principal)
        )

    async def lend_token(self, principal: Principal, seconds: float) -> LentToken:
        """Return a token that is used without the caller, for at most LONGEST_LOAN_SECONDS. Raise UpstreamCredentialError.

        Tokens that expire within *seconds* are exchanged again.
        """
        now = time.time()
        if principal.kind == "api":
            return LentToken(principal.token, now + LONGEST_LOAN_SECONDS)
        fresh = self._token_exchange.expiry(principal) < now + seconds
        token = await self._token_exchange.get_token(principal, fresh=fresh)
        return LentToken(token, min(self._token_exchange.expiry(principal), now + LONGEST_LOAN_SECONDS))

    def _exchanged_credential(self, principal: Principal) -> GetCredential:
        last_token = ""

        async def get_credential(*, fresh: bool = False) -> str:
            nonlocal last_token
            try:
                last_token = await self._token_exchange.get_token(principal, fresh=fresh, refused_token=last_token)
            except UpstreamCredentialError as error:
                if error.login_ended:
                    self.authenticator.end_login(principal)
                raise
            return last_token

        return get_credential

    def _api_token_credential(self, principal: Principal) -> GetCredential:
        async def get_credential(*, fresh: bool = False) -> str:
            if not fresh:
                return principal.token
            self.authenticator.forget(principal.token)
            raise UpstreamCredentialError(
                "refused", "The DoiT API no longer accepts this API token. Use a different one."
            )

        return get_credential


@asynccontextmanager
async def open_authentication(
    *,
    resource_urls: Sequence[str],
    auth_server_url: str,
    doit_api_base: str,
    secret: str,
    http: ClientSession,
    clock: Callable[[], float] = time.time,
    breaker: CircuitBreaker | None = None,
    shared_attempts: SharedLimiter | None = None,
    verified_tokens: SharedVerifiedTokens | None = None,
    ended_logins: EndedLogins | None = None,
) -> AsyncIterator[Authentication]:
    """Provide authentication while the block runs. Keys are fetched in the background from the start.

    *resource_urls* are the base URLs of this server, one for each of its names. *http* is shared by all callers: it
    must keep no cookies, and its connector should have no limit, so that hanging requests do not block others. *secret*
    is the client secret of the token exchange and *breaker* its circuit breaker. *shared_attempts* limits failed API
    tokens over all replicas, *verified_tokens* holds the tokens that any replica has verified, and *ended_logins* the
    access tokens whose login has ended.

    Raise ValueError if *secret* is empty or *http* keeps cookies.
    """
    _check_arguments(secret, http)
    keys = JwksCache(auth_server_url, http, clock)
    ended_logins = EndedLogins(clock) if ended_logins is None else ended_logins
    api_tokens = ApiTokenVerifier(
        doit_api_base,
        http,
        clock,
        shared_attempts=shared_attempts,
        verified_tokens=verified_tokens,
        on_refused=ended_logins.on_ended,
    )
    exchange = TokenExchange(auth_server_url, secret, http, clock, breaker=breaker)
    metadata = ProviderMetadata(auth_server_url, http, clock)
    authenticator = Authenticator(
        AccessTokenRules.from_urls(auth_server_url, *resource_urls), keys, api_tokens, clock, ended_logins=ended_logins
    )
    try:
        async with _refresh_in_background(keys):
            yield Authentication(authenticator, keys, exchange, metadata)
    finally:
        for component in (keys, api_tokens, exchange, metadata):
            await component.close()


def _check_arguments(secret: str, http: ClientSession) -> None:
    if not secret.strip():
        raise ValueError("the secret of the token exchange is empty")
    if not isinstance(http.cookie_jar, DummyCookieJar):
        raise ValueError("the HTTP session keeps cookies, which would be shared by all callers")


@asynccontextmanager
async def _refresh_in_background(keys: JwksCache) -> AsyncIterator[None]:
    refresh_task = asyncio.create_task(keys.refresh_periodically())
    refresh_task.add_done_callback(_log_refresh_failure)
    try:
        yield
    finally:
        await cancel_tasks(refresh_task)


def _log_refresh_failure(refresh_task: asyncio.Task[None]) -> None:
    if not refresh_task.cancelled() and (error := refresh_task.exception()) is not None:
        log.error("background refresh of the identity provider's keys stopped", exc_info=error)
