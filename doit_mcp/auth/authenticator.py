"""The authenticator: from Authorization headers to a principal, with a cache of verified tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class CachedPrincipal:
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
        """The caller behind this single Authorization header if the cache has one that is still valid, else None."""
        if len(header) > MAX_HEADER_LENGTH or header[:7].lower() != "bearer ":
            return None
        return self._get_cached(header[7:])

    async def authenticate(self, headers: Sequence[str], address: str = "") -> Principal:
        """The caller behind *headers*, all Authorization headers of a request. Raises AuthError.

        *address* is the client's address, "" if unknown; failed checks of API tokens are limited by it.
        """
        token = read_bearer_token(headers)
        known = self._get_cached(token)
        if known is not None:
            return known
        if looks_like_access_token(token, self._rules):
            return await self._authenticate_access_token(token)
        found = await self._api_tokens.verify(token, address)
        self._put_cached(CachedPrincipal(found, None))
        return found

    def forget(self, token: str) -> None:
        """Drop *token* from the cache, because the DoiT API refused it; its next use is checked again."""
        self._cache.pop(hash(token), None)
        self._api_tokens.forget(token)

    def end_login(self, principal: Principal) -> None:
        """Refuse this access token from now on, because the identity provider says that its login has ended."""
        self._ended_logins.add(principal.digest, principal.expires)

    async def _authenticate_access_token(self, token: str) -> Principal:
        compact = check_access_token(token, self._rules, self._clock())
        name = await self._find_signing_key(compact)
        found = read_principal(compact)
        # After the last await, so that a login that ended in the meantime is not cached again.
        if found.digest in self._ended_digests:
            raise invalid_token_error(SIGN_IN_MESSAGE)
        self._put_cached(CachedPrincipal(found, name))
        return found

    async def _find_signing_key(self, jws: CompactJws) -> bytes:
        """The name of the key that signed; the keys are refreshed once if no known key did.

        Raises AuthError 401 or, if the keys cannot be loaded, 503.
        """
        known = await self._jwks.get_keys()
        name = find_signing_key(jws, known, self._rules)
        if name is None:
            renewed = await self._jwks.refresh_keys()
            added = {point: key for point, key in renewed.items() if point not in known}
            name = find_signing_key(jws, added, self._rules)
        if name is None:
            raise invalid_token_error("The signature of the access token is not valid.")
        return name

    def _get_cached(self, token: str) -> Principal | None:
        found = self._cache.get(hash(token))
        if found is None or (caller := found.principal).token != token:
            return None
        in_force = found.signing_key is None or found.signing_key in self._jwks.in_force
        if in_force and caller.digest not in self._ended_digests and caller.expires > self._clock():
            return caller
        del self._cache[hash(token)]
        return None

    def _put_cached(self, entry: CachedPrincipal) -> None:
        key = hash(entry.principal.token)
        self._cache.pop(key, None)
        while len(self._cache) >= self._limit:
            del self._cache[next(iter(self._cache))]
        self._cache[key] = entry
