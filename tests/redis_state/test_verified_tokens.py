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
        here, there = (RedisVerifiedTokens(link, Encryptor(SECRET, "proven"), sender, max_tokens=4) for _ in range(2))
        for digest in DIGESTS:
            here.add(digest)
        await sender.flush()
        assert [await there.contains(digest) for digest in DIGESTS].count(True) == 4
        with redis.client() as client:
            (key,) = client.keys()
            assert 0 < client.ttl(key) <= TTL_SECONDS
            seen = client.dump(key)
            assert not [one for one in DIGESTS if one in seen or one.hex().encode() in seen]
            # A token that was verified more than a day ago.
            old = there._hashes(b"old")[0]
            client.zadd(key, {old: client.time()[0] - TTL_SECONDS})
        assert not await here.contains(b"old")
        here.add(b"new")
        here.remove(b"new")
        await sender.flush()
        assert not await there.contains(b"new")
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
