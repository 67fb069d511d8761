"""Calls methods of API areas with arguments as clients send them, and returns the resulting request."""

from __future__ import annotations

from typing import Any

from doit_mcp.api import Doit
from doit_mcp.api.operation import Request
from tests.api.recorder import Recorder


async def capture_request(area: str, name: str, arguments: dict[str, Any], *answers: Any) -> Request:
    """Return the last request of one call of an area's method."""
    api = Recorder(*(answers or ({},)))
    await getattr(getattr(Doit.for_sender(api), area), name)(**arguments)
    return api.requests[-1]
