"""Access of a customer's users to shared objects: by their own role, or by that of all users."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doit_mcp.sandbox import accounts
from doit_mcp.sandbox.accounts import User

from ..bodies import ALERT, ALLOCATION, BUDGET
from .conftest import ADMIN, EMPLOYEE, GLOBEX, VIEWER, Party

BODIES: dict[str, Any] = {"alerts": ALERT, "allocations": ALLOCATION, "budgets": BUDGET, "reports": {"name": "Mine"}}
EACH = pytest.mark.parametrize("kind", BODIES)
# Another user with the admin's permissions, so that only sharing restricts access.
COLLEAGUE = replace(
    ADMIN, email="colleague@acme.example", password="acme-colleague", api_token="sandbox-api-token-acme-colleague"
)


@pytest.fixture(autouse=True)
def colleague(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the colleague to the users."""
    monkeypatch.setattr(accounts, "USERS", (*accounts.USERS, COLLEAGUE))


async def create(party: Party, kind: str) -> str:
    """The id of a new object of the admin's."""
    answer = await party.send("POST", f"/analytics/v1/{kind}", BODIES[kind])
    assert answer.status in (200, 201), answer
    object_id: str = answer.json["id"]
    return object_id


async def share(party: Party, kind: str, one: str, public: str = "", **roles: str) -> None:
    """Share with the colleague as a role, and with all users."""
    permissions = [{"user": ADMIN.email, "role": "owner"}]
    permissions += [{"user": COLLEAGUE.email, "role": role} for role in roles.values()]
    answer = await party.send("PUT", f"/sharing/v1/{kind}/{one}", {"permissions": permissions, "public": public})
    assert answer.status == 200, answer


async def rights(party: Party, kind: str, one: str, who: User) -> list[bool]:
    """Whether a user can list an object, read it, read its sharing, and update it."""
    path = f"/analytics/v1/{kind}"
    body = {"config": ALERT["config"]} if kind == "alerts" else {"description": "x"}
    listed = one in {row["id"] for row in (await party.get(path, who))[kind]}
    shared = f"/sharing/v1/{kind}/{one}"
    requests = (("GET", f"{path}/{one}", None), ("GET", shared, None), ("PATCH", f"{path}/{one}", body))
    answers = [await party.send(method, where, payload, who=who) for method, where, payload in requests]
    assert {answer.status for answer in answers} <= {200, 403}
    return [listed, *(answer.status == 200 for answer in answers)]


@EACH
async def test_object_is_private_until_shared(party: Party, kind: str) -> None:
    item = await create(party, kind)
    assert await rights(party, kind, item, ADMIN) == [True] * 4
    assert await rights(party, kind, item, EMPLOYEE) == [True] * 4
    assert await rights(party, kind, item, COLLEAGUE) == [False] * 4
    assert await rights(party, kind, item, VIEWER) == [False] * 4
    for role, expected in (("viewer", [True, True, True, False]), ("editor", [True] * 4)):
        await share(party, kind, item, colleague=role)
        assert await rights(party, kind, item, COLLEAGUE) == expected
        await share(party, kind, item, public=role)
        assert await rights(party, kind, item, COLLEAGUE) == expected
    await share(party, kind, item, public="viewer", colleague="editor")
    assert await rights(party, kind, item, COLLEAGUE) == [True] * 4, "the higher of the two roles"
    assert await rights(party, kind, item, VIEWER) == [True, True, True, False]
    await share(party, kind, item)
    assert await rights(party, kind, item, COLLEAGUE) == [False] * 4


@EACH
async def test_user_without_edit_rights_cannot_delete_or_share(party: Party, kind: str) -> None:
    item = await create(party, kind)
    path = f"/analytics/v1/{kind}/{item}"
    body = {"permissions": [{"user": COLLEAGUE.email, "role": "owner"}], "public": ""}
    for role in ("", "viewer"):
        await share(party, kind, item, public=role)
        for method, where, payload in (("DELETE", path, None), ("PUT", f"/sharing/v1/{kind}/{item}", body)):
            message = await party.expect_error(403, method, where, payload, who=COLLEAGUE)
            assert COLLEAGUE.email in message and f"for this {kind[:-1]}" in message
    await share(party, kind, item, colleague="editor")
    assert (await party.send("PUT", f"/sharing/v1/{kind}/{item}", body, who=COLLEAGUE)).status == 200
    assert await rights(party, kind, item, ADMIN) == [False] * 4, "ownership was transferred"
    assert (await party.send("DELETE", path, who=COLLEAGUE)).status == 200
    assert "not found" in await party.expect_error(404, "GET", path)


@EACH
async def test_seeded_objects_are_visible_to_all(party: Party, kind: str) -> None:
    path = f"/analytics/v1/{kind}"
    items = (await party.get(path))[kind]
    assert items and (await party.get(path, COLLEAGUE))[kind] == items == (await party.get(path, VIEWER))[kind]
    assert "not found" in await party.expect_error(404, "GET", f"{path}/{items[0]['id']}", who=GLOBEX)


async def test_report_requires_access_to_it(party: Party) -> None:
    item = await create(party, "reports")
    for tail in ("", "/config"):
        assert "needs the role viewer" in await party.expect_error(
            403, "GET", f"/analytics/v1/reports/{item}{tail}", who=COLLEAGUE
        )


async def test_conflict_names_the_owner_of_a_hidden_dependent(party: Party) -> None:
    allocation = await create(party, "allocations")
    await share(party, "allocations", allocation, colleague="editor")
    scope = {"type": "allocation_rule", "id": "allocation_rule", "values": [allocation]}
    budget = (await party.send("POST", "/analytics/v1/budgets", {**BUDGET, "scopes": [scope]})).json
    path, reference = f"/analytics/v1/allocations/{allocation}", {"id": budget["id"], "name": budget["name"]}
    for user, more in ((ADMIN, {}), (COLLEAGUE, {"owner": ADMIN.email})):
        answer = await party.send("DELETE", path, who=user)
        assert (answer.status, answer.json[0]["resources"]) == (409, {"budgets": [{**reference, **more}]})
