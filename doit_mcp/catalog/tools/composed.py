"""Composed tools: functions of this package that are tools. Each is declared at its function.

    @composed_tool(area="reports", search_hint="Spend over time", slow=True, default_list=True)
    async def cost_trend(call: Call, *, months: Annotated[int, "How many."] = 6) -> Annotated[JsonObject, Trend]:
        \"\"\"Show spend over time. (The description of the tool, for a model.)\"\"\"

The first parameter is ``call: Call``; the keyword-only parameters are the arguments. The function itself is unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, Required, Unpack

from ...api.declaration_checks import check_fact_names, declaration_error
from ...api.facts import ToolFacts
from ...api.operation import Decorator, F


class ComposedFacts(ToolFacts, total=False):
    """What a declaration says about its function beyond name, signature and docstring."""

    area: Required[str]
    """The toolset that it belongs to: an attribute of Doit, or a toolset with composed tools only."""
    title: str
    """The tool's title; made from its name if omitted."""
    search_hint: str
    """The words by which clients find it; those of the area if omitted."""
    narrow_hint: str
    """How to ask for less, for results that are too large; a sentence."""
    rows_key: str
    """The key of the rows in the result of a list."""
    slow: bool
    """It is a read that can take long, so the call becomes a task if the client supports tasks. Required for reads."""
    writes: bool
    """It changes something."""
    destructive: bool
    """It may change or delete existing data."""
    open_world: bool
    """It reaches outside the customer's own account. Required for a write, unless one of its arguments is marked as
    reaching outside."""


def composed_tool(**facts: Unpack[ComposedFacts]) -> Decorator:
    """Declare that a function is a tool, with these *facts*."""

    def decorate(function: F) -> F:
        check_fact_names(function, facts, ComposedFacts.__annotations__)
        setattr(function, "composed_facts", facts)
        return function

    return decorate


def read_facts(function: Callable[..., Any]) -> ComposedFacts:
    """Return what the decorator of *function* says. Raise TypeError if it has no decorator."""
    facts: ComposedFacts | None = getattr(function, "composed_facts", None)
    if facts is None:
        raise declaration_error(function, "needs the decorator @composed_tool")
    return facts


def list_composed_functions(module: ModuleType) -> tuple[Callable[..., Any], ...]:
    """Return the functions with the decorator that *module* declares, in the order of their declaration.

    Functions that it imports from other modules are not included.
    """
    return tuple(
        value
        for value in vars(module).values()
        if hasattr(value, "composed_facts") and value.__module__ == module.__name__
    )
