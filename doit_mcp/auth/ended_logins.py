"""Access tokens whose login has ended at the identity provider although they have not expired."""

from __future__ import annotations

from collections.abc import Callable

from .ttl_cache import TtlCache

MAX_ENDED_LOGINS = 20_000


class EndedLogins:
    """Digests of ended tokens, each kept until the token expires; *digests* is a live view of all.

    *on_ended* is called with the digest of every token that ends, here or at another replica. *forward_ended*, if set,
    sends a token that ended here, and its expiry in epoch seconds, to other replicas.
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
        # Tokens may stay here after they expire, when they are refused anyway.
        self.digests = self._tokens.keys()
        self.forward_ended: Callable[[bytes, float], None] | None = None

    def add(self, digest: bytes, expires: float) -> None:
        """Record that the identity provider ended the login of this token, which *expires* in epoch seconds."""
        is_known = digest in self.digests
        self.receive_ended(digest, expires)
        if not is_known and self.forward_ended is not None:
            self.forward_ended(digest, expires)

    def receive_ended(self, digest: bytes, expires: float) -> None:
        """Record a login whose end another replica reported."""
        self._tokens.put(digest, True, expires)
        self.on_ended(digest)
