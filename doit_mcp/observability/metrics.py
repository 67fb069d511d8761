"""Metrics of the process. Label values come from fixed sets, so that there are few series.

Counting only adds to dictionaries, because it runs for every request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from .client_labels import OTHER, ClientCalls
from .histograms import Histogram, HistogramsByLabels, Labels
from .metric_families import COUNTER, GAUGE, HISTOGRAM, SECONDS, Family, prometheus_text
from .trace import OperationFields, rpc_status_code

LOOP_DELAY_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
DURATION_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 45.0)
# From the semantic conventions of OpenTelemetry for MCP, for operations and for sessions.
MCP_BUCKETS_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
RESULT_BUCKETS_CHARACTERS = (1_000.0, 3_000.0, 10_000.0, 20_000.0, 30_000.0, 100_000.0)
# The HTTP transports, as network.transport names them.
TRANSPORT = "tcp"
# More combinations of labels than a server in use has. A scrape with that many takes a few milliseconds.
MAX_LABEL_SETS = 500

# The value of the gauge is the index.
CIRCUIT_STATES = ("closed", "half-open", "open")

# The fields of McpFields.
OPERATION_LABELS = (
    "mcp.method.name",
    "gen_ai.tool.name",
    "gen_ai.prompt.name",
    "error.type",
    "mcp.protocol.version",
)

ERROR_TYPE = OPERATION_LABELS.index("error.type")

Gauges = Mapping[str, tuple[str, Callable[[], float]]]
Counts = Mapping[Labels, int]


class LogStreamStatus(Protocol):
    """The state of a log stream: the number of lines *dropped*, and whether it is *failing*."""

    @property
    def dropped(self) -> int: ...

    @property
    def failing(self) -> bool: ...


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
        self._requests: Counter[Labels] = Counter()
        self._messages: Counter[Labels] = Counter()
        self._calls: Counter[Labels] = Counter()
        self._truncated_results: Counter[Labels] = Counter()
        self._upstream: Counter[Labels] = Counter()
        self._closed_connections: Counter[Labels] = Counter()
        self._accept_pauses: Counter[Labels] = Counter()
        self._clients = ClientCalls()
        self._operations = _make_histograms(MCP_BUCKETS_SECONDS, (OTHER, "", "", "", OTHER))
        self._sessions = _make_histograms(MCP_BUCKETS_SECONDS, (OTHER,))
        self._results = _make_histograms(RESULT_BUCKETS_CHARACTERS, (OTHER,))
        self._upstream_seconds = _make_histograms(DURATION_BUCKETS_SECONDS, (OTHER, OTHER, OTHER))
        self._event_deliveries: Counter[Labels] = Counter()
        self._event_polls: Counter[Labels] = Counter()
        self._event_verifications: Counter[Labels] = Counter()
        self._dropped_events: Counter[Labels] = Counter()
        self._call_seconds = Histogram(DURATION_BUCKETS_SECONDS)
        self.loop_delay = Histogram(LOOP_DELAY_BUCKETS_SECONDS)

    def count_request(self, method: str, route: str, status: int, rpc_method: str = "") -> None:
        """Count an HTTP response. *rpc_method* is the known method of its JSON-RPC response, or "other", if it has one."""
        self._requests[method, route, str(status)] += 1
        if rpc_method:
            self._messages[(rpc_method,)] += 1

    def count_operation(self, fields: OperationFields, seconds: float) -> None:
        """Count an MCP request or notification."""
        self._operations.observe(fields, seconds)

    def count_session(self, revision: str, seconds: float) -> None:
        """Count a session that has ended."""
        self._sessions.observe((revision,), seconds)

    def count_tool_call(
        self,
        tool: str,
        client_info: Mapping[str, Any],
        failed: bool,
        seconds: float,
        characters: int | None = None,
        truncated: bool = False,
    ) -> None:
        """Count a call of one of the server's tools by a client with *client_info*.

        *characters* is the length of its result, None without one, and *truncated* whether parts of it were left out.
        """
        self._calls[tool, "error" if failed else "ok"] += 1
        self._clients.count(client_info)
        self._call_seconds.observe(seconds)
        if characters is not None:
            self._results.observe((tool,), characters)
        if truncated:
            self._truncated_results[(tool,)] += 1

    def count_upstream_request(self, upstream: str, operation: str, status: int | None, seconds: float) -> None:
        """Count a request to an *upstream* for a known *operation*; *status* is None if there was no response."""
        status_class = "none" if status is None else f"{status // 100}xx"
        self._upstream[(status_class,)] += 1
        self._upstream_seconds.observe((upstream, operation, status_class), seconds)

    def count_closed_connection(self, reason: str) -> None:
        """Count a connection that was closed before its request was complete."""
        self._closed_connections[(reason,)] += 1

    def count_accept_pause(self, reason: str) -> None:
        """Count a pause in accepting connections, made because file descriptors ran short."""
        self._accept_pauses[(reason,)] += 1

    def count_event_delivery(self, outcome: str) -> None:
        """Count an attempt to deliver an event; *outcome* is "delivered" or why it failed."""
        self._event_deliveries[(outcome,)] += 1

    def count_event_poll(self, outcome: str) -> None:
        """Count a poll of the DoiT API for events: "ok", "failed", "refused", or "postponed": late by the call budget."""
        self._event_polls[(outcome,)] += 1

    def count_event_verification(self, outcome: str) -> None:
        """Count a verification of a receiver: "confirmed", why it failed, or "postponed" by a limit."""
        self._event_verifications[(outcome,)] += 1

    def count_dropped_events(self, counts: Mapping[Any, int]) -> None:
        """Count events that will not be delivered to a subscription, by :data:`~doit_mcp.events.store.DropReason`."""
        for reason, count in counts.items():
            self._dropped_events[(reason,)] += count

    def collect(self) -> Iterator[Family]:
        """Return all metrics with their current values."""
        yield from self._mcp_histograms()
        yield from self._collect_counters()
        yield _histogram_family(
            "doit_mcp_event_loop_delay_seconds", "Event loop delay: how late a timer runs", self.loop_delay
        )
        for name, (text, read) in self._gauges.items():
            yield Family(f"doit_mcp_{name}", text, GAUGE, (), [((), read())])
        yield Family(
            "doit_mcp_upstream_circuit",
            "Circuit breaker: 0 closed, 1 half-open, 2 open",
            GAUGE,
            ("upstream",),
            [((upstream,), CIRCUIT_STATES.index(state())) for upstream, state in self._circuits.items()],
        )
        yield Family(
            "doit_mcp_log_failing",
            "Whether a log stream cannot be written",
            GAUGE,
            ("stream",),
            [((name,), float(stream.failing)) for name, stream in self._log_streams.items()],
        )
        yield from self._deprecated_families()

    def _mcp_histograms(self) -> Iterator[Family]:
        operations = [
            ((*labels, TRANSPORT, rpc_status_code(labels[ERROR_TYPE])), histogram)
            for labels, histogram in self._operations
        ]
        yield Family(
            "mcp.server.operation.duration",
            "Duration of MCP requests and notifications",
            HISTOGRAM,
            (*OPERATION_LABELS, "network.transport", "rpc.response.status_code"),
            operations,
            SECONDS,
        )
        sessions = [((*labels, TRANSPORT), histogram) for labels, histogram in self._sessions]
        labels = ("mcp.protocol.version", "network.transport")
        yield Family("mcp.server.session.duration", "Duration of MCP sessions", HISTOGRAM, labels, sessions, SECONDS)
        yield Family(
            "doit_mcp_tool_result_characters",
            "Length of the JSON of tool results",
            HISTOGRAM,
            ("tool",),
            list(self._results),
        )
        yield Family(
            "doit_mcp_upstream_request_seconds",
            "Duration of requests to the DoiT API and console",
            HISTOGRAM,
            ("upstream", "operation", "status"),
            list(self._upstream_seconds),
        )

    def _collect_counters(self) -> Iterator[Family]:
        counters: tuple[tuple[str, str, Labels, Counts], ...] = (
            ("http_requests", "HTTP requests", ("method", "route", "status"), self._requests),
            ("tool_calls", "Tool calls", ("tool", "outcome"), self._calls),
            ("client_calls", "Tool calls by client", ("client", "version"), self._clients.counts),
            (
                "tool_results_truncated",
                "Tool results that were too large and lost rows or were omitted",
                ("tool",),
                self._truncated_results,
            ),
            ("log_lines_dropped", "Log lines that were dropped", ("stream",), self._dropped_lines()),
            (
                "connections_closed",
                "Connections closed before a complete request",
                ("reason",),
                self._closed_connections,
            ),
            ("accept_pauses", "Pauses in accepting connections", ("reason",), self._accept_pauses),
            ("event_deliveries", "Attempts to deliver events", ("outcome",), self._event_deliveries),
            (
                "event_verifications",
                "Verifications of receivers of events",
                ("outcome",),
                self._event_verifications,
            ),
            (
                "events_dropped",
                "Events that are not delivered to a subscription",
                ("reason",),
                self._dropped_events,
            ),
            ("event_polls", "Polls of the DoiT API for events", ("outcome",), self._event_polls),
        )
        for name, text, labels, counts in counters:
            yield Family(f"doit_mcp_{name}", text, COUNTER, labels, list(counts.items()))

    def _deprecated_families(self) -> Iterator[Family]:
        """Return what dashboards of the previous release use; to be removed after the next one."""
        use = "use mcp_server_operation_duration_seconds"
        yield Family("doit_mcp_messages", use, COUNTER, ("method",), list(self._messages.items()), deprecated=True)
        yield _histogram_family("doit_mcp_tool_call_seconds", use, self._call_seconds, deprecated=True)
        upstream = list(self._upstream.items())
        use = "use doit_mcp_upstream_request_seconds"
        yield Family("doit_mcp_upstream_requests", use, COUNTER, ("status",), upstream, deprecated=True)

    def _dropped_lines(self) -> dict[Labels, int]:
        return {(name,): stream.dropped for name, stream in self._log_streams.items()}

    def prometheus_text(self) -> bytes:
        """Return all metrics in Prometheus text format."""
        return prometheus_text(self.collect())


def _make_histograms(bounds: tuple[float, ...], overflow: Labels) -> HistogramsByLabels:
    return HistogramsByLabels(bounds, max_sets=MAX_LABEL_SETS, overflow=overflow)


def _histogram_family(name: str, description: str, histogram: Histogram, *, deprecated: bool = False) -> Family:
    return Family(name, description, HISTOGRAM, (), [((), histogram)], deprecated=deprecated)
