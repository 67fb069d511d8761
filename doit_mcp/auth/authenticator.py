"""From Authorization headers to a caller: access tokens and API tokens, and those that were seen before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .access_tokens import Rules, check, is_ours, principal, signer
from .api_tokens import ApiTokens
from .bearer import MAX_HEADER, bearer
from .ended_logins import Ended
from .errors import SIGN_IN, invalid_token
from .jwks import Keys
from .jws import Compact
from .principal import Principal

MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Remembered:
    """A caller who was let in, and the key that this rests on; None for an API token."""

    principal: Principal
    key: bytes | None


class Authenticator:
    """Says who is calling. One per process."""

    def __init__(
        self,
        rules: Rules,
        keys: Keys,
        api_tokens: ApiTokens,
        clock: Callable[[], float],
        *,
        remember: int = MAX_REMEMBERED,
        ended: Ended | None = None,
    ) -> None:
        self._rules = rules
        self._keys = keys
        self._api_tokens = api_tokens
        self._clock = clock
        self._limit = remember
        self._ended = Ended(clock) if ended is None else ended
        self._ended_digests = self._ended.digests
        # By a hash of the whole token that nobody outside can compute (Python's own, keyed anew in each process);
        # whether it is the same token is looked at as well.
        self._remembered: dict[int, Remembered] = {}

    def remembered(self, header: str) -> Principal | None:
        """The caller with this one Authorization header, if let in before and not to be checked again."""
        if len(header) > MAX_HEADER or header[:7].lower() != "bearer ":
            return None
        return self._recall(header[7:])

    async def authenticate(self, values: Sequence[str], address: str = "") -> Principal:
        """The caller with these Authorization headers (all of a request). Raises AuthError.

        *address* is where the request came from, "" if that is not known; wrong API tokens are limited by it.
        """
        token = bearer(values)
        known = self._recall(token)
        if known is not None:
            return known
        if is_ours(token, self._rules):
            return await self._by_access_token(token)
        found = await self._api_tokens.principal(token, address)
        self._remember(Remembered(found, None))
        return found

    def forget(self, token: str) -> None:
        """Check *token* again when it comes next: the DoiT API refused it."""
        self._remembered.pop(hash(token), None)
        self._api_tokens.forget(token)

    def end(self, principal: Principal) -> None:
        """The identity provider says that the login behind this access token is over: it opens nothing any more."""
        self._ended.add(principal.digest, principal.expires)

    async def _by_access_token(self, token: str) -> Principal:
        compact = check(token, self._rules, self._clock())
        name = await self._signer(compact)
        found = principal(compact, token)
        # After the last wait: a login that ended meanwhile must not be remembered again.
        if found.digest in self._ended_digests:
            raise invalid_token(SIGN_IN)
        self._remember(Remembered(found, name))
        return found

    async def _signer(self, compact: Compact) -> bytes:
        """The name of the key that signed; the keys are looked at again if none of those known did."""
        known = await self._keys.current()
        name = signer(compact, known)
        if name is None:
            renewed = await self._keys.renewed()
            name = signer(compact, {point: key for point, key in renewed.items() if point not in known})
        if name is None:
            raise invalid_token("The signature of the access token is not valid.")
        return name

    def _recall(self, token: str) -> Principal | None:
        found = self._remembered.get(hash(token))
        if found is None or (caller := found.principal).token != token:
            return None
        in_force = found.key is None or found.key in self._keys.in_force
        if in_force and caller.digest not in self._ended_digests and caller.expires > self._clock():
            return caller
        del self._remembered[hash(token)]
        return None

    def _remember(self, found: Remembered) -> None:
        key = hash(found.principal.token)
        self._remembered.pop(key, None)
        while len(self._remembered) >= self._limit:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[key] = found
