"""The messages of the deliveries in a mailbox. No I/O."""

from __future__ import annotations

import orjson

from . import mailbox
from .event_types import EVENT_TYPES
from .secret_rotation import list_valid_secrets
from .sender import Message, event_body
from .store import Fields, Owner


def find_source(fields: Fields, key: str) -> str:
    """Return the source of the events that a delivery is about."""
    return EVENT_TYPES[fields[mailbox.SUBSCRIPTION + key.partition(":")[0]]["name"]].source


def make_message(owner: Owner, fields: Fields, key: str, now: float) -> Message | None:
    """Return the message of a delivery, None if it is no longer wanted."""
    id, _, event_id = key.partition(":")
    delivery, subscription = fields.get(mailbox.DELIVERY + key), fields.get(mailbox.SUBSCRIPTION + id)
    if delivery is None or subscription is None:
        return None
    secrets = list_valid_secrets(subscription, now)
    if control := delivery.get("control"):
        message_id = f"msg_{control['type']}_{id.removeprefix('sub_')[:16]}{int(delivery['at'])}"
        return Message(owner, subscription["url"], id, message_id, orjson.dumps(control), secrets)
    event = fields.get(mailbox.EVENT + event_id)
    if event is None or subscription["until"] <= now:
        return None
    return Message(owner, subscription["url"], id, event_id, event_body(event["event"]), secrets)
