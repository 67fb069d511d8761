"""JSON Schema from Python annotations, and short forms of values for error messages.

Produces portable schemas only: no ``$ref``, type lists, boolean subschemas, or combinators at the root.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    Unpack,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import orjson

JsonObject = dict[str, Any]

MAX_SHORT_JSON_LENGTH = 60

JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}


@dataclass(frozen=True, slots=True)
class Range:
    """Marker for numbers: inclusive bounds; *exclusive_minimum* is an exclusive lower bound."""

    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None

    @property
    def keywords(self) -> JsonObject:
        limits = {"minimum": self.minimum, "maximum": self.maximum, "exclusiveMinimum": self.exclusive_minimum}
        return {name: value for name, value in limits.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Length:
    """Marker for strings (characters) and lists (items): inclusive bounds."""

    minimum: int | None = None
    maximum: int | None = None

    @property
    def keywords(self) -> JsonObject:
        limits = {"minLength": self.minimum, "maxLength": self.maximum}
        return {name: value for name, value in limits.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Pattern:
    """Marker for strings: a regular expression in the dialect that all JSON Schema validators share."""

    pattern: str

    @property
    def keywords(self) -> JsonObject:
        return {"pattern": self.pattern}


MARKERS_BY_TYPE = {"string": (Length, Pattern), "array": (Length,), "integer": (Range,), "number": (Range,)}
LIST_KEYWORDS = {"minLength": "minItems", "maxLength": "maxItems"}
NULL_SCHEMA = {"type": "null"}


def schema_of_type(annotation: Any, *, closed: bool = True) -> JsonObject:
    """Return the schema of an annotation. Raise TypeError if it has no portable schema.

    Objects reject unknown members, for arguments, unless *closed* is false, for results.
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return {}
    if isinstance(annotation, type) and annotation in JSON_TYPES:
        return {"type": JSON_TYPES[annotation]}
    if is_typeddict(annotation):
        return schema_of_typed_dict(annotation, closed=closed)
    if origin is Annotated:
        return _annotated_schema(args, closed=closed)
    if origin in (Required, NotRequired):
        return schema_of_type(args[0], closed=closed)
    if origin is Literal and len({type(value) for value in args}) == 1:
        return {"type": JSON_TYPES[type(args[0])], "enum": list(args)}
    if origin is list:
        items = schema_of_type(args[0], closed=closed)
        return {"type": "array", "items": items} if items else {"type": "array"}
    if origin is dict or annotation is dict:
        return {"type": "object"}
    if origin in (Union, UnionType):
        return {"anyOf": [schema_of_type(part, closed=closed) for part in args]}
    raise TypeError(f"no JSON Schema for {annotation!r}")


def _annotated_schema(args: tuple[Any, ...], *, closed: bool) -> JsonObject:
    inner, *markers = args
    schema = schema_of_type(inner, closed=closed)
    for marker in markers:
        if isinstance(marker, str):
            schema = {**schema, "description": marker}
        elif isinstance(marker, Range | Length | Pattern):
            schema = _with_limit(schema, marker)
    return schema


def _with_limit(schema: JsonObject, marker: Range | Length | Pattern) -> JsonObject:
    kind = schema.get("type", "")
    if parts := schema.get("anyOf"):
        return {**schema, "anyOf": [part if part == NULL_SCHEMA else _with_limit(part, marker) for part in parts]}
    if not isinstance(marker, MARKERS_BY_TYPE.get(kind, ())):
        raise TypeError(f"{marker} cannot limit {schema}")
    return {
        **schema,
        **{LIST_KEYWORDS[name] if kind == "array" else name: value for name, value in marker.keywords.items()},
    }


def schema_of_typed_dict(typed_dict: Any, *, closed: bool = True) -> JsonObject:
    """Return the schema of a TypedDict."""
    hints = record_hints(typed_dict)
    schema: JsonObject = {
        "type": "object",
        "properties": {name: schema_of_type(hint, closed=closed) for name, hint in hints.items()},
    }
    if required := [name for name, hint in hints.items() if _is_required(typed_dict, name, hint)]:
        schema["required"] = required
    if closed:
        schema["additionalProperties"] = False
    return schema


@lru_cache(maxsize=1024)
def record_hints(typed_dict: Any) -> dict[str, Any]:
    """Return the annotations of a TypedDict. Cached, because schemas and markers are read from the same classes."""
    return get_type_hints(typed_dict, include_extras=True)


def _is_required(record: Any, name: str, hint: Any) -> bool:
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    # With postponed annotations, __required_keys__ ignores Required and NotRequired.
    return get_origin(hint) is Required or name in record.__required_keys__ and get_origin(hint) is not NotRequired


def schema_of_function(function: Callable[..., Any]) -> JsonObject:
    """Return the schema of a function's keyword-only parameters; ``**body: Unpack[Record]`` adds the fields of Record.

    A parameter with the default None is optional, and ``X | None`` is published as X.
    """
    hints = get_type_hints(function, include_extras=True)
    properties: JsonObject = {}
    required: list[str] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD and get_origin(hints[name]) is Unpack:
            body = schema_of_typed_dict(get_args(hints[name])[0])
            properties |= body["properties"]
            required += body.get("required", [])
        elif parameter.kind is parameter.KEYWORD_ONLY:
            properties[name] = _parameter_schema(hints[name], parameter.default)
            if parameter.default is parameter.empty:
                required.append(name)
    schema: JsonObject = {"type": "object", "properties": properties}
    return schema | ({"required": required} if required else {}) | {"additionalProperties": False}


def _parameter_schema(hint: Any, default: Any) -> JsonObject:
    schema = schema_of_type(_without_none(hint) if default is None else hint)
    return schema if default in (None, inspect.Parameter.empty) else {**schema, "default": default}


def _without_none(hint: Any) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return Annotated[_without_none(args[0]), *args[1:]]
    if origin in (Union, UnionType):
        return Union[tuple(part for part in args if part is not NoneType)]  # noqa: UP007  # there is no `|` of a tuple
    return hint


def truncate(text: str, max_length: int) -> str:
    """Shorten *text* to at most *max_length* characters, with an ellipsis."""
    return text if len(text) <= max_length else text[: max_length - 1] + "…"


def short_json(value: Any) -> str:
    """Return *value* as short JSON that is safe to quote in a message."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        return "a value that JSON cannot express"
    return printable_text(text)


def printable_text(text: str, max_length: int = MAX_SHORT_JSON_LENGTH) -> str:
    """Return *text*, shortened, with nonprintable characters replaced."""
    return truncate("".join(letter if letter.isprintable() else "?" for letter in text[: max_length + 1]), max_length)
