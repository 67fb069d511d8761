"""The words in which suites are said: a suite compares entries, an entry is a server and how it is started."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

EVENT_STREAM = "text/event-stream"
JSON = "application/json"
PYTHON_PEERS = ("py-sdk", "py-fastmcp")
NODE_PEERS = ("ts-sdk1", "ts-sdk2", "ts-fastmcp")
PEERS = (*PYTHON_PEERS, *NODE_PEERS)
# The second TypeScript SDK has no server for the older transport.
LEGACY_PEERS = tuple(name for name in PEERS if name != "ts-sdk2")


@dataclass(frozen=True, slots=True)
class Entry:
    """One server of a suite: its *name* in tables, the program, and how that is started. *hold* sessions or streams are
    open while it is measured; *operation*, *tool*, *expect* and *connections* go before the suite's. A *cold* one is
    asked nothing before it is measured. *size* is how long a result has to be, in bytes."""

    name: str
    kind: str
    options: tuple[str, ...] = ()
    operation: str = ""
    tool: str = "echo"
    expect: str = ""
    # The Accept header; what clients usually send if empty.
    accept: str = ""
    hold: str = ""
    held: int = 0
    connections: int = 0
    cold: bool = False
    # Of a fairness entry: how many callers, or requests.
    count: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Suite:
    """A comparison. *mode* is load, growth (the same, as more and more is held), or how a fresh process is looked at:
    startup, sessions, streams, fairness."""

    name: str
    description: str
    entries: tuple[Entry, ...]
    mode: str = "load"
    operation: str = "call"
    expect: str = ""
    connections: tuple[int, ...] = (32,)
    # Sessions or streams to open; tools that must be listed.
    count: int = 0
    # Seconds for which our streams are watched: one round of pings, which come every 15 s.
    idle_seconds: float = 0.0
    # An operation that is measured, too.
    second_operation: str = ""


def our_entry(*options: str, name: str = "ours", **more: Any) -> Entry:
    """This server."""
    return Entry(name, "ours", options, **more)


def limit_entry(level: str = "c", *options: str) -> Entry:
    """A limit."""
    return Entry(f"limit {level}", "limit", ("--level", level, *options))


def peer_entries(*options: str, names: Iterable[str] = PEERS) -> tuple[Entry, ...]:
    """The peers, all started alike."""
    return tuple(Entry(name, name, options) for name in names)
