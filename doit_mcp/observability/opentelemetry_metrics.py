"""Export of the metrics to an OpenTelemetry collector. Imported only if telemetry is exported.

The values are read when they are exported, so this costs requests nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import export
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from .. import __version__
from ..process.daemon_threads import DaemonThreadExecutor
from ..process.task_cancellation import cancel_tasks
from .histograms import Histogram, Labels
from .metric_families import COUNTER, HISTOGRAM, Family
from .telemetry_resource import make_resource

log = logging.getLogger(__name__)

SHUTDOWN_TIMEOUT_SECONDS = 3.0


class MetricsExport:
    """Sends the families that *collect* returns through *exporter*, every *interval_seconds* and a last time at the end."""

    def __init__(
        self, collect: Callable[[], Iterable[Family]], exporter: MetricExporter, interval_seconds: float
    ) -> None:
        self._interval_seconds = interval_seconds
        self._collect, self._exporter, self._started_ns = collect, exporter, time.time_ns()
        self._resource, self._scope = make_resource(), InstrumentationScope("doit_mcp", __version__)
        # A collector that hangs must not keep the process from ending.
        self._export_calls = DaemonThreadExecutor("metrics export")
        self._loop_task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_seconds)
            try:
                await self._export()
            except Exception:
                log.exception("the metrics could not be exported")

    async def _export(self) -> None:
        now = time.time_ns()
        metrics = [self._make_metric(family, now) for family in self._collect() if not family.deprecated]
        scope = ScopeMetrics(self._scope, [metric for metric in metrics if metric.data.data_points], "")
        await self._export_calls(self._exporter.export, MetricsData([ResourceMetrics(self._resource, [scope], "")]))

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
        await cancel_tasks(self._loop_task)
        with suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_TIMEOUT_SECONDS):
                await self._export()


def _attributes(family: Family, values: Labels) -> dict[str, str]:
    return {name: value for name, value in zip(family.labels, values, strict=True) if value}


def open_metrics_export(
    endpoint: str, collect: Callable[[], Iterable[Family]], interval_seconds: float
) -> MetricsExport:
    """Return the export of what *collect* returns to the collector at *endpoint* (OTLP over HTTP)."""
    exporter = OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics")
    return MetricsExport(collect, exporter, interval_seconds)
