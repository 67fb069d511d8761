"""Bundles of CloudFlow flows: exporting them, and importing them as drafts."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Party
from .test_cloudflow import PATH, flow_with

KEY = {"Idempotency-Key": "k"}
IMPORT = f"{PATH}/actions/import"


async def export(party: Party, trigger: str | None = None) -> Any:
    """The bundle of the flow with this trigger."""
    return await party.get(f"{PATH}/{await flow_with(party, trigger)}/export")


async def test_exported_flow_can_be_imported(party: Party) -> None:
    bundle = await export(party)
    before = (await party.get(PATH))["items"]
    plan = (await party.send("POST", IMPORT, {"bundle": bundle}, headers=KEY, dryRun="true")).json
    assert plan["valid"] and plan["flowsToCreate"][0]["incompleteNodeCount"] == 2
    (need,) = plan["requirements"]
    assert (need["key"], need["resolution"]) == ("aws", "suggested") and need["candidates"]
    assert (await party.get(PATH))["items"] == before
    body = {
        "bundle": bundle,
        "bindings": {"connections": {"aws": need["candidates"][0]["id"]}},
        "options": {"namePrefix": "Copy of "},
    }
    bound = (await party.send("POST", IMPORT, body, headers=KEY, dryRun="true")).json
    assert bound["requirements"][0]["resolution"] == "bound" and not bound["flowsToCreate"][0]["incompleteNodeCount"]
    made = await party.send("POST", IMPORT, body, headers=KEY)
    (flow,) = made.json["flows"]
    assert (made.status, flow["status"], flow["incompleteNodes"]) == (201, "draft", [])
    assert (await party.send("POST", IMPORT, body, headers=KEY)).json == made.json
    copied = await party.get(f"{PATH}/{flow['id']}/export")
    assert copied["flows"][0] == {**bundle["flows"][0], "name": f"Copy of {bundle['flows'][0]['name']}"}


async def test_unbound_connections_leave_nodes_incomplete(party: Party) -> None:
    made = (await party.send("POST", IMPORT, {"bundle": await export(party)}, headers=KEY)).json["flows"][0]
    assert {node["reason"] for node in made["incompleteNodes"]} == {"connection_cleared"}
    answer = await party.send("POST", f"{PATH}/{made['id']}/actions/test-run", headers=KEY, dryRun="true")
    assert answer.status == 422 and len(answer.json["details"]) == len(made["incompleteNodes"])


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"kind": "x", "schemaVersion": 2}, ["bundle_schema_invalid", "bundle_version_unsupported"]),
        ({"rootFlow": "nothing"}, ["bundle_schema_invalid"]),
        ({"flows": []}, ["bundle_schema_invalid"]),
    ],
)
async def test_all_errors_are_planned(party: Party, changes: Any, codes: list[str]) -> None:
    bundle = await export(party) | changes
    plan = (await party.send("POST", IMPORT, {"bundle": bundle}, headers=KEY, dryRun="true")).json
    assert not plan["valid"] and [error["code"] for error in plan["errors"]] == codes
    assert codes[0] in await party.expect_error(422, "POST", IMPORT, {"bundle": bundle}, headers=KEY)


async def test_bindings_are_checked(party: Party) -> None:
    bundle = await export(party)
    connection = (await party.get("/cloudflow/v1/connections"))["items"][0]["connectionId"]
    for bindings, code in (({"aws": "nothing"}, "binding_not_found"), ({"other": connection}, "binding_not_found")):
        body = {"bundle": bundle, "bindings": {"connections": bindings}}
        assert code in await party.expect_error(422, "POST", IMPORT, body, headers=KEY)
    gcp = {"name": "G", "gcpConfig": {}}
    made = (await party.send("POST", "/cloudflow/v1/connections", gcp, headers=KEY)).json["connectionId"]
    body = {"bundle": bundle, "bindings": {"connections": {"aws": made}}}
    assert "provider_mismatch" in await party.expect_error(422, "POST", IMPORT, body, headers=KEY)
