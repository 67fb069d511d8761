"""Checker: checks values against a JSON Schema and says in plain words what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from itertools import chain, islice
from typing import Any

import jsonschema_rs

from .json_schema import JsonObject, cut, printable, shown
from .message_limits import CONTAINERS, MAX_LARGE_VALUES, Path, at_place, free_places, is_large

MAX_PROBLEMS = 20
MAX_PROBLEM_LENGTH = 300
MAX_SHOWN_OPTIONS = 40
MAX_GUESSED = 80
"""Characters of a name that is compared with the known ones: that takes time in the square of its length."""

MAX_SAMPLE = 100
"""Members of a large value of the wrong type that are looked at."""

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
    """Checks values against one schema, which is compiled at the first use (0.1 to 1 ms) and kept. Objects that may
    have any members have at most *max_free_values* values, where that is given."""

    def __init__(self, schema: JsonObject, max_free_values: int | None = None) -> None:
        self._schema = schema
        self._max_free = max_free_values
        self._free = () if max_free_values is None else tuple(free_places(schema))

    @cached_property
    def _compiled(self) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(self._schema)

    def fits(self, value: Any) -> bool:
        """Whether *value* fits; that costs a quarter of finding out what is wrong with it. ValueError for what JSON
        cannot express."""
        return self._compiled.is_valid(value)

    def problems(self, value: Any) -> list[str]:
        """What is wrong with *value* as sentences ``path: what``; empty if it fits. At most 20, each bounded; those of
        one place in a large value."""
        try:
            # Most values fit.
            if self.fits(value):
                return self._overfull(value) if self._free else []
            return capped(self._large(value, ()) if _has_more_values(value) else self._all(value, ()))
        except ValueError:
            return ["arguments: hold something that JSON cannot express"]

    def _overfull(self, value: Any) -> list[str]:
        """The first object that may have any members and has too many."""
        most = self._max_free or 0
        free = chain.from_iterable(at_place(value, place) for place in self._free)
        path = next((path for one, path in free if _has_more_values(one, most)), None)
        return [] if path is None else [f"{_path(path)}: must have at most {most:,} values"]

    def _all(self, value: Any, at: Path) -> list[str]:
        """What is wrong with a *value* that is not large, or is no list or object; it is *at* this place in another."""
        errors = islice(self._compiled.iter_errors(value), MAX_PROBLEMS + 1)
        return [line for error in errors for line in self._lines(error, at)]

    def _large(self, value: Any, at: Path) -> list[str]:
        """The same for a large one, of which the first wrong part is found step by step: the library copies whatever is
        wrong, which takes a quarter of a second for 190,000 values, and nothing interrupts it."""
        if not isinstance(value, CONTAINERS) or not _has_more_values(value):
            return self._all(value, at)
        schema = self._part_of_type(value)
        if schema is not None and (own := _own_problems(value, schema, at)):
            return own
        for child, inner, step in _children(value, schema or {}):
            if not inner.fits(child):
                return inner._large(child, (*at, step))
        return self._all(_sample(value), at) or [f"{_path(at) or 'arguments'}: does not fit its schema"]

    def _part_of_type(self, value: Any) -> JsonObject | None:
        """The part of the schema that is meant for the type of *value*; None if there is none."""
        wanted = "array" if isinstance(value, list) else "object"
        parts = self._schema.get("anyOf", [self._schema])
        return next((part for part in parts if part.get("type") == wanted), None)

    def _lines(self, error: jsonschema_rs.ValidationError, at: Path) -> Iterable[str]:
        path, kind = [*at, *error.instance_path], error.kind
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


def _has_more_values(value: Any, most: int = MAX_LARGE_VALUES) -> bool:
    return is_large(value, most, sys.maxsize)


def _own_problems(value: Any, schema: JsonObject, at: Path) -> list[str]:
    """What is wrong with a list or object itself: its size and its names."""
    if isinstance(value, list):
        most = schema.get("maxItems", len(value))
        return [f"{_path(at)}: must have at most {most} items"] if len(value) > most else []
    known = schema.get("properties", {})
    missing = [f"{_path([*at, name])}: is required" for name in schema.get("required", ()) if name not in value]
    if schema.get("additionalProperties") is not False:
        return missing
    unknown = islice((name for name in value if name not in known), 2 * MAX_PROBLEMS)
    return [*missing, *(f"{_path([*at, name])}: {_unknown(name, list(known))}" for name in unknown)]


def _children(value: Any, schema: JsonObject) -> Iterator[tuple[Any, Checker, str | int]]:
    """The parts of a list or object that *schema* says something about, each with its checker and its step."""
    if isinstance(value, list):
        items = Checker(schema.get("items", {}))
        yield from ((item, items, number) for number, item in enumerate(value))
        return
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    yield from ((value[name], Checker(inner), name) for name, inner in known.items() if name in value)
    if isinstance(others, dict):
        other = Checker(others)
        yield from ((item, other, name) for name, item in value.items() if name not in known)


def _sample(value: Any) -> Any:
    """The beginning of a large list or object."""
    if isinstance(value, list):
        return [item for item in value[:MAX_SAMPLE] if not _has_more_values(item)]
    return {name: item for name, item in islice(value.items(), MAX_SAMPLE) if not _has_more_values(item)}


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
