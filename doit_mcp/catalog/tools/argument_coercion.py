"""Arguments as clients really send them, read by the schema before they are checked against it.

Models and forms send numbers as text, text as numbers, whole numbers as 5.0, lists and objects as JSON text, enums in
another case, ids and names with blanks around, and null or "" for what they leave out. Only what can mean one thing is
changed; the rest is left as it is for the check to refuse.
"""

from __future__ import annotations

import re
from typing import Any

from ...protocol.jsonrpc import JsonObject, RpcError, parse_json

IGNORED_ARGUMENTS = frozenset({"customerContext", "X-Tenant-Id", "Idempotency-Key"})
"""Dropped where no schema knows them: clients of the old server send them, but the tenant is not theirs to choose, and
the client makes the keys."""

INTEGER_PATTERN = re.compile(r"-?\d{1,18}")
NUMBER_PATTERN = re.compile(r"-?\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,2})?")
MAX_EXACT_INTEGER = 2**53
EMPTY_VALUES: tuple[Any, ...] = (None, "", [], {})
TRUE_BY_DEFAULT = frozenset({"enabled"})
"""Switches that are on unless they are said to be off."""
IDENTIFIER_PATTERN = re.compile(
    r"(?!eventIds)(?:id|\w*[a-z]I[dD]s?|\w+_ids?|name|\w+Name|email|\w+Email|datasets?|handle|invoiceNumber|pageToken)"
)
"""Arguments by which things and people are known, where a blank before or behind is never part of it. Not keys and ids
that customers give to data of their own: there " a" and "a" may be two. Only the arguments themselves, too: what lies
deeper may be data that has to arrive as it is."""


def coerce_arguments(arguments: JsonObject, schema: JsonObject) -> JsonObject:
    """*arguments* with everything in the form that *schema* asks for, where that can be told."""
    known = schema.get("properties", {})
    kept = {name: value for name, value in arguments.items() if name in known or name not in IGNORED_ARGUMENTS}
    # Before, so that blanks alone count as nothing; and after, when lists are lists.
    return _trim_identifiers(_coerce_object(_trim_identifiers(kept, known), schema), known)


def needs_no_coercion(arguments: JsonObject, properties: JsonObject) -> bool:
    """Whether read() would leave these *arguments* as they are, if they fit the schema with the *properties* properties: all
    are known, and texts without blanks around, whole numbers or switches."""
    for name, value in arguments.items():
        kind = type(value)
        if name not in properties or not (kind is bool or kind is int or (kind is str and value == value.strip())):
            return False
    return True


def _trim_identifiers(arguments: JsonObject, properties: JsonObject) -> JsonObject:
    """*arguments* without the blanks around ids, names and lists of such, where they are *properties*."""
    return {
        name: _strip_whitespace(value) if name in properties and IDENTIFIER_PATTERN.fullmatch(name) else value
        for name, value in arguments.items()
    }


def _strip_whitespace(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip()
    return [item.strip() if isinstance(item, str) else item for item in value] if isinstance(value, list) else value


def _coerce_value(value: Any, schema: JsonObject) -> Any:
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1 and value is not None:
        return _coerce_value(value, options[0])
    kind = schema.get("type")
    if isinstance(value, str) and "enum" in schema:
        return _match_enum(value, schema["enum"])
    if isinstance(value, str):
        return _parse_text(value, kind, schema)
    if isinstance(value, float) and kind == "integer" and value.is_integer() and abs(value) <= MAX_EXACT_INTEGER:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and kind == "string":
        return str(value)
    if isinstance(value, dict) and kind == "object":
        return _coerce_object(value, schema)
    if isinstance(value, list) and kind == "array" and "items" in schema:
        return [_coerce_value(item, schema["items"]) for item in value]
    return value


def _coerce_object(value: JsonObject, schema: JsonObject) -> JsonObject:
    known, required = schema.get("properties", {}), schema.get("required", ())
    return {
        name: _coerce_value(item, known[name]) if name in known else item
        for name, item in value.items()
        if name not in known or name in required or not _is_omitted(item, known[name])
    }


def _is_omitted(value: Any, schema: JsonObject) -> bool:
    """Whether *value* is a client's way to say nothing: null or "" where neither could be meant."""
    if value is None:
        return bool(schema) and not any(option.get("type") == "null" for option in schema.get("anyOf", [schema]))
    if value != "" or not schema or "anyOf" in schema:
        return False
    return schema.get("type") != "string" or "enum" in schema or "pattern" in schema or schema.get("minLength", 0) > 0


def _parse_text(text: str, kind: Any, schema: JsonObject) -> Any:
    plain = text.strip()
    if kind == "integer" and INTEGER_PATTERN.fullmatch(plain):
        return int(plain)
    if kind == "number" and NUMBER_PATTERN.fullmatch(plain):
        return float(plain)
    if kind == "boolean" and plain.lower() in ("true", "false"):
        return plain.lower() == "true"
    if kind in ("array", "object") and plain[:1] == ("[" if kind == "array" else "{"):
        try:
            return _coerce_value(parse_json(plain.encode()), schema)
        except (RpcError, UnicodeEncodeError):
            return text
    return text


def _match_enum(text: str, options: list[Any]) -> str:
    plain, known = text.strip(), {option: option.casefold() for option in options if isinstance(option, str)}
    # Case folding makes no text shorter, so a longer one can be none of them.
    if text in known or len(plain) > max(map(len, known.values()), default=0):
        return text
    wanted = plain.casefold()
    same = [option for option, folded in known.items() if folded == wanted]
    return same[0] if len(same) == 1 else text


def canonicalize(value: Any, schema: JsonObject, *, creates: bool) -> Any:
    """*value*, which fits *schema*, in the one form of all values that mean the same: whole numbers without a fraction,
    and objects without optional members that say what leaving them out says.

    Where a write *creates* something, empty members are such; an update can clear a field with them.
    """
    if options := schema.get("anyOf"):
        schema = next((option for option in options if option.get("type") == _container_type(value)), {})
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_EXACT_INTEGER:
        return int(value)
    if isinstance(value, list):
        items = schema.get("items", {})
        return [canonicalize(item, items, creates=creates) for item in value]
    if not isinstance(value, dict):
        return value
    known, required = schema.get("properties", {}), schema.get("required", ())
    members = {name: canonicalize(member, known.get(name, {}), creates=creates) for name, member in value.items()}
    return {
        name: member
        for name, member in members.items()
        if name in required or name not in known or not _is_redundant(name, member, known[name], creates)
    }


def _container_type(value: Any) -> str:
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else ""


def _is_redundant(name: str, value: Any, schema: JsonObject, creates: bool) -> bool:
    """Whether the optional member *name* might as well be left out."""
    if "default" in schema and value == schema["default"]:
        return True
    if not creates:
        return False
    # 0 and False are equal for Python, but not for a schema.
    off = value is False and schema.get("type") == "boolean" and name not in TRUE_BY_DEFAULT
    zero = type(value) is int and value == 0 and schema.get("minimum") == 0
    return off or zero or value in EMPTY_VALUES
