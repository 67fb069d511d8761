"""Conditions of scopes, filters and rules: what distinguishes them, and which members can be omitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import orjson

CONDITION_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "mode": "is",
        "inverse": False,
        "inverse_selection": False,
        "includeNull": False,
        "include_null": False,
        "caseInsensitive": False,
    }
)
"""Members of the conditions of scopes, filters and rules with the values that mean the same as omitting them."""
CONDITION_IDENTITY: Mapping[str, Any] = MappingProxyType(
    {"type": None, "id": None, "key": None, "mode": "is", "inverse": False, "inverse_selection": False}
)
"""Members that distinguish the conditions of a list, with their defaults."""


def is_condition(value: Any) -> bool:
    """Return whether *value* is a condition of a scope, filter or rule: {type, id or key, values, ...}."""
    return isinstance(value, dict) and isinstance(value.get("values"), list) and "type" in value


def match_conditions(
    values: list[Any], added: Iterable[int], before: list[Any], removed: Iterable[int]
) -> dict[int, int]:
    """Return the indexes of the removed conditions that were only changed, by those of the added ones.

    The same condition may have different values, and may treat case and missing values differently.
    """
    left: dict[bytes, list[int]] = {}
    for index in removed:
        if is_condition(before[index]):
            left.setdefault(condition_key(before[index]), []).append(index)
    same = {}
    for index in added:
        if is_condition(values[index]) and (indexes := left.get(condition_key(values[index]))):
            same[index] = indexes.pop(0)
    return same


def condition_key(condition: Mapping[str, Any]) -> bytes:
    return orjson.dumps([condition.get(name, default) for name, default in CONDITION_IDENTITY.items()])


def without_defaults(value: Any) -> Any:
    """Return a condition of a scope, filter or rule without members that have their default; anything else unchanged.

    The API adds them to some of its objects, so conditions with and without them are the same.
    """
    if not is_condition(value):
        return value
    return {
        name: member
        for name, member in value.items()
        if name not in CONDITION_DEFAULTS or CONDITION_DEFAULTS[name] != member
    }
