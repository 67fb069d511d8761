"""Fixtures: a Redis server, and connections to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from doit_mcp.redis_state.client import open_connection
from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.encryption import key_prefix
from tests.redis_state.redis_server import Server, redis_server

SECRET = "a-secret-of-the-exchange-with-enough-bytes"


@pytest.fixture(scope="session")
def redis_program() -> Iterator[Server]:
    with redis_server() as server:
        yield server


@pytest.fixture
def redis(redis_program: Server) -> Server:
    """A running, empty Redis."""
    redis_program.fresh()
    return redis_program


@pytest.fixture
async def link(redis: Server) -> AsyncIterator[RedisConnection]:
    """A connection with a short timeout."""
    connection = open_connection(redis.url, key_prefix(SECRET), timeout=0.3)
    yield connection
    await connection.close()
