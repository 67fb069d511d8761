"""CloudFlow connections to clouds."""

from __future__ import annotations

from doit_mcp.sandbox.api.responses import JsonObject

from ..conftest import Clock
from .conftest import ADMIN, GLOBEX, Party

PATH = "/cloudflow/v1/connections"
KEY = {"Idempotency-Key": "k"}


async def test_connection_lifecycle(party: Party, clock: Clock) -> None:
    before = await party.get(PATH)
    body = {"name": "Mine", "gcpConfig": {"projectId": "p", "level": "project"}}
    answer = await party.send("POST", PATH, body, headers=KEY)
    assert (await party.send("POST", PATH, body, headers=KEY)).json == answer.json
    connection = answer.json
    assert answer.status == 201 and connection["collaborators"] == [{"email": ADMIN.email, "role": "owner"}]
    item = f"{PATH}/{connection['connectionId']}"
    assert (await party.get(PATH))["items"] == [connection, *before["items"]] == await party.walk(PATH, "items", 1)
    clock.advance(1)
    changed = (await party.send("PATCH", item, {"enabled": False}, headers={"If-Match": connection["etag"]})).json
    later = {"enabled": False, "status": "disabled", "updatedAt": "2026-11-24T12:00:01Z", "etag": changed["etag"]}
    assert changed["etag"] != connection["etag"]
    assert changed == {**connection, **later} == await party.get(item)
    assert "not found" in await party.expect_error(404, "GET", item, who=GLOBEX)
    assert (await party.send("DELETE", item)).status == 204
    assert await party.get(PATH) == before
    for method in ("GET", "PATCH", "DELETE"):
        assert "not found" in await party.expect_error(404, method, item, {})


async def test_rejected_requests(party: Party) -> None:
    used = next(item for item in (await party.get(PATH))["items"] if item["enabled"])
    answer = await party.send("DELETE", f"{PATH}/{used['connectionId']}")
    assert (answer.status, answer.json["code"]) == (409, "connection_in_use")
    assert "name" in await party.expect_error(400, "POST", PATH, {})
    assert "level" in await party.expect_error(400, "POST", PATH, {"name": "x", "gcpConfig": {"level": "moon"}})
    aws: JsonObject = {"name": "x", "awsConfig": {}}
    assert "Idempotency-Key" in await party.expect_error(400, "POST", PATH, aws)
    for both in ({"name": "x"}, aws | {"gcpConfig": {}}):
        assert "exactly one" in await party.expect_error(400, "POST", PATH, both, headers=KEY)
    assert (await party.send("POST", PATH, aws, headers=KEY)).status == 201
    reused = await party.send("POST", PATH, aws | {"name": "y"}, headers=KEY)
    assert (reused.status, reused.json["code"]) == (422, "idempotency_key_reused")
    item = f"{PATH}/{used['connectionId']}"
    for headers, status, code in (
        ({}, 428, "precondition_required"),
        ({"If-Match": '"x"'}, 412, "precondition_failed"),
    ):
        refused = await party.send("PATCH", item, {"enabled": False}, headers=headers)
        assert (refused.status, refused.json["code"]) == (status, code)
    weak = {"If-Match": f"W/{used['etag']}"}
    assert "at most one" in await party.expect_error(
        400, "PATCH", item, {"awsConfig": {}, "gcpConfig": {}}, headers=weak
    )
    assert (await party.send("PATCH", item, {}, headers=weak)).status == 200
    assert "maxResults" in await party.expect_error(400, "GET", PATH, maxResults=101)


async def test_objects_and_lists_replace_the_stored_ones(party: Party) -> None:
    item = f"{PATH}/{(await party.get(PATH))['items'][0]['connectionId']}"
    for changes in ({"awsConfig": {"managementAccount": "123456789012"}}, {"collaborators": []}, {"description": "x"}):
        before = await party.get(item)
        changed = (await party.send("PATCH", item, changes, headers={"If-Match": before["etag"]})).json
        kept = before.keys() - {*changes, "etag", "updatedAt"}
        assert {name: changed[name] for name in changes} == changes
        assert {name: changed[name] for name in kept} == {name: before[name] for name in kept}


async def test_page_tokens_live_five_minutes(party: Party, clock: Clock) -> None:
    token = (await party.get(PATH, maxResults=1))["pageToken"]
    clock.advance(300)
    assert len((await party.get(PATH, maxResults=1, pageToken=token))["items"]) == 1
    clock.advance(1)
    assert "expired" in await party.expect_error(400, "GET", PATH, maxResults=1, pageToken=token)


async def test_keys_belong_to_a_path(party: Party) -> None:
    body = {"name": "Mine", "awsConfig": {}}
    first = (await party.send("POST", PATH, body, headers=KEY, dryRun="false")).json
    assert (await party.send("POST", PATH, body, headers=KEY)).json == first
    assert (await party.send("POST", "/iam/v1/users/x/actions/resend", {}, headers=KEY)).status == 404
