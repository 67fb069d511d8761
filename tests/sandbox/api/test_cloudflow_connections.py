"""CloudFlow connections to clouds."""

from __future__ import annotations

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
    assert "required" in await party.expect_error(400, "POST", PATH, {"name": "x"})
    assert (await party.send("POST", PATH, {"name": "x"}, headers=KEY)).status == 201
    assert "another request" in await party.expect_error(422, "POST", PATH, {"name": "y"}, headers=KEY)
    item = f"{PATH}/{used['connectionId']}"
    assert "required" in await party.expect_error(428, "PATCH", item, {"enabled": False})
    assert "changed" in await party.expect_error(412, "PATCH", item, {"enabled": False}, headers={"If-Match": '"x"'})
    assert (await party.send("PATCH", item, {}, headers={"If-Match": f"W/{used['etag']}"})).status == 200
    assert "maxResults" in await party.expect_error(400, "GET", PATH, maxResults=101)
