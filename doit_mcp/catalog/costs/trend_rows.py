"""The rows of a daily or weekly trend that a model reads: the latest ones. All are stored for query_result."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.result_handles import store_top_groups

MAX_SHOWN_ROWS = 62
"""Rows by day or week: every day of two months, or fewer days of several groups."""
STORED_HINT = "These are the latest periods. For the others, use query_result with the handle."
NARROW_HINT = "These are the latest periods. For the others, ask for a shorter period."


async def with_latest_rows(call: Call, result: JsonObject) -> JsonObject:
    """Return the *result* of a trend with about MAX_SHOWN_ROWS rows and totals, and a handle to all rows.

    It has all groups of the latest periods. The member ``cut`` says how many rows there were.
    """
    shortened = {
        name: kept
        for name, rows, at in (("rows", result["rows"], -2), ("totals", result.get("totals", ()), "period"))
        if len(kept := latest_rows(rows, at)) < len(rows)
    }
    if not shortened:
        return result
    handle = await store_top_groups(call, "cost_trend", result) if "rows" in shortened else None
    lists = [{"list": name, "shown": len(kept), "of": len(result[name])} for name, kept in shortened.items()]
    cut = {"lists": lists, "rest": STORED_HINT if handle else NARROW_HINT}
    return {**result, **shortened, "cut": cut, **({"handle": handle} if handle else {})}


def latest_rows(rows: list[Any], at: int | str) -> list[Any]:
    """Return all rows of as many of the latest periods as MAX_SHOWN_ROWS allows, at least one.

    *at* is the index or key of the period in a row.
    """
    counts = sorted(Counter(row[at] for row in rows).items(), reverse=True)
    first, shown = "", 0
    for period, count in counts:
        shown += count
        if first and shown > MAX_SHOWN_ROWS:
            return [row for row in rows if row[at] >= first]
        first = period
    return rows
