"""The group of the settings of MCP Events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .declaration import setting
from .parsers import Integer, parse_boolean, parse_hosts, parse_webhook_secret


@dataclass(frozen=True)
class EventSettings:
    """The settings of subscriptions, deliveries and receivers of events."""

    GROUP: ClassVar[str] = "Events"

    events: bool = setting(
        True, "DOIT_MCP_EVENTS", parse_boolean, "Offer MCP Events, which send webhooks to subscribers"
    )
    events_per_principal: int = setting(
        20, "DOIT_MCP_EVENTS_PER_PRINCIPAL", Integer(1, 1000), "Maximum number of event subscriptions per user"
    )
    events_poll_s: int = setting(
        60, "DOIT_MCP_EVENTS_POLL_S", Integer(5, 3600), "How often the server polls the DoiT API for events, in seconds"
    )
    events_calls_per_minute: int = setting(
        60,
        "DOIT_MCP_EVENTS_CALLS_PER_MINUTE",
        Integer(1, 10_000),
        "Maximum number of API requests for events per customer per minute",
    )
    events_hold_s: int = setting(
        90,
        "DOIT_MCP_EVENTS_HOLD_S",
        Integer(0, 600),
        "Time without tool calls of a user after which events are sent, in seconds; hosts lose events that arrive while "
        "a conversation is in progress",
    )
    events_receivers: tuple[str, ...] = setting(
        (),
        "DOIT_MCP_EVENTS_RECEIVERS",
        parse_hosts,
        "Hosts that may receive events; by default, all hosts with public addresses",
    )
    events_private_receivers: tuple[str, ...] = setting(
        (),
        "DOIT_MCP_EVENTS_PRIVATE_RECEIVERS",
        parse_hosts,
        "Hosts that may receive events at private or loopback addresses, which are refused otherwise",
    )
    events_ingest_secret: str = setting(
        "",
        "DOIT_MCP_EVENTS_INGEST_SECRET",
        parse_webhook_secret,
        "Secret of back ends that report events to /events/ingest: whsec_ and base64 of 24 to 64 bytes; without it, the "
        "endpoint is closed",
        is_secret=True,
    )
