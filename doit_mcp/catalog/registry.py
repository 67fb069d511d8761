"""All tools: the composed ones, and one for every operation that a composed one does not stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from ..api import AREAS
from ..api.areas.cloudflow import flow_of
from ..protocol.jsonrpc import JsonObject
from .assistants import ask_ava_streaming, build_cloud_flow, refine_cloudflow
from .call import Call
from .costs.breakdown import cost_breakdown
from .costs.change import explain_cost_change
from .costs.forecast import forecast_spend
from .costs.overview import get_cloud_overview
from .costs.query_result import MOST_CSV, query_result
from .costs.savings import get_savings_summary, list_optimization_recommendations
from .costs.trends import compare_spend, cost_trend
from .discovery.tools import with_discovery
from .search.tools import fetch, search
from .tools.localized_display import displaying
from .tools.permissions import permitted
from .tools.result_handles import keeping, of_query, of_report
from .tools.tool import Content, Tool, ToolError, from_function, from_operation
from .writes.confirmation import confirmed, confirms, reader_of
from .writes.deduplication import committing, once
from .writes.receipt_verification import check_of

PERIOD = "Ask for a shorter period."
ROOM = "anthropic/maxResultSizeChars"


def composed() -> tuple[Tool, ...]:
    """Tools that are functions of ours. One with the name of an operation takes that operation's place."""
    return (
        *about_costs(),
        from_function(
            list_optimization_recommendations,
            area="insights",
            hint="Optimization recommendations, insights, rightsizing, idle resources, waste, security findings",
            rows="insights",
            narrow="Ask for a smaller page (pageSize) or use a filter.",
        ),
        from_function(
            get_savings_summary,
            area="insights",
            hint="How can we save money: all savings opportunities, ranked",
            slow=True,
        ),
        from_function(search, area="search", hint="Search reports, budgets, anomalies, invoices, tickets and more"),
        from_function(fetch, area="search", hint="Read one thing that search found, with its link"),
        from_function(refine_cloudflow, area="cloudflow", hint=hint_of("cloudflow"), writes=True, destroys=True),
        from_function(
            build_cloud_flow, area="cloudflow", title="Build CloudFlow", hint=hint_of("cloudflow"), writes=True
        ),
        from_function(ask_ava_streaming, area="ava", hint=hint_of("ava"), writes=True),
    )


def about_costs() -> tuple[Tool, ...]:
    """The composed tools that ask for costs."""
    return (
        from_function(
            get_cloud_overview,
            area="reports",
            hint="First look: total spend, top services, what is unusual",
            slow=True,
        ),
        keeping(from_function(cost_breakdown, area="reports", hint=hint_of("reports"), slow=True), of_query),
        keeping(
            from_function(
                cost_trend,
                area="reports",
                hint="Spend over time, month by month, growth",
                narrow=PERIOD,
                slow=True,
            ),
            of_query,
        ),
        from_function(
            compare_spend,
            area="reports",
            hint="Compare spend of two periods, this quarter and last",
            narrow=PERIOD,
            slow=True,
        ),
        from_function(
            explain_cost_change,
            area="reports",
            hint="Why did the bill go up: cost drivers, what changed, price or usage, root cause of a cost increase",
            narrow="Ask for fewer drivers (top) or dimensions (by).",
            slow=True,
        ),
        from_function(
            forecast_spend,
            area="reports",
            hint="Forecast, projected bill, month-end estimate, budget overrun",
            slow=True,
        ),
        roomy(
            from_function(
                query_result,
                area="reports",
                hint="Drill down, filter, sort, regroup or export (CSV) an earlier large cost result",
                narrow="Ask for fewer rows (top), or group or filter them.",
            )
        ),
    )


def roomy(tool: Tool) -> Tool:
    """*tool*, whose answers a client should take whole though they are long: half a table is no export."""
    # Text needs escapes in JSON, and has the rest of the answer beside it.
    return replace(tool, meta={**tool.meta, ROOM: 2 * MOST_CSV})


def hint_of(area: str) -> str:
    """The words by which an area's tools are found: the docstring of its class."""
    return (AREAS[area].__doc__ or "").strip().rstrip(".")


def finished(tool: Tool) -> Tool:
    """The tool of an operation with what it gets on top: handles to large results, the currency of queries, and the
    mark by which a client finds out whose account it is connected to."""
    if tool.name == "validate_user":
        return replace(tool, meta={**tool.meta, "openai/profile": True})
    if tool.name == "run_query":
        return keeping(tool, of_query, currency=True)
    return keeping(tool, of_report) if tool.name == "get_report_results" else tool


def careful(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """*tools*, whose writes ask the user first where that is needed, change something, and are not done twice."""
    named = {tool.name: tool for tool in tools}
    writing = {tool.name: committing(tool) for tool in tools if tool.writes}
    writing |= {
        name: confirmed(tool, reader_of(tool, named))
        for name, tool in writing.items()
        if confirms(tool) or tool.reaches or tool.mentions
    }
    writing = {name: once(tool, check_of(tool, named)) for name, tool in writing.items()}
    return tuple(changing(by_id(writing.get(tool.name, tool))) for tool in tools)


def changing(tool: Tool) -> Tool:
    """*tool*; an update that is given nothing to change is refused, before the user is asked and anything is sent."""
    changes = tool.changes
    if changes is None:
        return tool

    async def run(call: Call, arguments: JsonObject) -> JsonObject | Content:
        if not changes.given(arguments):
            raise ToolError(f"Nothing to change: give at least one of {', '.join(changes.names)}.")
        return await tool.run(call, arguments)

    return replace(tool, run=run)


def by_id(tool: Tool) -> Tool:
    """*tool*; where it takes a flow's address too, what the user is shown and what counts as the same is the id."""
    if "flowID" not in tool.input_schema["properties"]:
        return tool

    async def run(call: Call, arguments: JsonObject) -> JsonObject | Content:
        return await tool.run(call, {**arguments, "flowID": flow_of(arguments["flowID"])})

    return replace(tool, run=run)


@cache
def own_tools() -> tuple[Tool, ...]:
    """Every tool that does something of its own, always in the same order: composed ones first, then by area."""
    made = composed()
    names = {tool.name for tool in made}
    operations = (
        permitted(finished(from_operation(operation, area, hint_of(area))))
        for area, group in AREAS.items()
        for operation in group.operations
        if operation.name not in names
    )
    return careful(tuple(displaying(tool) for tool in (*made, *operations)))


@cache
def all_tools() -> tuple[Tool, ...]:
    """Every tool: those, and at the end the ones that find and call any of them."""
    return with_discovery(own_tools())
