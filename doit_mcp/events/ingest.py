"""Reads events that an operator's back end reports, signed like deliveries (``POST /events/ingest``). No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ..protocol.jsonrpc import JsonObject, parse_json_object
from .edges import MAX_AGE_SECONDS, Edge
from .errors import invalid
from .event_types import find_event_type
from .payload_texts import clean
from .signatures import TOLERANCE_SECONDS, is_signed

MAX_INGEST_BYTES = 16 << 10
MAX_ID_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Report:
    """An event that was reported for a customer: its *tenant*, and the edge."""

    tenant: str
    edge: Edge


def is_authentic(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    """Return whether a report has a recent signature by *secret* (Standard Webhooks)."""
    id, timestamp, signatures = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    return bool(id) and is_signed(secret, id, timestamp, signatures, body, now)


def read_report(body: bytes, now: float, console_url: str) -> Report:
    """Return the report in *body*: ``customer``, ``name``, ``id``, ``data`` and an optional ``timestamp``.

    Texts are cleaned like those of the API, and links must lead to *console_url*. Raise EventError.
    """
    fields = parse_json_object(body)
    if fields is None:
        raise invalid("the body must be a JSON object")
    texts: dict[str, str] = {}
    for name in ("customer", "id"):
        value = fields.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARACTERS:
            raise invalid(f"{name} must be a text of 1 to {MAX_ID_CHARACTERS} characters")
        texts[name] = value
    event_type = find_event_type(fields.get("name"))
    data: JsonObject | None = fields.get("data") if isinstance(fields.get("data"), dict) else None
    if data is None:
        raise invalid("data must be an object")
    if problems := event_type.payload_validator.problems(data):
        raise invalid("data." + "; ".join(problems))
    data = {name: clean(value) for name, value in data.items()}
    if "url" in data and not data["url"].startswith(f"{console_url}/"):
        raise invalid(f"data.url must begin with {console_url}/")
    occurred_at = _read_timestamp(fields.get("timestamp"), now)
    return Report(texts["customer"], Edge(event_type.name, f"report {texts['id']}", occurred_at, data))


def _read_timestamp(value: object, now: float) -> float:
    if value is None:
        return now
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    seconds = None if moment is None else (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if seconds is None or not now - MAX_AGE_SECONDS <= seconds <= now + TOLERANCE_SECONDS:
        raise invalid("timestamp must be an RFC 3339 time of the last 45 days, not in the future")
    return seconds
