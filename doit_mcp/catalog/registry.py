"""The registry of all tools: composed tools, and one tool for each operation that no composed tool replaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ..api import AREAS
from ..api.openapi_document import ApiDocument
from ..protocol.jsonrpc import JsonObject
from . import (
    anomalies,
    assistants,
    budgets,
    commitments,
    comparisons,
    costs,
    digests,
    flows,
    forecasts,
    queries,
    recent_events,
    savings,
    unit_costs,
)
from .budgets.written_scope import with_scope_check
from .call import Call
from .comparisons import change, compare
from .costs import breakdown, overview, trends
from .discovery.documented_tools import make_documented_tools
from .discovery.tools import with_discovery
from .forecasts import forecast
from .queries import report_results, run_query, stored_result
from .savings import opportunities
from .search import tools as search
from .tools.composed import list_composed_functions
from .tools.localized_display import with_localized_display
from .tools.permissions import with_permission_hint
from .tools.result_handles import with_declared_handle
from .tools.tool import Tool, ToolError, ToolResult
from .tools.tool_factory import tool_from_function, tool_from_operation
from .tools.untested import with_untested_note
from .writes.change_context import ChangeContextReader
from .writes.confirmation import with_confirmation
from .writes.deduplication import with_commit, with_deduplication
from .writes.dry_run import with_dry_run
from .writes.receipt_verification import verifier_for
from .writes.related_objects import find_related
from .writes.secret_results import with_withheld_result
from .writes.state_reader import find_reader
from .writes.undo import find_undo

FIRST_MODULES = (
    *(overview, breakdown, trends, compare, change, forecast),
    *(run_query, report_results, stored_result, opportunities),
)
"""The modules of the most general tools, which clients list first."""
TOOL_PACKAGES = (
    costs,
    comparisons,
    forecasts,
    queries,
    anomalies,
    budgets,
    commitments,
    savings,
    unit_costs,
    digests,
    flows,
)
"""The packages whose modules are searched for composed tools."""
FOUND_MODULES = tuple(
    import_module(info.name)
    for package in TOOL_PACKAGES
    for info in iter_modules(package.__path__, f"{package.__name__}.")
)
COMPOSED_MODULES = tuple(dict.fromkeys((*FIRST_MODULES, *FOUND_MODULES, search, assistants, recent_events)))
"""The modules that may declare composed tools, in listing order. Within one, tools are in order of declaration."""


@cache
def composed_tools() -> tuple[Tool, ...]:
    """Return the composed tools in listing order. One with the name of an operation replaces that operation."""
    return tuple(
        tool_from_function(function) for module in COMPOSED_MODULES for function in list_composed_functions(module)
    )


def with_declared_extras(tool: Tool) -> Tool:
    """Add what the declaration of *tool* asks for: handles to large results, the permission in error messages, and the
    note of an untested tool.
    """
    return with_untested_note(with_permission_hint(with_declared_handle(tool)))


def with_write_safeguards(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """Return *tools* with safeguards on writes: confirmation if needed, dry runs, the commit point, and deduplication.

    The scopes of budgets and alerts, and whether results with secrets can be kept out of stores, are checked before the
    user is asked.
    """
    named = {tool.name: tool for tool in tools}
    writing = {tool.name: with_commit(tool) for tool in tools if tool.writes}
    readers = {name: find_reader(tool, named) for name, tool in writing.items()}
    context_readers = {
        name: ChangeContextReader(tool, named, find_related(tool, named)) for name, tool in writing.items()
    }
    undo = {name: find_undo(tool, readers[name], named) for name, tool in writing.items()}
    writing = {
        name: with_confirmation(tool, readers[name], context_readers[name], undo[name])
        for name, tool in writing.items()
    }
    writing = {
        name: with_dry_run(tool, readers[name], context_readers[name], undo[name]) for name, tool in writing.items()
    }
    writing = {name: with_scope_check(tool) for name, tool in writing.items()}
    writing = {name: with_deduplication(tool, verifier_for(tool, named)) for name, tool in writing.items()}
    writing = {name: with_withheld_result(tool) for name, tool in writing.items()}
    return tuple(with_empty_update_check(with_canonical_arguments(writing.get(tool.name, tool))) for tool in tools)


def with_empty_update_check(tool: Tool) -> Tool:
    """Reject an update without any change before asking the user and sending anything."""
    changes = tool.changes
    if changes is None:
        return tool

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        if not changes.has_changes(arguments):
            raise ToolError(f"Nothing to change: pass at least one of {', '.join(changes.names)}.")
        return await tool.run(call, arguments)

    return replace(tool, run=run)


def with_canonical_arguments(tool: Tool) -> Tool:
    """Convert arguments with several spellings to one form, before the user is asked and calls are compared."""
    forms = tool.facts.get("canonical_arguments")
    if not forms:
        return tool

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        own = {name: canonical(arguments[name]) for name, canonical in forms.items() if name in arguments}
        return await tool.run(call, {**arguments, **own})

    return replace(tool, run=run)


@cache
def direct_tools() -> tuple[Tool, ...]:
    """Return every tool except the discovery tools, in a stable order: composed tools first, then by area."""
    composed = composed_tools()
    names = {tool.name for tool in composed}
    operations = (
        tool_from_operation(operation, area)
        for area, group in AREAS.items()
        for operation in group.operations
        if operation.name not in names
    )
    made = (with_declared_extras(tool) for tool in (*composed, *operations))
    return tuple(with_localized_display(tool) for tool in with_write_safeguards(tuple(made)))


def with_documented_tools(tools: tuple[Tool, ...], document: ApiDocument) -> tuple[Tool, ...]:
    """Return *tools* and a tool for each operation that only an API document has."""
    made = tuple(map(with_declared_extras, make_documented_tools(document.operations)))
    return (*tools, *with_write_safeguards(made))


@cache
def all_tools() -> tuple[Tool, ...]:
    """Return every tool: the direct ones, then the discovery tools that find and call them."""
    return with_discovery(direct_tools())
