"""What the lists of tools cost a client's model: token counts by o200k, and their table in the docs."""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.toolsets import Selection
from doit_mcp.server.catalog import catalog_factory
from doit_mcp.server.handlers.tools import tool_entry

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tools" / "index.rst"
BEGIN, END = ".. tokens: written by scripts/tokens --write\n", "\n.. tokens: end\n"
PATHS = {"": "/mcp", "discovery": "/mcp/x/discovery", "all": "/mcp/x/all"}
LARGEST_SHOWN = 10

CountTokens = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one list costs: as it is sent, and in names, descriptions and input schemas alone, which models see."""

    path: str
    tools: int
    sent_tokens: int
    model_tokens: int


def make_tokenizer() -> CountTokens:
    """Counts tokens by o200k."""
    with warnings.catch_warnings():
        # It reads its own files in a way that Python will drop one day; nothing is wrong with what it reads.
        warnings.simplefilter("ignore", DeprecationWarning)
        encoding = importlib.import_module("bpe_openai").get_encoding("o200k_base")
    return lambda text: len(encoding.encode(text))


def listed_tools(toolset: str) -> tuple[Tool, ...]:
    """The tools that a path lists; "" for the usual ones."""
    return catalog_factory()(Selection(frozenset({toolset} if toolset else ())), False).tools


def tool_json(tool: Tool) -> str:
    """A tool as it is listed."""
    return orjson.dumps(tool_entry(tool)).decode()


def model_tool_json(tool: Tool) -> str:
    """Of a tool what clients put before their model, and what they limit."""
    shown = {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
    return orjson.dumps(shown).decode()


def measure_costs(count: CountTokens) -> list[Cost]:
    """What each path costs."""
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
    """The tools whose definitions cost most."""
    sizes = [(tool.name, count(model_tool_json(tool))) for tool in listed_tools("all")]
    return sorted(sizes, key=lambda one: -one[1])[:LARGEST_SHOWN]


def cost_table(costs: Sequence[Cost]) -> str:
    """The costs as a table of reStructuredText."""
    rows = [("Path", "Tools", "Tokens of tools/list", "Names, descriptions and arguments only")]
    rows += [(f"``{one.path}``", f"{one.tools}", f"{one.sent_tokens:,}", f"{one.model_tokens:,}") for one in costs]
    lines = "".join("   " + ",".join(f'"{cell}"' for cell in row) + "\n" for row in rows)
    return f".. csv-table::\n   :header-rows: 1\n   :widths: 30 12 28 30\n\n{lines}"


def replace_table(text: str, costs: Sequence[Cost]) -> str:
    """*text*, a page of the docs, with the table of tokens replaced. Raises ValueError if it has no markers."""
    head, begins, rest = text.partition(BEGIN)
    _, ends, tail = rest.partition(END)
    if not begins or not ends:
        raise ValueError("The page has no markers for the table of tokens")
    return f"{head}{BEGIN}\n{cost_table(costs)}{END}{tail}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the counts; with --write put them into the docs as well."""
    parser = argparse.ArgumentParser(prog="scripts/tokens", description="Count the tokens of the lists of tools.")
    parser.add_argument("--write", action="store_true", help="put the counts into the docs")
    options = parser.parse_args(arguments)
    count = make_tokenizer()
    found = measure_costs(count)
    for one in found:
        print(f"{one.path:18} {one.tools:4} tools {one.sent_tokens:7,} tokens, seen by models {one.model_tokens:7,}")
    print("Largest definitions:")
    for name, tokens in largest_tools(count):
        print(f"  {name:36} {tokens:6,}")
    if options.write:
        PAGE.write_text(replace_table(PAGE.read_text("utf-8"), found), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
