"""Saved reports and ad hoc queries: /analytics/v1/reports."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from .. import listing
from ..analytics_objects import (
    ROOT,
    check_folder,
    check_labels,
    custom_dimensions,
    find_owner,
    get_record,
    list_labels,
    list_visible_records,
    remove_object,
    set_labels,
)
from ..analytics_objects import list_records as object_records
from ..costs.dimensions import make_response_form
from ..costs.query_engine import run_plan
from ..costs.query_plan import make_plan
from ..costs.ranges import override_range
from ..faults import edge_timeout_response
from ..responses import ApiError, JsonObject, json_response
from ..routes import Route
from ..schemas import NEW_REPORT, QUERY_BODY, REPORT_CHANGES
from ..seeds import analytics_core
from ..tenants import ApiRequest, Records, add_record, newest_first

FILTERS = ("reportName", "owner", "type", "updateTime", "folderId")
REPORT_FIELDS = ("id", "name", "description", "type", "config", "folderId")  # members of ExternalReport
DIMENSION_PARTS = ("filters", "group", "dimensions")  # parts of a configuration that refer to dimensions


def report_records(request: ApiRequest) -> Records:
    """The tenant's reports: ExternalReport with owner and times."""
    return object_records(request.tenant, "report")


async def run_query(request: ApiRequest) -> web.Response:
    """POST /analytics/v1/reports/query."""
    body = await request.read_body(QUERY_BODY)
    plan = make_plan(body.get("config") or {}, request.today, custom_dimensions(request.tenant))
    if not await request.tenant.report_timing.wait():
        return edge_timeout_response()
    return json_response({"result": run_plan(plan, request.tenant.ledger)})


async def list_reports(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/reports, latest first."""
    criteria = listing.parse_filter(request.query.get("filter", ""), FILTERS)
    reports = listing.filter_by_name(request.query, newest_first(list_visible_records(request, "report")), "name")
    reports = listing.filter_rows(listing.filter_by_creation(request.query, reports), criteria, _field_text)
    rows = [list_item(request, report) for report in reports]
    page = request.paginate(rows)
    return json_response(request.list_body("reports", page))


async def get_report(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/reports/{id}: runs the report, with the time range of the query if given."""
    report = get_record(request, "report", request.path_parameter("id"))
    plan = make_plan(report["config"], request.today, custom_dimensions(request.tenant))
    range_ = override_range(request.query, request.today)
    if range_ is not None:
        plan = replace(plan, range=range_)
    if not await request.tenant.report_timing.wait():
        return edge_timeout_response()
    return json_response(list_item(request, report) | {"result": run_plan(plan, request.tenant.ledger)})


async def get_report_config(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/reports/{id}/config."""
    return json_response(_serialize(request, get_record(request, "report", request.path_parameter("id"))))


async def create_report(request: ApiRequest) -> web.Response:
    """POST /analytics/v1/reports."""
    body = await request.read_body(NEW_REPORT)
    report: JsonObject = {
        "id": request.tenant.new_id(),
        "name": body["name"],
        "description": body.get("description", ""),
        "type": "custom",
        "config": _merge_config({}, body.get("config") or {}),
        "folderId": body.get("folderId") or ROOT,
        "owner": request.user.email,
        "createTime": request.now_milliseconds,
        "updateTime": request.now_milliseconds,
    }
    _check_report(request, report, body.get("labels"))
    add_record(report_records(request), report)
    set_labels(request.tenant, "report", report["id"], body.get("labels") or ())
    return json_response(_serialize(request, report), 201)


async def update_report(request: ApiRequest) -> web.Response:
    """PATCH /analytics/v1/reports/{id}: omitted members stay unchanged, also within the configuration."""
    report = _get_writable(request)
    body = await request.read_body(REPORT_CHANGES)
    labels = body.pop("labels", None)
    changed = {**report, **body, "updateTime": request.now_milliseconds}
    changed["config"] = _merge_config(report["config"], body.get("config") or {})
    _check_report(request, changed, labels)
    report_records(request)[report["id"]] = changed
    if labels is not None:
        set_labels(request.tenant, "report", report["id"], labels)
    return json_response(_serialize(request, changed))


async def delete_report(request: ApiRequest) -> web.Response:
    """DELETE /analytics/v1/reports/{id}."""
    report = _get_writable(request)
    remove_object(request.tenant, "report", report["id"])
    return json_response({})


def _get_writable(request: ApiRequest) -> JsonObject:
    """The report, if the user can change it; presets are read-only."""
    report = get_record(request, "report", request.path_parameter("id"))
    if report["type"] != "custom":
        raise ApiError(403, f"a {report['type']} report cannot be changed or deleted")
    return get_record(request, "report", report["id"], "editor")


def _merge_config(before: JsonObject, changes: JsonObject) -> JsonObject:
    """The changed configuration, in the form of responses; null clears a member."""
    config = {name: value for name, value in {**before, **changes}.items() if value is not None}
    for part in DIMENSION_PARTS:
        if part in config:
            config[part] = [make_response_form(item) for item in config[part]]
    if config.get("metricFilter"):
        config["metricFilter"] = {"operand": "single_value", **config["metricFilter"]}
    if config.get("timeRange", {}).get("mode") == "custom":
        config["timeRange"] = {"mode": "custom"}
    return config


def _check_report(request: ApiRequest, report: JsonObject, labels: list[str] | None) -> None:
    """Raise 400 for a report that cannot run or that refers to unknown objects."""
    make_plan(report["config"], request.today, custom_dimensions(request.tenant))
    check_labels(request.tenant, labels or ())
    report["folderId"] = check_folder(request.tenant, report["folderId"])


def _serialize(request: ApiRequest, report: JsonObject) -> JsonObject:
    labels = [label["id"] for label in list_labels(request.tenant, "report", report["id"])]
    return {name: report[name] for name in REPORT_FIELDS} | {"labels": labels}


def list_item(request: ApiRequest, report: JsonObject) -> JsonObject:
    """A report as lists and results show it."""
    return {
        "id": report["id"],
        "reportName": report["name"],
        "owner": find_owner(report),
        "type": report["type"],
        "createTime": report["createTime"],
        "updateTime": report["updateTime"],
        "urlUI": analytics_core.console_url(request.tenant.customer, "analytics/reports", report["id"]),
        "labels": list_labels(request.tenant, "report", report["id"]),
    }


def _field_text(report: JsonObject, key: str) -> str:
    if key == "owner":
        return find_owner(report)
    return str(report["name" if key == "reportName" else key])


ROUTES = (
    Route("GET", "/analytics/v1/reports", list_reports, "costs.read"),
    Route("POST", "/analytics/v1/reports", create_report, "reports.write"),
    Route("POST", "/analytics/v1/reports/query", run_query, "costs.read"),
    Route("GET", "/analytics/v1/reports/{id}", get_report, "costs.read"),
    Route("PATCH", "/analytics/v1/reports/{id}", update_report, "reports.write"),
    Route("DELETE", "/analytics/v1/reports/{id}", delete_report, "reports.write"),
    Route("GET", "/analytics/v1/reports/{id}/config", get_report_config, "costs.read"),
)
