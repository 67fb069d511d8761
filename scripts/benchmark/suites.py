"""Who is measured at what. Within a suite all servers do the same work; what differs is said in its words."""

from __future__ import annotations

from dataclasses import replace

from .entries import JSON, OLDER, PEERS, STREAMED, Entry, Suite, limit, ours, peers
from .growth import CURVES

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
HUNDRED = ("--tools", "100")
MB = 2**20

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
            "tools/call answered as an event stream of one event, which ours is for a client that takes nothing else",
            (
                ours(accept=STREAMED, expect=STREAMED),
                ours(name="ours JSON"),
                # Two events: a notification of progress first.
                ours(name="ours, progress", operation="stream", tool="stream_echo", expect=STREAMED),
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
        *(curve.suite() for curve in CURVES.values()),
        Suite(
            "fairness",
            "what others notice of a greedy, a hostile or a crowd of callers; at the limits that are usual",
            (
                ours("--usual-limits", name="Q2", operation="greedy", count=200),
                ours("--usual-limits", name="Q3", operation="crowd", count=1500),
                ours("--usual-limits", name="Q4", operation="forgers", count=3000),
                ours("--usual-limits", name="L3", operation="stalled", count=30, size=2 * MB),
                ours("--usual-limits", name="K1", operation="herd", count=200, cold=True),
            ),
            what="fairness",
        ),
    )
}
# Names for several suites.
GROUPS = {"all": tuple(SUITES), "growth": tuple(CURVES)}
USUAL = ("call", "sse", "list", "init", "fetch", "legacy", "startup")
