"""Requests about events, as clients and operators send them."""

from __future__ import annotations

import json
import time
from typing import Any

from doit_mcp.events.signatures import make_signature_headers
from tests.events.receivers import OTHER_SECRET, SECRET, Receiver
from tests.transports.http.serving import Answer, Json, Site

ACME = "ACmE4x9Zq1"


def subscription(
    receiver: Receiver, name: str = "anomaly.detected", *, secret: str = SECRET, path: str = "/hook", **arguments: Any
) -> Json:
    """The parameters of events/subscribe, as ChatGPT sends them."""
    delivery = {"mode": "webhook", "url": receiver.url(path), "secret": secret}
    return {"name": name, "arguments": arguments, "delivery": delivery, "cursor": None}


async def report(site: Site, id: str, data: Json, *, name: str = "anomaly.detected", customer: str = ACME) -> Answer:
    """Report an event as the operator's back end does."""
    body = json.dumps({"customer": customer, "name": name, "data": data}).encode()
    headers = make_signature_headers([OTHER_SECRET], f"msg_{id}", int(time.time()), body)
    return await site.send("POST", "/events/ingest", headers, body)
