"""Reading arguments: what can mean one thing is understood, the rest is left for the check."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalogue.arguments import read
from doit_mcp.catalogue.registry import all_tools

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
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "any": {},
        "must": {"type": "string", "minLength": 1},
    },
    "required": ["must"],
}


@pytest.mark.parametrize(
    ("given_value", "read_value"),
    [
        ({"count": "40"}, {"count": 40}),
        ({"count": " -3 "}, {"count": -3}),
        ({"count": 5.0}, {"count": 5}),
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
        ({"text": True}, {"text": True}),
        ({"text": ""}, {"text": ""}),
        ({"id": ""}, {}),
        ({"unit": "MONTH"}, {"unit": "Month"}),
        ({"unit": "year"}, {"unit": "year"}),
        ({"unit": ""}, {}),
        ({"tags": '["a", "b"]'}, {"tags": ["a", "b"]}),
        ({"tags": "[a"}, {"tags": "[a"}),
        ({"tags": "a"}, {"tags": "a"}),
        ({"tags": [1, "b"]}, {"tags": ["1", "b"]}),
        ({"ticket": '{"id": 7, "n": "8"}'}, {"ticket": {"id": "7", "n": 8}}),
        ({"ticket": {"n": "8", "id": None, "x": None}}, {"ticket": {"n": 8, "x": None}}),
        ({"maybe": None}, {"maybe": None}),
        ({"maybe": "3"}, {"maybe": 3}),
        ({"any": None, "count": None}, {"any": None}),
        ({"must": ""}, {"must": ""}),
        ({"must": None}, {"must": None}),
        ({"customerContext": "x"}, {}),
        ({"unknown": "x"}, {"unknown": "x"}),
    ],
)
def test_values_are_read_by_their_schema(given_value: dict[str, Any], read_value: dict[str, Any]) -> None:
    found = read(given_value, SCHEMA)
    assert found == read_value
    assert [type(value) for value in found.values()] == [type(value) for value in read_value.values()]


def test_a_tenant_argument_that_a_schema_knows_is_kept() -> None:
    schema = {"type": "object", "properties": {"customerContext": {"type": "string"}}}
    assert read({"customerContext": "x"}, schema) == {"customerContext": "x"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SCHEMA["properties"], "x"]), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "x"]), JSON))
def test_reading_never_fails_and_changes_nothing_the_second_time(arguments: dict[str, Any]) -> None:
    once = read(arguments, SCHEMA)
    assert read(once, SCHEMA) == once


@given(st.dictionaries(st.sampled_from(["id", "config", "ticket", "maxResults", "name", "x"]), JSON))
def test_no_arguments_break_any_tool_before_it_runs(arguments: dict[str, Any]) -> None:
    for tool in all_tools():
        assert all(isinstance(problem, str) for problem in tool.problems(tool.read(arguments)))
