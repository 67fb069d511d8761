"""Percentiles, medians and ratios; nothing here knows what they are of."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below or at which *share* of the ascending *ordered* lie (nearest rank: always one of them)."""
    if not ordered:
        raise ValueError("a percentile of nothing")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class Spread:
    """The range and the middle of several runs."""

    minimum: float
    median: float
    maximum: float

    def format(self, digits: int = 0) -> str:
        """The three with thousands separated; once what is only one."""
        if self.minimum == self.maximum:
            return f"{self.median:,.{digits}f}"
        return " / ".join(f"{value:,.{digits}f}" for value in (self.minimum, self.median, self.maximum))


def make_spread(values: Iterable[float]) -> Spread | None:
    """The spread; None of no values."""
    found = sorted(values)
    return Spread(found[0], statistics.median(found), found[-1]) if found else None


def ratio_spread(numerator: Mapping[int, float], denominator: Mapping[int, float]) -> Spread | None:
    """How much *numerator* is of *denominator*, each by round: only what was measured in the same round is compared, so that
    the machine's changes of mood meet both."""
    return make_spread(numerator[number] / denominator[number] for number in numerator if denominator.get(number))
