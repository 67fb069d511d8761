"""Coerces the arguments that clients send to the types of a tool's input schema, before validation.

Models and forms send numbers as text, text as numbers, integers as 5.0, lists and objects as JSON text, one value for a
list, [] for an empty object, enum values in another case, ids and names with surrounding whitespace, and null, "", "None"
or [] for omitted values. Frameworks add arguments of their own. Only unambiguous values are changed; validation rejects
the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ...api.markers import EMPTY_VALUES
from ...protocol.jsonrpc import MAX_EXACT_INTEGER, JsonObject, RpcError, parse_json, replace_empty_list

IGNORED_ARGUMENTS = frozenset(
    (
        # Clients of the previous server. A client cannot choose the tenant, and the API client generates the keys.
        *("customerContext", "X-Tenant-Id", "Idempotency-Key"),
        # n8n's tool node.
        *("toolCallId", "sessionId", "action", "chatInput"),
        # Cline: the model's list of tasks. Cursor: a required argument for tools that have none.
        *("task_progress", "random_string", "dummy"),
    )
)
"""Arguments that clients add to those of the model. Dropped unless the schema declares them."""
OFFERED_ARGUMENTS = frozenset(("id", "name", "filter", "maxResults", "pageToken"))
"""Arguments that the schema of the discovery tools names, because many operations have them. Clients fill in all."""
NULL_WORDS = frozenset({"null", "None", "undefined"})
"""How models and clients in JavaScript and Python write an omitted value as text."""
NO_FORMER_NAMES: Mapping[str, str] = MappingProxyType({})

INTEGER_PATTERN = re.compile(r"(-?\d{1,18})(?:\.0{1,18})?")
NUMBER_PATTERN = re.compile(r"-?\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,2})?")
FILTER_ARGUMENT = "filter"
"""The filter of list operations: key:value terms joined by |."""
FREE_TEXT_FILTER_KEYS = frozenset("budgetName content label labels name reportName serviceName subject title".split())
"""Keys of filters whose values users choose, so that brackets can be part of them: a budget may be called [x17]."""
BRACKETED_TERM = re.compile(r"([^:\[\]|]+:)\s*\[([^\[\]|]+)\]\s*")
"""A term with its value in brackets, as the API's document writes it. The API takes the brackets as part of the value,
which then matches nothing. Values of FREE_TEXT_FILTER_KEYS keep their brackets."""
TRUE_BY_DEFAULT = frozenset({"enabled"})
"""Boolean members that default to true."""


def coerce_arguments(
    arguments: JsonObject,
    schema: JsonObject,
    identifiers: frozenset[str] = frozenset(),
    former_names: Mapping[str, str] = NO_FORMER_NAMES,
    *,
    reads: bool = False,
) -> JsonObject:
    """Return *arguments* with every unambiguous value converted to the type that *schema* declares.

    Removes whitespace around the values of *identifiers*, the arguments that are marked IDENTIFIER. *former_names* are
    the current names of arguments by their former ones. For a tool that only *reads*, an empty list means that the
    argument is omitted; in a write, it could mean to remove all items.
    """
    properties = schema.get("properties", {})
    accepted = _with_current_names(arguments, properties, former_names)
    if reads and [] in accepted.values():
        required = schema.get("required", ())
        accepted = {
            name: value
            for name, value in accepted.items()
            if value != [] or name in required or not _needs_items(properties.get(name, {}))
        }
    if isinstance(filter_text := accepted.get(FILTER_ARGUMENT), str) and FILTER_ARGUMENT in properties:
        accepted[FILTER_ARGUMENT] = _remove_brackets(filter_text)
    # Trim before coercion, so that whitespace alone counts as omitted, and after it, when JSON texts are lists.
    return _trim_identifiers(_coerce_object(_trim_identifiers(accepted, identifiers), schema), identifiers)


def needs_no_coercion(arguments: JsonObject, properties: JsonObject) -> bool:
    """Return whether coerce_arguments() returns valid *arguments* unchanged.

    It does if every name is among the *properties*, and every value is text without surrounding whitespace, an integer
    or a boolean. A filter with brackets may need it.
    """
    if FILTER_ARGUMENT in arguments and "[" in str(arguments[FILTER_ARGUMENT]):
        return False
    for name, value in arguments.items():
        kind = type(value)
        if name not in properties or not (kind is bool or kind is int or (kind is str and _is_plain(value))):
            return False
    return True


def _is_plain(text: str) -> bool:
    return text == text.strip() and text not in NULL_WORDS


def _with_current_names(arguments: JsonObject, properties: JsonObject, former_names: Mapping[str, str]) -> JsonObject:
    """Return *arguments* by their current names, without those that clients add and those that are null."""
    accepted: JsonObject = {}
    for name, value in arguments.items():
        current = former_names.get(name, name)
        is_unknown = name not in properties and current == name
        if value is None or (is_unknown and (name in IGNORED_ARGUMENTS or _is_unused(name, value))):
            continue
        # An argument that is sent under both names keeps both, and validation rejects the former one.
        accepted[name if current != name and arguments.get(current) is not None else current] = value
    return accepted


def _is_unused(name: str, value: Any) -> bool:
    """Return whether the argument *name*, which the tool lacks, is one that forms send with an empty value."""
    return name in OFFERED_ARGUMENTS and isinstance(value, str) and value in (*NULL_WORDS, "")


def _needs_items(schema: JsonObject) -> bool:
    """Return whether *schema* allows lists, but no empty ones."""
    return any(option.get("minItems", 0) > 0 for option in schema.get("anyOf", (schema,)))


def _remove_brackets(text: str) -> str:
    """Return a filter without the brackets of terms whose whole value is in one pair of them.

    Terms with keys of FREE_TEXT_FILTER_KEYS stay as they are.
    """
    return "|".join(map(_strip_brackets, text.split("|")))


def _strip_brackets(term: str) -> str:
    match = BRACKETED_TERM.fullmatch(term)
    if match is None or match[1][:-1].strip() in FREE_TEXT_FILTER_KEYS:
        return term
    value = match[2].strip()
    return f"{match[1]}{value}" if value else term


def _trim_identifiers(arguments: JsonObject, identifiers: frozenset[str]) -> JsonObject:
    return {name: _strip_whitespace(value) if name in identifiers else value for name, value in arguments.items()}


def _strip_whitespace(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip()
    return [item.strip() if isinstance(item, str) else item for item in value] if isinstance(value, list) else value


def _coerce_value(value: Any, schema: JsonObject) -> Any:
    if (options := schema.get("anyOf")) and (container := _detect_container(value)):
        options = [option for option in options if option.get("type") == container]
        return _coerce_value(value, options[0]) if len(options) == 1 else value
    kind = schema.get("type")
    if kind == "array":
        return _coerce_list(value, schema)
    if isinstance(value, str) and "enum" in schema:
        return _match_enum(value, schema["enum"])
    if isinstance(value, str):
        return _parse_text(value, kind, schema)
    if kind == "integer" and (number := _to_integer(value)) is not None:
        return number
    if kind == "string" and (number := _to_integer(value)) is not None:
        return str(number)
    if kind == "object" and isinstance(value := replace_empty_list(value), dict):
        return _coerce_object(value, schema)
    return value


def _coerce_list(value: Any, schema: JsonObject) -> Any:
    """Return a list, including from JSON text, and from a single value, which becomes a list with one item."""
    items = schema.get("items", {})
    if isinstance(value, list):
        return [_coerce_value(item, items) for item in value]
    if isinstance(value, str):
        stripped = value.strip()
        if stripped.startswith("["):
            return _parse_container(value, schema)
        if not stripped or stripped in NULL_WORDS:
            return value
    return [_coerce_value(value, items)]


def _to_integer(value: Any) -> int | None:
    """Return an integer, or a float without a fraction, as an integer; None for any other value."""
    if type(value) is int:
        return value
    is_exact = isinstance(value, float) and value.is_integer() and abs(value) <= MAX_EXACT_INTEGER
    return int(value) if is_exact else None


def _detect_container(value: Any) -> str:
    """Return the type of a list or an object, even if it is written as JSON text; "" for any other value."""
    if isinstance(value, str):
        return {"[": "array", "{": "object"}.get(value.strip()[:1], "")
    return _container_type(value)


def _coerce_object(value: JsonObject, schema: JsonObject) -> JsonObject:
    properties, required = schema.get("properties"), schema.get("required", ())
    if properties is None:
        return value
    return {
        name: _coerce_value(member, properties[name]) if name in properties else member
        for name, member in value.items()
        if not _is_omitted(member, properties.get(name, {}), name in required)
    }


def _is_omitted(value: Any, schema: JsonObject, required: bool) -> bool:
    """Return whether *value* means that the member is omitted: null, or text that the schema of no value allows."""
    if value is None:
        return True
    if required or not isinstance(value, str) or not schema:
        return False
    if value in NULL_WORDS:
        return _match_enum(value, schema["enum"]) not in schema["enum"] if "enum" in schema else True
    return value == "" and not any(map(_allows_empty_text, schema.get("anyOf", (schema,))))


def _allows_empty_text(schema: JsonObject) -> bool:
    if "enum" in schema:
        return "" in schema["enum"]
    return schema.get("type") == "string" and "pattern" not in schema and schema.get("minLength", 0) == 0


def _parse_text(text: str, kind: Any, schema: JsonObject) -> Any:
    stripped = text.strip()
    if kind == "integer" and (match := INTEGER_PATTERN.fullmatch(stripped)):
        return int(match[1])
    if kind == "number" and NUMBER_PATTERN.fullmatch(stripped):
        return float(stripped)
    if kind == "boolean" and stripped.lower() in ("true", "false"):
        return stripped.lower() == "true"
    return _parse_container(text, schema) if kind == "object" and stripped.startswith("{") else text


def _parse_container(text: str, schema: JsonObject) -> Any:
    """Return the value of a JSON text, coerced to *schema*; *text* itself if it is not valid JSON."""
    try:
        value = parse_json(text.strip().encode())
    except (RpcError, UnicodeEncodeError):
        return text
    return _coerce_value(value, schema)


def _match_enum(text: str, options: list[Any]) -> str:
    """Return the only option that equals *text*, ignoring case and surrounding whitespace; otherwise *text*."""
    stripped = text.strip()
    folded_options = {option: option.casefold() for option in options if isinstance(option, str)}
    # Case folding never shortens a text, and only spaces are removed, so a much longer one matches no option.
    if text in folded_options or len(stripped) > 2 * max(map(len, folded_options.values()), default=0):
        return text
    folded_text = stripped.casefold()
    matches = [option for option, folded_option in folded_options.items() if folded_option == folded_text]
    if not matches and " " in folded_text:
        # Results show some options as words, such as "Operational excellence" for OperationalExcellence.
        joined = folded_text.replace(" ", "")
        matches = [option for option, folded_option in folded_options.items() if folded_option == joined]
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
