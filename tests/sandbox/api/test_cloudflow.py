"""CloudFlow: flows, and the event stream of a refinement."""

from __future__ import annotations

import json
from typing import Any

import pytest

from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api.areas.cloudflow import MAX_CONVERSATIONS

from ..conftest import Clock
from .conftest import ADMIN, Party

PATH = "/cloudflow/v1/flows"
STREAM = {"Accept": "text/event-stream"}


async def refine(party: Party, flow: str, **body: object) -> list[Any]:
    """The events of a refinement."""
    answer = await party.send("POST", f"{PATH}/{flow}/actions/refine", body, headers=STREAM)
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/event-stream"
    *events, rest = answer.body.decode().split("\n\n")
    assert rest == "" and all(event.startswith("data: ") for event in events)
    return [json.loads(event.removeprefix("data: ")) for event in events]


def split(events: list[Any]) -> tuple[str, list[Any], str]:
    """Conversation, lifecycle events and prose of a stream."""
    first, *answers = events
    assert list(first) == ["conversationId"] and all(list(item) == ["answer"] for item in answers)
    cycle = [json.loads(item["answer"]) for item in answers if item["answer"].startswith("{")]
    return first["conversationId"], cycle, "".join(item["answer"] for item in answers[len(cycle) :])


async def test_flows_are_listed(party: Party) -> None:
    body = await party.get(PATH)
    assert (body["pageToken"], body["rowCount"], len(body["items"])) == (None, None, 3)
    assert await party.walk(PATH, "items", 1) == body["items"]
    for size in (0, 501):
        assert "maxResults" in await party.expect_error(400, "GET", PATH, maxResults=size)


async def test_refinement_is_streamed_and_stored(party: Party, clock: Clock) -> None:
    before = (await party.get(PATH))["items"][0]
    question = "Add a step that posts the weekly cost to Slack"
    conversation, cycle, prose = split(await refine(party, before["id"], question=question))
    assert [next(iter(item)) for item in cycle] == [
        "toolStart",
        "toolEnd",
        "llmStart",
        "llmEnd",
        "toolStart",
        "toolEnd",
    ]
    assert question in prose and before["name"] in prose and conversation
    clock.advance(5)
    same, _, more = split(await refine(party, before["id"], question="Then stop.", conversationId=conversation))
    assert same == conversation and question in more and "Then stop" in more
    after = next(item for item in (await party.get(PATH))["items"] if item["id"] == before["id"])
    assert after["instructions"] == f"{question}\nThen stop." and after["updateTime"] != before["updateTime"]
    assert {**after, "instructions": None, "updateTime": None} == {**before, "updateTime": None}


async def test_stream_must_be_requested(party: Party) -> None:
    flow = (await party.get(PATH))["items"][0]["id"]
    path = f"{PATH}/{flow}/actions/refine"
    for headers in ({"Accept": "application/json"}, {"Accept": "*/*"}):
        assert "text/event-stream" in await party.expect_error(406, "POST", path, {"question": "x"}, headers=headers)
    accept_both = {"Accept": "application/json, text/event-stream;q=0.9"}
    assert (await party.send("POST", path, {"question": "x"}, headers=accept_both)).status == 200


@pytest.mark.parametrize("body", [{}, {"question": ""}, {"question": " "}, {"question": 1}, {"question": "x" * 30_000}])
async def test_validation_errors_name_the_field(party: Party, body: Any) -> None:
    flow = (await party.get(PATH))["items"][0]["id"]
    assert "question" in await party.expect_error(400, "POST", f"{PATH}/{flow}/actions/refine", body, headers=STREAM)


async def test_conversations_expire(party: Party) -> None:
    flow = (await party.get(PATH))["items"][0]["id"]
    first, _, _ = split(await refine(party, flow, question="x"))
    conversations = party.api.tenant(ACME).collection("conversations", lambda tenant: ())
    conversations.update({str(number): {"id": str(number)} for number in range(MAX_CONVERSATIONS)})
    await refine(party, flow, question="y")
    assert len(conversations) == MAX_CONVERSATIONS and first not in conversations


async def test_unknown_flows_and_conversations(party: Party) -> None:
    flow = (await party.get(PATH))["items"][0]["id"]
    # The document declares no 404 here.
    for path, body in (
        (f"{PATH}/nothing/actions/refine", {"question": "x"}),
        (f"{PATH}/{flow}/actions/refine", {"question": "x", "conversationId": "nothing"}),
    ):
        answer = await party.send("POST", path, body, headers=STREAM, declared=False)
        assert (answer.status, "not found" in answer.json["error"]) == (404, True)
    assert (await party.get(PATH, ADMIN))["items"][0]["instructions"] is None


async def test_builds_a_flow(party: Party) -> None:
    path = f"{PATH}/actions/build"
    answer = await party.send("POST", path, {"question": "Tell me of idle disks."}, headers=STREAM)
    events = [json.loads(item.removeprefix("data: ")) for item in answer.body.decode().split("\n\n")[:-1]]
    conversation, cycle, prose = split(events)
    created = next(item["customEvent"] for item in cycle if "customEvent" in item)
    flow = (await party.get(PATH))["items"][0]
    assert created == {"messageId": "cloudflow_created", "data": {"flowId": flow["id"]}} and conversation
    assert (flow["name"], flow["published"]) == ("Tell me of idle disks", False) and flow["name"] in prose
    assert "text/event-stream" in await party.expect_error(406, "POST", path, {"question": "x"})
    assert "question" in await party.expect_error(400, "POST", path, {"question": " "}, headers=STREAM)


async def flow_with(party: Party, trigger: str | None) -> str:
    """The id of the first flow with this trigger."""
    return str(next(item["id"] for item in (await party.get(PATH))["items"] if item["triggerType"] == trigger))


async def test_one_run_at_a_time(party: Party, clock: Clock) -> None:
    flow, draft, scheduled = [await flow_with(party, trigger) for trigger in ("webhook", None, "schedule")]
    path = f"/cloudflow/v1/trigger/{flow}"
    for other, status, reason in ((draft, 403, "draft"), (scheduled, 400, "webhook")):
        assert reason in await party.expect_error(status, "POST", f"/cloudflow/v1/trigger/{other}", {})
    answer = await party.send("POST", path, {"any": "payload"})
    assert answer.status == 202 and answer.json["executionLink"].startswith("https://")
    assert "running" in await party.expect_error(409, "POST", path, {})
    clock.advance(2)
    assert (await party.get(PATH))["items"][-1]["lastExecutionStatus"] == "running"
    clock.advance(59)
    assert (await party.get(PATH))["items"][-1]["lastExecutionStatus"] == "complete"
    assert (await party.send("POST", path, {})).status == 202
    assert "body" in await party.expect_error(400, "POST", path, [])
    assert "not found" in await party.expect_error(404, "POST", "/cloudflow/v1/trigger/none", {})
