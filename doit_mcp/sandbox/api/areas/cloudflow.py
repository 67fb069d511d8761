"""CloudFlow: /cloudflow/v1/flows, running flows, and the event streams of building and refining them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

import jsonschema_rs
import orjson
from aiohttp import web

from ..costs.calendar_days import rfc3339
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import REFINE_BODY
from ..seeds import analytics_core
from ..tenants import ApiRequest, Records, add_record, check_capacity, get_existing

EVENT_STREAM = "text/event-stream"
MAX_CONVERSATIONS = 1000  # per tenant
WORDS_PER_EVENT = 8  # words of prose per event of the stream
EVENT_INTERVAL_SECONDS = 0.02  # between events, because real streams are not instantaneous
FLOW_FIELDS = (
    "id name description instructions published triggerType createTime updateTime lastExecutedTime"
    " lastExecutionStatus nextRun".split()
)
MAX_INSTRUCTIONS_LENGTH = 20_000
RUN_SECONDS = 60  # duration of a run
PAYLOAD_BODY = jsonschema_rs.validator_for({"type": "object"})


def records(request: ApiRequest) -> Records:
    """The tenant's flows: Cloudflow with its steps, the names of its nodes in order."""
    return request.tenant.collection("flows", analytics_core.flows)


async def list_flows(request: ApiRequest) -> web.Response:
    """GET /cloudflow/v1/flows; as in the DoiT API, rowCount is always null, and so is pageToken on the last page."""
    flows = sorted(records(request).values(), key=lambda flow: (flow["createTime"], flow["id"]), reverse=True)
    rows = [
        {name: flow[name] for name in FLOW_FIELDS} | {"lastExecutionStatus": _run_status(request, flow)}
        for flow in flows
    ]
    page = request.paginate(rows, 50, 500)
    return json_response({"items": page.rows, "pageToken": page.token, "rowCount": None})


async def refine_flow(request: ApiRequest) -> web.StreamResponse:
    """POST /cloudflow/v1/flows/{flowId}/actions/refine: adds a step for the question, and streams the progress."""
    _require_event_stream(request)
    flow = get_existing(records(request), request.path_parameter("flowId"), "flow")
    body = await request.read_body(REFINE_BODY)
    question = " ".join(body["question"].split())
    if not question:
        raise bad_request("question must not be blank", field="question")
    conversation = _continue_conversation(request, body.get("conversationId"))
    step = question[:80].rstrip(".")
    _add_step(request, flow, question, step)
    return await stream_events(request, _refine_events(flow, step, conversation))


async def build_flow(request: ApiRequest) -> web.StreamResponse:
    """POST /cloudflow/v1/flows/actions/build: creates a draft with one step; the event cloudflow_created reports it."""
    _require_event_stream(request)
    body = await request.read_body(REFINE_BODY)
    question = " ".join(body["question"].split())
    if not question or len(question) > MAX_INSTRUCTIONS_LENGTH:
        raise bad_request(f"question must have between 1 and {MAX_INSTRUCTIONS_LENGTH} characters", field="question")
    check_capacity(records(request), 1)
    conversation = _continue_conversation(request, body.get("conversationId"))
    step = question[:80].rstrip(".")
    flow: JsonObject = {
        **dict.fromkeys(FLOW_FIELDS),
        "id": request.tenant.new_id(),
        "name": step,
        "description": question,
        "instructions": question,
        "published": False,
        "createTime": rfc3339(request.now),
        "steps": [step],
    }
    add_record(records(request), flow)
    return await stream_events(request, _build_events(flow, conversation))


async def trigger_flow(request: ApiRequest) -> web.Response:
    """POST /cloudflow/v1/trigger/{flowId}: starts a run of RUN_SECONDS; 409 while one is running."""
    flow = get_existing(records(request), request.path_parameter("flowId"), "flow")
    await request.read_body(PAYLOAD_BODY)
    if _run_status(request, flow) == "running":
        raise ApiError(409, "the flow is already running")
    flow.update(
        lastExecutedTime=rfc3339(request.now), lastExecutionStatus="complete", runs_until=request.now + RUN_SECONDS
    )
    link = analytics_core.console_url(request.tenant.customer, "cloudflow/executions", request.tenant.new_id())
    return json_response({"executionLink": link}, 202)


def _require_event_stream(request: ApiRequest) -> None:
    """Raise 406 unless the Accept header includes event streams."""
    if EVENT_STREAM not in request.http_request.headers.get("Accept", ""):
        raise ApiError(406, f"this operation answers as {EVENT_STREAM}: the Accept header must include it")


def _run_status(request: ApiRequest, flow: JsonObject) -> str | None:
    """The status of the last run, "running" until it ends."""
    status: str | None = flow["lastExecutionStatus"]
    return "running" if flow.get("runs_until", 0) > request.now else status


async def stream_events(request: ApiRequest, events: Iterator[JsonObject]) -> web.StreamResponse:
    """Send the events as an event stream, one at a time."""
    response = web.StreamResponse(headers={"Cache-Control": "no-cache", "Content-Type": EVENT_STREAM})
    await response.prepare(request.http_request)
    for event in events:
        await response.write(b"data: " + orjson.dumps(event) + b"\n\n")
        await asyncio.sleep(EVENT_INTERVAL_SECONDS)
    await response.write_eof()
    return response


def assistant_events(conversation: str, lifecycle: Iterable[JsonObject], parts: Iterable[str]) -> Iterator[JsonObject]:
    """The events of a response: the conversation, *lifecycle* as JSON in ``answer``, then the parts of the prose."""
    yield {"conversationId": conversation}
    for event in lifecycle:
        yield {"answer": orjson.dumps(event).decode()}
    for part in parts:
        yield {"answer": part}


def split_prose(text: str) -> Iterator[str]:
    """The text in parts of WORDS_PER_EVENT words."""
    words = text.split(" ")
    for at in range(0, len(words), WORDS_PER_EVENT):
        last = at + WORDS_PER_EVENT >= len(words)
        yield " ".join(words[at : at + WORDS_PER_EVENT]) + ("" if last else " ")


def _build_events(flow: JsonObject, conversation: str) -> Iterator[JsonObject]:
    """The events for a new flow."""
    lifecycle: tuple[JsonObject, ...] = (
        {"llmStart": "planning"},
        {"llmEnd": "planning"},
        {"toolStart": f"Creating the flow {flow['name']}"},
        {"customEvent": {"messageId": "cloudflow_created", "data": {"flowId": flow["id"]}}},
        {"toolEnd": "Created it with 1 step"},
    )
    prose = f"I made the flow {flow['name']} as a draft. Publish it to make it run."
    return assistant_events(conversation, lifecycle, [prose])


def _continue_conversation(request: ApiRequest, conversation_id: str | None) -> str:
    """The requested conversation, or a new one."""
    conversations = request.tenant.collection("conversations", lambda tenant: ())
    if conversation_id:
        return str(get_existing(conversations, conversation_id, "conversation")["id"])
    while len(conversations) >= MAX_CONVERSATIONS:
        del conversations[next(iter(conversations))]
    identifier = request.tenant.new_id()
    conversations[identifier] = {"id": identifier}
    return identifier


def _add_step(request: ApiRequest, flow: JsonObject, question: str, step: str) -> None:
    """Add a step to the flow, with the question as part of its instructions."""
    instructions = "\n".join(part for part in (flow["instructions"], question) if part)
    if len(instructions) > MAX_INSTRUCTIONS_LENGTH:
        raise bad_request(
            f"question: the flow's instructions would exceed {MAX_INSTRUCTIONS_LENGTH} characters", field="question"
        )
    flow["instructions"] = instructions
    flow["steps"] = [*flow["steps"], step]
    flow["updateTime"] = rfc3339(request.now)


def _refine_events(flow: JsonObject, step: str, conversation: str) -> Iterator[JsonObject]:
    """The events for a flow with a new step."""
    lifecycle: tuple[JsonObject, ...] = (
        {"toolStart": f"Reading the flow {flow['name']}"},
        {"toolEnd": f"Read {len(flow['steps']) - 1} steps"},
        {"llmStart": "planning"},
        {"llmEnd": "planning"},
        {"toolStart": f"Adding the step {step}"},
        {"toolEnd": f"The flow has {len(flow['steps'])} steps"},
    )
    steps = "; ".join(f"{at}. {name}" for at, name in enumerate(flow["steps"], 1))
    prose = f'I added the step "{step}" to {flow["name"]}. Its steps are now: {steps}. Publish it to make it run.'
    return assistant_events(conversation, lifecycle, split_prose(prose))


ROUTES = (
    Route("GET", "/cloudflow/v1/flows", list_flows, "flows.read"),
    Route("POST", "/cloudflow/v1/flows/actions/build", build_flow, "flows.write"),
    Route("POST", "/cloudflow/v1/trigger/{flowId}", trigger_flow, "flows.write"),
    Route("POST", "/cloudflow/v1/flows/{flowId}/actions/refine", refine_flow, "flows.write"),
)
