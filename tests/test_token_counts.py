"""Token budgets of the tool lists (o200k), and their table in the docs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.views.metadata import tool_view_meta
from scripts.token_counts import (
    largest_tools,
    listed_tools,
    main,
    make_tokenizer,
    measure_costs,
    model_tool_json,
    tool_json,
)
from tests.test_docs import DOCS, rows_between

COUNT = make_tokenizer()
COSTS = {one.path: one for one in measure_costs(COUNT)}


def without_view(tool: Tool) -> Tool:
    return replace(tool, meta={name: value for name, value in tool.meta.items() if name not in tool_view_meta()})


def count_view_tokens(selection: str) -> int:
    """Hosts read which tools have a view, and do not pass it to models."""
    return sum(COUNT(tool_json(tool)) - COUNT(tool_json(without_view(tool))) for tool in listed_tools(selection))


def test_default_list_is_small() -> None:
    view_tokens = count_view_tokens("")
    assert COSTS["/mcp"].sent_tokens - view_tokens < 15_000 and COSTS["/mcp"].tools <= 30
    assert 0 < view_tokens < 950


def test_discovery_list_is_tiny() -> None:
    assert COSTS["/mcp/x/discovery"].sent_tokens - count_view_tokens("discovery") < 2_000


@pytest.mark.parametrize("tool", listed_tools("all"), ids=lambda tool: tool.name)
def test_no_definition_is_large(tool: Tool) -> None:
    assert COUNT(model_tool_json(tool)) < 1_500


def test_docs_state_the_exact_counts() -> None:
    rows = rows_between(DOCS / "tools" / "index.rst", "tokens")
    counts = {row[0].strip("`"): tuple(int(cell.replace(",", "")) for cell in row[1:]) for row in rows}
    assert counts == {path: (cost.tools, cost.sent_tokens, cost.model_tokens) for path, cost in COSTS.items()}, (
        "run scripts/docs"
    )


def test_largest_definitions_come_first() -> None:
    sizes = [size for _, size in largest_tools(COUNT)]
    assert len(sizes) == 10 and sizes == sorted(sizes, reverse=True)


def test_script_prints_the_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert f"{COSTS['/mcp'].sent_tokens:,} tokens" in printed and "run_query" in printed
