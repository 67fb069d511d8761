"""Ava, the assistant: /ava/v1. The response to every question is the customer's recent spend."""

from __future__ import annotations

from aiohttp import web

from ..costs.ledger import Ledger
from ..costs.money import to_amount
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import BOOLEAN, compile_object, object_schema, text_schema
from ..seeds.customer_account import CLOUD_NAMES
from ..tenants import ApiRequest, Records
from .cloudflow import assistant_events, split_prose, stream_events

SPEND_DAYS = 7
MAX_CONVERSATIONS, MAX_ANSWERS = 1000, 100  # conversations per tenant, answers per conversation
# Events that an assistant sends while it works.
LIFECYCLE: tuple[JsonObject, ...] = (
    {"toolStart": "Reading costs"},
    {"toolEnd": "Read costs"},
    {"llmStart": "answering"},
    {"llmEnd": "answering"},
)
QUESTION, ID = text_schema(20_000, minLength=1), text_schema(200)
QUESTION_BODY = compile_object("question", question=QUESTION, conversationId=ID)
SYNC_QUESTION_BODY = compile_object("question", question=QUESTION, conversationId=ID, ephemeral=BOOLEAN)
FEEDBACK_BODY = compile_object(
    "conversationId answerId feedback",
    conversationId=ID,
    answerId=ID,
    feedback=object_schema("positive", positive=BOOLEAN, text=text_schema(20_000)),
)


def cloud_spend(ledger: Ledger) -> list[tuple[str, int]]:
    """Micro-dollars of each cloud in the last days, highest first."""
    rows = ledger.sums(("cloud_provider",), ledger.last - SPEND_DAYS + 1, ledger.last)
    return sorted(((str(row[0]), int(row[1] or 0)) for row in rows), key=lambda item: -item[1])


def conversation_records(request: ApiRequest) -> Records:
    """The stored conversations: id, user, and answer ids with their feedback."""
    return request.tenant.collection("ava conversations", lambda tenant: ())


async def ask_stream(request: ApiRequest) -> web.StreamResponse:
    """POST /ava/v1/ask: an event stream with the conversation's id, lifecycle events and prose."""
    body = await request.read_body(QUESTION_BODY)
    conversation, _ = _continue_conversation(request, body)
    events = assistant_events(conversation["id"], LIFECYCLE, split_prose(_answer_text(request)))
    return await stream_events(request, events)


async def ask_sync(request: ApiRequest) -> web.Response:
    """POST /ava/v1/askSync: one answer; its ids are valid only if it is not ephemeral."""
    body = await request.read_body(SYNC_QUESTION_BODY)
    if body.get("ephemeral"):
        return json_response({"answer": _answer_text(request)})
    conversation, answer_id = _continue_conversation(request, body)
    return json_response({"answer": _answer_text(request), "conversationId": conversation["id"], "answerId": answer_id})


async def give_feedback(request: ApiRequest) -> web.Response:
    """POST /ava/v1/feedback on an answer of the user's own conversation."""
    body = await request.read_body(FEEDBACK_BODY)
    answers = _get_conversation(request, body["conversationId"])["answers"]
    if body["answerId"] not in answers:
        raise bad_request("answerId is not an answer of this conversation", field="answerId")
    answers[body["answerId"]] = body["feedback"]
    return web.Response()


async def delete_conversation(request: ApiRequest) -> web.Response:
    """DELETE /ava/v1/deleteConversation?conversationId=."""
    del conversation_records(request)[_get_conversation(request, request.query.get("conversationId", ""))["id"]]
    return web.Response()


def _get_conversation(request: ApiRequest, identifier: str) -> JsonObject:
    """A conversation of the user; 400 if it does not exist, because these operations declare no 404."""
    conversation = conversation_records(request).get(identifier)
    if conversation is None or conversation["user"] != request.user.email:
        raise bad_request("conversationId is not one of your conversations", field="conversationId")
    return conversation


def _continue_conversation(request: ApiRequest, body: JsonObject) -> tuple[JsonObject, str]:
    """The continued or new conversation, and the id of its next answer."""
    if not body["question"].strip():
        raise bad_request("question must not be blank", field="question")
    if body.get("conversationId"):
        conversation = _get_conversation(request, body["conversationId"])
    else:
        stored = conversation_records(request)
        while len(stored) >= MAX_CONVERSATIONS:
            del stored[next(iter(stored))]
        conversation = {"id": request.tenant.new_id(), "user": request.user.email, "answers": {}}
        stored[conversation["id"]] = conversation
    answers, identifier = conversation["answers"], request.tenant.new_id()
    while len(answers) >= MAX_ANSWERS:
        del answers[next(iter(answers))]
    answers[identifier] = None
    return conversation, identifier


def _answer_text(request: ApiRequest) -> str:
    clouds = ", ".join(
        f"{CLOUD_NAMES[cloud]} ${to_amount(cost):,.2f}" for cloud, cost in request.tenant.compute_cached(cloud_spend)
    )
    return f"In the last {SPEND_DAYS} days {request.tenant.customer.name} spent: {clouds}."


ROUTES = (
    Route("POST", "/ava/v1/ask", ask_stream, "costs.read"),
    Route("POST", "/ava/v1/askSync", ask_sync, "costs.read"),
    Route("POST", "/ava/v1/feedback", give_feedback, "costs.read"),
    Route("DELETE", "/ava/v1/deleteConversation", delete_conversation, "costs.read"),
)
