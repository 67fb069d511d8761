"""The series of allocation coverage: what is covered and what is not, and who owns the gap."""

from __future__ import annotations

from ...protocol.jsonrpc import JsonObject
from ..tools.series import Row, Series
from .cost_series import bar_series


def coverage_series(amounts: JsonObject) -> list[Series]:
    """Return covered and gap, which add up to the total, and the owners of the gap, as bars."""
    owners = [
        [owner["project"]["id"], owner["service"] or owner["project"]["name"], owner["cost"], owner["sharePercent"]]
        for owner in amounts["owners"]
    ]
    bars: list[Row] = [
        ["covered", "covered", amounts["covered"], None],
        ["gap", "gap", amounts["gap"], amounts["gapPercent"]],
    ]
    return [
        bar_series("coverage", bars if amounts["gap"] is not None else []),
        bar_series("owners of the gap", owners, amounts["other"]),
    ]
