"""``Mcp-Param-*``: headers that repeat arguments of a tool, for gateways that route on them (SEP-2243)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from .jsonrpc import HEADER_MISMATCH, JsonObject, Request, RpcError
from .request_metadata import Headers, decode_value, sent

ANNOTATION = "x-mcp-header"
PREFIX = "Mcp-Param-"
KINDS = ("string", "integer", "boolean")
# RFC 9110, 5.6.2.
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What is compared as a number: no exponents, and short enough to be one.
DECIMAL = re.compile(r"(-?[0-9]{1,40})(?:\.0{1,40})?")


@dataclass(frozen=True, slots=True)
class Mirror:
    """An argument that a header repeats: the way to it through the arguments, the header, its JSON type."""

    path: tuple[str, ...]
    header: str
    kind: str


def mirrors(input_schema: JsonObject) -> tuple[Mirror, ...]:
    """The annotated properties of a tool; ValueError for an annotation that makes clients drop the tool."""
    found: list[Mirror] = []
    seen: set[str] = set()
    for path, schema in _properties(input_schema, ()):
        name, kind = schema[ANNOTATION], schema.get("type")
        where = f"{ANNOTATION} of {'.'.join(path)}"
        if not isinstance(name, str) or not TOKEN.fullmatch(name):
            raise ValueError(f"{where} must be a name that a header can have")
        if kind not in KINDS:
            raise ValueError(f"{where}: the type must be one of {', '.join(KINDS)}")
        if name.lower() in seen:
            raise ValueError(f"{where}: another property has the same header")
        seen.add(name.lower())
        found.append(Mirror(path, PREFIX + name, kind))
    if _annotations(input_schema) != len(found):
        raise ValueError(f'{ANNOTATION} must be reachable through "properties" alone')
    return tuple(found)


def _properties(schema: JsonObject, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], JsonObject]]:
    for name, inner in schema.get("properties", {}).items():
        if ANNOTATION in inner:
            yield (*path, name), inner
        yield from _properties(inner, (*path, name))


def _annotations(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_annotations, value))
    if not isinstance(value, dict):
        return 0
    # A property may bear the annotation's name; then its value is a schema, never a text.
    return (isinstance(value.get(ANNOTATION), str)) + sum(map(_annotations, value.values()))


def check_parameters(request: Request, headers: Headers, input_schema: JsonObject) -> None:
    """Refuse a call whose ``Mcp-Param-*`` headers and arguments disagree: RpcError -32020 (Custom Headers).

    An argument that is null, absent or no scalar has no header; every other annotated one has exactly one.
    Headers that no property is annotated with are ignored, as are arguments of the wrong shape: those are judged later.
    """
    arguments = request.params.get("arguments", {})
    for mirror in mirrors(input_schema):
        name, value = ".".join(mirror.path), _at(arguments, mirror.path)
        values = sent(headers, mirror.header)
        expected = _rendered(value)
        if expected is None and not values:
            continue
        if expected is None:
            fault = f"is there, but the argument {name} is not"
        elif not values:
            fault = f"is missing; it must equal the argument {name}"
        elif len(values) > 1:
            fault = "is there more than once"
        elif not _agrees(mirror.kind, value, expected, decode_value(values[0])):
            fault = f"does not agree with the argument {name}"
        else:
            continue
        raise RpcError(HEADER_MISMATCH, f"Header {mirror.header} {fault}", id=request.id)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _rendered(value: Any) -> str | None:
    """A scalar as a client writes it into a header; None for what has no header."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode() if isinstance(value, (bool, int, float)) else None


def _agrees(kind: str, value: Any, expected: str, decoded: str | None) -> bool:
    if decoded is None or decoded == expected:
        return decoded is not None
    number = DECIMAL.fullmatch(decoded)
    numeric = kind == "integer" and isinstance(value, (int, float)) and not isinstance(value, bool)
    return numeric and number is not None and int(number[1]) == value
