"""The waterfalls of compare_spend and explain_cost_change, from the figures of their results."""

from __future__ import annotations

from collections.abc import Sequence

from ...protocol.jsonrpc import JsonObject
from ..costs.cost_series import waterfall_series
from ..tools.series import Series, SeriesSet, stated_set
from .comparison import ComparedDimension


def comparison_series(result: JsonObject, dimensions: Sequence[ComparedDimension]) -> SeriesSet:
    """Return the changes of groups from the cost of period 2 to that of period 1; no series if one is unknown."""
    total, other = result["total"], result["other"]["change"]
    changes = [group["change"] for group in result["groups"]]
    series: list[Series] = []
    if None not in (total["change"], other, *changes):
        bars = [(_id_text(group["id"]), group["name"], group["change"]) for group in result["groups"]]
        series.append(
            waterfall_series(
                f"change by {' and '.join(one.argument for one in dimensions)}",
                total["period2"],
                bars,
                other,
                total["period1"],
            )
        )
    return _compared_set(result, result["period1"], result["period2"], series)


def change_series(result: JsonObject) -> SeriesSet:
    """Return the drivers of each dimension, and the causes, from the cost before to the cost after."""
    total = result["total"]
    series = [
        waterfall_series(
            f"change by {one['dimension']}",
            total["before"],
            [(row.get("id", row["name"]), row["name"], row["change"]) for row in one["drivers"]],
            one["other"]["change"],
            total["after"],
        )
        for one in result["by"]
    ]
    if "causes" in result:
        causes = [(cause, cause, amount) for cause, amount in result["causes"].items()]
        series.append(waterfall_series("change by cause", total["before"], causes, None, total["after"]))
    return _compared_set(result, result["after"], result["before"], series)


def _compared_set(result: JsonObject, after: JsonObject, before: JsonObject, series: Sequence[Series]) -> SeriesSet:
    found = stated_set({**result, "period": _period_of(after)}, series)
    found["compareTo"] = _period_of(before)
    return found


def _period_of(period: JsonObject) -> JsonObject:
    """Return the statement of a period without the rows beside it."""
    return {name: period[name] for name in ("from", "to", "days", "complete", "finalThrough")}


def _id_text(identifier: object) -> str | None:
    """Return the id of a group as text: two values are joined as in its name."""
    if isinstance(identifier, list):
        return " / ".join("none" if value is None else str(value) for value in identifier)
    return None if identifier is None else str(identifier)
