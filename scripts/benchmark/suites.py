"""Who is measured at what. Within a suite all servers do the same work; what differs is said in its words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

STREAMED = "text/event-stream"
JSON = "application/json"
PYTHON_PEERS = ("py-sdk", "py-fastmcp")
NODE_PEERS = ("ts-sdk1", "ts-sdk2", "ts-fastmcp")
PEERS = (*PYTHON_PEERS, *NODE_PEERS)


@dataclass(frozen=True, slots=True)
class Entry:
    """One server of a suite: its *name* in tables, the program, and how that is started. *hold* sessions or streams are
    open while it is measured; *operation*, *tool* and *expect* go before the suite's."""

    name: str
    kind: str
    options: tuple[str, ...] = ()
    operation: str = ""
    tool: str = "echo"
    expect: str = ""
    hold: str = ""
    held: int = 0


@dataclass(frozen=True, slots=True)
class Suite:
    """A comparison. *what* is load, or how a fresh process is looked at: startup, sessions, streams."""

    name: str
    about: str
    entries: tuple[Entry, ...]
    what: str = "load"
    operation: str = "call"
    expect: str = ""
    connections: tuple[int, ...] = (32,)
    # Sessions or streams to open; tools that must be listed.
    count: int = 0
    # Seconds for which our streams are watched: one round of pings, which come every 15 s.
    idle: float = 0.0


def ours(*options: str, name: str = "ours", **more: str) -> Entry:
    """This server."""
    return Entry(name, "ours", options, **more)  # type: ignore[arg-type]


def limit(level: str = "c", *options: str) -> Entry:
    """A limit."""
    return Entry(f"limit {level}", "limit", ("--level", level, *options))


def peers(*options: str, names: Iterable[str] = PEERS) -> tuple[Entry, ...]:
    """The peers, all started alike."""
    return tuple(Entry(name, name, options) for name in names)


LOW = Entry("py-sdk low", "py-sdk", ("--low",))
WITHOUT_TOKENS = (
    *peers("--no-auth"),
    replace(LOW, options=("--low", "--no-auth")),
    Entry("ts-sdk1 low", "ts-sdk1", ("--low", "--no-auth")),
)
WITH_AIOHTTP = Entry("py-sdk aiohttp", "py-sdk", ("--client", "aiohttp"))
WHOLE = ours("--all")
# ts-fastmcp waits a second in each handshake, which is no cost.
HASTY = tuple(name for name in PEERS if name != "ts-fastmcp")
# The second TypeScript SDK has no server for the older transport.
OLDER = tuple(name for name in PEERS if name != "ts-sdk2")
HUNDRED = ("--tools", "100")
SESSIONS, STREAMS, TOOLS = 20_000, 10_000, 2_000

SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "call",
            "tools/call, one JSON answer, a session per connection, ES256 tokens checked by everyone",
            (
                ours(),
                ours("--log-level", "info", name="ours, request log"),
                limit("a0"),
                limit(),
                LOW,
                *peers(),
            ),
            expect=JSON,
            connections=(32, 1),
        ),
        Suite(
            "sse",
            "tools/call answered as an event stream; ours sends a progress notification first, as it streams only then",
            (
                ours(operation="stream", tool="stream_echo", expect=STREAMED),
                ours(name="ours JSON"),
                limit("s1"),
                *peers("--sse"),
            ),
            expect="",
        ),
        Suite(
            "list",
            "tools/list of 100 tools, 143 KB",
            (ours(*HUNDRED), limit("c", *HUNDRED), replace(LOW, options=("--low", *HUNDRED)), *peers(*HUNDRED)),
            operation="list",
            count=100,
        ),
        Suite(
            "init",
            "handshakes: initialize, notifications/initialized, DELETE; one is counted as one request",
            (ours(), limit(), *peers(names=HASTY)),
            operation="init",
        ),
        Suite(
            "fetch",
            "tools/call that makes one GET upstream, 1 KB",
            (ours(), limit("cd"), WITH_AIOHTTP, *peers()),
            operation="fetch",
            connections=(32, 256),
        ),
        Suite(
            "legacy",
            "tools/call over HTTP+SSE: a POST, and the answer on the stream",
            (ours(), limit(), *peers("--legacy", names=OLDER)),
            operation="legacy",
        ),
        Suite("noauth", "as call, but no peer checks a token; we do", (ours(), limit(), *WITHOUT_TOKENS)),
        Suite(
            "fresh",
            "as call, each request with a token never seen before",
            (ours(), limit("b")),
            operation="fresh",
        ),
        Suite(
            "startup",
            "from a process's start to its first answer; memory then. Ours is the whole product, unless it says less",
            (WHOLE, ours(*HUNDRED, name="ours, 100 tools"), limit("c", *HUNDRED), *peers(*HUNDRED)),
            what="startup",
        ),
        Suite(
            "sessions",
            "memory of 1,000 sessions, in a fresh process",
            (WHOLE, limit(), *peers()),
            what="sessions",
            count=1000,
        ),
        Suite(
            "streams",
            "memory of 2,000 idle /sse streams, in a fresh process",
            (WHOLE, limit(), *peers("--legacy", names=OLDER)),
            what="streams",
            count=2000,
            idle=15.0,
        ),
        Suite(
            "growth",
            "tools/call on a server that holds many sessions, streams or tools, against one that holds none",
            (
                ours(),
                replace(ours(name=f"ours, {SESSIONS:,} sessions"), hold="sessions", held=SESSIONS),
                replace(ours(name=f"ours, {STREAMS:,} streams"), hold="streams", held=STREAMS),
                ours("--tools", str(TOOLS), name=f"ours, {TOOLS:,} tools"),
            ),
        ),
    )
}
USUAL = ("call", "sse", "list", "init", "fetch", "legacy", "startup")
