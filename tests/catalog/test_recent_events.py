"""The tool that reads the events of subscriptions."""

from __future__ import annotations

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.recent_events import get_recent_events
from doit_mcp.catalog.tools.tool import ToolError
from doit_mcp.protocol.jsonrpc import JsonObject
from doit_mcp.resilience.unavailable import StateUnavailable
from tests.api.recorder import Recorder
from tests.catalog.caller import Caller


class Recorded:
    """Two events of one owner."""

    def __init__(self) -> None:
        self.is_available = True

    async def recent(self, owner: str) -> list[JsonObject]:
        if not self.is_available:
            raise StateUnavailable
        assert owner == "somebody"
        # An anomaly that began days before it was found.
        started = {"name": "anomaly.detected", "timestamp": "2026-10-28T00:00:00Z"}
        times = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")
        return [
            {"eventId": f"evt_{number}", **started, "recordedAt": at, "data": {"id": f"a{number}"}}
            for number, at in enumerate(times)
        ]


async def test_recent_events() -> None:
    """Newest first; one by its id; those that were recorded since a time. Unknown ids and unavailable stores are errors that help."""
    call = Caller(Recorder({}))
    with pytest.raises(ToolError, match="sends no events"):
        await get_recent_events(call)
    call.recent_events = recorded = Recorded()
    assert [event["eventId"] for event in (await get_recent_events(call))["events"]] == ["evt_1", "evt_0"]
    assert (await get_recent_events(call, event_id="evt_0"))["events"][0]["data"] == {"id": "a0"}
    for since in ("2026-11-02", "2026-11-02T00:00:00.5Z"):
        [event] = (await get_recent_events(call, since=since))["events"]
        assert (event["recordedAt"], event["timestamp"]) == ("2026-11-02T00:00:00Z", "2026-10-28T00:00:00Z")
    empty = await get_recent_events(call, since="2026-11-03")
    assert empty["events"] == [] and "active subscriptions" in empty["note"]
    with pytest.raises(ApiError, match="no event of this user's subscriptions"):
        await get_recent_events(call, event_id="evt_9")
    with pytest.raises(ApiError, match="since"):
        await get_recent_events(call, since="yesterday")
    forbidden = Caller(Recorder(ApiError("no", status=403, kind="forbidden")))
    forbidden.recent_events = recorded
    assert (await get_recent_events(forbidden))["events"] == [], "the permission ended"
    recorded.is_available = False
    with pytest.raises(ToolError, match="temporarily unavailable"):
        await get_recent_events(call)
