"""The rules of a mailbox: subscriptions, events, deliveries and their retries. Pure functions, without I/O.

A rule reads the fields of a mailbox and returns the change to make.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from ..protocol.jsonrpc import JsonObject
from .errors import EventError
from .event_types import EVENT_TYPES
from .new_items import pack_marks
from .requests import SubscribeRequest
from .secret_rotation import keep_former_secrets
from .sender import Outcome
from .store import Change, DropReason, Fields

ACCOUNT = "account"
SUBSCRIPTION, STATUS, SEEN, EVENT, DELIVERY, VERIFIED = (
    "sub:",
    "status:",
    "seen:",
    "event:",
    "delivery:",
    "verified:",
)

VERIFIED_SECONDS = 86_400.0
MAX_VERIFIED = 100
"""Receivers that are remembered as verified for each principal, besides those of subscriptions."""
MAX_CLOCK_SKEW_SECONDS = 60.0
"""How far the clocks of two replicas may be apart. What lies further in the future was recorded with a wrong clock."""
RETRY_SECONDS = (15.0, 60.0, 180.0, 420.0)
"""Delays before the second to fifth attempt, before jitter: less than 15 minutes in total."""
MAX_HOLD_SECONDS = 600.0
"""How long calls of the user delay an event."""
GONE, TOO_LARGE = 410, 413
NOT_RETRIED = (GONE, TOO_LARGE)
CONTROL_ATTEMPTS = 2


def format_time(seconds: float) -> str:
    """Return a time in RFC 3339, UTC, in whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def hash_url(url: str) -> str:
    """Return the name of a receiver in field names."""
    return hashlib.sha256(url.encode()).hexdigest()[:24]


def select_fields(fields: Fields, prefix: str) -> Iterator[tuple[str, JsonObject]]:
    """Yield the fields with *prefix*, by the rest of their names."""
    return ((name.removeprefix(prefix), value) for name, value in list(fields.items()) if name.startswith(prefix))


def list_subscriptions(fields: Fields) -> dict[str, JsonObject]:
    """Return the subscriptions that have not been terminated, by id."""
    return {
        id: subscription for id, subscription in select_fields(fields, SUBSCRIPTION) if not subscription.get("ended")
    }


def passes_filters(subscription: JsonObject, name: str, data: JsonObject) -> bool:
    """Return whether an event of the type *name* with *data* passes the filters of a subscription."""
    return bool(subscription["name"] == name and EVENT_TYPES[name].matches(subscription["arguments"], data))


def is_verified(fields: Fields, url: str, now: float) -> bool:
    """Return whether the receiver at *url* confirmed that it wants events of this principal."""
    verified = fields.get(VERIFIED + hash_url(url))
    return verified is not None and verified["until"] > now


def subscription_end(request: SubscribeRequest, now: float, longest: float, credential_expires: float) -> float:
    """Return when the subscription ends: never later than the credential that it is served with."""
    seconds = longest if request.ttl_seconds is None else min(max(request.ttl_seconds, 60.0), longest)
    return min(now + seconds, credential_expires)


def subscribe(
    fields: Fields, id: str, request: SubscribeRequest, account: JsonObject, until: float, marks: list[str], now: float
) -> Change:
    """Return the change that makes or refreshes a subscription. *marks* are the baseline of a new one."""
    target, before = request.target, fields.get(SUBSCRIPTION + id)
    subscription: JsonObject = {
        "name": target.event_type.name,
        "arguments": target.arguments,
        "url": target.url,
        "secret": request.secret,
        "former": keep_former_secrets(before, request.secret, now),
        "until": until,
        # Whether the client reads the codes of the extension.
        "extension": request.declares_extension,
    }
    change = Change({SUBSCRIPTION + id: subscription, ACCOUNT: account})
    if not is_verified(fields, target.url, now):
        change.put[VERIFIED + hash_url(target.url)] = {"until": now + VERIFIED_SECONDS}
        change.delete |= _find_oldest_verified(fields)
    # The message that an earlier subscription with this id was ended, which would end this one.
    if before is not None and before.get("ended"):
        change.delete.add(f"{DELIVERY}{id}:terminated")
    if SEEN + id not in fields:
        change.put[SEEN + id] = pack_marks(marks)
    if STATUS + id in fields:
        change.delete.add(STATUS + id)
        change.merge(_resume_deliveries(fields, id, now))
    return change


def _find_oldest_verified(fields: Fields) -> set[str]:
    """Return the verifications to forget before another one is remembered."""
    in_use = {hash_url(item["url"]) for _, item in select_fields(fields, SUBSCRIPTION)}
    idle = [(item["until"], VERIFIED + mark) for mark, item in select_fields(fields, VERIFIED) if mark not in in_use]
    return {name for _, name in sorted(idle)[: max(0, len(idle) + 1 - MAX_VERIFIED)]}


def _resume_deliveries(fields: Fields, id: str, now: float) -> Change:
    """Return the change that resumes the deliveries of a suspended subscription, after a message about lost events."""
    change, status = Change(), fields[STATUS + id]
    for key, delivery in select_fields(fields, f"{DELIVERY}{id}:"):
        name = f"{DELIVERY}{id}:{key}"
        if delivery.get("control"):
            change.delete.add(name)
        elif status.get("suspended"):
            change.put[name] = delivery | {"tries": 0, "next": now}
    if status.get("dropped"):
        change.put[f"{DELIVERY}{id}:gap"] = _make_control_delivery({"type": "gap", "cursor": None}, now)
    return change


def unsubscribe(fields: Fields, id: str) -> Change:
    """Return the change that removes a subscription with all that belongs to it. Raise EventError."""
    if id not in list_subscriptions(fields):
        raise EventError("not_found", "There is no such subscription", {"kind": "subscription"})
    return remove(fields, [id], "unsubscribed")


def remove(fields: Fields, ids: Iterable[str], reason: DropReason) -> Change:
    """Return the change that removes subscriptions, and the events that no other subscription covers."""
    removed, change = set(ids), Change()
    for id in removed:
        change.delete |= {SUBSCRIPTION + id, STATUS + id, SEEN + id}
        for key, delivery in select_fields(fields, f"{DELIVERY}{id}:"):
            change.delete.add(f"{DELIVERY}{id}:{key}")
            if not delivery.get("control"):
                change.dropped[reason] += 1
    if removed:
        kept = [item for id, item in list_subscriptions(fields).items() if id not in removed]
        change.delete |= {
            EVENT + id
            for id, item in select_fields(fields, EVENT)
            if not any(
                passes_filters(subscription, item["event"]["name"], item["event"]["data"]) for subscription in kept
            )
        }
    change.delete &= fields.keys()
    return change


def terminate(fields: Fields, ids: Collection[str], error: EventError, now: float) -> Change:
    """Return the change that ends subscriptions at once and notifies their receivers of the reason."""
    change = remove(fields, ids, "revoked")
    for id in ids:
        ended = fields[SUBSCRIPTION + id] | {"ended": True}
        body = {
            "type": "terminated",
            "error": {"code": error.code(bool(ended.get("extension"))), "message": error.message},
        }
        change.merge(
            Change({SUBSCRIPTION + id: ended, f"{DELIVERY}{id}:terminated": _make_control_delivery(body, now)})
        )
    return change


def _make_control_delivery(body: JsonObject, now: float) -> JsonObject:
    return {"control": body, "tries": 0, "next": now, "at": now}


def remove_ended(fields: Fields, now: float) -> Change:
    """Return the change that removes what has ended: subscriptions, verifications, and what belongs to neither."""
    change = remove(fields, [id for id, item in select_fields(fields, SUBSCRIPTION) if item["until"] <= now], "expired")
    change.delete |= {VERIFIED + mark for mark, item in select_fields(fields, VERIFIED) if item["until"] <= now}
    for key, delivery in select_fields(fields, DELIVERY):
        id, _, event_id = key.partition(":")
        is_known = bool(delivery.get("control")) or EVENT + event_id in fields
        if SUBSCRIPTION + id not in fields or not is_known:
            change.delete.add(DELIVERY + key)
        elif delivery["at"] > now + MAX_CLOCK_SKEW_SECONDS and DELIVERY + key not in change.delete:
            # The clock was set back: without this, the delivery would wait until the clock is there again.
            change.put[DELIVERY + key] = delivery | {"at": now, "next": now}
    # An attempt that ended after its subscription leaves a status.
    for prefix in (STATUS, SEEN):
        change.delete |= {prefix + id for id, _ in select_fields(fields, prefix) if SUBSCRIPTION + id not in fields}
    for id, item in select_fields(fields, SUBSCRIPTION):
        if item.get("ended") and f"{DELIVERY}{id}:terminated" not in fields:
            change.delete.add(SUBSCRIPTION + id)
    return change


def due_time(
    fields: Fields, key: str, delivery: JsonObject, hold_seconds: float, last_call: float = 0.0
) -> float | None:
    """Return when a delivery is due, None while its subscription is suspended.

    Events wait until the user has made no call for *hold_seconds*, at most MAX_HOLD_SECONDS: hosts lose those that
    arrive during a turn. *last_call* is the time of the last one.
    """
    if delivery.get("control"):
        return float(delivery["next"])
    if fields.get(STATUS + key.partition(":")[0], {}).get("suspended"):
        return None
    return float(max(delivery["next"], min(last_call + hold_seconds, delivery["at"] + MAX_HOLD_SECONDS)))


def sort_key(fields: Fields, key: str) -> tuple[float, str, str]:
    """Return what deliveries that are due at the same time are sorted by: when they were recorded, then happened."""
    event = fields.get(EVENT + key.partition(":")[2], {}).get("event", {})
    return fields[DELIVERY + key]["at"], event.get("timestamp", ""), key


def record_attempt(
    fields: Fields,
    key: str,
    outcome: Outcome,
    now: float,
    jitter: float,
    retry_seconds: Sequence[float] = RETRY_SECONDS,
) -> Change:
    """Return the change after an attempt. *jitter*, from 0 to 1, spreads the next one."""
    id, name = key.partition(":")[0], DELIVERY + key
    delivery, status = fields.get(name), fields.get(STATUS + id, {})
    if delivery is None or SUBSCRIPTION + id not in fields:
        return Change()
    if outcome.failure is None:
        healthy = {"dropped": status["dropped"]} if status.get("dropped") else {}
        change = Change({STATUS + id: healthy | {"lastDeliveryAt": now}}, {name})
        return _end_control_delivery(change, id, delivery)
    tries = delivery["tries"] + 1
    failed = status | {"lastError": outcome.failure, "failedSince": status.get("failedSince", now)}
    is_control = bool(delivery.get("control"))
    if outcome.status in NOT_RETRIED:
        change = Change({STATUS + id: failed}, {name})
        if not is_control:
            # The receiver may have lost events, and learns of it from the next refresh.
            failed |= {"dropped": status.get("dropped", 0) + 1}
            change.dropped["gone" if outcome.status == GONE else "too_large"] += 1
        return _end_control_delivery(change, id, delivery)
    limit = CONTROL_ATTEMPTS if is_control else len(retry_seconds) + 1
    if tries < limit:
        delay = retry_seconds[tries - 1] * (0.8 + 0.4 * jitter)
        return Change({name: delivery | {"tries": tries, "next": now + delay}, STATUS + id: failed})
    change = Change({STATUS + id: failed}, {name})
    if not is_control:
        failed |= {"suspended": True, "dropped": status.get("dropped", 0) + 1}
        change.dropped["failed"] += 1
    return _end_control_delivery(change, id, delivery)


def _end_control_delivery(change: Change, id: str, delivery: JsonObject) -> Change:
    """Return *change*, which ends *delivery*; the message about a terminated subscription is its last one."""
    if (delivery.get("control") or {}).get("type") == "terminated":
        change.put.pop(STATUS + id, None)
        change.delete |= {SUBSCRIPTION + id, STATUS + id}
    return change


def delivery_status(fields: Fields, id: str) -> JsonObject | None:
    """Return the ``deliveryStatus`` of a subscription before it is refreshed, None if nothing was sent yet."""
    status = fields.get(STATUS + id)
    # A status without a subscription was left by one that ended.
    if status is None or id not in list_subscriptions(fields):
        return None
    last, since = status.get("lastDeliveryAt"), status.get("failedSince")
    return {
        "active": not status.get("suspended", False),
        "lastDeliveryAt": None if last is None else format_time(last),
        "lastError": status.get("lastError"),
    } | ({} if since is None else {"failedSince": format_time(since)})


def mailbox_end(fields: Fields) -> float:
    """Return when the last subscription of a mailbox ends, in epoch seconds; 0 without any."""
    return max((item["until"] for _, item in select_fields(fields, SUBSCRIPTION)), default=0.0)


def suspended_count(fields: Fields) -> int:
    """Return how many subscriptions are suspended."""
    return sum(bool(fields.get(STATUS + id, {}).get("suspended")) for id in list_subscriptions(fields))


def oldest_delivery_time(fields: Fields) -> float | None:
    """Return when the delivery that waits longest was recorded, in epoch seconds; None if none waits."""
    return min((item["at"] for _, item in select_fields(fields, DELIVERY)), default=None)
