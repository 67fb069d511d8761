"""Removes characters that users cannot see but models read from all texts that come from the API."""

from __future__ import annotations

import re

from ...protocol.visible_text import remove_invisible

CONTROL_PATTERN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]+")
ESCAPE_PATTERN = re.compile(r'\\(?:u00[01][0-9a-f]|["\\/bfnrt])')


def sanitize_json(json: str) -> str:
    """Return JSON text, as orjson writes it, without invisible characters in its strings. It stays valid JSON."""
    if not json.isascii() or "\x7f" in json:
        json = remove_invisible(json)
    # All other control characters are escaped. The pattern matches every escape, because a "u" after an escaped
    # backslash does not start one.
    return ESCAPE_PATTERN.sub(lambda match: "" if match[0][1] == "u" else match[0], json) if "\\u00" in json else json


def sanitize_text(text: str) -> str:
    """Return *text* without invisible characters, and without control characters other than line breaks and tabs."""
    if text.isprintable() and text.isascii():
        return text
    return CONTROL_PATTERN.sub("", remove_invisible(text))
