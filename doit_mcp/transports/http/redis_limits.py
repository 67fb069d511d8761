"""Wires the limits on principals and unauthenticated clients that all replicas share in Redis."""

from __future__ import annotations

from collections.abc import Callable

from ...auth.failed_attempts import ADDRESS_RATE, TOO_MANY_REFUSED_TOKENS, TOTAL_RATE
from ...events.call_turns import TOO_MANY_POLLS
from ...redis_state.connection import RedisConnection
from ...redis_state.encryption import Encryptor
from ...redis_state.message_bus import MessageBus
from ...redis_state.quotas import RedisQuota
from ...redis_state.rate_limiter import RedisRateLimiter
from ...redis_state.verified_tokens import RedisVerifiedTokens
from ...resilience.concurrency import CALLS_MESSAGE, ConcurrencyLimiter
from ...resilience.limits import TieredLimiter
from ...server.admission import TOO_MANY_CALLS, Admission, call_rate, call_rate_limiter
from ...server.tasks import MAX_RUNNING_PER_OWNER, TOO_MANY_TASKS, Tasks
from ...settings import Settings
from .limits import Limits, poll_rate
from .stream_limits import RETRY_AFTER_SECONDS, StreamLimiter, too_many_streams_text


def make_shared_limits(
    settings: Settings,
    connection: RedisConnection,
    bus: MessageBus,
    concurrency_limiter: ConcurrencyLimiter,
    streams: StreamLimiter,
    tasks: Tasks,
) -> Limits:
    """Return limits that all replicas share: on each principal's calls, streams and tasks, and on rejected tokens."""
    secrets = settings.effective_state_secrets

    def quota(kind: str, limit: int, count_local: Callable[[str], int], message: str, retry: float = 2) -> RedisQuota:
        quota_limiter = RedisQuota(
            connection,
            Encryptor(secrets, f"{kind} in use"),
            kind,
            bus.replica_id,
            limit=limit,
            count_local=count_local,
            message=message,
            retry_after=retry,
        )
        bus.on_heartbeat(quota_limiter.renew_all)
        return quota_limiter

    calls = quota("calls", settings.calls_per_principal, concurrency_limiter.held_by, CALLS_MESSAGE)
    per_owner = settings.streams_per_principal
    open_streams = quota("streams", per_owner, streams.held_by, too_many_streams_text(per_owner), RETRY_AFTER_SECONDS)
    streams.share(open_streams)
    running_tasks = quota("tasks", MAX_RUNNING_PER_OWNER, tasks.count_running, TOO_MANY_TASKS)
    tasks.share(running_tasks)
    return Limits(
        Admission(concurrency_limiter, _call_rate(settings, connection, bus), calls),
        _attempt_limiter(settings, connection, bus),
        RedisVerifiedTokens(connection, Encryptor(secrets, "proven"), bus.write_queue),
        (calls, open_streams, running_tasks),
        RedisRateLimiter(
            connection,
            Encryptor(secrets, "polls"),
            bus.write_queue,
            "polls",
            TOO_MANY_POLLS,
            per_owner=poll_rate(settings),
        ),
    )


def _call_rate(settings: Settings, connection: RedisConnection, bus: MessageBus) -> TieredLimiter | None:
    if not settings.calls_per_minute:
        return None
    rate = call_rate(settings.calls_per_minute)
    encryptor = Encryptor(settings.effective_state_secrets, "rates")
    shared = RedisRateLimiter(connection, encryptor, bus.write_queue, "rate", TOO_MANY_CALLS, per_owner=rate)
    return TieredLimiter(call_rate_limiter(rate), shared)


def _attempt_limiter(settings: Settings, connection: RedisConnection, bus: MessageBus) -> RedisRateLimiter:
    # No short timeout: unauthenticated clients can wait, and a flood of them must not mark a busy Redis as unavailable.
    return RedisRateLimiter(
        connection,
        Encryptor(settings.effective_state_secrets, "tries"),
        bus.write_queue,
        "tries",
        TOO_MANY_REFUSED_TOKENS,
        per_owner=ADDRESS_RATE,
        total=TOTAL_RATE,
        max_wait=None,
    )
