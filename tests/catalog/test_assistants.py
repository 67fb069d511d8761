"""The flow assistant: events become progress, and one result even if they stop early."""

from __future__ import annotations

import json
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.assistants import MAX_STEPS, created_flow_id, parse_lifecycle_event, refine_cloudflow
from tests.api.recorder import Recorder

from .caller import TOOLS, Caller, call


def lifecycle_event(**event: Any) -> dict[str, str]:
    return {"answer": json.dumps(event)}


CREATED = {"customEvent": {"messageId": "cloudflow_created", "data": {"flowId": "f9"}}}
WORK = [
    {"answerId": "a", "conversationId": "c1"},
    lifecycle_event(toolStart="Reading the flow", toolId="t1"),
    lifecycle_event(toolEnd="Reading the flow", toolId="t1"),
    lifecycle_event(llmStart="model", value="Thinking"),
    {"answer": "I added "},
    {"answer": '{"not": "an event"}'},
    lifecycle_event(toolStart="Adding a step"),
    {"answer": ". Done?"},
    lifecycle_event(llmEnd="model"),
]


async def test_events_become_progress_and_one_result() -> None:
    api = Recorder(WORK)
    caller = Caller(api)
    result = await refine_cloudflow(caller, flowId="f1", question="add a step", conversationId="c0")
    assert result == {
        "answer": 'I added {"not": "an event"}. Done?',
        "conversationId": "c1",
        "flowId": "f1",
        "steps": ["Reading the flow", "Adding a step"],
        "complete": True,
    }
    assert caller.steps == [(1, "Reading the flow"), (2, "Adding a step")]
    body = {"question": "add a step", "conversationId": "c0"}
    assert api.requests == [Request("POST", "/cloudflow/v1/flows/f1/actions/refine", {}, body)]
    assert TOOLS["refine_cloudflow"].result_problems(result) == []


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ApiError("", kind="timeout", maybe_applied=True), "call reached its time limit"),
        (ApiError("the connection broke", kind="network", maybe_applied=True), "the connection broke"),
    ],
)
async def test_truncated_stream_returns_partial_text_and_how_to_continue(error: ApiError, why: str) -> None:
    result = await call("refine_cloudflow", Recorder([*WORK[:5], error]), flowId="f1", question="q")
    content = result["structuredContent"]
    assert content["complete"] is False and content["answer"] == "I added" and content["steps"] == ["Reading the flow"]
    assert why in content["next"] and "conversationId c1" in content["next"] and "f1" in content["next"]


async def test_error_event_is_reported() -> None:
    result = await refine_cloudflow(Caller(Recorder([*WORK[:3], {"error": "model gone"}])), flowId="f", question="q")
    assert result["complete"] is False and "model gone" in result["next"]


@pytest.mark.parametrize(
    "events",
    [
        [ApiError("", kind="forbidden", status=403)],
        [{"error": "no"}],
        [],
        [{"conversationId": "c"}],
        [{"answer": 5}],
    ],
)
async def test_empty_answer_is_an_error(events: list[Any]) -> None:
    with pytest.raises(ApiError):
        await refine_cloudflow(Caller(Recorder(events)), flowId="f", question="q")


async def test_progress_steps_are_bounded() -> None:
    events = [
        lifecycle_event(toolStart="x" * 999),
        lifecycle_event(toolStart=" "),
        *[lifecycle_event(toolStart="s")] * 300,
    ]
    result = await refine_cloudflow(Caller(Recorder(events)), flowId="f", question="q")
    assert len(result["steps"]) == MAX_STEPS and len(result["steps"][0]) == 200


async def test_new_flow_is_named() -> None:
    created = lifecycle_event(customEvent={"messageId": "cloudflow_created", "data": {"flowId": "f2"}})
    result = await refine_cloudflow(Caller(Recorder([created, {"answer": "ok"}])), flowId="f", question="q")
    assert result["flowId"] == "f2"


@pytest.mark.parametrize("event", [{}, {"customEvent": 1}, {"customEvent": {"messageId": "x"}}])
def test_unrelated_events_create_no_flow(event: dict[str, Any]) -> None:
    assert created_flow_id(event) == ""
    assert created_flow_id({"customEvent": {"messageId": "cloudflow_created", "data": None}}) == ""


@pytest.mark.parametrize("text", ["plain", "{", "[1]", '{"a": 1}'])
def test_answer_text_is_not_a_lifecycle_event(text: str) -> None:
    assert parse_lifecycle_event(text) is None


async def test_interrupted_build_names_the_existing_flow() -> None:
    created = lifecycle_event(**CREATED)
    late = ApiError("", kind="timeout", maybe_applied=True)
    result = await call("build_cloud_flow", Recorder([{"conversationId": "c1"}, created, late]), question="q")
    content = result["structuredContent"]
    assert content["flowId"] == "f9" and content["complete"] is False and "isError" not in result
    assert content["next"].endswith("then call refine_cloudflow for flow f9 with conversationId c1.")
