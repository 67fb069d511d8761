"""Ended: access tokens whose login is over at the identity provider, although they have not expired."""

from __future__ import annotations

from collections.abc import Callable

from .ttl_cache import Bounded

MAX_ENDED = 20_000


class Ended:
    """Tokens by digest, each until it expires; *digests* has them all. *tell* is called with the digest of every
    credential that ends.

    *relay*, if there is one, tells other replicas of a token that ended here.
    """

    def __init__(
        self, clock: Callable[[], float], tell: Callable[[bytes], None] = lambda _: None, *, limit: int = MAX_ENDED
    ) -> None:
        self._tokens: Bounded[bool] = Bounded(limit, clock)
        self.tell = tell
        # An access token may stay here after it expired: it is refused anyway.
        self.digests = self._tokens.keys()
        self.relay: Callable[[bytes, float], None] | None = None

    def add(self, key: bytes, expires: float) -> None:
        """The identity provider refused this token for good."""
        known = key in self.digests
        self.heard(key, expires)
        if not known and self.relay is not None:
            self.relay(key, expires)

    def heard(self, key: bytes, expires: float) -> None:
        """The same, learned from another replica."""
        self._tokens.put(key, True, expires)
        self.tell(key)
