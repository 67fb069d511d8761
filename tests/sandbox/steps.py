"""Tables of requests in which later ones use values of earlier responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any


def fill(given: Any, kept: Mapping[str, Any]) -> Any:
    """*given*, with every string ``$name`` replaced by the kept value of that name."""
    if isinstance(given, dict):
        return {name: fill(value, kept) for name, value in given.items()}
    if isinstance(given, list):
        return [fill(value, kept) for value in given]
    if isinstance(given, str) and given.startswith("$"):
        return kept[given[1:]]
    return given


def pick(answer: Any, place: str) -> Any:
    """The value at *place* in a response: names and numbers separated by dots, ``*`` for the first value."""
    value = answer
    for part in place.split("."):
        if part == "*":
            value = next(iter(value.values()))
        else:
            value = value[int(part)] if isinstance(value, list) else value[part]
    return value


async def resolve_example(value: Any, call: Callable[[str, Any], Awaitable[Any]]) -> Any:
    """Return *value*, part of an example of a tool, with values of other tools' results filled in as the page does.

    *call* returns the structured result of a tool.
    """
    if isinstance(value, dict) and "$from" in value:
        tool, path, arguments = value["$from"]
        return pick(await call(tool, await resolve_example(arguments, call)), path)
    if isinstance(value, dict):
        return {name: await resolve_example(item, call) for name, item in value.items()}
    return [await resolve_example(item, call) for item in value] if isinstance(value, list) else value
