"""Refusals that several areas declare: why the API refuses a write, as far as its arguments and its object show it."""

from collections.abc import Iterator
from typing import Any

from ..protocol.json_schema import JsonObject
from .facts import Refusal

CONDITION_LISTS = frozenset(("scopes", "filters", "components"))
"""Arguments with lists of conditions: those of budgets and alerts, of reports, and of the rules of allocations."""


def refuse_preset(arguments: JsonObject, current: JsonObject) -> str:
    """Return why an object of DoiT's own cannot be changed; "" for other objects."""
    return "It is a preset of DoiT, which cannot be changed or deleted." if current.get("type") == "preset" else ""


def refuse_empty_conditions(arguments: JsonObject, current: JsonObject) -> str:
    """Return why a condition without values is refused; "" if each has some, or includes rows without a value."""
    path = next(_empty_conditions(arguments, ""), "")
    return f"{path}.values must not be empty. Give at least one value, or set includeNull." if path else ""


def refuse_first(*refusals: Refusal) -> Refusal:
    """Return a refusal for the first of several reasons that applies."""

    def refuse(arguments: JsonObject, current: JsonObject) -> str:
        return next((reason for refusal in refusals if (reason := refusal(arguments, current))), "")

    return refuse


def _empty_conditions(value: Any, path: str) -> Iterator[str]:
    """Yield the paths of conditions without values, such as "alert.scopes[0]". Arguments have few levels."""
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from _empty_conditions(item, f"{path}[{at}]")
    if not isinstance(value, dict):
        return
    for name, member in value.items():
        place = f"{path}.{name}" if path else name
        if name in CONDITION_LISTS and isinstance(member, list):
            yield from (f"{place}[{at}]" for at, condition in enumerate(member) if _is_empty(condition))
        else:
            yield from _empty_conditions(member, place)


def _is_empty(condition: Any) -> bool:
    return isinstance(condition, dict) and not (
        condition.get("values") or condition.get("includeNull") or condition.get("include_null")
    )
