"""The lifetime of a replica's connection to Redis, and its metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from ..auth.ended_logins import EndedLogins
from ..events.user_calls import UserCalls
from ..server.credential_expiry import StreamLeases
from .connection import RedisConnection
from .ended_logins import share_ended_logins
from .message_bus import MessageBus
from .stream_leases import share_renewals
from .user_calls import share_user_calls


class RedisBackend:
    """The connection and the message bus of this replica.

    The functions in *on_open* run after the bus has started, those in *on_close* before the connection closes.
    """

    def __init__(
        self,
        connection: RedisConnection,
        bus: MessageBus,
        on_open: Sequence[Callable[[], Awaitable[None]]],
        on_close: Sequence[Callable[[], Awaitable[None]]],
    ) -> None:
        self.connection, self.bus, self._on_open, self._on_close = connection, bus, on_open, on_close

    def gauges(self) -> dict[str, tuple[str, Callable[[], float]]]:
        """Return the gauges for the metrics: by name, the help text and a function that reads the value."""
        return {
            "redis_unavailable": ("Whether Redis is unavailable", lambda: float(self.connection.unavailable)),
            # The former name, for dashboards that use it; to be removed after the first release.
            "redis_away": ("Deprecated: use redis_unavailable", lambda: float(self.connection.unavailable)),
            "redis_full": ("Whether Redis refused writes for lack of memory", lambda: float(self.connection.full)),
            "redis_waiting": ("Messages waiting to be sent to Redis", lambda: float(len(self.bus.write_queue))),
        }

    def share_credentials(self, ended_logins: EndedLogins, leases: StreamLeases) -> None:
        """Share ended logins and the renewed credentials of streams with the other replicas."""
        share_ended_logins(ended_logins, self.bus)
        share_renewals(leases, self.bus)

    def share_calls(self, calls: UserCalls) -> None:
        """Share with the other replicas when users had calls in progress."""
        share_user_calls(calls, self.bus)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[None]:
        """Connect this replica to the others while the block runs."""
        try:
            async with self.bus.lifespan():
                for prepare in self._on_open:
                    await prepare()
                yield
        finally:
            for close in self._on_close:
                await close()
            await self.connection.close()
