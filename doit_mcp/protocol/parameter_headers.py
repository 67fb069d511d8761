"""``Mcp-Param-*`` headers, which repeat tool arguments for gateways that route by them (SEP-2243)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from .jsonrpc import HEADER_MISMATCH, JsonObject, Request, RpcError
from .request_metadata import Headers, decode_header_value, header_values

HEADER_ANNOTATION = "x-mcp-header"
HEADER_PREFIX = "Mcp-Param-"
PARAMETER_TYPES = ("string", "integer", "boolean")
# RFC 9110, 5.6.2.
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Compared as numbers; no exponents, bounded length.
INTEGRAL_NUMBER = re.compile(r"(-?[0-9]{1,40})(?:\.0{1,40})?")


class ParameterHeader(NamedTuple):
    """An argument that a header repeats: its path in the arguments, the header name, its JSON type."""

    path: tuple[str, ...]
    header: str
    json_type: str


def find_parameter_headers(input_schema: JsonObject) -> tuple[ParameterHeader, ...]:
    """Return the annotated properties of a tool. Raise ValueError for annotations that clients reject."""
    # Walking the schemas of all tools takes ten times as long, and almost none is annotated.
    if HEADER_ANNOTATION.encode() not in orjson.dumps(input_schema):
        return ()
    parameter_headers: list[ParameterHeader] = []
    names: set[str] = set()
    for path, schema in _annotated_properties(input_schema, ()):
        name, kind = schema[HEADER_ANNOTATION], schema.get("type")
        location = f"{HEADER_ANNOTATION} of {'.'.join(path)}"
        if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
            raise ValueError(f"{location} must be a valid header name")
        if kind not in PARAMETER_TYPES:
            raise ValueError(f"{location}: the type must be one of {', '.join(PARAMETER_TYPES)}")
        if name.lower() in names:
            raise ValueError(f"{location}: another property has the same header")
        names.add(name.lower())
        parameter_headers.append(ParameterHeader(path, HEADER_PREFIX + name, kind))
    if _count_annotations(input_schema) != len(parameter_headers):
        raise ValueError(f'{HEADER_ANNOTATION} must be reachable through "properties" alone')
    return tuple(parameter_headers)


def _annotated_properties(schema: JsonObject, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], JsonObject]]:
    for name, inner in schema.get("properties", {}).items():
        if HEADER_ANNOTATION in inner:
            yield (*path, name), inner
        yield from _annotated_properties(inner, (*path, name))


def _count_annotations(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_count_annotations, value))
    if not isinstance(value, dict):
        return 0
    # A property can have the annotation's name; its value is a schema then, never a string.
    return (isinstance(value.get(HEADER_ANNOTATION), str)) + sum(map(_count_annotations, value.values()))


def check_parameter_headers(request: Request, headers: Headers, input_schema: JsonObject) -> None:
    """Check that ``Mcp-Param-*`` headers match the arguments. Raise RpcError -32020 (MCP 2026-07-28, Custom Headers).

    An annotated scalar argument has exactly one header. Null, absent and structured arguments have none. Other headers
    are ignored, and so are arguments of the wrong type, which the schema check reports later.
    """
    arguments = request.params.get("arguments", {})
    for parameter in find_parameter_headers(input_schema):
        name, value = ".".join(parameter.path), _find_argument(arguments, parameter.path)
        values = header_values(headers, parameter.header)
        expected = _header_text(value)
        if expected is None and not values:
            continue
        if expected is None:
            problem = f"is present, but the argument {name} is missing"
        elif not values:
            problem = f"is missing; it must equal the argument {name}"
        elif len(values) > 1:
            problem = "appears more than once"
        elif not _header_matches(parameter.json_type, value, expected, decode_header_value(values[0])):
            problem = f"does not match the argument {name}"
        else:
            continue
        raise RpcError(HEADER_MISMATCH, f"Header {parameter.header} {problem}", id=request.id)


def _find_argument(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _header_text(value: Any) -> str | None:
    """Return a scalar as a client writes it into a header, or None."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode() if isinstance(value, (bool, int, float)) else None


def _header_matches(kind: str, value: Any, expected: str, decoded: str | None) -> bool:
    if decoded is None or decoded == expected:
        return decoded is not None
    number = INTEGRAL_NUMBER.fullmatch(decoded)
    numeric = kind == "integer" and isinstance(value, (int, float)) and not isinstance(value, bool)
    return numeric and number is not None and int(number[1]) == value
