"""Entity tags (RFC 9110, 8.8.3): versions of objects. A write sends the tag of the version that it changes."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson

from ..protocol.json_schema import JsonObject
from .answer_types import check_answer
from .error_reasons import clean_text
from .errors import ApiError

MAX_TAG_CHARACTERS = 1_000
MAX_SHOWN_FIELDS, MAX_SHOWN_CHARACTERS = 8, 60
"""Changed fields that an error shows, and the characters of each value."""
MAX_SHOWN_DEPTH = 4
"""Levels of nested objects whose members an error shows separately."""
ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
UNQUOTED_TAG = re.compile(r"[\x21\x23-\x7e]+")
VERSION_FIELDS = frozenset(("etag", "updatedAt", "updateTime", "updatedBy"))
"""Fields that change with every update of an object."""
MISSING = object()

Answer = TypeVar("Answer")


def read_entity_tag(record: JsonObject) -> str:
    """Return the field *etag* of *record* as an entity tag, in quotes; "" if the record has none.

    Raises ApiError ("answer") for a value that cannot be sent in a header.
    """
    tag = record.get("etag")
    if tag is None or tag == "":
        return ""
    if isinstance(tag, str) and len(tag) <= MAX_TAG_CHARACTERS:
        if ENTITY_TAG.fullmatch(tag):
            return tag
        if UNQUOTED_TAG.fullmatch(tag):
            return f'"{tag}"'
    raise ApiError("the etag of the object cannot be sent as an entity tag", kind="answer")


async def send_to_version(read: Callable[[], Awaitable[Any]], send: Callable[[str], Awaitable[Answer]]) -> Answer:
    """Return the answer of *send*, which is called with the entity tag of the object that *read* returns.

    If another write came first (412), the object is read again. If only its version has changed, the write is sent once
    more, for the new version. Otherwise raises ApiError ("conflict"), which shows what the other write changed.

    Not every version of the API has entity tags: for an object without one, *send* is called with "".
    """
    before = await _read_object(read)
    try:
        return await send(read_entity_tag(before))
    except ApiError as error:
        # If this write may have been applied, the new version may be its own.
        if error.status != 412 or error.maybe_applied:
            raise
    after = await _read_object(read)
    if changes := list_changes(before, after):
        raise _conflict_error(changes)
    return await send(read_entity_tag(after))


async def _read_object(read: Callable[[], Awaitable[Any]]) -> JsonObject:
    record: JsonObject = check_answer(await read(), dict, read_only=True)
    return record


def list_changes(before: JsonObject, after: JsonObject) -> list[str]:
    """Return the fields that differ, each with both values: "enabled: true → false". Versions are not compared."""
    names = sorted((before.keys() | after.keys()) - VERSION_FIELDS)
    return [line for name in names for line in _list_changes(name, before.get(name, MISSING), after.get(name, MISSING))]


def _list_changes(path: str, before: Any, after: Any, depth: int = 1) -> list[str]:
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict) and depth < MAX_SHOWN_DEPTH:
        names = sorted(before.keys() | after.keys())
        members = ((f"{path}.{name}", before.get(name, MISSING), after.get(name, MISSING)) for name in names)
        return [line for member in members for line in _list_changes(*member, depth=depth + 1)]
    return [f"{clean_text(path, MAX_SHOWN_CHARACTERS)}: {_format_value(before)} → {_format_value(after)}"]


def _format_value(value: Any) -> str:
    if value is MISSING:
        return "none"
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return clean_text(text, MAX_SHOWN_CHARACTERS) or '""'


def _conflict_error(changes: list[str]) -> ApiError:
    """Return the error for a write that came after another one, which made these *changes*."""
    shown = "; ".join(changes[:MAX_SHOWN_FIELDS])
    more = f"; and {len(changes) - MAX_SHOWN_FIELDS} more fields" if len(changes) > MAX_SHOWN_FIELDS else ""
    reason = f"another update changed the object at the same time ({shown}{more}), so this call changed nothing"
    return ApiError(
        f"{reason}. Show the user what changed, then call again if they still want it", kind="conflict", status=412
    )
