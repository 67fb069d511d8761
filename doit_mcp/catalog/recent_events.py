"""The tool that reads the events of a user's subscriptions, for hosts that wake up without seeing their data."""

from __future__ import annotations

import asyncio
from typing import Annotated, TypedDict

from ..api.errors import ApiError
from ..api.markers import IDENTIFIER
from ..api.timestamps import parse_optional_time
from ..api.value_kinds import Moment, Verbatim
from ..events.event_types import EVENT_TYPES
from ..events.sources import is_readable
from ..protocol.json_schema import JsonObject, Length
from ..resilience.unavailable import StateUnavailable
from .call import Call
from .tools.composed import composed_tool
from .tools.tool import ToolError

MAX_EVENTS = 50
OFF = "This server sends no events. Use the tools that list anomalies, budgets, invoices or tickets instead."


class RecentEvent(TypedDict, total=False):
    """An event that was sent to the user's subscriptions."""

    eventId: str
    name: Annotated[str, "Its type, such as anomaly.detected."]
    timestamp: Annotated[str, "When it happened, such as the start of an anomaly.", Moment]
    recordedAt: Annotated[str, "When this server recorded it.", Moment]
    data: Annotated[JsonObject, "Ids, amounts with their currency, and a link.", Verbatim]


class RecentEventList(TypedDict, total=False):
    """Recent events."""

    events: Annotated[list[RecentEvent], f"Newest first, at most {MAX_EVENTS}."]
    note: str


@composed_tool(
    area="events",
    search_hint="Recent events, what triggered this, webhook, notification, subscription, wake-up",
    default_list=False,
    slow=False,
)
async def get_recent_events(
    call: Call,
    *,
    event_id: Annotated[str | None, "Only this event; its id is in the trigger.", Length(1, 100), IDENTIFIER] = None,
    since: Annotated[str | None, "Only events recorded since this date or time (ISO 8601).", Length(1, 40)] = None,
) -> Annotated[JsonObject, RecentEventList]:
    """Show the events that this server sent to the user's event subscriptions, newest first, with their data. Use it
    after an event started this conversation and its data is not in view."""
    if call.recent_events is None:
        raise ToolError(OFF)
    start = _round_to_second(parse_optional_time(since, "since"))
    try:
        recorded = await call.recent_events.recent(call.owner)
    except StateUnavailable as unavailable:
        raise ToolError(str(unavailable)) from unavailable
    events = [
        event
        for event in reversed(recorded)
        if (event_id is None or event["eventId"] == event_id)
        and (start is None or _read_recording_time(event) >= start)
    ]
    events = await _filter_readable(call, events[:MAX_EVENTS])
    if event_id is not None and not events:
        raise ApiError(
            "event_id: no event of this user's subscriptions has this id, or it was recorded before since",
            kind="argument",
        )
    if not events:
        return {
            "events": [],
            "note": "Only events of active subscriptions are recorded, and none was recorded in this time.",
        }
    return {"events": events}


async def _filter_readable(call: Call, events: list[JsonObject]) -> list[JsonObject]:
    """Return the events of lists that the user may still read. Permissions can change after they were recorded."""
    sources = sorted({EVENT_TYPES[event["name"]].source for event in events})
    readable = await asyncio.gather(*(is_readable(source, call.doit) for source in sources))
    kept = {source for source, may_read in zip(sources, readable, strict=True) if may_read}
    return [event for event in events if EVENT_TYPES[event["name"]].source in kept]


def _read_recording_time(event: JsonObject) -> int:
    return parse_optional_time(event["recordedAt"], "recordedAt") or 0


def _round_to_second(milliseconds: int | None) -> int | None:
    """Round a time in milliseconds down to whole seconds, the precision of recordedAt."""
    return None if milliseconds is None else milliseconds // 1000 * 1000
