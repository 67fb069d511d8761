"""Removes characters that users cannot see but models read. For tool results and for events. No I/O."""

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
LINE_SEPARATORS = ("\u2028", "\u2029")


def remove_invisible(text: str) -> str:
    """Return *text* without invisible characters. ASCII controls other than DEL are unchanged.

    The separators of lines and paragraphs of Unicode, which few programs show as such, become spaces.
    """
    for separator in LINE_SEPARATORS:
        text = text.replace(separator, " ")
    return INVISIBLE_PATTERN.sub("", text)
