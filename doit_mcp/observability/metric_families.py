"""Metric families: names, descriptions and current values, independent of the format that they are exported in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from .histograms import Histogram, Labels

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
SECONDS = "s"

ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Family(NamedTuple):
    """A metric with its current values by labels.

    *name* and *labels* have the form of OpenTelemetry, such as ``mcp.method.name``. *unit* is "s" or "". A label
    without a value ("") is absent. A *deprecated* family is the former name of another one.
    """

    name: str
    description: str
    kind: str
    labels: Labels
    points: Iterable[tuple[Labels, float | Histogram]]
    unit: str = ""
    deprecated: bool = False

    @property
    def prometheus_name(self) -> str:
        """The name in Prometheus, without the suffix of counters: OpenTelemetry's with underscores, and the unit."""
        name = self.name.replace(".", "_")
        return f"{name}_seconds" if self.unit == SECONDS else name


def prometheus_text(families: Iterable[Family]) -> bytes:
    """Return *families* in Prometheus text format 0.0.4."""
    return "".join(line for family in families for line in _family_lines(family)).encode()


def _family_lines(family: Family) -> Iterator[str]:
    name = family.prometheus_name + ("_total" if family.kind == COUNTER else "")
    description = f"Deprecated: {family.description}" if family.deprecated else family.description
    yield f"# HELP {name} {description}\n# TYPE {name} {family.kind}\n"
    label_names = [label.replace(".", "_") for label in family.labels]
    for values, value in family.points:
        pairs = sorted(zip(label_names, values, strict=True))
        labels = ",".join(f'{label}="{text.translate(ESCAPES)}"' for label, text in pairs if text)
        if isinstance(value, Histogram):
            yield from _histogram_lines(name, labels, value)
        else:
            yield f"{name}{{{labels}}} {float(value)}\n" if labels else f"{name} {float(value)}\n"


def _histogram_lines(name: str, labels: str, histogram: Histogram) -> Iterator[str]:
    before = f"{labels}," if labels else ""
    bounds = (*map(str, histogram.bounds), "+Inf")
    total = 0
    for bound, total in zip(bounds, accumulate(histogram.counts), strict=True):
        yield f'{name}_bucket{{{before}le="{bound}"}} {total}.0\n'
    suffix = f"{{{labels}}}" if labels else ""
    yield f"{name}_count{suffix} {total}.0\n{name}_sum{suffix} {histogram.sum}\n"
