"""JSON Schema from Python annotations, and short forms of values for error messages.

Produces portable schemas only: no ``$ref``, type lists, boolean subschemas, or combinators at the root.

The arguments of a tool have two schemas. Clients see the *published* one, which avoids what some of them refuse. The
server checks arguments against the *accepted* one, which is stricter about unknown names and also has the members that
are no longer published.
"""

import inspect
from collections.abc import Callable, Mapping
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

    @property
    def inclusive(self) -> "Range":
        """The range with its exclusive bound as an inclusive one."""
        return self if self.exclusive_minimum is None else Range(self.exclusive_minimum, self.maximum)


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


@dataclass(frozen=True, slots=True)
class PublishedMembers:
    """Marker for JsonObject: publishes the members of the TypedDict *record*, although others are accepted, too.

    *and_others* publishes that any members are allowed; then those of *record* are only examples. An object without
    properties is not portable: some clients drop all of its members.
    """

    record: Any
    and_others: bool = False


@dataclass(frozen=True, slots=True)
class FormerOptions:
    """Marker for texts with options: other spellings of them, which are accepted, but not published."""

    options: tuple[str, ...]


class Unlisted:
    """The type of the markers for what is accepted, but not published."""


UNLISTED = Unlisted()
"""Marker for members of TypedDicts that are not published: former forms, or without effect."""
UNLISTED_OPTIONS = Unlisted()
"""Marker for texts whose options are not published, because they would be most of the tokens. Errors list them."""

SchemaForm = Literal["accepted", "published", "result"]
"""The published or the accepted schema of arguments, or the schema of a result, whose objects are all open."""
MARKERS_BY_TYPE = {"string": (Length, Pattern), "array": (Length,), "integer": (Range,), "number": (Range,)}
LIST_KEYWORDS = {"minLength": "minItems", "maxLength": "maxItems"}
NULL_SCHEMA = {"type": "null"}
ANY_OBJECT = {"type": "object"}


def schema_of_type(annotation: Any, form: SchemaForm = "accepted") -> JsonObject:
    """Return the schema of an annotation. Raise TypeError if it has no portable schema."""
    if annotation is Any:
        return {}
    if isinstance(annotation, type) and annotation in JSON_TYPES:
        return {"type": JSON_TYPES[annotation]}
    origin, args = get_origin(annotation), get_args(annotation)
    if is_typeddict(annotation):
        return schema_of_typed_dict(annotation, form)
    if origin is Annotated:
        return _annotated_schema(args, form)
    if origin in (Required, NotRequired):
        return schema_of_type(args[0], form)
    if origin is Literal and len({type(value) for value in args}) == 1:
        return {"type": JSON_TYPES[type(args[0])], "enum": list(args)}
    if origin is list:
        items = schema_of_type(args[0], form)
        return {"type": "array", "items": items} if items else {"type": "array"}
    if origin is dict or annotation is dict:
        return {"type": "object"}
    if origin in (Union, UnionType):
        if NoneType in args and form != "result":
            raise TypeError(f"{annotation!r} cannot be an argument, because null means that an argument is omitted")
        return {"anyOf": [schema_of_type(part, form) for part in args]}
    raise TypeError(f"no JSON Schema for {annotation!r}")


def _annotated_schema(args: tuple[Any, ...], form: SchemaForm) -> JsonObject:
    inner, *markers = args
    schema = schema_of_type(inner, form)
    for marker in markers:
        if isinstance(marker, str):
            schema = {**schema, "description": marker}
        elif isinstance(marker, Range | Length | Pattern):
            schema = _with_limit(schema, marker, form)
        elif marker is UNLISTED_OPTIONS and form == "published":
            schema = {name: value for name, value in schema.items() if name != "enum"}
        elif isinstance(marker, FormerOptions) and form == "accepted":
            schema = {**schema, "enum": [*schema["enum"], *marker.options]}
        elif isinstance(marker, PublishedMembers):
            schema = _with_members(schema, marker, form)
    return schema


def _with_members(schema: JsonObject, marker: PublishedMembers, form: SchemaForm) -> JsonObject:
    if schema.get("type") != "object" or "properties" in schema:
        raise TypeError(f"{marker} needs an object without members, not {schema}")
    if form == "published" and not marker.and_others:
        return schema | schema_of_typed_dict(marker.record, form)
    if not marker.and_others:
        return schema | schema_of_typed_dict(marker.record, "result") | {"additionalProperties": True}
    if form != "published":
        return schema
    # Clients drop or refuse members that properties lack, unless a combinator says that any are allowed.
    return schema | schema_of_typed_dict(marker.record, form) | {"oneOf": [ANY_OBJECT]}


def _with_limit(schema: JsonObject, marker: Range | Length | Pattern, form: SchemaForm) -> JsonObject:
    kind = schema.get("type", "")
    if parts := schema.get("anyOf"):
        return {**schema, "anyOf": [part if part == NULL_SCHEMA else _with_limit(part, marker, form) for part in parts]}
    if not isinstance(marker, MARKERS_BY_TYPE.get(kind, ())):
        raise TypeError(f"{marker} cannot limit {schema}")
    keywords = _published_keywords(marker) if form == "published" else marker.keywords
    return {
        **schema,
        **{LIST_KEYWORDS[name] if kind == "array" else name: value for name, value in keywords.items()},
    }


def _published_keywords(marker: Range | Length | Pattern) -> JsonObject:
    """Return the keywords of a limit that all clients understand. Models do not count characters anyway."""
    match marker:
        case Length():
            return {}
        case Range():
            return marker.inclusive.keywords
    return marker.keywords


@lru_cache(maxsize=2048)
def schema_of_typed_dict(typed_dict: Any, form: SchemaForm = "accepted") -> JsonObject:
    """Return the schema of a TypedDict. Cached, because many tools share records: copy it to change it."""
    hints = record_hints(typed_dict)
    if form == "published":
        hints = {name: hint for name, hint in hints.items() if not _is_unlisted(hint)}
    schema: JsonObject = {
        "type": "object",
        "properties": {name: schema_of_type(hint, form) for name, hint in hints.items()},
    }
    if required := [name for name, hint in hints.items() if _is_required(typed_dict, name, hint)]:
        schema["required"] = required
    return _close_object(schema, form)


def _close_object(schema: JsonObject, form: SchemaForm) -> JsonObject:
    """Return the *schema* of an object that accepts no other members. Some clients refuse the keyword."""
    return {**schema, "additionalProperties": False} if form == "accepted" else schema


def _is_unlisted(hint: Any) -> bool:
    while get_origin(hint) in (Required, NotRequired):
        hint = get_args(hint)[0]
    return get_origin(hint) is Annotated and UNLISTED in get_args(hint)


@lru_cache(maxsize=1024)
def record_hints(typed_dict: Any) -> dict[str, Any]:
    """Return the annotations of a TypedDict. Cached, because schemas and markers are read from the same classes."""
    return get_type_hints(typed_dict, include_extras=True)


def _is_required(record: Any, name: str, hint: Any) -> bool:
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    # With postponed annotations, __required_keys__ ignores Required and NotRequired.
    return get_origin(hint) is Required or name in record.__required_keys__ and get_origin(hint) is not NotRequired


@lru_cache(maxsize=1024)
def function_hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the annotations of a function. Cached, because each fact of a tool is read from the same signature."""
    return get_type_hints(function, include_extras=True)


@lru_cache(maxsize=1024)
def function_parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a function by name. Cached as :func:`function_hints`."""
    return inspect.signature(function).parameters


def schema_of_function(function: Callable[..., Any], form: SchemaForm = "accepted") -> JsonObject:
    """Return the schema of a function's keyword-only parameters; ``**body: Unpack[Record]`` adds the fields of Record.

    A parameter with the default None is optional, and ``X | None`` is published as X.
    """
    hints = function_hints(function)
    properties: JsonObject = {}
    required: list[str] = []
    for name, parameter in function_parameters(function).items():
        if parameter.kind is parameter.VAR_KEYWORD and get_origin(hints[name]) is Unpack:
            body = schema_of_typed_dict(get_args(hints[name])[0], form)
            properties |= body["properties"]
            required += body.get("required", [])
        elif parameter.kind is parameter.KEYWORD_ONLY:
            properties[name] = _parameter_schema(hints[name], parameter.default, form)
            if parameter.default is parameter.empty:
                required.append(name)
    schema: JsonObject = {"type": "object", "properties": properties}
    return _close_object(schema | ({"required": required} if required else {}), form)


def _parameter_schema(hint: Any, default: Any, form: SchemaForm) -> JsonObject:
    schema = _schema_without_none(hint, form) if default is None else schema_of_type(hint, form)
    return schema if default in (None, inspect.Parameter.empty) else {**schema, "default": default}


def _schema_without_none(hint: Any, form: SchemaForm) -> JsonObject:
    """Return the schema of ``X | None`` as that of X."""
    inner, *markers = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    parts = get_args(inner) if get_origin(inner) in (Union, UnionType) else (inner,)
    inner = Union[tuple(part for part in parts if part is not NoneType)]  # noqa: UP007  # there is no `|` of a tuple
    return _annotated_schema((inner, *markers), form)


def truncate_text(text: str, max_length: int) -> str:
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
    return truncate_text(
        "".join(letter if letter.isprintable() else "?" for letter in text[: max_length + 1]), max_length
    )
