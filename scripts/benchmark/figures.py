"""Percentiles, medians and ratios."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value at or below which *share* of the ascending *ordered* values lie (nearest rank)."""
    if not ordered:
        raise ValueError("a percentile of nothing")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, median and maximum of several runs."""

    minimum: float
    median: float
    maximum: float

    def format(self, digits: int = 0) -> str:
        """The three values with thousands separators; only one if they are equal."""
        if self.minimum == self.maximum:
            return f"{self.median:,.{digits}f}"
        return " / ".join(f"{value:,.{digits}f}" for value in (self.minimum, self.median, self.maximum))


def make_spread(values: Iterable[float]) -> Spread | None:
    """The spread of *values*; None for no values."""
    ordered = sorted(values)
    return Spread(ordered[0], statistics.median(ordered), ordered[-1]) if ordered else None


def ratio_spread(numerator: Mapping[int, float], denominator: Mapping[int, float]) -> Spread | None:
    """The ratio of *numerator* to *denominator* by round: only values of the same round are compared, so that other
    load on the machine affects both.
    """
    return make_spread(numerator[number] / denominator[number] for number in numerator if denominator.get(number))
