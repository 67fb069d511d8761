"""Truncation: cuts the rows of a long result, and continues after the cut."""

from __future__ import annotations

import re
from typing import Any

import orjson

from ...protocol.jsonrpc import JsonObject

ROW_OFFSET_PATTERN = re.compile(r"rows\+(\d{1,6}):(.*)", re.DOTALL)
"""A pageToken of this server: how many rows of the API's page were shown, and the API's token of that page."""
MAX_DEPTH = 3
MAX_SHORTENED_LISTS = 6


def parse_row_offset(arguments: JsonObject) -> tuple[int, JsonObject]:
    """Return how many rows of the page were shown before, and the arguments for the API."""
    found = ROW_OFFSET_PATTERN.fullmatch(str(arguments.get("pageToken") or ""))
    if found is None:
        return 0, arguments
    rest = {name: value for name, value in arguments.items() if name != "pageToken"}
    return int(found[1]), rest | ({"pageToken": found[2]} if found[2] else {})


def row_offset_token(arguments: JsonObject, row_count: int) -> str:
    """Return the pageToken that continues after the first *row_count* rows of the result for *arguments*."""
    before, plain = parse_row_offset(arguments)
    return f"rows+{before + row_count}:{plain.get('pageToken') or ''}"


def skip_rows(answer: JsonObject, rows_key: str, count: int) -> JsonObject:
    """Return *answer* without the rows that were shown before."""
    rows = answer.get(rows_key)
    return {**answer, rows_key: rows[count:]} if count and isinstance(rows, list) else answer


def truncate_lists(value: JsonObject, max_length: int) -> tuple[JsonObject, list[JsonObject]]:
    """Shorten lists in *value*, largest first, until its JSON has at most *max_length* characters, if possible.

    Return the new value and what was shortened: [{list: "result.rows", shown: 10, of: 90}]. Each list keeps at least
    one row.
    """
    cuts: list[JsonObject] = []
    while len(cuts) < MAX_SHORTENED_LISTS and (excess := _json_length(value) - max_length) > 0:
        done = {one["list"] for one in cuts}
        lists = [(size, path) for path, size in _find_lists(value, ()) if ".".join(path) not in done]
        if not lists:
            break
        path = max(lists)[1]
        rows = _get_list(value, path)
        kept = _count_fitting_rows(rows, excess)
        value = _replace_list(value, path, rows[:kept])
        cuts.append({"list": ".".join(path), "shown": kept, "of": len(rows)})
    return value, cuts


def _count_fitting_rows(rows: list[Any], excess: int) -> int:
    """Return how many rows remain after dropping those at the end that make up *excess* characters; at least one."""
    kept = len(rows)
    while kept > 1 and excess > 0:
        kept -= 1
        excess -= _json_length(rows[kept]) + 1
    return kept


def _find_lists(value: JsonObject, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], int]]:
    """Return the path and size of every list with more than one row."""
    found: list[tuple[tuple[str, ...], int]] = []
    for name, item in value.items():
        if isinstance(item, list) and len(item) > 1:
            found.append(((*path, name), _json_length(item)))
        elif isinstance(item, dict) and len(path) + 1 < MAX_DEPTH:
            found += _find_lists(item, (*path, name))
    return found


def _get_list(value: Any, path: tuple[str, ...]) -> list[Any]:
    for name in path:
        value = value[name]
    rows: list[Any] = value
    return rows


def _replace_list(value: JsonObject, path: tuple[str, ...], rows: list[Any]) -> JsonObject:
    first, *rest = path
    return {**value, first: _replace_list(value[first], tuple(rest), rows) if rest else rows}


def _json_length(value: Any) -> int:
    return len(orjson.dumps(value).decode())
