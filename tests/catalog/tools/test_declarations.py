"""Declarations: leaving out a fact is an error that names the tool, the fact and the file."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest

import doit_mcp.catalog
import tests.catalog
from doit_mcp.api import AREAS
from doit_mcp.api.facts import REVERSIBLE
from doit_mcp.api.operation import Area, delete, get, operation_of, patch, post
from doit_mcp.api.permissions import USERS_MANAGER
from doit_mcp.catalog import registry
from doit_mcp.catalog.call import Call
from doit_mcp.catalog.employees import employee_tools
from doit_mcp.catalog.registry import COMPOSED_MODULES, TOOL_PACKAGES, all_tools, composed_tools
from doit_mcp.catalog.search import tools as search_tools
from doit_mcp.catalog.tools.composed import composed_tool, list_composed_functions, read_facts
from doit_mcp.catalog.tools.declarations import reader_name
from doit_mcp.catalog.tools.titles import make_title
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.tools.tool_factory import tool_from_function, tool_from_operation
from doit_mcp.catalog.writes.receipt_verification import verifier_for
from doit_mcp.catalog.writes.state_reader import find_reader
from doit_mcp.protocol.jsonrpc import JsonObject

TOOLS = (*all_tools(), *employee_tools())
NAMED = {tool.name: tool for tool in TOOLS}
EACH = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
HERE = "tests/catalog/tools/test_declarations.py"


FACTS: dict[str, Any] = {"slow": False, "default_list": False}
"""The facts that every composed tool that reads must state."""
Id = Annotated[str, "Where the pot stands."]


class Lids(TypedDict):
    lids: list[JsonObject]


class Pots(Area):
    """Pots."""

    @get("/pots/{id}")
    async def get_pot(self, *, id: Id) -> JsonObject: ...

    @post("/pots")
    async def create_pot(self) -> JsonObject: ...

    @post("/pots", confirm=False)
    async def make_pot(self) -> JsonObject: ...

    @patch("/pots/{id}", confirm=False, preview_with=get_pot)
    async def paint_pot(self, *, id: Id) -> JsonObject: ...

    @post("/pots/{id}/stack", confirm=True, preview_with=get_pot)
    async def stack_pot(self, *, id: Id) -> JsonObject: ...

    @post("/pots/{id}/mail", destructive=False, confirm=False, open_world=True, undone_by="nothing")
    async def mail_pot(self, *, id: Id) -> JsonObject: ...

    @post("/pots/{id}/wash", destructive=False, confirm=False, verify_with=None)
    async def wash_pot(self, *, id: Id) -> JsonObject: ...

    @post("/pots/{id}/glaze", destructive=False, confirm=False, preview_with=get_pot)
    async def glaze_pot(self, *, id: Id) -> JsonObject: ...

    @post("/pots/query", read_only=True)
    async def query_pots(self) -> JsonObject: ...

    @get("/pots/{id}/lids", items="hist")
    async def list_lids(self, *, id: Id) -> Annotated[JsonObject, Lids]: ...

    @delete("/pots/{id}", confirm=True)
    async def delete_pot(self, *, id: Id) -> JsonObject: ...

    @delete("/pots/{id}/lid", confirm=True, preview_with=get_pot, open_world=False)
    async def scrap_lid(self, *, id: Id) -> JsonObject: ...

    @delete("/pots/{id}/shelf", confirm=True, preview_with=get_pot, sets_status=True, open_world=False)
    async def shelve_pot(self, *, id: Id) -> JsonObject: ...

    @patch("/pots/{id}", confirm=REVERSIBLE, preview_with="get_pan", open_world=False)
    async def update_pot(self, *, id: Id) -> JsonObject: ...

    @patch("/pots/{id}", confirm=REVERSIBLE, preview_with=update_pot, open_world=False)
    async def fill_pot(self, *, id: Id) -> JsonObject: ...


def tool(name: str) -> Tool:
    return tool_from_operation(operation_of(getattr(Pots, name)), "labels")


@pytest.mark.parametrize(
    ("name", "fact", "meaning"),
    [
        ("create_pot", "confirm", "True asks the user before each call, False does not"),
        ("paint_pot", "confirm", "asks the user (True) or says why not (Unconfirmed)"),
        ("mail_pot", "confirm", "asks the user (True) or says why not (Unconfirmed)"),
        ("stack_pot", "destructive", "True if it changes or deletes something, False if it only adds"),
        ("delete_pot", "preview_with", "the method that reads what it changes"),
        ("wash_pot", "preview_with", "the method that reads what it changes"),
        ("make_pot", "verify_with", "the method that shows whether the created object still exists"),
        ("glaze_pot", "open_world", "True if it reaches outside the account, such as by email, else False"),
        ("query_pots", "slow", "True if its response is computed and can take many seconds, else False"),
    ],
)
def test_operation_without_a_required_fact_is_rejected(name: str, fact: str, meaning: str) -> None:
    pattern = f"^{re.escape(HERE)}: {name} needs {fact}= in its decorator: .*{re.escape(meaning)}"
    with pytest.raises(TypeError, match=pattern):
        tool(name)


def test_permissions_are_stated_by_all_operations_of_an_area_or_none() -> None:
    said = f"{HERE}: read_lock needs permission= in its decorator, because other operations of its area have it"
    with pytest.raises(TypeError, match=f"^{re.escape(said)}"):

        class Locks(Area):
            """Locks."""

            @get("/locks", permission=USERS_MANAGER)
            async def list_locks(self) -> JsonObject: ...

            @get("/locks/names", permission=None)
            async def list_lock_names(self) -> JsonObject: ...

            @get("/locks/{id}")
            async def read_lock(self, *, id: Id) -> JsonObject: ...


@pytest.mark.parametrize("fact", ["slow", "default_list"])
def test_composed_tool_without_a_required_fact_is_rejected(fact: str) -> None:
    facts: dict[str, Any] = {name: value for name, value in FACTS.items() if name != fact}

    @composed_tool(area="labels", **facts)
    async def count_lids(call: Call) -> JsonObject:
        """Count lids."""
        return {}

    with pytest.raises(TypeError, match=f"^{re.escape(HERE)}: count_lids needs {fact}= in its decorator: True if "):
        tool_from_function(count_lids)


DEFAULT_OPERATIONS = {
    "list_reports",
    "list_dimensions",
    "list_invoices",
    "get_invoice",
    "list_tickets",
    "create_ticket",
    "validate_user",
}
COMPUTED_OPERATIONS = {"upload_datahub_csv", "send_datahub_events", "get_cloud_diagram_cost_snapshot", "ask_ava_sync"}


def test_facts_of_operations_that_are_false_by_default() -> None:
    """Few operations are listed by default or slow, so the others need not say that they are not."""
    operations = {operation.name: operation for area in AREAS.values() for operation in area.operations}
    for name in DEFAULT_OPERATIONS:
        assert operations[name].facts.get("default_list"), f"{NAMED[name].declared_in}: {name} needs default_list=True"
    for name in COMPUTED_OPERATIONS:
        assert operations[name].slow, f"{NAMED[name].declared_in}: {name} needs slow=True"


def test_deletion_is_recognized_by_its_request() -> None:
    assert tool("scrap_lid").deletes and tool("scrap_lid").targets == ("id",)
    assert not tool("shelve_pot").deletes and not tool("update_pot").deletes


def test_composed_write_without_a_required_fact_is_rejected() -> None:
    @composed_tool(area="labels", writes=True, default_list=False)
    async def mend_pot(call: Call) -> JsonObject:
        """Fill the cracks."""
        return {}

    with pytest.raises(TypeError, match=f"^{re.escape(HERE)}: mend_pot needs confirm= in its decorator"):
        tool_from_function(mend_pot)


def test_rows_must_be_a_field_of_the_result() -> None:
    pattern = f"{HERE}: list_lids has items='hist' in its decorator, but Lids has no such member. Available: lids"
    with pytest.raises(TypeError, match=re.escape(pattern)):
        tool("list_lids")

    @composed_tool(area="labels", rows_key="pots", **FACTS)
    async def count_lids(call: Call) -> Annotated[JsonObject, Lids]:
        """Count lids."""
        return {}

    with pytest.raises(TypeError, match="count_lids has rows_key='pots' in its decorator"):
        tool_from_function(count_lids)


def test_composed_tool_requires_a_toolset() -> None:
    @composed_tool()  # type: ignore[call-arg]  # what the test is about
    async def mend_pot(call: Call) -> JsonObject:
        """Fill the cracks."""
        return {}

    with pytest.raises(TypeError, match="mend_pot needs area= in its decorator: the toolset that lists it"):
        tool_from_function(mend_pot)


@pytest.mark.parametrize(
    ("area", "facts", "problem"),
    [
        ("report", {}, "has the unknown toolset area='report' in its decorator. Did you mean reports?"),
        (
            "serch",
            {"search_hint": "Pots"},
            "has the unknown toolset area='serch' in its decorator. Did you mean search?",
        ),
        ("search", {}, "needs search_hint= in its decorator: the words by which clients find it"),
    ],
)
def test_the_toolset_of_a_composed_tool_exists(area: str, facts: dict[str, Any], problem: str) -> None:
    @composed_tool(area=area, **facts)
    async def mend_pot(call: Call) -> JsonObject:
        """Fill the cracks."""
        return {}

    with pytest.raises(TypeError, match=f"^{re.escape(f'{HERE}: mend_pot {problem}')}$"):
        tool_from_function(mend_pot)


def test_an_unknown_fact_of_a_composed_tool_is_an_error() -> None:
    facts: dict[str, Any] = {"area": "labels", "default_lists": True}
    said = f"^{HERE}: count_pots has an unknown fact default_lists= in its decorator. Did you mean default_list\\?$"
    with pytest.raises(TypeError, match=said):
        composed_tool(**facts)(count_pots)


async def count_pots(call: Call) -> JsonObject:
    """Count pots."""
    return {}


def test_a_composed_tool_has_the_call_first_and_named_arguments() -> None:
    @composed_tool(area="labels", **FACTS)
    async def mend_pot(pot: str, *, size: int) -> JsonObject:
        """Fill the cracks."""
        return {}

    @composed_tool(area="labels", **FACTS)
    async def mend_lid(call: Call, size: int) -> JsonObject:
        """Fill the cracks."""
        return {}

    with pytest.raises(TypeError, match=f"^{HERE}: mend_pot needs call: Call as its first parameter$"):
        tool_from_function(mend_pot)
    with pytest.raises(TypeError, match=f"^{HERE}: mend_lid has the parameter size before the "):
        tool_from_function(mend_lid)


def test_the_modules_of_composed_tools_are_listed() -> None:
    """A module with composed tools is in COMPOSED_MODULES, or its tools are made elsewhere."""
    known = {module.__name__ for module in COMPOSED_MODULES}
    searched = {package.__name__ for package in TOOL_PACKAGES}
    missing: list[str] = []
    for found in pkgutil.walk_packages(doit_mcp.catalog.__path__, "doit_mcp.catalog."):
        module = importlib.import_module(found.name)
        names = {function.__name__ for function in list_composed_functions(module)}
        is_found = found.name.rpartition(".")[0] in searched
        assert names or is_found or found.name not in known, (
            f"remove {found.name} from COMPOSED_MODULES: it declares no tool"
        )
        # An operation can have the same name.
        made = {tool.name for tool in TOOLS if tool.declared_in == f"{found.name.replace('.', '/')}.py"}
        if unlisted := names - made:
            missing.append(f"{found.name}, which declares {', '.join(sorted(unlisted))}")
    assert not missing, f"add to COMPOSED_MODULES in doit_mcp/catalog/registry.py: {'; '.join(missing)}"


def test_every_composed_tool_is_tested() -> None:
    texts = [path.read_text() for path in Path(tests.catalog.__file__).parent.rglob("test_*.py")]
    missing = [
        f"{tool.name} ({tool.declared_in})"
        for tool in composed_tools()
        if not any(re.search(rf"\b{tool.name}\b", text) for text in texts)
    ]
    assert not missing, f"add a test in tests/catalog that calls {', '.join(missing)}"


def test_the_tools_of_a_module_follow_in_the_order_of_their_declaration() -> None:
    assert [function.__name__ for function in list_composed_functions(search_tools)] == ["search", "fetch"]
    # It imports the decorator and functions of other modules, but declares no tool.
    assert list_composed_functions(registry) == ()
    assert [tool.name for tool in composed_tools()] == [tool.name for tool in all_tools()][: len(composed_tools())]


def test_undeclared_function_is_not_a_tool() -> None:
    async def mend_pot(call: Call) -> JsonObject:
        return {}

    with pytest.raises(TypeError, match=f"^{HERE}: mend_pot needs the decorator @composed_tool$"):
        tool_from_function(mend_pot)


@pytest.mark.parametrize(("name", "reader"), [("update_pot", "get_pan"), ("fill_pot", "update_pot")])
def test_preview_reader_must_be_a_read_tool(name: str, reader: str) -> None:
    named = {tool_name: tool(tool_name) for tool_name in ("get_pot", "update_pot", "fill_pot")}
    pattern = f"{HERE}: {name} has preview_with={reader}, which is not a tool that reads"
    for find in (find_reader, verifier_for):
        with pytest.raises(TypeError, match=re.escape(pattern)):
            find(named[name], named)


@EACH
def test_declared_references_exist(tool: Tool) -> None:
    """Readers, and the names of arguments."""
    assert not (problems := list(find_dangling(tool))), f"{tool.declared_in}: {tool.name}: {'; '.join(problems)}"


def find_dangling(tool: Tool) -> Iterator[str]:
    facts, arguments = tool.facts, tool.input_schema["properties"].keys()
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
        if unknown := names - arguments:
            yield f"{fact} names {', '.join(sorted(unknown))}, which is no argument"
    preview_reader = NAMED.get(reader_name(facts.get("preview_with")))
    named = {*facts.get("preview_arguments", {}).values(), *facts.get("preview_constants", {})}
    if preview_reader is not None and (unknown := named - {"id"}):
        if unknown := unknown - preview_reader.input_schema["properties"].keys():
            yield f"preview_arguments: {preview_reader.name} has no argument {', '.join(sorted(unknown))}"


@EACH
def test_preview_reader_accepts_the_arguments_of_the_write(tool: Tool) -> None:
    reader = NAMED.get(reader_name(tool.facts.get("preview_with")))
    if reader is None or reader.verb == "list":
        return
    renamed = tool.facts.get("preview_arguments", {})
    names = {renamed.get(name, name) for name in tool.input_schema["properties"]}
    names |= tool.facts.get("preview_constants", {}).keys()
    missing = set(reader.input_schema.get("required", ())) - names
    assert not missing, (
        f"{tool.declared_in}: {tool.name} needs preview_arguments= in its decorator: {reader.name} asks for"
        f" {', '.join(sorted(missing))}"
    )


def test_former_names_map_to_one_tool_and_are_unused() -> None:
    former = [alias for tool in TOOLS if (alias := tool.facts.get("alias"))]
    assert len(set(former)) == len(former) >= 6 and not set(former) & NAMED.keys()


@EACH
def test_title_spelling_matches_the_description(tool: Tool) -> None:
    """A title made from the name has no capitals, unless catalog/tools/titles.py knows the word."""
    spelled = {word.lower(): word for word in re.findall(r"\w+", tool.description) if word[1:] != word[1:].lower()}
    wrong = [word for word in tool.title.split() if spelled.get(word.lower(), word) != word]
    assert not wrong, (
        f"{tool.declared_in}: {tool.name} needs title= in its decorator: {tool.title!r} does not spell"
        f" {', '.join(spelled[word.lower()] for word in wrong)} as the description does"
    )


@EACH
def test_title_is_derived_from_the_name_or_declared(tool: Tool) -> None:
    declared = {row.name: row.title for area in AREAS.values() for row in area.operations}
    declared |= {
        function.__name__: read_facts(function).get("title", "")
        for module in COMPOSED_MODULES
        for function in list_composed_functions(module)
    }
    assert tool.title == (declared.get(tool.name) or make_title(tool.name))
