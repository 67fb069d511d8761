"""A running server for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.web.serving import Site, serving


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The application on loopback, with the tests' own tools."""
    async with serving() as made:
        yield made
