"""Declarations: leaving out a fact is an error that names the tool, the fact and the file."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Annotated, TypedDict

import pytest

import doit_mcp.catalog
from doit_mcp.api import AREAS
from doit_mcp.api.facts import REVERSIBLE
from doit_mcp.api.operation import Area, delete, get, operation_of, patch, post
from doit_mcp.catalog.call import Call
from doit_mcp.catalog.employees import employee_tools
from doit_mcp.catalog.registry import COMPOSED, all_tools
from doit_mcp.catalog.tools.composed import composed_tool, facts_of
from doit_mcp.catalog.tools.declarations import reader_name
from doit_mcp.catalog.tools.titles import make_title
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.tools.tool_factory import tool_from_function, tool_from_operation
from doit_mcp.catalog.writes.confirmation import find_reader
from doit_mcp.catalog.writes.receipt_verification import verifier_for
from doit_mcp.protocol.jsonrpc import JsonObject

TOOLS = (*all_tools(), *employee_tools())
NAMED = {tool.name: tool for tool in TOOLS}
EACH = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
HERE = "tests/catalog/tools/test_declarations.py"


class Lids(TypedDict):
    lids: list[JsonObject]


class Pots(Area):
    """Pots."""

    @get("/pots/{id}")
    async def get_pot(self, *, id: str) -> JsonObject: ...

    @post("/pots")
    async def create_pot(self) -> JsonObject: ...

    @post("/pots", confirm=False)
    async def make_pot(self) -> JsonObject: ...

    @patch("/pots/{id}", confirm=False, preview_with=get_pot)
    async def paint_pot(self, *, id: str) -> JsonObject: ...

    @post("/pots/{id}/mail", confirm=False, open_world=True, undone_by="nothing")
    async def mail_pot(self, *, id: str) -> JsonObject: ...

    @post("/pots/{id}/wash", confirm=False, verify_with=None)
    async def wash_pot(self, *, id: str) -> JsonObject: ...

    @get("/pots/{id}/lids", items="hist")
    async def list_lids(self, *, id: str) -> Annotated[JsonObject, Lids]: ...

    @delete("/pots/{id}", confirm=True)
    async def delete_pot(self, *, id: str) -> JsonObject: ...

    @delete("/pots/{id}/lid", confirm=True, preview_with=get_pot)
    async def scrap_lid(self, *, id: str) -> JsonObject: ...

    @delete("/pots/{id}/shelf", confirm=True, preview_with=get_pot, sets_status=True)
    async def shelve_pot(self, *, id: str) -> JsonObject: ...

    @patch("/pots/{id}", confirm=REVERSIBLE, preview_with="get_pan")
    async def update_pot(self, *, id: str) -> JsonObject: ...

    @patch("/pots/{id}", confirm=REVERSIBLE, preview_with=update_pot)
    async def fill_pot(self, *, id: str) -> JsonObject: ...


def tool(name: str) -> Tool:
    return tool_from_operation(operation_of(getattr(Pots, name)), "labels")


@pytest.mark.parametrize(
    ("name", "fact", "meaning"),
    [
        ("create_pot", "confirm", "True asks the user before each call, False does not"),
        ("paint_pot", "confirm", "asks the user (True) or says why not (Unconfirmed)"),
        ("mail_pot", "confirm", "asks the user (True) or says why not (Unconfirmed)"),
        ("delete_pot", "preview_with", "the method that reads what it changes"),
        ("wash_pot", "preview_with", "the method that reads what it changes"),
        ("make_pot", "verify_with", "the method that shows whether the created object still exists"),
    ],
)
def test_a_write_without_a_fact_is_no_tool(name: str, fact: str, meaning: str) -> None:
    said = f"^{re.escape(HERE)}: {name} needs {fact}= in its decorator: .*{re.escape(meaning)}"
    with pytest.raises(TypeError, match=said):
        tool(name)


def test_a_deletion_is_known_by_its_request_whatever_its_name() -> None:
    assert tool("scrap_lid").deletes and tool("scrap_lid").targets == ("id",)
    assert not tool("shelve_pot").deletes and not tool("update_pot").deletes


def test_a_composed_write_without_a_fact_is_no_tool() -> None:
    @composed_tool(area="labels", writes=True)
    async def mend_pot(call: Call) -> JsonObject:
        """Mend."""
        return {}

    with pytest.raises(TypeError, match=f"^{re.escape(HERE)}: mend_pot needs confirm= in its decorator"):
        tool_from_function(mend_pot)


def test_rows_are_a_member_of_the_result() -> None:
    said = f"{HERE}: list_lids has items='hist' in its decorator, but Lids has no such member. Available: lids"
    with pytest.raises(TypeError, match=re.escape(said)):
        tool("list_lids")

    @composed_tool(area="labels", rows_key="pots")
    async def count_lids(call: Call) -> Annotated[JsonObject, Lids]:
        """Count lids."""
        return {}

    with pytest.raises(TypeError, match="count_lids has rows_key='pots' in its decorator"):
        tool_from_function(count_lids)


def test_a_composed_tool_has_a_toolset() -> None:
    @composed_tool()
    async def mend_pot(call: Call) -> JsonObject:
        """Mend."""
        return {}

    with pytest.raises(TypeError, match="mend_pot needs area= in its decorator: the toolset that lists it"):
        tool_from_function(mend_pot)


def test_every_composed_tool_is_listed() -> None:
    """A function with the decorator is in COMPOSED of catalog/registry.py, or among the tools made elsewhere."""
    declared: dict[str, str] = {}
    for module in pkgutil.walk_packages(doit_mcp.catalog.__path__, "doit_mcp.catalog."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if hasattr(value, "composed_facts") and value.__module__ == module.name:
                declared[name] = module.name
    assert len(declared) > 10
    missing = [f"{module}.{name}" for name, module in declared.items() if name not in NAMED]
    assert not missing, f"add to COMPOSED in doit_mcp/catalog/registry.py: {', '.join(missing)}"


def test_a_function_without_a_declaration_is_no_tool() -> None:
    async def mend_pot(call: Call) -> JsonObject:
        return {}

    with pytest.raises(TypeError, match="mend_pot: the decorator @composed_tool is missing"):
        tool_from_function(mend_pot)


@pytest.mark.parametrize(("name", "reader"), [("update_pot", "get_pan"), ("fill_pot", "update_pot")])
def test_a_reader_is_a_tool_that_reads(name: str, reader: str) -> None:
    named = {one: tool(one) for one in ("get_pot", "update_pot", "fill_pot")}
    said = f"{HERE}: {name} has preview_with={reader}, which is not a tool that reads"
    for find in (find_reader, verifier_for):
        with pytest.raises(TypeError, match=re.escape(said)):
            find(named[name], named)


@EACH
def test_what_a_declaration_refers_to_exists(tool: Tool) -> None:
    """Readers, and the names of arguments."""
    assert not (problems := list(dangling(tool))), f"{tool.declared_in}: {tool.name}: {'; '.join(problems)}"


def dangling(tool: Tool) -> Iterator[str]:
    facts, own = tool.facts, tool.input_schema["properties"].keys()
    for fact, reader in (("preview_with", facts.get("preview_with")), ("verify_with", facts.get("verify_with"))):
        if (name := reader_name(reader)) and (name not in NAMED or NAMED[name].writes):
            yield f"{fact}={name} is not a tool that reads"
    for fact, names in (
        ("targets", {*facts.get("targets", ())}),
        ("adds", {facts.get("adds", "")} - {""}),
        ("removes", {facts.get("removes", "")} - {""}),
        ("preview_arguments", facts.get("preview_arguments", {}).keys()),
        ("canonical_arguments", facts.get("canonical_arguments", {}).keys()),
    ):
        if unknown := names - own:
            yield f"{fact} names {', '.join(sorted(unknown))}, which is no argument"
    shown = NAMED.get(reader_name(facts.get("preview_with")))
    if shown is not None and (unknown := {*facts.get("preview_arguments", {}).values()} - {"id"}):
        if unknown := unknown - shown.input_schema["properties"].keys():
            yield f"preview_arguments: {shown.name} has no argument {', '.join(sorted(unknown))}"


@EACH
def test_the_reader_of_a_preview_can_be_called_with_what_the_write_is_given(tool: Tool) -> None:
    reader = NAMED.get(reader_name(tool.facts.get("preview_with")))
    if reader is None or reader.verb == "list":
        return
    renamed = tool.facts.get("preview_arguments", {})
    given = {renamed.get(name, name) for name in tool.input_schema["properties"]}
    missing = set(reader.input_schema.get("required", ())) - given
    assert not missing, (
        f"{tool.declared_in}: {tool.name} needs preview_arguments= in its decorator: {reader.name} asks for"
        f" {', '.join(sorted(missing))}"
    )


def test_former_names_reach_one_tool_and_are_no_names() -> None:
    former = [alias for tool in TOOLS if (alias := tool.facts.get("alias"))]
    assert len(set(former)) == len(former) >= 6 and not set(former) & NAMED.keys()


@EACH
def test_a_title_spells_words_as_the_description_does(tool: Tool) -> None:
    """A title made from the name has no capitals, unless catalog/tools/titles.py knows the word."""
    spelled = {word.lower(): word for word in re.findall(r"\w+", tool.description) if word[1:] != word[1:].lower()}
    wrong = [word for word in tool.title.split() if spelled.get(word.lower(), word) != word]
    assert not wrong, (
        f"{tool.declared_in}: {tool.name} needs title= in its decorator: {tool.title!r} does not spell"
        f" {', '.join(spelled[word.lower()] for word in wrong)} as the description does"
    )


@EACH
def test_a_title_is_made_from_the_name_or_declared(tool: Tool) -> None:
    declared = {row.name: row.title for area in AREAS.values() for row in area.operations}
    declared |= {function.__name__: facts_of(function).get("title", "") for function in COMPOSED}
    assert tool.title == (declared.get(tool.name) or make_title(tool.name))
