"""Declarations of operations: what is missing or misspelled is an error that names the file, the method and the fact."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypedDict, Unpack

import pytest

from doit_mcp.api.declaration_checks import suggest_name
from doit_mcp.api.operation import Decorator, delete, get, offers, operation_of, patch, post, put
from doit_mcp.protocol.json_schema import JsonObject

HERE = "tests/api/test_declaration_checks.py"


class Paint(TypedDict, total=False):
    color: str


async def list_pots(self: Any, *, color: str = "") -> JsonObject: ...


async def get_pot(self: Any, *, id: str) -> JsonObject: ...


async def paint_pot(self: Any, **paint: Unpack[Paint]) -> JsonObject: ...


async def no_parameters() -> JsonObject: ...


async def no_self(*, id: str) -> JsonObject: ...


async def no_annotation(self: Any, *, id) -> JsonObject: ...  # type: ignore[no-untyped-def]  # what the test is about


async def no_star(self: Any, id: str) -> JsonObject: ...


async def no_result(self: Any, *, id: str): ...  # type: ignore[no-untyped-def]  # what the test is about


async def no_unpack(self: Any, *, id: str, **paint: Paint) -> JsonObject: ...


async def no_fields(self: Any, *, id: str, **paint) -> JsonObject: ...  # type: ignore[no-untyped-def]  # as above


@get("/pots/{id}")
async def _pot(self: Any, *, id: str) -> JsonObject: ...


@pytest.mark.parametrize(
    ("decorator", "function", "problem"),
    [
        (get("/pots", page_size=500), list_pots, "needs a parameter maxResults, because it has the fact page_size"),
        (get("/pots"), no_parameters, "needs a first parameter: self in an area, call: Call in a composed tool"),
        (get("/pots/{id}"), no_self, "needs a first parameter: self in an area"),
        (get("/pots/{id}"), no_annotation, "needs an annotation for its parameter id, such as id: str"),
        (get("/pots/{id}"), no_star, "has the parameter id before the *: put it after the *"),
        (get("/pots/{id}"), no_result, "needs a return annotation: JsonObject, or Annotated[JsonObject, ...]"),
        (patch("/pots/{id}"), no_unpack, "needs **paint: Unpack[...] with a TypedDict that has the fields"),
        (patch("/pots/{id}"), no_fields, "needs **paint: Unpack[...] with a TypedDict that has the fields"),
        (offers(_pot), no_annotation, "needs an annotation for its parameter id"),
        (offers(_pot), no_star, "has the parameter id before the *"),
        (
            get("/pots/{potId}"),
            get_pot,
            "has {potId} in its path, but no parameter potId: give both the same name. Parameters: id",
        ),
        (patch("/pots/{id}"), paint_pot, "has {id} in its path, but no parameter id: give both the same name."),
    ],
)
def test_a_signature_without_a_schema_is_an_error(
    decorator: Decorator, function: Callable[..., Any], problem: str
) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(f'{HERE}: {function.__name__} {problem}')}"):
        decorator(function)


@pytest.mark.parametrize(
    ("declare", "facts", "problem"),
    [
        (get, {"itms": "pots"}, "itms= in its decorator. Did you mean items?"),
        (put, {"previewwith": get_pot}, "previewwith= in its decorator. Did you mean preview_with?"),
        (patch, {"ask": True}, "ask= in its decorator. Available: adds, after_restoring, alias, "),
        (delete, {"read_only": True}, "read_only= in its decorator. "),
        (post, {"readonly": True}, "readonly= in its decorator. Did you mean read_only?"),
    ],
)
def test_an_unknown_fact_is_an_error(declare: Callable[..., Decorator], facts: dict[str, Any], problem: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(f'{HERE}: list_pots has an unknown fact {problem}')}"):
        declare("/pots", **facts)(list_pots)


def test_an_argument_of_the_path_can_be_a_field_of_the_body() -> None:
    assert operation_of(patch("/pots/{color}")(paint_pot)).placeholders == ("color",)


def test_a_path_without_arguments_says_so() -> None:
    async def get_lid(self: Any) -> JsonObject: ...

    with pytest.raises(TypeError, match=r"get_lid has \{id\} in its path, .* It has no parameters$"):
        get("/lids/{id}")(get_lid)


def test_a_function_without_a_decorator_is_not_an_operation() -> None:
    with pytest.raises(TypeError, match=f"^{HERE}: list_pots is not an operation: it needs a decorator such as @get$"):
        operation_of(list_pots)


def test_similar_names_are_suggested() -> None:
    assert suggest_name("itms", ("items", "title")) == "Did you mean items?"
    assert suggest_name("x", ("title", "items")) == "Available: items, title"
