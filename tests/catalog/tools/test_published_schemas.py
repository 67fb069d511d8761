"""The published definitions of all tools keep the rules of model providers and agent frameworks."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.catalog.tools.tool import Tool
from scripts.token_counts import listed_tools

from .provider_rules import CHECKERS, Checker, is_open, parts

TOOLS = {tool.name: tool for toolset in ("", "all") for tool in listed_tools(toolset)}
EACH = pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
RESERVED = frozenset(
    (
        # LangChain and LangGraph
        *("config", "run_manager", "callbacks", "runtime", "state", "store"),
        # Semantic Kernel
        *("kernel", "service", "execution_settings", "arguments"),
        # Agno
        *("agent", "team", "run_context", "tool_name"),
        # Google's Agent Development Kit
        "tool_context",
    )
)
"""Names of arguments that frameworks replace by objects of their own."""


@pytest.mark.parametrize("check", CHECKERS, ids=lambda check: check.__name__)
@EACH
def test_definitions_keep_the_rules_of_providers(tool: Tool, check: Checker) -> None:
    problems = [
        f"{tool.declared_in}: {tool.name}: {one}" for one in check(tool.name, tool.description, tool.input_schema)
    ]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("check", "schema"),
    [
        (CHECKERS[0], {"type": "object", "properties": {"a": {"type": "array"}}}),
        (CHECKERS[0], {"type": "object", "properties": {}, "anyOf": []}),
        (CHECKERS[1], {"type": "object", "properties": {"a": {"type": "object"}}}),
        (CHECKERS[1], {"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}}),
        (CHECKERS[2], {"type": "object", "properties": {"a b": {"type": "string"}}}),
        (CHECKERS[3], {"type": "object", "properties": {}, "additionalProperties": False}),
        (CHECKERS[3], {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}),
        (CHECKERS[3], {"type": "object", "properties": {"a": {"type": "number", "exclusiveMinimum": 0}}}),
        (CHECKERS[3], {"type": "object", "properties": {"a": {"type": "object"}}}),
        (CHECKERS[4], {"type": "string"}),
    ],
)
def test_rules_find_violations(check: Checker, schema: dict[str, Any]) -> None:
    assert list(check("tool", "A tool.", schema))


@EACH
def test_no_argument_has_a_name_that_frameworks_replace(tool: Tool) -> None:
    assert not RESERVED & tool.input_schema["properties"].keys()


@EACH
def test_arguments_are_never_null(tool: Tool) -> None:
    for path, _, part in parts(tool.input_schema):
        assert part.get("type") != "null", path


def test_open_objects_are_few_and_say_so() -> None:
    found = {
        f"{name}{path}" for name, tool in TOOLS.items() for path, _, part in parts(tool.input_schema) if is_open(part)
    }
    assert {"read_operation.input", "call_operation.input", "trigger_cloud_flow.requestBodyJson"} <= found
    assert len(found) < 30


@EACH
def test_unknown_arguments_are_refused_although_the_schema_does_not_say_so(tool: Tool) -> None:
    problems = tool.argument_problems({"no such argument": 1})
    assert any(problem.startswith("no such argument: is unknown") for problem in problems)
