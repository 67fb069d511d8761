"""Discovery: tools that find any other tool by words, and call it, so that few have to be listed."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Literal, TypedDict

from ...protocol.json_schema import Length, Range, shown
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.aliases import ALIASES
from ..tools.tool import Content, Tool, ToolError, from_function
from .ranking import Finder

AREA = "discovery"
FEW, MOST_NAMED = 3, 10
READ, WRITE = "read_operation", "call_operation"
HINT = "Everything else that DoiT can do: any operation of the DoiT API that no listed tool covers"

Name = Annotated[str, "As find_operation gives it.", Length(1, 80)]
Arguments = Annotated[JsonObject | None, "As its inputSchema says."]


class Operation(TypedDict, total=False):
    """One operation that fits."""

    name: str
    title: str
    description: str
    area: str
    callWith: Annotated[str, "The tool that runs it: read_operation if it only reads, else call_operation."]
    destructive: Annotated[bool, "It changes or deletes what is there."]
    reachesOutside: Annotated[bool, "It reaches people or systems outside the customer's account."]
    inputSchema: JsonObject


class Found(TypedDict, total=False):
    """What fits, the best first."""

    operations: list[Operation]
    more: Annotated[list[str], "Names of others that fit less well."]
    hint: Annotated[str, "What to do where nothing fits."]


@lru_cache(maxsize=8)
def with_discovery(tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
    """*tools*, and the tools that find and call them. Where none of them writes, nothing is there that could."""
    finder = Finder(tools)
    found = (*tools, finding(finder), reading(finder))
    return (*found, calling(finder)) if any(tool.writes for tool in tools) else found


def finding(finder: Finder) -> Tool:
    """The tool that searches."""

    async def find_operation(
        call: Call,
        *,
        query: Annotated[str, "What it should do, in a few words: invite a user; kubernetes labels.", Length(1, 300)],
        area: Annotated[str | None, "Only of this toolset, such as budgets or cloudflow.", Length(1, 40)] = None,
        access: Annotated[Literal["read", "write"] | None, "Only what reads, or only what changes something."] = None,
        limit: Annotated[int, "How many to describe.", Range(1, 5)] = FEW,
    ) -> Annotated[JsonObject, Found]:
        """Find operations of DoiT that no listed tool covers, by words: users, labels, contracts, commitments,
        CloudFlow, Kubernetes, datasets and more. Answers with their input schemas; run one with read_operation or
        call_operation."""
        return found_in(finder, query, area, access, limit)

    return from_function(find_operation, area=AREA, hint=HINT, narrow="Ask for fewer (limit).")


def found_in(finder: Finder, query: str, area: str | None, access: str | None, limit: int) -> JsonObject:
    """The best *limit* tools for *query*, described, and the names of some more. Raises ToolError for an *area* that
    is none."""
    areas = sorted({tool.area for tool in finder.tools})
    if area is not None and area not in areas:
        raise ToolError(f"area: {shown(area)} is no toolset; there are {', '.join(areas)}")
    fitting = [
        tool
        for tool in finder.find(query)
        if (area is None or tool.area == area) and (access is None or tool.writes == (access == "write"))
    ]
    if not fitting:
        hint = "Nothing fits. Use other or fewer words, or leave out area and access."
        return {"operations": [], "hint": f"{hint} Toolsets: {', '.join(areas)}."}
    answer: JsonObject = {"operations": [described(tool) for tool in fitting[:limit]]}
    more = [tool.name for tool in fitting[limit : limit + MOST_NAMED]]
    return answer | ({"more": more} if more else {})


def described(tool: Tool) -> JsonObject:
    """What has to be known to call *tool*."""
    found: JsonObject = {"name": tool.name, "title": tool.title, "description": tool.description, "area": tool.area}
    found["callWith"] = WRITE if tool.writes else READ
    if tool.writes:
        found["destructive"] = tool.annotations["destructiveHint"]
        found["reachesOutside"] = tool.annotations["openWorldHint"]
    return {**found, "inputSchema": tool.input_schema}


def reading(finder: Finder) -> Tool:
    """The tool that runs what only reads, so that clients need not ask their user as they do before a change."""

    async def read_operation(call: Call, *, name: Name, arguments: Arguments = None) -> JsonObject | Content:
        """Run an operation that only reads: those that find_operation says to call with this. The answer is that of the
        operation."""
        return await ran(read_only(finder, name), call, arguments)

    made = from_function(read_operation, area=AREA, hint=HINT)
    return replace(made, stands_for=lambda given: (read_only(finder, given["name"]), given.get("arguments") or {}))


def calling(finder: Finder) -> Tool:
    """The tool that runs anything. Its hints say the worst that it can do."""

    async def call_operation(call: Call, *, name: Name, arguments: Arguments = None) -> JsonObject | Content:
        """Run any operation that find_operation gives, also one that changes or deletes something or reaches people:
        ask the user before. To read use read_operation. The answer is that of the operation."""
        return await ran(named(finder, name), call, arguments)

    made = from_function(call_operation, area=AREA, hint=HINT, writes=True, destroys=True, outward=True)
    return replace(made, stands_for=lambda given: (named(finder, given["name"]), given.get("arguments") or {}))


def named(finder: Finder, name: str) -> Tool:
    """The tool with this name, or this old name. Raises ToolError with the nearest names."""
    wanted = ALIASES.get(name, name)
    tool = next((tool for tool in finder.tools if tool.name == wanted), None)
    if tool is not None:
        return tool
    near = finder.nearest(name)
    what = f"did you mean {' or '.join(near)}? Else search" if near else "search"
    raise ToolError(f"name: there is no operation {shown(name)}; {what} with find_operation.")


def read_only(finder: Finder, name: str) -> Tool:
    """The tool with this name, if it only reads. Raises ToolError."""
    tool = named(finder, name)
    if tool.writes:
        raise ToolError(f"{tool.name} changes something: run it with {WRITE}, after asking the user.")
    return tool


async def ran(tool: Tool, call: Call, arguments: JsonObject | None) -> JsonObject | Content:
    """What *tool* answers to *arguments* as they came. Raises ToolError for wrong ones."""
    given, problems = tool.understood(arguments or {})
    if problems:
        raise ToolError(f"Invalid arguments: {'; '.join(problems)}")
    return await tool.run(call, given)
