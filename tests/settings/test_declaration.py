"""Declarations of settings: one that lacks something is an error that says what to add."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from doit_mcp.settings import Settings
from doit_mcp.settings.declaration import setting
from doit_mcp.settings.parsers import Integer


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((25,), "with the default 25 needs an environment variable as its second argument"),
        ((25, Integer(0, 9), "Time"), "with the default 25 needs an environment variable as its second argument"),
        ((25, "drain"), "with the default 25 needs an environment variable as its second argument"),
        ((25, "DRAIN"), "DRAIN needs a parser as its third argument, such as Integer(0, 300)"),
        ((25, "DRAIN", "Time"), "DRAIN needs a parser as its third argument, such as Integer(0, 300)"),
        ((25, "DRAIN", Integer(0, 9)), "DRAIN needs a description as its fourth argument, for --help and the docs"),
        ((25, "DRAIN", Integer(0, 9), " "), "DRAIN needs a description as its fourth argument"),
        ((25, "DRAIN", Integer(0, 9), None), "DRAIN needs a description as its fourth argument"),
        (
            (25, "DRAIN", Integer(0, 9), "Number of days."),
            "DRAIN needs a description that is a phrase, without a period",
        ),
        (
            (25, "DRAIN", int, "Number of days"),
            "DRAIN needs bounds: its default is a number, so use Integer(minimum, maximum)",
        ),
        (
            (25, "DRAIN", Integer(), "Number of days"),
            "DRAIN needs both bounds, the smaller one first: Integer(minimum, ",
        ),
        ((25, "DRAIN", Integer(5), "Number of days"), "DRAIN needs both bounds, the smaller one first"),
        ((25, "DRAIN", Integer(maximum=50), "Number of days"), "DRAIN needs both bounds, the smaller one first"),
        ((25, "DRAIN", Integer(50, 0), "Number of days"), "DRAIN needs both bounds, the smaller one first"),
        (
            (25, "DRAIN", Integer(0, 9), "Number of days"),
            "DRAIN needs a default from 0 to 9, the bounds of its Integer, not 25",
        ),
        ((25, "DRAIN", Integer(0, 99), "Time"), 'DRAIN needs a unit in its description: "in seconds", "in bytes" or'),
        ((25, "DRAIN", Integer(0, 99), "Time, in seconds"), 'DRAIN needs both the suffix _S and "in seconds"'),
        ((25, "DRAIN_S", Integer(0, 99), "Number of days"), 'DRAIN_S needs both the suffix _S and "in seconds"'),
    ],
)
def test_a_declaration_that_lacks_something_is_an_error(arguments: tuple[Any, ...], problem: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(f'doit_mcp/settings/groups.py: the setting {problem}')}"):
        setting(*arguments)


def test_every_field_is_declared_as_a_setting() -> None:
    @dataclass(frozen=True)
    class More(Settings):
        extra: int = 5

    said = r"^doit_mcp/settings/groups.py: the setting extra needs setting\(default, variable, parser, description\) as its"
    with pytest.raises(TypeError, match=said):
        More.variables()

    @dataclass(frozen=True)
    class Ungrouped(Settings):
        other: int = setting(5, "OTHER", Integer(0, 9), "Number of others")

    with pytest.raises(TypeError, match="^doit_mcp/settings/groups.py: the setting other needs a group"):
        Ungrouped.variables()
