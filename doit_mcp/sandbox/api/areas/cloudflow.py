"""CloudFlow: /cloudflow/v1/flows, running flows, and the event streams of building and refining them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

import jsonschema_rs
import orjson
from aiohttp import web

from .. import flow_runs
from ..costs.calendar_days import format_rfc3339
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import REFINE_BODY
from ..seeds import analytics_core
from ..seeds.flows import chain_nodes, make_action, make_node, seed_flows
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
PAYLOAD_BODY = jsonschema_rs.validator_for({"type": "object"})


def flow_records(request: ApiRequest) -> Records:
    """The tenant's flows: Cloudflow with its nodes, in order."""
    return request.tenant.collection("flows", seed_flows)


async def list_flows(request: ApiRequest) -> web.Response:
    """GET /cloudflow/v1/flows; as in the DoiT API, rowCount is always null, and so is pageToken on the last page."""
    ordered = sorted(flow_records(request).values(), key=lambda flow: (flow["createTime"], flow["id"]), reverse=True)
    rows = [{name: flow[name] for name in FLOW_FIELDS} | flow_runs.last_execution(request, flow) for flow in ordered]
    page = request.paginate(rows, 50, 500)
    return json_response({"items": page.rows, "pageToken": page.token, "rowCount": None})


async def refine_flow(request: ApiRequest) -> web.StreamResponse:
    """POST /cloudflow/v1/flows/{flowId}/actions/refine: adds a step for the question, and streams the progress."""
    _require_event_stream(request)
    flow = get_existing(flow_records(request), request.path_parameter("flowId"), "flow")
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
    check_capacity(flow_records(request), 1)
    conversation = _continue_conversation(request, body.get("conversationId"))
    step = question[:80].rstrip(".")
    flow: JsonObject = {
        **dict.fromkeys(FLOW_FIELDS),
        "id": request.tenant.new_id(),
        "name": step,
        "description": question,
        "instructions": question,
        "published": False,
        "createTime": format_rfc3339(request.now),
        "nodes": chain_nodes(
            make_node("Start", "manualTrigger", {}), make_node(step, "actionNode", make_action("DoiT", "runQuery"))
        ),
        "localVariables": [],
        "requirements": {},
        "unbound": [],
    }
    add_record(flow_records(request), flow)
    return await stream_events(request, _build_events(flow, conversation))


async def trigger_flow(request: ApiRequest) -> web.Response:
    """POST /cloudflow/v1/trigger/{flowId}: starts a run; 403 for a draft, 400 without a webhook, 409 while one runs."""
    flow = get_existing(flow_records(request), request.path_parameter("flowId"), "flow")
    payload = await request.read_body(PAYLOAD_BODY)
    if not flow["published"]:
        raise ApiError(403, "the flow is a draft: publish it first")
    if flow["triggerType"] != "webhook":
        raise bad_request("the flow has no webhook trigger")
    if flow_runs.find_active_run(request, flow["id"]) is not None:
        raise ApiError(409, "the flow is already running")
    run = flow_runs.start_run(request, flow, payload, is_test=False)
    link = analytics_core.console_url(request.tenant.customer, "cloudflow/executions", run["id"])
    return json_response({"executionLink": link}, 202)


def _require_event_stream(request: ApiRequest) -> None:
    """Raise 406 unless the Accept header includes event streams."""
    if EVENT_STREAM not in request.http_request.headers.get("Accept", ""):
        raise ApiError(406, f"this operation answers as {EVENT_STREAM}: the Accept header must include it")


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
    nodes = [*flow["nodes"], make_node(step, "actionNode", make_action("DoiT", "runQuery"))]
    flow["nodes"] = chain_nodes(*({**node, "transitions": []} for node in nodes))
    flow["updateTime"] = format_rfc3339(request.now)


def _refine_events(flow: JsonObject, step: str, conversation: str) -> Iterator[JsonObject]:
    """The events for a flow with a new step."""
    names = flow_runs.step_names(flow)
    lifecycle: tuple[JsonObject, ...] = (
        {"toolStart": f"Reading the flow {flow['name']}"},
        {"toolEnd": f"Read {len(names) - 1} steps"},
        {"llmStart": "planning"},
        {"llmEnd": "planning"},
        {"toolStart": f"Adding the step {step}"},
        {"toolEnd": f"The flow has {len(names)} steps"},
    )
    steps = "; ".join(f"{at}. {name}" for at, name in enumerate(names, 1))
    prose = f'I added the step "{step}" to {flow["name"]}. Its steps are now: {steps}. Publish it to make it run.'
    return assistant_events(conversation, lifecycle, split_prose(prose))


ROUTES = (
    Route("GET", "/cloudflow/v1/flows", list_flows, "flows.read"),
    Route("POST", "/cloudflow/v1/flows/actions/build", build_flow, "flows.write"),
    Route("POST", "/cloudflow/v1/trigger/{flowId}", trigger_flow, "flows.write"),
    Route("POST", "/cloudflow/v1/flows/{flowId}/actions/refine", refine_flow, "flows.write"),
)
