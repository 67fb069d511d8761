"""Customer groups and roles: requests."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import AREAS
from doit_mcp.api.operation import Request

from .calling import capture_request

PATH, ROLES = "/rbac/v1/customer-groups", "/iam/v1/roles"


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        ("list_customer_groups", {}, Request("GET", PATH, {}, None)),
        ("get_customer_group", {"customerGroupId": "g"}, Request("GET", f"{PATH}/g", {}, None)),
        (
            "create_customer_group",
            {"name": "A", "memberCustomerIds": ["c"]},
            Request("POST", PATH, {}, {"name": "A", "memberCustomerIds": ["c"]}),
        ),
        (
            "update_customer_group",
            {"customerGroupId": "g", "memberCustomerIds": ["d"]},
            Request("PATCH", f"{PATH}/g", {}, {"memberCustomerIds": ["d"]}),
        ),
        ("delete_customer_group", {"customerGroupId": "g"}, Request("DELETE", f"{PATH}/g", {}, None)),
        ("list_customer_group_users", {"customerGroupId": "g"}, Request("GET", f"{PATH}/g/users", {}, None)),
        (
            "assign_customer_group_user",
            {"customerGroupId": "g", "userId": "u/1"},
            Request("PUT", f"{PATH}/g/users/u%2F1", {}, None),
        ),
        (
            "unassign_customer_group_user",
            {"customerGroupId": "g", "userId": "u"},
            Request("DELETE", f"{PATH}/g/users/u", {}, None),
        ),
        (
            "list_customer_group_user_groups",
            {"customerGroupId": "g"},
            Request("GET", f"{PATH}/g/user-groups", {}, None),
        ),
        (
            "assign_customer_group_user_group",
            {"customerGroupId": "g", "userGroupId": "ug_1"},
            Request("PUT", f"{PATH}/g/user-groups/ug_1", {}, None),
        ),
        (
            "unassign_customer_group_user_group",
            {"customerGroupId": "g", "userGroupId": "ug_1"},
            Request("DELETE", f"{PATH}/g/user-groups/ug_1", {}, None),
        ),
    ],
)
async def test_requests(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("customer_groups", name, arguments) == request_


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        ("get_role", {"id": "r/1"}, Request("GET", f"{ROLES}/r%2F1", {}, None)),
        (
            "create_role",
            {"name": "A", "permissions": ["p"]},
            Request("POST", ROLES, {}, {"name": "A", "permissions": ["p"]}),
        ),
        ("update_role", {"id": "r", "permissions": []}, Request("PATCH", f"{ROLES}/r", {}, {"permissions": []})),
        ("delete_role", {"id": "r"}, Request("DELETE", f"{ROLES}/r", {}, None)),
    ],
)
async def test_requests_about_roles(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("roles", name, arguments) == request_


def test_every_change_of_access_asks_the_user() -> None:
    rows = [row for area in ("customer_groups", "geographic_access", "roles") for row in AREAS[area].operations]
    assert all(row.facts.get("confirm") is True for row in rows if not row.read_only)
    assert [row.name for row in rows if row.needs_idempotency_key] == ["create_role"]
