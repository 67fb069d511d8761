"""Checker: checks values against a JSON Schema and says in plain words what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from itertools import chain, islice
from typing import Any

import jsonschema_rs

from .json_schema import JsonObject, printable_text, short_json, truncate
from .message_limits import CONTAINER_TYPES, MAX_INLINE_VALUES, ValuePath, is_large, open_object_paths, values_at

MAX_PROBLEMS = 20
MAX_PROBLEM_LENGTH = 300
MAX_LISTED_OPTIONS = 40
MAX_SUGGESTED_NAME_LENGTH = 80
"""Characters of a name that is compared with the known ones: that takes time in the square of its length."""

MAX_SAMPLE_MEMBERS = 100
"""Members of a large value of the wrong type that are looked at."""

TYPE_DESCRIPTIONS = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


class SchemaValidator:
    """Checks values against one schema, which is compiled at the first use (0.1 to 1 ms) and kept. Objects that may
    have any members have at most *max_free_values* values, where that is given."""

    def __init__(self, schema: JsonObject, max_open_object_values: int | None = None) -> None:
        self._schema = schema
        self._max_open_object_values = max_open_object_values
        self._open_object_paths = () if max_open_object_values is None else tuple(open_object_paths(schema))

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(self._schema)

    def is_valid(self, value: Any) -> bool:
        """Whether *value* fits; that costs a quarter of finding out what is wrong with it. ValueError for what JSON
        cannot express."""
        return self._validator.is_valid(value)

    def problems(self, value: Any) -> list[str]:
        """What is wrong with *value* as sentences ``path: what``; empty if it fits. At most 20, each bounded; those of
        one place in a large value."""
        try:
            # Most values fit.
            if self.is_valid(value):
                return self._oversized_object_problems(value) if self._open_object_paths else []
            return limit_problems(
                self._large_value_problems(value, ())
                if _has_more_values(value)
                else self._small_value_problems(value, ())
            )
        except ValueError:
            return ["arguments: hold something that JSON cannot express"]

    def _oversized_object_problems(self, value: Any) -> list[str]:
        """The first object that may have any members and has too many."""
        most = self._max_open_object_values or 0
        free = chain.from_iterable(values_at(value, place) for place in self._open_object_paths)
        path = next((path for one, path in free if _has_more_values(one, most)), None)
        return [] if path is None else [f"{_format_path(path)}: must have at most {most:,} values"]

    def _small_value_problems(self, value: Any, at: ValuePath) -> list[str]:
        """What is wrong with a *value* that is not large, or is no list or object; it is *at* this place in another."""
        errors = islice(self._validator.iter_errors(value), MAX_PROBLEMS + 1)
        return [line for error in errors for line in self._describe_error(error, at)]

    def _large_value_problems(self, value: Any, at: ValuePath) -> list[str]:
        """The same for a large one, of which the first wrong part is found step by step: the library copies whatever is
        wrong, which takes a quarter of a second for 190,000 values, and nothing interrupts it."""
        if not isinstance(value, CONTAINER_TYPES) or not _has_more_values(value):
            return self._small_value_problems(value, at)
        schema = self._schema_for_type(value)
        if schema is not None and (own := _container_problems(value, schema, at)):
            return own
        for child, inner, step in _iter_children(value, schema or {}):
            if not inner.is_valid(child):
                return inner._large_value_problems(child, (*at, step))
        return self._small_value_problems(_take_sample(value), at) or [
            f"{_format_path(at) or 'arguments'}: does not fit its schema"
        ]

    def _schema_for_type(self, value: Any) -> JsonObject | None:
        """The part of the schema that is meant for the type of *value*; None if there is none."""
        wanted = "array" if isinstance(value, list) else "object"
        parts = self._schema.get("anyOf", [self._schema])
        return next((part for part in parts if part.get("type") == wanted), None)

    def _describe_error(self, error: jsonschema_rs.ValidationError, at: ValuePath) -> Iterable[str]:
        path, kind = [*at, *error.instance_path], error.kind
        if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
            return [f"{_format_path([*path, kind.property])}: is required"]
        if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
            known = self._known_properties(error.schema_path[:-1])
            return (f"{_format_path([*path, name])}: {_describe_unknown_name(name, known)}" for name in kind.unexpected)
        return [
            f"{_format_path(path) or 'arguments'}: {_describe_constraint(error)} (got {short_json(error.instance)})"
        ]

    def _known_properties(self, steps: Iterable[str | int]) -> list[str]:
        schema: Any = self._schema
        for step in steps:
            schema = schema[step]
        return list(schema.get("properties", ()))


def _has_more_values(value: Any, max_values: int = MAX_INLINE_VALUES) -> bool:
    return is_large(value, max_values, sys.maxsize)


def _container_problems(value: Any, schema: JsonObject, at: ValuePath) -> list[str]:
    """What is wrong with a list or object itself: its size and its names."""
    if isinstance(value, list):
        most = schema.get("maxItems", len(value))
        return [f"{_format_path(at)}: must have at most {most} items"] if len(value) > most else []
    known = schema.get("properties", {})
    missing = [f"{_format_path([*at, name])}: is required" for name in schema.get("required", ()) if name not in value]
    if schema.get("additionalProperties") is not False:
        return missing
    unknown = islice((name for name in value if name not in known), 2 * MAX_PROBLEMS)
    return [
        *missing,
        *(f"{_format_path([*at, name])}: {_describe_unknown_name(name, list(known))}" for name in unknown),
    ]


def _iter_children(value: Any, schema: JsonObject) -> Iterator[tuple[Any, SchemaValidator, str | int]]:
    """The parts of a list or object that *schema* says something about, each with its checker and its step."""
    if isinstance(value, list):
        items = SchemaValidator(schema.get("items", {}))
        yield from ((item, items, number) for number, item in enumerate(value))
        return
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    yield from ((value[name], SchemaValidator(inner), name) for name, inner in known.items() if name in value)
    if isinstance(others, dict):
        other = SchemaValidator(others)
        yield from ((item, other, name) for name, item in value.items() if name not in known)


def _take_sample(value: Any) -> Any:
    """The beginning of a large list or object."""
    if isinstance(value, list):
        return [item for item in value[:MAX_SAMPLE_MEMBERS] if not _has_more_values(item)]
    return {name: item for name, item in islice(value.items(), MAX_SAMPLE_MEMBERS) if not _has_more_values(item)}


def limit_problems(lines: Iterable[str]) -> list[str]:
    """The first 20 different *lines*, each at most 300 characters long, and a note if there are more."""
    unique = list(dict.fromkeys(islice(lines, 2 * MAX_PROBLEMS)))
    kept = [truncate(line, MAX_PROBLEM_LENGTH) for line in unique[:MAX_PROBLEMS]]
    return [*kept, "and more"] if len(unique) > MAX_PROBLEMS else kept


def _format_path(steps: Iterable[str | int]) -> str:
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{printable_text(step)}"
    return text.removeprefix(".")


def _describe_unknown_name(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, 1) if len(name) <= MAX_SUGGESTED_NAME_LENGTH else []
    if close:
        return f"is not known here; did you mean {close[0]}?"
    return f"is not known here; known: {', '.join(known)}" if known else "is not known here: nothing is expected"


def _describe_constraint(error: jsonschema_rs.ValidationError) -> str:
    facts: Mapping[str, Any] = error.kind.as_dict()
    limit = facts.get("limit")
    match error.kind.name:
        case "type":
            return f"must be {' or '.join(TYPE_DESCRIPTIONS.get(name, name) for name in facts['types'])}"
        case "enum":
            return f"must be one of {', '.join(map(str, facts['options'][:MAX_LISTED_OPTIONS]))}"
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
            return " or ".join(dict.fromkeys(_describe_constraint(first) for first, *_ in facts["context"]))
    return printable_text(error.message, MAX_PROBLEM_LENGTH)
