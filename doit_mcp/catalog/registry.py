"""All tools: the composed ones, and one for every operation that a composed one does not stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from ..api import AREAS
from ..api.areas.cloudflow import parse_flow_id
from ..protocol.jsonrpc import JsonObject
from .assistants import ask_ava_streaming, build_cloud_flow, refine_cloudflow
from .call import Call
from .costs.breakdown import cost_breakdown
from .costs.change import explain_cost_change
from .costs.forecast import forecast_spend
from .costs.overview import get_cloud_overview
from .costs.query_result import MAX_CSV_CHARACTERS, query_result
from .costs.savings import get_savings_summary, list_optimization_recommendations
from .costs.trends import compare_spend, cost_trend
from .discovery.tools import with_discovery
from .search.tools import fetch, search
from .tools.localized_display import with_localized_display
from .tools.permissions import with_permission_hint
from .tools.result_handles import query_table, report_table, with_result_handle
from .tools.tool import ContentResult, Tool, ToolError
from .tools.tool_factory import tool_from_function, tool_from_operation
from .writes.confirmation import always_confirms, find_reader, with_confirmation
from .writes.deduplication import with_commit, with_deduplication
from .writes.receipt_verification import verifier_for

SHORTER_PERIOD_HINT = "Ask for a shorter period."
MAX_RESULT_SIZE_KEY = "anthropic/maxResultSizeChars"


def composed_tools() -> tuple[Tool, ...]:
    """Tools that are functions of ours. One with the name of an operation takes that operation's place."""
    return (
        *cost_tools(),
        tool_from_function(
            list_optimization_recommendations,
            area="insights",
            search_hint="Optimization recommendations, insights, rightsizing, idle resources, waste, security findings",
            rows_key="insights",
            narrow_hint="Ask for a smaller page (pageSize) or use a filter.",
        ),
        tool_from_function(
            get_savings_summary,
            area="insights",
            search_hint="How can we save money: all savings opportunities, ranked",
            slow=True,
        ),
        tool_from_function(
            search, area="search", search_hint="Search reports, budgets, anomalies, invoices, tickets and more"
        ),
        tool_from_function(fetch, area="search", search_hint="Read one thing that search found, with its link"),
        tool_from_function(
            refine_cloudflow, area="cloudflow", search_hint=area_hint("cloudflow"), writes=True, destructive=True
        ),
        tool_from_function(
            build_cloud_flow, area="cloudflow", title="Build CloudFlow", search_hint=area_hint("cloudflow"), writes=True
        ),
        tool_from_function(ask_ava_streaming, area="ava", search_hint=area_hint("ava"), writes=True),
    )


def cost_tools() -> tuple[Tool, ...]:
    """The composed tools that ask for costs."""
    return (
        tool_from_function(
            get_cloud_overview,
            area="reports",
            search_hint="First look: total spend, top services, what is unusual",
            slow=True,
        ),
        with_result_handle(
            tool_from_function(cost_breakdown, area="reports", search_hint=area_hint("reports"), slow=True), query_table
        ),
        with_result_handle(
            tool_from_function(
                cost_trend,
                area="reports",
                search_hint="Spend over time, month by month, growth",
                narrow_hint=SHORTER_PERIOD_HINT,
                slow=True,
            ),
            query_table,
        ),
        tool_from_function(
            compare_spend,
            area="reports",
            search_hint="Compare spend of two periods, this quarter and last",
            narrow_hint=SHORTER_PERIOD_HINT,
            slow=True,
        ),
        tool_from_function(
            explain_cost_change,
            area="reports",
            search_hint="Why did the bill go up: cost drivers, what changed, price or usage, root cause of a cost increase",
            narrow_hint="Ask for fewer drivers (top) or dimensions (by).",
            slow=True,
        ),
        tool_from_function(
            forecast_spend,
            area="reports",
            search_hint="Forecast, projected bill, month-end estimate, budget overrun",
            slow=True,
        ),
        with_larger_results(
            tool_from_function(
                query_result,
                area="reports",
                search_hint="Drill down, filter, sort, regroup or export (CSV) an earlier large cost result",
                narrow_hint="Ask for fewer rows (top), or group or filter them.",
            )
        ),
    )


def with_larger_results(tool: Tool) -> Tool:
    """*tool*, whose answers a client should take whole though they are long: half a table is no export."""
    # Text needs escapes in JSON, and has the rest of the answer beside it.
    return replace(tool, meta={**tool.meta, MAX_RESULT_SIZE_KEY: 2 * MAX_CSV_CHARACTERS})


def area_hint(area: str) -> str:
    """The words by which an area's tools are found: the docstring of its class."""
    return (AREAS[area].__doc__ or "").strip().rstrip(".")


def with_operation_extras(tool: Tool) -> Tool:
    """The tool of an operation with what it gets on top: handles to large results, the currency of queries, and the
    mark by which a client finds out whose account it is connected to."""
    if tool.name == "validate_user":
        return replace(tool, meta={**tool.meta, "openai/profile": True})
    if tool.name == "run_query":
        return with_result_handle(tool, query_table, currency=True)
    return with_result_handle(tool, report_table) if tool.name == "get_report_results" else tool


def with_write_safeguards(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """*tools*, whose writes ask the user first where that is needed, change something, and are not done twice."""
    named = {tool.name: tool for tool in tools}
    writing = {tool.name: with_commit(tool) for tool in tools if tool.writes}
    writing |= {
        name: with_confirmation(tool, find_reader(tool, named))
        for name, tool in writing.items()
        if always_confirms(tool) or tool.external_target_paths or tool.linked_text_paths
    }
    writing = {name: with_deduplication(tool, verifier_for(tool, named)) for name, tool in writing.items()}
    return tuple(with_empty_update_check(with_flow_id(writing.get(tool.name, tool))) for tool in tools)


def with_empty_update_check(tool: Tool) -> Tool:
    """*tool*; an update that is given nothing to change is refused, before the user is asked and anything is sent."""
    changes = tool.changes
    if changes is None:
        return tool

    async def run(call: Call, arguments: JsonObject) -> JsonObject | ContentResult:
        if not changes.has_changes(arguments):
            raise ToolError(f"Nothing to change: give at least one of {', '.join(changes.names)}.")
        return await tool.run(call, arguments)

    return replace(tool, run=run)


def with_flow_id(tool: Tool) -> Tool:
    """*tool*; where it takes a flow's address too, what the user is shown and what counts as the same is the id."""
    if "flowID" not in tool.input_schema["properties"]:
        return tool

    async def run(call: Call, arguments: JsonObject) -> JsonObject | ContentResult:
        return await tool.run(call, {**arguments, "flowID": parse_flow_id(arguments["flowID"])})

    return replace(tool, run=run)


@cache
def direct_tools() -> tuple[Tool, ...]:
    """Every tool that does something of its own, always in the same order: composed ones first, then by area."""
    made = composed_tools()
    names = {tool.name for tool in made}
    operations = (
        with_permission_hint(with_operation_extras(tool_from_operation(operation, area, area_hint(area))))
        for area, group in AREAS.items()
        for operation in group.operations
        if operation.name not in names
    )
    return with_write_safeguards(tuple(with_localized_display(tool) for tool in (*made, *operations)))


@cache
def all_tools() -> tuple[Tool, ...]:
    """Every tool: those, and at the end the ones that find and call any of them."""
    return with_discovery(direct_tools())
