"""The buttons for events on the sandbox's page: what they make arrives at the receiver that the page shows."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp

from tests.browser.driver import NODE
from tests.e2e.launch import running_sandbox
from tests.e2e.node_packages import environment, find_browser, install, run
from tests.transports.http.serving import ACCEPT

NAMES = {
    "anomaly": "anomaly.detected",
    "threshold": "budget.threshold_reached",
    "invoice": "invoice.issued",
    "ticket": "ticket.updated",
}


async def test_each_button_makes_an_event_that_arrives(tmp_path: Path) -> None:
    chromium = find_browser()
    install(NODE)
    with running_sandbox(tmp_path, DOIT_MCP_EVENTS_POLL_S="5", DOIT_MCP_EVENTS_HOLD_S="0") as sandbox:
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{sandbox.services}/sandbox/receiver") as response:
                receiver = await response.json()
            headers = {"Authorization": f"Bearer {next(iter(sandbox.api_tokens.values()))}", "Accept": ACCEPT}
            for name in NAMES.values():
                delivery = {"mode": "webhook", "url": receiver["url"], "secret": receiver["secret"]}
                params = {"name": name, "arguments": {}, "delivery": delivery, "cursor": None}
                message = {"jsonrpc": "2.0", "id": 1, "method": "events/subscribe", "params": params}
                async with http.post(sandbox.mcp, json=message, headers=headers) as response:
                    assert "result" in (answer := await response.json()), answer
        script = ["node", str(NODE / "sandbox_page.mjs"), chromium, f"{sandbox.services}/", str(len(NAMES))]
        finished = await run(script, env=environment(tmp_path), limit=90)
    assert finished.status == 0, finished
    shown = json.loads(finished.out)
    assert shown["console"] == []
    arrivals = [each for each in shown["arrivals"] if "id" in each["body"]]
    made = dict(text.removeprefix("Made: ").split(" ", 1) for text in shown["made"])
    assert {each["name"]: each["body"]["id"] for each in arrivals} == {NAMES[kind]: made[kind] for kind in NAMES}
    assert all(each["badge"] == "Signature holds" and each["isGood"] for each in shown["arrivals"])
