"""Which tools each selection lists, and which tools can be called."""

from __future__ import annotations

import pytest

from doit_mcp.catalog.employees import employee_tools
from doit_mcp.catalog.registry import all_tools
from doit_mcp.catalog.tools.untested import is_untested
from doit_mcp.catalog.toolsets import (
    Selection,
    UnknownToolset,
    select_callable_tools,
    select_listed_tools,
    toolset_names,
)

TOOLS = all_tools()
NAMES = {tool.name for tool in TOOLS}
EMPLOYEES = {tool.name for tool in employee_tools()}
USUAL = {tool.name for tool in TOOLS if tool.facts.get("default_list")}


def list_names(*names: str, tools: tuple[str, ...] = (), readonly: bool = False) -> list[str]:
    chosen = Selection(frozenset(names), frozenset(tools), readonly)
    return [tool.name for tool in select_listed_tools(TOOLS, chosen)]


def test_employee_tools_are_listed_for_employees() -> None:
    tools = employee_tools()
    assert not EMPLOYEES & NAMES
    assert all(tool.facts.get("default_list") and tool.facts.get("discovery_list") for tool in tools)


def test_default_selection_lists_the_default_tools() -> None:
    assert set(list_names()) == USUAL == set(list_names("core")) and 20 <= len(list_names()) <= 30
    assert {"get_cloud_overview", "run_query", "list_budgets", "search", "find_operation"} < USUAL


def test_discovery_lists_its_six_tools_and_who_am_i() -> None:
    assert list_names("discovery") == [
        *("search", "fetch", "validate_user", "find_operation", "read_operation", "call_operation"),
        "confirm_action",
    ]


def test_area_lists_its_own_tools() -> None:
    # With any tool that writes comes the one that applies prepared changes.
    assert list_names("labels") == [*(tool.name for tool in TOOLS if tool.area == "labels"), "confirm_action"]
    assert set(list_names("labels", "budgets")) == set(list_names("labels")) | set(list_names("budgets"))
    assert set(list_names("core", "labels")) == set(list_names()) | set(list_names("labels"))
    assert list_names("all") == [tool.name for tool in TOOLS if not is_untested(tool)]


def test_single_tools_are_listed_alone_or_added() -> None:
    assert list_names(tools=("get_label", "search")) == ["search", "get_label"]
    assert set(list_names("discovery", tools=("get_label",))) == set(list_names("discovery")) | {"get_label"}


def test_read_only_takes_precedence() -> None:
    writes = {tool.name for tool in TOOLS if tool.writes}
    for chosen in ((), ("all",), ("discovery",), ("labels",)):
        assert set(list_names(*chosen, readonly=True)) == set(list_names(*chosen)) - writes
    assert list_names(tools=("delete_label",), readonly=True) == []
    assert {tool.name for tool in select_callable_tools(TOOLS, Selection(readonly=True))} == NAMES - writes
    assert len(select_callable_tools(TOOLS, Selection(frozenset({"labels"})))) == len(TOOLS)


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
        select_listed_tools(TOOLS, chosen)
