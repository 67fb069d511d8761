"""Cleans the texts in payloads: users and cloud providers wrote them, and models read them. No I/O."""

from __future__ import annotations

import re
from typing import Any

MAX_TEXT_CHARACTERS = 200
HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]+")
"""Characters that users cannot see but models read."""


def clean(value: Any) -> Any:
    """Return a text without invisible characters and of bounded length; other values unchanged."""
    if not isinstance(value, str):
        return value
    text = HIDDEN.sub(" ", value).strip()
    return text if len(text) <= MAX_TEXT_CHARACTERS else text[: MAX_TEXT_CHARACTERS - 1] + "…"
