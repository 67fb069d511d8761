"""Selection of tools by path: toolsets, single tools, and read-only mode."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ..api.nearest import nearest_values
from .tools.tool import Tool
from .tools.untested import is_untested

DEFAULT_TOOLSET, ALL_TOOLSET = "core", "all"
MAX_QUOTED_CHARACTERS = 80
MAX_COMPARED_NAMES = 3
"""Unknown names for which similar ones are looked up."""
DECLARED_TOOLSETS: Mapping[str, Callable[[Tool], bool]] = MappingProxyType(
    {
        DEFAULT_TOOLSET: lambda tool: tool.facts.get("default_list", False),
        "discovery": lambda tool: tool.facts.get("discovery_list", False),
    }
)
"""Toolsets that a fact of a declaration selects; all other toolsets are areas."""


class UnknownToolset(Exception):
    """An unknown toolset or tool."""


class Selection(NamedTuple):
    """The toolsets and tools that a caller selected, and whether writes are excluded.

    Without any toolset or tool, the default toolset applies.
    """

    toolsets: frozenset[str] = frozenset()
    tools: frozenset[str] = frozenset()
    readonly: bool = False


def toolset_names(tools: Iterable[Tool]) -> tuple[str, ...]:
    """Return the names that can be selected: core, all, discovery, and one for each area."""
    return (
        DEFAULT_TOOLSET,
        ALL_TOOLSET,
        *sorted({tool.area for tool in tools} | DECLARED_TOOLSETS.keys() - {DEFAULT_TOOLSET}),
    )


def select_callable_tools(tools: Iterable[Tool], selection: Selection) -> tuple[Tool, ...]:
    """Return the tools that can be called: all, without writes in read-only mode."""
    return tuple(tool for tool in tools if not (selection.readonly and tool.writes))


def quote_names(names: Iterable[str]) -> str:
    """Return *names* in quotes, for an error message."""
    return ", ".join(f"'{name}'" for name in sorted(names))[:MAX_QUOTED_CHARACTERS]


def check_selection(tools: Collection[Tool], selection: Selection) -> None:
    """Raise UnknownToolset, with names that exist, if *tools* lack a toolset or tool of *selection*."""
    tools = tuple(tool for tool in tools if not is_untested(tool))
    names = toolset_names(tools)
    if unknown := selection.toolsets - set(names):
        raise UnknownToolset(f"Unknown toolset {quote_names(unknown)}. Available: {', '.join(names)}")
    if unknown := selection.tools - {tool.name for tool in tools}:
        raise _unknown_tool_error(unknown, tuple(tool.name for tool in tools))


def select_listed_tools(tools: Iterable[Tool], selection: Selection) -> tuple[Tool, ...]:
    """Return the tools to list, in the order of *tools*. Raises UnknownToolset with names that exist.

    Untested tools are not listed, and cannot be selected. The tool that applies prepared changes is listed if any
    listed tool writes.
    """
    tools = tuple(tool for tool in tools if not is_untested(tool))
    check_selection(tools, selection)
    toolsets = selection.toolsets or (frozenset() if selection.tools else frozenset({DEFAULT_TOOLSET}))
    declared_filters = [is_listed for name, is_listed in DECLARED_TOOLSETS.items() if name in toolsets]
    areas = toolsets - DECLARED_TOOLSETS.keys()
    available = select_callable_tools(tools, selection)
    selected = {
        tool.name
        for tool in available
        if ALL_TOOLSET in toolsets
        or tool.area in areas
        or tool.name in selection.tools
        or any(is_listed(tool) for is_listed in declared_filters)
    }
    any_writes = any(tool.writes and tool.name in selected for tool in available)
    return tuple(
        tool for tool in available if tool.name in selected or (any_writes and tool.resolve_approval is not None)
    )


def _unknown_tool_error(unknown: Collection[str], names: Sequence[str]) -> UnknownToolset:
    """Return the error for *unknown* tools, with similar names. There are too many tools to name all."""
    compared = sorted(unknown)[:MAX_COMPARED_NAMES]
    similar = list(dict.fromkeys(name for wanted in compared for name in nearest_values(wanted, names)))
    hint = f"Similar: {', '.join(similar)}" if similar else "The tool find_operation finds tools by what they do"
    return UnknownToolset(f"Unknown tool {quote_names(unknown)}. {hint}")
