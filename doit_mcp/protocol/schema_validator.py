"""Validates values against a JSON Schema and describes problems in plain words."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from itertools import chain, islice
from typing import Any

import jsonschema_rs

from .json_schema import JsonObject, printable_text, short_json, truncate_text
from .message_limits import (
    CONTAINER_TYPES,
    MAX_INLINE_VALUES,
    SchemaPath,
    ValuePath,
    is_large,
    iterate_values,
    open_object_paths,
    with_default_limits,
)

MAX_PROBLEMS = 20
MAX_PROBLEM_LENGTH = 300
MAX_LISTED_OPTIONS = 40
MAX_SUGGESTED_NAME_LENGTH = 80
"""Maximum length of an unknown name that is compared with known ones, which takes quadratic time."""

MISSING = ": is required: "
"""Stands between the path and the description of a missing member."""
MAX_SAMPLE_MEMBERS = 100
"""Members of a large value of the wrong type that are checked."""

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
    """Validates against one schema, compiled at first use (0.1 to 1 ms).

    *max_open_object_values* limits objects whose schema allows any members. *default_limits* adds limits to lists and
    strings that have none.
    """

    def __init__(
        self, schema: JsonObject, max_open_object_values: int | None = None, *, default_limits: bool = False
    ) -> None:
        self._given_schema = schema
        self._max_open_object_values = max_open_object_values
        self._default_limits = default_limits

    @cached_property
    def _schema(self) -> JsonObject:
        return with_default_limits(self._given_schema) if self._default_limits else self._given_schema

    @cached_property
    def _open_object_paths(self) -> tuple[SchemaPath, ...]:
        return () if self._max_open_object_values is None else tuple(open_object_paths(self._schema))

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(self._schema)

    def is_valid(self, value: Any) -> bool:
        """Return whether *value* is valid, four times faster than :meth:`problems`. Raise ValueError for non-JSON."""
        return self._validator.is_valid(value)

    def problems(self, value: Any) -> list[str]:
        """Return up to 20 problems as ``path: problem``. For a large value, returns those of one place only."""
        try:
            # Fast path: most values are valid.
            if self.is_valid(value):
                return self._oversized_object_problems(value) if self._open_object_paths else []
            return limit_problems(
                self._large_value_problems(value, ())
                if _has_more_values(value)
                else self._small_value_problems(value, ())
            )
        except ValueError:
            return ["arguments: contain a value that JSON cannot represent"]

    def _oversized_object_problems(self, value: Any) -> list[str]:
        """Return a problem for the first open object with too many values."""
        max_values = self._max_open_object_values or 0
        open_objects = chain.from_iterable(
            iterate_values(value, schema_path) for schema_path in self._open_object_paths
        )
        path = next((path for part, path in open_objects if _has_more_values(part, max_values)), None)
        return [] if path is None else [f"{_format_path(path)}: must have at most {max_values:,} values"]

    def _small_value_problems(self, value: Any, at: ValuePath) -> list[str]:
        """Return the problems of a small *value* at path *at*."""
        errors = islice(self._validator.iter_errors(value), MAX_PROBLEMS + 1)
        return [line for error in errors for line in self._describe_error(error, at)]

    def _large_value_problems(self, value: Any, at: ValuePath) -> list[str]:
        """Return the problems of a value of any size at path *at*.

        Narrows a large value down to its first invalid part, because the library copies invalid values: 190,000 of them
        take a quarter of a second without interruption.
        """
        if not isinstance(value, CONTAINER_TYPES) or not _has_more_values(value):
            return self._small_value_problems(value, at)
        schema = self._schema_for_type(value)
        if schema is not None and (problems := _container_problems(value, schema, at)):
            return problems
        for child, inner, step in _iter_children(value, schema or {}):
            if not inner.is_valid(child):
                return inner._large_value_problems(child, (*at, step))
        return self._small_value_problems(_take_sample(value), at) or [
            f"{_format_path(at) or 'arguments'}: does not match its schema"
        ]

    def _schema_for_type(self, value: Any) -> JsonObject | None:
        """Return the part of the schema for the type of *value*, or None."""
        type_name = "array" if isinstance(value, list) else "object"
        parts = self._schema.get("anyOf", [self._schema])
        return next((part for part in parts if part.get("type") == type_name), None)

    def _describe_error(self, error: jsonschema_rs.ValidationError, at: ValuePath) -> Iterable[str]:
        path, kind = [*at, *error.instance_path], error.kind
        if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
            properties = self._schema_at(error.schema_path[:-1]).get("properties", {})
            return [f"{_format_path([*path, kind.property])}: {_describe_missing(properties.get(kind.property))}"]
        if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
            known_names = self._known_properties(error.schema_path[:-1])
            return (
                f"{_format_path([*path, name])}: {_describe_unknown_name(name, known_names)}"
                for name in kind.unexpected
            )
        constraint = self._describe_constraint(error)
        return [f"{_format_path(path) or 'arguments'}: {constraint} (got {short_json(error.instance)})"]

    def _describe_constraint(self, error: jsonschema_rs.ValidationError) -> str:
        match error.kind.name:
            case "pattern":
                # The description has an example; a regular expression would not help to correct the value.
                form = self._find_description(error.schema_path).rstrip(".")
                return f"does not have the expected form: {form}" if form else "has a wrong form"
            case "anyOf":
                alternatives = (alternative for alternative, *_ in error.kind.as_dict()["context"])
                return " or ".join(dict.fromkeys(map(self._describe_constraint, alternatives)))
        return _describe_limit(error)

    def _known_properties(self, steps: Iterable[str | int]) -> list[str]:
        return list(self._schema_at(steps).get("properties", ()))

    def _schema_at(self, steps: Iterable[str | int]) -> JsonObject:
        schema: Any = self._schema
        for step in steps:
            schema = schema[step]
        part: JsonObject = schema
        return part

    def _find_description(self, steps: Iterable[str | int]) -> str:
        """Return the innermost description on the way to a part of the schema; "" without any."""
        schema: Any = self._schema
        description = ""
        for step in steps:
            schema = schema[step]
            # A property can be named "description" too, but then it is an object.
            text = schema.get("description") if isinstance(schema, dict) else None
            description = text if isinstance(text, str) else description
        return description


def _has_more_values(value: Any, max_values: int = MAX_INLINE_VALUES) -> bool:
    return is_large(value, max_values, sys.maxsize)


def _container_problems(value: Any, schema: JsonObject, at: ValuePath) -> list[str]:
    """Return the problems of a list or object itself: its size and member names."""
    if isinstance(value, list):
        max_items = schema.get("maxItems", len(value))
        return [f"{_format_path(at)}: must have at most {max_items} items"] if len(value) > max_items else []
    properties = schema.get("properties", {})
    missing = [
        f"{_format_path([*at, name])}: {_describe_missing(properties.get(name))}"
        for name in schema.get("required", ())
        if name not in value
    ]
    if schema.get("additionalProperties") is not False:
        return missing
    unknown = islice((name for name in value if name not in properties), 2 * MAX_PROBLEMS)
    return [
        *missing,
        *(f"{_format_path([*at, name])}: {_describe_unknown_name(name, list(properties))}" for name in unknown),
    ]


def _iter_children(value: Any, schema: JsonObject) -> Iterator[tuple[Any, SchemaValidator, str | int]]:
    """Yield the parts of a list or object that *schema* constrains, each with its validator and path step."""
    if isinstance(value, list):
        items = SchemaValidator(schema.get("items", {}))
        yield from ((item, items, number) for number, item in enumerate(value))
        return
    properties, additional = schema.get("properties", {}), schema.get("additionalProperties")
    yield from ((value[name], SchemaValidator(inner), name) for name, inner in properties.items() if name in value)
    if isinstance(additional, dict):
        additional_validator = SchemaValidator(additional)
        yield from ((item, additional_validator, name) for name, item in value.items() if name not in properties)


def _take_sample(value: Any) -> Any:
    """Return the first members of a large list or object."""
    if isinstance(value, list):
        return [item for item in value[:MAX_SAMPLE_MEMBERS] if not _has_more_values(item)]
    return {name: item for name, item in islice(value.items(), MAX_SAMPLE_MEMBERS) if not _has_more_values(item)}


def limit_problems(lines: Iterable[str]) -> list[str]:
    """Return the first 20 different *lines*, each cut to 300 characters, and a note if there are more."""
    unique = list(dict.fromkeys(_describe_each_once(islice(lines, 2 * MAX_PROBLEMS))))
    problems = [truncate_text(line, MAX_PROBLEM_LENGTH) for line in unique[:MAX_PROBLEMS]]
    return [*problems, "and more"] if len(unique) > MAX_PROBLEMS else problems


def _describe_each_once(lines: Iterable[str]) -> Iterator[str]:
    """Leave out descriptions of missing members that an earlier line has: a list can lack the same one in each item."""
    described: set[str] = set()
    for line in lines:
        problem, separator, description = line.partition(MISSING)
        if separator and description in described:
            yield problem + MISSING.rstrip(": ")
        else:
            described.add(description)
            yield line


def _format_path(steps: Iterable[str | int]) -> str:
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{printable_text(step)}"
    return text.removeprefix(".")


def _describe_unknown_name(name: str, known: list[str]) -> str:
    matches = get_close_matches(name, known, 1) if len(name) <= MAX_SUGGESTED_NAME_LENGTH else []
    if matches:
        return f"is unknown; did you mean {matches[0]}?"
    return f"is unknown. Available: {', '.join(known)}" if known else "is unknown: no members are allowed"


def _describe_missing(schema: Any) -> str:
    """Describe a missing member: what it is, with its options or members, so that the next call can have it."""
    required = MISSING.strip(": ")
    if not isinstance(schema, dict):
        return required
    parts = [str(schema.get("description", "")).rstrip(".")]
    if options := schema.get("enum"):
        parts.append(f"one of {', '.join(map(str, options[:MAX_LISTED_OPTIONS]))}")
    elif members := schema.get("required") or list(schema.get("properties", ())):
        parts.append(f"an object with {', '.join(members[:MAX_LISTED_OPTIONS])}")
    return ": ".join([required, *filter(None, ["; ".join(filter(None, parts))])])


def _describe_limit(error: jsonschema_rs.ValidationError) -> str:
    """Describe a violated constraint that consists of types, options or limits."""
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
    return printable_text(error.message, MAX_PROBLEM_LENGTH)
