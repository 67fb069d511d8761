"""The declaration of a setting: its variable, default, parser and description. Declarations that lack one are errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .parsers import Integer

NAME_PATTERN = re.compile(r"[A-Z][A-Z0-9_]*")
UNIT_PATTERN = re.compile(r"\b(in seconds|in milliseconds|in bytes|number of|port)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable: its name, the parser of its text, and its description for --help and the docs.

    *group* is the heading that it has there.
    """

    name: str
    parse: Callable[[str], object]
    description: str
    default: object
    is_secret: bool
    group: str = ""

    @property
    def default_text(self) -> str:
        """The default as an operator would write it, or "" without a default."""
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return " ".join(self.default) if isinstance(self.default, tuple) else str(self.default)

    @property
    def file_variable(self) -> str:
        """The variable that names a file with the value. Only secrets have one."""
        return f"{self.name}_FILE"


def flag_name(field_name: str) -> str:
    """Return the command-line flag of the setting *field_name*."""
    return "--" + field_name.replace("_", "-")


def setting(
    default: object,
    name: str = "",
    parse: Callable[[str], object] | None = None,
    description: str = "",
    *,
    is_secret: bool = False,
) -> Any:
    """Declare a dataclass field that is read from the environment variable *name*.

    *parse* raises ValueError with what the text must be. A secret is not a flag, appears in no error or repr, and can
    also be read from a file. Raise TypeError if an argument is missing, if the description ends with a period, or if a
    number has no bounds or no unit.
    """
    if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
        raise setting_error(f"with the default {default!r}", "an environment variable as its second argument")
    if not callable(parse):
        raise setting_error(name, "a parser as its third argument, such as Integer(0, 300)")
    if not isinstance(description, str) or not description.strip():
        raise setting_error(name, "a description as its fourth argument, for --help and the docs")
    if description.rstrip().endswith("."):
        raise setting_error(name, "a description that is a phrase, without a period at its end")
    if isinstance(default, int) and not isinstance(default, bool):
        _check_number(name, default, parse, description)
    return field(
        default=default,
        repr=not is_secret,
        metadata={"variable": Variable(name, parse, description, default, is_secret)},
    )


def _check_number(name: str, default: int, parse: Callable[[str], object], description: str) -> None:
    """Raise TypeError if the setting *name*, whose value is a number, has no unit, or no bounds that include *default*."""
    if not isinstance(parse, Integer):
        raise setting_error(
            name, "bounds: its default is a number, so use Integer(minimum, maximum) as its third argument"
        )
    if not 0 <= parse.minimum <= parse.maximum:
        raise setting_error(
            name, "both bounds, the smaller one first: Integer(minimum, maximum), such as Integer(0, 300)"
        )
    if not parse.minimum <= default <= parse.maximum:
        raise setting_error(
            name, f"a default from {parse.minimum} to {parse.maximum}, the bounds of its Integer, not {default}"
        )
    if not UNIT_PATTERN.search(description):
        raise setting_error(name, 'a unit in its description: "in seconds", "in bytes" or "number of"')
    if name.endswith("_S") != ("in seconds" in description):
        raise setting_error(name, 'both the suffix _S and "in seconds" in its description, or neither')


def setting_error(name: str, missing: str) -> TypeError:
    """Return the error for the declaration of a setting that lacks something."""
    return TypeError(f"doit_mcp/settings/groups.py: the setting {name} needs {missing}")
