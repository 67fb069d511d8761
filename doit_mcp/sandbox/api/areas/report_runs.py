"""Reports in the background: /analytics/v1/reports/actions/run and /analytics/v1/reports/operations."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import orjson
from aiohttp import web

from ..analytics_objects import custom_dimensions, get_record, list_records
from ..costs.calendar_days import DAY_SECONDS, format_rfc3339
from ..costs.query_engine import run_plan
from ..costs.query_plan import QueryPlan, make_plan
from ..costs.ranges import override_range
from ..idempotency import require_key
from ..listing import query_flag
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import QUERY_BODY
from ..tenants import MAX_RECORDS, ApiRequest, Records, get_existing
from .reports import list_item

OPERATIONS = "/analytics/v1/reports/operations"
RETENTION_SECONDS = DAY_SECONDS
PENDING_SECONDS = 1.0
MAX_WAIT_SECONDS = 30
SECONDS_PER_WAIT = 6
"""Age of a run, in seconds, that adds one second to Retry-After."""
FILE_TYPES = ("pdf", "png")
FILE_SECONDS = 7 * DAY_SECONDS
RANGE_PARAMETERS = ("timeRange", "startDate", "endDate")
NOT_ENROLLED = "asynchronous reports are in early access, and this account is not enrolled"


async def start_query(request: ApiRequest) -> web.Response:
    """POST /analytics/v1/reports/actions/run: 202 with the operation, an existing one if an equal run is in flight."""
    config = (await request.read_body(QUERY_BODY)).get("config") or {}
    return _start(request, {"config": config})


async def start_report(request: ApiRequest) -> web.Response:
    """POST /analytics/v1/reports/{id}/actions/run, with the time range of the query if given."""
    _check_enrollment(request)
    report = get_record(request, "report", request.path_parameter("id"))
    override = {name: request.query[name] for name in RANGE_PARAMETERS if request.query.get(name)}
    return _start(request, {"config": report["config"], "reportId": report["id"], "override": override})


async def get_operation(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/reports/operations/{operationId}: the state, with Retry-After while it runs."""
    run = _get_run(request)
    state = _run_state(request, run)
    body = _serialize(run, state) | {"expireBy": format_rfc3339(run["startTime"] + RETENTION_SECONDS)}
    if state == "failed":
        body["error"] = {
            "title": "Result too large",
            "code": "result_too_large",
            "status": 413,
            "detail": f"the result has more than {request.tenant.report_timing.max_rows} rows",
        }
    if state not in ("pending", "running"):
        return json_response(body)
    wait = min(MAX_WAIT_SECONDS, 1 + int(request.now - run["startTime"]) // SECONDS_PER_WAIT)
    return json_response(body, headers={"Retry-After": str(wait)})


async def get_results(request: ApiRequest) -> web.Response:
    """GET …/results: 425 before the run has ended, 422 if it failed or was canceled."""
    run = _get_run(request)
    state = _run_state(request, run)
    if state in ("pending", "running"):
        raise ApiError(425, "the operation has not ended yet")
    if state != "succeeded":
        raise ApiError(422, f"the operation has no results: it {'failed' if state == 'failed' else 'was canceled'}")
    body: JsonObject = {"result": run_plan(_make_plan(request, run), request.tenant.ledger)}
    report = list_records(request.tenant, "report").get(run.get("reportId", ""))
    if report is not None:
        body |= {name: value for name, value in list_item(request, report).items() if name != "labels"}
    if file_type := request.query.get("fileOutput"):
        if file_type not in FILE_TYPES:
            raise bad_request("fileOutput must be pdf or png", field="fileOutput")
        body["fileOutput"] = _file_url(request, run, file_type)
    return json_response(body)


async def cancel_operation(request: ApiRequest) -> web.Response:
    """POST …/actions/cancel: a run that has ended stays as it is."""
    require_key(request)
    run = _get_run(request)
    if _run_state(request, run) not in ("pending", "running"):
        return json_response(_serialize(run, _run_state(request, run)))
    if query_flag(request.query, "dryRun"):
        return _dry_run_response()
    run["canceled"] = True
    return json_response(_serialize(run, "canceled"))


def _start(request: ApiRequest, definition: JsonObject) -> web.Response:
    _check_enrollment(request)
    require_key(request)
    digest = hashlib.blake2b(orjson.dumps(definition, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
    run: JsonObject = {
        **definition,
        "digest": digest,
        "startTime": request.now,
        "seconds": request.tenant.report_timing.seconds,
        "today": request.today,
        "canceled": False,
    }
    _make_plan(request, run)
    if query_flag(request.query, "dryRun"):
        return _dry_run_response()
    runs = _run_records(request)
    in_flight = (item for item in runs.values() if item["digest"] == digest and _is_in_flight(request, item))
    found = next(in_flight, None)
    if found is None:
        found = {"id": request.tenant.new_id(), **run}
        if len(runs) >= MAX_RECORDS:
            del runs[next(iter(runs))]
        runs[found["id"]] = found
    state = _run_state(request, found)
    return json_response(_serialize(found, state), 202, {"Location": f"{OPERATIONS}/{found['id']}"})


def _check_enrollment(request: ApiRequest) -> None:
    if not request.tenant.customer.has_report_runs:
        raise ApiError(404, NOT_ENROLLED)


def _run_records(request: ApiRequest) -> Records:
    """The tenant's runs, oldest first, without expired ones."""
    runs = request.tenant.collection("report runs", lambda tenant: ())
    for identifier in [key for key, run in runs.items() if run["startTime"] <= request.now - RETENTION_SECONDS]:
        del runs[identifier]
    return runs


def _get_run(request: ApiRequest) -> JsonObject:
    return get_existing(_run_records(request), request.path_parameter("operationId"), "operation")


def _is_in_flight(request: ApiRequest, run: JsonObject) -> bool:
    return not run["canceled"] and request.now - run["startTime"] < run["seconds"]


def _run_state(request: ApiRequest, run: JsonObject) -> str:
    if run["canceled"]:
        return "canceled"
    if _is_in_flight(request, run):
        return "pending" if request.now - run["startTime"] < PENDING_SECONDS else "running"
    if "failed" not in run:
        rows = run_plan(_make_plan(request, run), request.tenant.ledger)["rows"]
        run["failed"] = len(rows) > request.tenant.report_timing.max_rows
    return "failed" if run["failed"] else "succeeded"


def _make_plan(request: ApiRequest, run: JsonObject) -> QueryPlan:
    plan = make_plan(run["config"], run["today"], custom_dimensions(request.tenant))
    range_ = override_range(run.get("override", {}), run["today"])
    return plan if range_ is None else replace(plan, range=range_)


def _serialize(run: JsonObject, state: str) -> JsonObject:
    return {"operationId": run["id"], "status": state, "createTime": format_rfc3339(run["startTime"])}


def _dry_run_response() -> web.Response:
    return json_response({"status": "dry_run"}, headers={"X-Dry-Run": "true"})


def _file_url(request: ApiRequest, run: JsonObject, file_type: str) -> str:
    """A link that looks like a signed one. The sandbox makes no files."""
    signature = hashlib.blake2b(f"{run['id']}/{file_type}/{request.now}".encode(), digest_size=32).hexdigest()
    path = f"{request.tenant.customer.id}/{run['id']}.{file_type}"
    return f"https://files.doit.example/reports/{path}?X-Goog-Expires={FILE_SECONDS}&X-Goog-Signature={signature}"


ROUTES = (
    Route("POST", "/analytics/v1/reports/actions/run", start_query, "costs.read"),
    Route("POST", "/analytics/v1/reports/{id}/actions/run", start_report, "costs.read"),
    Route("GET", OPERATIONS + "/{operationId}", get_operation, "costs.read"),
    Route("GET", OPERATIONS + "/{operationId}/results", get_results, "costs.read"),
    Route("POST", OPERATIONS + "/{operationId}/actions/cancel", cancel_operation, "costs.read"),
)
