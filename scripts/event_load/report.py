"""The figures of a load, as rows of the table in docs/operations/events.rst."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from .load import PER_OWNER, Load
from .receivers import HEALTHY

TAKEOVER_SECONDS = 20.0
"""Within this time, another replica works on the subscriptions of one that was killed."""


@dataclass
class Measurements:
    """What was measured beside the receivers: times in seconds, of time.monotonic() for *started* and *killed*.

    *memory* is that of the remaining replica in MB: at the start, when the other one was killed, and at the end.
    *cpu_seconds* is the time that the remaining replica computed.
    """

    subscriptions: int
    events: int
    started: float
    killed: float = 0.0
    ended: float = 0.0
    cpu_seconds: float = 0.0
    memory: list[float] = field(default_factory=list)


def healthy_delays(load: Load, since: float, until: float) -> list[float]:
    """Return the times from acceptance to delivery, sorted, of events for healthy receivers accepted in a time."""
    arrived = load.receiver.arrived_at
    return sorted(
        max(0.0, arrived[name] - at)
        for name, at in load.accepted_at.items()
        if since <= at < until and load.roles[int(name.split()[1]) % PER_OWNER] == HEALTHY and name in arrived
    )


def is_complete(load: Load) -> bool:
    """Return whether every event arrived that had to, each under one id."""
    ids = load.receiver.ids
    return not load.expected - ids.keys() and all(len(each) == 1 for each in ids.values())


def report_rows(load: Load, measured: Measurements) -> list[tuple[str, str]]:
    """Return the figures, each with its title."""
    receiver, killed = load.receiver, measured.killed
    expected, attempts = load.expected, sum(receiver.attempts.values())
    return [
        ("Subscriptions", f"{measured.subscriptions:,}"),
        ("Events accepted", f"{measured.events:,}"),
        ("Events that arrived, of those that had to", f"{len(expected & receiver.ids.keys()):,} of {len(expected):,}"),
        ("Events with a second ID", f"{sum(len(each) > 1 for each in receiver.ids.values()):,}"),
        ("Attempts", f"{attempts:,}"),
        ("Time until the last event", f"{measured.ended - measured.started:,.0f} s"),
        ("Healthy receivers, before the kill", _quantiles(healthy_delays(load, 0, killed - TAKEOVER_SECONDS))),
        (
            "Healthy receivers, around the kill",
            _quantiles(healthy_delays(load, killed - TAKEOVER_SECONDS, killed + TAKEOVER_SECONDS)),
        ),
        ("Healthy receivers, after the kill", _quantiles(healthy_delays(load, killed + TAKEOVER_SECONDS, math.inf))),
        ("CPU time of the remaining replica", f"{measured.cpu_seconds:,.1f} s"),
        ("Memory of the remaining replica", " → ".join(f"{each:.0f}" for each in measured.memory) + " MB"),
    ]


def _quantiles(delays: Sequence[float]) -> str:
    if not delays:
        return "no events"
    return f"p50 {delays[len(delays) // 2]:.2f} s, p99 {delays[len(delays) * 99 // 100]:.2f} s"


def print_report(load: Load, measured: Measurements) -> None:
    """Print the figures, and what the receivers did."""
    for title, value in report_rows(load, measured):
        print(f"{title}: {value}")
    print(f"repeated after acceptance, with the same ID: {load.receiver.repeats}")
    print(f"failures: {dict(load.receiver.failures)}")
