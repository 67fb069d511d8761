"""The waterfalls of compare_spend and explain_cost_change, from the figures of their results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...protocol.jsonrpc import JsonObject
from ..costs.cost_series import waterfall_series
from ..tools.series import Series, SeriesSet, make_series_set
from .comparison import ComparedDimension

PROVISIONAL = "provisional"
"""Id and name of the bar for days whose costs can still change."""


def comparison_series(result: JsonObject, dimensions: Sequence[ComparedDimension]) -> SeriesSet:
    """Return the changes of groups from the cost of period 2 to that of period 1; no series if one is unknown."""
    bounds = _read_bounds(result, "period2", "period1")
    other = result["other"]["change"]
    bars = [(_id_text(group["id"]), group["name"], group["change"]) for group in result["groups"]]
    series: list[Series] = []
    if bounds is not None and None not in (other, *(change for _, _, change in bars)):
        name = f"change by {' and '.join(one.argument for one in dimensions)}"
        series.append(waterfall_series(name, bounds.start, [*bars, *bounds.provisional], other, bounds.end))
    return _make_series_set(result, result["period1"], result["period2"], series)


def change_series(result: JsonObject) -> SeriesSet:
    """Return the drivers of each dimension, and the causes, from the cost before to the cost after."""
    bounds = _read_bounds(result, "before", "after")
    series: list[Series] = []
    if bounds is not None:
        series += [
            waterfall_series(
                f"change by {one['dimension']}",
                bounds.start,
                [
                    *((row.get("id", row["name"]), row["name"], row["change"]) for row in one["drivers"]),
                    *bounds.provisional,
                ],
                one["other"]["change"],
                bounds.end,
            )
            for one in result["by"]
        ]
        if "causes" in result:
            # The costs of provisional days are one of the causes.
            causes = [(cause, cause, amount) for cause, amount in result["causes"].items()]
            series.append(waterfall_series("change by cause", bounds.start, causes, None, bounds.end))
    return _make_series_set(result, result["after"], result["before"], series)


class Bounds(NamedTuple):
    """The first and the last bar of a waterfall, and the bar of the days that its other bars leave out, if any."""

    start: float
    end: float
    provisional: Sequence[tuple[str, str, float]] = ()


def _read_bounds(result: JsonObject, before: str, after: str) -> Bounds | None:
    """Return what the bars add up to: the costs of all days or, if those are unknown, of the final days."""
    total: JsonObject = result.get("total") or {}
    provisional, final = result.get("provisional"), result.get("final")
    has_total = total.get(before) is not None and total.get(after) is not None
    if has_total and provisional is not None:
        return Bounds(total[before], total[after], [(PROVISIONAL, PROVISIONAL, provisional["change"])])
    if final is not None:
        return Bounds(final[before], final[after])
    return Bounds(total[before], total[after]) if has_total else None


def _make_series_set(result: JsonObject, after: JsonObject, before: JsonObject, series: Sequence[Series]) -> SeriesSet:
    found = make_series_set({**result, "period": _period_without_rows(after)}, series)
    found["compareTo"] = _period_without_rows(before)
    return found


def _period_without_rows(period: JsonObject) -> JsonObject:
    """Return the statement of a period without the rows beside it."""
    return {name: period[name] for name in ("from", "to", "days", "complete", "finalThrough")}


def _id_text(identifier: object) -> str | None:
    """Return the id of a group as text: two values are joined as in its name."""
    if isinstance(identifier, list):
        return " / ".join("none" if value is None else str(value) for value in identifier)
    return None if identifier is None else str(identifier)
