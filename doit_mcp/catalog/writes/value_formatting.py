"""Values as a message to people shows them: on one line, plain and short."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase
from typing import Any

import orjson

from ...protocol.jsonrpc import JsonObject
from .plain_text import plain

MAX_LINES, MAX_VALUE, MAX_READ = 20, 160, 1_000
IDENTITIES = ("user", "email", "id")
"""Members by which people and channels are told from each other."""
LOWER_CASE = str.maketrans(ascii_uppercase, ascii_lowercase)


def shown(value: Any) -> str:
    """*value* on one line."""
    if isinstance(value, list) and value and all(_is_person(one) for one in value):
        return shortened(", ".join(shown_entry(one) for one in value))
    return shortened(value if isinstance(value, str) else orjson.dumps(value).decode())


def shortened(text: str, length: int = MAX_VALUE) -> str:
    """*text* on one line; the characters that are left out are counted."""
    # A text can have megabytes, and only its beginning is shown.
    found = plain(text[:MAX_READ])
    rest = max(0, len(found) - length) + max(0, len(text) - MAX_READ)
    return f"{found[:length]}… (and {rest:,} more characters)" if rest else found


def is_shortened(text: str) -> bool:
    """Whether a part of *text* is left out where it is shown. Breaking markup makes a text longer."""
    return len(text) > MAX_READ or len(plain(text)) > MAX_VALUE


def _is_person(value: Any) -> bool:
    return isinstance(value, dict) and "role" in value and any(name in value for name in ("user", "email"))


def shown_entry(entry: Any) -> str:
    """A person or a channel: bob@example.com (viewer); C12 (name: general)."""
    if not isinstance(entry, dict):
        return shown(entry)
    name, rest = named(entry), details(entry)
    if name is None or not rest:
        return rest or shown(name or entry)
    return f"{shown(name)} ({rest})"


def details(entry: JsonObject) -> str:
    """What is said of a person or a channel besides who or which it is."""
    known = {name: value for name, value in entry.items() if value not in (None, "", [], {}) and value != named(entry)}
    return ", ".join(
        shown(value) if name == "role" else f"{plain(name)}: {shown(value)}" for name, value in known.items()
    )


def named(entry: JsonObject) -> str | None:
    """By what a person or a channel is known."""
    return next((entry[name] for name in IDENTITIES if isinstance(entry.get(name), str)), None)


def identity_of(entry: Any) -> str:
    """What tells an *entry* of a list from the others. E-mail addresses are the same in any case of ASCII letters only:
    Unicode's case folding makes one of different addresses, such as those with "ſ" and "s", or "ß" and "ss"."""
    name = named(entry) if isinstance(entry, dict) else entry
    if isinstance(name, str):
        return name.translate(LOWER_CASE) if "@" in name else name
    return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS).decode()
