"""What the lists of tools may cost a client's model; counted by o200k."""

from __future__ import annotations

import pytest

from doit_mcp.catalog.tools.tool import Tool
from scripts.token_counts import (
    PAGE,
    Cost,
    cost_table,
    largest_tools,
    listed_tools,
    main,
    make_tokenizer,
    measure_costs,
    model_tool_json,
    replace_table,
)
from tests.test_docs import rows_between

COUNT = make_tokenizer()
COSTS = {one.path: one for one in measure_costs(COUNT)}


def test_the_usual_list_is_small() -> None:
    assert COSTS["/mcp"].sent_tokens < 15_000 and COSTS["/mcp"].tools <= 30


def test_discovery_is_tiny() -> None:
    assert COSTS["/mcp/x/discovery"].sent_tokens < 2_000


@pytest.mark.parametrize("tool", listed_tools("all"), ids=lambda tool: tool.name)
def test_no_definition_is_large(tool: Tool) -> None:
    assert COUNT(model_tool_json(tool)) < 1_500


def test_the_docs_say_what_it_costs() -> None:
    """Counts move a little with every word; what is written must not be far off."""
    found = {
        row[0].strip("`"): [int(cell.replace(",", "")) for cell in row[1:]] for row in rows_between(PAGE, "tokens")
    }
    assert found.keys() == COSTS.keys()
    for path, (tools, all_sent, all_seen) in found.items():
        now = COSTS[path]
        assert now.tools * 0.85 < tools < now.tools * 1.1 and now.sent_tokens * 0.85 < all_sent < now.sent_tokens * 1.1
        assert now.model_tokens * 0.85 < all_seen < now.model_tokens * 1.1


def test_the_table_takes_its_place() -> None:
    text = PAGE.read_text("utf-8")
    made = [Cost("/mcp", 3, 1234, 567)]
    again = replace_table(text, made)
    assert cost_table(made) in again and '"``/mcp``","3","1,234","567"' in again and replace_table(again, made) == again
    with pytest.raises(ValueError, match="no markers"):
        replace_table("nothing", made)


def test_the_largest_come_first() -> None:
    sizes = [size for _, size in largest_tools(COUNT)]
    assert len(sizes) == 10 and sizes == sorted(sizes, reverse=True)


def test_the_script_prints_the_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert f"{COSTS['/mcp'].sent_tokens:,} tokens" in printed and "run_query" in printed
