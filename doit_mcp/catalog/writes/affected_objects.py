"""The objects that a tool call is about, found by the identifiers in its arguments and result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ...protocol.jsonrpc import JsonObject

IDENTIFIER_NAME_PATTERN = re.compile(r"id|key|datasets?|resourceType|customerContext|\w*[a-z]I[dD]s?")
NESTED_IDENTIFIER_NAME_PATTERN = re.compile(r"key|user|email|\w{0,60}[a-z]I[dD]s?")
"""Members of nested objects that identify something. A plain id is not included: in scopes and filters it is the name
of a dimension."""
FALLBACK_NAMES = ("name", "email")
"""Arguments that identify the object if there is no identifier."""
CONTAINER_IDENTIFIERS = frozenset(
    "customerContext customerID customerId folderId organizationId parentFolderId resourceType roleId sourceID".split()
)
"""Identifiers of the container of an object, not of the object itself."""
MAX_IDENTIFIERS, MAX_LIST_ITEMS, MAX_IDENTIFIER_CHARACTERS = 10, 20, 256
MAX_DEPTH, MAX_MEMBERS = 2, 100

Identifier = str | tuple[str, ...]


def extract_identifiers(arguments: JsonObject, answer: JsonObject) -> dict[str, Identifier]:
    """Return the identifiers among the *arguments* of a call by name, plus those that only its *answer* has.

    Nested identifiers are named by their path, like ``add.objectId``.
    """
    values = {**arguments, **answer, **arguments}
    found = {
        name: one
        for name, value in values.items()
        if IDENTIFIER_NAME_PATTERN.fullmatch(name) and (one := _identifier_value(value))
    }
    found = found or {name: one for name in FALLBACK_NAMES if (one := _identifier_value(arguments.get(name)))}
    inner: dict[str, dict[str, None]] = {}
    for name, value in arguments.items():
        for path, text in _nested_identifiers(value, name, MAX_DEPTH):
            inner.setdefault(path, {})[text] = None
    return found | {path: tuple(texts)[:MAX_LIST_ITEMS] for path, texts in inner.items()}


def _nested_identifiers(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the identifiers inside *value* with their paths; of long lists only those of the first items."""
    if isinstance(value, list):
        for item in value[:MAX_LIST_ITEMS]:
            if isinstance(item, dict):
                yield from _nested_identifiers(item, path, depth)
    elif isinstance(value, dict) and depth:
        for name, member in islice(value.items(), MAX_MEMBERS):
            if NESTED_IDENTIFIER_NAME_PATTERN.fullmatch(name) and (one := _identifier_value(member)):
                for text in (one,) if isinstance(one, str) else one:
                    yield f"{path}.{name}", text
            yield from _nested_identifiers(member, f"{path}.{name}", depth - 1)


def _identifier_value(value: Any) -> Identifier:
    if isinstance(value, str):
        return value[:MAX_IDENTIFIER_CHARACTERS]
    if isinstance(value, list):
        return tuple(one[:MAX_IDENTIFIER_CHARACTERS] for one in value[:MAX_LIST_ITEMS] if isinstance(one, str))
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def affected_identifiers(arguments: JsonObject, answer: JsonObject) -> set[str]:
    """Return the identifiers of the objects that a write changed, without those of their containers.

    Identifiers in its *answer* belong to objects that it created, also those inside a member such as ``user``.
    """
    made = {name: value for name, value in answer.items() if IDENTIFIER_NAME_PATTERN.fullmatch(name)}
    made |= {name: value["id"] for name, value in answer.items() if isinstance(value, dict) and "id" in value}
    named = extract_identifiers(arguments, {})
    own = {name: one for name, one in named.items() if name not in CONTAINER_IDENTIFIERS}
    outer = {name: one for name, one in own.items() if "." not in name} or own or named
    found = [
        *outer.values(),
        *(_identifier_value(value) for name, value in made.items() if name not in CONTAINER_IDENTIFIERS),
    ]
    texts = [text for one in found for text in ((one,) if isinstance(one, str) else one) if text]
    return set(texts[:MAX_LIST_ITEMS])
