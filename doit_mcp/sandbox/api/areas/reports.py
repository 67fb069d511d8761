"""Reports: /analytics/v1/reports, and queries, which are reports nobody keeps."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from .. import listing
from ..analytics_objects import (
    ROOT,
    check_folder,
    check_labels,
    custom_dimensions,
    get_record,
    labels_of,
    owner_of,
    remove_object,
    set_labels,
    visible_records,
)
from ..analytics_objects import records as kept
from ..costs.dimensions import response_form
from ..costs.query_engine import run_plan
from ..costs.query_plan import make_plan
from ..costs.ranges import override_range
from ..responses import ApiError, JsonObject, json_response
from ..routes import Route
from ..schemas import NEW_REPORT, QUERY_BODY, REPORT_CHANGES
from ..seeds import analytics_core
from ..tenants import ApiRequest, Records, add_record, newest_first

FILTERS = ("reportName", "owner", "type", "updateTime", "folderId")
REPORT_FIELDS = ("id", "name", "description", "type", "config", "folderId")  # of ExternalReport
DIMENSION_PARTS = ("filters", "group", "dimensions")  # parts of a configuration that name dimensions


def records(ask: ApiRequest) -> Records:
    """The tenant's reports: ExternalReport with owner and times."""
    return kept(ask.tenant, "report")


async def query(ask: ApiRequest) -> web.Response:
    """POST /analytics/v1/reports/query."""
    body = await ask.read_body(QUERY_BODY)
    plan = make_plan(body.get("config") or {}, ask.today, custom_dimensions(ask.tenant))
    return json_response({"result": run_plan(plan, ask.tenant.ledger)})


async def list_reports(ask: ApiRequest) -> web.Response:
    """GET /analytics/v1/reports, latest first."""
    criteria = listing.parse_filter(ask.query.get("filter", ""), FILTERS)
    found = listing.filter_by_name(ask.query, newest_first(visible_records(ask, "report")), "name")
    found = listing.filter_rows(listing.filter_by_creation(ask.query, found), criteria, _field_text)
    rows = [_list_item(ask, report) for report in found]
    page = listing.paginate(rows, ask.query.get("pageToken", ""), ask.page_size(), scope=ask.scope)
    return json_response(ask.list_body("reports", page))


async def get_report(ask: ApiRequest) -> web.Response:
    """GET /analytics/v1/reports/{id}: run it, for another range of time if the query names one."""
    report = get_record(ask, "report", ask.path_parameter("id"))
    plan = make_plan(report["config"], ask.today, custom_dimensions(ask.tenant))
    range_ = override_range(ask.query, ask.today)
    if range_ is not None:
        plan = replace(plan, range=range_)
    return json_response(_list_item(ask, report) | {"result": run_plan(plan, ask.tenant.ledger)})


async def get_config(ask: ApiRequest) -> web.Response:
    """GET /analytics/v1/reports/{id}/config."""
    return json_response(_serialize(ask, get_record(ask, "report", ask.path_parameter("id"))))


async def create_report(ask: ApiRequest) -> web.Response:
    """POST /analytics/v1/reports."""
    body = await ask.read_body(NEW_REPORT)
    report: JsonObject = {
        "id": ask.tenant.new_id(),
        "name": body["name"],
        "description": body.get("description", ""),
        "type": "custom",
        "config": _merge_config({}, body.get("config") or {}),
        "folderId": body.get("folderId") or ROOT,
        "owner": ask.user.email,
        "createTime": ask.now_milliseconds,
        "updateTime": ask.now_milliseconds,
    }
    _check_report(ask, report, body.get("labels"))
    add_record(records(ask), report)
    set_labels(ask.tenant, "report", report["id"], body.get("labels") or ())
    return json_response(_serialize(ask, report), 201)


async def update_report(ask: ApiRequest) -> web.Response:
    """PATCH /analytics/v1/reports/{id}: what is left out stays, in the configuration too."""
    report = _get_writable(ask)
    body = await ask.read_body(REPORT_CHANGES)
    labels = body.pop("labels", None)
    changed = {**report, **body, "updateTime": ask.now_milliseconds}
    changed["config"] = _merge_config(report["config"], body.get("config") or {})
    _check_report(ask, changed, labels)
    records(ask)[report["id"]] = changed
    if labels is not None:
        set_labels(ask.tenant, "report", report["id"], labels)
    return json_response(_serialize(ask, changed))


async def delete_report(ask: ApiRequest) -> web.Response:
    """DELETE /analytics/v1/reports/{id}."""
    report = _get_writable(ask)
    remove_object(ask.tenant, "report", report["id"])
    return json_response({})


def _get_writable(ask: ApiRequest) -> JsonObject:
    """The report, if the user may change it: presets are the same for everybody."""
    report = get_record(ask, "report", ask.path_parameter("id"))
    if report["type"] != "custom":
        raise ApiError(403, f"a {report['type']} report cannot be changed or deleted")
    return get_record(ask, "report", report["id"], "editor")


def _merge_config(before: JsonObject, changes: JsonObject) -> JsonObject:
    """A configuration after a change: null clears, and the answers' own spelling."""
    config = {name: value for name, value in {**before, **changes}.items() if value is not None}
    for part in DIMENSION_PARTS:
        if part in config:
            config[part] = [response_form(one) for one in config[part]]
    if config.get("metricFilter"):
        config["metricFilter"] = {"operand": "single_value", **config["metricFilter"]}
    if config.get("timeRange", {}).get("mode") == "custom":
        config["timeRange"] = {"mode": "custom"}
    return config


def _check_report(ask: ApiRequest, report: JsonObject, labels: list[str] | None) -> None:
    """400 for a report that could not be run, or names what is not there."""
    make_plan(report["config"], ask.today, custom_dimensions(ask.tenant))
    check_labels(ask.tenant, labels or ())
    report["folderId"] = check_folder(ask.tenant, report["folderId"])


def _serialize(ask: ApiRequest, report: JsonObject) -> JsonObject:
    labels = [label["id"] for label in labels_of(ask.tenant, "report", report["id"])]
    return {name: report[name] for name in REPORT_FIELDS} | {"labels": labels}


def _list_item(ask: ApiRequest, report: JsonObject) -> JsonObject:
    return {
        "id": report["id"],
        "reportName": report["name"],
        "owner": owner_of(report),
        "type": report["type"],
        "createTime": report["createTime"],
        "updateTime": report["updateTime"],
        "urlUI": analytics_core.console_url(ask.tenant.customer, "analytics/reports", report["id"]),
        "labels": labels_of(ask.tenant, "report", report["id"]),
    }


def _field_text(report: JsonObject, key: str) -> str:
    if key == "owner":
        return owner_of(report)
    return str(report["name" if key == "reportName" else key])


ROUTES = (
    Route("GET", "/analytics/v1/reports", list_reports, "costs.read"),
    Route("POST", "/analytics/v1/reports", create_report, "reports.write"),
    Route("POST", "/analytics/v1/reports/query", query, "costs.read"),
    Route("GET", "/analytics/v1/reports/{id}", get_report, "costs.read"),
    Route("PATCH", "/analytics/v1/reports/{id}", update_report, "reports.write"),
    Route("DELETE", "/analytics/v1/reports/{id}", delete_report, "reports.write"),
    Route("GET", "/analytics/v1/reports/{id}/config", get_config, "costs.read"),
)
