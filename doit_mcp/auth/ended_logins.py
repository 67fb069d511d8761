"""Ended: access tokens whose login is over at the identity provider, although they have not expired."""

from __future__ import annotations

from collections.abc import Callable

from .ttl_cache import TtlCache

MAX_ENDED_LOGINS = 20_000


class EndedLogins:
    """Tokens by digest, each until it expires; *digests* has them all. *on_ended* is called with the digest of every
    credential that ends.

    *forward_ended*, if there is one, tells other replicas of a token that ended here.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        on_ended: Callable[[bytes], None] = lambda _: None,
        *,
        limit: int = MAX_ENDED_LOGINS,
    ) -> None:
        self._tokens: TtlCache[bool] = TtlCache(limit, clock)
        self.on_ended = on_ended
        # An access token may stay here after it expired: it is refused anyway.
        self.digests = self._tokens.keys()
        self.forward_ended: Callable[[bytes, float], None] | None = None

    def add(self, digest: bytes, expires: float) -> None:
        """The identity provider refused this token for good."""
        known = digest in self.digests
        self.receive_ended(digest, expires)
        if not known and self.forward_ended is not None:
            self.forward_ended(digest, expires)

    def receive_ended(self, digest: bytes, expires: float) -> None:
        """The same, learned from another replica."""
        self._tokens.put(digest, True, expires)
        self.on_ended(digest)
