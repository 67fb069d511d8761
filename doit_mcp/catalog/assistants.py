"""Tools that call the CloudFlow and Ava assistants: they read event streams, report progress and return one result."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

from ..api.areas import ava
from ..api.areas.cloudflow import ConversationId, Instruction
from ..api.error_reasons import clean_text
from ..api.errors import ApiError
from ..api.facts import ASKS_BY_ARGUMENTS
from ..api.markers import TEXT_WITH_LINKS
from ..api.parameters import Id
from ..protocol.json_schema import Length
from ..protocol.jsonrpc import JsonObject, parse_json_object
from .call import Call
from .tools.composed import composed_tool

LIFECYCLE_EVENTS = ("toolStart", "toolEnd", "llmStart", "llmEnd", "customEvent")
MAX_STEPS = 100
MAX_STEP_CHARACTERS = 200


class FlowReply(TypedDict, total=False):
    """The reply of a CloudFlow assistant."""

    answer: Annotated[str, "Its reply; may be a question."]
    conversationId: Annotated[str, "Pass it to continue the conversation."]
    flowId: str
    steps: Annotated[list[str], "Its steps, in order."]
    complete: Annotated[bool, "false: the connection ended before the work was done."]
    next: Annotated[str, "How to continue, if incomplete."]


class AvaReply(TypedDict, total=False):
    """The reply of Ava."""

    answer: str
    conversationId: Annotated[str, "Pass it to continue the conversation."]
    steps: Annotated[list[str], "Ava's steps, in order."]
    complete: Annotated[bool, "false: the connection ended before the answer was complete."]
    next: Annotated[str, "How to continue, if incomplete."]


@dataclass(slots=True)
class AssistantProgress:
    """What an event stream has delivered so far."""

    flow_id: str
    conversation_id: str = ""
    answer_parts: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def add_event(self, event: JsonObject) -> str | None:
        """Record an event and return the description of the step that it starts, if any.

        Raises ApiError for an error event.
        """
        if isinstance(error := event.get("error"), str):
            raise ApiError(clean_text(error), kind="fault", maybe_applied=True)
        if conversation_id := event.get("conversationId"):
            self.conversation_id = str(conversation_id)
        answer = event.get("answer")
        if not isinstance(answer, str):
            return None
        lifecycle_event = parse_lifecycle_event(answer)
        if lifecycle_event is None:
            self.answer_parts.append(answer)
            return None
        if flow_id := created_flow_id(lifecycle_event):
            self.flow_id = flow_id
        step = lifecycle_event.get("toolStart")
        if not isinstance(step, str) or not step.strip() or len(self.steps) >= MAX_STEPS:
            return None
        self.steps.append(step.strip()[:MAX_STEP_CHARACTERS])
        return self.steps[-1]

    def result(self) -> JsonObject:
        """Return the tool result for what has arrived."""
        answer = "".join(self.answer_parts).strip()
        result: JsonObject = {"answer": answer, "flowId": self.flow_id, "steps": self.steps}
        return result | ({"conversationId": self.conversation_id} if self.conversation_id else {})


@composed_tool(
    area="cloudflow",
    writes=True,
    destructive=True,
    confirm=ASKS_BY_ARGUMENTS,
    preview_with=None,
    targets=("flowId",),
    undone_by="nothing",
    no_undo="No call restores the former version of a flow. refine_cloudflow can describe it again.",
    default_list=False,
)
async def refine_cloudflow(
    call: Call,
    *,
    flowId: Annotated[Id, "Id of the flow to change, from list_cloudflows."],
    question: Instruction,
    conversationId: Annotated[ConversationId | None, Length(1, 500)] = None,
) -> Annotated[JsonObject, FlowReply]:
    """Change a CloudFlow automation by describing what it should do: an assistant edits its steps. Takes a minute or
    more and may ask a question, without saving anything; answer it with the same conversationId. The flow changes while
    the assistant works: compare export_cloudflow before and after."""
    await call.run_in_background()
    events = call.doit.cloudflow.refine_cloudflow(flowId=flowId, **question_body(question, conversationId))
    progress = AssistantProgress(flowId, conversationId or "")
    return await follow_stream(
        call, events, progress, "Check the flow before you ask again; then call refine_cloudflow"
    )


@composed_tool(
    area="cloudflow",
    title="Build CloudFlow",
    writes=True,
    confirm=ASKS_BY_ARGUMENTS,
    undone_by="nothing",
    no_undo="No tool deletes a flow. A new one is a draft: it does nothing until it is published.",
    default_list=False,
)
async def build_cloud_flow(
    call: Call,
    *,
    question: Annotated[str, "What the flow should do, in plain words.", Length(1, 20_000), TEXT_WITH_LINKS],
    conversationId: Annotated[ConversationId | None, Length(1, 500)] = None,
) -> Annotated[JsonObject, FlowReply]:
    """Create a CloudFlow automation by describing what it should do: an assistant builds its steps. Takes a few minutes
    and may ask a question; answer it with the same conversationId. Each call creates a draft, even if it is
    interrupted: to change a flow, use refine_cloudflow. Check the draft with export_cloudflow and test_cloudflow;
    get_cloudflow_guide explains how."""
    await call.run_in_background()
    events = call.doit.cloudflow.build_cloud_flow(**question_body(question, conversationId))
    progress = AssistantProgress("", conversationId or "")
    return await follow_stream(
        call, events, progress, "Check list_cloudflows before you ask again; then call refine_cloudflow"
    )


@composed_tool(
    title="Ask Ava with progress",
    area="ava",
    writes=True,
    confirm=False,
    undone_by="nothing",
    default_list=False,
    open_world=False,
)
async def ask_ava_streaming(
    call: Call, *, question: ava.Question, conversationId: ava.ConversationId | None = None
) -> Annotated[JsonObject, AvaReply]:
    """Ask Ava, DoiT's assistant, in plain words, with progress updates. The conversation is stored; continue it with
    its id. For a single question, use ask_ava_sync."""
    await call.run_in_background()
    events = call.doit.ava.ask_ava_streaming(**question_body(question, conversationId))
    progress = AssistantProgress("", conversationId or "")
    result = await follow_stream(call, events, progress, "Ask again with ask_ava_streaming")
    return {name: value for name, value in result.items() if name != "flowId"}


def question_body(question: str, conversation_id: str | None) -> Any:
    """Return the request body for a question."""
    return {"question": question} | ({"conversationId": conversation_id} if conversation_id else {})


async def follow_stream(
    call: Call, stream: AsyncGenerator[JsonObject, None], progress: AssistantProgress, next_step: str
) -> JsonObject:
    """Read *stream* to its end and return the result.

    If the stream breaks off after its first event, returns what arrived, with *next_step* as the way to continue.
    Raises ApiError if it fails before the first event or ends without any text or step.
    """
    started = False
    try:
        async with aclosing(stream) as events:
            async for event in events:
                step = progress.add_event(event)
                started = True
                if step:
                    await call.report_progress(len(progress.steps), message=step)
    except ApiError as error:
        if not started:
            raise
        return incomplete_result(progress, error, next_step)
    if not progress.answer_parts and not progress.steps:
        raise ApiError("the assistant returned no text", kind="answer", maybe_applied=True)
    return progress.result() | {"complete": True}


def incomplete_result(progress: AssistantProgress, error: ApiError, next_step: str) -> JsonObject:
    """Return what arrived before the stream broke off, and how to continue."""
    cause = "the call reached its time limit" if error.kind == "timeout" else error.reason or "the connection ended"
    flow = f" for flow {progress.flow_id}" if progress.flow_id else ""
    conversation = f" with conversationId {progress.conversation_id}" if progress.conversation_id else ""
    return progress.result() | {
        "complete": False,
        "next": f"Incomplete: {cause} while the assistant was still working; it may continue. {next_step}{flow}{conversation}.",
    }


def parse_lifecycle_event(text: str) -> JsonObject | None:
    """Return the lifecycle event in an event's text; None for text of the assistant, even if that text is JSON."""
    if not text.startswith("{"):
        return None
    value = parse_json_object(text)
    return value if value is not None and any(name in value for name in LIFECYCLE_EVENTS) else None


def created_flow_id(event: JsonObject) -> str:
    """Return the id of the flow whose creation a lifecycle event reports; "" for other events."""
    custom_event = event.get("customEvent")
    if not isinstance(custom_event, dict) or custom_event.get("messageId") != "cloudflow_created":
        return ""
    data = custom_event.get("data")
    return str(data.get("flowId") or "") if isinstance(data, dict) else ""
