"""Suites and entries: a suite compares entries; an entry is a server and its options."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

EVENT_STREAM = "text/event-stream"
JSON = "application/json"
PYTHON_PEERS = ("py-sdk", "py-fastmcp")
NODE_PEERS = ("ts-sdk1", "ts-sdk2", "ts-fastmcp")
PEERS = (*PYTHON_PEERS, *NODE_PEERS)
# The second TypeScript SDK has no server for the HTTP+SSE transport.
LEGACY_PEERS = tuple(name for name in PEERS if name != "ts-sdk2")


@dataclass(frozen=True, slots=True)
class Entry:
    """One server of a suite: its *name* in tables, the program and its options.

    *hold* sessions or streams are open during the measurement; *operation*, *tool*, *expect* and *connections* override
    the suite's. A *cold* server receives no request before it is measured. *size* is the size of a result in bytes.
    """

    name: str
    kind: str
    options: tuple[str, ...] = ()
    operation: str = ""
    tool: str = "echo"
    expect: str = ""
    # The Accept header; that of common clients if empty.
    accept: str = ""
    hold: str = ""
    held: int = 0
    connections: int = 0
    cold: bool = False
    # The number of callers or requests of a fairness entry.
    count: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Suite:
    """A comparison. *mode* is load, growth (load with a growing number of held objects), instructions (counted rather
    than timed), or what is measured of fresh processes: startup, sessions, streams, fairness.
    """

    name: str
    description: str
    entries: tuple[Entry, ...]
    mode: str = "load"
    operation: str = "call"
    expect: str = ""
    connections: tuple[int, ...] = (32,)
    # Sessions or streams to open, or the number of tools to list.
    count: int = 0
    # Seconds during which our streams are observed: one round of pings, which are sent every 15 s.
    idle_seconds: float = 0.0
    # A second operation to measure.
    second_operation: str = ""


def our_entry(*options: str, name: str = "ours", **more: Any) -> Entry:
    """An entry of this server."""
    return Entry(name, "ours", options, **more)


def limit_entry(level: str = "c", *options: str) -> Entry:
    """An entry of a limit."""
    return Entry(f"limit {level}", "limit", ("--level", level, *options))


def rung_entry(rung: str, **more: Any) -> Entry:
    """An entry of a rung of the ladder."""
    return Entry(rung, "ladder", ("--rung", rung), **more)


def peer_entries(*options: str, names: Iterable[str] = PEERS) -> tuple[Entry, ...]:
    """Entries of the peers, all with the same options."""
    return tuple(Entry(name, name, options) for name in names)
