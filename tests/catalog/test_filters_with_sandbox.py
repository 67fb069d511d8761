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


@pytest.mark.parametrize("category", ["OperationalExcellence", "Operational excellence", "FinOps", "Security"])
async def test_categories_select_recommendations(ask: Ask, category: str) -> None:
    insights = (await ask("list_optimization_recommendations", category=[category]))["insights"]
    spellings = [row["categories"].replace(" ", "").casefold() for row in insights]
    assert spellings and all(category.replace(" ", "").casefold() in text for text in spellings)


@pytest.mark.parametrize(
    ("tool", "taught", "refused"),
    [
        ("list_dimensions", "type:label|label:team", "type:label|type:fixed"),
        ("list_commitments", "provider:amazon-web-services", "provider:amazon-web-services|provider:google-cloud"),
        ("list_assets", "type:g-suite|type:google-cloud", "name:x"),
    ],
)
async def test_tools_teach_the_filters_that_the_api_takes(ask: Ask, tool: str, taught: str, refused: str) -> None:
    (definition,) = (one for one in all_tools() if one.name == tool)
    text = definition.input_schema["properties"]["filter"]["description"]
    assert await ask(tool, filter=taught) and ("Repeated keys mean OR" not in text)
    with pytest.raises(Exception, match="filter"):
        await ask(tool, filter=refused)
