"""API text in messages to users: one line, nothing hidden, and no rendered markup."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.tools.sanitize import sanitize_text
from doit_mcp.catalog.writes.plain_text import to_plain_text
from doit_mcp.protocol.visible_text import INVISIBLE_PATTERN

PIECES = ["<", ">", "!", "[", "]", "(", ")", "x", "/", ":", "http://", "www.", "&", "#8203;", " ", "\n", "\u200b"]
RENDERS = re.compile(r"<[A-Za-z/!?]|!\[|\][(\[]|://\S|\bwww\.\S|&#?\w{1,32};", re.IGNORECASE)
"""What begins an HTML tag, an image, a link or a character reference."""


@pytest.mark.requirement("N24")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Data team", "Data team"),
        ("a < b > c & d! [x] (y)", "a < b > c & d! [x] (y)"),
        ("![x](http://e.example/p)", "! [x] (http:// e.example/p)"),
        ("!\u200b[x]\u2060(u)", "! [x] (u)"),
        ("[x][ref]", "[x] [ref]"),
        ("<b>Prod</b><!-- x --><https://e.example>", "< b>Prod< /b>< !-- x -->< https:// e.example>"),
        ("WWW.e.example", "WWW. e.example"),
        ("&#x202e;&lt;b&gt;", "& #x202e;& lt;b& gt;"),
        ("one\ntwo\r\n\tthree\x0bfour", "one two three four"),
        ("bob@acme.example", "bob@acme.example"),
        ("arn:aws:iam::1:role/x_y", "arn:aws:iam::1:role/x_y"),
    ],
)
def test_n24_markup_is_neutralized_but_visible(text: str, shown: str) -> None:
    assert to_plain_text(text) == shown


@pytest.mark.requirement("N24")
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_n24_nothing_renders_and_only_spaces_are_added(text: str) -> None:
    plain = to_plain_text(text)
    assert not RENDERS.search(plain) and "\n" not in plain
    assert "".join(plain.split()) == "".join(sanitize_text(text).split())


@pytest.mark.requirement("N24")
@given(st.text())
def test_n24_visible_text_has_no_invisible_characters_and_keeps_lines(text: str) -> None:
    sanitized = sanitize_text(text)
    assert not INVISIBLE_PATTERN.search(sanitized) and not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", sanitized)
    assert sanitized.count("\n") == text.count("\n") and sanitized.count("\t") == text.count("\t")
