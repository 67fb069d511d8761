"""Objects: what a call of a tool is about, by the identifiers in its arguments and its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ...protocol.jsonrpc import JsonObject

IDENTIFIER_NAME_PATTERN = re.compile(r"id|key|datasets?|resourceType|customerContext|\w*[a-z]I[dD]s?")
NESTED_IDENTIFIER_NAME_PATTERN = re.compile(r"key|user|email|\w{0,60}[a-z]I[dD]s?")
"""Members of objects inside of an argument that identify something. Not a plain id: those of scopes and filters are
names of dimensions."""
FALLBACK_NAMES = ("name", "email")
"""They say what a call is about if no identifier does."""
CONTAINER_IDENTIFIERS = frozenset(
    "customerContext customerID customerId folderId organizationId parentFolderId resourceType roleId sourceID".split()
)
"""Identifiers of what an object belongs to, not of the object."""
MAX_IDENTIFIERS, MAX_LIST_ITEMS, MAX_IDENTIFIER_CHARACTERS = 10, 20, 256
MAX_DEPTH, MAX_MEMBERS = 2, 100

Identifier = str | tuple[str, ...]


def extract_identifiers(arguments: JsonObject, answer: JsonObject) -> dict[str, Identifier]:
    """The identifiers among a call's *arguments*, by name, and those of its *answer* that come on top. Those inside of
    an argument are named like ``add.objectId``."""
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
    """The identifiers inside of *value*, with their paths; of long lists only those of the first items."""
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
    """The identifiers of the objects that a write changed, without those of what they belong to. Those in its *answer*
    are the objects that it made; these are also known as a member of it, like ``user``."""
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
