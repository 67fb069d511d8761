"""Cutting the rows of an answer that is too long, and going on behind the cut."""

from __future__ import annotations

import re
from typing import Any

import orjson

from ...protocol.jsonrpc import JsonObject

RESUMED = re.compile(r"rows\+(\d{1,6}):(.*)", re.DOTALL)
"""A pageToken of ours: how many rows of the API's page have been shown, and the API's token of that page."""
DEPTH = 3
MOST_CUTS = 6


def resumed(arguments: JsonObject) -> tuple[int, JsonObject]:
    """How many rows of the page were shown before, and the arguments as the API gets them."""
    found = RESUMED.fullmatch(str(arguments.get("pageToken") or ""))
    if found is None:
        return 0, arguments
    rest = {name: value for name, value in arguments.items() if name != "pageToken"}
    return int(found[1]), rest | ({"pageToken": found[2]} if found[2] else {})


def token_behind(arguments: JsonObject, rows: int) -> str:
    """The pageToken that goes on behind the first *rows* rows of the answer to *arguments*."""
    before, plain = resumed(arguments)
    return f"rows+{before + rows}:{plain.get('pageToken') or ''}"


def without_first(answer: JsonObject, items: str, count: int) -> JsonObject:
    """*answer* without the rows that were shown before."""
    rows = answer.get(items)
    return {**answer, items: rows[count:]} if count and isinstance(rows, list) else answer


def cut(value: JsonObject, length: int) -> tuple[JsonObject, list[JsonObject]]:
    """*value* with lists shortened, the largest first, until its JSON has at most *length* characters, if that is
    possible; and what was shortened: [{list: "result.rows", shown: 10, of: 90}]. One row of each list stays."""
    cuts: list[JsonObject] = []
    while len(cuts) < MOST_CUTS and (excess := _size(value) - length) > 0:
        done = {one["list"] for one in cuts}
        lists = [(size, path) for path, size in _lists(value, ()) if ".".join(path) not in done]
        if not lists:
            break
        path = max(lists)[1]
        rows = _at(value, path)
        kept = _fitting(rows, excess)
        value = _with(value, path, rows[:kept])
        cuts.append({"list": ".".join(path), "shown": kept, "of": len(rows)})
    return value, cuts


def _fitting(rows: list[Any], excess: int) -> int:
    """How many rows are left when those at the end are dropped that make up *excess* characters; at least one."""
    kept = len(rows)
    while kept > 1 and excess > 0:
        kept -= 1
        excess -= _size(rows[kept]) + 1
    return kept


def _lists(value: JsonObject, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], int]]:
    """Every list with more than one row, by its path, and its size."""
    found: list[tuple[tuple[str, ...], int]] = []
    for name, item in value.items():
        if isinstance(item, list) and len(item) > 1:
            found.append(((*path, name), _size(item)))
        elif isinstance(item, dict) and len(path) + 1 < DEPTH:
            found += _lists(item, (*path, name))
    return found


def _at(value: Any, path: tuple[str, ...]) -> list[Any]:
    for name in path:
        value = value[name]
    rows: list[Any] = value
    return rows


def _with(value: JsonObject, path: tuple[str, ...], rows: list[Any]) -> JsonObject:
    first, *rest = path
    return {**value, first: _with(value[first], tuple(rest), rows) if rest else rows}


def _size(value: Any) -> int:
    return len(orjson.dumps(value).decode())
