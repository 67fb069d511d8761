"""Token counts of the tool lists (o200k), and their table in the docs."""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.toolsets import Selection
from doit_mcp.catalog.views.document import view_uri
from doit_mcp.server.catalog import catalog_factory
from doit_mcp.server.handlers.tools import tool_entry
from scripts.rst import csv_table

PATHS = {"": "/mcp", "discovery": "/mcp/x/discovery", "all": "/mcp/x/all"}
MAX_LARGEST_TOOLS = 10

CountTokens = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Cost:
    """The tokens of one list: of the response, and of the names, descriptions and input schemas that models see."""

    path: str
    tools: int
    sent_tokens: int
    model_tokens: int


def make_tokenizer() -> CountTokens:
    """A function that counts the o200k tokens of a text."""
    with warnings.catch_warnings():
        # The library reads its own files with an API that Python has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        encoding = importlib.import_module("bpe_openai").get_encoding("o200k_base")
    return lambda text: len(encoding.encode(text))


def listed_tools(toolset: str) -> tuple[Tool, ...]:
    """The tools of a toolset; the default list for ""."""
    return catalog_factory()(Selection(frozenset({toolset} if toolset else ())), False).tools


def tool_json(tool: Tool) -> str:
    """A tool as ``tools/list`` sends it."""
    # The hash in the URI changes with the view, and the counts in the docs would change with it.
    return orjson.dumps(tool_entry(tool)).decode().replace(view_uri(), "ui://doit/costs-00000000.html")


def model_tool_json(tool: Tool) -> str:
    """The parts of a tool that clients pass to their model."""
    definition = {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
    return orjson.dumps(definition).decode()


def measure_costs(count: CountTokens) -> list[Cost]:
    """The cost of each path."""
    return [
        Cost(
            path,
            len(tools),
            sum(count(tool_json(tool)) for tool in tools),
            sum(count(model_tool_json(tool)) for tool in tools),
        )
        for path, tools in ((path, listed_tools(toolset)) for toolset, path in PATHS.items())
    ]


def largest_tools(count: CountTokens) -> list[tuple[str, int]]:
    """The tools with the largest definitions, largest first: name and tokens."""
    sizes = [(tool.name, count(model_tool_json(tool))) for tool in listed_tools("all")]
    return sorted(sizes, key=lambda item: -item[1])[:MAX_LARGEST_TOOLS]


def cost_table(costs: Sequence[Cost]) -> str:
    """The costs as a table of reStructuredText."""
    headings = ("Path", "Tools", "Tokens of tools/list", "Names, descriptions and arguments only")
    rows = [(f"``{cost.path}``", f"{cost.tools}", f"{cost.sent_tokens:,}", f"{cost.model_tokens:,}") for cost in costs]
    return csv_table(headings, (30, 12, 28, 30), rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the counts; exit status 0."""
    parser = argparse.ArgumentParser(prog="scripts/tokens", description="Count the tokens of the tool lists.")
    parser.parse_args(arguments)
    count = make_tokenizer()
    costs = measure_costs(count)
    for cost in costs:
        print(
            f"{cost.path:18} {cost.tools:4} tools {cost.sent_tokens:7,} tokens, seen by models {cost.model_tokens:7,}"
        )
    print("Largest definitions:")
    for name, tokens in largest_tools(count):
        print(f"  {name:36} {tokens:6,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
