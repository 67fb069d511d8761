"""Turns external text into one line of plain text for messages to users, without markup or invisible characters."""

from __future__ import annotations

import re

from ..tools.sanitize import sanitize_text

MARKUP_PATTERN = re.compile(
    r"<(?=[A-Za-z/!?])"  # HTML tags, comments and <autolinks>
    r"|!(?=\[)"  # images, which clients load without asking
    r"|\](?=[(\[])"  # links
    r"|://(?=\S)|\bwww\.(?=\S)"  # bare addresses that some clients turn into links
    r"|&(?=#?\w{1,32};)",  # character references, which may stand for invisible characters
    re.IGNORECASE,
)
"""The beginnings of markup. A space after one breaks the markup, and users still see the whole text."""


def to_plain_text(text: str) -> str:
    """Return *text* on one line, without invisible characters and with its markup broken."""
    # Remove invisible characters first, because they could split markup and hide it from the pattern.
    text = sanitize_text(" ".join(text.split()))
    return MARKUP_PATTERN.sub(r"\g<0> ", " ".join(text.split()))
