"""Composed tools: functions of ours that are offered as tools. Each is declared at its function.

    @composed_tool(area="reports", search_hint="Spend over time", slow=True, default_list=True)
    async def cost_trend(doit: Doit, *, months: Annotated[int, "How many."] = 6) -> Annotated[JsonObject, Trend]:
        \"\"\"Show spend over time. (The description of the tool, for a model.)\"\"\"

The first parameter is ``doit: Doit`` or ``call: Call``, the keyword-only ones are the arguments. The function itself
stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Required, Unpack

from ...api.facts import ToolFacts
from ...api.operation import Decorator, F


class ComposedFacts(ToolFacts, total=False):
    """What a declaration says about its function beyond name, signature and docstring."""

    area: Required[str]
    """The toolset that it belongs to: an attribute of Doit, or one that has composed tools only."""
    title: str
    """The tool's title, where the words of its name are not good enough."""
    search_hint: str
    """The words by which clients find it; those of the area, if left out."""
    narrow_hint: str
    """How to ask for less, for answers that are too large; a sentence."""
    rows_key: str
    """Key of the answer under which the rows of a list are."""
    slow: bool
    """It is a read that can take so long that the call becomes a task, for clients that can follow one."""
    writes: bool
    """It changes something."""
    destructive: bool
    """It may change or delete what exists."""
    open_world: bool
    """It reaches outside of the customer's own account."""


def composed_tool(**facts: Unpack[ComposedFacts]) -> Decorator:
    """Declare that a function is a tool, with these *facts*."""

    def decorate(function: F) -> F:
        setattr(function, "composed_facts", facts)
        return function

    return decorate


def facts_of(function: Callable[..., Any]) -> ComposedFacts:
    """What the decorator of *function* says. Raises TypeError if it has none."""
    facts: ComposedFacts | None = getattr(function, "composed_facts", None)
    if facts is None:
        raise TypeError(f"{function.__module__}.{function.__qualname__}: the decorator @composed_tool is missing")
    return facts
