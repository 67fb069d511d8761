"""Tables of requests in which later ones use what earlier ones answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def filled(given: Any, kept: Mapping[str, Any]) -> Any:
    """*given* with what was kept in place of every text that is ``$`` and its name."""
    if isinstance(given, dict):
        return {name: filled(value, kept) for name, value in given.items()}
    if isinstance(given, list):
        return [filled(value, kept) for value in given]
    if isinstance(given, str) and given.startswith("$"):
        return kept[given[1:]]
    return given


def picked(answer: Any, place: str) -> Any:
    """What is at a *place* in an answer: names and numbers with dots between them, ``*`` for the first value."""
    found = answer
    for part in place.split("."):
        if part == "*":
            found = next(iter(found.values()))
        else:
            found = found[int(part)] if isinstance(found, list) else found[part]
    return found
