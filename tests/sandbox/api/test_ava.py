"""Ava: streams, single answers, feedback, and deleted conversations."""

from __future__ import annotations

import json

from .conftest import VIEWER, Party

ASK, SYNC, FEEDBACK, DELETE = (f"/ava/v1/{name}" for name in ("ask", "askSync", "feedback", "deleteConversation"))


async def test_streamed_and_single_answers_agree(party: Party) -> None:
    streamed = await party.send("POST", ASK, {"question": "What did we spend?"})
    assert (streamed.status, streamed.headers["Content-Type"]) == (200, "text/event-stream")
    first, *events = [json.loads(item.removeprefix("data: ")) for item in streamed.body.decode().split("\n\n")[:-1]]
    cycle = [item["answer"] for item in events if item["answer"].startswith("{")]
    assert [next(iter(json.loads(item))) for item in cycle] == ["toolStart", "toolEnd", "llmStart", "llmEnd"]
    prose = "".join(item["answer"] for item in events[len(cycle) :])
    single = (await party.send("POST", SYNC, {"question": "And?", "conversationId": first["conversationId"]})).json
    assert (single["answer"], single["conversationId"]) == (prose, first["conversationId"])
    ephemeral = (await party.send("POST", SYNC, {"question": "And?", "ephemeral": True}, who=VIEWER)).json
    assert ephemeral == {"answer": prose}


async def test_conversation_is_rated_and_deleted(party: Party) -> None:
    reply = (await party.send("POST", SYNC, {"question": "What did we spend?"})).json
    rated = {"conversationId": reply["conversationId"], "answerId": reply["answerId"], "feedback": {"positive": True}}
    answer = await party.send("POST", FEEDBACK, rated)
    assert (answer.status, answer.body) == (200, b"")
    assert "answerId" in await party.expect_error(400, "POST", FEEDBACK, {**rated, "answerId": "none"})
    assert "positive" in await party.expect_error(400, "POST", FEEDBACK, {**rated, "feedback": {}})
    item = reply["conversationId"]
    assert "conversationId" in await party.expect_error(400, "DELETE", DELETE, who=VIEWER, conversationId=item)
    answer = await party.send("DELETE", DELETE, conversationId=item)
    assert (answer.status, answer.body) == (200, b"")
    assert "conversationId" in await party.expect_error(400, "POST", SYNC, {"question": "x", "conversationId": item})
    assert "question" in await party.expect_error(400, "POST", ASK, {"question": " "})
