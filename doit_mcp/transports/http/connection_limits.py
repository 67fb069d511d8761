"""Limits on connections before a request is read: counts and deadlines, with their metrics and warnings."""

from __future__ import annotations

import logging

from ...observability.metrics import Metrics
from ...observability.rate_limited_warning import RateLimitedWarning
from ...process.file_descriptors import max_connections_per_side
from .pending_connections import PendingConnections

log = logging.getLogger(__name__)

# Time from the first byte of a head to its last.
HEAD_TIMEOUT_SECONDS = 15.0
MAX_UNFINISHED_HEADS = 4096
MAX_UNFINISHED_BYTES = 16 << 20
# Connections that have not sent anything yet.
MAX_SILENT_CONNECTIONS = 4096


class ConnectionLimits:
    """The limits and counts that all connections of a process share."""

    def __init__(self, metrics: Metrics, keep_alive_seconds: float) -> None:
        self.keep_alive_seconds = keep_alive_seconds
        self._metrics = metrics
        self.open_connections = 0
        self._warn_closed = RateLimitedWarning(log, "connections were closed before their request was complete")
        self._warn_paused = RateLimitedWarning(log, "file descriptors are low; accepting connections is paused")
        self.incomplete_heads = PendingConnections(
            timeout_seconds=HEAD_TIMEOUT_SECONDS,
            max_connections=MAX_UNFINISHED_HEADS,
            max_bytes=MAX_UNFINISHED_BYTES,
            on_closed=lambda reason: self._record_closed(f"head_{reason}"),
        )
        self.silent_connections = PendingConnections(
            timeout_seconds=keep_alive_seconds,
            max_connections=MAX_SILENT_CONNECTIONS,
            max_bytes=0,
            on_closed=lambda reason: self._record_closed(f"silent_{reason}"),
        )

    def is_full(self, accepted: int) -> bool:
        """Return whether one more connection, besides open and just *accepted* ones, would use other descriptors."""
        limit = max_connections_per_side()
        return limit is not None and self.open_connections + accepted + 1 > limit

    def record_accept_paused(self, reason: str) -> None:
        """Count and log a pause in accepting connections."""
        self._metrics.count_accept_pause(reason)
        self._warn_paused(reason=reason, connections=self.open_connections)

    def record_rejection(self, status: int) -> None:
        """Count a request that was rejected before it reached the application."""
        self._metrics.count_request("other", "other", status)

    def _record_closed(self, reason: str) -> None:
        self._metrics.count_closed_connection(reason)
        # Do not warn about connections that timed out without sending anything.
        if reason != "silent_timeout":
            self._warn_closed(reason=reason)

    def stop(self) -> None:
        """Stop all timers."""
        self.incomplete_heads.stop()
        self.silent_connections.stop()
