"""Turns schemas of an OpenAPI 3 document into JSON Schemas of arguments, within limits on depth and size.

References are followed within the document only. A schema that cannot be expressed simply accepts any value, which the
API checks.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..protocol.json_schema import JsonObject

MAX_DEPTH = 8
MAX_PARTS = 400
"""Maximum schemas within the schema of one operation."""
MAX_SCHEMA_BYTES = 5_000
"""Maximum size of the argument schema of an operation, which models read. Larger ones are described less deeply."""
MAX_MEMBERS = 5_000
"""Members of a response that are searched for secrets."""
MAX_DESCRIPTION_CHARACTERS = 200
MAX_OPTIONS = 200
TYPES = frozenset(("string", "integer", "number", "boolean", "array", "object"))
SCHEMA_LISTS = ("allOf", "oneOf", "anyOf", "prefixItems")
LIMITS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
SECRET_NAME = re.compile(
    r"(?i)(token|secret|password|passwd|pwd|passcode|passphrase|otp|credential|authorization|bearer|jwt|cookie"
    r"|(api|private|access|secret|signing|encryption|session|shared|ssh)_?key|connection_?string|(pre)?signed_?url|basic_?auth)"
    r"s?(_?(value|string|text|header|hash|base64|pem)s?)?$"
)
SECRET_FORMAT = "password"
"""The format of text that is a secret, whatever its name."""
CURSOR_NAME = re.compile(r"(?i)(next_?|previous_?|page_?|continuation_?|sync_?)+tokens?")
"""Names of tokens that continue a list."""

Resolve = Callable[[str], Any]


@dataclass(slots=True)
class SchemaBudget:
    """How deep the schema of one operation may be, and how many more schemas it may contain."""

    max_depth: int = MAX_DEPTH
    parts: int = MAX_PARTS


def make_resolver(document: Mapping[str, Any]) -> Resolve:
    """Return a function that returns the part of *document* that a reference names; {} if it leads nowhere."""

    def resolve(reference: str) -> Any:
        part: Any = document
        if not reference.startswith("#/"):
            return {}
        for step in reference[2:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(part, Mapping) or name not in part:
                return {}
            part = part[name]
        return part

    return resolve


def dereference(value: Any, resolve: Resolve) -> JsonObject:
    """Return *value*, or what its reference names; {} for anything but an object."""
    for _ in range(MAX_DEPTH):
        if not isinstance(value, dict):
            return {}
        if not isinstance(reference := value.get("$ref"), str):
            return value
        value = resolve(reference)
    return {}


def argument_schema(schema: Any, resolve: Resolve, budget: SchemaBudget, depth: int = 0) -> JsonObject:
    """Return the JSON Schema of a value in a request; {} (anything) beyond the limits."""
    budget.parts -= 1
    if depth > budget.max_depth or budget.parts < 0:
        return {}
    part = _combine(dereference(schema, resolve), resolve)
    kind, description = part.get("type"), _description(part)
    options = [value for value in _as_list(part.get("enum")) if value is not None]
    found: JsonObject = {}
    if kind in TYPES:
        found["type"] = kind
    if options and len(options) <= MAX_OPTIONS and all(isinstance(value, str | int | float) for value in options):
        found["enum"] = options
    found |= {name: part[name] for name in LIMITS if isinstance(part.get(name), int | float)}
    if kind == "array" and (items := argument_schema(part.get("items"), resolve, budget, depth + 1)):
        found["items"] = items
    if kind == "object" or "properties" in part:
        found |= _object_schema(part, resolve, budget, depth)
    if part.get("nullable") is True and found and depth:
        found = {"anyOf": [found, {"type": "null"}]}
    return found | description


def _object_schema(part: JsonObject, resolve: Resolve, budget: SchemaBudget, depth: int) -> JsonObject:
    properties = {
        str(name): argument_schema(member, resolve, budget, depth + 1)
        for name, member in _as_object(part.get("properties")).items()
        if dereference(member, resolve).get("readOnly") is not True
    }
    found: JsonObject = {"type": "object", "properties": properties}
    if required := [name for name in _as_list(part.get("required")) if name in properties]:
        found["required"] = required
    # A misspelled member is an error, unless the document leaves the object open or a limit was reached.
    is_open = part.get("additionalProperties", not properties) is not False or "oneOf" in part or "anyOf" in part
    return found if is_open or budget.parts < 0 else {**found, "additionalProperties": False}


def _combine(part: JsonObject, resolve: Resolve) -> JsonObject:
    """Return a schema merged with its allOf branches, but not with those of oneOf and anyOf, which are alternatives."""
    combined = {name: value for name, value in part.items() if name != "allOf"}
    for branch in _as_list(part.get("allOf"))[:MAX_OPTIONS]:
        other = dereference(branch, resolve)
        properties = {**_as_object(combined.get("properties")), **_as_object(other.get("properties"))}
        required = [*_as_list(combined.get("required")), *_as_list(other.get("required"))]
        combined = {**other, **combined}
        if properties:
            combined |= {"properties": properties, "required": required}
    return combined


def _description(part: JsonObject) -> JsonObject:
    text = part.get("description")
    if not isinstance(text, str) or not text.strip():
        return {}
    return {"description": to_one_line(text, MAX_DESCRIPTION_CHARACTERS)}


def to_one_line(text: str, limit: int) -> str:
    """Return *text* on one line of printable characters, cut to *limit*."""
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in text[: 4 * limit]).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def secret_names(schema: Any, resolve: Resolve) -> list[str]:
    """Return the names of members, at any depth, that look like secrets; "…" if there are too many to check.

    A value that is not a member, such as a whole response that is a password, has the name of its format.
    """
    names = list(_member_names(schema, resolve))
    secrets = [name for name in names if is_secret_name(name)]
    return secrets or (["…"] if len(names) >= MAX_MEMBERS else [])


def is_secret_name(name: str) -> bool:
    """Return whether a member with this name probably has a secret."""
    return bool(SECRET_NAME.search(name)) and not CURSOR_NAME.fullmatch(name)


def _member_names(schema: Any, resolve: Resolve) -> Iterator[str]:
    """Yield up to MAX_MEMBERS names of members. A schema that several members share is visited once."""
    waiting, seen, count = [schema], set[int](), 0
    while waiting:
        part = dereference(waiting.pop(), resolve)
        if id(part) in seen:
            continue
        seen.add(id(part))
        members = _as_object(part.get("properties"))
        format_name = [SECRET_FORMAT] if part.get("format") == SECRET_FORMAT else []
        for name in (*members, *format_name):
            count += 1
            yield str(name)
            if count >= MAX_MEMBERS:
                return
        inner = [*members.values(), *_as_object(part.get("patternProperties")).values()]
        inner += [part.get(key) for key in ("items", "additionalProperties", "then", "else")]
        waiting += [*inner, *(one for key in SCHEMA_LISTS for one in _as_list(part.get(key)))]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _as_object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}
