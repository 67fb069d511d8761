"""Fixtures: a receiver, and a server with the sandbox's API that delivers to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from doit_mcp.sandbox.api import Api
from doit_mcp.transports.http.event_wiring import EventNetwork
from tests.events.receivers import HOST, OTHER_SECRET, Receiver, receiving
from tests.redis_state.conftest import redis, redis_program
from tests.transports.http.serving import Site, serving

__all__ = ["redis", "redis_program"]  # Makes these fixtures available here, too.


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[Receiver]:
    """An https server that receives events."""
    async with receiving(tmp_path) as running:
        yield running


def network_of(receiver: Receiver) -> EventNetwork:
    """A network in which HOST leads to *receiver*."""
    return EventNetwork(make_resolver=receiver.names, tls=receiver.tls, tick_seconds=0.05)


@pytest.fixture
async def site(receiver: Receiver) -> AsyncIterator[Site]:
    """The application with the sandbox's API, without a delay before deliveries."""
    async with serving(
        api=Api(),
        event_network=network_of(receiver),
        events_hold_s=0,
        events_private_receivers=(HOST,),
        events_ingest_secret=OTHER_SECRET,
        events_per_principal=5,
    ) as running:
        yield running
