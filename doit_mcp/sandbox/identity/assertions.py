"""Client assertions: required claims and replay protection (RFC 7523)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from .models import JsonObject
from .signing import verify
from .ttl_store import TtlStore

LEEWAY_SECONDS = 5.0
MAX_LIFETIME_SECONDS = 300.0


def _as_number(value: object) -> float | None:
    # Not converted: a JSON integer can be too large for a float.
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


class AssertionVerifier:
    """Verifies assertions for one of *audiences*, and remembers their ids until they expire.

    *require_issued_at* makes ``iat`` required, which RFC 7523 leaves optional.
    """

    def __init__(
        self,
        audiences: Collection[str],
        clock: Callable[[], float],
        *,
        require_issued_at: bool = False,
        limit: int = 20_000,
    ) -> None:
        self._audiences = frozenset(audiences)
        self._require_issued_at = require_issued_at
        self._clock = clock
        self._seen: TtlStore[bool] = TtlStore(limit, clock)

    def find_problem(self, token: str, client_id: str, keys: Iterable[Any], algorithms: list[str]) -> str | None:
        """Why *token* does not authenticate *client_id*, or None; only a valid assertion uses up its id."""
        claims = _verify_any(token, keys, algorithms)
        if claims is None:
            return "signature"
        if claims.get("iss") != client_id or claims.get("sub") != client_id:
            return "iss or sub"
        return self._audience_problem(claims) or self._time_problem(claims) or self._use_identifier(client_id, claims)

    def _audience_problem(self, claims: JsonObject) -> str | None:
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience
        if not isinstance(audiences, list) or not any(item in self._audiences for item in audiences if _is_text(item)):
            return "aud"
        return None

    def _time_problem(self, claims: JsonObject) -> str | None:
        now = self._clock()
        expires = _as_number(claims.get("exp"))
        # NaN fails this comparison.
        if expires is None or not now - LEEWAY_SECONDS < expires <= now + MAX_LIFETIME_SECONDS + LEEWAY_SECONDS:
            return "exp"
        if self._require_issued_at and "iat" not in claims:
            return "iat"
        for name in ("iat", "nbf"):
            time = _as_number(claims.get(name, now))
            if time is None or not time <= now + LEEWAY_SECONDS:
                return name
        return None

    def _use_identifier(self, client_id: str, claims: JsonObject) -> str | None:
        identifier = claims.get("jti")
        if not isinstance(identifier, str) or not 0 < len(identifier) <= 256:
            return "jti"
        key = f"{client_id} {identifier}"
        if self._seen.get(key):
            return "jti was used before"
        self._seen.put(key, True, MAX_LIFETIME_SECONDS + 2 * LEEWAY_SECONDS)
        return None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _verify_any(token: str, keys: Iterable[Any], algorithms: list[str]) -> JsonObject | None:
    results = (verify(token, key, algorithms) for key in keys)
    return next((claims for claims in results if claims is not None), None)
