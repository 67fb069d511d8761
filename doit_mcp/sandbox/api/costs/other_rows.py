"""Rows beyond limits, aggregated into one value per group (limitAggregation).

The API document does not name this value; here it is OTHER. With ``top`` there is one such group, at the first level;
with ``all`` each level has its own, within the visible values of the levels above. Totals are preserved in both cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .query_plan import QueryPlan
from .table import Key, Row, merge_rows

OTHER = "Other"


def with_other_rows(plan: QueryPlan, rows: Sequence[Row], kept: Sequence[Row]) -> list[Row]:
    """The *kept* rows and the sums of all other *rows*; the sums come last within their level."""
    width = len(plan.groups)
    if not width or len(rows) == len(kept):
        return list(kept)
    home = other_series(plan, kept)
    shown = {(row.key, row.start) for row in kept}
    left_out = (row for row in rows if (row.key, row.start) not in shown)
    rest = (Row(home(row.key[:width]) + row.key[width:], row.start, row.values) for row in left_out)
    found = merge_rows([*kept, *rest])
    places: dict[Key, int] = {}
    for index, row in enumerate(kept):
        for level in range(width):
            places.setdefault(row.key[: level + 1], index)
    return sorted(found, key=lambda row: [places.get(row.key[: level + 1], len(kept)) for level in range(width)])


def other_series(plan: QueryPlan, kept: Iterable[Row]) -> Callable[[Key], Key]:
    """A function that maps the key of a series missing in *kept* to the key of its aggregate."""
    width = len(plan.groups)
    shown = {row.key[: level + 1] for row in kept for level in range(width)}

    def home(series: Key) -> Key:
        hidden = next((level for level in range(width) if series[: level + 1] not in shown), width - 1)
        level = 0 if plan.rest == "top" else hidden
        return series[:level] + (OTHER,) * (width - level)

    return home
