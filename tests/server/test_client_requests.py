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


async def test_client_request_times_out() -> None:
    """MCP, Lifecycle, Timeouts: the server cancels its request by id and ignores a late response."""
    channel, requester = Sent(), session()
    with pytest.raises(NoAnswer, match="within 0.01 seconds"):
        await StreamAsker(requester, channel, timeout_seconds=0.01).ask({"roots": ROOTS})
    question, cancelled = channel.messages
    assert cancelled["method"] == "notifications/cancelled"
    assert isinstance(cancelled["params"], dict) and cancelled["params"]["requestId"] == question["id"]
    requester.resolve_question(Response(str(question["id"]), result={"roots": []}))
    assert requester.pending_questions == {}


async def test_one_of_several_requests_fails() -> None:
    """The server no longer waits for the other responses."""
    channel, requester = Sent(), session()
    asking = asyncio.ensure_future(StreamAsker(requester, channel, 45).ask({"one": ROOTS, "two": ROOTS}))
    while len(requester.pending_questions) < 2:
        await asyncio.sleep(0)
    requester.resolve_question(Response("doit-1", error={"code": -1, "message": "no"}))
    with pytest.raises(NoAnswer, match="returned an error"):
        await asking
    assert requester.pending_questions == {}


async def test_canceled_call_forgets_its_request() -> None:
    channel, requester = Sent(), session()
    asking = asyncio.ensure_future(StreamAsker(requester, channel, 45).ask({"one": ROOTS}))
    await channel.asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert requester.pending_questions == {}


async def test_request_without_a_client() -> None:
    with pytest.raises(MissingClientCapability):
        await NullAsker().ask({"one": ROOTS})


def retry_collector(before: PreviousRounds, **responses: Any) -> RetryInputCollector:
    async def use(asked: int, id: str) -> bool:
        return True

    return RetryInputCollector(Request(1, "tools/call", {"inputResponses": responses}), before, use)


async def test_untracked_request_accepts_any_answer() -> None:
    answers = await retry_collector(PreviousRounds(), one={"roots": []}).ask({"one": ROOTS})
    assert answers == {"one": {"roots": []}}


async def test_signed_request_accepts_an_answer_only_to_the_same_question() -> None:
    """An unsolicited answer, or one to a different question, is not accepted."""
    question = Question("roots/list", {"_meta": {"n": 1}}, signed=True)
    other = replace(question, params={"_meta": {"n": 2}})
    elsewhere = PreviousRounds(asked_questions={"one": (other.digest, Consent.new())})
    for before in (PreviousRounds(), elsewhere, PreviousRounds(answers={"one": {"roots": []}})):
        with pytest.raises(InputRequired):
            await retry_collector(before, one={"roots": []}).ask({"one": question})
    put = PreviousRounds().add_round({}, {"one": question})
    assert await retry_collector(put, one={"roots": []}).ask({"one": question}) == {"one": {"roots": []}}


def test_superseded_question_rejects_answers() -> None:
    question = Question("roots/list", signed=True)
    before = PreviousRounds({"one": {"roots": []}, "two": {"roots": []}}, {"one": ("old", Consent(1, "x"))})
    after = before.add_round({"three": {}}, {"one": question, "four": ROOTS})
    digest, consent = after.asked_questions["one"]
    assert after.answers == {"two": {"roots": []}, "three": {}} and after.asked_questions.keys() == {"one"}
    assert digest == question.digest
    assert consent.id != "x" and PreviousRounds.from_state(orjson.loads(orjson.dumps(after.state))) == after
