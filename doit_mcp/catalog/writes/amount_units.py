"""Units of the amounts in a change: users approve "500 USD" or "50 %", not a bare number."""

from __future__ import annotations

from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..tools.tool import Tool


def with_units(tool: Tool, arguments: JsonObject, before: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Return *arguments* and the state *before* with the units of the amounts that *tool* declares, as texts.

    The unit after the change can differ from the one before it.
    """
    units = tool.facts.get("units", {})
    after = {name: _merge_members(before.get(name), value) for name, value in arguments.items()}
    for path, read_unit in units.items():
        names = path.split(".")
        arguments = _add_unit(arguments, names, read_unit({**before, **after}))
        before = _add_unit(before, names, read_unit(before))
    return arguments, before


def _merge_members(before: Any, value: Any) -> Any:
    return {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value


def _add_unit(values: JsonObject, names: list[str], unit: str) -> JsonObject:
    """Return *values* with the *unit* after the number at the path *names*."""
    value, rest = values.get(names[0]), names[1:]
    if rest:
        return {**values, names[0]: _add_unit(value, rest, unit)} if isinstance(value, dict) else values
    if not unit or not isinstance(value, int | float) or isinstance(value, bool):
        return values
    number = int(value) if float(value).is_integer() else value
    return {**values, names[0]: f"{number:,} {unit}"}
