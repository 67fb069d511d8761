"""The suites: servers and their workloads. Within a suite all servers do the same work; descriptions name any
differences.
"""

from __future__ import annotations

from dataclasses import replace

from .entries import (
    EVENT_STREAM,
    JSON,
    LEGACY_PEERS,
    PEERS,
    Entry,
    Suite,
    limit_entry,
    our_entry,
    peer_entries,
    rung_entry,
)
from .growth import CURVES

SDK_LOW = Entry("py-sdk low", "py-sdk", ("--low",))
NO_AUTH_PEERS = (
    *peer_entries("--no-auth"),
    replace(SDK_LOW, options=("--low", "--no-auth")),
    Entry("ts-sdk1 low", "ts-sdk1", ("--low", "--no-auth")),
)
SDK_AIOHTTP = Entry("py-sdk aiohttp", "py-sdk", ("--client", "aiohttp"))
FULL_PRODUCT = our_entry("--all")
# ts-fastmcp waits a second in each handshake, which says nothing about its cost.
FAST_HANDSHAKE_PEERS = tuple(name for name in PEERS if name != "ts-fastmcp")
HUNDRED_TOOLS = ("--tools", "100")
MB = 2**20

# What each piece of the product's work adds, from bare aiohttp to the product.
FLOOR_SUITES = (
    Suite(
        "floor-call",
        "instructions of a tools/call, as in call",
        (
            *(limit_entry(level) for level in ("bytes", "a", "c")),
            *(rung_entry(rung) for rung in ("connection", "trace", "write", "message", "limits", "task", "tool")),
            our_entry(),
            our_entry("--log-level", "info", name="ours, request log"),
        ),
        mode="instructions",
    ),
    Suite(
        "floor-legacy",
        "instructions of a tools/call over HTTP+SSE, as in legacy",
        (limit_entry("c"), *(rung_entry(rung) for rung in ("write", "message", "task", "tool")), our_entry()),
        mode="instructions",
        operation="legacy",
    ),
    Suite(
        "floor-fetch",
        "instructions of a tools/call that makes one GET upstream, as in fetch",
        (limit_entry("cd"), *(rung_entry(rung) for rung in ("write", "message", "task", "tool", "api")), our_entry()),
        mode="instructions",
        operation="fetch",
    ),
    Suite(
        "floor-start",
        "instructions from process start to first response, as in startup",
        (
            limit_entry("c", *HUNDRED_TOOLS),
            our_entry(*HUNDRED_TOOLS, name="ours, 100 tools"),
            FULL_PRODUCT,
            *peer_entries(*HUNDRED_TOOLS, names=("py-sdk",)),
        ),
        mode="instructions",
        operation="start",
    ),
)

SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "call",
            "tools/call, one JSON answer, a session per connection, all servers check ES256 tokens",
            (
                our_entry(),
                our_entry("--log-level", "info", name="ours, request log"),
                limit_entry("a0"),
                limit_entry(),
                SDK_LOW,
                *peer_entries(),
            ),
            expect=JSON,
            connections=(32, 1),
        ),
        Suite(
            "sse",
            "tools/call answered with an event stream of one event; ours does so only if clients accept nothing else",
            (
                our_entry(accept=EVENT_STREAM, expect=EVENT_STREAM),
                our_entry(name="ours JSON"),
                # Two events: a progress notification and the response.
                our_entry(name="ours, progress", operation="stream", tool="stream_echo", expect=EVENT_STREAM),
                limit_entry("s1"),
                *peer_entries("--sse"),
            ),
            expect="",
        ),
        Suite(
            "list",
            "tools/list of 100 tools, 143 KB",
            (
                our_entry(*HUNDRED_TOOLS),
                limit_entry("c", *HUNDRED_TOOLS),
                replace(SDK_LOW, options=("--low", *HUNDRED_TOOLS)),
                *peer_entries(*HUNDRED_TOOLS),
            ),
            operation="list",
            count=100,
        ),
        Suite(
            "init",
            "handshakes: initialize, notifications/initialized, DELETE; one is counted as one request",
            (our_entry(), limit_entry(), *peer_entries(names=FAST_HANDSHAKE_PEERS)),
            operation="init",
        ),
        Suite(
            "fetch",
            "tools/call that makes one GET upstream, 1 KB",
            (our_entry(), limit_entry("cd"), SDK_AIOHTTP, *peer_entries()),
            operation="fetch",
            connections=(32, 256),
        ),
        Suite(
            "legacy",
            "tools/call over HTTP+SSE: a POST, and the answer on the stream",
            (our_entry(), limit_entry(), *peer_entries("--legacy", names=LEGACY_PEERS)),
            operation="legacy",
        ),
        Suite(
            "noauth", "as call, but peers do not check tokens; ours does", (our_entry(), limit_entry(), *NO_AUTH_PEERS)
        ),
        Suite(
            "fresh",
            "as call, each request with a token never seen before",
            (our_entry(), limit_entry("b")),
            operation="fresh",
        ),
        Suite(
            "startup",
            "from process start to first response, and memory at that point. Ours is the whole product unless named otherwise",
            (
                FULL_PRODUCT,
                our_entry(*HUNDRED_TOOLS, name="ours, 100 tools"),
                limit_entry("c", *HUNDRED_TOOLS),
                *peer_entries(*HUNDRED_TOOLS),
            ),
            mode="startup",
        ),
        Suite(
            "sessions",
            "memory of 1,000 sessions, in a fresh process",
            (FULL_PRODUCT, limit_entry(), *peer_entries()),
            mode="sessions",
            count=1000,
        ),
        Suite(
            "streams",
            "memory of 2,000 idle /sse streams, in a fresh process",
            (FULL_PRODUCT, limit_entry(), *peer_entries("--legacy", names=LEGACY_PEERS)),
            mode="streams",
            count=2000,
            idle_seconds=15.0,
        ),
        *(curve.suite() for curve in CURVES.values()),
        *FLOOR_SUITES,
        Suite(
            "fairness",
            "effects of greedy, hostile or many callers on others, under default limits",
            (
                our_entry("--usual-limits", name="Q2", operation="greedy", count=200),
                our_entry("--usual-limits", name="Q3", operation="crowd", count=1500),
                our_entry("--usual-limits", name="Q4", operation="forgers", count=3000),
                our_entry("--usual-limits", name="L3", operation="stalled", count=30, size=2 * MB),
                our_entry("--usual-limits", name="K1", operation="herd", count=200, cold=True),
            ),
            mode="fairness",
        ),
    )
}
# Names of several suites.
GROUPS = {"all": tuple(SUITES), "growth": tuple(CURVES), "floor": tuple(suite.name for suite in FLOOR_SUITES)}
DEFAULT_SUITES = ("call", "sse", "list", "init", "fetch", "legacy", "startup")
