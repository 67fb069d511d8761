"""Coerces the arguments that clients send to the types of a tool's input schema, before validation.

Models and forms send numbers as text, text as numbers, integers as 5.0, lists and objects as JSON text, enum values in
another case, ids and names with surrounding whitespace, and null or "" for omitted values. Only unambiguous values are
changed; validation rejects the rest.
"""

from __future__ import annotations

import re
from typing import Any

from ...protocol.jsonrpc import JsonObject, RpcError, parse_json

IGNORED_ARGUMENTS = frozenset({"customerContext", "X-Tenant-Id", "Idempotency-Key"})
"""Dropped unless the schema declares them. Clients of the previous server send them, but a client cannot choose the
tenant, and the API client generates the idempotency keys."""

INTEGER_PATTERN = re.compile(r"-?\d{1,18}")
NUMBER_PATTERN = re.compile(r"-?\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,2})?")
MAX_EXACT_INTEGER = 2**53
EMPTY_VALUES: tuple[Any, ...] = (None, "", [], {})
FILTER_ARGUMENT = "filter"
"""The filter of list operations: key:value terms joined by |."""
BRACKETED_TERM = re.compile(r"([^:\[\]|]+:)\s*\[([^\[\]|]+)\]\s*")
"""A term with its value in brackets, as the API's document writes it. The API takes the brackets as part of the value,
which then matches nothing."""
TRUE_BY_DEFAULT = frozenset({"enabled"})
"""Boolean members that default to true."""


def coerce_arguments(
    arguments: JsonObject, schema: JsonObject, identifiers: frozenset[str] = frozenset()
) -> JsonObject:
    """Return *arguments* with every unambiguous value converted to the type that *schema* declares.

    Removes whitespace around the values of *identifiers*, the arguments that are marked IDENTIFIER.
    """
    properties = schema.get("properties", {})
    accepted = {name: value for name, value in arguments.items() if name in properties or name not in IGNORED_ARGUMENTS}
    if isinstance(filter_text := accepted.get(FILTER_ARGUMENT), str) and FILTER_ARGUMENT in properties:
        accepted[FILTER_ARGUMENT] = _remove_brackets(filter_text)
    # Trim before coercion, so that whitespace alone counts as omitted, and after it, when JSON texts are lists.
    return _trim_identifiers(_coerce_object(_trim_identifiers(accepted, identifiers), schema), identifiers)


def needs_no_coercion(arguments: JsonObject, properties: JsonObject) -> bool:
    """Return whether coerce_arguments() returns valid *arguments* unchanged.

    It does if every name is among the *properties*, and every value is text without surrounding whitespace, an integer
    or a boolean. A filter with brackets may need it.
    """
    if "[" in str(arguments.get(FILTER_ARGUMENT, "")):
        return False
    for name, value in arguments.items():
        kind = type(value)
        if name not in properties or not (kind is bool or kind is int or (kind is str and value == value.strip())):
            return False
    return True


def _remove_brackets(text: str) -> str:
    """Return a filter without the brackets of terms whose whole value is in one pair of them."""
    return "|".join(map(_term_without_brackets, text.split("|")))


def _term_without_brackets(term: str) -> str:
    match = BRACKETED_TERM.fullmatch(term)
    value = match[2].strip() if match else ""
    return f"{match[1]}{value}" if match and value else term


def _trim_identifiers(arguments: JsonObject, identifiers: frozenset[str]) -> JsonObject:
    return {name: _strip_whitespace(value) if name in identifiers else value for name, value in arguments.items()}


def _strip_whitespace(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip()
    return [item.strip() if isinstance(item, str) else item for item in value] if isinstance(value, list) else value


def _coerce_value(value: Any, schema: JsonObject) -> Any:
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if (container := _written_container(value)) and len(options) > 1:
        options = [option for option in options if option.get("type") == container]
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


def _written_container(value: Any) -> str:
    """Return the type of a list or an object, also if it is written as JSON text; "" for any other value."""
    if isinstance(value, str):
        return {"[": "array", "{": "object"}.get(value.strip()[:1], "")
    return _container_type(value)


def _coerce_object(value: JsonObject, schema: JsonObject) -> JsonObject:
    properties, required = schema.get("properties", {}), schema.get("required", ())
    return {
        name: _coerce_value(member, properties[name]) if name in properties else member
        for name, member in value.items()
        if name not in properties or name in required or not _is_omitted(member, properties[name])
    }


def _is_omitted(value: Any, schema: JsonObject) -> bool:
    """Return whether *value* means an omitted argument: null or "", if the schema does not allow it."""
    if value is None:
        return bool(schema) and not any(option.get("type") == "null" for option in schema.get("anyOf", [schema]))
    if value != "" or not schema or "anyOf" in schema:
        return False
    return schema.get("type") != "string" or "enum" in schema or "pattern" in schema or schema.get("minLength", 0) > 0


def _parse_text(text: str, kind: Any, schema: JsonObject) -> Any:
    stripped = text.strip()
    if kind == "integer" and INTEGER_PATTERN.fullmatch(stripped):
        return int(stripped)
    if kind == "number" and NUMBER_PATTERN.fullmatch(stripped):
        return float(stripped)
    if kind == "boolean" and stripped.lower() in ("true", "false"):
        return stripped.lower() == "true"
    if kind in ("array", "object") and stripped[:1] == ("[" if kind == "array" else "{"):
        try:
            return _coerce_value(parse_json(stripped.encode()), schema)
        except (RpcError, UnicodeEncodeError):
            return text
    return text


def _match_enum(text: str, options: list[Any]) -> str:
    """Return the only option that equals *text*, ignoring case and surrounding whitespace; otherwise *text*."""
    stripped = text.strip()
    folded_options = {option: option.casefold() for option in options if isinstance(option, str)}
    # Case folding never shortens a text, so one that is longer than every option matches none.
    if text in folded_options or len(stripped) > max(map(len, folded_options.values()), default=0):
        return text
    folded_text = stripped.casefold()
    matches = [option for option, folded_option in folded_options.items() if folded_option == folded_text]
    return matches[0] if len(matches) == 1 else text


def canonicalize(value: Any, schema: JsonObject, *, creates: bool) -> Any:
    """Return the canonical form of *value*, which is valid under *schema*: equivalent values have the same form.

    Integers lose a zero fraction, and objects lose optional members that have the same effect when omitted. A write
    that *creates* something treats empty members as omitted; an update can clear a field with them.
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
    properties, required = schema.get("properties", {}), schema.get("required", ())
    members = {name: canonicalize(member, properties.get(name, {}), creates=creates) for name, member in value.items()}
    return {
        name: member
        for name, member in members.items()
        if name in required or name not in properties or not _is_redundant(name, member, properties[name], creates)
    }


def _container_type(value: Any) -> str:
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else ""


def _is_redundant(name: str, value: Any, schema: JsonObject, creates: bool) -> bool:
    """Return whether omitting the optional member *name* has the same effect."""
    if "default" in schema and value == schema["default"]:
        return True
    if not creates:
        return False
    # Python treats 0 and False as equal; JSON Schema does not.
    is_false = value is False and schema.get("type") == "boolean" and name not in TRUE_BY_DEFAULT
    is_zero = type(value) is int and value == 0 and schema.get("minimum") == 0
    return is_false or is_zero or value in EMPTY_VALUES
