"""Formats single values for messages to users: on one line, plain and short."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase
from typing import Any

import orjson

from ...protocol.jsonrpc import JsonObject
from .conditions import is_condition
from .plain_text import to_plain_text

MAX_LINES, MAX_VALUE_CHARACTERS, MAX_READ_CHARACTERS = 20, 160, 1_000
IDENTITY_FIELDS = ("user", "email", "id")
"""Members that identify users and channels."""
ASCII_LOWERCASE = str.maketrans(ascii_uppercase, ascii_lowercase)


def preview_value(value: Any) -> str:
    """Return *value* on one line. Conditions may be longer than other values, because each of their values matters."""
    if is_condition(value):
        return shorten_value(orjson.dumps(value).decode(), MAX_READ_CHARACTERS)
    if isinstance(value, list) and value and all(_is_user_entry(item) for item in value):
        return shorten_value(", ".join(preview_entry(item) for item in value))
    return shorten_value(value if isinstance(value, str) else orjson.dumps(value).decode())


def shorten_value(text: str, length: int = MAX_VALUE_CHARACTERS) -> str:
    """Return *text* on one line, truncated to *length*, with a count of the characters that are omitted."""
    # A text can be megabytes long, and only its beginning is shown.
    plain = to_plain_text(text[:MAX_READ_CHARACTERS])
    omitted = max(0, len(plain) - length) + max(0, len(text) - MAX_READ_CHARACTERS)
    return f"{plain[:length]}… (and {omitted:,} more characters)" if omitted else plain


def is_shortened(text: str) -> bool:
    """Return whether *text* is shown only in part. Breaking markup makes a text longer."""
    return len(text) > MAX_READ_CHARACTERS or len(to_plain_text(text)) > MAX_VALUE_CHARACTERS


def _is_user_entry(value: Any) -> bool:
    return isinstance(value, dict) and "role" in value and any(name in value for name in ("user", "email"))


def preview_entry(entry: Any) -> str:
    """Return a user or channel as text: bob@example.com (viewer); C12 (name: general)."""
    if not isinstance(entry, dict):
        return preview_value(entry)
    name, details = entry_name(entry), entry_details(entry)
    if name is None or not details:
        return details or preview_value(name or entry)
    return f"{preview_value(name)} ({details})"


def entry_details(entry: JsonObject) -> str:
    """Return the members of a user or channel other than its name."""
    return ", ".join(
        preview_value(value) if name == "role" else f"{to_plain_text(name)}: {preview_value(value)}"
        for name, value in entry.items()
        if value not in (None, "", [], {}) and value != entry_name(entry)
    )


def entry_name(entry: JsonObject) -> str | None:
    """Return the name or id of a user or channel."""
    return next((entry[name] for name in IDENTITY_FIELDS if isinstance(entry.get(name), str)), None)


def entry_identity(entry: Any) -> str:
    """Return the key of an *entry* of a list.

    Email addresses ignore the case of ASCII letters only, because Unicode case folding makes different addresses equal,
    such as those with "ſ" and "s", or "ß" and "ss".
    """
    name = entry_name(entry) if isinstance(entry, dict) else entry
    if isinstance(name, str):
        return name.translate(ASCII_LOWERCASE) if "@" in name else name
    return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS).decode()
