"""Warnings about conditions that can occur thousands of times a second."""

from __future__ import annotations

import logging
import time

# Minimum time between two warnings of the same kind.
LOG_INTERVAL_SECONDS = 60.0


class RateLimitedWarning:
    """Logs *message* at most once per LOG_INTERVAL_SECONDS, with the number of occurrences since the last time."""

    def __init__(self, log: logging.Logger, message: str) -> None:
        self._log, self._message = log, message
        self._count, self._next = 0, 0.0

    def __call__(self, **facts: object) -> None:
        """Count an occurrence, and log it if the interval has passed."""
        self._count += 1
        if (now := time.monotonic()) >= self._next:
            self._log.warning(self._message, extra={"times": self._count, **facts})
            self._count, self._next = 0, now + LOG_INTERVAL_SECONDS
