"""CloudFlow connections to clouds."""

from __future__ import annotations

from ..conftest import Clock
from .conftest import ADMIN, GLOBEX, Party

PATH = "/cloudflow/v1/connections"


async def test_connection_lifecycle(party: Party, clock: Clock) -> None:
    before = await party.get(PATH)
    answer = await party.send("POST", PATH, {"name": "Mine", "gcpConfig": {"projectId": "p", "level": "project"}})
    connection = answer.json
    assert answer.status == 201 and connection["collaborators"] == [{"email": ADMIN.email, "role": "owner"}]
    item = f"{PATH}/{connection['connectionId']}"
    assert (await party.get(PATH))["items"] == [connection, *before["items"]] == await party.walk(PATH, "items", 1)
    clock.advance(1)
    changed = (await party.send("PATCH", item, {"enabled": False})).json
    later = {"enabled": False, "status": "disabled", "updatedAt": "2026-11-24T12:00:01Z"}
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
    assert "maxResults" in await party.expect_error(400, "GET", PATH, maxResults=101)
