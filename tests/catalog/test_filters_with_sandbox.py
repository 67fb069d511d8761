"""Filters and categories as the tools teach them, against the sandbox, which compares them as the API does."""

from __future__ import annotations

import re

import orjson
import pytest

from doit_mcp.catalog.registry import all_tools

from .conftest import Ask


@pytest.mark.parametrize(
    ("tool", "rows", "term"),
    [
        ("list_assets", "assets", "type:g-suite"),
        ("list_commitments", "commitments", "provider:amazon-web-services"),
        ("list_invoices", "invoices", "status:PAID"),
        ("list_reports", "reports", "type:custom"),
        ("get_cloud_incidents", "incidents", "status:active"),
    ],
)
async def test_brackets_around_the_value_of_a_filter_change_nothing(ask: Ask, tool: str, rows: str, term: str) -> None:
    selected = (await ask(tool, filter=term))[rows]
    key, _, value = term.partition(":")
    # The API would take the brackets as part of the value, and match nothing.
    assert (await ask(tool, filter=f"{key}:[{value}]"))[rows] == selected != []


def test_no_tool_teaches_brackets() -> None:
    definitions = {tool.name: orjson.dumps([tool.description, tool.input_schema]).decode() for tool in all_tools()}
    assert [name for name, text in definitions.items() if re.search(r"\w:\[\w+\]", text)] == []


@pytest.mark.parametrize("category", ["OperationalExcellence", "FinOps", "Security"])
async def test_categories_select_recommendations(ask: Ask, category: str) -> None:
    insights = (await ask("list_optimization_recommendations", category=[category]))["insights"]
    spellings = [row["categories"].replace(" ", "").casefold() for row in insights]
    assert spellings and all(category.casefold() in text for text in spellings)
