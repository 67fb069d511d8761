"""Questions about access: who gets or loses it, to what, and whether it can be given again."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.writes.change_context import ChangeContext
from doit_mcp.catalog.writes.preview import preview_digest
from doit_mcp.catalog.writes.related_objects import find_related
from doit_mcp.catalog.writes.snapshot import Snapshot
from doit_mcp.catalog.writes.state_reader import find_reader
from tests.api.recorder import Recorder

from ..caller import TOOLS
from .confirming import ConfirmingCaller, run

GROUP = {"id": "cg_1", "name": "Partners", "memberCustomerIds": ["c1"]}
USERS = {
    "users": [
        {"id": "d4F", "displayName": "Ann Lee", "email": "ann@acme.example"},
        {"id": "x", "email": "x@acme.example"},
    ]
}
ACCOUNT = {"id": "sa_1", "name": "CI robot", "permissions": ["cloudAnalytics", "usersManager"]}
MEMBER = {"customerGroupId": "cg_1", "userId": "d4F"}
CANNOT_BE_UNDONE = "This cannot be undone."


async def question(name: str, *answers: Any, **arguments: Any) -> str:
    caller = ConfirmingCaller(Recorder(*answers), "decline")
    with pytest.raises(Exception, match="Nothing was changed"):
        await run(name, caller, **arguments)
    return caller.text


async def test_assignment_names_the_user_and_says_that_it_gives_access() -> None:
    text = await question("assign_customer_group_user", GROUP, USERS, **MEMBER)
    assert "\nThis gives access to the data of all customers of the group" in text
    assert "- name: Partners\n- user.email: ann@acme.example\n- user.displayName: Ann Lee\n" in text


async def test_removal_names_the_user_and_does_not_claim_to_be_final() -> None:
    text = await question("unassign_customer_group_user", GROUP, USERS, **MEMBER)
    assert (
        CANNOT_BE_UNDONE not in text
        and "You can restore it by assigning the user again." in text
        and "ann@acme.example" in text
    )


@pytest.mark.parametrize("users", [{"users": []}, ApiError("no", kind="unavailable", status=503)])
async def test_unknown_users_are_named_as_unknown(users: Any) -> None:
    text = await question("assign_customer_group_user", GROUP, users, **MEMBER)
    assert "- user: no name could be read for this id\n" in text


async def test_new_token_shows_the_account_and_the_permissions_that_it_keeps() -> None:
    tool = next(tool for tool in direct_tools() if tool.name == "create_service_account_token")
    caller = ConfirmingCaller(Recorder(ACCOUNT))
    read = find_related(tool, TOOLS)
    assert read is not None
    related = await read(caller, {"serviceAccountId": "sa_1", "name": "deploy"})
    assert related == {"serviceAccountId": ACCOUNT}


async def test_token_changes_show_the_account() -> None:
    token = {"id": "t1", "name": "deploy", "state": "active"}
    text = await question(
        "update_service_account_token", token, ACCOUNT, serviceAccountId="sa_1", id="t1", tokenState="disabled"
    )
    assert '- serviceAccount.name: CI robot\n- serviceAccount.permissions: ["cloudAnalytics","usersManager"]\n' in text


async def test_scope_deletion_does_not_claim_to_be_final() -> None:
    for name, arguments in (
        ("delete_customer_geographic_scope", {"targetCustomerId": "c1"}),
        ("delete_user_geographic_scope", {"targetCustomerId": "c1", "userId": "d4F"}),
    ):
        text = await question(name, {"type": "global"}, USERS, **arguments)
        assert CANNOT_BE_UNDONE not in text and "It can be set again." in text
        assert ("ann@acme.example" in text) == ("userId" in arguments)
    assert CANNOT_BE_UNDONE not in await question("delete_customer_group", GROUP, customerGroupId="cg_1")


def test_another_name_for_an_id_makes_another_question() -> None:
    tool = TOOLS["assign_customer_group_user"]
    one, same, other = (
        preview_digest(tool, MEMBER, Snapshot(GROUP, context=ChangeContext({"userId": user})))
        for user in (USERS["users"][0], {**USERS["users"][0], "lastLogin": 1}, USERS["users"][1])
    )
    assert one == same != other


def test_related_objects_are_read_by_tools_that_read() -> None:
    tools = [tool for tool in direct_tools() if "also_shows" in tool.facts]
    assert len(tools) >= 7
    for tool in tools:
        assert tool.facts["also_shows"].keys() <= tool.input_schema["properties"].keys(), tool.name
        assert find_related(tool, TOOLS) is not None and find_reader(tool, TOOLS) is not None or "create" in tool.name
