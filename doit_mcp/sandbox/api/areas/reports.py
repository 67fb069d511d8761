"""Reports: /analytics/v1/reports, and queries, which are reports nobody keeps."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from .. import listing
from ..analytics_objects import (
    ROOT,
    check_folder,
    check_labels,
    labels_of,
    made,
    opened,
    owner_of,
    removed,
    seen,
    set_labels,
)
from ..analytics_objects import records as kept
from ..costs.dimensions import answered
from ..costs.query_engine import run
from ..costs.query_plan import plan_of
from ..costs.ranges import overriding
from ..responses import JsonObject, Refusal, answer
from ..routes import Route
from ..schemas import NEW_REPORT, QUERY_BODY, REPORT_CHANGES
from ..seeds import analytics_core
from ..tenants import Ask, Records, added, newest_first

FILTERS = ("reportName", "owner", "type", "updateTime", "folderId")
PLAIN = ("id", "name", "description", "type", "config", "folderId")  # of ExternalReport
NAMING = ("filters", "group", "dimensions")  # parts of a configuration that name dimensions


def records(ask: Ask) -> Records:
    """The tenant's reports: ExternalReport with owner and times."""
    return kept(ask.tenant, "report")


async def query(ask: Ask) -> web.Response:
    """POST /analytics/v1/reports/query."""
    body = await ask.body(QUERY_BODY)
    plan = plan_of(body.get("config") or {}, ask.today, made(ask.tenant))
    return answer({"result": run(plan, ask.tenant.ledger)})


async def list_reports(ask: Ask) -> web.Response:
    """GET /analytics/v1/reports, latest first."""
    criteria = listing.filters(ask.query.get("filter", ""), FILTERS)
    found = listing.named_like(ask.query, newest_first(seen(ask, "report")), "name")
    found = listing.matching(listing.created_between(ask.query, found), criteria, _read)
    rows = [_summary(ask, report) for report in found]
    page = listing.page(rows, ask.query.get("pageToken", ""), ask.page_size(), scope=ask.scope)
    return answer(ask.listed("reports", page))


async def get_report(ask: Ask) -> web.Response:
    """GET /analytics/v1/reports/{id}: run it, for another range of time if the query names one."""
    report = opened(ask, "report", ask.part("id"))
    plan = plan_of(report["config"], ask.today, made(ask.tenant))
    range_ = overriding(ask.query, ask.today)
    if range_ is not None:
        plan = replace(plan, range=range_)
    return answer(_summary(ask, report) | {"result": run(plan, ask.tenant.ledger)})


async def get_config(ask: Ask) -> web.Response:
    """GET /analytics/v1/reports/{id}/config."""
    return answer(_plain(ask, opened(ask, "report", ask.part("id"))))


async def create_report(ask: Ask) -> web.Response:
    """POST /analytics/v1/reports."""
    body = await ask.body(NEW_REPORT)
    report: JsonObject = {
        "id": ask.tenant.new_id(),
        "name": body["name"],
        "description": body.get("description", ""),
        "type": "custom",
        "config": _settled({}, body.get("config") or {}),
        "folderId": body.get("folderId") or ROOT,
        "owner": ask.user.email,
        "createTime": ask.millis,
        "updateTime": ask.millis,
    }
    _check(ask, report, body.get("labels"))
    added(records(ask), report)
    set_labels(ask.tenant, "report", report["id"], body.get("labels") or ())
    return answer(_plain(ask, report), 201)


async def update_report(ask: Ask) -> web.Response:
    """PATCH /analytics/v1/reports/{id}: what is left out stays, in the configuration too."""
    report = _own(ask)
    body = await ask.body(REPORT_CHANGES)
    labels = body.pop("labels", None)
    changed = {**report, **body, "updateTime": ask.millis}
    changed["config"] = _settled(report["config"], body.get("config") or {})
    _check(ask, changed, labels)
    records(ask)[report["id"]] = changed
    if labels is not None:
        set_labels(ask.tenant, "report", report["id"], labels)
    return answer(_plain(ask, changed))


async def delete_report(ask: Ask) -> web.Response:
    """DELETE /analytics/v1/reports/{id}."""
    report = _own(ask)
    removed(ask.tenant, "report", report["id"])
    return answer({})


def _own(ask: Ask) -> JsonObject:
    """The report, if the user may change it: presets are the same for everybody."""
    report = opened(ask, "report", ask.part("id"))
    if report["type"] != "custom":
        raise Refusal(403, f"a {report['type']} report cannot be changed or deleted")
    return opened(ask, "report", report["id"], "editor")


def _settled(before: JsonObject, changes: JsonObject) -> JsonObject:
    """A configuration after a change: null clears, and the answers' own spelling (facts, sections 7 and 9)."""
    config = {name: value for name, value in {**before, **changes}.items() if value is not None}
    for part in NAMING:
        if part in config:
            config[part] = [answered(one) for one in config[part]]
    if config.get("metricFilter"):
        config["metricFilter"] = {"operand": "single_value", **config["metricFilter"]}
    if config.get("timeRange", {}).get("mode") == "custom":
        config["timeRange"] = {"mode": "custom"}
    return config


def _check(ask: Ask, report: JsonObject, labels: list[str] | None) -> None:
    """400 for a report that could not be run, or names what is not there."""
    plan_of(report["config"], ask.today, made(ask.tenant))
    check_labels(ask.tenant, labels or ())
    report["folderId"] = check_folder(ask.tenant, report["folderId"])


def _plain(ask: Ask, report: JsonObject) -> JsonObject:
    labels = [label["id"] for label in labels_of(ask.tenant, "report", report["id"])]
    return {name: report[name] for name in PLAIN} | {"labels": labels}


def _summary(ask: Ask, report: JsonObject) -> JsonObject:
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


def _read(report: JsonObject, key: str) -> str:
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
