"""Owns client assertions (RFC 7523): what one must say, and that it says it only once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from .models import JsonObject
from .signing import verified
from .ttl_store import Bounded

LEEWAY = 5.0
LIFE_LIMIT = 300.0


def _number(value: object) -> float | None:
    # As it is: an integer of JSON can be too large for a float.
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


class Assertions:
    """Checks assertions made for one of *audiences*, and remembers their ids until they expire.

    *dated*: they have to say when they were made (``iat``), which RFC 7523 leaves open.
    """

    def __init__(
        self,
        audiences: Collection[str],
        clock: Callable[[], float],
        *,
        dated: bool = False,
        limit: int = 20_000,
    ) -> None:
        self._audiences = frozenset(audiences)
        self._dated = dated
        self._clock = clock
        self._seen: Bounded[bool] = Bounded(limit, clock)

    def fault(self, token: str, client_id: str, keys: Iterable[Any], algorithms: list[str]) -> str | None:
        """Why *token* does not prove that *client_id* speaks, or None; an id is used up by being right once."""
        claims = _verified(token, keys, algorithms)
        if claims is None:
            return "signature"
        if claims.get("iss") != client_id or claims.get("sub") != client_id:
            return "iss or sub"
        return self._audience_fault(claims) or self._time_fault(claims) or self._use(client_id, claims)

    def _audience_fault(self, claims: JsonObject) -> str | None:
        named = claims.get("aud")
        audiences = [named] if isinstance(named, str) else named
        if not isinstance(audiences, list) or not any(one in self._audiences for one in audiences if _text(one)):
            return "aud"
        return None

    def _time_fault(self, claims: JsonObject) -> str | None:
        now = self._clock()
        end = _number(claims.get("exp"))
        # Said positively, so that "not a number" passes no comparison.
        if end is None or not now - LEEWAY < end <= now + LIFE_LIMIT + LEEWAY:
            return "exp"
        if self._dated and "iat" not in claims:
            return "iat"
        for name in ("iat", "nbf"):
            begin = _number(claims.get(name, now))
            if begin is None or not begin <= now + LEEWAY:
                return name
        return None

    def _use(self, client_id: str, claims: JsonObject) -> str | None:
        identifier = claims.get("jti")
        if not isinstance(identifier, str) or not 0 < len(identifier) <= 256:
            return "jti"
        key = f"{client_id} {identifier}"
        if self._seen.get(key):
            return "jti was used before"
        self._seen.put(key, True, LIFE_LIMIT + 2 * LEEWAY)
        return None


def _text(value: object) -> bool:
    return isinstance(value, str)


def _verified(token: str, keys: Iterable[Any], algorithms: list[str]) -> JsonObject | None:
    tried = (verified(token, key, algorithms) for key in keys)
    return next((claims for claims in tried if claims is not None), None)
