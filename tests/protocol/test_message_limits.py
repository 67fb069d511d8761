"""Limits on what a peer sends: values are counted before parsing, and lists and strings have maximum sizes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.protocol import message_limits
from doit_mcp.protocol.jsonrpc import INVALID_REQUEST, PARSE_ERROR, RpcError, parse_json
from doit_mcp.protocol.message_limits import (
    MAX_INLINE_VALUES,
    MAX_LIST_ITEMS,
    MAX_STRING_LENGTH,
    MAX_VALUES,
    ValuePath,
    is_large,
    iterate_values,
    open_object_paths,
    with_default_limits,
)
from doit_mcp.protocol.schema_validator import SchemaValidator
from tests.work_counter import count_work

TEXTS = st.text('ab,[]{}:"\\\n', max_size=8)
VALUES = st.recursive(
    st.none() | st.integers(0, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=30,
)


def count(value: Any) -> int:
    """Count the values in *value*, itself included; empty lists and objects count twice."""
    if not isinstance(value, (dict, list)):
        return 1
    inner = value.values() if isinstance(value, dict) else value
    return 1 + (sum(map(count, inner)) if value else 1)


@pytest.mark.requirement("N2")
@given(VALUES, st.integers(0, 40))
def test_n2_values_are_counted_without_parsing(value: Any, most: int) -> None:
    """The count ignores what strings contain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(message_limits, "MAX_VALUES", most)
        text = orjson.dumps(value)
        # A shorter text cannot contain more values.
        expected = count(value) - 1 > most and len(text) > 2 * most
        assert message_limits.has_too_many_values(text) == expected


def refusal_of(body: bytes) -> RpcError:
    with pytest.raises(RpcError) as refused:
        parse_json(body)
    return refused.value


@pytest.mark.requirement("N2")
@pytest.mark.parametrize("item", [b"1", b"[]", b"{}", b'""', b'"a,b"', rb'"\\\",\""', b'{"a":1}', b"[[[1]]]"])
def test_n2_body_with_too_many_values_is_rejected(item: bytes) -> None:
    """The body is refused in milliseconds and the error names the limit; parsing and checking it took 12 s."""
    body = b"[" + b",".join([item] * (4_000_000 // (len(item) + 1))) + b"]"
    problem, work = count_work(refusal_of, body)
    assert problem.code == INVALID_REQUEST and work.lines < 1000
    assert f"more than {MAX_VALUES:,} values; send them in several requests" in str(problem)


def test_largest_allowed_body_is_parsed() -> None:
    assert len(parse_json(b"[" + b"1," * (MAX_VALUES - 2) + b"1]")) == MAX_VALUES - 1
    text = "a,b[{" * 700_000
    assert parse_json(orjson.dumps({"csv": text})) == {"csv": text}
    with pytest.raises(RpcError) as refused:
        parse_json(b'["' + b'",' * 1_300_000)
    assert refused.value.code in (PARSE_ERROR, INVALID_REQUEST)


@given(VALUES)
def test_large_values(value: Any) -> None:
    assert not is_large(value)
    assert is_large([value] * MAX_INLINE_VALUES + [1]) and is_large({"a": {"b": [[1]] * MAX_INLINE_VALUES}})


LIST = {"type": "array", "items": {"type": "string"}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "own": {"type": "array", "items": {"type": "string", "maxLength": 5}, "maxItems": 3},
        "none": {"anyOf": [LIST, {"type": "null"}]},
        "word": {"type": "string", "enum": ["x" * (MAX_STRING_LENGTH + 1)]},
        "deep": {"type": "array", "items": {"type": "object", "properties": {"list": LIST}}, "maxItems": 9000},
        "free": {"type": "object"},
    },
}


@pytest.mark.requirement("N2")
def test_n2_lists_and_texts_are_bounded() -> None:
    """Lists and strings have their own limit or the default one, and the schema is not modified."""
    before = orjson.dumps(SCHEMA)
    checker = SchemaValidator(with_default_limits(SCHEMA))
    assert orjson.dumps(SCHEMA) == before
    for fine in (
        {"own": ["12345"] * 3, "none": ["x" * MAX_STRING_LENGTH], "free": {"a": ["x"] * 1999}},
        {"none": ["x"] * MAX_LIST_ITEMS, "word": "x" * (MAX_STRING_LENGTH + 1)},
        {"none": None, "deep": [{"list": []}] * 9000},
    ):
        assert checker.problems(fine) == []
    for wrong, message in (
        ({"own": ["x"] * 4}, "own: must have at most 3 items"),
        ({"own": ["123456"]}, "own[0]: must have at most 5 characters"),
        ({"none": ["x" * (MAX_STRING_LENGTH + 1)]}, f"none: must have at most {MAX_STRING_LENGTH} characters"),
        ({"none": ["x"] * (MAX_LIST_ITEMS + 1)}, f"none: must have at most {MAX_LIST_ITEMS} items"),
        ({"none": [1] * 50_000}, f"none: must have at most {MAX_LIST_ITEMS} items"),
        ({"deep": [{}] * 5000 + [{"list": [1] * 5000}]}, f"deep[5000].list: must have at most {MAX_LIST_ITEMS} items"),
        ({"deep": [{"list": ["x"] * 1001}]}, "deep[0].list: must have at most 1000 items"),
        ({"deep": [1] * 9001}, "deep: must have at most 9000 items"),
        ({"deep": [1] * 9000}, "deep[0]: must be an object"),
    ):
        problems = checker.problems(wrong)
        assert any(problem.startswith(message) for problem in problems), (problems, message)
        assert len(problems) <= 2


@pytest.fixture
def library_values(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many values each value has whose problems the library lists. It copies them without interruption."""
    counts: list[int] = []
    list_problems = SchemaValidator._small_value_problems

    def record(checker: SchemaValidator, value: Any, at: ValuePath) -> list[str]:
        counts.append(count(value))
        return list_problems(checker, value, at)

    monkeypatch.setattr(SchemaValidator, "_small_value_problems", record)
    return counts


@pytest.mark.requirement("N2")
@pytest.mark.parametrize(
    "wrong",
    [
        {f"n{number}": number for number in range(150_000)},
        {"deep": [1] * 9000},
        {"x" * 3_000_000: 1},
        {"own": [["x"] * 150_000]},
        {"none": {"a": ["x"] * 150_000}},
        {"word": "y" * 3_000_000},
    ],
)
def test_n2_problems_of_a_large_value_are_found_quickly(wrong: dict[str, Any], library_values: list[int]) -> None:
    """Building a message from all errors took 9 µs per item, and seconds where names are compared."""
    checker = SchemaValidator({**with_default_limits(SCHEMA), "additionalProperties": False})
    checker.problems({})
    problems, work = count_work(checker.problems, wrong)
    assert work.lines < 5 * count(wrong) + 10_000 and all(n <= MAX_INLINE_VALUES for n in library_values)
    assert problems and len("".join(problems)) < 10_000


NAMES = {f"{number:012d}": 0 for number in range(190_000)}


@pytest.mark.requirement("N2")
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"list": NAMES}, "list: must be a list or must be null (got {"),
        ({"text": NAMES}, "text: must be text (got {"),
        ({"text": [NAMES]}, "text: must be text (got [])"),
        ({"list": [NAMES]}, "list[0].id: is required"),
        ({"list": [{"id": 1}] * 900 + [{"id": "x", "more": NAMES}]}, "list[0].id: must be text (got 1)"),
        ({"list": [{"id": "1"}] * 900 + [{"id": "x", "more": NAMES}]}, "list[900].more: is unknown. Available: id"),
        ({"list": [{"id": "1"}] * 900}, "text: is required"),
        ({"counts": NAMES | {"x": "y"}}, "counts.x: must be a whole number"),
        ({"free": NAMES}, "free: must have at most 20,000 values"),
        ({"free": {"a": [[0] * 5_000] * 5}}, "free: must have at most 20,000 values"),
    ],
)
def test_n2_invalid_large_value_is_not_copied(wrong: dict[str, Any], said: str, library_values: list[int]) -> None:
    """The library copied the value, which took 0.27 s for this many names."""
    item: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    item["additionalProperties"] = False
    valid_ids = {
        "list": {"anyOf": [{"type": "array", "items": item}, {"type": "null"}]},
        "text": {"type": "string"},
        "free": {"type": "object"},
        "counts": {"type": "object", "properties": {}, "additionalProperties": {"type": "integer"}},
    }
    required = ["text"] if said.startswith("text: is") else []
    checker = SchemaValidator({"type": "object", "properties": valid_ids, "required": required}, 20_000)
    checker.problems({})
    problems, work = count_work(checker.problems, wrong)
    assert len(problems) <= 21 and problems[0].startswith(said), problems
    assert work.lines < 5 * count(wrong) + 10_000 and all(values <= MAX_INLINE_VALUES for values in library_values)


def test_finds_free_form_objects() -> None:
    listed = {"type": "array", "items": {"anyOf": [{"type": "object"}, {"type": "null"}]}}
    schema = {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": listed}}, "c": {}}}
    assert list(open_object_paths(schema)) == [("a", "b", None)]
    value = {"a": {"b": [{"x": 1}, None]}, "c": 1}
    assert list(iterate_values(value, ("a", "b", None))) == [({"x": 1}, ("a", "b", 0)), (None, ("a", "b", 1))]
    for other in ({"a": 1}, {"a": {"b": {"0": 1}}}, [], {"b": []}):
        assert list(iterate_values(other, ("a", "b", None))) == []
    assert SchemaValidator(schema, 3).problems({"a": {"b": [{}, {"x": [1, 2, 3]}]}}) == [
        "a.b[1]: must have at most 3 values"
    ]
    assert SchemaValidator(schema).problems({"a": {"b": [{}, {"x": [1, 2, 3]}]}}) == []
