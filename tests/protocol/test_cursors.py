"""Cursors: encoded values are decoded unchanged, and anything else is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.protocol.cursors import decode_cursor, encode_cursor
from doit_mcp.protocol.jsonrpc import INVALID_PARAMS, RpcError

PRINTS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=64)
POSITIONS = st.integers(1, 10**9)


def is_rejected(cursor: Any, fingerprint: str = "f", length: int = 100) -> bool:
    try:
        decode_cursor(cursor, fingerprint, length)
    except RpcError as error:
        return error.code == INVALID_PARAMS
    return False


@given(POSITIONS, PRINTS)
def test_round_trip(position: int, fingerprint: str) -> None:
    assert decode_cursor(encode_cursor(position, fingerprint), fingerprint, position + 1) == position


@given(POSITIONS, PRINTS, PRINTS)
def test_cursor_is_bound_to_its_list_and_range(position: int, fingerprint: str, other: str) -> None:
    cursor = encode_cursor(position, fingerprint)
    assert is_rejected(cursor, fingerprint, position)
    assert other == fingerprint or is_rejected(cursor, other, position + 1)


ENCODED = st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode())


@given(st.text() | ENCODED | st.integers() | st.booleans())
def test_foreign_cursor_is_rejected(cursor: Any) -> None:
    assert is_rejected(cursor) or cursor == encode_cursor(decode_cursor(cursor, "f", 100), "f")


def forge(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        " ",
        "invalid-cursor",
        forge("0:f"),
        forge("-1:f"),
        forge("+1:f"),
        forge("01:f"),
        forge("1_0:f"),
        forge("1.0:f"),
        forge("²:f"),
        forge("٣:f"),
        forge("100:f"),
        forge("1:g"),
        forge("1:f:f"),
        forge("1"),
        forge("9" * 140 + ":f"),
        encode_cursor(50, "f") + "=",
        encode_cursor(50, "f") + "\n",
        "!" + encode_cursor(50, "f"),
        "é",
        "a" * 100_000,
        1,
        True,
        [],
        {},
    ],
)
def test_hostile_cursors(cursor: Any) -> None:
    assert is_rejected(cursor)


def test_missing_cursor_means_the_first_page() -> None:
    assert decode_cursor(None, "f", 100) == 0
    assert decode_cursor(None, "f", 0) == 0
