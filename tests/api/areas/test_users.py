"""Users, Roles and Organizations: requests; invitations have idempotency keys."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import AREAS
from doit_mcp.api.operation import Request

from .calling import capture_request

PATH = "/iam/v1/users"
EVERYTHING = {
    **{"firstName": "A", "lastName": "B", "jobTitle": "Founder", "jobFunction": "Management", "phone": "+44"},
    **{"phoneExtension": "12345678", "language": "ja", "roleId": "r"},
}


@pytest.mark.parametrize(
    ("area", "name", "arguments", "request_"),
    [
        ("users", "list_users", {}, Request("GET", PATH, {}, None)),
        ("users", "list_users", {"email": "a+b@c.example"}, Request("GET", PATH, {"email": "a+b@c.example"}, None)),
        ("users", "update_user", {"id": "u/1", **EVERYTHING}, Request("PATCH", f"{PATH}/u%2F1", {}, EVERYTHING)),
        ("users", "delete_user", {"id": "u"}, Request("DELETE", f"{PATH}/u", {}, None)),
        (
            "users",
            "invite_user",
            {"email": "a@b.example", "roleId": "r", "organizationId": "o", "firstName": "A"},
            Request(
                "POST",
                f"{PATH}/invite",
                {},
                {"email": "a@b.example", "roleId": "r", "organizationId": "o", "firstName": "A"},
            ),
        ),
        ("users", "resend_invite", {"id": "u"}, Request("POST", f"{PATH}/u/actions/resend", {}, None)),
        (
            "users",
            "cancel_invite",
            {"id": "u", "dryRun": True},
            Request("POST", f"{PATH}/u/actions/cancel", {"dryRun": "true"}, None),
        ),
        ("roles", "list_roles", {}, Request("GET", "/iam/v1/roles", {}, None)),
        ("organizations", "list_organizations", {}, Request("GET", "/iam/v1/organizations", {}, None)),
    ],
)
async def test_requests(area: str, name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request(area, name, arguments) == request_


def test_idempotency_keys_are_sent_where_the_api_requires_them() -> None:
    rows = {operation.name: operation for operation in AREAS["users"].operations}
    assert {name for name, row in rows.items() if row.needs_idempotency_key} == {"resend_invite", "cancel_invite"}
    assert {name for name, row in rows.items() if row.open_world} == {"invite_user", "resend_invite"}
    # A new email invalidates the links in earlier ones.
    assert {name for name, row in rows.items() if row.destructive} == {"resend_invite", "cancel_invite"}
