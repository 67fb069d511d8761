"""Runs of CloudFlow flows: starting, testing, stopping and reading them."""

from __future__ import annotations

import pytest

from doit_mcp.sandbox.api.flow_runs import MAX_PAYLOAD_BYTES, REDACTED

from ..conftest import Clock
from .conftest import GLOBEX, Party
from .test_cloudflow import PATH, flow_with

KEY = {"Idempotency-Key": "k"}


async def test_run_of_a_published_flow(party: Party, clock: Clock) -> None:
    place = f"{PATH}/{await flow_with(party, 'webhook')}"
    started = await party.send("POST", f"{place}/actions/trigger", {"disk": "d", "apiKey": "hidden"})
    run = started.json
    assert (started.status, run["status"], run["isTest"]) == (200, "pending", False)
    refused = await party.send("POST", f"{place}/actions/trigger", {})
    assert (refused.status, refused.json["execution"]) == (409, run)
    clock.advance(31)
    half = await party.get(f"{place}/runs/{run['id']}")
    assert half["status"] == "running" and [node["status"] for node in half["nodes"]] == ["complete", "in-progress"]
    assert (
        half["nodes"][0]["output"]["value"] == [{"disk": "d", "apiKey": REDACTED}]
        and half["nodes"][1]["output"] is None
    )
    clock.advance(30)
    done = await party.get(f"{place}/runs/{run['id']}")
    assert done["status"] == "complete" and "endTime" in done
    # Only action nodes record their input.
    assert [node["input"] is None for node in done["nodes"]] == [True, False]
    listed = (await party.get(f"{place}/runs", mode="standard"))["items"]
    assert listed[0]["id"] == run["id"] and await party.walk(f"{place}/runs", "items", 1) == listed
    assert [item["triggeredBy"] for item in listed[1:]] == ["webhook"], "one run is part of the initial data"
    assert (await party.get(f"{place}/runs", mode="test"))["items"] == []
    refused = await party.send("GET", f"{place}/runs", mode="all")
    assert (refused.status, refused.json["details"][0]["field"]) == (400, "mode")
    assert (await party.send("GET", f"{place}/runs/{run['id']}", who=GLOBEX)).status == 404


async def test_draft_is_tested_until_someone_stops_it(party: Party, clock: Clock) -> None:
    place = f"{PATH}/{await flow_with(party, None)}"
    assert (await party.send("POST", f"{place}/actions/trigger", {})).json["code"] == "flow_not_published"
    checked = await party.send("POST", f"{place}/actions/test-run", headers=KEY, dryRun="true")
    assert (checked.status, checked.json) == (200, {"valid": True})
    assert (await party.get(f"{place}/runs"))["items"] == []
    started = await party.send("POST", f"{place}/actions/test-run", headers=KEY)
    run = started.json
    assert started.status == 202 and started.headers["Location"].endswith(f"{place}/runs/{run['id']}") and run["isTest"]
    assert (await party.send("POST", f"{place}/actions/test-run", headers=KEY)).json == run
    other = await party.send("POST", f"{place}/actions/test-run", headers={"Idempotency-Key": "other"})
    assert (other.status, other.json["code"]) == (409, "conflict")
    clock.advance(3_600)
    waiting = await party.get(f"{place}/runs/{run['id']}")
    assert waiting["status"] == waiting["nodes"][-1]["status"] == "pending-approval"
    stopped = await party.send("POST", f"{place}/actions/stop")
    assert (stopped.status, stopped.json["status"]) == (200, "stopped")
    assert (await party.send("POST", f"{place}/actions/stop")).status == 409
    assert (await party.get(f"{place}/runs/{run['id']}"))["nodes"][-1]["status"] == "stopped"
    flow = next(item for item in (await party.get(PATH))["items"] if item["triggerType"] is None)
    assert flow["lastExecutedTime"] is None, "test runs are not in the history"


async def test_every_node_that_cannot_run_is_named(party: Party) -> None:
    nodes = [
        {"key": "a", "name": "A", "type": "codeNode", "parameters": {}},
        {"key": "b", "name": "B", "type": "actionNode", "parameters": {}},
    ]
    flow = {"key": "f", "name": "F", "firstNode": "a", "nodes": nodes}
    bundle = {"kind": "cloudflow.doit.com/FlowBundle", "schemaVersion": 1, "rootFlow": "f", "flows": [flow]}
    made = await party.send("POST", f"{PATH}/actions/import", {"bundle": bundle}, headers=KEY)
    place = f"{PATH}/{made.json['flows'][0]['id']}"
    for query in ({"dryRun": "true"}, {}):
        answer = await party.send("POST", f"{place}/actions/test-run", headers=KEY, **query)
        assert answer.status == 422 and [item["nodeId"] for item in answer.json["details"]] == ["a", "b"]


@pytest.mark.parametrize("size", [10, 2 * MAX_PAYLOAD_BYTES])
async def test_large_payloads_are_dropped(party: Party, clock: Clock, size: int) -> None:
    place = f"{PATH}/{await flow_with(party, 'webhook')}"
    run = (await party.send("POST", f"{place}/actions/trigger", {"text": "x" * size})).json
    clock.advance(61)
    output = (await party.get(f"{place}/runs/{run['id']}"))["nodes"][0]["output"]
    assert output["truncated"] == (size > MAX_PAYLOAD_BYTES) and output["totalBytes"] > size
    assert len(output["value"]) == (not output["truncated"])
