"""Discovery tools: find any other tool by keywords and call it, so that only a few tools have to be listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Annotated, Literal, TypedDict

from ...api.facts import Unconfirmed
from ...api.markers import IDENTIFIER, FormerName
from ...api.value_kinds import Verbatim
from ...protocol.json_schema import Length, PublishedMembers, Range, short_json
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.composed import composed_tool
from ..tools.tool import Tool, ToolError, ToolResult
from ..tools.tool_factory import tool_from_function
from .confirm_action import make_confirm_tool
from .ranking import WORD_PATTERN, ToolFinder
from .topics import topic_hints

AREA = "discovery"
DEFAULT_LIMIT, MAX_MORE_NAMES = 3, 10
READ_TOOL, WRITE_TOOL = "read_operation", "call_operation"
DISCOVERY_NAMES = ("find_operation", READ_TOOL, WRITE_TOOL, "confirm_action")
READ_ONLY = "changes something, so it is not available here: this URL or this client selected read-only mode"
SEARCH_HINT = "Everything else: any operation of the DoiT API without a listed tool"

OperationName = Annotated[str, "Name from find_operation.", Length(1, 80), IDENTIFIER]


class CommonArguments(TypedDict, total=False):
    """Arguments that many operations have."""

    id: str
    name: str
    filter: str
    maxResults: int
    pageToken: str


OperationInput = Annotated[
    JsonObject | None,
    "Its arguments, as its inputSchema describes.",
    PublishedMembers(CommonArguments, and_others=True),
    FormerName("arguments"),
]


class OperationDescription(TypedDict, total=False):
    """One matching operation."""

    name: str
    title: str
    description: str
    area: str
    callWith: Annotated[str, "The tool that runs it."]
    destructive: Annotated[bool, "It changes or deletes existing data."]
    reachesOutside: Annotated[bool, "It reaches recipients or systems outside the customer's account."]
    inputSchema: Annotated[JsonObject, Verbatim]


class OperationMatches(TypedDict, total=False):
    """The matching operations, best first."""

    operations: list[OperationDescription]
    more: Annotated[list[str], "Names of further matches."]
    hint: Annotated[str, "What else helps."]


@lru_cache(maxsize=8)
def with_discovery(tools: tuple[Tool, ...], excluded: frozenset[str] = frozenset()) -> tuple[Tool, ...]:
    """Return *tools* plus the tools that find and call them, and apply their changes if any tool writes.

    *excluded* are the names of tools that write, which a read-only catalog leaves out.
    """
    finder = ToolFinder(tools, excluded)
    extended = (*tools, make_find_tool(finder), make_read_tool(finder))
    if not any(tool.writes for tool in tools):
        return extended
    return (*extended, make_call_tool(finder), make_confirm_tool({tool.name: tool for tool in tools}))


def make_find_tool(finder: ToolFinder) -> Tool:
    """Return find_operation, which searches the tools of *finder*."""

    @composed_tool(
        area=AREA,
        search_hint=SEARCH_HINT,
        narrow_hint="Ask for fewer (limit).",
        default_list=True,
        discovery_list=True,
        always_loaded=True,
        slow=False,
    )
    async def find_operation(
        call: Call,
        *,
        query: Annotated[str, "What it should do, e.g. invite a user; kubernetes labels.", Length(1, 300)],
        area: Annotated[str | None, "Only this toolset, e.g. budgets or cloudflow.", Length(1, 40)] = None,
        access: Annotated[
            Literal["read", "write"] | None, "Only operations that read, or that change something."
        ] = None,
        limit: Annotated[int, "Maximum operations to describe.", Range(1, 5)] = DEFAULT_LIMIT,
    ) -> Annotated[JsonObject, OperationMatches]:
        """Find DoiT operations that are not in this tool list, by keywords: users, labels, contracts, commitments,
        CloudFlow, Kubernetes, datasets and more. Returns their input schemas; run one with read_operation or
        call_operation."""
        return search_operations(finder, query, area, access, limit)

    return tool_from_function(find_operation)


def search_operations(finder: ToolFinder, query: str, area: str | None, access: str | None, limit: int) -> JsonObject:
    """Return the best *limit* tools for *query* with their descriptions, and the names of some more.

    Raises ToolError for an unknown *area*.
    """
    areas = sorted({tool.area for tool in finder.tools})
    if area is not None and area not in areas:
        raise ToolError(f"area: {short_json(area)} is an unknown toolset. Available: {', '.join(areas)}")
    matches = [
        tool
        for tool in finder.rank_tools(query)
        if (area is None or tool.area == area) and (access is None or tool.writes == (access == "write"))
    ]
    if not matches:
        hint = "Nothing matches. Use other or fewer words, or omit area and access."
        return {"operations": [], "hint": f"{hint} Toolsets: {', '.join(areas)}."}
    hints = topic_hints(WORD_PATTERN.findall(query.casefold()), [tool.name for tool in finder.tools])
    result: JsonObject = {"operations": [describe_operation(tool) for tool in matches[:limit]]}
    if hints:
        result["hint"] = " ".join(hints)
    more_names = [tool.name for tool in matches[limit : limit + MAX_MORE_NAMES]]
    return result | ({"more": more_names} if more_names else {})


def describe_operation(tool: Tool) -> JsonObject:
    """Return the description of *tool* with all that a client needs to call it."""
    summary: JsonObject = {"name": tool.name, "title": tool.title, "description": tool.description, "area": tool.area}
    summary["callWith"] = WRITE_TOOL if tool.writes else READ_TOOL
    if tool.writes:
        summary["destructive"] = tool.annotations["destructiveHint"]
        summary["reachesOutside"] = tool.annotations["openWorldHint"]
    return {**summary, "inputSchema": tool.input_schema}


def make_read_tool(finder: ToolFinder) -> Tool:
    """Return read_operation, which runs only reads, so that clients need not ask the user as they do before a write."""

    @composed_tool(
        area=AREA, search_hint=SEARCH_HINT, default_list=True, discovery_list=True, always_loaded=True, slow=False
    )
    async def read_operation(call: Call, *, name: OperationName, input: OperationInput = None) -> ToolResult:
        """Run a read-only operation that find_operation returned."""
        return await run_tool(read_only_tool(finder, name), call, input)

    return _with_target(tool_from_function(read_operation), partial(read_only_tool, finder))


def make_call_tool(finder: ToolFinder) -> Tool:
    """Return call_operation, which runs any operation. Its hints describe the worst case."""

    @composed_tool(
        area=AREA,
        search_hint=SEARCH_HINT,
        writes=True,
        destructive=True,
        open_world=True,
        default_list=True,
        discovery_list=True,
        always_loaded=True,
        confirm=Unconfirmed("The operation that it runs asks for confirmation."),
        view=True,
        preview_with=None,
    )
    async def call_operation(call: Call, *, name: OperationName, input: OperationInput = None) -> ToolResult:
        """Run any operation that find_operation returned, including those that change or delete data or notify others:
        ask the user first. For read-only operations, use read_operation."""
        return await run_tool(tool_by_name(finder, name), call, input)

    return _with_target(tool_from_function(call_operation), partial(tool_by_name, finder))


def _with_target(tool: Tool, find: Callable[[str], Tool]) -> Tool:
    """Return *tool* with a target resolver: *find* returns the operation that a call names."""
    return replace(tool, resolve_target=lambda arguments: (find(arguments["name"]), operation_input(arguments)))


def operation_input(arguments: JsonObject) -> JsonObject:
    """Return the arguments of the operation that a call names.

    Semantic Kernel replaces an argument named "arguments", the former name of *input*, with all arguments of the call.
    """
    given: JsonObject = arguments.get("input") or {}
    if given.get("name") != arguments["name"] or not given.keys() <= {"name", "arguments"}:
        return given
    inner = given.get("arguments", {})
    return inner if isinstance(inner, dict) else given


def tool_by_name(finder: ToolFinder, name: str) -> Tool:
    """Return the tool with this current or former name. Raises ToolError that suggests similar names."""
    tool = next((tool for tool in finder.tools if name in (tool.name, tool.facts.get("alias"))), None)
    if tool is not None:
        return tool
    if name in finder.excluded:
        raise ToolError(f"name: {name} {READ_ONLY}.")
    if name in DISCOVERY_NAMES:
        raise ToolError(f"name: unknown operation {short_json(name)}; call the tool {name} itself.")
    similar = finder.similar_names(name)
    advice = f"did you mean {' or '.join(similar)}? Otherwise search" if similar else "search"
    raise ToolError(f"name: unknown operation {short_json(name)}; {advice} with find_operation.")


def read_only_tool(finder: ToolFinder, name: str) -> Tool:
    """Return the tool with this name. Raises ToolError if it writes."""
    tool = tool_by_name(finder, name)
    if tool.writes:
        raise ToolError(f"{tool.name} changes something: ask the user first, then run it with {WRITE_TOOL}.")
    return tool


async def run_tool(tool: Tool, call: Call, arguments: JsonObject | None) -> ToolResult:
    """Return the result of *tool* for *arguments* as the client sent them. Raises ToolError if they are invalid."""
    parsed, problems = tool.parse_arguments(arguments or {})
    if problems:
        raise ToolError(f"Invalid arguments: {'; '.join(problems)}")
    return await tool.run(call, parsed)
