"""Encryption: a value is readable only for its purpose and context, and cannot be moved."""

from __future__ import annotations

import pytest

from doit_mcp.redis_state.encryption import DecryptionError, Encryptor, key_prefix


def test_encryption_round_trips() -> None:
    box = Encryptor("secret", "a")
    assert box.decrypt("place", box.encrypt("place", b"data")) == b"data"
    assert box.decrypt_json("place", box.encrypt_json("place", {"a": [1, None]})) == {"a": [1, None]}
    assert box.encrypt("place", b"data") != box.encrypt("place", b"data")


def test_rejects_foreign_ciphertexts() -> None:
    box = Encryptor("secret", "a")
    sealed = box.encrypt("place", b"data")
    for other in (Encryptor("secret", "b"), Encryptor("other", "a")):
        with pytest.raises(DecryptionError):
            other.decrypt("place", sealed)
        assert other.hash_name("x") != box.hash_name("x")
    for place, wrong in (("elsewhere", sealed), ("place", sealed[:-1]), ("place", b""), ("place", b"\0" * 40)):
        with pytest.raises(DecryptionError):
            box.decrypt(place, wrong)


def test_hashed_names_are_deterministic() -> None:
    assert Encryptor("secret", "a").hash_name("\ud800x") == Encryptor("secret", "a").hash_name("\ud800x")
    assert key_prefix("secret") != key_prefix("other") and "secret" not in key_prefix("secret")
