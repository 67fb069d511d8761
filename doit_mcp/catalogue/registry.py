"""All tools: the composed ones, and one for every operation that a composed one does not stand for."""

from __future__ import annotations

from functools import cache

from ..doit import AREAS
from .costs import cost_breakdown
from .flows import refine_cloudflow
from .tools import Tool, from_function, from_operation


def composed() -> tuple[Tool, ...]:
    """Tools that are functions of ours. One with the name of an operation takes that operation's place."""
    return (
        from_function(cost_breakdown, area="reports", hint=hint_of("reports")),
        from_function(refine_cloudflow, area="cloudflow", hint=hint_of("cloudflow"), writes=True, destroys=True),
    )


def hint_of(area: str) -> str:
    """The words by which an area's tools are found: the docstring of its class."""
    return (AREAS[area].__doc__ or "").strip().rstrip(".")


@cache
def all_tools() -> tuple[Tool, ...]:
    """Every tool, always in the same order: composed ones first, then by area."""
    made = composed()
    names = {tool.name for tool in made}
    operations = (
        from_operation(operation, area, hint_of(area))
        for area, group in AREAS.items()
        for operation in group.operations
        if operation.name not in names
    )
    return (*made, *operations)
