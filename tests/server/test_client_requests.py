"""Requests to the client on a session's stream that time out, or of which one fails."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import orjson
import pytest

from doit_mcp.catalog.call import MissingClientCapability, NoAnswer, Question
from doit_mcp.protocol.jsonrpc import Request, Response
from doit_mcp.protocol.request_metadata import Caller
from doit_mcp.protocol.revisions import NEWEST_STATEFUL_REVISION
from doit_mcp.server.client_requests import NullAsker, StreamAsker
from doit_mcp.server.consents import Consent
from doit_mcp.server.multi_round_trip import InputRequired, PreviousRounds, RetryInputCollector
from doit_mcp.server.sessions import Session

ROOTS = Question("roots/list")


def session() -> Session:
    return Session("s", "owner", Caller(NEWEST_STATEFUL_REVISION, {}, {"roots": {}}), 0.0)


class Sent:
    """Records the messages that are sent."""

    def __init__(self) -> None:
        self.messages: list[dict[str, object]] = []
        self.asked = asyncio.Event()

    async def __call__(self, data: bytes) -> None:
        self.messages.append(json.loads(data))
        self.asked.set()


async def test_no_answer_in_time() -> None:
    """MCP, Lifecycle, Timeouts: the server cancels its request by id and ignores a late response."""
    sent, asked = Sent(), session()
    with pytest.raises(NoAnswer, match="in time"):
        await StreamAsker(asked, sent, timeout_seconds=0.01).ask({"roots": ROOTS})
    question, cancelled = sent.messages
    assert cancelled["method"] == "notifications/cancelled"
    assert isinstance(cancelled["params"], dict) and cancelled["params"]["requestId"] == question["id"]
    asked.resolve_question(Response(str(question["id"]), result={"roots": []}))
    assert asked.pending_questions == {}


async def test_one_of_several_fails() -> None:
    """The server no longer waits for the other responses."""
    sent, asked = Sent(), session()
    asking = asyncio.ensure_future(StreamAsker(asked, sent).ask({"one": ROOTS, "two": ROOTS}))
    while len(asked.pending_questions) < 2:
        await asyncio.sleep(0)
    asked.resolve_question(Response("doit-1", error={"code": -1, "message": "no"}))
    with pytest.raises(NoAnswer, match="returned an error"):
        await asking
    assert asked.pending_questions == {}


async def test_a_cancelled_call_forgets_its_question() -> None:
    sent, asked = Sent(), session()
    asking = asyncio.ensure_future(StreamAsker(asked, sent).ask({"one": ROOTS}))
    await sent.asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert asked.pending_questions == {}


async def test_where_nobody_is() -> None:
    with pytest.raises(MissingClientCapability):
        await NullAsker().ask({"one": ROOTS})


def enveloped(before: PreviousRounds, **responses: Any) -> RetryInputCollector:
    async def use(asked: int, id: str) -> bool:
        return True

    return RetryInputCollector(Request(1, "tools/call", {"inputResponses": responses}), before, use)


async def test_an_open_question_takes_any_answer_that_comes() -> None:
    answers = await enveloped(PreviousRounds(), one={"roots": []}).ask({"one": ROOTS})
    assert answers == {"one": {"roots": []}}


async def test_a_sealed_question_takes_an_answer_only_after_just_it_was_put() -> None:
    """An unsolicited answer, or one to a different question, is not accepted."""
    asked = Question("roots/list", {"_meta": {"n": 1}}, signed=True)
    other = replace(asked, params={"_meta": {"n": 2}})
    elsewhere = PreviousRounds(asked_questions={"one": (other.digest, Consent.new())})
    for before in (PreviousRounds(), elsewhere, PreviousRounds(answers={"one": {"roots": []}})):
        with pytest.raises(InputRequired):
            await enveloped(before, one={"roots": []}).ask({"one": asked})
    put = PreviousRounds().after_round({}, {"one": asked})
    assert await enveloped(put, one={"roots": []}).ask({"one": asked}) == {"one": {"roots": []}}


def test_what_is_asked_anew_is_no_longer_answered() -> None:
    asked = Question("roots/list", signed=True)
    before = PreviousRounds({"one": {"roots": []}, "two": {"roots": []}}, {"one": ("old", Consent(1, "x"))})
    after = before.after_round({"three": {}}, {"one": asked, "four": ROOTS})
    digest, consent = after.asked_questions["one"]
    assert after.answers == {"two": {"roots": []}, "three": {}} and after.asked_questions.keys() == {"one"}
    assert digest == asked.digest
    assert consent.id != "x" and PreviousRounds.from_state(orjson.loads(orjson.dumps(after.state))) == after
