"""The assistants of CloudFlow and Ava: a stream of events, followed with progress and summed up as one answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

import orjson

from ..api.areas import ava
from ..api.areas.cloudflow import Conversation, Question
from ..api.error_reasons import clean
from ..api.errors import ApiError
from ..api.markers import MENTIONS
from ..api.parameters import Id
from ..protocol.json_schema import Length
from ..protocol.jsonrpc import JsonObject
from .call import Call

LIFECYCLE = ("toolStart", "toolEnd", "llmStart", "llmEnd", "customEvent")
MOST_STEPS = 100
MOST_STEP = 200


class Refined(TypedDict, total=False):
    """What the assistant said and did."""

    answer: Annotated[str, "What it says; it may ask something back."]
    conversationId: Annotated[str, "Give this to go on with the conversation."]
    flowId: str
    steps: Annotated[list[str], "What it did, in order."]
    complete: Annotated[bool, "false: the connection ended before the work did."]
    next: Annotated[str, "How to go on, if it is not complete."]


class Answered(TypedDict, total=False):
    """What Ava said."""

    answer: str
    conversationId: Annotated[str, "Give this to go on with the conversation."]
    steps: Annotated[list[str], "What she did, in order."]
    complete: Annotated[bool, "false: the connection ended before the answer did."]
    next: Annotated[str, "How to go on, if it is not complete."]


@dataclass(slots=True)
class Progress:
    """What has come of a stream so far."""

    flow: str
    conversation: str = ""
    said: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def take(self, event: JsonObject) -> str | None:
        """Take in one event; the words for a step that begins. Raises ApiError for an error among the events."""
        if isinstance(error := event.get("error"), str):
            raise ApiError(clean(error), kind="fault", maybe_applied=True)
        if conversation := event.get("conversationId"):
            self.conversation = str(conversation)
        answer = event.get("answer")
        if not isinstance(answer, str):
            return None
        life = lifecycle(answer)
        if life is None:
            self.said.append(answer)
            return None
        if flow := created_flow(life):
            self.flow = flow
        step = life.get("toolStart")
        if not isinstance(step, str) or not step.strip() or len(self.steps) >= MOST_STEPS:
            return None
        self.steps.append(step.strip()[:MOST_STEP])
        return self.steps[-1]

    def result(self) -> JsonObject:
        """What the tool answers with."""
        found: JsonObject = {"answer": "".join(self.said).strip(), "flowId": self.flow, "steps": self.steps}
        return found | ({"conversationId": self.conversation} if self.conversation else {})


async def refine_cloudflow(
    call: Call,
    *,
    flowId: Annotated[Id, "Id of the flow."],
    question: Question,
    conversationId: Annotated[Conversation | None, Length(1, 500)] = None,
) -> Annotated[JsonObject, Refined]:
    """Change a CloudFlow automation by describing what it should do: an assistant edits the flow's steps. It takes up
    to a minute or more and may ask back; answer with the same conversationId. The flow is changed as it goes on."""
    await call.background()
    events = call.doit.cloudflow.refine_cloudflow(flowId=flowId, **asked(question, conversationId))
    so_far = Progress(flowId, conversationId or "")
    return await followed(call, events, so_far, "Look at the flow before asking again; then call refine_cloudflow")


async def build_cloud_flow(
    call: Call,
    *,
    question: Annotated[str, "What the flow should do, in plain words.", Length(1, 20_000), MENTIONS],
    conversationId: Annotated[Conversation | None, Length(1, 500)] = None,
) -> Annotated[JsonObject, Refined]:
    """Make a new CloudFlow automation by describing what it should do: an assistant builds its steps. It takes some
    minutes and may ask back; answer with the same conversationId. To change a flow use refine_cloudflow."""
    await call.background()
    events = call.doit.cloudflow.build_cloud_flow(**asked(question, conversationId))
    so_far = Progress("", conversationId or "")
    return await followed(call, events, so_far, "See list_cloudflows before asking again; then call refine_cloudflow")


async def ask_ava_streaming(
    call: Call, *, question: ava.Question, conversationId: ava.ConversationId | None = None
) -> Annotated[JsonObject, Answered]:
    """Ask Ava, DoiT's assistant, in plain words; what she does meanwhile is reported as progress. The conversation is
    kept: go on with its id. For one question without a conversation use ask_ava_sync."""
    await call.background()
    events = call.doit.ava.ask_ava_streaming(**asked(question, conversationId))
    found = await followed(call, events, Progress("", conversationId or ""), "Ask again with ask_ava_streaming")
    return {name: value for name, value in found.items() if name != "flowId"}


def asked(question: str, conversation: str | None) -> Any:
    """The body of a question."""
    return {"question": question} | ({"conversationId": conversation} if conversation else {})


async def followed(call: Call, stream: AsyncGenerator[JsonObject, None], so_far: Progress, how: str) -> JsonObject:
    """The result of a *stream* that was followed to its end, or as far as it came; *how* to go on then."""
    began = False
    try:
        async with aclosing(stream) as events:
            async for event in events:
                step = so_far.take(event)
                began = True
                if step:
                    await call.progress(len(so_far.steps), message=step)
    except ApiError as error:
        if not began:
            raise
        return unfinished(so_far, error, how)
    if not so_far.said and not so_far.steps:
        raise ApiError("the assistant said nothing", kind="answer", maybe_applied=True)
    return so_far.result() | {"complete": True}


def unfinished(so_far: Progress, error: ApiError, how: str) -> JsonObject:
    """What has come until the stream ended too early, and how to go on."""
    why = "the time for one call was over" if error.kind == "timeout" else error.reason or "the connection ended"
    flow = f" for flow {so_far.flow}" if so_far.flow else ""
    again = f" with conversationId {so_far.conversation}" if so_far.conversation else ""
    return so_far.result() | {
        "complete": False,
        "next": f"Incomplete: {why} while the assistant was at work, which may go on. {how}{flow}{again}.",
    }


def lifecycle(text: str) -> JsonObject | None:
    """The life-cycle event in an answer's text; None for what the assistant says, even if that is JSON."""
    if not text.startswith("{"):
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) and any(name in value for name in LIFECYCLE) else None


def created_flow(event: JsonObject) -> str:
    """The id that a life-cycle event gives to a new flow; "" if it is about something else."""
    custom = event.get("customEvent")
    if not isinstance(custom, dict) or custom.get("messageId") != "cloudflow_created":
        return ""
    data = custom.get("data")
    return str(data.get("flowId") or "") if isinstance(data, dict) else ""
