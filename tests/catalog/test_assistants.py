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


def life(**event: Any) -> dict[str, str]:
    return {"answer": json.dumps(event)}


CREATED = {"customEvent": {"messageId": "cloudflow_created", "data": {"flowId": "f9"}}}
WORK = [
    {"answerId": "a", "conversationId": "c1"},
    life(toolStart="Reading the flow", toolId="t1"),
    life(toolEnd="Reading the flow", toolId="t1"),
    life(llmStart="model", value="Thinking"),
    {"answer": "I added "},
    {"answer": '{"not": "an event"}'},
    life(toolStart="Adding a step"),
    {"answer": ". Done?"},
    life(llmEnd="model"),
]


async def test_events_become_progress_and_one_answer() -> None:
    api = Recorder(WORK)
    caller = Caller(api)
    found = await refine_cloudflow(caller, flowId="f1", question="add a step", conversationId="c0")
    assert found == {
        "answer": 'I added {"not": "an event"}. Done?',
        "conversationId": "c1",
        "flowId": "f1",
        "steps": ["Reading the flow", "Adding a step"],
        "complete": True,
    }
    assert caller.steps == [(1, "Reading the flow"), (2, "Adding a step")]
    body = {"question": "add a step", "conversationId": "c0"}
    assert api.requests == [Request("POST", "/cloudflow/v1/flows/f1/actions/refine", {}, body)]
    assert TOOLS["refine_cloudflow"].result_problems(found) == []


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ApiError("", kind="timeout", maybe_applied=True), "call reached its time limit"),
        (ApiError("the connection broke", kind="network", maybe_applied=True), "the connection broke"),
    ],
)
async def test_a_stream_that_ends_too_early_gives_what_there_is_and_how_to_go_on(error: ApiError, why: str) -> None:
    result = await call("refine_cloudflow", Recorder([*WORK[:5], error]), flowId="f1", question="q")
    found = result["structuredContent"]
    assert found["complete"] is False and found["answer"] == "I added" and found["steps"] == ["Reading the flow"]
    assert why in found["next"] and "conversationId c1" in found["next"] and "f1" in found["next"]


async def test_an_error_among_the_events_is_told() -> None:
    found = await refine_cloudflow(Caller(Recorder([*WORK[:3], {"error": "model gone"}])), flowId="f", question="q")
    assert found["complete"] is False and "model gone" in found["next"]


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
async def test_nothing_said_is_an_error(events: list[Any]) -> None:
    with pytest.raises(ApiError):
        await refine_cloudflow(Caller(Recorder(events)), flowId="f", question="q")


async def test_steps_are_bounded() -> None:
    events = [life(toolStart="x" * 999), life(toolStart=" "), *[life(toolStart="s")] * 300]
    found = await refine_cloudflow(Caller(Recorder(events)), flowId="f", question="q")
    assert len(found["steps"]) == MAX_STEPS and len(found["steps"][0]) == 200


async def test_a_new_flow_is_named() -> None:
    made = life(customEvent={"messageId": "cloudflow_created", "data": {"flowId": "f2"}})
    found = await refine_cloudflow(Caller(Recorder([made, {"answer": "ok"}])), flowId="f", question="q")
    assert found["flowId"] == "f2"


@pytest.mark.parametrize("event", [{}, {"customEvent": 1}, {"customEvent": {"messageId": "x"}}])
def test_other_events_make_no_flow(event: dict[str, Any]) -> None:
    assert created_flow_id(event) == ""
    assert created_flow_id({"customEvent": {"messageId": "cloudflow_created", "data": None}}) == ""


@pytest.mark.parametrize("text", ["plain", "{", "[1]", '{"a": 1}'])
def test_what_is_said_is_no_lifecycle_event(text: str) -> None:
    assert parse_lifecycle_event(text) is None


async def test_a_build_that_is_cut_off_names_the_flow_that_is_there_already() -> None:
    made = life(**CREATED)
    late = ApiError("", kind="timeout", maybe_applied=True)
    result = await call("build_cloud_flow", Recorder([{"conversationId": "c1"}, made, late]), question="q")
    found = result["structuredContent"]
    assert found["flowId"] == "f9" and found["complete"] is False and "isError" not in result
    assert found["next"].endswith("then call refine_cloudflow for flow f9 with conversationId c1.")
