"""Repeated writes that add or remove one member: the list of members shows whether they still hold."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.tools.series import structured_content
from doit_mcp.catalog.writes.deduplication import ALREADY_DONE_KEY
from tests.api.recorder import Recorder
from tests.catalog.caller import Caller

NAMED = {tool.name: tool for tool in direct_tools()}
ARGUMENTS = {"customerGroupId": "g", "userId": "u1"}


@pytest.mark.parametrize(
    ("name", "users", "is_repeated"),
    [
        ("assign_customer_group_user", ["u1", "u2"], False),
        ("assign_customer_group_user", ["u2"], True),
        ("assign_customer_group_user", ["u"], True),
        ("unassign_customer_group_user", ["u2"], False),
        ("unassign_customer_group_user", ["u1"], True),
    ],
)
async def test_a_write_is_repeated_if_another_one_undid_it(name: str, users: list[str], is_repeated: bool) -> None:
    listed = {"customerGroupId": "g", "users": [{"userId": user} for user in users]}

    def answer(request: Any) -> Any:
        return listed if request.method == "GET" else None

    api = Recorder(answer)
    caller = Caller(api)
    await NAMED[name].run(caller, ARGUMENTS)
    result: Any = await NAMED[name].run(caller, ARGUMENTS)
    writes = [request for request in api.requests if request.method != "GET"]
    assert len(writes) == 1 + is_repeated and (ALREADY_DONE_KEY in structured_content(result)) != is_repeated
