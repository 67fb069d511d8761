"""The sandbox makes things happen, the server notices them with the subscriber's permission, and the sandbox's receiver
shows them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from doit_mcp.events.signatures import make_signature_headers
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.event_receiver import EventReceiver
from doit_mcp.transports.http.event_wiring import EventNetwork
from tests.events.receivers import OTHER_SECRET
from tests.events.requests import report
from tests.transports.http.serving import Json, Site, serving

NAMES = {
    "anomaly": "anomaly.detected",
    "threshold": "budget.threshold_reached",
    "invoice": "invoice.issued",
    "ticket": "ticket.updated",
}


@pytest.fixture
async def receiver() -> AsyncIterator[EventReceiver]:
    """The sandbox's receiver."""
    made = EventReceiver()
    async with made.running():
        yield made


@pytest.fixture
async def site(receiver: EventReceiver) -> AsyncIterator[Site]:
    """A server that polls for events very often."""
    async with serving(
        api=Api(),
        event_network=EventNetwork(tls=receiver.trust, tick_seconds=0.05),
        events_private_receivers=("localhost",),
        events_hold_s=0,
        events_poll_s=0.2,
        events_calls_per_minute=10_000,
        events_ingest_secret=OTHER_SECRET,
    ) as running:
        yield running


async def make(site: Site, kind: str, **more: Any) -> Json:
    """Use the control of the sandbox."""
    async with site.http.post(f"{site.world.url}/sandbox/events", json={"kind": kind, **more}) as response:
        made: Json = await response.json()
        assert response.status == 201, made
        return made


def events(receiver: EventReceiver) -> list[Json]:
    """The events that arrived, oldest first."""
    assert all(arrival["signature"] == "holds" for arrival in receiver.arrivals)
    return [arrival["body"] for arrival in reversed(receiver.arrivals) if "eventId" in arrival["body"]]


async def wait_for(receiver: EventReceiver, count: int) -> list[Json]:
    """Return the events, once there are *count*."""
    async with asyncio.timeout(60):
        while len(events(receiver)) < count:
            await asyncio.sleep(0.02)
    return events(receiver)


async def test_what_happens_is_delivered_once(site: Site, receiver: EventReceiver) -> None:
    """The first poll triggers no events; then each thing that happens arrives once, and a tool can read it again."""
    delivery = {"mode": "webhook", "url": receiver.url, "secret": receiver.secret}
    for name in (*NAMES.values(), "anomaly.resolved", "budget.forecast_exceeded", "alert.fired", "incident.opened"):
        await site.send_stateless("events/subscribe", {"name": name, "arguments": {}, "delivery": delivery})
    made = {NAMES[kind]: (await make(site, kind))["id"] for kind in NAMES}
    arrived = await wait_for(receiver, len(NAMES))
    polled = await polls(site)
    while await polls(site) < polled + 20:
        await asyncio.sleep(0.05)
    # A lower budget may have passed a threshold and be forecast to be exceeded at once; nothing else is news.
    arrived = [event for event in events(receiver) if event["name"] != "budget.forecast_exceeded"]
    assert {event["name"]: event["data"]["id"] for event in arrived} == made and len(arrived) == len(NAMES)
    threshold = next(event["data"] for event in arrived if event["name"] == NAMES["threshold"])
    assert threshold["spent"] >= threshold["thresholdAmount"] > 0
    assert {"currency", "periodStart", "interval", "threshold", "url"} <= threshold.keys()
    # A back end reports what a poll has found: it is the same event.
    found = next(event["data"] for event in arrived if event["name"] == NAMES["anomaly"])
    reported = await report(site, "again", {"id": found["id"], "severity": "critical"})
    assert reported.body == {"subscribers": 1}
    await make(site, "ticket")
    again = await wait_for(receiver, len(events(receiver)) + 1)
    assert len({event["eventId"] for event in again}) == len(again)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_the_receiver_of_the_sandbox_refuses_any_header(name: str) -> None:
    receiver = EventReceiver()
    headers = make_signature_headers([receiver.secret], "msg_1", int(time.time()), b"{}")
    assert receiver.has_signed(headers, b"{}")
    for text in ("v1,\u00e9", "\u0663", "\udce9"):
        assert not receiver.has_signed(headers | {name: text}, b"{}")


async def polls(site: Site) -> int:
    """How many polls succeeded so far."""
    text = (await site.send("GET", "/metrics", {})).text
    lines = [line for line in text.splitlines() if line.startswith('doit_mcp_event_polls_total{outcome="ok"}')]
    return int(float(lines[0].split()[-1])) if lines else 0


@pytest.mark.requirement("E5")
async def test_a_revoked_user_gets_nothing_more(
    site: Site, receiver: EventReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """When the API refuses the lent token, the subscription ends, its receiver learns why, and no event follows."""
    delivery = {"mode": "webhook", "url": receiver.url, "secret": receiver.secret}
    params = {"name": "anomaly.detected", "arguments": {}, "delivery": delivery}
    assert (await site.send_stateless("events/subscribe", params)).status == 200
    fault = {"kind": 401, "path_prefix": "/anomalies/v1"}
    async with site.http.put(f"{site.world.url}/sandbox/faults", json={"faults": [fault]}) as response:
        assert response.status == 200, await response.text()
    async with asyncio.timeout(30):
        while not any(arrival["body"].get("type") == "terminated" for arrival in receiver.arrivals):
            await asyncio.sleep(0.02)
    [line] = [item for item in caplog.records if item.name == "doit_mcp.audit" and vars(item)["action"] == "terminate"]
    assert vars(line)["event"] == "anomaly.detected" and vars(line)["subscription"].startswith("sub_")
    error = next(item["body"]["error"] for item in receiver.arrivals if item["body"].get("type") == "terminated")
    assert error["code"] == -32012 and "subscribe again" in error["message"]
    assert (await site.send_stateless("events/unsubscribe", params)).error["code"] == -32011


@pytest.mark.requirement("E5")
async def test_lifetime_never_exceeds_the_lent_token(receiver: EventReceiver) -> None:
    """Without Redis the lifetime is short; it also ends with the token that polls use."""
    async with serving(
        api=Api(),
        event_network=EventNetwork(tls=receiver.trust),
        events_private_receivers=("localhost",),
        events_ingest_secret=OTHER_SECRET,
    ) as site:
        delivery = {"mode": "webhook", "url": receiver.url, "secret": receiver.secret}
        params: Json = {"name": "anomaly.detected", "arguments": {}, "delivery": delivery, "ttlMs": 10**12}
        granted = (await site.send_stateless("events/subscribe", params)).result
        assert 800 < datetime.fromisoformat(granted["refreshBefore"]).timestamp() - time.time() <= 900
        short = (await site.send_stateless("events/subscribe", params | {"ttlMs": 120_000})).result
        assert 60 < datetime.fromisoformat(short["refreshBefore"]).timestamp() - time.time() <= 120
