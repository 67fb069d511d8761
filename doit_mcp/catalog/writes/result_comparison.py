"""Comparison of the result of an update with its arguments: which values the API did not apply."""

from __future__ import annotations

from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..tools.tool import Tool
from .change_rows import display_value
from .receipt_verification import READER_FIELD_NAMES
from .reversibility import UPDATING_VERBS
from .value_diff import mask_secrets

NOT_APPLIED_KEY = "notApplied"
"""Member of a result with a text that names the values that the API did not set."""
NOT_APPLIED = "The object does not have all values that the call set: {}. Tell the user."
MAX_NAMED = 10
EMPTY: tuple[Any, ...] = (None, "", [], {})


def with_unapplied_values(tool: Tool, arguments: JsonObject, result: JsonObject) -> JsonObject:
    """Return the *result* of an update with a text about the values that differ from those in *arguments*."""
    if tool.verb not in UPDATING_VERBS or tool.secret_arguments:
        return result
    found = tool.with_argument_names(result)
    differing = [
        f"{name} is {display_value(mask_secrets(found[own], own))}, not {display_value(mask_secrets(value, own))}"
        for name, value in arguments.items()
        if (own := READER_FIELD_NAMES.get(name, name)) in found
        and name not in tool.targets
        and _differs(value, found[own])
    ]
    return {**result, NOT_APPLIED_KEY: NOT_APPLIED.format("; ".join(differing[:MAX_NAMED]))} if differing else result


def _differs(wanted: Any, found: Any) -> bool:
    """Return whether *found* is certainly another value. Values in a different form are not compared."""
    if wanted in EMPTY or found in EMPTY:
        return (wanted in EMPTY) is not (found in EMPTY) and False not in (wanted, found)
    if isinstance(wanted, bool) or isinstance(found, bool):
        return isinstance(wanted, bool) and isinstance(found, bool) and wanted is not found
    if isinstance(wanted, int | float) and isinstance(found, int | float):
        return wanted != found
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) != len(found)
    if isinstance(wanted, dict) and isinstance(found, dict):
        return any(_differs(value, found[name]) for name, value in wanted.items() if name in found)
    return False
