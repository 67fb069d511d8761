"""Verified tokens in Redis: keyed hashes, stored for a day and limited in number."""

from __future__ import annotations

import hashlib

import pytest

from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.encryption import Encryptor
from doit_mcp.redis_state.verified_tokens import TTL_SECONDS, RedisVerifiedTokens
from doit_mcp.redis_state.write_queue import WriteQueue
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server
from tests.redis_state.test_write_queue import running

DIGESTS = [hashlib.sha256(str(number).encode()).digest() for number in range(6)]


@pytest.mark.requirement("N21")
async def test_n21_verified_tokens_are_remembered_and_forgotten(link: RedisConnection, redis: Server) -> None:
    sender = WriteQueue(link)
    async with running(sender):
        near, far = (RedisVerifiedTokens(link, Encryptor(SECRET, "proven"), sender, max_tokens=4) for _ in range(2))
        for digest in DIGESTS:
            near.add(digest)
        await sender.flush()
        assert [await far.contains(digest) for digest in DIGESTS].count(True) == 4
        with redis.client() as client:
            (key,) = client.keys()
            assert 0 < client.ttl(key) <= TTL_SECONDS
            stored = client.dump(key)
            assert not [
                stored_digest
                for stored_digest in DIGESTS
                if stored_digest in stored or stored_digest.hex().encode() in stored
            ]
            # A token that was verified more than a day ago.
            old = far._hashes(b"old")[0]
            client.zadd(key, {old: client.time()[0] - TTL_SECONDS})
        assert not await near.contains(b"old")
        near.add(b"new")
        near.remove(b"new")
        await sender.flush()
        assert not await far.contains(b"new")
        with redis.client() as client:
            assert client.zscore(key, old) is None


@pytest.mark.requirement("N21")
async def test_n21_nothing_is_known_without_redis(link: RedisConnection, redis: Server) -> None:
    sender = WriteQueue(link)
    proven = RedisVerifiedTokens(link, Encryptor(SECRET, "proven"), sender)
    redis.kill()
    assert not await proven.contains(DIGESTS[0])
    proven.add(DIGESTS[0])
    assert len(sender) == 0
