"""Roles: custom roles are created, changed and deleted; presets stay."""

from __future__ import annotations

from typing import Any

from doit_mcp.sandbox.accounts import ACME

from .conftest import ADMIN, VIEWER, Party

PATH = "/iam/v1/roles"


async def make_role(party: Party, key: str = "one", status: int = 201, **body: Any) -> Any:
    """The response to a request with this idempotency key."""
    role = {"name": "Mine", "permissions": ["costs.read"], **body}
    answer = await party.send("POST", PATH, role, headers={"Idempotency-Key": key} if key else {})
    assert answer.status == status, answer
    return answer.json


async def test_role_lifecycle(party: Party) -> None:
    role = await make_role(party)
    assert (role["type"], role["customer"], role["description"]) == ("custom", ACME.id, "")
    assert await make_role(party) == role, "a repeated request gets the same response"
    path = f"{PATH}/{role['id']}"
    assert await party.get(path, VIEWER) == role and role in (await party.get(PATH))["roles"]
    changed = (await party.send("PATCH", path, {"permissions": [], "description": "x"})).json
    assert changed == {**role, "permissions": [], "description": "x"} == await party.get(path)
    user = (await party.get("/iam/v1/users", email=ADMIN.email))["users"][0]
    await party.send("PATCH", f"/iam/v1/users/{user['id']}", {"roleId": role["id"]})
    assert "assigned" in await party.expect_error(409, "DELETE", path)
    await party.send("PATCH", f"/iam/v1/users/{user['id']}", {"roleId": user["roleId"]})
    assert (await party.send("DELETE", path)).status == 204
    assert "not found" in await party.expect_error(404, "GET", path)


async def test_errors_name_the_problem(party: Party) -> None:
    role = await make_role(party)
    path = f"{PATH}/{role['id']}"
    assert "white space" in (await make_role(party, "two", 400, name=" Mine"))["error"]
    assert "permissions" in (await make_role(party, "two", 400, permissions=["CloudAnalyticsAdmin"]))["error"]
    assert "exists" in (await make_role(party, "two", 409, name="Billing admin"))["error"]
    assert "Idempotency-Key" in (await make_role(party, "", 400))["error"]
    assert "another request" in (await make_role(party, "one", 422, name="Other"))["detail"]
    assert "white space" in await party.expect_error(400, "PATCH", path, {"name": "Mine "})
    assert "no changes" in await party.expect_error(400, "PATCH", path, {})
    preset = f"{PATH}/{(await party.get(PATH))['roles'][0]['id']}"
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
        assert "preset" in await party.expect_error(400, method, preset, body)
    assert await party.expect_error(403, "DELETE", path, who=VIEWER)
