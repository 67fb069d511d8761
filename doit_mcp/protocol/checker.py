"""Checker: checks values against a JSON Schema and says in plain words what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cached_property
from itertools import islice
from typing import Any

import jsonschema_rs

from .bounds import is_large, overlong
from .schema import JsonObject, cut, printable, shown

MAX_PROBLEMS = 20
MAX_PROBLEM_LENGTH = 300
MAX_SHOWN_OPTIONS = 40
MAX_GUESSED = 80
"""Characters of a name that is compared with the known ones: that takes time in the square of its length."""

WORDS = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


class Checker:
    """Checks values against one schema, which is compiled at the first use (0.1 to 1 ms) and kept."""

    def __init__(self, schema: JsonObject) -> None:
        self._schema = schema

    @cached_property
    def _compiled(self) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(self._schema)

    def fits(self, value: Any) -> bool:
        """Whether *value* fits; that costs a quarter of finding out what is wrong with it. ValueError for what JSON
        cannot express."""
        return self._compiled.is_valid(value)

    def problems(self, value: Any) -> list[str]:
        """What is wrong with *value* as sentences ``path: what``; empty if it fits. At most 20, each bounded; one of a
        large value, since the library builds the errors of all items of a list before it gives the first."""
        try:
            # Most values fit.
            if self.fits(value):
                return []
            if not is_large(value):
                errors = list(islice(self._compiled.iter_errors(value), MAX_PROBLEMS + 1))
                return capped(line for error in errors for line in self._lines(error))
            if (found := overlong(value, self._schema)) is not None:
                path, most = found
                return [f"{_path(path)}: must have at most {most} items"]
            self._compiled.validate(value)
        except jsonschema_rs.ValidationError as error:
            return capped(self._lines(error))
        except ValueError:
            return ["arguments: hold something that JSON cannot express"]
        return []

    def _lines(self, error: jsonschema_rs.ValidationError) -> Iterable[str]:
        path, kind = list(error.instance_path), error.kind
        if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
            return [f"{_path([*path, kind.property])}: is required"]
        if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
            known = self._known(error.schema_path[:-1])
            return (f"{_path([*path, name])}: {_unknown(name, known)}" for name in kind.unexpected)
        return [f"{_path(path) or 'arguments'}: {_sentence(error)} (got {shown(error.instance)})"]

    def _known(self, steps: Iterable[str | int]) -> list[str]:
        schema: Any = self._schema
        for step in steps:
            schema = schema[step]
        return list(schema.get("properties", ()))


def capped(lines: Iterable[str]) -> list[str]:
    """The first 20 different *lines*, each at most 300 characters long, and a note if there are more."""
    unique = list(dict.fromkeys(islice(lines, 2 * MAX_PROBLEMS)))
    kept = [cut(line, MAX_PROBLEM_LENGTH) for line in unique[:MAX_PROBLEMS]]
    return [*kept, "and more"] if len(unique) > MAX_PROBLEMS else kept


def _path(steps: Iterable[str | int]) -> str:
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{printable(step)}"
    return text.removeprefix(".")


def _unknown(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, 1) if len(name) <= MAX_GUESSED else []
    if close:
        return f"is not known here; did you mean {close[0]}?"
    return f"is not known here; known: {', '.join(known)}" if known else "is not known here: nothing is expected"


def _sentence(error: jsonschema_rs.ValidationError) -> str:
    facts: Mapping[str, Any] = error.kind.as_dict()
    limit = facts.get("limit")
    match error.kind.name:
        case "type":
            return f"must be {' or '.join(WORDS.get(name, name) for name in facts['types'])}"
        case "enum":
            return f"must be one of {', '.join(map(str, facts['options'][:MAX_SHOWN_OPTIONS]))}"
        case "minimum":
            return f"must be at least {limit}"
        case "maximum":
            return f"must be at most {limit}"
        case "exclusiveMinimum":
            return f"must be more than {limit}"
        case "minLength":
            return "must not be empty" if limit == 1 else f"must have at least {limit} characters"
        case "maxLength":
            return f"must have at most {limit} characters"
        case "minItems":
            return "must not be empty" if limit == 1 else f"must have at least {limit} items"
        case "maxItems":
            return f"must have at most {limit} items"
        case "pattern":
            return f"must have the form {facts['pattern']}"
        case "anyOf":
            return " or ".join(dict.fromkeys(_sentence(first) for first, *_ in facts["context"]))
    return printable(error.message, MAX_PROBLEM_LENGTH)
