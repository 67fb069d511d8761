"""Empty updates: finds the arguments of an update that change something, so that an update without any is rejected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Unpack, get_args, get_origin

from ...api.operation import Operation
from ...protocol.json_schema import function_hints, schema_of_typed_dict
from ...protocol.jsonrpc import JsonObject

UPDATE_PREFIXES = ("update_", "assign_")


@dataclass(frozen=True, slots=True)
class UpdateFields:
    """The optional arguments of an update that change something.

    *replaces_lists* means that a list replaces the current one, so an empty list is a change that clears it.
    """

    names: tuple[str, ...]
    replaces_lists: bool

    def has_changes(self, arguments: JsonObject) -> bool:
        """Return whether *arguments* change anything."""
        return any(self._is_change(arguments[name]) for name in self.names if name in arguments)

    def _is_change(self, value: Any) -> bool:
        if isinstance(value, dict):
            return any(self._is_change(member) for member in value.values())
        return value != [] or self.replaces_lists


def find_update_fields(operation: Operation) -> UpdateFields | None:
    """Return the members of the body of an update; None for other operations, or if a member is required."""
    replaces_lists = operation.method in ("PATCH", "PUT")
    if operation.read_only or not (replaces_lists or operation.name.startswith(UPDATE_PREFIXES)):
        return None
    hints = function_hints(operation.function).values()
    records = [get_args(hint)[0] for hint in hints if get_origin(hint) is Unpack]
    schemas = [schema_of_typed_dict(record) for record in records]
    if any("required" in schema for schema in schemas):
        return None
    names = tuple(name for schema in schemas for name in schema["properties"])
    return UpdateFields(names, replaces_lists) if names else None
