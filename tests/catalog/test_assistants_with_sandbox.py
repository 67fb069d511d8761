"""Ava, the flow builder and related resources, against the sandbox's API and interrupted streams."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.assistants import ask_ava_streaming, build_cloud_flow
from tests.api.recorder import Recorder

from .caller import Caller, call, run
from .conftest import Ask


async def test_ava_answers_and_continues_a_conversation(ask: Ask) -> None:
    first = await ask("ask_ava_streaming", question="What did we spend?")
    assert first["complete"] and "$" in first["answer"] and first["steps"] and "flowId" not in first
    again = await ask("ask_ava_streaming", question="And now?", conversationId=first["conversationId"])
    assert again["conversationId"] == first["conversationId"]
    await ask("delete_ava_conversation", conversationId=first["conversationId"])
    with pytest.raises(ApiError):
        await ask("ask_ava_streaming", question="Still there?", conversationId=first["conversationId"])


async def test_ava_sync_stores_the_conversation_only_on_request(ask: Ask) -> None:
    assert set(await ask("ask_ava_sync", question="What did we spend?")) == {"answer"}
    answer = await ask("ask_ava_sync", question="What did we spend?", ephemeral=False)
    where = {"conversationId": answer["conversationId"], "answerId": answer["answerId"]}
    await ask("ava_feedback", **where, feedback={"positive": True, "text": "exact"})


async def test_error_response_is_a_failure() -> None:
    with pytest.raises(ApiError, match="model gone"):
        await run("ask_ava_sync", Recorder({"error": "model gone"}), question="q")


async def test_flow_is_built_and_listed(ask: Ask) -> None:
    build = await ask("build_cloud_flow", question="Stop idle machines at night")
    assert build["complete"] and build["flowId"] in {row["id"] for row in (await ask("list_cloudflows"))["items"]}


async def test_interrupted_build_says_how_to_continue() -> None:
    events = [{"conversationId": "c1"}, {"answer": "Working"}, ApiError("", kind="timeout", maybe_applied=True)]
    content = (await call("build_cloud_flow", Recorder(events), question="q"))["structuredContent"]
    assert content["complete"] is False and "list_cloudflows" in content["next"] and "c1" in content["next"]


@pytest.mark.parametrize("ask_for", [ask_ava_streaming, build_cloud_flow])
async def test_slow_answer_can_become_a_task(ask_for: Any) -> None:
    caller = Caller(Recorder([{"answer": "done"}]))
    await ask_for(caller, question="q")
    assert caller.detached


async def test_reads_commitments_and_templates(ask: Ask) -> None:
    rows = (await ask("list_commitments"))["commitments"]
    commitment = await ask("get_commitment", id=rows[0]["id"])
    assert commitment["name"] == rows[0]["name"] and commitment["periods"]
    template = (await ask("list_cloudflow_templates"))["items"][0]
    assert (await ask("get_cloudflow_template", templateId=template["id"]))["instructions"]
