"""Results with secrets: the protection of each tool that declares them, and questions without secret arguments."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict, Unpack

import pytest

from doit_mcp.api.markers import SECRET
from doit_mcp.api.operation import Area, post
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.tools.tool import ToolError
from doit_mcp.catalog.tools.tool_factory import tool_from_operation
from doit_mcp.catalog.writes.preview import preview_message
from doit_mcp.catalog.writes.secret_results import has_secrets
from doit_mcp.catalog.writes.snapshot import Snapshot
from doit_mcp.catalog.writes.value_diff import HIDDEN
from doit_mcp.protocol.json_schema import JsonObject
from tests.api.recorder import Recorder
from tests.catalog.caller import TOOLS, Caller
from tests.catalog.examples import objects

SECRET_TOOLS = [tool for tool in direct_tools() if has_secrets(tool)]
EACH = pytest.mark.parametrize("tool", SECRET_TOOLS, ids=lambda tool: tool.name)


class Key(TypedDict, total=False):
    value: str


class Code(TypedDict):
    code: Annotated[str, "As sent by email.", SECRET]


def test_tools_with_secrets() -> None:
    assert {tool.name: tool.facts["secrets"] for tool in SECRET_TOOLS} == {
        "create_service_account_token": ("accessToken",),
        "create_signup_session": ("customToken",),
        "verify_signup_request": ("activationToken",),
    }
    named_like_secrets = {
        tool.name
        for tool in direct_tools()
        for name in (tool.output_schema or {}).get("properties", {})
        if name.endswith(("Token", "secret", "password")) and name != "pageToken"
    }
    assert named_like_secrets == {tool.name for tool in SECRET_TOOLS}


@EACH
async def test_nothing_is_sent_if_the_result_would_be_stored(tool: Any) -> None:
    api = Recorder({})
    caller = Caller(api)
    caller.can_withhold = False
    with pytest.raises(ToolError, match="^Nothing was changed: "):
        await tool.run(caller, next(objects(tool.accepted_schema)))
    assert not api.requests and not caller.committed


@EACH
def test_results_are_stored_nowhere_by_declaration(tool: Any) -> None:
    assert "result_table" not in tool.facts and tool.task_after is None and tool.facts["confirm"] is True


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"secrets": ("key",)}, "its result declares no such member"),
        ({"secrets": ("value",), "result_table": "query"}, "results with secrets are never stored"),
    ],
)
def test_wrong_declarations_are_errors(facts: Any, problem: str) -> None:
    class Keys(Area):
        """Keys."""

        @post("/keys", confirm=True, verify_with=None, open_world=False, **facts)
        async def create_key(self) -> Annotated[JsonObject, Key]: ...

    with pytest.raises(TypeError, match=problem):
        tool_from_operation(Keys.operations[0], "users")


def test_questions_do_not_show_secret_arguments() -> None:
    arguments = {"signupRequestId": f"sr_{'0a' * 16}", "activationToken": "very secret"}
    text = preview_message(TOOLS["create_signup_session"], arguments, Snapshot({"companyName": "Initech"}))
    assert "very secret" not in text and f"activationToken: {HIDDEN}" in text and arguments["signupRequestId"] in text


def test_secret_arguments_of_an_operation() -> None:
    class Codes(Area):
        """Codes."""

        @post("/codes", confirm=True, verify_with=None, open_world=False)
        async def create_code(self, **code: Unpack[Code]) -> JsonObject: ...

    assert tool_from_operation(Codes.operations[0], "users").secret_arguments == {"code"}
    marked = {tool.name: tool.secret_arguments for tool in direct_tools() if tool.secret_arguments}
    assert marked == {
        "create_signup_request": {"turnstileToken"},
        "verify_signup_request": {"code"},
        "create_signup_session": {"activationToken"},
    }
