"""Metrics: counters, durations and present sizes in Prometheus text form. Labels are names of ours, so they are few."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 45)


class Metrics:
    """The numbers of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "doit_mcp_http_requests", "HTTP requests", ["method", "route", "status"], registry=self._registry
        )
        self._messages = Counter("doit_mcp_messages", "JSON-RPC requests", ["method"], registry=self._registry)
        self._calls = Counter("doit_mcp_tool_calls", "Tool calls", ["tool", "outcome"], registry=self._registry)
        self._seconds = Histogram(
            "doit_mcp_tool_call_seconds", "Duration of tool calls", buckets=SECONDS, registry=self._registry
        )
        self._upstream = Counter(
            "doit_mcp_upstream_requests", "Requests to the DoiT API", ["status"], registry=self._registry
        )

    def request(self, method: str, route: str, status: int) -> None:
        """An HTTP request was answered."""
        self._requests.labels(method, route, str(status)).inc()

    def message(self, method: str) -> None:
        """A JSON-RPC request was answered; *method* is one that exists, or "other"."""
        self._messages.labels(method).inc()

    def tool_call(self, tool: str, failed: bool, seconds: float) -> None:
        """A tool of ours ran."""
        self._calls.labels(tool, "error" if failed else "ok").inc()
        self._seconds.observe(seconds)

    def upstream(self, status: int | None) -> None:
        """The DoiT API answered with *status*, or not at all."""
        self._upstream.labels("none" if status is None else f"{status // 100}xx").inc()

    def watch(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        """Show present sizes: name -> what it is, and how to find it out."""
        for name, (text, read) in gauges.items():
            Gauge(f"doit_mcp_{name}", text, registry=self._registry).set_function(read)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)
