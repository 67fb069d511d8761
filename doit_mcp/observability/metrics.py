"""Metrics of the process in Prometheus text format. Label values come from fixed sets, so that there are few series.

Counting only adds to a dictionary, because it runs for every request. prometheus_client is imported when metrics are
read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from prometheus_client.core import Metric

LOOP_DELAY_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
DURATION_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 45.0)

# The value of the gauge is the index.
CIRCUIT_STATES = ("closed", "half-open", "open")

Gauges = Mapping[str, tuple[str, Callable[[], float]]]


class LogStreamStatus(Protocol):
    """The state of a log stream: the number of lines *dropped*, and whether it is *failing*."""

    @property
    def dropped(self) -> int: ...

    @property
    def failing(self) -> bool: ...


class Histogram:
    """A histogram of durations; *bounds* are the upper bounds of its buckets, in seconds."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def family(self, name: str, description: str) -> Metric:
        """Return the histogram as a metric family of prometheus_client."""
        from prometheus_client.core import HistogramMetricFamily

        bounds = (*map(str, self._bounds), "+Inf")
        buckets = list(zip(bounds, map(float, accumulate(self._counts)), strict=True))
        return HistogramMetricFamily(f"doit_mcp_{name}", description, buckets=buckets, sum_value=self._sum)


class Metrics:
    """The metrics of one process.

    *gauges* maps names to a description and a function that reads the current value, *circuits* maps upstreams to a
    function that reads the state of their circuit breaker, and *log_streams* maps names to streams.
    """

    def __init__(
        self,
        gauges: Gauges,
        circuits: Mapping[str, Callable[[], str]] | None = None,
        log_streams: Mapping[str, LogStreamStatus] | None = None,
    ) -> None:
        self._gauges = gauges
        self._log_streams = {} if log_streams is None else log_streams
        self._circuits = circuits or {}
        self._requests: Counter[tuple[str, ...]] = Counter()
        self._messages: Counter[tuple[str, ...]] = Counter()
        self._calls: Counter[tuple[str, ...]] = Counter()
        self._upstream: Counter[tuple[str, ...]] = Counter()
        self._closed_connections: Counter[tuple[str, ...]] = Counter()
        self._accept_pauses: Counter[tuple[str, ...]] = Counter()
        self._event_deliveries: Counter[tuple[str, ...]] = Counter()
        self._event_looks: Counter[tuple[str, ...]] = Counter()
        self._call_seconds = Histogram(DURATION_BUCKETS_SECONDS)
        self.loop_delay = Histogram(LOOP_DELAY_BUCKETS_SECONDS)

    def count_request(self, method: str, route: str, status: int) -> None:
        """Count an HTTP response."""
        self._requests[method, route, str(status)] += 1

    def count_message(self, method: str) -> None:
        """Count a JSON-RPC response; *method* is a known method or "other"."""
        self._messages[(method,)] += 1

    def count_tool_call(self, tool: str, failed: bool, seconds: float) -> None:
        """Count a call of one of the server's tools."""
        self._calls[tool, "error" if failed else "ok"] += 1
        self._call_seconds.observe(seconds)

    def count_upstream_request(self, status: int | None) -> None:
        """Count a request to the DoiT API; *status* is None if there was no response."""
        self._upstream[("none" if status is None else f"{status // 100}xx",)] += 1

    def count_closed_connection(self, reason: str) -> None:
        """Count a connection that was closed before its request was complete."""
        self._closed_connections[(reason,)] += 1

    def count_accept_pause(self, reason: str) -> None:
        """Count a pause in accepting connections, made because file descriptors ran short."""
        self._accept_pauses[(reason,)] += 1

    def count_event_delivery(self, outcome: str) -> None:
        """Count an attempt to deliver an event; *outcome* is "delivered" or why it failed."""
        self._event_deliveries[(outcome,)] += 1

    def count_event_look(self, outcome: str) -> None:
        """Count a look at the DoiT API for events: "ok", "failed", "refused", or "postponed" by the call budget."""
        self._event_looks[(outcome,)] += 1

    def collect(self) -> Iterator[Metric]:
        """Return all metrics as families of prometheus_client."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        counters: tuple[tuple[str, str, tuple[str, ...], Mapping[tuple[str, ...], int]], ...] = (
            ("http_requests", "HTTP requests", ("method", "route", "status"), dict(self._requests)),
            ("messages", "JSON-RPC requests", ("method",), dict(self._messages)),
            ("tool_calls", "Tool calls", ("tool", "outcome"), dict(self._calls)),
            ("upstream_requests", "Requests to the DoiT API", ("status",), dict(self._upstream)),
            ("log_lines_dropped", "Log lines that were dropped", ("stream",), self._dropped_lines()),
            (
                "connections_closed",
                "Connections closed before a complete request",
                ("reason",),
                dict(self._closed_connections),
            ),
            ("accept_pauses", "Pauses in accepting connections", ("reason",), dict(self._accept_pauses)),
            ("event_deliveries", "Attempts to deliver events", ("outcome",), dict(self._event_deliveries)),
            ("event_looks", "Looks at the DoiT API for events", ("outcome",), dict(self._event_looks)),
        )
        for name, text, labels, counts in counters:
            family = CounterMetricFamily(f"doit_mcp_{name}", text, labels=labels)
            for values, count in counts.items():
                family.add_metric(values, count)
            yield family
        yield self._call_seconds.family("tool_call_seconds", "Duration of tool calls")
        yield self.loop_delay.family("event_loop_delay_seconds", "Event loop delay: how late a timer runs")
        for name, (text, read) in self._gauges.items():
            yield GaugeMetricFamily(f"doit_mcp_{name}", text, value=read())
        circuit = GaugeMetricFamily(
            "doit_mcp_upstream_circuit", "Circuit breaker: 0 closed, 1 half-open, 2 open", labels=("upstream",)
        )
        for upstream, state in self._circuits.items():
            circuit.add_metric((upstream,), CIRCUIT_STATES.index(state()))
        yield circuit
        failing = GaugeMetricFamily(
            "doit_mcp_log_failing", "Whether a log stream cannot be written", labels=("stream",)
        )
        for name, stream in self._log_streams.items():
            failing.add_metric((name,), stream.failing)
        yield failing

    def _dropped_lines(self) -> dict[tuple[str, ...], int]:
        return {(name,): stream.dropped for name, stream in self._log_streams.items()}

    def prometheus_text(self) -> bytes:
        """Return all metrics in Prometheus text format."""
        from prometheus_client import generate_latest
        from prometheus_client.registry import CollectorRegistry

        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)
