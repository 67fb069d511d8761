"""The events client and webhook handler of the AI SDK, over https on loopback."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

from doit_mcp.events.event_types import EVENT_TYPES
from doit_mcp.sandbox.api import Api
from doit_mcp.transports.http.event_wiring import EventNetwork
from tests.e2e.node_packages import environment
from tests.events.receivers import OTHER_SECRET
from tests.events.requests import report
from tests.https_server import write_certificate
from tests.transports.http.serving import Json, serving


async def test_subscribes_and_receives(node: Path, tmp_path: Path) -> None:
    """The client lists, subscribes, is verified, receives three events once each, refreshes and unsubscribes."""
    certificate, key = write_certificate(tmp_path, "localhost")
    network = EventNetwork(tls=ssl.create_default_context(cafile=str(certificate)), tick_seconds=0.05)
    settings: Json = {"events_private_receivers": ("localhost",), "events_hold_s": 0, "events_poll_s": 3600}
    async with serving(api=Api(), event_network=network, events_ingest_secret=OTHER_SECRET, **settings) as site:
        order = {
            "url": f"{site.base}/mcp",
            "token": site.token(),
            "certificate": str(certificate),
            "key": str(key),
            "name": "anomaly.detected",
            "arguments": {"severity": "warning"},
            "events": 3,
        }
        process = await asyncio.create_subprocess_exec(
            *("node", str(node / "ai_events.mjs"), json.dumps(order)),
            env=environment(tmp_path),
            cwd=node,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60):
                listed, granted = [json.loads(await process.stdout.readline()) for _ in range(2)]
                assert listed == {"listed": list(EVENT_TYPES)}
                assert granted["granted"]["id"].startswith("sub_"), granted
                for number in range(3):
                    data = {"id": f"a{number}", "severity": "critical"}
                    assert (await report(site, f"n{number}", data)).body == {"subscribers": 1}
                lines = [json.loads(line) for line in (await process.stdout.read()).splitlines()]
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
    arrived = [line for line in lines if "event" in line]
    assert {line["event"]["data"]["id"] for line in arrived} == {"a0", "a1", "a2"} and len(arrived) == 3
    assert all(line["id"] == granted["granted"]["id"] for line in arrived)
    refreshed, ended = lines[3:]
    assert refreshed["refreshed"]["id"] == granted["granted"]["id"] and ended == {"unsubscribed": True}
    assert process.returncode == 0
