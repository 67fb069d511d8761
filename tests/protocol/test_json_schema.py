"""Schemas from annotations are portable. Validation never raises, and says where a problem is and what is expected."""

from typing import Annotated, Any, Literal, NotRequired, Required, TypedDict, Unpack

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.protocol.json_schema import (
    UNLISTED,
    UNLISTED_OPTIONS,
    Length,
    Pattern,
    PublishedMembers,
    Range,
    schema_of_function,
    schema_of_type,
    schema_of_typed_dict,
    short_json,
)
from doit_mcp.protocol.schema_validator import MAX_PROBLEM_LENGTH, MAX_PROBLEMS, SchemaValidator, limit_problems

pytestmark = pytest.mark.requirement("M70")

Name = Annotated[str, "A name.", Length(1, 5)]


class Scope(TypedDict):
    """A TypedDict with one optional field."""

    id: Annotated[str, Pattern("^[a-z]+$")]
    mode: NotRequired[Literal["is", "starts_with"]]


class Changes(TypedDict, total=False):
    """A TypedDict with one required field."""

    name: Required[Name]
    amount: Annotated[float, Range(exclusive_minimum=0), "A limit."]
    scopes: Annotated[list[Scope], Length(1, 3)]
    note: Annotated[str, Length(maximum=8)]
    extra: dict[str, Any]
    anything: Any


class Kept(TypedDict):
    a: "Required[int]"
    b: "NotRequired[str]"
    c: "Annotated[NotRequired[int], 'x']"


class Loose(TypedDict, total=False):
    a: "Required[int]"
    b: str


async def update(
    *,
    id: Annotated[str, "Which one."],
    page: Annotated[int | None, Range(1, 100), "How many."] = None,
    days: Annotated[int, Range(1, 90)] = 30,
    active: bool = False,
    kinds: Annotated[list[Literal["a", "b"]] | None, Length(1)] = None,
    **changes: Unpack[Changes],
) -> None:
    """Accept every kind of parameter that an operation may have."""


def test_a_typed_dict() -> None:
    assert schema_of_typed_dict(Changes) == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "A name.", "minLength": 1, "maxLength": 5},
            "amount": {"type": "number", "exclusiveMinimum": 0, "description": "A limit."},
            "scopes": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string", "pattern": "^[a-z]+$"},
                        "mode": {"type": "string", "enum": ["is", "starts_with"]},
                    },
                    "required": ["id"],
                    "additionalProperties": False,
                },
                "minItems": 1,
                "maxItems": 3,
            },
            "note": {"type": "string", "maxLength": 8},
            "extra": {"type": "object"},
            "anything": {},
        },
        "required": ["name"],
        "additionalProperties": False,
    }


def test_results_allow_additional_properties_at_every_depth() -> None:
    assert "additionalProperties" not in orjson.dumps(schema_of_typed_dict(Changes, "result")).decode()


class Example(TypedDict, total=False):
    """Members of an open object."""

    size: int


class Published(TypedDict, total=False):
    """A TypedDict whose published schema differs from the accepted one."""

    amount: Annotated[float, Range(exclusive_minimum=0, maximum=9)]
    name: Annotated[str, Length(1, 5)]
    names: Annotated[list[str], Length(1, 3)]
    id: Annotated[str, Pattern("^[a-z]+$")]
    layout: Annotated[Literal["table", "chart"], "Such as table.", UNLISTED_OPTIONS]
    former: Required[Annotated[str, UNLISTED]]
    fixed: Annotated[dict[str, Any], PublishedMembers(Example)]
    open: Annotated[dict[str, Any], PublishedMembers(Example, and_others=True)]


def test_the_published_schema_has_only_what_all_clients_understand() -> None:
    assert schema_of_typed_dict(Published, "published") == {
        "type": "object",
        "properties": {
            "amount": {"type": "number", "minimum": 0, "maximum": 9},
            "name": {"type": "string"},
            "names": {"type": "array", "items": {"type": "string"}},
            "id": {"type": "string", "pattern": "^[a-z]+$"},
            "layout": {"type": "string", "description": "Such as table."},
            "fixed": {"type": "object", "properties": {"size": {"type": "integer"}}},
            "open": {
                "type": "object",
                "properties": {"size": {"type": "integer"}},
                "oneOf": [{"type": "object"}],
            },
        },
    }


def test_the_accepted_schema_is_stricter_and_has_former_members() -> None:
    accepted = schema_of_typed_dict(Published)
    properties = accepted["properties"]
    assert accepted["additionalProperties"] is False and accepted["required"] == ["former"]
    assert properties["amount"] == {"type": "number", "maximum": 9, "exclusiveMinimum": 0}
    assert properties["names"] == {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3}
    assert properties["layout"]["enum"] == ["table", "chart"] and properties["former"] == {"type": "string"}
    # Both accept other members, and only those of a fixed object are checked.
    members = {"size": {"type": "integer"}}
    assert properties["fixed"] == {"type": "object", "properties": members, "additionalProperties": True}
    assert properties["open"] == {"type": "object"}


def test_null_is_not_an_argument_but_can_be_a_result() -> None:
    with pytest.raises(TypeError, match="null means that an argument is omitted"):
        schema_of_type(str | None)
    assert schema_of_type(str | None, "result") == {"anyOf": [{"type": "string"}, {"type": "null"}]}


def test_members_are_published_for_open_objects_only() -> None:
    with pytest.raises(TypeError, match="needs an object without members"):
        schema_of_type(Annotated[Example, PublishedMembers(Example)])


def test_required_fields_are_found_with_postponed_annotations() -> None:
    assert schema_of_typed_dict(Kept)["required"] == ["a"]
    assert schema_of_typed_dict(Loose)["required"] == ["a"]


def test_a_function() -> None:
    schema = schema_of_function(update)
    assert list(schema["properties"])[:5] == ["id", "page", "days", "active", "kinds"]
    assert schema["properties"]["page"] == {"type": "integer", "minimum": 1, "maximum": 100, "description": "How many."}
    assert schema["properties"]["days"] == {"type": "integer", "minimum": 1, "maximum": 90, "default": 30}
    assert schema["properties"]["active"] == {"type": "boolean", "default": False}
    assert schema["properties"]["kinds"] == {
        "type": "array",
        "items": {"type": "string", "enum": ["a", "b"]},
        "minItems": 1,
    }
    assert schema["properties"]["name"] == schema_of_typed_dict(Changes)["properties"]["name"]
    assert schema["required"] == ["id", "name"]
    assert schema["additionalProperties"] is False


def test_a_function_without_parameters() -> None:
    def nothing() -> None:
        """Take no parameters."""

    assert schema_of_function(nothing) == {"type": "object", "properties": {}, "additionalProperties": False}


@pytest.mark.parametrize(
    "annotation",
    [
        bytes,
        tuple[int, str],
        set[str],
        object,
        Literal["a", 1],
        Literal["a", None],
        Annotated[int, Length(1)],
        Annotated[str, Range(1)],
        Annotated[bool, Range(1)],
        Annotated[int | str, Range(1)],
        Annotated[list[str], Pattern("x")],
        Annotated[Any, Length(1)],
    ],
    ids=str,
)
def test_unportable_type_fails_immediately(annotation: Any) -> None:
    with pytest.raises(TypeError):
        schema_of_type(annotation)


def assert_portable(schema: Any, root: bool = True) -> None:
    """Fail on references, lists of types, boolean subschemas and combinators at the root, which are not portable."""
    assert isinstance(schema, dict)
    assert "$ref" not in schema and isinstance(schema.get("type", ""), str)
    if root:
        assert schema["type"] == "object" and not schema.keys() & {"anyOf", "oneOf", "allOf", "not", "enum"}
    for inner in [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]:
        assert_portable(inner, False)
    if "items" in schema:
        assert_portable(schema["items"], False)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft7Validator.check_schema(schema)


SCHEMAS = {
    "function": schema_of_function(update),
    "body": schema_of_typed_dict(Changes),
    "result": schema_of_typed_dict(Changes, "result"),
    "kept": schema_of_typed_dict(Kept),
}
CHECKERS = {name: SchemaValidator(schema) for name, schema in SCHEMAS.items()}


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_portable(name: str) -> None:
    """The schemas need no $ref resolution (MCP 2026-07-28, JSON Schema Usage, $ref Resolution; Tools, Tool)."""
    assert_portable(SCHEMAS[name])


NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=9)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)
SCOPE = st.fixed_dictionaries({}, optional={"id": st.just("abc") | VALUES, "mode": st.just("is") | VALUES})
NEAR = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text() | VALUES,
        "a": st.integers(0, 9) | VALUES,
        "page": st.integers(0, 101) | VALUES,
        "kinds": st.lists(st.sampled_from(["a", "b", "c"])) | VALUES,
        "name": st.text(max_size=6) | VALUES,
        "amount": st.floats(allow_nan=False) | VALUES,
        "scopes": st.lists(SCOPE, max_size=4) | VALUES,
        "note": VALUES,
        "nam": VALUES,
    },
)


@pytest.mark.requirement("J13")
@given(st.sampled_from(sorted(SCHEMAS)), VALUES | NEAR)
def test_validation_agrees_with_another_validator(name: str, value: Any) -> None:
    """Problems are found exactly where jsonschema finds errors, each as a bounded line that names its location."""
    problems = CHECKERS[name].problems(value)
    errors = list(jsonschema.Draft202012Validator(SCHEMAS[name]).iter_errors(value))
    assert bool(problems) == bool(errors)
    assert len(problems) <= MAX_PROBLEMS + 1
    for line in problems:
        assert len(line) <= MAX_PROBLEM_LENGTH and line.isprintable()
        assert ": " in line or line == "and more"


@given(st.from_type(object) | st.binary() | st.dictionaries(st.integers(), st.text()) | st.sets(st.integers()))
def test_non_json_values_are_reported_and_never_raised(value: Any) -> None:
    for checker in CHECKERS.values():
        assert all(isinstance(line, str) for line in checker.problems({"name": value}))
    assert isinstance(short_json(value), str)


GOOD = {"id": "x", "name": "n"}


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"id": 1}, "id: must be text (got 1)"),
        ({"id": True}, "id: must be text (got true)"),
        ({"page": "5"}, 'page: must be a whole number (got "5")'),
        ({"page": True}, "page: must be a whole number (got true)"),
        ({"page": 1.5}, "page: must be a whole number (got 1.5)"),
        ({"page": 0}, "page: must be at least 1 (got 0)"),
        ({"page": 101}, "page: must be at most 100 (got 101)"),
        ({"page": None}, "page: must be a whole number (got null)"),
        ({"active": 1}, "active: must be true or false (got 1)"),
        ({"amount": 0}, "amount: must be more than 0 (got 0)"),
        ({"amount": "1"}, 'amount: must be a number (got "1")'),
        ({"name": ""}, 'name: must not be empty (got "")'),
        ({"name": "abcdef"}, 'name: must have at most 5 characters (got "abcdef")'),
        ({"scopes": []}, "scopes: must not be empty (got [])"),
        ({"scopes": {}}, "scopes: must be a list (got {})"),
        ({"scopes": [{"id": "a"}] * 4}, "scopes: must have at most 3 items"),
        ({"scopes": [{"id": "a"}, {}]}, "scopes[1].id: is required"),
        ({"scopes": [{"id": "A"}]}, 'scopes[0].id: has a wrong form (got "A")'),
        ({"scopes": [{"id": "a", "mode": "x"}]}, 'scopes[0].mode: must be one of is, starts_with (got "x")'),
        ({"scopes": [{"id": "a", "mod": "is"}]}, "scopes[0].mod: is unknown; did you mean mode?"),
        ({"kinds": ["a", "c"]}, 'kinds[1]: must be one of a, b (got "c")'),
        ({"note": 1}, "note: must be text (got 1)"),
        ({"extra": []}, "extra: must be an object (got [])"),
        ({"nmae": "x"}, "nmae: is unknown; did you mean name?"),
        ({"zzz": 1}, "zzz: is unknown. Available: id, page, days, active, kinds, name"),
    ],
    ids=str,
)
def test_problem_messages(more: dict[str, Any], line: str) -> None:
    (problem,) = CHECKERS["function"].problems({**GOOD, **more})
    assert problem.startswith(line)


@pytest.mark.parametrize("optional", [False, True])
def test_a_wrong_form_is_described_in_words(optional: bool) -> None:
    """The description of the argument, or of the object around it, in place of a regular expression."""
    day: dict[str, Any] = {"type": "string", "pattern": "^[0-9-]+$", "description": "First day, e.g. 2026-10-01."}
    schema: dict[str, Any] = {"anyOf": [{**day}, {"type": "null"}]} if optional else day
    inner = {"type": "array", "description": "Days.", "items": {"type": "string", "pattern": "^[0-9-]+$"}}
    checker = SchemaValidator({"type": "object", "properties": {"description": schema, "days": inner}})
    form = "does not have the expected form: First day, e.g. 2026-10-01"
    other = " or must be null" if optional else ""
    assert checker.problems({"description": "last month"}) == [f'description: {form}{other} (got "last month")']
    assert checker.problems({"days": ["x"]}) == ['days[0]: does not have the expected form: Days (got "x")']


def test_all_problems_are_reported_together() -> None:
    problems = CHECKERS["function"].problems({"page": 0, "scopes": [{}]})
    assert sorted(line.partition(":")[0] for line in problems) == ["id", "name", "page", "scopes[0].id"]
    assert CHECKERS["function"].problems(GOOD) == []


@pytest.mark.parametrize("value", [None, 1, "x", [], True])
def test_arguments_must_be_an_object(value: Any) -> None:
    (problem,) = CHECKERS["function"].problems(value)
    assert problem.startswith("arguments: must be an object (got ")


@pytest.mark.requirement("J12")
def test_problems_are_bounded_in_number_and_length() -> None:
    """Hostile names and values are shortened and made printable."""
    problems = CHECKERS["function"].problems({**GOOD, **{f"x{number}": 1 for number in range(1000)}})
    assert len(problems) == MAX_PROBLEMS + 1 and problems[-1] == "and more"
    (line,) = CHECKERS["function"].problems({**GOOD, "\u202e\x1b[31m\x00" + "n" * 100_000: "v"})
    assert len(line) <= MAX_PROBLEM_LENGTH and line.isprintable()
    (line,) = CHECKERS["function"].problems({**GOOD, "page": "\u202e\x1b" + "v" * 100_000})
    assert len(line) <= MAX_PROBLEM_LENGTH and line.isprintable()


def test_capped_keeps_the_first_of_equal_lines() -> None:
    assert limit_problems(["a", "b", "a"]) == ["a", "b"]
    assert limit_problems(["x" * 1000])[0].endswith("…")


def test_closed_empty_schema_rejects_unknown_members() -> None:
    problems = SchemaValidator({"type": "object", "properties": {}, "additionalProperties": False}).problems({"a": 1})
    assert problems == ["a: is unknown: no members are allowed"]


def test_keywords_of_foreign_schemas_are_checked() -> None:
    checker = SchemaValidator({"type": "object", "properties": {"a": {"const": 1}, "b": {"uniqueItems": True}}})
    problems = checker.problems({"a": "\u202e" + "x" * 100_000, "b": [1, 1]})
    assert sorted(line.partition(":")[0] for line in problems) == ["a", "b"]
    assert all(line.isprintable() and len(line) <= MAX_PROBLEM_LENGTH for line in problems)


def test_only_keyword_parameters_are_published() -> None:
    def run(doit: object, *, name: Annotated[str, "Whose.", object()], mode: Literal["a"] | None = None) -> None:
        """Take the client as the first argument."""

    assert schema_of_function(run)["properties"] == {
        "name": {"type": "string", "description": "Whose."},
        "mode": {"type": "string", "enum": ["a"]},
    }


def test_optional_fields_are_not_required() -> None:
    class Free(TypedDict, total=False):
        a: int

    def run(*, name: Literal["a"] = None) -> None:  # type: ignore[assignment]  # what the test is about
        """Accept None, although the annotation does not allow it."""

    assert "required" not in schema_of_typed_dict(Free)
    assert schema_of_function(run)["properties"]["name"] == {"type": "string", "enum": ["a"]}


def test_open_records_in_lists_stay_open() -> None:
    assert schema_of_type(list[Scope], "result")["items"].keys() == {"type", "properties", "required"}
    assert schema_of_type(list[Any]) == {"type": "array"}


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        ({"type": "string", "description": "label:KEY or tag:KEY."}, "by: is required: label:KEY or tag:KEY"),
        ({"type": "string", "enum": ["a", "b"]}, "by: is required: one of a, b"),
        ({"description": "The way.", "enum": ["up"]}, "by: is required: The way; one of up"),
        ({"type": "object", "properties": {"x": {}, "y": {}}}, "by: is required: an object with x, y"),
        ({"type": "object", "properties": {"x": {}, "y": {}}, "required": ["y"]}, "by: is required: an object with y"),
        ({"type": "string"}, "by: is required"),
        (True, "by: is required"),
    ],
)
@pytest.mark.parametrize("others", [0, 20_000], ids=["small", "large"])
def test_a_missing_member_says_what_it_is(member: Any, problem: str, others: int) -> None:
    properties = {"by": member, "list": {"type": "array"}}
    validator = SchemaValidator({"type": "object", "properties": properties, "required": ["by"]})
    assert validator.problems({"list": [0] * others}) == [problem]
