"""Reads events that an operator's back end reports, signed like deliveries (``POST /events/ingest``). No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..protocol.jsonrpc import JsonObject, parse_json_object
from .errors import invalid_parameter_error
from .event_types import find_event_type
from .new_items import MAX_AGE_SECONDS, NewItem, parse_epoch_seconds
from .payload_texts import IDENTIFIERS, LINK, MAX_IDENTIFIER_CHARACTERS, MAX_LINK_CHARACTERS, fit_payload
from .signatures import TOLERANCE_SECONDS, is_signed

MAX_INGEST_BYTES = 16 << 10
MAX_CUSTOMER_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Report:
    """An event that was reported for a customer: its *tenant*, and the item."""

    tenant: str
    item: NewItem


def is_authentic(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    """Return whether a report has a recent signature by *secret* (Standard Webhooks)."""
    id, timestamp, signatures = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    return bool(id) and is_signed(secret, id, timestamp, signatures, body, now)


def read_report(body: bytes, now: float, console_url: str) -> Report:
    """Return the report in *body*: ``customer``, ``name``, ``data`` and an optional ``timestamp``.

    *data* has the members that identify the item, so that its event has the same id as one that a poll finds. Texts are cleaned like those of the API, and links must lead to *console_url*. Raise EventError.
    """
    fields = parse_json_object(body)
    if fields is None:
        raise invalid_parameter_error("the body must be a JSON object")
    customer = fields.get("customer")
    if not isinstance(customer, str) or not 0 < len(customer) <= MAX_CUSTOMER_CHARACTERS:
        raise invalid_parameter_error(f"customer must be a text of 1 to {MAX_CUSTOMER_CHARACTERS} characters")
    event_type = find_event_type(fields.get("name"))
    data: JsonObject | None = fields.get("data") if isinstance(fields.get("data"), dict) else None
    if data is None:
        raise invalid_parameter_error("data must be an object")
    if problems := event_type.payload_validator.problems(data):
        raise invalid_parameter_error("data." + "; ".join(problems))
    for member in IDENTIFIERS:
        if len(data.get(member) or "") > MAX_IDENTIFIER_CHARACTERS:
            raise invalid_parameter_error(f"data.{member} can have at most {MAX_IDENTIFIER_CHARACTERS} characters")
    has_link, data = LINK in data, fit_payload(event_type.payload, data)
    if has_link and not str(data.get(LINK, "")).startswith(f"{console_url}/"):
        raise invalid_parameter_error(
            f"data.url must begin with {console_url}/ and have at most {MAX_LINK_CHARACTERS} characters"
        )
    event_type.check_identity(data)
    return Report(customer, event_type.make_item(_read_timestamp(fields.get("timestamp"), now), data))


def _read_timestamp(value: object, now: float) -> float:
    if value is None:
        return now
    seconds = parse_epoch_seconds(value)
    if seconds is None or not now - MAX_AGE_SECONDS <= seconds <= now + TOLERANCE_SECONDS:
        raise invalid_parameter_error("timestamp must be an RFC 3339 time of the last 45 days, not in the future")
    return seconds
