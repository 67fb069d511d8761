"""Signed state: the client must return it unchanged, for the same purpose and before it expires."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.server.signed_state import MAX_SIGNED_BYTES, StateSigner

VALUES = st.dictionaries(st.text(max_size=10), st.dictionaries(st.text(max_size=5), st.text(max_size=20)), max_size=4)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def signer(clock: Clock | None = None) -> StateSigner:
    return StateSigner.from_secrets("a secret", clock=clock or Clock())


@given(VALUES, st.binary())
def test_signed_state_round_trips(value: object, binding: bytes) -> None:
    assert signer().verify(binding, signer().sign(binding, value, 10)) == value


@pytest.mark.requirement("J11", "M63", "M80")
@given(VALUES, st.binary(max_size=5), st.binary(max_size=5))
def test_state_for_another_purpose_is_rejected(value: object, binding: bytes, other: bytes) -> None:
    if binding != other:
        with pytest.raises(ValueError):
            signer().verify(other, signer().sign(binding, value, 10))


@pytest.mark.requirement("M98")
@given(VALUES, st.data())
def test_modified_state_is_rejected(value: object, data: st.DataObject) -> None:
    sealed = signer().sign(b"x", value, 10)
    at = data.draw(st.integers(0, len(sealed)))
    letter = data.draw(st.text(min_size=1, max_size=2))
    for changed in (sealed[:at] + letter + sealed[at:], sealed[:at] + letter + sealed[at + 1 :], sealed[:at]):
        if changed != sealed:
            with pytest.raises(ValueError):
                signer().verify(b"x", changed)


@pytest.mark.requirement("M98")
@given(st.text())
def test_any_text_is_rejected(text: str) -> None:
    with pytest.raises(ValueError):
        signer().verify(b"x", text)


@pytest.mark.requirement("J11")
def test_state_expires() -> None:
    clock = Clock()
    seals = signer(clock)
    sealed = seals.sign(b"x", {}, 10)
    clock.now += 10
    assert seals.verify(b"x", sealed) == {}
    clock.now += 1
    with pytest.raises(ValueError, match="expired"):
        seals.verify(b"x", sealed)


def test_state_of_another_secret_is_rejected() -> None:
    sealed = signer().sign(b"x", {}, 10)
    with pytest.raises(ValueError, match="not ours"):
        StateSigner.from_secrets("another secret", clock=Clock()).verify(b"x", sealed)


def test_state_size_is_bounded() -> None:
    with pytest.raises(ValueError, match="too large"):
        signer().sign(b"x", {"a": "x" * MAX_SIGNED_BYTES}, 10)
    with pytest.raises(ValueError, match="too long"):
        signer().verify(b"x", "A" * 3 * MAX_SIGNED_BYTES)
    with pytest.raises(ValueError, match="32 bytes"):
        StateSigner(b"short")
