"""Goals: comparisons with bounds. Ratios are of CPU per request unless the figure says otherwise; the median over the
rounds counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .entries import LEGACY_PEERS, NODE_PEERS, PEERS
from .figures import Spread, make_spread, ratio_spread
from .growth import SESSIONS, STREAMS, TOOLS, point_name
from .trials import Measurement

# Figures that depend on the number of connections.
LOAD_FIGURES = ("cpu_us", "rps", "p50_ms")
NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Check:
    """One part of a goal: a figure of *server*, divided by that of *baseline* if given; bounded by *maximum* or
    *minimum*.
    """

    goal: int | str
    suite: str
    server: str
    baseline: str = ""
    figure: str = "cpu_us"
    maximum: float | None = None
    minimum: float | None = None
    connections: int = 32

    @property
    def description(self) -> str:
        """The comparison in words."""
        figure = {
            "cpu_us": "CPU", "rps": "requests/s", "p50_ms": "p50", "rss_mb": "memory", "bytes_each": "bytes each",
            "start_s": "start", "idle_share": "share of a core", "regrown_mb": "MB more after opening again twice",
            "p95_s": "p95 in s", "slowest_s": "slowest answer in s", "healthz_s": "slowest /healthz in s",
            "grown_mb": "MB more", "key_fetches": "times that keys are fetched",
        }[self.figure]  # fmt: skip
        where = f" (c={self.connections})" if self.connections != 32 and self.suite in ("call", "fetch") else ""
        if self.suite == "fairness":
            return f"{SCENARIO_DESCRIPTIONS[self.server]}: {figure}"
        return f"{self.suite}{where}: {figure} of {self.server}" + (f" over {self.baseline}" if self.baseline else "")

    @property
    def bound(self) -> str:
        """The bound in words."""
        return f"at most {self.maximum:g}" if self.maximum is not None else f"at least {self.minimum:g}"

    def value(self, records: Sequence[Measurement]) -> Spread | None:
        """The measured value; None if it was not measured."""
        numerator = self._by_round(records, self.server)
        return (
            ratio_spread(numerator, self._by_round(records, self.baseline))
            if self.baseline
            else make_spread(numerator.values())
        )

    def _by_round(self, records: Sequence[Measurement], server: str) -> dict[int, float]:
        load = self.figure in LOAD_FIGURES
        return {
            record.round: record.figures[self.figure]
            for record in records
            if (record.suite, record.server) == (self.suite, server)
            and not record.error
            and self.figure in record.figures
            and (not load or record.connections == self.connections)
        }

    def verdict(self, value: Spread | None) -> str:
        """yes, no with the deviation, or not measured."""
        if value is None:
            return NOT_MEASURED
        if self.maximum is not None and value.median > self.maximum:
            return f"no, {value.median / self.maximum - 1:.1%} over"
        if self.minimum is not None and value.median < self.minimum:
            return f"no, {1 - value.median / self.minimum:.1%} under"
        return "yes"


def _peer_checks(
    goal: int, suite: str, minimum: float, peers: Iterable[str], figure: str = "cpu_us", connections: int = 32
) -> list[Check]:
    """Each of *peers* must need at least *minimum* times our figure; for requests per second it is the reverse."""
    if figure == "rps":
        return [Check(goal, suite, "ours", peer, figure, minimum=minimum, connections=connections) for peer in peers]
    return [Check(goal, suite, peer, "ours", figure, minimum=minimum, connections=connections) for peer in peers]


# The request log may add 25 µs per call. It belongs to goal 1.
MAX_LOG_MICROSECONDS = 25.0
CHECKS: tuple[Check, ...] = (
    Check(1, "call", "ours", "limit c", maximum=1.4),
    *_peer_checks(2, "call", 7, ("py-sdk", "py-sdk low", "ts-sdk1", "ts-sdk2")),
    *_peer_checks(2, "call", 10, ("py-fastmcp",)),
    *_peer_checks(2, "call", 5, ("ts-fastmcp",)),
    *_peer_checks(3, "noauth", 3, (*PEERS, "py-sdk low", "ts-sdk1 low")),
    Check(4, "fresh", "ours", "limit b", maximum=1.25),
    Check(5, "fetch", "ours", "limit cd", maximum=1.3),
    *_peer_checks(5, "fetch", 6, ("py-sdk",)),
    *_peer_checks(5, "fetch", 2.8, ("py-sdk aiohttp",)),
    *_peer_checks(5, "fetch", 4, NODE_PEERS),
    *_peer_checks(5, "fetch", 4, PEERS, "rps", 256),
    Check(6, "list", "ours", "limit c", maximum=1.4),
    *_peer_checks(6, "list", 80, ("py-sdk",)),
    *_peer_checks(6, "list", 10, ("py-sdk low", *PEERS[1:])),
    Check(7, "sse", "ours", "ours JSON", maximum=1.25),
    *_peer_checks(7, "sse", 9, ("py-sdk",)),
    *_peer_checks(7, "sse", 6, NODE_PEERS),
    Check(8, "legacy", "ours", "limit c", maximum=1.4),
    *_peer_checks(8, "legacy", 6, ("py-sdk",)),
    *_peer_checks(8, "legacy", 2.2, LEGACY_PEERS[1:]),
    *_peer_checks(9, "init", 7, ("py-sdk",)),
    *_peer_checks(9, "init", 5, ("ts-sdk1", "ts-sdk2")),
    Check(10, "startup", "ours", "py-sdk", "rss_mb", maximum=0.8),
    Check(10, "sessions", "ours", "py-sdk", "bytes_each", maximum=0.15),
    Check(10, "streams", "ours", "py-sdk", "bytes_each", maximum=0.15),
    *(Check(10, "streams", "ours", peer, "bytes_each", maximum=0.35) for peer in LEGACY_PEERS[1:]),
    Check(11, "startup", "ours, 100 tools", "py-sdk", "start_s", maximum=0.6),
    Check(11, "startup", "ours", "py-sdk", "start_s", maximum=0.6),
    Check(12, "call", "ours", "py-sdk", "p50_ms", maximum=0.35, connections=1),
    Check(13, "streams", "ours", figure="idle_share", maximum=0.01),
    Check(13, "streams", "ours", figure="regrown_mb", maximum=2),
    Check(14, "grow-sessions", point_name(SESSIONS), "0", maximum=1.1),
    Check(14, "grow-streams", point_name(STREAMS), "0", maximum=1.1),
    Check(14, "grow-tools", point_name(TOOLS), "100", maximum=1.1),
)

# The fairness scenarios, by the ids of docs/security/requirements.rst.
SCENARIO_DESCRIPTIONS = {
    "Q2": "a quiet caller beside one with 200 slow calls",
    "Q3": "1,500 calls at once, the API takes 1 s",
    "Q4": "a caller beside 3,000 forged tokens",
    "L3": "a quiet caller beside 30 stalled readers of 2 MB",
    "K1": "200 first requests to a cold server",
}
FAIRNESS_CHECKS: tuple[Check, ...] = (
    Check("Q2", "fairness", "Q2", figure="p95_s", maximum=1.5),
    Check("Q3", "fairness", "Q3", figure="slowest_s", maximum=45),
    Check("Q3", "fairness", "Q3", figure="healthz_s", maximum=2.5),
    Check("Q4", "fairness", "Q4", figure="p95_s", maximum=1),
    Check("Q4", "fairness", "Q4", figure="grown_mb", maximum=10),
    Check("L3", "fairness", "L3", figure="p95_s", maximum=1),
    Check("K1", "fairness", "K1", figure="key_fetches", maximum=3),
)


def log_cost(records: Sequence[Measurement]) -> Spread | None:
    """Microseconds that the request log adds to a call."""
    cpu_by_server: dict[str, dict[int, float]] = {"ours": {}, "ours, request log": {}}
    for record in records:
        if record.suite == "call" and record.server in cpu_by_server and record.connections == 32 and not record.error:
            cpu_by_server[record.server][record.round] = record.figures["cpu_us"]
    without_log = cpu_by_server["ours"]
    with_log = cpu_by_server["ours, request log"]
    return make_spread(value - without_log[number] for number, value in with_log.items() if number in without_log)
