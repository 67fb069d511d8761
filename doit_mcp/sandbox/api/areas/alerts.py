"""Alerts: /analytics/v1/alerts. Billing lines determine when an alert fires."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from .. import listing
from ..analytics_objects import (
    custom_dimensions,
    find_owner,
    get_record,
    list_records,
    list_visible_records,
    remove_object,
)
from ..costs.alerts import check_alert, last_firing_day
from ..costs.calendar_days import day_of_milliseconds, milliseconds_of
from ..costs.dimensions import CustomDimensions, make_response_form
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import (
    BOOLEAN,
    CURRENCIES,
    FILTER,
    INTERVALS,
    METRIC,
    NUMBER,
    TEXT,
    array_schema,
    compile_object,
    enum_schema,
    object_schema,
    text_schema,
)
from ..tenants import ApiRequest, add_record, newest_first
from .alert_slack_channels import resolve_channels

SORTS = ("name", "createTime", "updateTime", "lastAlerted")
CONFIG_MEMBERS: dict[str, JsonObject] = {
    "dataSource": enum_schema("billing", "billing-datahub", "kubernetes-utilization", "tokenomics"),
    "scopes": array_schema(FILTER, maxItems=26),
    "metric": METRIC,
    "currency": enum_schema(*CURRENCIES),
    "timeInterval": enum_schema(*INTERVALS),
    "condition": enum_schema("value", "percentage-change", "forecast"),
    "operator": enum_schema("gt", "lt"),
    "value": NUMBER,
    "evaluateForEach": TEXT,
    "ignoreValuesRange": {
        "anyOf": [{"type": "null"}, object_schema("lowerBound upperBound", lowerBound=NUMBER, upperBound=NUMBER)]
    },
}
CONFIG = object_schema("metric timeInterval value operator", **CONFIG_MEMBERS)
CONFIG_CHANGES = object_schema("", **CONFIG_MEMBERS)
NAME = text_schema(64, minLength=1)
RECIPIENTS: dict[str, JsonObject] = {
    "recipients": {"type": "array", "items": text_schema(320), "maxItems": 100},
    "recipientsSlackChannels": {
        "type": "array",
        "items": object_schema("id", id=TEXT, workspace=TEXT, shared=BOOLEAN, customerId=TEXT),
        "maxItems": 50,
    },
}
NEW_ALERT = compile_object("name config", name=NAME, config=CONFIG, **RECIPIENTS)
ALERT_CHANGES = compile_object("", name=NAME, config=CONFIG_CHANGES, **RECIPIENTS)
DEFAULTS: JsonObject = {
    "dataSource": "billing",
    "currency": "USD",
    "condition": "percentage-change",
    "scopes": [],
}


async def list_alerts(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/alerts, latest first."""
    criteria = listing.parse_filter(request.query.get("filter", ""), ("owner", "name"))
    alerts = listing.filter_by_name(request.query, newest_first(list_visible_records(request, "alert")), "name")
    alerts = listing.filter_rows(
        alerts, criteria, lambda alert, key: find_owner(alert) if key == "owner" else alert[key]
    )
    allocations = custom_dimensions(request.tenant)
    alerts = listing.sort_rows(
        request.query,
        alerts,
        SORTS,
        lambda alert, field: (
            _last_fired_at(request, alert, allocations) or 0 if field == "lastAlerted" else alert[field]
        ),
    )
    page = request.paginate(alerts)
    # Computed only for the alerts on this page.
    rows = [_serialize(request, alert, allocations) | {"owner": find_owner(alert)} for alert in page.rows]
    return json_response(request.list_body("alerts", replace(page, rows=rows)))


async def get_alert(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/alerts/{id}."""
    return json_response(_serialize(request, _get_alert(request), custom_dimensions(request.tenant)))


async def create_alert(request: ApiRequest) -> web.Response:
    """POST /analytics/v1/alerts."""
    body = await request.read_body(NEW_ALERT)
    channels = resolve_channels(request, body.get("recipientsSlackChannels", []))
    alert: JsonObject = {
        "id": request.tenant.new_id(),
        "name": body["name"],
        "owner": request.user.email,
        "recipients": body.get("recipients", [] if channels else [request.user.email]),
        "recipientsSlackChannels": channels,
        "config": _merge_config(request, DEFAULTS, body["config"]),
        "createTime": request.now_milliseconds,
        "updateTime": request.now_milliseconds,
    }
    _check_recipients(alert)
    return json_response(
        _serialize(
            request, add_record(list_records(request.tenant, "alert"), alert), custom_dimensions(request.tenant)
        ),
        201,
    )


async def update_alert(request: ApiRequest) -> web.Response:
    """PATCH /analytics/v1/alerts/{id}: omitted members stay unchanged, also within the configuration."""
    alert = _get_alert(request, "editor")
    body = await request.read_body(ALERT_CHANGES)
    if "recipientsSlackChannels" in body:
        body["recipientsSlackChannels"] = resolve_channels(request, body["recipientsSlackChannels"])
    changed = {
        **alert,
        **body,
        "config": _merge_config(request, alert["config"], body.get("config", {})),
        "updateTime": request.now_milliseconds,
    }
    _check_recipients(changed)
    list_records(request.tenant, "alert")[alert["id"]] = changed
    return json_response(_serialize(request, changed, custom_dimensions(request.tenant)))


async def delete_alert(request: ApiRequest) -> web.Response:
    """DELETE /analytics/v1/alerts/{id}: the response has no body."""
    remove_object(request.tenant, "alert", _get_alert(request, "editor")["id"])
    return web.Response()


def _get_alert(request: ApiRequest, role: str = "viewer") -> JsonObject:
    return get_record(request, "alert", request.path_parameter("id"), role)


def _check_recipients(alert: JsonObject) -> None:
    """Raise 400 if an alert has neither an email address nor a Slack channel."""
    if not alert["recipients"] and not alert.get("recipientsSlackChannels"):
        raise bad_request("recipients: at least one email address or Slack channel is required", field="recipients")


def _merge_config(request: ApiRequest, before: JsonObject, changes: JsonObject) -> JsonObject:
    config = {name: value for name, value in {**before, **changes}.items() if value is not None}
    if config["condition"] != before["condition"] and not changes.get("ignoreValuesRange"):
        config.pop("ignoreValuesRange", None)
    config["scopes"] = [make_response_form(item) for item in config.get("scopes", [])]
    check_alert(config, custom_dimensions(request.tenant))
    return config


def _serialize(request: ApiRequest, alert: JsonObject, allocations: CustomDimensions) -> JsonObject:
    response = {name: alert[name] for name in ("id", "name", "createTime", "updateTime", "recipients", "config")}
    response["recipientsSlackChannels"] = alert.get("recipientsSlackChannels", [])
    last_fired = _last_fired_at(request, alert, allocations)
    return response if last_fired is None else response | {"lastAlerted": last_fired}


def _last_fired_at(request: ApiRequest, alert: JsonObject, allocations: CustomDimensions) -> int | None:
    """The time the alert last fired, in epoch milliseconds, if after its creation."""
    created: int = alert["createTime"]
    day = last_firing_day(alert["config"], request.tenant.ledger, day_of_milliseconds(created), allocations)
    return None if day is None else max(milliseconds_of(day), created)


ROUTES = (
    Route("GET", "/analytics/v1/alerts", list_alerts, "alerts.read"),
    Route("POST", "/analytics/v1/alerts", create_alert, "alerts.write"),
    Route("GET", "/analytics/v1/alerts/{id}", get_alert, "alerts.read"),
    Route("PATCH", "/analytics/v1/alerts/{id}", update_alert, "alerts.write"),
    Route("DELETE", "/analytics/v1/alerts/{id}", delete_alert, "alerts.write"),
)
