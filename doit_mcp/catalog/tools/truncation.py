"""Truncation: removes rows from long results, with page tokens that continue after the rows shown."""

from __future__ import annotations

import re
from typing import Any

import orjson

from ...protocol.jsonrpc import JsonObject

ROW_OFFSET_PATTERN = re.compile(r"rows\+(\d{1,6}):(.*)", re.DOTALL)
"""A pageToken of this server: the number of rows of the API's page that were shown, and the API's page token."""
MAX_DEPTH = 3
MAX_SHORTENED_LISTS = 6


def parse_row_offset(arguments: JsonObject) -> tuple[int, JsonObject]:
    """Return the number of rows of the page that were shown before, and the arguments for the API."""
    match = ROW_OFFSET_PATTERN.fullmatch(str(arguments.get("pageToken") or ""))
    if match is None:
        return 0, arguments
    other_arguments = {name: value for name, value in arguments.items() if name != "pageToken"}
    return int(match[1]), other_arguments | ({"pageToken": match[2]} if match[2] else {})


def row_offset_token(arguments: JsonObject, row_count: int) -> str:
    """Return the pageToken that continues after the first *row_count* rows of the result for *arguments*."""
    offset, api_arguments = parse_row_offset(arguments)
    return f"rows+{offset + row_count}:{api_arguments.get('pageToken') or ''}"


def skip_rows(result: JsonObject, rows_key: str, count: int) -> JsonObject:
    """Return *result* without the first *count* rows, which were shown before."""
    rows = result.get(rows_key)
    return {**result, rows_key: rows[count:]} if count and isinstance(rows, list) else result


def truncate_lists(value: JsonObject, max_length: int) -> tuple[JsonObject, list[JsonObject]]:
    """Shorten lists in *value*, largest first, until its JSON has at most *max_length* characters, if possible.

    Returns the new value and the shortened lists: [{list: "result.rows", shown: 10, of: 90}]. Each list keeps at least
    one row.
    """
    cuts: list[JsonObject] = []
    while len(cuts) < MAX_SHORTENED_LISTS and (excess := _json_length(value) - max_length) > 0:
        shortened = {cut["list"] for cut in cuts}
        lists = [(size, path) for path, size in _find_lists(value, ()) if ".".join(path) not in shortened]
        if not lists:
            break
        path = max(lists)[1]
        rows = _get_list(value, path)
        row_count = _count_fitting_rows(rows, excess)
        value = _replace_list(value, path, rows[:row_count])
        cuts.append({"list": ".".join(path), "shown": row_count, "of": len(rows)})
    return value, cuts


def _count_fitting_rows(rows: list[Any], excess: int) -> int:
    """Return how many rows remain after dropping those at the end that make up *excess* characters; at least one."""
    row_count = len(rows)
    while row_count > 1 and excess > 0:
        row_count -= 1
        excess -= _json_length(rows[row_count]) + 1
    return row_count


def _find_lists(value: JsonObject, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], int]]:
    """Return the path and size of every list with more than one row."""
    lists: list[tuple[tuple[str, ...], int]] = []
    for name, member in value.items():
        if isinstance(member, list) and len(member) > 1:
            lists.append(((*path, name), _json_length(member)))
        elif isinstance(member, dict) and len(path) + 1 < MAX_DEPTH:
            lists += _find_lists(member, (*path, name))
    return lists


def _get_list(value: Any, path: tuple[str, ...]) -> list[Any]:
    for name in path:
        value = value[name]
    rows: list[Any] = value
    return rows


def _replace_list(value: JsonObject, path: tuple[str, ...], rows: list[Any]) -> JsonObject:
    name, *inner_path = path
    return {**value, name: _replace_list(value[name], tuple(inner_path), rows) if inner_path else rows}


def _json_length(value: Any) -> int:
    return len(orjson.dumps(value).decode())
