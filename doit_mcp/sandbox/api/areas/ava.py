"""Ava, the assistant: /ava/v1. It knows one thing, what the customer spent lately, and says so to every question."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from aiohttp import web

from ..costs.ledger import Ledger
from ..costs.money import amount
from ..responses import JsonObject, answer, bad
from ..routes import Route
from ..schemas import FLAG, compiled, record, text
from ..seeds.customer_account import NAMES
from ..tenants import Ask, Records
from .cloudflow import streamed

DAYS = 7
KEPT, ANSWERS_KEPT = 1000, 100  # conversations of a tenant, answers of a conversation
WORDS_AT_ONCE = 8
QUESTION, ID = text(20_000, minLength=1), text(200)
ASKED = compiled("question", question=QUESTION, conversationId=ID)
ASKED_SYNC = compiled("question", question=QUESTION, conversationId=ID, ephemeral=FLAG)
FEEDBACK = compiled(
    "conversationId answerId feedback",
    conversationId=ID,
    answerId=ID,
    feedback=record("positive", positive=FLAG, text=text(20_000)),
)


def spend(ledger: Ledger) -> list[tuple[str, int]]:
    """Micro-dollars of each cloud in the last DAYS days, the dearest first."""
    rows = ledger.sums(("cloud_provider",), ledger.last - DAYS + 1, ledger.last)
    return sorted(((str(row[0]), int(row[1] or 0)) for row in rows), key=lambda one: -one[1])


def conversations(ask: Ask) -> Records:
    """What is remembered: id, who talks, and the answers' ids with the feedback on them."""
    return ask.tenant.collection("ava conversations", lambda tenant: ())


async def ask_stream(ask: Ask) -> web.StreamResponse:
    """POST /ava/v1/ask: an event stream of the conversation's id, life-cycle events and prose."""
    body = await ask.body(ASKED)
    conversation, _ = _remembered(ask, body)
    return await streamed(ask, _events(_said(ask), conversation["id"]))


async def ask_sync(ask: Ask) -> web.Response:
    """POST /ava/v1/askSync: one answer; its ids exist only if it is not ephemeral."""
    body = await ask.body(ASKED_SYNC)
    if body.get("ephemeral"):
        return answer({"answer": _said(ask)})
    conversation, answer_id = _remembered(ask, body)
    return answer({"answer": _said(ask), "conversationId": conversation["id"], "answerId": answer_id})


async def give_feedback(ask: Ask) -> web.Response:
    """POST /ava/v1/feedback on an answer of one's own conversation."""
    body = await ask.body(FEEDBACK)
    answers = _conversation(ask, body["conversationId"])["answers"]
    if body["answerId"] not in answers:
        raise bad("answerId is not an answer of this conversation", field="answerId")
    answers[body["answerId"]] = body["feedback"]
    return web.Response()


async def delete_conversation(ask: Ask) -> web.Response:
    """DELETE /ava/v1/deleteConversation?conversationId=."""
    del conversations(ask)[_conversation(ask, ask.query.get("conversationId", ""))["id"]]
    return web.Response()


def _conversation(ask: Ask, identifier: str) -> JsonObject:
    """A conversation of the user; 400 if there is none, for these operations declare no 404."""
    found = conversations(ask).get(identifier)
    if found is None or found["user"] != ask.user.email:
        raise bad("conversationId is not a conversation of yours", field="conversationId")
    return found


def _remembered(ask: Ask, body: JsonObject) -> tuple[JsonObject, str]:
    """The conversation, gone on with or new, and the id of its next answer."""
    if not body["question"].strip():
        raise bad("question must not be blank", field="question")
    if body.get("conversationId"):
        conversation = _conversation(ask, body["conversationId"])
    else:
        known = conversations(ask)
        while len(known) >= KEPT:
            del known[next(iter(known))]
        conversation = {"id": ask.tenant.new_id(), "user": ask.user.email, "answers": {}}
        known[conversation["id"]] = conversation
    answers, identifier = conversation["answers"], ask.tenant.new_id()
    while len(answers) >= ANSWERS_KEPT:
        del answers[next(iter(answers))]
    answers[identifier] = None
    return conversation, identifier


def _said(ask: Ask) -> str:
    clouds = ", ".join(f"{NAMES[cloud]} ${amount(cost):,.2f}" for cloud, cost in ask.tenant.reckoned(spend))
    return f"In the last {DAYS} days {ask.tenant.customer.name} spent: {clouds}."


def _events(said: str, conversation: str) -> Iterator[JsonObject]:
    yield {"conversationId": conversation}
    cycle = (
        {"toolStart": "Reading costs"},
        {"toolEnd": "Read costs"},
        {"llmStart": "answering"},
        {"llmEnd": "answering"},
    )
    for event in cycle:
        yield {"answer": orjson.dumps(event).decode()}
    words = said.split(" ")
    for at in range(0, len(words), WORDS_AT_ONCE):
        last = at + WORDS_AT_ONCE >= len(words)
        yield {"answer": " ".join(words[at : at + WORDS_AT_ONCE]) + ("" if last else " ")}


ROUTES = (
    Route("POST", "/ava/v1/ask", ask_stream, "costs.read"),
    Route("POST", "/ava/v1/askSync", ask_sync, "costs.read"),
    Route("POST", "/ava/v1/feedback", give_feedback, "costs.read"),
    Route("DELETE", "/ava/v1/deleteConversation", delete_conversation, "costs.read"),
)
