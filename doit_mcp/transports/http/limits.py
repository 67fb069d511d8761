"""Limits on principals and unauthenticated clients: those of this process; see redis_limits for those of all replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...auth.failed_attempts import SharedVerifiedTokens
from ...resilience.concurrency import ConcurrencyLimiter
from ...resilience.limits import SharedLimiter, TieredLimiter
from ...resilience.token_bucket import Rate
from ...server.admission import Admission, call_rate, call_rate_limiter
from ...settings import Settings

if TYPE_CHECKING:
    from ...redis_state.quotas import RedisQuota


class Limits(NamedTuple):
    """The limits beyond the concurrency limits of this process.

    *admission* limits requests. *attempts* limits rejected tokens across all replicas; *verified_tokens* are exempt.
    *quotas* publish this replica's usage until they are closed.
    """

    admission: Admission | None = None
    attempts: SharedLimiter | None = None
    verified_tokens: SharedVerifiedTokens | None = None
    quotas: tuple[RedisQuota, ...] = ()
    event_polls: SharedLimiter | None = None


def make_local_limits(settings: Settings, concurrency_limiter: ConcurrencyLimiter) -> Limits:
    """Return the limits of a single process: only the call rate, if one is configured."""
    if not settings.calls_per_minute:
        return Limits()
    limiter = call_rate_limiter(call_rate(settings.calls_per_minute))
    return Limits(Admission(concurrency_limiter, TieredLimiter(limiter), None))


def poll_rate(settings: Settings) -> Rate:
    """Return the rate of requests to the DoiT API for events, by customer."""
    return Rate(settings.events_calls_per_minute, settings.events_calls_per_minute / 60)
