"""Runs of CloudFlow flows: starting, testing, stopping, listing and reading them."""

from __future__ import annotations

import orjson
from aiohttp import web

from .. import flow_runs
from ..idempotency import run_once
from ..listing import optional_choice, query_flag
from ..responses import ApiError, JsonObject, json_response
from ..routes import Route
from ..tenants import ApiRequest, get_existing
from . import cloudflow

PATH = "/cloudflow/v1/flows/{flowId}"
ALL_PROBLEMS = frozenset(range(400, 600)) - {429}
STARTABLE = ("webhook", "schedule", "manual")
KEYED_NODE_TYPES = {"actionNode": "operation", "codeNode": "code"}  # the parameter without which a node cannot run


async def trigger_flow(request: ApiRequest) -> web.Response:
    """POST …/actions/trigger: starts a published flow; 409 names the active run."""
    flow = _find_flow(request)
    payload = await _read_payload(request)
    if not flow["published"]:
        raise ApiError(422, "the flow is not published", code="flow_not_published")
    if flow["triggerType"] not in STARTABLE:
        raise ApiError(422, "the flow has no trigger that can be started", code="invalid_trigger_type")
    if (active := flow_runs.find_active_run(request, flow["id"])) is not None:
        return _problem_response(409, "flow_already_running", execution=flow_runs.summarize_run(active, request.now))
    run = flow_runs.start_run(request, flow, payload, is_test=False)
    return json_response(flow_runs.summarize_run(run, request.now))


async def test_run_flow(request: ApiRequest) -> web.Response:
    """POST …/actions/test-run: runs a flow, a draft too; a dry run only validates it. 422 names every invalid node."""
    flow = _find_flow(request)
    payload = await _read_payload(request)
    if details := _invalid_nodes(flow):
        return _problem_response(422, "flow_not_runnable", valid=False, details=details)

    def run(dry_run: bool) -> JsonObject:
        if dry_run:
            return {"valid": True}
        if flow_runs.find_active_run(request, flow["id"]) is not None:
            raise ApiError(409, "the flow is already running")
        return flow_runs.summarize_run(flow_runs.start_run(request, flow, payload, is_test=True), request.now)

    answer = await run_once(request, run, reused_status=422, per_path=True)
    if query_flag(request.query, "dryRun"):
        return json_response(answer)
    return json_response(answer, 202, {"Location": f"/cloudflow/v1/flows/{flow['id']}/runs/{answer['id']}"})


async def stop_run(request: ApiRequest) -> web.Response:
    """POST …/actions/stop: stops the active run; 409 without one."""
    run = flow_runs.find_active_run(request, _find_flow(request)["id"])
    if run is None:
        raise ApiError(409, "the flow is not running")
    run.update(stopped=request.now, stoppedBy=request.user.email)
    return json_response(flow_runs.summarize_run(run, request.now))


async def list_runs(request: ApiRequest) -> web.Response:
    """GET …/runs, newest first; as in the DoiT API, rowCount is always null."""
    mode = optional_choice(request.query, "mode", ("test", "standard"))
    rows = [
        run
        for run in flow_runs.list_flow_runs(request, _find_flow(request)["id"])
        if not mode or run["isTest"] == (mode == "test")
    ]
    page = request.paginate(rows, 50, 500, scope=f"{request.scope} {mode}")
    items = [flow_runs.summarize_run(run, request.now) for run in page.rows]
    return json_response({"items": items, "pageToken": page.token, "rowCount": None})


async def get_run(request: ApiRequest) -> web.Response:
    """GET …/runs/{runId}."""
    run = get_existing(flow_runs.run_records(request), request.path_parameter("runId"), "run")
    if run["flowId"] != _find_flow(request)["id"]:
        raise ApiError(404, "run not found")
    return json_response(flow_runs.describe_run(run, request.now))


def _find_flow(request: ApiRequest) -> JsonObject:
    return get_existing(cloudflow.flow_records(request), request.path_parameter("flowId"), "flow")


async def _read_payload(request: ApiRequest) -> JsonObject:
    """The payload of the trigger; {} without a body."""
    if not (await request.http_request.read()).strip():
        return {}
    return await request.read_body(cloudflow.PAYLOAD_BODY)


def _invalid_nodes(flow: JsonObject) -> list[JsonObject]:
    """Every node that cannot run, with the reason."""
    problems = [
        {"nodeId": key, "message": "the connection or table of this node is not set"} for key in flow["unbound"]
    ]
    for node in flow["nodes"]:
        name = KEYED_NODE_TYPES.get(node["type"])
        if name and not (node.get("parameters") or {}).get(name):
            problems.append({"nodeId": node["key"], "message": f"parameters.{name} is required"})
    return problems


def _problem_response(status: int, code: str, **members: object) -> web.Response:
    """An error with members besides those of all problems."""
    body = {
        "type": f"https://developer.doit.com/errors/{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": code.replace("_", " "),
        "instance": "https://api.doit.com/requests/req_sandbox",
        "code": code,
        "retryable": False,
    }
    if status == 422:
        # This answer has a schema of its own, without instance.
        del body["instance"]
    return web.Response(body=orjson.dumps(body | members), status=status, content_type="application/problem+json")


ROUTES = (
    Route("POST", PATH + "/actions/trigger", trigger_flow, "flows.write", problem_statuses=ALL_PROBLEMS),
    Route("POST", PATH + "/actions/test-run", test_run_flow, "flows.write", problem_statuses=ALL_PROBLEMS),
    Route("POST", PATH + "/actions/stop", stop_run, "flows.write", problem_statuses=ALL_PROBLEMS),
    Route("GET", PATH + "/runs", list_runs, "flows.read", problem_statuses=ALL_PROBLEMS),
    Route("GET", PATH + "/runs/{runId}", get_run, "flows.read", problem_statuses=ALL_PROBLEMS),
)
