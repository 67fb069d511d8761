"""Owns client assertions (RFC 7523): what one must say, and that it says it only once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import jwt

from .bounded import Bounded
from .records import JsonObject

LEEWAY = 5.0
LIFE_LIMIT = 300.0

_SIGNATURE_ONLY: jwt.types.Options = {
    "verify_signature": True, "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False,
    "verify_iss": False, "verify_sub": False, "verify_jti": False,
}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


class Assertions:
    """Checks assertions made for one of *audiences*, and remembers their ids until they expire."""

    def __init__(self, audiences: Collection[str], clock: Callable[[], float], *, limit: int = 20_000) -> None:
        self._audiences = frozenset(audiences)
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
        end, begin, start = _number(claims.get("exp")), _number(claims.get("iat")), _number(claims.get("nbf", now))
        if end is None or end <= now - LEEWAY or end > now + LIFE_LIMIT + LEEWAY:
            return "exp"
        if begin is None or begin > now + LEEWAY:
            return "iat"
        return "nbf" if start is None or start > now + LEEWAY else None

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
    for key in keys:
        try:
            return jwt.decode(token, key, algorithms=algorithms, options=_SIGNATURE_ONLY)
        except jwt.PyJWTError:
            continue
    return None
