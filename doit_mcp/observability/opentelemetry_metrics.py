"""Export of the metrics to an OpenTelemetry collector. Imported only if telemetry is exported.

The SDK's reader decides when to export, and sends; the values are those of :class:`doit_mcp.observability.metrics`.
So exporting costs requests nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import export
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    PeriodicExportingMetricReader,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from .. import __version__
from .histograms import Histogram, Labels
from .metric_families import COUNTER, HISTOGRAM, Family
from .telemetry_resource import make_resource

SHUTDOWN_TIMEOUT_SECONDS = 3.0
MILLISECONDS = 1000.0


class MetricsExport(PeriodicExportingMetricReader):
    """Sends the families that *collect* returns through *exporter*, once per interval and a last time at the end.

    *collect* is called in the thread of the reader. The SDK's own environment variables set the interval.
    """

    def __init__(
        self, collect: Callable[[], Iterable[Family]], exporter: MetricExporter, interval_ms: float | None = None
    ) -> None:
        self._families, self._started_ns = collect, time.time_ns()
        self._resource, self._scope = make_resource(), InstrumentationScope("doit_mcp", __version__)
        super().__init__(exporter, export_interval_millis=interval_ms)

    def collect(self, timeout_millis: float = 10_000) -> None:
        """Export the current values."""
        now = time.time_ns()
        metrics = [self._make_metric(family, now) for family in self._families() if not family.deprecated]
        scope = ScopeMetrics(self._scope, [metric for metric in metrics if metric.data.data_points], "")
        self._receive_metrics(MetricsData([ResourceMetrics(self._resource, [scope], "")]), timeout_millis)

    def _make_metric(self, family: Family, now: int) -> export.Metric:
        points = list(family.points)
        if family.kind == HISTOGRAM:
            # The minimum and the maximum are optional in the protocol.
            no_extremes: Any = None
            histograms = [
                HistogramDataPoint(
                    attributes=_attributes(family, labels),
                    start_time_unix_nano=self._started_ns,
                    time_unix_nano=now,
                    count=sum(counts := list(value.counts)),
                    sum=value.sum,
                    bucket_counts=counts,
                    explicit_bounds=value.bounds,
                    min=no_extremes,
                    max=no_extremes,
                )
                for labels, value in points
                if isinstance(value, Histogram)
            ]
            data: Any = export.Histogram(histograms, AggregationTemporality.CUMULATIVE)
        else:
            numbers = [
                NumberDataPoint(_attributes(family, labels), self._started_ns, now, value)
                for labels, value in points
                if not isinstance(value, Histogram)
            ]
            is_counter = family.kind == COUNTER
            data = export.Sum(numbers, AggregationTemporality.CUMULATIVE, True) if is_counter else export.Gauge(numbers)
        return export.Metric(family.name, family.description, family.unit, data)

    async def close(self) -> None:
        """Export the last values for at most SHUTDOWN_TIMEOUT_SECONDS: the collector may be unavailable."""
        timeout_ms = SHUTDOWN_TIMEOUT_SECONDS * MILLISECONDS
        shutdown_thread = Thread(target=self.shutdown, args=(timeout_ms,), daemon=True)
        shutdown_thread.start()
        await asyncio.to_thread(shutdown_thread.join, SHUTDOWN_TIMEOUT_SECONDS)


def _attributes(family: Family, values: Labels) -> dict[str, str]:
    return {name: value for name, value in zip(family.labels, values, strict=True) if value}


def open_metrics_export(endpoint: str, collect: Callable[[], Iterable[Family]]) -> MetricsExport:
    """Return the export of what *collect* returns to the collector at *endpoint* (OTLP over HTTP)."""
    return MetricsExport(collect, OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics"))
