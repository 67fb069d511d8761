"""Removes characters that users cannot see but models read from all texts that come from the API."""

from __future__ import annotations

import re

INVISIBLE_PATTERN = re.compile(
    "["
    "\u007f-\u009f"  # controls
    "\u00ad\u034f\u061c\u180b-\u180f"  # soft hyphen, joiners, Mongolian selectors
    "\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # fillers
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f"  # zero width, direction marks, embeddings, isolates
    "\ufe00-\ufe0d\ufeff\ufff0-\ufffb"  # selectors (not those of emoji), byte order mark, annotations
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"  # tags, further selectors
    "]+"
)
CONTROL_PATTERN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]+")
ESCAPE_PATTERN = re.compile(r'\\(?:u00[01][0-9a-f]|["\\/bfnrt])')


def sanitize_json(json: str) -> str:
    """Return JSON text, as orjson writes it, without invisible characters in its strings. It stays valid JSON."""
    if not json.isascii() or "\x7f" in json:
        json = INVISIBLE_PATTERN.sub("", json)
    # All other control characters are escaped. The pattern matches every escape, because a "u" after an escaped
    # backslash does not start one.
    return ESCAPE_PATTERN.sub(lambda match: "" if match[0][1] == "u" else match[0], json) if "\\u00" in json else json


def sanitize_text(text: str) -> str:
    """Return *text* without invisible characters, and without control characters other than line breaks and tabs."""
    if text.isprintable() and text.isascii():
        return text
    return CONTROL_PATTERN.sub("", INVISIBLE_PATTERN.sub("", text))
