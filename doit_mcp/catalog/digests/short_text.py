"""Short texts: names that customers choose can be long, and the digest must have few tokens."""

from __future__ import annotations

import re
from typing import Any

MAX_TEXT_CHARACTERS = 60
LETTERS_PER_TOKEN = PUNCTUATION_PER_TOKEN = 4
PIECE = re.compile(r"([A-Z]?[a-z]+|[A-Z]+)|([!-/:-@\[-`{-~]+)|[0-9]{1,3}|[^\s!-~]")
"""A word, punctuation, up to three digits, or one character beyond ASCII."""


def shorten_text(text: Any, maximum: int = MAX_TEXT_CHARACTERS) -> str | None:
    """Return a text of at most *maximum* characters on one line; None without one."""
    line = " ".join(str(text or "").split())
    return f"{line[: maximum - 1]}…" if len(line) > maximum else line or None


def estimate_tokens(text: str) -> int:
    """Return about how many tokens *text* has for a model; for JSON whose names are words, not too few (o200k)."""
    tokens = 0
    for piece in PIECE.finditer(text):
        letters, punctuation = piece.groups()
        if letters:
            tokens += -(-len(letters) // LETTERS_PER_TOKEN)
        else:
            tokens += -(-len(punctuation) // PUNCTUATION_PER_TOKEN) if punctuation else 1
    return tokens
