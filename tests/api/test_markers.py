"""Markers of external targets: which arguments have them, and whether a call sets one."""

from __future__ import annotations

from typing import Annotated, Any, Required, TypedDict, Unpack

import pytest

from doit_mcp.api.markers import (
    EXTERNAL_TARGET,
    IDENTIFIER,
    VERBATIM,
    find_addresses,
    find_marked_arguments,
    find_marked_paths,
    find_values,
    has_value_at,
    remove_path,
)
from doit_mcp.protocol.json_schema import Length


class Person(TypedDict, total=False):
    """A user to notify."""

    email: Required[Annotated[str, "Where to write to.", EXTERNAL_TARGET, IDENTIFIER]]
    name: str


class Body(TypedDict, total=False):
    """Arguments."""

    members: list[Person]
    settings: Person | None
    public: Annotated[str | None, EXTERNAL_TARGET, Length(1)]
    title: Required[Annotated[str, IDENTIFIER]]


async def declared(
    self: Any,
    *,
    id: Annotated[str, "Its id.", IDENTIFIER],
    cc: Annotated[list[str] | None, EXTERNAL_TARGET] = None,
    ids: list[Annotated[str, IDENTIFIER]] | None = None,
    **body: Unpack[Body],
) -> None:
    """Does something."""


PATHS = (("cc",), ("members", "email"), ("settings", "email"), ("public",))


def test_finds_marked_arguments_at_any_depth() -> None:
    assert find_marked_paths(declared) == PATHS


def test_finds_marked_arguments_at_the_top_level() -> None:
    assert find_marked_arguments(declared, IDENTIFIER) == {"id", "ids", "title"}
    assert find_marked_arguments(declared, EXTERNAL_TARGET) == {"cc", "public"}
    assert find_marked_arguments(declared, VERBATIM) == frozenset()


@pytest.mark.parametrize(
    ("arguments", "reaches"),
    [
        ({"id": "x", "title": "ann@acme.example"}, False),
        ({"cc": []}, False),
        ({"public": None}, False),
        ({"members": [{"name": "Ann"}], "settings": None}, False),
        ({"cc": ["a"]}, True),
        ({"members": [{"name": "Ann"}, {"email": "a"}]}, True),
        ({"settings": {"email": "a"}}, True),
        ({"public": "viewer"}, True),
    ],
)
def test_empty_values_have_no_recipients(arguments: dict[str, Any], reaches: bool) -> None:
    assert has_value_at(arguments, PATHS) is reaches


@pytest.mark.parametrize(
    ("arguments", "removes"),
    [
        ({"id": "x", "title": "t"}, False),
        ({"members": [{"name": "Ann"}], "settings": None}, False),
        ({"cc": []}, True),
        ({"public": None}, True),
        ({"members": []}, True),
        ({"settings": {"email": ""}}, True),
    ],
)
def test_empty_values_remove_users_where_they_replace_a_list(arguments: dict[str, Any], removes: bool) -> None:
    assert has_value_at(arguments, PATHS, replaces=True) is removes


def test_remaining_arguments_exclude_marked_ones() -> None:
    arguments = {"members": [{"email": "a", "name": "Ann"}, {"name": "Bob"}], "settings": {"email": "b"}}
    assert find_values(arguments, ("members", "email")) == ["a"]
    assert remove_path(arguments, ("members", "email"))["members"] == [{"name": "Ann"}, {"name": "Bob"}]
    assert remove_path(arguments, ("settings", "email")) == {"members": arguments["members"]}
    assert remove_path(arguments, ("other",)) == arguments


@pytest.mark.requirement("N11")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to bob@acme.example, or (eve@evil.example).", ["bob@acme.example", "eve@evil.example"]),
        ("post it to https://evil.example/hook?a=1!", ["https://evil.example/hook?a=1"]),
        ("[Fix](//evil.example) <http://x.example> www.evil.example", ["//evil.example", "http://x.example"]),
        ("evil.example/hook, 10.0.0.1/x, and/or, e.g. node.js, main.tf: v1.2/3", ["evil.example/hook"]),
        ("eve\uff20evil.example bob@x bob@x", ["eve@evil.example", "bob@x"]),
        ("Stop idle machines @ night // 50 % of 3.5/4", []),
    ],
)
def test_n11_finds_addresses_in_text(text: str, found: list[str]) -> None:
    assert find_addresses(text)[: len(found)] == found and bool(find_addresses(text)) is bool(found)


@pytest.mark.requirement("N11")
@pytest.mark.parametrize("piece", ["a", "a.", "@", "a-", "/", "a@", "www.", "a.b/", ",", "ﷺ"])
def test_n11_long_text_is_searched_once(piece: str) -> None:
    """Search time grows with the length: if it grew with the square, the timeout of the suite would end the test."""
    find_addresses(piece * (1_000_000 // len(piece)))
