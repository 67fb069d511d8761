"""Finds the objects of a tool call by the identifiers in its arguments and result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ...protocol.jsonrpc import JsonObject

IDENTIFIER_NAME_PATTERN = re.compile(r"id|key|datasets?|resourceType|customerContext|\w*[a-z]I[dD]s?")
NESTED_IDENTIFIER_NAME_PATTERN = re.compile(r"key|user|email|\w{0,60}[a-z]I[dD]s?")
"""Names of members of nested objects that identify something. A plain id is not included, because in scopes and
filters it is the name of a dimension."""
SHARED_SECRETS = frozenset({"externalId"})
"""Nested names of that form whose values are secrets: a role can require its external id."""
FALLBACK_NAMES = ("name", "email")
"""Arguments that identify the object if there is no identifier."""
CONTAINER_IDENTIFIERS = frozenset(
    "customerContext customerID customerId folderId organizationId parentFolderId resourceType roleId sourceID".split()
)
"""Identifiers of the container of an object, not of the object itself."""
MAX_IDENTIFIERS, MAX_LIST_ITEMS, MAX_IDENTIFIER_CHARACTERS = 10, 20, 256
MAX_DEPTH, MAX_MEMBERS = 2, 100

Identifier = str | tuple[str, ...]


def extract_identifiers(arguments: JsonObject, result: JsonObject) -> dict[str, Identifier]:
    """Return the identifiers among the *arguments* of a call by name, plus those that only its *result* has.

    The names of nested identifiers are paths, such as ``add.objectId``.
    """
    values = {**arguments, **result, **arguments}
    identifiers = {
        name: identifier
        for name, value in values.items()
        if IDENTIFIER_NAME_PATTERN.fullmatch(name) and (identifier := _identifier_value(value))
    } or {name: identifier for name in FALLBACK_NAMES if (identifier := _identifier_value(arguments.get(name)))}
    nested: dict[str, dict[str, None]] = {}
    for name, value in arguments.items():
        for path, text in _find_nested_identifiers(value, name, MAX_DEPTH):
            nested.setdefault(path, {})[text] = None
    return identifiers | {path: tuple(texts)[:MAX_LIST_ITEMS] for path, texts in nested.items()}


def _find_nested_identifiers(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the identifiers inside *value* with their paths; of long lists only those of the first items."""
    if isinstance(value, list):
        for item in value[:MAX_LIST_ITEMS]:
            if isinstance(item, dict):
                yield from _find_nested_identifiers(item, path, depth)
    elif isinstance(value, dict) and depth:
        for name, member in islice(value.items(), MAX_MEMBERS):
            if NESTED_IDENTIFIER_NAME_PATTERN.fullmatch(name) and name not in SHARED_SECRETS:
                for text in _identifier_texts(_identifier_value(member)):
                    yield f"{path}.{name}", text
            yield from _find_nested_identifiers(member, f"{path}.{name}", depth - 1)


def _identifier_value(value: Any) -> Identifier:
    if isinstance(value, str):
        return value[:MAX_IDENTIFIER_CHARACTERS]
    if isinstance(value, list):
        return tuple(item[:MAX_IDENTIFIER_CHARACTERS] for item in value[:MAX_LIST_ITEMS] if isinstance(item, str))
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _identifier_texts(identifier: Identifier) -> tuple[str, ...]:
    if isinstance(identifier, str):
        return (identifier,) if identifier else ()
    return identifier


def find_affected_identifiers(arguments: JsonObject, result: JsonObject) -> set[str]:
    """Return the identifiers of the objects that a write changed, without those of their containers.

    Identifiers in its *result*, including those inside a member such as ``user``, belong to objects that it created.
    """
    created = {name: value for name, value in result.items() if IDENTIFIER_NAME_PATTERN.fullmatch(name)}
    created |= {name: value["id"] for name, value in result.items() if isinstance(value, dict) and "id" in value}
    in_arguments = extract_identifiers(arguments, {})
    of_objects = {name: value for name, value in in_arguments.items() if name not in CONTAINER_IDENTIFIERS}
    top_level = {name: value for name, value in of_objects.items() if "." not in name} or of_objects or in_arguments
    identifiers = [
        *top_level.values(),
        *(_identifier_value(value) for name, value in created.items() if name not in CONTAINER_IDENTIFIERS),
    ]
    texts = [text for identifier in identifiers for text in _identifier_texts(identifier) if text]
    return set(texts[:MAX_LIST_ITEMS])
