"""Questions on a session's stream that nobody answers in time, or that several fail at once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import orjson
import pytest

from doit_mcp.catalog.call import CannotAsk, NoAnswer, Question
from doit_mcp.protocol.jsonrpc import Request, Response
from doit_mcp.protocol.request_metadata import Caller
from doit_mcp.protocol.revisions import NEWEST_HANDSHAKE
from doit_mcp.server.client_requests import Nobody, OnStream
from doit_mcp.server.consents import Consent
from doit_mcp.server.multi_round_trip import Before, ByRetry, InputRequired
from doit_mcp.server.sessions import Session

ROOTS = Question("roots/list")


def session() -> Session:
    return Session("s", "owner", Caller(NEWEST_HANDSHAKE, {}, {"roots": {}}), 0.0)


class Sent:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[dict[str, object]] = []
        self.asked = asyncio.Event()

    async def __call__(self, data: bytes) -> None:
        self.messages.append(json.loads(data))
        self.asked.set()


async def test_no_answer_in_time() -> None:
    """Lifecycle, Timeouts: the question is taken back under its own id, and a late answer means nothing."""
    sent, asked = Sent(), session()
    with pytest.raises(NoAnswer, match="in time"):
        await OnStream(asked, sent, timeout=0.01).ask({"roots": ROOTS})
    question, cancelled = sent.messages
    assert cancelled["method"] == "notifications/cancelled"
    assert isinstance(cancelled["params"], dict) and cancelled["params"]["requestId"] == question["id"]
    asked.answered(Response(str(question["id"]), result={"roots": []}))
    assert asked.asked == {}


async def test_one_of_several_fails() -> None:
    """The others are no longer waited for."""
    sent, asked = Sent(), session()
    asking = asyncio.ensure_future(OnStream(asked, sent).ask({"one": ROOTS, "two": ROOTS}))
    while len(asked.asked) < 2:
        await asyncio.sleep(0)
    asked.answered(Response("doit-1", error={"code": -1, "message": "no"}))
    with pytest.raises(NoAnswer, match="with an error"):
        await asking
    assert asked.asked == {}


async def test_a_cancelled_call_forgets_its_question() -> None:
    sent, asked = Sent(), session()
    asking = asyncio.ensure_future(OnStream(asked, sent).ask({"one": ROOTS}))
    await sent.asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert asked.asked == {}


async def test_where_nobody_is() -> None:
    with pytest.raises(CannotAsk):
        await Nobody().ask({"one": ROOTS})


def enveloped(before: Before, **responses: Any) -> ByRetry:
    async def use(asked: int, id: str) -> bool:
        return True

    return ByRetry(Request(1, "tools/call", {"inputResponses": responses}), before, use)


async def test_an_open_question_takes_any_answer_that_comes() -> None:
    answers = await enveloped(Before(), one={"roots": []}).ask({"one": ROOTS})
    assert answers == {"one": {"roots": []}}


async def test_a_sealed_question_takes_an_answer_only_after_just_it_was_put() -> None:
    """R6: an answer that comes by itself, or to another question, is none."""
    asked = Question("roots/list", {"_meta": {"n": 1}}, sealed=True)
    other = replace(asked, params={"_meta": {"n": 2}})
    elsewhere = Before(shown={"one": (other.digest, Consent.new())})
    for before in (Before(), elsewhere, Before(known={"one": {"roots": []}})):
        with pytest.raises(InputRequired):
            await enveloped(before, one={"roots": []}).ask({"one": asked})
    put = Before().after({}, {"one": asked})
    assert await enveloped(put, one={"roots": []}).ask({"one": asked}) == {"one": {"roots": []}}


def test_what_is_asked_anew_is_no_longer_answered() -> None:
    asked = Question("roots/list", sealed=True)
    before = Before({"one": {"roots": []}, "two": {"roots": []}}, {"one": ("old", Consent(1, "x"))})
    after = before.after({"three": {}}, {"one": asked, "four": ROOTS})
    digest, consent = after.shown["one"]
    assert after.known == {"two": {"roots": []}, "three": {}} and after.shown.keys() == {"one"}
    assert digest == asked.digest
    assert consent.id != "x" and Before.of(orjson.loads(orjson.dumps(after.state))) == after
