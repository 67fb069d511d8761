"""Which tools each selection lists, and which tools can be called."""

from __future__ import annotations

import pytest

from doit_mcp.catalog.employees import employee_tools
from doit_mcp.catalog.registry import all_tools
from doit_mcp.catalog.toolsets import Selection, UnknownToolset, callable_tools, listed_tools, toolset_names

TOOLS = all_tools()
NAMES = {tool.name for tool in TOOLS}
EMPLOYEES = {tool.name for tool in employee_tools()}
USUAL = {tool.name for tool in TOOLS if tool.facts.get("default_list")}


def listed(*names: str, tools: tuple[str, ...] = (), readonly: bool = False) -> list[str]:
    chosen = Selection(frozenset(names), frozenset(tools), readonly)
    return [tool.name for tool in listed_tools(TOOLS, chosen)]


def test_employee_tools_are_listed_for_employees() -> None:
    tools = employee_tools()
    assert not EMPLOYEES & NAMES
    assert all(tool.facts.get("default_list") and tool.facts.get("discovery_list") for tool in tools)


def test_default_selection_lists_the_default_tools() -> None:
    assert set(listed()) == USUAL == set(listed("core")) and 20 <= len(listed()) <= 30
    assert {"get_cloud_overview", "run_query", "list_budgets", "search", "find_operation"} < USUAL


def test_discovery_lists_its_five_tools_and_who_am_i() -> None:
    assert listed("discovery") == [
        *("search", "fetch", "validate_user", "find_operation", "read_operation", "call_operation")
    ]


def test_area_lists_its_own_tools() -> None:
    assert listed("labels") == [tool.name for tool in TOOLS if tool.area == "labels"]
    assert set(listed("labels", "budgets")) == set(listed("labels")) | set(listed("budgets"))
    assert set(listed("core", "labels")) == set(listed()) | set(listed("labels"))
    assert listed("all") == [tool.name for tool in TOOLS]


def test_single_tools_are_listed_alone_or_added() -> None:
    assert listed(tools=("get_label", "search")) == ["search", "get_label"]
    assert set(listed("discovery", tools=("get_label",))) == set(listed("discovery")) | {"get_label"}


def test_read_only_takes_precedence() -> None:
    writes = {tool.name for tool in TOOLS if tool.writes}
    for chosen in ((), ("all",), ("discovery",), ("labels",)):
        assert set(listed(*chosen, readonly=True)) == set(listed(*chosen)) - writes
    assert listed(tools=("delete_label",), readonly=True) == []
    assert {tool.name for tool in callable_tools(TOOLS, Selection(readonly=True))} == NAMES - writes
    assert len(callable_tools(TOOLS, Selection(frozenset({"labels"})))) == len(TOOLS)


def test_toolset_names() -> None:
    names = toolset_names(TOOLS)
    assert names[:2] == ("core", "all") and list(names[2:]) == sorted(set(names[2:])) and "discovery" in names
    assert {"budgets", "search", "auth"} < set(names)


@pytest.mark.parametrize(
    ("chosen", "what"),
    [
        (Selection(frozenset({"labels", "nothing"})), "Unknown toolset 'nothing'. Available: core, all"),
        (Selection(frozenset({"employees"})), "Unknown toolset 'employees'"),
        (Selection(tools=frozenset({"nothing"})), "Unknown tool 'nothing'"),
    ],
)
def test_rejects_unknown_toolset_or_tool(chosen: Selection, what: str) -> None:
    with pytest.raises(UnknownToolset, match=what):
        listed_tools(TOOLS, chosen)
