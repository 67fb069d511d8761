"""Reads the parameters of ``events/subscribe``, ``events/unsubscribe`` and ``events/poll``. No I/O."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from ..protocol.jsonrpc import JsonObject
from .errors import EventError, invalid_parameter_error
from .event_type import DELIVERY_MODES, EventType
from .event_types import find_event_type
from .receiver_urls import ReceiverPolicy
from .signatures import parse_secret

MAX_CURSOR_CHARACTERS = 200
MAX_MILLISECONDS = 10**13


@dataclass(frozen=True, slots=True)
class Target:
    """What a subscription is identified by, besides its owner: type of event, canonical *arguments* and *url*."""

    event_type: EventType
    arguments: JsonObject
    url: str

    def subscription_id(self, owner: str) -> str:
        """Return the id: the same after restarts, and for every repetition of the request."""
        key = orjson.dumps([owner, self.url, self.event_type.name, self.arguments], option=orjson.OPT_SORT_KEYS)
        return "sub_" + hashlib.sha256(key).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class SubscribeRequest:
    """A request for a subscription. *ttl_seconds* is what the client suggests, None if it suggests nothing."""

    target: Target
    secret: str = field(repr=False)
    host: str
    ttl_seconds: float | None
    declares_extension: bool


def read_subscribe(params: JsonObject, policy: ReceiverPolicy, declares_extension: bool) -> SubscribeRequest:
    """Return the request in *params*. Raise EventError."""
    target, host = _read_target(params, policy)
    mode = params["delivery"].get("mode")
    if mode not in DELIVERY_MODES:
        raise EventError(
            "unsupported",
            f"Unsupported delivery mode. Available: {', '.join(DELIVERY_MODES)}",
            {"feature": "deliveryMode", "value": mode[:40] if isinstance(mode, str) else None},
        )
    try:
        parse_secret(secret := params["delivery"].get("secret"))
    except ValueError as problem:
        raise invalid_parameter_error(f"params.delivery.secret {problem}") from None
    assert isinstance(secret, str)
    _read_cursor(params)
    _read_milliseconds(params, "maxAgeMs")
    ttl = _read_milliseconds(params, "ttlMs")
    return SubscribeRequest(target, secret, host, None if ttl is None else ttl / 1000, declares_extension)


def read_unsubscribe(params: JsonObject) -> Target:
    """Return what to unsubscribe from. Raise EventError."""
    # Hosts that are no longer allowed can still be unsubscribed.
    return _read_target(params, ReceiverPolicy(), check=False)[0]


@dataclass(frozen=True, slots=True)
class PollRequest:
    """A request for recent events after the one with the id *after*, at most *limit*."""

    event_type: EventType
    arguments: JsonObject
    after: str
    limit: int


def read_poll(params: JsonObject, max_events: int) -> PollRequest:
    """Return the request in *params*. Raise EventError."""
    event_type = find_event_type(params.get("name"))
    arguments = event_type.check_arguments(_read_arguments(params))
    limit = params.get("maxEvents")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise invalid_parameter_error("params.maxEvents must be a whole number from 1")
    return PollRequest(event_type, arguments, _read_cursor(params), min(limit or max_events, max_events))


def _read_target(params: JsonObject, policy: ReceiverPolicy, *, check: bool = True) -> tuple[Target, str]:
    event_type = find_event_type(params.get("name"))
    arguments = event_type.check_arguments(_read_arguments(params))
    delivery = params.get("delivery")
    if not isinstance(delivery, dict):
        raise invalid_parameter_error("params.delivery must be an object")
    url, host = delivery.get("url"), ""
    if not isinstance(url, str):
        raise invalid_parameter_error("params.delivery.url must be a text")
    if check:
        try:
            host = policy.check_url(url)
        except ValueError as problem:
            raise invalid_parameter_error(f"params.delivery.url {problem}") from None
    return Target(event_type, arguments, url), host


def _read_arguments(params: JsonObject) -> Any:
    arguments = params.get("arguments")
    return {} if arguments is None else arguments


def _read_cursor(params: JsonObject) -> str:
    """Return the cursor, "" for null. Subscriptions cannot go back to it; ``events/poll`` can."""
    cursor: Any = params.get("cursor")
    if cursor is not None and (not isinstance(cursor, str) or len(cursor) > MAX_CURSOR_CHARACTERS):
        raise invalid_parameter_error(
            f"params.cursor must be null or a text of at most {MAX_CURSOR_CHARACTERS} characters"
        )
    return cursor or ""


def _read_milliseconds(params: JsonObject, name: str) -> int | None:
    value = params.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_MILLISECONDS:
        raise invalid_parameter_error(f"params.{name} must be null or a whole number of milliseconds")
    return value
