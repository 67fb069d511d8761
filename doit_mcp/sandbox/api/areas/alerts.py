"""Alerts: /analytics/v1/alerts. When one last fired is what the billing lines say."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from .. import listing
from ..analytics_objects import made, opened, owner_of, records, removed, seen
from ..costs.alerts import check, last_fired
from ..costs.calendar_days import day_of_millis, millis_of
from ..costs.dimensions import Made, answered
from ..responses import JsonObject, answer
from ..routes import Route
from ..schemas import CURRENCIES, FILTER, INTERVALS, METRIC, NUMBER, TEXT, compiled, items, one_of, record, text
from ..tenants import Ask, added, newest_first

SORTS = ("name", "createTime", "updateTime", "lastAlerted")
CONFIG = record(
    "metric timeInterval value",
    dataSource=one_of("billing", "billing-datahub"),
    scopes=items(FILTER, maxItems=50),
    metric=METRIC,
    currency=one_of(*CURRENCIES),
    timeInterval=one_of(*INTERVALS),
    condition=one_of("value", "percentage-change", "forecast"),
    operator=one_of("gt", "lt"),
    value=NUMBER,
    evaluateForEach=TEXT,
    attributions=items(TEXT, maxItems=50),
)
NAME = text(64, minLength=1)
RECIPIENTS = items(text(320), maxItems=100)
NEW = compiled("name config", name=NAME, config=CONFIG, recipients=RECIPIENTS)
CHANGES = compiled("config", name=NAME, config=CONFIG, recipients=RECIPIENTS)
DEFAULTS: JsonObject = {
    "dataSource": "billing",
    "currency": "USD",
    "condition": "percentage-change",
    "operator": "gt",
    "scopes": [],
}


async def list_alerts(ask: Ask) -> web.Response:
    """GET /analytics/v1/alerts, latest first."""
    criteria = listing.filters(ask.query.get("filter", ""), ("owner", "name"))
    found = listing.named_like(ask.query, newest_first(seen(ask, "alert")), "name")
    found = listing.matching(found, criteria, lambda alert, key: owner_of(alert) if key == "owner" else alert[key])
    allocations = made(ask.tenant)
    found = listing.ordered(
        ask.query,
        found,
        SORTS,
        lambda alert, field: _fired(ask, alert, allocations) or 0 if field == "lastAlerted" else alert[field],
    )
    page = listing.page(found, ask.query.get("pageToken", ""), ask.page_size(), scope=ask.scope)
    # When an alert fired is reckoned for those alone that are shown.
    rows = [_shown(ask, alert, allocations) | {"owner": owner_of(alert)} for alert in page.rows]
    return answer(ask.listed("alerts", replace(page, rows=rows)))


async def get_alert(ask: Ask) -> web.Response:
    """GET /analytics/v1/alerts/{id}."""
    return answer(_shown(ask, _alert(ask), made(ask.tenant)))


async def create_alert(ask: Ask) -> web.Response:
    """POST /analytics/v1/alerts."""
    body = await ask.body(NEW)
    alert: JsonObject = {
        "id": ask.tenant.new_id(),
        "name": body["name"],
        "owner": ask.user.email,
        "recipients": body.get("recipients") or [ask.user.email],
        "config": _settled(ask, DEFAULTS, body["config"]),
        "createTime": ask.millis,
        "updateTime": ask.millis,
    }
    return answer(_shown(ask, added(records(ask.tenant, "alert"), alert), made(ask.tenant)), 201)


async def update_alert(ask: Ask) -> web.Response:
    """PATCH /analytics/v1/alerts/{id}: what is left out stays, in the configuration too."""
    alert = _alert(ask, "editor")
    body = await ask.body(CHANGES)
    changed = {**alert, **body, "config": _settled(ask, alert["config"], body["config"]), "updateTime": ask.millis}
    changed["recipients"] = changed["recipients"] or alert["recipients"]
    records(ask.tenant, "alert")[alert["id"]] = changed
    return answer(_shown(ask, changed, made(ask.tenant)))


async def delete_alert(ask: Ask) -> web.Response:
    """DELETE /analytics/v1/alerts/{id}: the answer has no body."""
    removed(ask.tenant, "alert", _alert(ask, "editor")["id"])
    return web.Response()


def _alert(ask: Ask, role: str = "viewer") -> JsonObject:
    return opened(ask, "alert", ask.part("id"), role)


def _settled(ask: Ask, before: JsonObject, changes: JsonObject) -> JsonObject:
    config = {name: value for name, value in {**before, **changes}.items() if value is not None}
    config["scopes"] = [answered(one) for one in config.get("scopes", [])]
    check(config, made(ask.tenant))
    return config


def _shown(ask: Ask, alert: JsonObject, allocations: Made) -> JsonObject:
    shown = {name: alert[name] for name in ("id", "name", "createTime", "updateTime", "recipients", "config")}
    fired = _fired(ask, alert, allocations)
    return shown if fired is None else shown | {"lastAlerted": fired}


def _fired(ask: Ask, alert: JsonObject, allocations: Made) -> int | None:
    """When the alert last fired, in epoch milliseconds: never before it was made."""
    born: int = alert["createTime"]
    day = last_fired(alert["config"], ask.tenant.ledger, day_of_millis(born), allocations)
    return None if day is None else max(millis_of(day), born)


ROUTES = (
    Route("GET", "/analytics/v1/alerts", list_alerts, "alerts.read"),
    Route("POST", "/analytics/v1/alerts", create_alert, "alerts.write"),
    Route("GET", "/analytics/v1/alerts/{id}", get_alert, "alerts.read"),
    Route("PATCH", "/analytics/v1/alerts/{id}", update_alert, "alerts.write"),
    Route("DELETE", "/analytics/v1/alerts/{id}", delete_alert, "alerts.write"),
)
