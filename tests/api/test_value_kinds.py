"""Value kinds of results: where they are found, and that schemas do not change."""

from __future__ import annotations

from typing import Annotated, Any, Required, TypedDict

from doit_mcp.api.value_kinds import (
    CurrencyCode,
    Day,
    DeclaredMember,
    Label,
    Members,
    Money,
    Percent,
    Verbatim,
    read_declared_members,
)
from doit_mcp.protocol.json_schema import schema_of_typed_dict

JsonObject = dict[str, Any]


class Row(TypedDict, total=False):
    name: Required[Annotated[str | None, "Its name.", Label]]
    cost: Annotated[float, Money] | None
    month: Annotated[str, Day]
    count: int


class Result(TypedDict, total=False):
    published: list[Row]
    hidden: Annotated[list[JsonObject] | None, "Rows.", Members(Row)]
    one: Required[Annotated[JsonObject, Members(Row)]]
    cells: Annotated[list[list[Any]], Verbatim]
    shares: list[Annotated[float, Percent]]
    currency: Annotated[str | None, CurrencyCode]
    free: dict[str, Any]


ROW = {
    "name": DeclaredMember(Label),
    "cost": DeclaredMember(Money),
    "month": DeclaredMember(Day),
    "count": DeclaredMember(),
}


def test_finds_value_kinds_at_any_depth() -> None:
    assert read_declared_members(Result) == {
        "published": DeclaredMember(members=ROW),
        "hidden": DeclaredMember(members=ROW),
        "one": DeclaredMember(members=ROW),
        "cells": DeclaredMember(Verbatim),
        "shares": DeclaredMember(Percent),
        "currency": DeclaredMember(CurrencyCode),
        "free": DeclaredMember(),
    }


def test_schemas_omit_value_kinds() -> None:
    properties = schema_of_typed_dict(Result, "result")["properties"]
    assert properties["hidden"] == {
        "anyOf": [{"type": "array", "items": {"type": "object"}}, {"type": "null"}],
        "description": "Rows.",
    }
    assert properties["one"] == {"type": "object"}
    assert properties["shares"] == {"type": "array", "items": {"type": "number"}}
    assert properties["published"]["items"]["properties"]["month"] == {"type": "string"}
