"""Histograms: counts of values by bucket, one histogram for each combination of labels."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

Labels = tuple[str, ...]


class Histogram:
    """A histogram; *bounds* are the upper bounds of its buckets. The last count is of values above all bounds."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class HistogramsByLabels:
    """Histograms by their label values, at most *max_sets* of them. Values beyond those count for *overflow*."""

    __slots__ = ("_bounds", "_by_labels", "_max_sets", "_overflow")

    def __init__(self, bounds: tuple[float, ...], *, max_sets: int, overflow: Labels) -> None:
        self._bounds, self._max_sets, self._overflow = bounds, max_sets, overflow
        self._by_labels: dict[Labels, Histogram] = {}

    def observe(self, labels: Labels, value: float) -> None:
        """Count one value."""
        histogram = self._by_labels.get(labels)
        if histogram is None:
            if len(self._by_labels) >= self._max_sets:
                labels = self._overflow
            histogram = self._by_labels.setdefault(labels, Histogram(self._bounds))
        # As Histogram.observe, without another call: every request comes here.
        histogram.counts[bisect_left(self._bounds, value)] += 1
        histogram.sum += value

    def __iter__(self) -> Iterator[tuple[Labels, Histogram]]:
        return iter(self._by_labels.items())
