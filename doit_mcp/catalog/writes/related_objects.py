"""Related objects of a write: those that its ids identify besides its object, such as the user who gets access."""

from __future__ import annotations

from collections.abc import Mapping

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.declarations import reader_name
from ..tools.tool import Tool
from .change_context import ReadObjects
from .state_reader import StateReader


def find_related(tool: Tool, tools_by_name: Mapping[str, Tool]) -> ReadObjects | None:
    """Return a function that reads the objects that *tool* declares as related, by argument; None without any.

    Objects that cannot be read are {}. Raises TypeError if the declaration does not name tools that read.
    """
    readers: dict[str, StateReader] = {}
    for argument, declared in tool.facts.get("also_shows", {}).items():
        reader_tool = tools_by_name.get(name := reader_name(declared))
        if reader_tool is None or reader_tool.writes:
            raise TypeError(f"{tool.declared_in}: {tool.name} has also_shows={name}, which is not a tool that reads")
        readers[argument] = StateReader(reader_tool, may_be_missing=True)
    if not readers:
        return None

    async def read_related(call: Call, arguments: JsonObject) -> dict[str, JsonObject]:
        return {
            argument: await reader.read_state(call, {"id": arguments[argument]}) or {}
            for argument, reader in readers.items()
            if argument in arguments
        }

    return read_related
