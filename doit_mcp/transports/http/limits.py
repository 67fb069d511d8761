"""Limits of a principal, and of strangers: for this process, or with Redis for all replicas together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...auth.failed_attempts import BY_ADDRESS, TOTAL, SharedProven, SharedTries
from ...redis_state import verified_tokens
from ...redis_state.connection import Link
from ...redis_state.encryption import Box
from ...redis_state.message_bus import Bus
from ...redis_state.quotas import Counts
from ...redis_state.token_buckets import AddressTries, SharedBuckets
from ...resilience.concurrency import Slots
from ...server.admission import Admission, Rate
from ...server.tasks import RUNNING_PER_OWNER, Tasks
from ...settings import Settings
from .stream_limits import Streams


@dataclass(frozen=True, slots=True)
class Limits:
    """*admission* asks what the places of this process do not know, *tries* counts those of strangers elsewhere, too,
    and *proven* knows the tokens that need none; *counts* say what is held here as long as they are not closed."""

    admission: Admission | None = None
    tries: SharedTries | None = None
    proven: SharedProven | None = None
    counts: tuple[Counts, ...] = ()


def own_limits(settings: Settings, slots: Slots) -> Limits:
    """Without other replicas: nothing is asked unless there is a rate."""
    rate = settings.calls_per_minute
    return Limits(Admission(slots, Rate(rate), None) if rate else None)


def shared_limits(settings: Settings, link: Link, bus: Bus, slots: Slots, streams: Streams, tasks: Tasks) -> Limits:
    """One limit for all replicas on each of a principal's calls, streams and running tasks, and on strangers' tries."""
    secret = settings.state_keys

    def count(kind: str, limit: int, held: Callable[[str], int]) -> Counts:
        made = Counts(link, Box(secret, f"{kind} in use"), kind, bus.id, limit=limit, held=held)
        bus.at_each_beat(made.keep)
        return made

    calls = count("calls", settings.calls_per_principal, slots.held)
    streams.counts = count("streams", settings.streams_per_principal, streams.held)
    tasks.counts = count("tasks", RUNNING_PER_OWNER, tasks.running)
    rate: Rate | None = None
    if settings.calls_per_minute:
        rate = Rate(settings.calls_per_minute, SharedBuckets(link, Box(secret, "rates"), bus.sender, "rate"))
    # Strangers can wait: a flood of theirs must not make a busy Redis seem to be away.
    tries = SharedBuckets(link, Box(secret, "tries"), bus.sender, "tries", within=None)
    return Limits(
        Admission(slots, rate, calls),
        AddressTries(tries, total=TOTAL, by_address=BY_ADDRESS),
        verified_tokens.SharedProven(link, Box(secret, "proven"), bus.sender),
        (calls, streams.counts, tasks.counts),
    )
