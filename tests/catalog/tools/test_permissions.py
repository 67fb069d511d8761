"""A 403 names the permission where the API's document does, and validate_user the tools that lack one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError, explain
from doit_mcp.api.permissions import USERS_MANAGER, Permission
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.tools.permissions import find_refused_tools, with_permission_hint, with_refused_tools
from doit_mcp.catalog.tools.tool import ContentResult
from tests.api.recorder import Recorder

from ..caller import Caller
from ..test_registry import minimal_arguments

NAMED = {tool.name: tool for tool in direct_tools()}
NEEDING = sorted(name for name, tool in NAMED.items() if tool.facts.get("permission"))


async def explained_error(name: str, error: ApiError) -> ApiError:
    # Each failure is an error of its own: an update also reads the former state.
    api = Recorder(lambda request: ApiError(error.reason, kind=error.kind, status=error.status))
    api.tenant = "customer"
    with pytest.raises(ApiError) as caught:
        await NAMED[name].run(Caller(api), minimal_arguments(NAMED[name]))
    return caught.value


@pytest.mark.parametrize("name", NEEDING)
async def test_forbidden_error_names_the_required_permission(name: str) -> None:
    error = await explained_error(name, ApiError("", kind="forbidden", status=403))
    message = explain(error, name)
    permission = NAMED[name].facts["permission"]
    assert f"Could not run {name} (HTTP 403): this requires the permission {permission}. " in message
    assert "The signed-in user lacks" in message


@pytest.mark.parametrize(
    "error",
    [
        ApiError("it is another customer's", kind="forbidden", status=403),
        ApiError("", kind="missing", status=404),
        ApiError("", kind="credential", status=401),
    ],
)
async def test_other_errors_are_unchanged(error: Any) -> None:
    reason = error.reason
    assert (await explained_error("get_customer", error)).reason == reason


def test_permission_comes_from_the_declaration() -> None:
    assert NAMED["update_customer"].facts["permission"].name == "Settings" and len(NEEDING) >= 20
    assert all(NAMED[name].facts.get("permission") for name, tool in NAMED.items() if tool.area.startswith("contract"))
    assert with_permission_hint(NAMED["list_budgets"]) is NAMED["list_budgets"]


@pytest.mark.parametrize(
    ("names", "granted"),
    [
        (["UsersManager", "Settings"], True),
        (["usersManager"], True),
        (["Settings"], False),
        (["users manager", "9Xk2"], None),
        (["kRrvhVnYHcOLJwjKbN4R", "Settings"], False),
        ([], None),
    ],
)
def test_names_of_permissions(names: list[str], granted: bool | None) -> None:
    """The ids of permissions in roles say nothing."""
    assert USERS_MANAGER.is_granted(names) is granted
    assert Permission("an unnamed one").is_granted(names) is None


async def validated(*permissions: str) -> dict[str, Any]:
    """The result of validate_user for a user with these permissions."""
    answer = {"domain": "acme.example", "email": "a@acme.example", "permissions": list(permissions)}
    named = {tool.name: tool for tool in with_refused_tools(direct_tools())}
    result = await named["validate_user"].run(Caller(Recorder(answer)), {})
    assert isinstance(result, dict)
    return result


async def test_validate_user_names_the_tools_that_lack_a_permission() -> None:
    result = await validated("Settings", "CloudAnalyticsReadOnly")
    tools = {row["permission"]: set(row["tools"]) for row in result["refusedTools"]}
    assert {"create_role", "assign_customer_group_user"} <= tools["Users Manager"] and "Settings" not in tools
    assert {"list_service_accounts"} <= tools["Service Account Viewer"]
    assert result["permissions"] == ["Settings", "CloudAnalyticsReadOnly"]
    refused, uncertain = find_refused_tools(direct_tools(), ["Settings"])
    assert {row["tool"] for row in refused} == set().union(*tools.values())
    assert {row["tool"] for row in uncertain} >= {"list_contracts"}
    # The list is not complete, and the result does not look as if it were.
    assert "can also refuse other tools" in (note := result["refusedToolsNote"])
    assert uncertain[0]["tool"] in note and len(note) < 150


async def test_nothing_is_refused_if_the_permissions_do_not_say_so() -> None:
    """Those of DoiT employees are empty, and ids are not names."""
    every_name = {permission.name for tool in direct_tools() if (permission := tool.facts.get("permission"))}
    for permissions in ((), ("kRrvhVnYHcOLJwjKbN4R",), every_name):
        result = await validated(*permissions)
        assert "refusedTools" not in result and "can also refuse other tools" in result["refusedToolsNote"]


async def test_only_the_tool_that_identifies_the_account_changes() -> None:
    for before, after in zip(direct_tools(), with_refused_tools(direct_tools()), strict=True):
        assert (before is after) == (before.name != "validate_user")

    async def run(call: object, arguments: object) -> ContentResult:
        return ContentResult([])

    (tool,) = with_refused_tools([replace(NAMED["validate_user"], run=run)])
    assert await tool.run(Caller(Recorder()), {}) == ContentResult([])
