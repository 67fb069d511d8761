"""CloudFlow: /cloudflow/v1/flows, and refining a flow, which answers as an event stream."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import orjson
from aiohttp import web

from .. import listing, seeds
from ..answers import JsonObject, Refusal, answer, bad
from ..costs.calendar_days import rfc3339
from ..routes import Route
from ..schemas import REFINE_BODY
from ..tenants import Ask, Records, existing

EVENT_STREAM = "text/event-stream"
CONVERSATIONS = 1000  # remembered by a tenant
WORDS_AT_ONCE = 8  # how much prose an event of the stream brings
PACE = 0.02  # seconds between events: the real ones come one by one, too
SHOWN = (
    "id name description instructions published triggerType createTime updateTime lastExecutedTime"
    " lastExecutionStatus nextRun".split()
)
INSTRUCTIONS_LIMIT = 20_000


def records(ask: Ask) -> Records:
    """The tenant's flows: Cloudflow with its steps, the names of its nodes in order."""
    return ask.tenant.collection("flows", seeds.flows)


async def list_flows(ask: Ask) -> web.Response:
    """GET /cloudflow/v1/flows; rowCount is always null here, and pageToken on the last page."""
    found = sorted(records(ask).values(), key=lambda flow: (flow["createTime"], flow["id"]), reverse=True)
    rows = [{name: flow[name] for name in SHOWN} for flow in found]
    page = listing.page(rows, ask.query.get("pageToken", ""), ask.page_size(50, 500), scope=ask.scope)
    return answer({"items": page.rows, "pageToken": page.token, "rowCount": None})


async def refine_flow(ask: Ask) -> web.StreamResponse:
    """POST /cloudflow/v1/flows/{flowId}/actions/refine: adds a step for what is asked, and tells of it as it goes."""
    if EVENT_STREAM not in ask.request.headers.get("Accept", ""):
        raise Refusal(406, f"this operation answers as {EVENT_STREAM}: the Accept header has to name it")
    flow = existing(records(ask), ask.part("flowId"), "flow")
    body = await ask.body(REFINE_BODY)
    question = " ".join(body["question"].split())
    if not question:
        raise bad("question must not be blank", field="question")
    conversation = _conversation(ask, body.get("conversationId"))
    step = question[:80].rstrip(".")
    _extend(ask, flow, question, step)
    response = web.StreamResponse(headers={"Cache-Control": "no-cache", "Content-Type": EVENT_STREAM})
    await response.prepare(ask.request)
    for event in _events(flow, step, conversation):
        await response.write(b"data: " + orjson.dumps(event) + b"\n\n")
        await asyncio.sleep(PACE)
    await response.write_eof()
    return response


def _conversation(ask: Ask, wanted: str | None) -> str:
    """The conversation to go on with, or a new one."""
    known = ask.tenant.collection("conversations", lambda tenant: ())
    if wanted:
        return str(existing(known, wanted, "conversation")["id"])
    while len(known) >= CONVERSATIONS:
        del known[next(iter(known))]
    identifier = ask.tenant.new_id()
    known[identifier] = {"id": identifier}
    return identifier


def _extend(ask: Ask, flow: JsonObject, question: str, step: str) -> None:
    """The flow with one step more; what was asked becomes part of its instructions."""
    said = "\n".join(part for part in (flow["instructions"], question) if part)
    if len(said) > INSTRUCTIONS_LIMIT:
        raise bad(f"question: the flow's instructions would exceed {INSTRUCTIONS_LIMIT} characters", field="question")
    flow["instructions"] = said
    flow["steps"] = [*flow["steps"], step]
    flow["updateTime"] = rfc3339(ask.now)


def _events(flow: JsonObject, step: str, conversation: str) -> Iterator[JsonObject]:
    """What the stream says: the conversation, then life-cycle events as JSON in ``answer``, then prose."""
    yield {"conversationId": conversation}
    cycle: tuple[JsonObject, ...] = (
        {"toolStart": f"Reading the flow {flow['name']}"},
        {"toolEnd": f"Read {len(flow['steps']) - 1} steps"},
        {"llmStart": "planning"},
        {"llmEnd": "planning"},
        {"toolStart": f"Adding the step {step}"},
        {"toolEnd": f"The flow has {len(flow['steps'])} steps"},
    )
    for event in cycle:
        yield {"answer": orjson.dumps(event).decode()}
    steps = "; ".join(f"{at}. {name}" for at, name in enumerate(flow["steps"], 1))
    words = f'I added the step "{step}" to {flow["name"]}. Its steps are now: {steps}. Publish it to make it run.'
    parts = words.split(" ")
    for at in range(0, len(parts), WORDS_AT_ONCE):
        last = at + WORDS_AT_ONCE >= len(parts)
        yield {"answer": " ".join(parts[at : at + WORDS_AT_ONCE]) + ("" if last else " ")}


ROUTES = (
    Route("GET", "/cloudflow/v1/flows", list_flows, "flows.read"),
    Route("POST", "/cloudflow/v1/flows/{flowId}/actions/refine", refine_flow, "flows.write"),
)
