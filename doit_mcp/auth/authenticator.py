"""The authenticator, which turns Authorization headers into a principal and caches verified tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from .access_tokens import (
    AccessTokenRules,
    check_access_token,
    find_signing_key,
    looks_like_access_token,
    read_principal,
)
from .api_tokens import ApiTokenVerifier
from .bearer import MAX_HEADER_LENGTH, read_bearer_token
from .ended_logins import EndedLogins
from .errors import SIGN_IN_MESSAGE, invalid_token_error
from .jwks import JwksCache
from .jws import CompactJws
from .principal import Principal

MAX_CACHED_PRINCIPALS = 10_000


class CachedPrincipal(NamedTuple):
    """An authenticated caller and the key that signed the access token; None for an API token."""

    principal: Principal
    signing_key: bytes | None


class Authenticator:
    """Authenticates callers. One per process."""

    def __init__(
        self,
        rules: AccessTokenRules,
        jwks: JwksCache,
        api_tokens: ApiTokenVerifier,
        clock: Callable[[], float],
        *,
        max_cached: int = MAX_CACHED_PRINCIPALS,
        ended_logins: EndedLogins | None = None,
    ) -> None:
        self._rules = rules
        self._jwks = jwks
        self._api_tokens = api_tokens
        self._clock = clock
        self._limit = max_cached
        self._ended_logins = EndedLogins(clock) if ended_logins is None else ended_logins
        self._ended_digests = self._ended_logins.digests
        # Keyed by Python's string hash, which is salted per process and so cannot be computed by clients; a hit also
        # compares the token.
        self._cache: dict[int, CachedPrincipal] = {}

    def cached_principal(self, header: str) -> Principal | None:
        """Return the cached caller for the only Authorization header, or None if it is missing or no longer valid."""
        if len(header) > MAX_HEADER_LENGTH or header[:7].lower() != "bearer ":
            return None
        return self._get_cached(header[7:])

    async def authenticate(self, headers: Sequence[str], address: str = "") -> Principal:
        """Return the caller identified by *headers*, all Authorization headers of a request. Raise AuthError.

        *address* is the client's address, "" if unknown; failed checks of API tokens are limited by it.
        """
        token = read_bearer_token(headers)
        principal = self._get_cached(token)
        if principal is not None:
            return principal
        if looks_like_access_token(token, self._rules):
            return await self._authenticate_access_token(token)
        principal = await self._api_tokens.verify(token, address)
        self._put_cached(CachedPrincipal(principal, None))
        return principal

    def forget(self, token: str) -> None:
        """Drop *token* from the cache, because the DoiT API refused it; its next use is checked again."""
        self._cache.pop(hash(token), None)
        self._api_tokens.forget(token)

    def end_login(self, principal: Principal) -> None:
        """Refuse this access token from now on, because the identity provider reports that its login has ended."""
        self._ended_logins.add(principal.digest, principal.expires)

    async def _authenticate_access_token(self, token: str) -> Principal:
        jws = check_access_token(token, self._rules, self._clock())
        signing_key = await self._find_signing_key(jws)
        principal = read_principal(jws)
        # After the last await, so that a login that ended in the meantime is not cached again.
        if principal.digest in self._ended_digests:
            raise invalid_token_error(SIGN_IN_MESSAGE)
        self._put_cached(CachedPrincipal(principal, signing_key))
        return principal

    async def _find_signing_key(self, jws: CompactJws) -> bytes:
        """Return the name of the key that signed *jws*. Refresh the keys once if no known key did.

        Raise AuthError 401 or, if the keys cannot be loaded, 503.
        """
        known_keys = await self._jwks.get_keys()
        name = find_signing_key(jws, known_keys, self._rules)
        if name is None:
            current_keys = await self._jwks.refresh_keys()
            new_keys = {point: key for point, key in current_keys.items() if point not in known_keys}
            name = find_signing_key(jws, new_keys, self._rules)
        if name is None:
            raise invalid_token_error("The signature of the access token is not valid.")
        return name

    def _get_cached(self, token: str) -> Principal | None:
        entry = self._cache.get(hash(token))
        if entry is None or (principal := entry.principal).token != token:
            return None
        is_key_in_force = entry.signing_key is None or entry.signing_key in self._jwks.in_force
        if is_key_in_force and principal.digest not in self._ended_digests and principal.expires > self._clock():
            return principal
        del self._cache[hash(token)]
        return None

    def _put_cached(self, entry: CachedPrincipal) -> None:
        key = hash(entry.principal.token)
        self._cache.pop(key, None)
        while len(self._cache) >= self._limit:
            del self._cache[next(iter(self._cache))]
        self._cache[key] = entry
