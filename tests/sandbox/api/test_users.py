"""Users, roles, organizations, and the customer."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.sandbox.accounts import ACME, CUSTOMERS
from doit_mcp.sandbox.accounts import GLOBEX as GLOBEX_CUSTOMER

from ..conftest import Clock
from .conftest import ADMIN, GLOBEX, VIEWER, Party

USERS = "/iam/v1/users"
CUSTOMER = f"/customers/v1/customers/{ACME.id}"
PATCH = {"Content-Type": "application/merge-patch+json"}


async def invite(party: Party, email: str = "new@acme.example", **body: object) -> Any:
    """The user created by an invitation."""
    answer = await party.send("POST", f"{USERS}/invite", {"email": email, **body})
    assert answer.status == 201, answer
    return answer.json["user"]


async def test_user_lifecycle(party: Party) -> None:
    before = await party.get(USERS)
    assert {ADMIN.email, VIEWER.email} <= {item["email"] for item in before["users"]}
    roles = {item["id"] for item in (await party.get("/iam/v1/roles"))["roles"]}
    organizations = [item["id"] for item in (await party.get("/iam/v1/organizations"))["organizations"]]
    assert all(item["roleId"] in roles and item["organizationId"] in organizations for item in before["users"])
    invited = await invite(party, firstName="New", lastName="Comer", organizationId=organizations[1])
    assert (invited["status"], invited["displayName"], invited["organizationId"]) == (
        "invited",
        "New Comer",
        organizations[1],
    )
    users = await party.get(USERS, email="NEW@acme.example")
    assert (users["rowCount"], users["users"][0]["id"]) == (1, invited["id"])
    body = {
        "lastName": "Name",
        "firstName": "",
        "jobFunction": "Founder",
        "phone": "+44",
        "phoneExtension": "12345678",
        "language": "ja",
        "roleId": before["users"][0]["roleId"],
    }
    assert (await party.send("PATCH", f"{USERS}/{invited['id']}", {"language": "en"})).json["user"]["language"] == "en"
    changed = (await party.send("PATCH", f"{USERS}/{invited['id']}", body)).json["user"]
    assert changed["displayName"] == "New Name" and changed["jobTitle"] == "Founder" and changed["phone"] == "+44"
    assert (await party.get(USERS, email=invited["email"]))["users"] == [{**changed, "status": "invited"}]
    assert (await party.send("DELETE", f"{USERS}/{invited['id']}")).status == 200
    for method, payload in (("DELETE", None), ("PATCH", {})):
        assert "not found" in await party.expect_error(400, method, f"{USERS}/{invited['id']}", payload)
    assert await party.get(USERS) == before
    assert (await party.get(USERS, email="nobody@acme.example")) == {"users": [], "rowCount": 0}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": "x"}, "email"),
        ({"email": ADMIN.email.upper()}, "email"),
        ({"roleId": "x"}, "roleId"),
        ({"organizationId": "x"}, "organizationId"),
        ({"jobTitle": "x"}, "jobTitle"),
        ({"phone": "+44"}, "phone"),
    ],
)
async def test_invitation_validation_errors_name_the_field(party: Party, body: Any, field: str) -> None:
    body_sent = {"email": "new@acme.example", **body} if body else {}
    assert field in await party.expect_error(400, "POST", f"{USERS}/invite", body_sent)


async def test_users_cannot_delete_themselves(party: Party) -> None:
    user_id = (await party.get(USERS, email=ADMIN.email))["users"][0]["id"]
    assert "yourself" in await party.expect_error(400, "DELETE", f"{USERS}/{user_id}")
    for body, field in (
        ({"phone": "44"}, "phone"),
        ({"phoneExtension": "1"}, "phoneExtension"),
        ({"email": "x"}, "email"),
        ({"roleId": "nothing"}, "roleId"),
        ({"organizationId": "x"}, "organizationId"),
    ):
        assert field in await party.expect_error(400, "PATCH", f"{USERS}/{user_id}", body)


async def test_invitations_are_resent_and_canceled(party: Party, clock: Clock) -> None:
    path = f"{USERS}/{(await invite(party))['id']}/actions"

    async def act(action: str, key: str = "", status: int = 200, **query: object) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        answer = await party.send("POST", f"{path}/{action}", {}, headers=headers, **query)
        assert answer.status == status, answer
        return answer.json

    for action in ("resend", "cancel"):
        for key in ("", "x" * 256):
            assert "Idempotency-Key" in (await act(action, key, 400))["error"]
    for action in ("resend", "cancel"):
        await act(action, "one", dryRun="true")
    first = await act("cancel", "two")
    assert first == await act("cancel", "two"), "a repeated request gets the same response"
    assert "canceled" in (await act("cancel", "three", 409))["error"]
    assert "another request" in (await act("resend", "two", 400))["error"]
    assert (await act("resend", "four"))["inviteId"] == first["inviteId"]
    assert await act("cancel", "five") == first, "the invitation was open again"
    clock.advance(24 * 3600)
    assert (await act("resend", "two"))["inviteId"] == first["inviteId"], "keys are forgotten after a day"
    active = (await party.get(USERS, email=VIEWER.email))["users"][0]["id"]
    for identifier in (active, "nothing"):
        for action in ("resend", "cancel"):
            headers = {"Idempotency-Key": "six"}
            answer = await party.send("POST", f"{USERS}/{identifier}/actions/{action}", headers=headers)
            assert answer.status == 404


async def change(party: Party, body: Any, status: int = 200, **options: Any) -> Any:
    """The response to an update of the customer."""
    answer = await party.send("PATCH", CUSTOMER, body, headers=PATCH, **options)
    assert answer.status == status, answer
    return answer.body if status == 200 else answer.json["error"]


async def test_customer_is_updated_by_merge_patch(party: Party) -> None:
    before = await party.get(CUSTOMER)
    assert (before["id"], before["primaryDomain"], before["urlSlug"]) == (ACME.id, ACME.domain, "acme")
    body = {"settings": {"currency": "EUR", "mfaRequired": None}, "contact": {"emails": []}, "urlSlug": None}
    assert await change(party, body) == b""
    after = await party.get(CUSTOMER)
    assert after == {**before, "settings": {**before["settings"], "currency": "EUR"}, "contact": {"emails": []}}
    await change(party, {"settings": None, "contact": None})
    assert await party.get(CUSTOMER) == after
    assert "merge-patch" in await party.expect_error(415, "PATCH", CUSTOMER, {})
    assert await change(party, {"settings": {"allowedInviteDomains": []}, "urlSlug": "acme"}) == b""
    customer = await party.get(CUSTOMER)
    assert customer == {**after, "settings": {**after["settings"], "allowedInviteDomains": []}}
    for wrong, field in (
        ({"settings": {"currency": "XXX"}}, "settings.currency"),
        ({"urlSlug": "No"}, "urlSlug"),
        ({"urlSlug": "-abc"}, "urlSlug"),
        ({"contact": {"emails": ["x"]}}, "contact.emails"),
        ({"name": "x"}, "name"),
    ):
        assert field in await change(party, wrong, 400)
    for method, path in (("GET", CUSTOMER), ("PATCH", CUSTOMER)):
        assert await party.expect_error(403, method, path, {}, who=GLOBEX, headers=PATCH)
    assert await party.expect_error(403, "GET", CUSTOMER, who=VIEWER)


async def test_slugs_are_unique(party: Party) -> None:
    assert "another" in await change(party, {"urlSlug": "globex"}, 409)
    await change(party, {"urlSlug": "rockets"})
    other = f"/customers/v1/customers/{GLOBEX_CUSTOMER.id}"
    for slug in ("rockets", "acme"):
        assert "another" in await party.expect_error(409, "PATCH", other, {"urlSlug": slug}, who=GLOBEX, headers=PATCH)
    assert "id" in await change(party, {"urlSlug": CUSTOMERS[1].id.lower()}, 409)
    await change(party, {"urlSlug": ""})
    assert "urlSlug" not in await party.get(CUSTOMER)
    await change(party, {"urlSlug": "acme"})
    assert (await party.get(CUSTOMER))["urlSlug"] == "acme"
    for number in range(4):
        await change(party, {"urlSlug": f"slug-{number}"})
    assert "former" in await change(party, {"urlSlug": "slug-9"}, 422)


async def test_account_team(party: Party) -> None:
    managers = (await party.get("/customers/v1/accountTeam", VIEWER))["accountManagers"]
    assert managers and all(item["email"].endswith("@doit.example") and item["id"] for item in managers)
