"""Authentication as a whole: wired, running, and closed again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import ClientSession, DummyCookieJar

from ..resilience.circuit_breaker import Breaker
from .access_tokens import Rules
from .api_tokens import ApiTokens
from .authenticator import Authenticator
from .ended_logins import Ended
from .errors import UpstreamCredentialError
from .failed_attempts import SharedProven, SharedTries
from .jwks import Keys
from .principal import Principal
from .token_exchange import Exchange

log = logging.getLogger(__name__)


class Credential(Protocol):
    """Gives the bearer for the DoiT API; *fresh* after the last one was refused. Raises UpstreamCredentialError."""

    def __call__(self, *, fresh: bool = False) -> Awaitable[str]: ...


class Auth:
    """What the web layer asks: who is calling, and what they show to the DoiT API."""

    def __init__(self, authenticator: Authenticator, keys: Keys, exchange: Exchange) -> None:
        self.authenticator = authenticator
        self._keys = keys
        self._exchange = exchange

    @property
    def ready(self) -> bool:
        """Whether the identity provider's keys have been loaded at least once."""
        return self._keys.ready

    def credential(self, principal: Principal) -> Credential:
        """The credential of *principal* for one call: exchanged for an access token, an API token as it is."""
        return self._api_token(principal) if principal.kind == "api" else self._exchanged(principal)

    def _exchanged(self, principal: Principal) -> Credential:
        handed = ""

        async def give(*, fresh: bool = False) -> str:
            nonlocal handed
            try:
                handed = await self._exchange.token(principal, fresh=fresh, refused=handed)
            except UpstreamCredentialError as error:
                if error.ended:
                    self.authenticator.end(principal)
                raise
            return handed

        return give

    def _api_token(self, principal: Principal) -> Credential:
        async def give(*, fresh: bool = False) -> str:
            if not fresh:
                return principal.token
            self.authenticator.forget(principal.token)
            raise UpstreamCredentialError("refused", "The DoiT API no longer accepts this API token: use another one.")

        return give


@asynccontextmanager
async def open_auth(
    *,
    resource_url: str,
    auth_server_url: str,
    doit_api_base: str,
    secret: str,
    http: ClientSession,
    clock: Callable[[], float] = time.time,
    breaker: Breaker | None = None,
    tries: SharedTries | None = None,
    proven: SharedProven | None = None,
    ended: Ended | None = None,
) -> AsyncIterator[Auth]:
    """Authentication while the block runs; keys are fetched from its start on, which nobody waits for.

    *http* is shared by all callers: it must keep no cookies (security X8), and should not limit its connections, or
    some who hang would hold up all (X5). *secret* is that of the token exchange, *breaker* the circuit to it; *tries*
    count what strangers try at all replicas, and *proven* knows the tokens that need none; *ended* remembers logins
    that are over. Raises ValueError for a session that keeps cookies or an empty secret.
    """
    if not secret.strip():
        raise ValueError("the secret of the token exchange is empty")
    if not isinstance(http.cookie_jar, DummyCookieJar):
        raise ValueError("the HTTP session keeps cookies, which would be shared by all callers")
    keys = Keys(auth_server_url, http, clock)
    ended = Ended(clock) if ended is None else ended
    api_tokens = ApiTokens(doit_api_base, http, clock, shared=tries, proven=proven, refused=ended.tell)
    exchange = Exchange(auth_server_url, secret, http, clock, breaker=breaker)
    authenticator = Authenticator(Rules.of(auth_server_url, resource_url), keys, api_tokens, clock, ended=ended)
    refreshing = asyncio.create_task(keys.keep_fresh())
    refreshing.add_done_callback(_ended)
    try:
        yield Auth(authenticator, keys, exchange)
    finally:
        refreshing.cancel()
        for part in (keys, api_tokens, exchange):
            await part.close()
        await asyncio.gather(refreshing, return_exceptions=True)


def _ended(refreshing: asyncio.Task[None]) -> None:
    if not refreshing.cancelled() and (error := refreshing.exception()) is not None:
        log.error("keys are no longer refreshed in the background", exc_info=error)
