"""Changes: an update has to change something, so one that is given nothing to change is refused before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Unpack, get_args, get_origin, get_type_hints

from ...api.operation import Operation
from ...protocol.json_schema import of_typed_dict
from ...protocol.jsonrpc import JsonObject

VERBS = ("update_", "assign_")


@dataclass(frozen=True, slots=True)
class Changes:
    """The arguments that say what an update changes, all of them optional.

    *replaces*: a list takes the place of the present one, so an empty list is a change: it clears.
    """

    names: tuple[str, ...]
    replaces: bool

    def given(self, arguments: JsonObject) -> bool:
        """Whether *arguments* change anything."""
        return any(self._says_something(arguments[name]) for name in self.names if name in arguments)

    def _says_something(self, value: Any) -> bool:
        if isinstance(value, dict):
            return any(self._says_something(member) for member in value.values())
        return value != [] or self.replaces


def changes_of(operation: Operation) -> Changes | None:
    """What an update can change: the members of its body. None for other operations, and where one is required."""
    replaces = operation.method in ("PATCH", "PUT")
    if operation.reads or not (replaces or operation.name.startswith(VERBS)):
        return None
    hints = get_type_hints(operation.function, include_extras=True).values()
    records = [get_args(hint)[0] for hint in hints if get_origin(hint) is Unpack]
    schemas = [of_typed_dict(record) for record in records]
    if any("required" in schema for schema in schemas):
        return None
    names = tuple(name for schema in schemas for name in schema["properties"])
    return Changes(names, replaces) if names else None
