"""Ends streams when their credential expires or is refused."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Self


class StreamLease:
    """Ties one stream to its credential while the block runs. :meth:`on_end` sets what closes the stream."""

    __slots__ = ("_close", "_credential", "_leases", "_timer", "has_ended")

    def __init__(self, leases: StreamLeases, credential: bytes, expires: float) -> None:
        self._leases, self._credential = leases, credential
        self._close: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.has_ended = False
        self._begin(expires)

    def on_end(self, close: Callable[[], None]) -> None:
        """Call *close* when the credential ends, or at once if it has ended already."""
        self._close = close
        if self.has_ended:
            close()

    def renew(self, credential: bytes, expires: float) -> None:
        """Replace the stream's credential if the client presents a different one."""
        if credential != self._credential and not self.has_ended:
            self._stop()
            self._credential = credential
            self._begin(expires)

    def end(self) -> None:
        """End the stream, because its credential has expired or was refused."""
        self.has_ended = True
        if self._close is not None:
            self._close()

    def _begin(self, expires: float) -> None:
        self._leases.by_credential.setdefault(self._credential, set()).add(self)
        if expires != NEVER_EXPIRES:
            remaining_seconds = max(0.0, expires - self._leases.clock())
            self._timer = asyncio.get_running_loop().call_later(remaining_seconds, self.end)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        leases = self._leases.by_credential[self._credential]
        leases.discard(self)
        if not leases:
            del self._leases.by_credential[self._credential]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stop()
        self._close = None


NEVER_EXPIRES = float("inf")


MAX_FORWARDED_RENEWALS = 10_000


class StreamLeases:
    """The leases of all streams of this process, by a digest of the credential.

    *by_session* has the leases of sessions that consist of one stream (HTTP+SSE), by session id. *forward_renewal*, if
    set, sends a renewal to the other replicas, because one of them may hold the stream.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.by_credential: dict[bytes, set[StreamLease]] = {}
        self.by_session: dict[str, StreamLease] = {}
        self.forward_renewal: Callable[[str, bytes, float], None] | None = None
        self._forwarded: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def start_lease(self, credential: bytes, expires: float) -> StreamLease:
        """Return a lease until *expires* (epoch seconds, or NEVER_EXPIRES)."""
        return StreamLease(self, credential, expires)

    def renew(self, session: str, credential: bytes, expires: float) -> None:
        """Renew the lease of a session with the credential that its client presents, here or at other replicas."""
        if session in self.by_session:
            self.by_session[session].renew(credential, expires)
        elif self.forward_renewal is not None and (session, credential) not in self._forwarded:
            self._forwarded[session, credential] = None
            if len(self._forwarded) > MAX_FORWARDED_RENEWALS:
                self._forwarded.popitem(last=False)
            self.forward_renewal(session, credential, expires)

    def receive_renewal(self, session: str, credential: bytes, expires: float) -> None:
        """Renew the lease of a session, as another replica requested."""
        if session in self.by_session:
            self.by_session[session].renew(credential, expires)

    def end_streams(self, credential: bytes) -> None:
        """End every stream with this credential, because it was refused."""
        for lease in list(self.by_credential.get(credential, ())):
            lease.end()
