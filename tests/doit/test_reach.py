"""Reach: where arguments that name people and the like are, and whether a call gives one."""

from __future__ import annotations

from typing import Annotated, Any, Required, TypedDict, Unpack

import pytest

from doit_mcp.doit.reach import REACHES, leaves, reached, reaching, without
from doit_mcp.protocol.schema import Length


class Person(TypedDict, total=False):
    """Somebody."""

    email: Required[Annotated[str, "Where to write to.", REACHES]]
    name: str


class Body(TypedDict, total=False):
    """Arguments."""

    people: list[Person]
    settings: Person | None
    public: Annotated[str | None, REACHES, Length(1)]
    title: str


async def declared(
    self: Any, *, id: str, cc: Annotated[list[str] | None, REACHES] = None, **body: Unpack[Body]
) -> None:
    """Does something."""


PATHS = (("cc",), ("people", "email"), ("settings", "email"), ("public",))


def test_marked_arguments_are_found_at_any_depth() -> None:
    assert reaching(declared) == PATHS


@pytest.mark.parametrize(
    ("arguments", "reaches"),
    [
        ({"id": "x", "title": "ann@acme.example"}, False),
        ({"cc": []}, False),
        ({"public": None}, False),
        ({"people": [{"name": "Ann"}], "settings": None}, False),
        ({"cc": ["a"]}, True),
        ({"people": [{"name": "Ann"}, {"email": "a"}]}, True),
        ({"settings": {"email": "a"}}, True),
        ({"public": "viewer"}, True),
    ],
)
def test_empty_values_reach_nobody(arguments: dict[str, Any], reaches: bool) -> None:
    assert reached(arguments, PATHS) is reaches


@pytest.mark.parametrize(
    ("arguments", "removes"),
    [
        ({"id": "x", "title": "t"}, False),
        ({"people": [{"name": "Ann"}], "settings": None}, False),
        ({"cc": []}, True),
        ({"public": None}, True),
        ({"people": []}, True),
        ({"settings": {"email": ""}}, True),
    ],
)
def test_empty_values_remove_people_where_they_replace_what_is_there(arguments: dict[str, Any], removes: bool) -> None:
    assert reached(arguments, PATHS, replaces=True) is removes


def test_the_rest_is_what_is_not_reached() -> None:
    given = {"people": [{"email": "a", "name": "Ann"}, {"name": "Bob"}], "settings": {"email": "b"}}
    assert leaves(given, ("people", "email")) == ["a"]
    assert without(given, ("people", "email"))["people"] == [{"name": "Ann"}, {"name": "Bob"}]
    assert without(given, ("settings", "email")) == {"people": given["people"]}
    assert without(given, ("other",)) == given
