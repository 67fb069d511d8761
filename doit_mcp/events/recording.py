"""The rules that record events in a mailbox and read them again. Pure functions, without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..protocol.jsonrpc import JsonObject
from .edges import MAX_SEEN, Edge, Reading, new_edges, old_count, pack_marks, unpack_marks
from .event_types import EVENT_TYPES
from .mailbox import DELIVERY, EVENT, SEEN, STATUS, iso, named, subscriptions, wants
from .store import Change, DropReason, Fields

MAX_EVENTS, MAX_PENDING = 200, 100
"""Events that are kept for each principal, also for deliveries, and deliveries that wait for each subscription."""


def matching(subscription: JsonObject, edges: Iterable[Edge]) -> list[Edge]:
    """Return the edges that pass the filters of a subscription."""
    return [edge for edge in edges if wants(subscription, edge.name, edge.data)]


def record(fields: Fields, edges: Sequence[Edge], tenant: str, now: float) -> Change:
    """Return the change that records edges as events, with a delivery for each subscription that they match.

    Edges that a subscription was sent before or a poll returned before, and those that match no subscription, change
    nothing.
    """
    news: dict[str, list[Edge]] = {}
    for id, item in subscriptions(fields).items():
        if item["until"] > now and (matched := matching(item, edges)):
            stored = fields.get(SEEN + id)
            seen = set() if stored is None else set(unpack_marks(stored))
            news[id] = [edge for edge in matched if edge.mark not in seen]
    return _record(fields, news, tenant, now)


def record_poll(fields: Fields, source: str, reading: Reading, tenant: str, now: float, data_now: float) -> Change:
    """Return the change that records what is news in *reading*, which a poll of *source* returned.

    Each subscription remembers only what passed its filters, so an anomaly that grows is news once it passes them.
    Deliveries about items that the list no longer shows are dropped. *data_now* is the time that *reading* is for.
    """
    seen, news = Change(), dict[str, list[Edge]]()
    for id, item in subscriptions(fields).items():
        if EVENT_TYPES[item["name"]].source != source or item["until"] <= now:
            continue
        before = fields.get(SEEN + id)
        marks_before, matched = (
            None if before is None else unpack_marks(before),
            matching(item, reading.edges)[:MAX_SEEN],
        )
        news[id], marks = new_edges(marks_before, matched, data_now)
        seen.dropped["old"] += old_count(marks_before, matched, data_now)
        if marks_before is None or set(marks) != set(marks_before):
            seen.put[SEEN + id] = pack_marks(marks)
    change = _record(fields, news, tenant, now, is_polled=True)
    change.merge(seen)
    change.merge(_drop_unlisted(fields, source, reading))
    return change


def _drop_unlisted(fields: Fields, source: str, reading: Reading) -> Change:
    """Return the change that drops deliveries of polled events about items that *reading* no longer has, and the events.

    Reported events stay: a list may not show their items yet.
    """
    change = Change()
    if reading.ids is None:
        return change
    for key, _ in named(fields, DELIVERY):
        stored = fields.get(EVENT + key.partition(":")[2])
        if stored is None or not stored.get("polled") or EVENT_TYPES[stored["event"]["name"]].source != source:
            continue
        if stored["event"]["data"]["id"] not in reading.ids:
            change.delete |= {DELIVERY + key, EVENT + key.partition(":")[2]}
            change.dropped["not_listed"] += 1
    return change


def _record(
    fields: Fields, news: Mapping[str, Sequence[Edge]], tenant: str, now: float, *, is_polled: bool = False
) -> Change:
    """Return the change that records the edges of each subscription, by its id."""
    change = Change()
    for id, edges in news.items():
        for edge in edges:
            name = EVENT + (event_id := edge.event_id(tenant))
            stored = change.put.get(name) or fields.get(name)
            recipients = [] if stored is None else stored["to"]
            if id in recipients:
                continue
            event = {"eventId": event_id, "name": edge.name, "timestamp": iso(edge.occurred_at), "data": edge.data}
            # Whether a poll of this user showed the item.
            polled = is_polled or bool(stored and stored.get("polled"))
            change.put[name] = {"event": event, "at": now, "to": [*recipients, id], "polled": polled}
            change.put[f"{DELIVERY}{id}:{event_id}"] = {"tries": 0, "next": now, "at": now}
    if change:
        change.merge(_trim(fields | change.put, news))
    return change


def _trim(fields: Fields, active: Iterable[str]) -> Change:
    """Return the change that keeps a mailbox within its bounds: the oldest deliveries are dropped, and counted."""
    change, waiting = Change(), dict[str, list[tuple[str, JsonObject]]]()
    for key, delivery in named(fields, DELIVERY):
        id, _, rest = key.partition(":")
        waiting.setdefault(id, []).append((rest, delivery))
    for id in active:
        in_order = sorted(waiting.get(id, ()), key=lambda item: item[1]["at"])
        if excess := in_order[: max(0, len(in_order) - MAX_PENDING)]:
            change.delete |= {f"{DELIVERY}{id}:{key}" for key, _ in excess}
            _count_dropped(change, fields, id, len(excess))
    pending: dict[str, list[str]] = {}
    for id, items in waiting.items():
        for event_id, _ in items:
            if f"{DELIVERY}{id}:{event_id}" not in change.delete:
                pending.setdefault(event_id, []).append(id)
    # Those that wait for deliveries go last.
    events = sorted(named(fields, EVENT), key=lambda item: (item[0] in pending, item[1]["at"]))
    for event_id, _ in events[: max(0, len(events) - MAX_EVENTS)]:
        change.delete.add(EVENT + event_id)
        for id in pending.get(event_id, ()):
            change.delete.add(f"{DELIVERY}{id}:{event_id}")
            _count_dropped(change, fields, id, 1)
    return change


def _count_dropped(change: Change, fields: Fields, id: str, count: int) -> None:
    """Count deliveries to a subscription that *change* drops because too many wait."""
    status = change.put.get(STATUS + id) or fields.get(STATUS + id, {})
    change.put[STATUS + id] = status | {"dropped": status.get("dropped", 0) + count}
    reason: DropReason = "suspended" if status.get("suspended") else "limit"
    change.dropped[reason] += count


def recent_events(fields: Fields, name: str = "", arguments: JsonObject | None = None) -> list[JsonObject]:
    """Return the recorded events, oldest first: all of them, or those of one type that pass filters."""
    events = [item["event"] for item in _recorded(fields)]
    if not name:
        return events
    matches = EVENT_TYPES[name].matches
    return [event for event in events if event["name"] == name and matches(arguments or {}, event["data"])]


def recent_events_with_times(fields: Fields) -> list[JsonObject]:
    """Return the recorded events, oldest first, each with ``recordedAt``."""
    return [item["event"] | {"recordedAt": iso(item["at"])} for item in _recorded(fields)]


def _recorded(fields: Fields) -> list[JsonObject]:
    # Events of one poll have the same time, and Redis returns fields in any order.
    kept = sorted(named(fields, EVENT), key=lambda item: (item[1]["at"], item[1]["event"]["timestamp"], item[0]))
    return [item for _, item in kept]


def covers(fields: Fields, name: str, arguments: JsonObject) -> bool:
    """Return whether a subscription of this principal records the events of a type that pass the filters *arguments*."""
    return any(item["name"] == name and item["arguments"] in ({}, arguments) for item in subscriptions(fields).values())
