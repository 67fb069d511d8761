"""Mailboxes of events in Redis and in memory: versions, leases, owners, and the rotation of secrets."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from doit_mcp.events.store import CONFLICT, NOT_LEASED, Change, Mailboxes, MemoryMailboxes, Owner
from doit_mcp.redis_state.client import open_connection
from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.encryption import Encryptor, key_prefix
from doit_mcp.redis_state.mailboxes import RedisMailboxes
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server

NEW_SECRET = "another-secret-with-more-than-enough-bytes"


def mailboxes(link: RedisConnection, replica: str, secrets: str | Sequence[str] = SECRET) -> RedisMailboxes:
    return RedisMailboxes(link, Encryptor(secrets, "mailboxes"), replica)


def later(seconds: float = 60) -> float:
    return time.time() + seconds


@pytest.mark.parametrize("kind", ["redis", "memory"])
async def test_versions(kind: str, link: RedisConnection) -> None:
    """Each change raises the version by one. A mailbox made again never has the version of the one before."""
    store: Mailboxes = mailboxes(link, "one") if kind == "redis" else MemoryMailboxes()
    assert await store.load("a") == ({}, 0) and await store.versions(["a", "b"]) == [0, 0]
    assert await store.update("a", Change({"x": {"n": 1}}), later(), leased=False) == CONFLICT, "it does not exist"
    await store.add_owner(Owner("a", "tenant", later()))
    first = await store.update("a", Change({"x": {"n": 1}, "y": {"n": 2}}), later(), expected=0)
    assert first > 0 and await store.update("a", Change({"x": {"n": 9}}), later(), expected=0) == CONFLICT
    assert await store.lease(["a"]) == {"a"}
    assert await store.update("a", Change({"z": {"n": 3}}, {"y"}), later()) == first + 1
    assert await store.load("a") == ({"x": {"n": 1}, "z": {"n": 3}}, first + 1)
    await store.drop("a", first)
    assert await store.versions(["a"]) == [first + 1], "it has another version by now"
    await store.drop("a", first + 1)
    assert await store.load("a") == ({}, 0)
    again = await store.update("a", Change({"x": {"n": 1}}), later(), expected=0)
    assert again not in (first, first + 1)


async def test_one_replica_holds_a_lease(link: RedisConnection) -> None:
    """Only the holder changes a mailbox as such; the lease passes on when it is released."""
    one, two = mailboxes(link, "one"), mailboxes(link, "two")
    await one.update("a", Change({"x": {}}), later(), expected=0)
    assert await one.lease(["a", "b"]) == {"a", "b"} and await two.lease(["a", "b", "c"]) == {"c"}
    assert await one.lease(["a"]) == {"a"}
    assert await two.update("a", Change({"y": {}}), later()) == NOT_LEASED
    assert await two.update("a", Change({"y": {}}), later(), leased=False) > 0
    await two.release(["a"])
    assert await two.lease(["a"]) == set(), "it was not the holder"
    await one.release(["a", "b"])
    assert await two.lease(["a"]) == {"a"}
    assert await one.update("a", Change({"y": {}}), later()) == NOT_LEASED
    await one.release([])


async def test_owners_are_listed_until_they_end(link: RedisConnection) -> None:
    store = mailboxes(link, "one")
    kept, ended = Owner("a", "tenant", later()), Owner("b", "tenant", later(-700))
    await store.add_owner(kept)
    await store.add_owner(ended)
    # An entry lives for at least a millisecond.
    while len(owners := await store.owners()) > 1:
        pass
    assert owners == [kept]
    renewed = kept._replace(expires=later(90))
    await store.add_owner(renewed)
    assert await store.owners() == [renewed] == await mailboxes(link, "two").owners()


async def test_secrets_can_be_rotated(redis: Server) -> None:
    """While secrets are rotated, replicas with the old and with the new one share their mailboxes."""
    old_link = open_connection(redis.url, key_prefix(SECRET))
    both = (NEW_SECRET, SECRET)
    new_link = open_connection(redis.url, key_prefix(both))
    try:
        old, new = mailboxes(old_link, "old"), mailboxes(new_link, "new", both)
        version = await old.update("a", Change({"x": {"n": 1}}), later(), expected=0)
        await old.add_owner(Owner("a", "t", later()))
        assert await new.load("a") == ({"x": {"n": 1}}, version) and len(await new.owners()) == 1
        assert await old.lease(["a"]) == {"a"} and await new.lease(["a"]) == set()
        assert await new.update("b", Change({"x": {"n": 2}}), later(), expected=0) > 0
        assert (await new.load("b")).fields == {"x": {"n": 2}}
    finally:
        await old_link.close()
        await new_link.close()
