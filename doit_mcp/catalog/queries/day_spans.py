"""Sets of days as spans, which count their days in a period or on a weekday without iterating over the days."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""The names of weekdays in rows."""
DAYS_PER_WEEK = len(WEEKDAYS)


class DaySpans:
    """A set of days, given as ranges of ordinals (of date.toordinal), which may overlap."""

    def __init__(self, spans: Iterable[range]) -> None:
        starts: list[int] = []
        stops: list[int] = []
        for span in sorted(filter(len, spans), key=lambda own: own.start):
            if stops and span.start <= stops[-1]:
                stops[-1] = max(stops[-1], span.stop)
            else:
                starts.append(span.start)
                stops.append(span.stop)
        self._starts, self._stops = starts, stops
        # For each span, the number of days in all spans before it.
        self._days_before = list(accumulate((stop - start for start, stop in zip(starts, stops)), initial=0))

    @property
    def count(self) -> int:
        """The number of days."""
        return self._days_before[-1]

    def count_in(self, span: range) -> int:
        """Return how many of the days are in *span*."""
        return self._count_before(span.stop) - self._count_before(span.start) if span else 0

    def _count_before(self, day: int) -> int:
        at = bisect_right(self._starts, day) - 1
        if at < 0:
            return 0
        return self._days_before[at] + min(day, self._stops[at]) - self._starts[at]

    def count_weekdays(self) -> dict[str, int]:
        """Return how many of the days each weekday has, by its name."""
        # The ordinal 1 is a Monday.
        return {
            name: sum(
                _weeks_before(stop, number) - _weeks_before(start, number)
                for start, stop in zip(self._starts, self._stops)
            )
            for number, name in enumerate(WEEKDAYS, 1)
        }


def _weeks_before(day: int, weekday: int) -> int:
    """Return how many days before the ordinal *day* are a *weekday*, which is 1 for Monday."""
    return (day - 1 - weekday) // DAYS_PER_WEEK + 1
