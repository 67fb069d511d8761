"""Seals: for one purpose and one place; nothing can be read or moved."""

from __future__ import annotations

import pytest

from doit_mcp.redis_state.encryption import Box, Broken, prefix


def test_what_is_closed_is_opened_again() -> None:
    box = Box("secret", "a")
    assert box.open("place", box.close("place", b"data")) == b"data"
    assert box.unpack("place", box.pack("place", {"a": [1, None]})) == {"a": [1, None]}
    assert box.close("place", b"data") != box.close("place", b"data")


def test_nothing_else_is_opened() -> None:
    box = Box("secret", "a")
    sealed = box.close("place", b"data")
    for other in (Box("secret", "b"), Box("other", "a")):
        with pytest.raises(Broken):
            other.open("place", sealed)
        assert other.name("x") != box.name("x")
    for place, wrong in (("elsewhere", sealed), ("place", sealed[:-1]), ("place", b""), ("place", b"\0" * 40)):
        with pytest.raises(Broken):
            box.open(place, wrong)


def test_names_are_always_the_same() -> None:
    assert Box("secret", "a").name("\ud800x") == Box("secret", "a").name("\ud800x")
    assert prefix("secret") != prefix("other") and "secret" not in prefix("secret")
