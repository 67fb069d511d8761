"""The rules that record events in a mailbox and read them again. Pure functions, without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..protocol.jsonrpc import JsonObject
from .event_types import EVENT_TYPES
from .mailbox import DELIVERY, EVENT, SEEN, STATUS, format_time, list_subscriptions, passes_filters, select_fields
from .new_items import MAX_SEEN, NewItem, Reading, count_old_items, find_new_items, pack_marks, unpack_marks
from .store import Change, DropReason, Fields

MAX_EVENTS, MAX_PENDING = 200, 100
"""Events that are kept for each principal, also for deliveries, and deliveries that wait for each subscription."""


def select_matching(subscription: JsonObject, items: Iterable[NewItem]) -> list[NewItem]:
    """Return the items that pass the filters of a subscription."""
    return [new_item for new_item in items if passes_filters(subscription, new_item.name, new_item.data)]


def record(fields: Fields, items: Sequence[NewItem], tenant: str, now: float) -> Change:
    """Return the change that records items as events, with a delivery for each subscription that they match.

    Items that a subscription was sent before or a poll returned before, and those that match no subscription, change
    nothing.
    """
    news: dict[str, list[NewItem]] = {}
    for id, item in list_subscriptions(fields).items():
        if item["until"] > now and (matched := select_matching(item, items)):
            stored = fields.get(SEEN + id)
            seen = set() if stored is None else set(unpack_marks(stored))
            news[id] = [new_item for new_item in matched if new_item.mark not in seen]
    return _record_news(fields, news, tenant, now)


def record_poll(fields: Fields, source: str, reading: Reading, tenant: str, now: float, data_now: float) -> Change:
    """Return the change that records what is news in *reading*, which a poll of *source* returned.

    Each subscription remembers only what passed its filters, so an anomaly that grows is news once it passes them.
    Deliveries about items that the list no longer shows are dropped. *data_now* is the time that *reading* is for.
    """
    seen, news = Change(), dict[str, list[NewItem]]()
    for id, item in list_subscriptions(fields).items():
        if EVENT_TYPES[item["name"]].source != source or item["until"] <= now:
            continue
        before = fields.get(SEEN + id)
        marks_before, matched = (
            None if before is None else unpack_marks(before),
            select_matching(item, reading.items)[:MAX_SEEN],
        )
        news[id], marks = find_new_items(marks_before, matched, data_now)
        seen.dropped["old"] += count_old_items(marks_before, matched, data_now)
        if marks_before is None or set(marks) != set(marks_before):
            seen.put[SEEN + id] = pack_marks(marks)
    change = _record_news(fields, news, tenant, now, is_polled=True)
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
    for key, _ in select_fields(fields, DELIVERY):
        stored = fields.get(EVENT + key.partition(":")[2])
        if stored is None or not stored.get("polled") or EVENT_TYPES[stored["event"]["name"]].source != source:
            continue
        if stored["event"]["data"]["id"] not in reading.ids:
            change.delete |= {DELIVERY + key, EVENT + key.partition(":")[2]}
            change.dropped["not_listed"] += 1
    return change


def _record_news(
    fields: Fields, news: Mapping[str, Sequence[NewItem]], tenant: str, now: float, *, is_polled: bool = False
) -> Change:
    """Return the change that records the items of each subscription, by its id."""
    change = Change()
    for id, items in news.items():
        for new_item in items:
            name = EVENT + (event_id := new_item.event_id(tenant))
            stored = change.put.get(name) or fields.get(name)
            recipients = [] if stored is None else stored["to"]
            if id in recipients:
                continue
            event = {
                "eventId": event_id,
                "name": new_item.name,
                "timestamp": format_time(new_item.occurred_at),
                "data": new_item.data,
            }
            # Whether a poll of this user showed the item.
            polled = is_polled or bool(stored and stored.get("polled"))
            change.put[name] = {"event": event, "at": now, "to": [*recipients, id], "polled": polled}
            change.put[f"{DELIVERY}{id}:{event_id}"] = {"tries": 0, "next": now, "at": now}
    if change:
        change.merge(_trim_mailbox(fields | change.put, news))
    return change


def _trim_mailbox(fields: Fields, active: Iterable[str]) -> Change:
    """Return the change that keeps a mailbox within its bounds: the oldest deliveries are dropped, and counted."""
    change, waiting = Change(), dict[str, list[tuple[str, JsonObject]]]()
    for key, delivery in select_fields(fields, DELIVERY):
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
    events = sorted(select_fields(fields, EVENT), key=lambda item: (item[0] in pending, item[1]["at"]))
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


def list_recent_events(fields: Fields, name: str = "", arguments: JsonObject | None = None) -> list[JsonObject]:
    """Return the recorded events, oldest first: all of them, or those of one type that pass filters."""
    events = [item["event"] for item in _list_events(fields)]
    if not name:
        return events
    matches = EVENT_TYPES[name].matches
    return [event for event in events if event["name"] == name and matches(arguments or {}, event["data"])]


def list_recent_events_with_times(fields: Fields) -> list[JsonObject]:
    """Return the recorded events, oldest first, each with ``recordedAt``."""
    return [item["event"] | {"recordedAt": format_time(item["at"])} for item in _list_events(fields)]


def _list_events(fields: Fields) -> list[JsonObject]:
    # Events of one poll have the same time, and Redis returns fields in any order.
    kept = sorted(
        select_fields(fields, EVENT), key=lambda item: (item[1]["at"], item[1]["event"]["timestamp"], item[0])
    )
    return [item for _, item in kept]


def has_subscription(fields: Fields, name: str, arguments: JsonObject) -> bool:
    """Return whether a subscription of this principal records the events of a type that pass the filters *arguments*."""
    return any(
        item["name"] == name and item["arguments"] in ({}, arguments) for item in list_subscriptions(fields).values()
    )
