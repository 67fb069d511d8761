"""Customer groups: members of the hierarchy, assigned users, and errors as problem details."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.sandbox.accounts import ACME, GLOBEX, UMBRA
from doit_mcp.sandbox.api.faults import Fault

from .conftest import ADMIN, VIEWER, Party

PATH = "/rbac/v1/customer-groups"


async def fail(party: Party, status: int, method: str, path: str, body: object = None, **options: Any) -> str:
    """The explanation in the problem details of an error with this *status*."""
    answer = await party.send(method, path, body, **options)
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json" and answer.headers["Request-Id"], answer
    detail: str = answer.json["detail"]
    return detail


async def make_group(party: Party, name: str = "Mine") -> str:
    """The path of a new group."""
    answer = await party.send("POST", PATH, {"name": name, "memberCustomerIds": [ACME.id, GLOBEX.id]})
    assert answer.status == 201, answer
    return f"{PATH}/{answer.json['id']}"


async def user_id(party: Party) -> str:
    """The id of the administrator."""
    identifier: str = (await party.get("/iam/v1/users", email=ADMIN.email))["users"][0]["id"]
    return identifier


async def test_group_lifecycle(party: Party) -> None:
    path = await make_group(party)
    group = await party.get(path)
    assert (group["name"], group["createdBy"], group["customerId"]) == ("Mine", ADMIN.email, ACME.id)
    assert group in (await party.get(PATH))["customerGroups"]
    changed = (await party.send("PATCH", path, {"memberCustomerIds": [ACME.id]})).json
    assert (changed["memberCustomerIds"], changed["name"]) == ([ACME.id], "Mine")
    user = await user_id(party)
    for _ in range(2):
        assert (await party.send("PUT", f"{path}/users/{user}")).status == 204
    assert (await party.get(f"{path}/users"))["users"] == [{"userId": user}]
    assert "assigned" in await fail(party, 409, "DELETE", path)
    for _ in range(2):
        assert (await party.send("DELETE", f"{path}/users/{user}")).status == 204
    assert (await party.get(f"{path}/users"))["users"] == []
    assert (await party.send("DELETE", path)).status == 204
    assert "not found" in await fail(party, 404, "GET", path)


async def test_user_groups_are_assigned(party: Party) -> None:
    partners = (await party.get(PATH))["customerGroups"][0]
    path = f"{PATH}/{partners['id']}"
    rows = (await party.get(f"{path}/user-groups"))["userGroups"]
    user_group = f"{path}/user-groups/{rows[0]['userGroupId']}"
    assert "assigned" in await fail(party, 409, "DELETE", path)
    assert (await party.send("DELETE", user_group)).status == 204
    assert (await party.get(f"{path}/user-groups"))["userGroups"] == []
    assert (await party.send("PUT", user_group)).status == 204
    assert (await party.get(f"{path}/user-groups"))["userGroups"] == rows
    assert "user group" in await fail(party, 404, "PUT", f"{path}/user-groups/ug_other")


async def test_errors_name_the_problem(party: Party) -> None:
    path = await make_group(party)
    await make_group(party, "Other")
    assert "exists" in await fail(party, 409, "POST", PATH, {"name": "Mine", "memberCustomerIds": [ACME.id]})
    assert "exists" in await fail(party, 409, "PATCH", path, {"name": "Other"})
    assert "customer" in await fail(party, 404, "PATCH", path, {"memberCustomerIds": [UMBRA.id]})
    assert "user" in await fail(party, 404, "PUT", f"{path}/users/nobody")
    for body in ({}, {"memberCustomerIds": []}, {"name": ""}, {"memberCustomerIds": ["a", "a"]}, {"owner": "x"}):
        await fail(party, 400, "PATCH", path, body)
    assert await fail(party, 403, "GET", PATH, who=VIEWER)


@pytest.mark.parametrize("status", [429, 503])
async def test_overload_states_when_to_retry(party: Party, status: int) -> None:
    party.api.faults.append(Fault(PATH, status, retry_after=7))
    answer = await party.send("GET", PATH)
    assert (answer.status, answer.headers["Retry-After"], answer.json["retryable"]) == (status, "7", True)
    assert (await party.send("GET", PATH)).status == 200
