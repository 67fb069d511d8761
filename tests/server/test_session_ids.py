"""Session ids describe their session to every process with the same secrets, and to nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.protocol.jsonrpc import JsonObject
from doit_mcp.protocol.request_metadata import Caller, make_caller
from doit_mcp.protocol.revisions import DEFAULT_REVISION, STATEFUL_REVISIONS
from doit_mcp.redis_state.encryption import Encryptor
from doit_mcp.server.session_ids import LIFETIME_SECONDS, MAX_ID_CHARACTERS, SessionIds

CLIENT: JsonObject = {"name": "a client", "version": "1.2"}
CAPABILITIES: JsonObject = {"elicitation": {"form": {}}, "roots": {}}
ALL_CAPABILITIES: JsonObject = {
    "roots": {},
    "sampling": {"tools": {}},
    "elicitation": {"form": {}, "url": {}},
    "extensions": {"io.modelcontextprotocol/tasks": {}, "io.modelcontextprotocol/skills": {}},
}
CALLER = make_caller(DEFAULT_REVISION, CLIENT, CAPABILITIES)


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


def new_ids(*secrets: str, clock: Clock | None = None) -> SessionIds:
    return SessionIds(Encryptor(secrets or ("a secret",), "session ids"), clock or Clock())


@pytest.mark.parametrize("revision", STATEFUL_REVISIONS.values())
def test_another_process_reads_the_caller(revision: object) -> None:
    caller = CALLER._replace(revision=revision)
    described = new_ids().read(new_ids().issue("owner", caller), "owner")
    assert described == (caller, Clock().now)


@pytest.mark.requirement("S3", "M39", "M47")
def test_ids_are_unique_visible_ascii() -> None:
    ids = {new_ids().issue("owner", CALLER) for _ in range(1000)}
    assert len(ids) == 1000 and all(re.fullmatch("[A-Za-z0-9_-]+", id) for id in ids)
    # The beginning, which is all that is random in an id with the same contents, has 96 bits.
    assert len({id[:16] for id in ids}) == 1000


@pytest.mark.requirement("S1", "M47")
def test_id_of_another_owner_is_not_read() -> None:
    assert new_ids().read(new_ids().issue("owner", CALLER), "another") is None


@pytest.mark.requirement("S3")
@given(st.data())
def test_modified_id_is_not_read(data: st.DataObject) -> None:
    id = new_ids().issue("owner", CALLER)
    at = data.draw(st.integers(0, len(id)))
    letters = data.draw(st.text(max_size=2))
    for changed in (id[:at] + letters + id[at:], id[:at] + letters + id[at + 1 :], id[:at], id + "=", id + "\n"):
        if changed != id:
            assert new_ids().read(changed, "owner") is None


@pytest.mark.requirement("S3")
@given(st.text())
def test_any_text_is_not_read(text: str) -> None:
    assert new_ids().read(text, "owner") is None


@pytest.mark.requirement("S4")
def test_old_id_is_not_read() -> None:
    clock = Clock()
    ids = new_ids(clock=clock)
    id = ids.issue("owner", CALLER)
    clock.now += LIFETIME_SECONDS * 1000
    assert ids.read(id, "owner")
    clock.now += 1
    assert ids.read(id, "owner") is None


@given(st.lists(st.characters(codec="utf-8"), min_size=300, max_size=300).map("".join))
def test_length_is_bounded_for_any_client(text: str) -> None:
    for name in (text, "\0" * 300, "\U0001f600" * 300):
        client: JsonObject = {"name": name, "title": name, "version": name, "other": name}
        id = new_ids().issue("owner", make_caller(DEFAULT_REVISION, client, ALL_CAPABILITIES))
        assert len(id) <= MAX_ID_CHARACTERS
        described = new_ids().read(id, "owner")
        assert described is not None and described.caller.client_info == {"name": name[:64], "version": name[:64]}
        assert described.caller.capabilities == ALL_CAPABILITIES


def test_longer_id_is_not_decrypted() -> None:
    class Unused:
        def encrypt_json(self, context: str, value: object) -> bytes:
            return bytes(MAX_ID_CHARACTERS)

        def decrypt_json(self, context: str, ciphertext: bytes) -> object:
            raise AssertionError("decrypted")

    ids = SessionIds(Unused())
    assert ids.read(ids.issue("owner", Caller(DEFAULT_REVISION)), "owner") is None


@pytest.mark.requirement("N22")
def test_ids_survive_the_rotation_of_the_secret() -> None:
    """Each step of the rotation can read the ids of the steps before it, until the old secret is removed."""
    old_id = new_ids("old").issue("owner", CALLER)
    new_id = new_ids("new", "old").issue("owner", CALLER)
    for secrets in (("old", "new"), ("new", "old")):
        assert new_ids(*secrets).read(old_id, "owner") and new_ids(*secrets).read(new_id, "owner")
    assert new_ids("new").read(new_id, "owner")
    assert new_ids("new").read(old_id, "owner") is None and new_ids("old").read(new_id, "owner") is None
