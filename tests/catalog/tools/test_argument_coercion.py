"""Coercion of arguments: unambiguous values are converted, validation sees the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.discovery.tools import CommonArguments
from doit_mcp.catalog.registry import all_tools
from doit_mcp.catalog.tools.argument_coercion import OFFERED_ARGUMENTS, coerce_arguments, needs_no_coercion
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.protocol.message_limits import MAX_STRING_LENGTH, with_default_limits
from doit_mcp.protocol.schema_validator import SchemaValidator
from tests.api.recorder import Recorder
from tests.work_counter import count_work

from ..caller import run
from ..conftest import Ask

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "count": {"type": "integer"},
        "amount": {"type": "number"},
        "on": {"type": "boolean"},
        "text": {"type": "string"},
        "id": {"type": "string", "minLength": 1},
        "unit": {"type": "string", "enum": ["day", "Month"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "ticket": {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}},
        "tickets": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        "open": {"type": "object"},
        "either": {"anyOf": [{"type": "object", "properties": {"n": {"type": "integer"}}}, {"type": "string"}]},
        "any": {},
        "some": {"type": "array", "minItems": 1},
        "must": {"type": "string", "minLength": 1},
    },
    "required": ["must"],
}


@pytest.mark.parametrize(
    ("given_value", "read_value"),
    [
        ({"count": "40"}, {"count": 40}),
        ({"ticket": [], "open": [], "tags": [], "text": []}, {"ticket": {}, "open": {}, "tags": [], "text": []}),
        ({"tickets": [[]], "either": {"n": 1}}, {"tickets": [{}], "either": {"n": 1}}),
        ({"some": []}, {"some": []}),
        ({"count": " -3 "}, {"count": -3}),
        ({"count": 5.0}, {"count": 5}),
        ({"count": "5.0"}, {"count": 5}),
        ({"count": "5.01"}, {"count": "5.01"}),
        ({"count": 5.5}, {"count": 5.5}),
        ({"count": 1e300}, {"count": 1e300}),
        ({"count": "4x"}, {"count": "4x"}),
        ({"count": "9" * 30}, {"count": "9" * 30}),
        ({"count": True}, {"count": True}),
        ({"amount": "1.5e3"}, {"amount": 1500.0}),
        ({"amount": "nan"}, {"amount": "nan"}),
        ({"on": "TRUE"}, {"on": True}),
        ({"on": "yes"}, {"on": "yes"}),
        ({"text": 33234}, {"text": "33234"}),
        ({"text": 1.0}, {"text": "1"}),
        ({"text": 1.5}, {"text": 1.5}),
        ({"text": True}, {"text": True}),
        ({"text": "None", "count": "null", "tags": "undefined", "either": "null", "ticket": "None"}, {}),
        ({"text": "none", "unit": "None"}, {"text": "none"}),
        ({"must": "None"}, {"must": "None"}),
        ({"text": ""}, {"text": ""}),
        ({"either": "2026-10"}, {"either": "2026-10"}),
        ({"either": {"n": "5"}}, {"either": {"n": 5}}),
        ({"either": '{"n": "5"}'}, {"either": {"n": 5}}),
        ({"either": ["5"]}, {"either": ["5"]}),
        ({"either": "{"}, {"either": "{"}),
        ({"id": ""}, {}),
        ({"unit": "MONTH"}, {"unit": "Month"}),
        ({"unit": "year"}, {"unit": "year"}),
        ({"unit": ""}, {}),
        ({"tags": '["a", "b"]'}, {"tags": ["a", "b"]}),
        ({"tags": "[a"}, {"tags": "[a"}),
        ({"tags": "a"}, {"tags": ["a"]}),
        ({"tags": 7}, {"tags": ["7"]}),
        ({"tickets": {"n": "8"}}, {"tickets": [{"n": 8}]}),
        ({"tickets": '{"n": "8"}'}, {"tickets": [{"n": 8}]}),
        ({"tags": " "}, {"tags": " "}),
        ({"tags": [1, "b"]}, {"tags": ["1", "b"]}),
        ({"ticket": '{"id": 7, "n": "8"}'}, {"ticket": {"id": "7", "n": 8}}),
        ({"ticket": {"n": "8", "id": None, "x": None}}, {"ticket": {"n": 8}}),
        ({"open": {"n": None}}, {"open": {"n": None}}),
        ({"any": None, "count": None, "unknown": None}, {}),
        ({"must": ""}, {"must": ""}),
        ({"must": None}, {}),
        ({"customerContext": "x"}, {}),
        ({"unknown": "x"}, {"unknown": "x"}),
    ],
)
def test_values_are_coerced_to_their_schema(given_value: dict[str, Any], read_value: dict[str, Any]) -> None:
    coerced = coerce_arguments(given_value, SCHEMA)
    assert coerced == read_value
    assert [type(value) for value in coerced.values()] == [type(value) for value in read_value.values()]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("riskStatus:[atRisk]", "riskStatus:atRisk"),
        ("owner:[a@b.example]|type:[custom]|type:preset", "owner:a@b.example|type:custom|type:preset"),
        ("type: [ custom ] ", "type:custom"),
        # Names and other texts that users choose can have brackets.
        ("name:[x17]", "name:[x17]"),
        (
            "type:[custom]| reportName :[Q3]|budgetName:[x]|content:[x]",
            "type:custom| reportName :[Q3]|budgetName:[x]|content:[x]",
        ),
        # Values that are more than one pair of brackets are meant as they are.
        ("type:[prod] web", "type:[prod] web"),
        ("type:web [prod]", "type:web [prod]"),
        ("type:[a][b]", "type:[a][b]"),
        ("type:[[a]]", "type:[[a]]"),
        ("type:[]", "type:[]"),
        ("type:[ ]", "type:[ ]"),
        ("[name]:x", "[name]:x"),
        ("[atRisk]", "[atRisk]"),
        ("", ""),
    ],
)
def test_filters_lose_the_brackets_around_a_value(text: str, sent: str) -> None:
    schema = {"properties": {"filter": {"type": "string"}, "text": {"type": "string"}}}
    coerced = coerce_arguments({"filter": text, "text": text}, schema)
    assert coerced == {"filter": sent, "text": text} and coerce_arguments(coerced, schema) == coerced
    assert text == sent or not needs_no_coercion({"filter": text}, schema["properties"])


@pytest.mark.parametrize(
    ("tool", "rows", "term", "value"),
    [
        ("list_budgets", "budgets", "riskStatus", "atRisk"),
        ("list_reports", "reports", "type", "custom"),
        ("list_invoices", "invoices", "status", "PAID"),
        ("list_tickets", "tickets", "severity", "high"),
    ],
)
async def test_a_bracketed_filter_selects_the_same_rows(ask: Ask, tool: str, rows: str, term: str, value: str) -> None:
    bracketed = await ask(tool, filter=f"{term}:[{value}]")
    assert bracketed[rows] == (await ask(tool, filter=f"{term}:{value}"))[rows] != []


async def test_names_in_filters_keep_their_brackets(ask: Ask) -> None:
    await ask("create_label", name="[x17]", color="teal")
    found = await ask("list_labels", filter="name:[x17]")
    assert [label["name"] for label in found["labels"]] == ["[x17]"]


FREE_TEXTS = ("[x17]", '["a"]', '{"a": 1}', "[]", "{}", "[prod] web", "name:[x17]", "5.0", "007", "1e5", "true", '"a"')


def free_text_paths(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The members of *schema* that are text without an enum, at any depth; "*" is an item of a list."""
    if schema.get("type") == "string" and "enum" not in schema:
        yield path
    for name, member in schema.get("properties", {}).items():
        yield from free_text_paths(member, (*path, name))
    if "items" in schema:
        yield from free_text_paths(schema["items"], (*path, "*"))


@pytest.mark.parametrize("text", FREE_TEXTS)
def test_text_that_resembles_another_type_stays_text_in_every_tool(text: str) -> None:
    """Names, descriptions, search texts and comments reach the API as they were written."""
    changed = []
    for tool in TOOLS:
        for path in free_text_paths(tool.accepted_schema):
            value: Any = text
            for part in reversed(path):
                value = [value] if part == "*" else {part: value}
            if tool.coerce_arguments(value) != value:
                changed.append(f"{tool.name} {'.'.join(path)}")
    assert changed == []


def test_a_long_filter_takes_linear_time() -> None:
    schema = {"properties": {"filter": {"type": "string"}}}
    text = "a" + " " * 500_000 + "[" + ":" * 100_000
    assert coerce_arguments({"filter": text}, schema) == {"filter": text}


def test_tenant_argument_in_the_schema_is_kept() -> None:
    schema = {"type": "object", "properties": {"customerContext": {"type": "string"}}}
    assert coerce_arguments({"customerContext": "x"}, schema) == {"customerContext": "x"}


KNOWN_BY = ("id", "flowID", "name", "firstName", "email", "ss_id")
FREE = ("body", "key", "filter", "query", "nameContains")
IDENTIFIERS = frozenset({*KNOWN_BY, "layer_ids", "datasets", "customerId"})
BLANKS: dict[str, Any] = {
    "type": "object",
    "properties": {
        **{name: {"type": "string", "minLength": 1} for name in KNOWN_BY + FREE},
        **dict.fromkeys(("layer_ids", "datasets", "eventIds", "tags"), {"type": "array", "items": {"type": "string"}}),
        "ticket": {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}},
        "customerId": {"type": "integer"},
    },
    "required": ["id"],
}


@pytest.mark.parametrize("name", KNOWN_BY)
def test_identifiers_are_trimmed(name: str) -> None:
    assert coerce_arguments({name: " \t a b\n"}, BLANKS, IDENTIFIERS) == {name: "a b"}
    assert coerce_arguments({name: "  "}, BLANKS, IDENTIFIERS) == ({"id": ""} if name == "id" else {})


def test_identifiers_in_lists_are_trimmed() -> None:
    coerced = coerce_arguments({"layer_ids": [" a", "b "], "datasets": '[" c "]'}, BLANKS, IDENTIFIERS)
    assert coerced == {"layer_ids": ["a", "b"], "datasets": ["c"]}


@pytest.mark.parametrize("name", FREE)
def test_unmarked_arguments_keep_their_whitespace(name: str) -> None:
    assert coerce_arguments({name: " a "}, BLANKS, IDENTIFIERS) == {name: " a "}


def test_data_lists_and_nested_values_keep_their_whitespace() -> None:
    given_values = {"eventIds": [" a"], "tags": [" b "], "ticket": {"id": " 1 ", "name": " n "}}
    assert coerce_arguments(given_values, BLANKS, IDENTIFIERS) == given_values


def test_integers_are_coerced_as_identifiers() -> None:
    assert coerce_arguments({"customerId": " 7 ", "id": 7, "name": None}, BLANKS, IDENTIFIERS) == {
        "customerId": 7,
        "id": "7",
    }


async def test_api_receives_trimmed_identifiers() -> None:
    api = Recorder({"id": "7"})
    await run("get_ticket", api, id=" 7 ")
    await run("update_user", api, id="u1 ", firstName=" Ann", roleId="r\n")
    assert [request.path.rpartition("/")[2] for request in api.requests] == ["7", "users", "u1"]
    assert api.requests[-1].body == {"firstName": "Ann", "roleId": "r"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SCHEMA["properties"], "x"]), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "x"]), JSON))
def test_coercion_never_fails_and_is_idempotent(arguments: dict[str, Any]) -> None:
    once = coerce_arguments(arguments, SCHEMA)
    assert coerce_arguments(once, SCHEMA) == once


@given(st.dictionaries(st.sampled_from(["id", "config", "query", "ticket", "maxResults", "name", "x"]), JSON))
def test_any_arguments_can_be_coerced_and_validated_for_every_tool(arguments: dict[str, Any]) -> None:
    for tool in all_tools():
        assert all(isinstance(problem, str) for problem in tool.argument_problems(tool.coerce_arguments(arguments)))


TOOLS = all_tools()
PLAIN = st.one_of(
    st.booleans(), st.integers(-5, 5), st.sampled_from(["", "a", " a", "a ", "5", "5.0", "true", "[]", "None"])
)


@given(st.data())
def test_valid_plain_arguments_need_no_coercion(data: st.DataObject) -> None:
    """Tool.accepts() skips coercion for them, which must not make a difference."""
    tool = data.draw(st.sampled_from(TOOLS))
    properties = tool.accepted_schema["properties"]
    names = st.sampled_from([*properties, "customerContext"])
    texts = [choice for schema in properties.values() for choice in schema.get("enum", ()) if isinstance(choice, str)]
    values = st.one_of(PLAIN, st.sampled_from(texts)) if texts else PLAIN
    arguments = data.draw(st.dictionaries(names, values, max_size=4))
    if needs_no_coercion(arguments, properties) and not tool.argument_problems(arguments):
        assert coerce_arguments(arguments, tool.accepted_schema, tool.identifiers) == arguments
    assert tool.coerce_arguments(arguments) == coerce_arguments(
        arguments, tool.accepted_schema, tool.identifiers, tool.former_names
    )


def texts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas of all strings without an enum in *schema*."""
    items = [schema["items"]] if "items" in schema else []
    for inner in (*schema.get("anyOf", ()), *schema.get("properties", {}).values(), *items):
        yield from texts(inner)
    if schema.get("type") == "string" and "enum" not in schema:
        yield schema


@pytest.mark.requirement("N2")
@pytest.mark.parametrize("tool", all_tools(), ids=lambda tool: tool.name)
def test_n2_every_text_is_bounded(tool: Tool) -> None:
    """Each has its own limit, or the default one."""
    for declared, enforced in zip(
        texts(tool.accepted_schema), texts(with_default_limits(tool.accepted_schema)), strict=True
    ):
        most = declared.get("maxLength", MAX_STRING_LENGTH)
        assert enforced["maxLength"] == most
        checker = SchemaValidator({name: value for name, value in enforced.items() if name != "pattern"})
        if most <= 100_000:
            assert checker.is_valid("x" * most) and not checker.is_valid("x" * (most + 1))


@pytest.mark.requirement("N2")
@pytest.mark.parametrize("text", ["[" * 100_000, "[" + "[]," * 1_300_000 + "[]]", '["\ud800"]'])
def test_n2_json_in_text_has_the_limits_of_a_body(text: str) -> None:
    """JSON that is rejected as a list is also rejected as text: it stays a string, which validation rejects."""
    schema = {"type": "object", "properties": {"x": {"type": "array"}}}
    coerced, work = count_work(coerce_arguments, {"x": text}, schema)
    assert coerced == {"x": text} and work.lines < 1000


@pytest.mark.requirement("N2")
def test_n2_thousands_of_arguments() -> None:
    """No tool has that many, so they are rejected before any work is done on them."""
    tool = next(tool for tool in all_tools() if tool.name == "get_budget")
    _, problems = tool.parse_arguments({f"n{number}": number for number in range(150_000)})
    assert problems == ["arguments: 150,000 are too many. Available: id, name"]


@pytest.mark.requirement("N2")
def test_n2_long_text_is_not_compared_with_every_choice() -> None:
    """Case folding of the text took 8 ms for each enum value."""
    schema = {"type": "object", "properties": {"x": {"enum": ["straße", *(f"choice {n}" for n in range(200))]}}}
    long = {"x": "é" * 1_990_000}
    coerced, work = count_work(coerce_arguments, long, schema)
    assert coerced == long and work.characters < 5 * len(long["x"])
    assert coerce_arguments({"x": " STRASSE "}, schema) == coerce_arguments({"x": "Straße"}, schema) == {"x": "straße"}


def test_empty_lists_of_reads_and_writes() -> None:
    """A read takes an empty filter as none. In a write, an empty list could mean to remove all items, or to act on all."""
    tools = {tool.name: tool for tool in all_tools()}
    reader, writer = tools["list_optimization_recommendations"], tools["delete_datahub_events_by_filter"]
    assert reader.parse_arguments({"category": [], "source": []}) == ({}, [])
    assert tools["cost_breakdown"].parse_arguments({"groupBy": []}) == ({}, [])
    assert writer.parse_arguments({"eventIds": []})[1]


@pytest.mark.parametrize("empty", ["null", "None", "undefined", ""])
def test_empty_arguments_that_the_discovery_tools_offer_are_omitted(empty: str) -> None:
    """Forms fill in every argument of a schema."""
    assert set(CommonArguments.__annotations__) == OFFERED_ARGUMENTS
    named = {tool.name: tool for tool in all_tools()}
    assert named["list_budgets"].coerce_arguments({"id": empty, "maxResults": 1}) == {"maxResults": 1}
    assert named["cost_breakdown"].coerce_arguments({"groupBy": empty, "filter": empty}) == {}
    # Other unknown arguments can be typing errors, and "" clears a field.
    assert named["update_budget"].coerce_arguments({"descripton": empty}) == {"descripton": empty}
    assert named["update_datahub_dataset"].coerce_arguments({"logoName": ""}) == {"logoName": ""}


def test_former_names_of_recommendations_are_accepted() -> None:
    tool = next(tool for tool in all_tools() if tool.name == "list_optimization_recommendations")
    coerced = tool.coerce_arguments({"maxResults": "3", "cloudProvider": "aws"})
    assert coerced == {"pageSize": 3, "provider": "aws"} and tool.argument_problems(coerced) == []
