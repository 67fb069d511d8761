"""Fixtures: a running server for a test, and two replicas that share a Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.redis_state.conftest import redis, redis_program
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import Replica, replicas
from tests.transports.http.serving import Site, serving

__all__ = ["redis", "redis_program"]  # Makes these fixtures available here, too.


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The application on loopback, with tools made for the tests."""
    async with serving() as server:
        yield server


@pytest.fixture
async def pair(redis: Server) -> AsyncIterator[tuple[Replica, ...]]:
    """Two replicas that share one Redis."""
    async with replicas(redis.url) as sites:
        yield sites
