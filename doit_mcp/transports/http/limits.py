"""Limits of a principal, and of strangers: for this process, or with Redis for all replicas together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...auth.failed_attempts import ADDRESS_LIMIT, TOTAL_LIMIT, SharedAttemptLimiter, SharedVerifiedTokens
from ...redis_state import verified_tokens
from ...redis_state.connection import RedisConnection
from ...redis_state.encryption import Encryptor
from ...redis_state.message_bus import MessageBus
from ...redis_state.quotas import Quotas
from ...redis_state.token_buckets import RedisAttemptLimiter, RedisTokenBuckets
from ...resilience.concurrency import ConcurrencyLimiter
from ...server.admission import Admission, CallRateLimiter
from ...server.tasks import MAX_RUNNING_PER_OWNER, Tasks
from ...settings import Settings
from .stream_limits import StreamLimiter


@dataclass(frozen=True, slots=True)
class Limits:
    """*admission* asks what the places of this process do not know, *attempts* counts those of strangers elsewhere, too,
    and *verified_tokens* knows the tokens that need none; *quotas* say what is held here as long as they are not closed."""

    admission: Admission | None = None
    attempts: SharedAttemptLimiter | None = None
    verified_tokens: SharedVerifiedTokens | None = None
    quotas: tuple[Quotas, ...] = ()


def local_limits(settings: Settings, concurrency_limiter: ConcurrencyLimiter) -> Limits:
    """Without other replicas: nothing is asked unless there is a rate."""
    rate = settings.calls_per_minute
    return Limits(Admission(concurrency_limiter, CallRateLimiter(rate), None) if rate else None)


def shared_limits(
    settings: Settings,
    connection: RedisConnection,
    bus: MessageBus,
    concurrency_limiter: ConcurrencyLimiter,
    streams: StreamLimiter,
    tasks: Tasks,
) -> Limits:
    """One limit for all replicas on each of a principal's calls, streams and running tasks, and on strangers' tries."""
    secret = settings.effective_state_secrets

    def count(kind: str, limit: int, held: Callable[[str], int]) -> Quotas:
        made = Quotas(
            connection, Encryptor(secret, f"{kind} in use"), kind, bus.replica_id, limit=limit, count_local=held
        )
        bus.on_heartbeat(made.renew_all)
        return made

    calls = count("calls", settings.calls_per_principal, concurrency_limiter.held_by)
    streams.quota = count("streams", settings.streams_per_principal, streams.held_by)
    tasks.quota = count("tasks", MAX_RUNNING_PER_OWNER, tasks.count_running)
    rate: CallRateLimiter | None = None
    if settings.calls_per_minute:
        rate = CallRateLimiter(
            settings.calls_per_minute,
            RedisTokenBuckets(connection, Encryptor(secret, "rates"), bus.write_queue, "rate"),
        )
    # Strangers can wait: a flood of theirs must not make a busy Redis seem to be away.
    tries = RedisTokenBuckets(connection, Encryptor(secret, "tries"), bus.write_queue, "tries", max_wait=None)
    return Limits(
        Admission(concurrency_limiter, rate, calls),
        RedisAttemptLimiter(tries, total=TOTAL_LIMIT, by_address=ADDRESS_LIMIT),
        verified_tokens.RedisVerifiedTokens(connection, Encryptor(secret, "proven"), bus.write_queue),
        (calls, streams.quota, tasks.quota),
    )
