"""The world of 28 November, on which most figures of the tests are known."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from .world import World, open_world


@pytest.fixture
async def november() -> AsyncIterator[World]:
    """The sandbox on 28 November 2026: three days before the month is over."""
    async with open_world("2026-11-28") as world:
        yield world
