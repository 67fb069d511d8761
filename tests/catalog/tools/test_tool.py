"""Tools made from operations and from functions."""

from __future__ import annotations

from typing import Annotated, TypedDict

import pytest

from doit_mcp.api import Doit
from doit_mcp.api.facts import Unconfirmed
from doit_mcp.api.operation import Area, delete, get, operation_of, patch, post, put
from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.composed import composed_tool
from doit_mcp.catalog.tools.result_shapes import as_object, drop_forbidden_nulls
from doit_mcp.catalog.tools.tool import ContentResult, Tool
from doit_mcp.catalog.tools.tool_factory import (
    operation_annotations,
    tool_from_function,
    tool_from_operation,
)
from doit_mcp.protocol.jsonrpc import JsonObject
from tests.api.recorder import Recorder

from ..caller import TOOLS, Caller, run

INSIGHT = {
    **{"key": "k", "title": "t", "shortDescription": "s", "cloudProvider": "aws", "categories": ["FinOps"]},
    "resourceResults": [],
}


class Kinds(Area):
    """Kinds."""

    @get("/k")
    async def list_kinds(self) -> JsonObject: ...

    @post("/k")
    async def create_kind(self) -> JsonObject: ...

    @post("/k", read_only=True)
    async def find_kinds(self) -> JsonObject: ...

    @post("/k", needs_idempotency_key=True, open_world=True)
    async def send_kind(self) -> JsonObject: ...

    @put("/k")
    async def set_kind(self) -> JsonObject: ...

    @patch("/k")
    async def update_kind(self) -> JsonObject: ...

    @delete("/k")
    async def delete_kind(self) -> JsonObject: ...


@pytest.mark.requirement("A2")
@pytest.mark.parametrize(
    ("name", "reads", "destroys", "idempotent", "outward"),
    [
        ("list_kinds", True, False, True, False),
        ("create_kind", False, False, False, False),
        ("find_kinds", True, False, True, False),
        ("send_kind", False, False, False, True),
        ("set_kind", False, True, True, False),
        ("update_kind", False, True, True, False),
        ("delete_kind", False, True, True, False),
    ],
)
def test_hints_follow_the_http_method(name: str, reads: bool, destroys: bool, idempotent: bool, outward: bool) -> None:
    assert operation_annotations(operation_of(getattr(Kinds, name))) == {
        "readOnlyHint": reads,
        "destructiveHint": destroys,
        "idempotentHint": idempotent,
        "openWorldHint": outward,
    }


def test_stream_is_not_a_tool_by_itself() -> None:
    refine = operation_of(Doit.for_sender(Recorder()).cloudflow.refine_cloudflow)
    with pytest.raises(TypeError, match="stream"):
        tool_from_operation(refine, "cloudflow")


class Sum(TypedDict, total=False):
    total: int
    words: list[str]


@composed_tool(area="auth", slow=False, default_list=False)
async def add(
    call: Call, *, left: Annotated[int, "The first number."], right: Annotated[int, "The other."] = 1
) -> Annotated[JsonObject, Sum]:
    """Add two numbers,
    slowly."""
    return {"total": left + right, "words": None, "user": await call.doit.auth.validate_user()}


@composed_tool(
    area="auth",
    title="Draw!",
    writes=True,
    destructive=True,
    open_world=True,
    default_list=False,
    confirm=Unconfirmed("It only draws."),
    preview_with=None,
)
async def draw(call: Call, *, times: Annotated[int, "How often."]) -> ContentResult:
    """Draw something."""
    await call.report_progress(times)
    return ContentResult([{"type": "text", "text": "*" * times}], structured={"times": times})


async def test_function_becomes_a_tool() -> None:
    tool = tool_from_function(add)
    assert (tool.name, tool.title, tool.description) == ("add", "Add", "Add two numbers, slowly.")
    assert tool.input_schema == {
        "type": "object",
        "properties": {
            "left": {"type": "integer", "description": "The first number."},
            "right": {"type": "integer", "description": "The other.", "default": 1},
        },
        "required": ["left"],
    }
    assert tool.accepted_schema == {**tool.input_schema, "additionalProperties": False}
    assert set((tool.output_schema or {})["properties"]) == {"total", "words"}
    user = {"email": "e", "id": "e"}
    assert await run(tool, Recorder({"email": "e"}), left="2") == {"total": 3, "words": [], "user": user}
    assert not tool.writes and tool.annotations["readOnlyHint"]


async def test_function_can_receive_the_call_and_return_content_blocks() -> None:
    tool = tool_from_function(draw)
    caller = Caller(Recorder())
    result = await tool.run(caller, {"times": 3})
    assert isinstance(result, ContentResult) and result.blocks[0]["text"] == "***" and caller.steps == [(3, "")]
    assert tool.writes and tool.annotations["destructiveHint"] and tool.annotations["openWorldHint"]
    assert tool.title == "Draw!" and tool.meta["openai/toolInvocation/invoked"] == "Draw!: done"


@pytest.mark.parametrize(
    ("answer", "items", "expected"),
    [
        ({"a": 1}, "x", {"a": 1}),
        ([1, 2], "snapshots", {"snapshots": [1, 2], "rowCount": 2}),
        ([], "", {"items": [], "rowCount": 0}),
        ("text", "", {"result": "text"}),
    ],
)
def test_every_result_becomes_an_object(answer: object, items: str, expected: JsonObject) -> None:
    assert as_object(answer, items) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("delete_budget", {"id": "b1"}, {"deleted": True, "id": "b1"}),
        ("delete_folder", {"id": "f1"}, {"deleted": True, "id": "f1"}),
        ("delete_account_role", {"accountID": "1"}, {"deleted": True, "accountID": "1"}),
        ("delete_cloudflow_connection", {"connectionId": "c"}, {"deleted": True, "connectionId": "c"}),
        ("delete_ava_conversation", {"conversationId": "v"}, {"deleted": True, "conversationId": "v"}),
        ("assign_objects_to_label", {"id": "l1", "remove": [{"objectId": "b", "objectType": "budget"}]}, {"id": "l1"}),
        ("update_customer", {"customerId": "x", "urlSlug": "abc"}, {"customerId": "x"}),
        ("ava_feedback", {"conversationId": "v", "answerId": "a", "feedback": {"positive": True}}, {}),
    ],
)
@pytest.mark.parametrize("nothing", [None, {}])
async def test_write_with_an_empty_response_returns_a_confirmation(
    name: str, arguments: JsonObject, expected: JsonObject, nothing: object
) -> None:
    result = await run(name, Recorder(nothing), **arguments)
    result.pop("undo", None)
    assert result == {"status": "completed", **expected}
    schema = TOOLS[name].output_schema or {}
    assert {"status", "deleted"} <= schema["properties"].keys() and not TOOLS[name].result_problems(result)


@pytest.mark.parametrize(
    ("name", "arguments", "answer", "expected"),
    [
        ("get_statussheet_components", {"id": "s", "node": ["n"]}, {}, {}),
        ("list_cloudflows", {}, {}, {}),
        ("post_insight_results", {"results": [INSIGHT]}, [], {"failures": [], "rowCount": 0}),
        ("delete_datahub_dataset", {"name": "d"}, {"message": "Deleted"}, {"message": "Deleted"}),
    ],
)
async def test_nonempty_result_is_unchanged(
    name: str, arguments: JsonObject, answer: object, expected: JsonObject
) -> None:
    result = await run(name, Recorder(answer), **arguments)
    result.pop("undo", None)
    assert result == expected


def test_nulls_outside_the_schema_are_resolved() -> None:
    schema = {"properties": {"a": {"type": "string"}, "rows": {"type": "array"}, "n": {"anyOf": []}, "any": {}}}
    answer = {"a": None, "rows": None, "n": None, "any": None, "other": None}
    assert drop_forbidden_nulls(answer, schema) == {"rows": [], "n": None, "any": None, "other": None}


async def test_null_list_becomes_empty() -> None:
    result = await run("list_reports", Recorder({"reports": None, "pageToken": None, "rowCount": None}))
    assert result == {"reports": [], "pageToken": None}
    assert TOOLS["list_reports"].result_problems(result) == []


def test_tools_compare_by_identity() -> None:
    tool = TOOLS["run_query"]
    other = Tool(tool.name, tool.title, tool.description, tool.input_schema, tool.run)
    assert tool == tool and tool != other and len({tool, other}) == 2
    assert other.result_problems({"anything": 1}) == [] and not other.is_paginated
