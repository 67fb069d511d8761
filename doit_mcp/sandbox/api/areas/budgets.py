"""Budgets: /analytics/v1/budgets. Use and forecast come from the billing lines."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from .. import listing
from ..analytics_objects import made, opened, owner_of, removed, seen
from ..analytics_objects import records as kept
from ..costs.budgets import Standing, scope_of, standing
from ..costs.calendar_days import day_of_millis, millis_of, start_of
from ..costs.dimensions import answered
from ..responses import JsonObject, answer, bad
from ..routes import Route
from ..schemas import BUDGET_BODY
from ..seeds import analytics_core
from ..tenants import Ask, Records, added, newest_first

DEFAULT_ALERTS = [{"percentage": percentage} for percentage in (50, 85, 100)]
LISTS = ("alerts", "seasonalAmounts", "collaborators", "recipients", "recipientsSlackChannels", "scope", "scopes")
RISKS = ("atRisk", "onTrack", "unknown")


def records(ask: Ask) -> Records:
    """The tenant's budgets in their stored form: BudgetAPI without what is computed."""
    return kept(ask.tenant, "budget")


async def list_budgets(ask: Ask) -> web.Response:
    """GET /analytics/v1/budgets."""
    criteria = listing.filters(ask.query.get("filter", ""), ("owner", "budgetName", "lastModified", "riskStatus"))
    risks = criteria.pop("riskStatus", [])[:1]
    if risks and risks[0] not in RISKS:
        raise bad(f"filter: riskStatus must be one of {', '.join(RISKS)}", field="filter")
    found = listing.named_like(ask.query, newest_first(seen(ask, "budget")), "name")
    found = _changed_since(found, criteria.pop("lastModified", []))
    found = listing.matching(listing.created_between(ask.query, found), criteria, _read)
    allocations = made(ask.tenant)
    judged = [(budget, standing(budget, ask.tenant.ledger, allocations)) for budget in found]
    judged = [one for one in judged if not risks or one[1].risk == risks[0]]
    if risks == ["atRisk"]:
        judged.sort(key=lambda one: (one[1].breach or 0, one[0]["id"]))
    rows = [_item(ask, *one) for one in judged]
    page = listing.page(rows, ask.query.get("pageToken", ""), ask.page_size(), scope=ask.scope)
    counts = {risk: sum(one[1].risk == risk for one in judged) for risk in RISKS}
    return answer(ask.listed("budgets", page) | {"riskAggregations": {"total": len(judged), **counts}})


async def get_budget(ask: Ask) -> web.Response:
    """GET /analytics/v1/budgets/{id}."""
    return answer(_detail(ask, opened(ask, "budget", ask.part("id"))))


async def create_budget(ask: Ask) -> web.Response:
    """POST /analytics/v1/budgets."""
    body = _listed(await ask.body(BUDGET_BODY))
    interval = body.get("timeInterval", "month")
    budget: JsonObject = {
        "id": ask.tenant.new_id(),
        "name": "Budget",
        "description": "",
        "amount": 0.0,
        "currency": "USD",
        "type": "recurring",
        "timeInterval": interval,
        "startPeriod": millis_of(start_of(interval, ask.today)),
        "growthPerPeriod": 0.0,
        "usePrevSpend": False,
        "metric": "cost",
        **{name: [] for name in LISTS},
        **body,
        "createTime": ask.millis,
        "updateTime": ask.millis,
    }
    if not ("amount" in body or budget["usePrevSpend"] or budget["seasonalAmounts"]):
        raise bad("amount is required unless usePrevSpend is true", field="amount")
    return answer(_detail(ask, added(records(ask), _completed(ask, budget))), 201)


async def update_budget(ask: Ask) -> web.Response:
    """PATCH /analytics/v1/budgets/{id}: what is left out stays."""
    budget = opened(ask, "budget", ask.part("id"), "editor")
    body = _listed(await ask.body(BUDGET_BODY))
    changed = _completed(ask, {**budget, **body, "updateTime": ask.millis})
    records(ask)[budget["id"]] = changed
    return answer(_detail(ask, changed))


async def delete_budget(ask: Ask) -> web.Response:
    """DELETE /analytics/v1/budgets/{id}."""
    removed(ask.tenant, "budget", opened(ask, "budget", ask.part("id"), "editor")["id"])
    return answer({})


def _listed(body: JsonObject) -> JsonObject:
    return {name: (value or []) if name in LISTS else value for name, value in body.items()}


def _completed(ask: Ask, budget: JsonObject) -> JsonObject:
    """The budget with what the service fills in; 400 where its parts do not go together."""
    if budget["metric"] != "cost":
        raise bad(f"metric {budget['metric']} is not modelled in the sandbox", field="metric")
    for identifier in budget["scope"]:
        if kept(ask.tenant, "allocation").get(identifier, {}).get("allocationType") != "single":
            raise bad(f"scope: no single allocation {identifier[:80]!r}", field="scope")
    scope_of(budget, made(ask.tenant))
    if budget["type"] == "fixed":
        if "endPeriod" not in budget:
            raise bad("endPeriod is required for a fixed budget", field="endPeriod")
        if day_of_millis(budget["endPeriod"]) < day_of_millis(budget["startPeriod"]):
            raise bad("endPeriod is before startPeriod", field="endPeriod")
    owners = [one for one in budget["collaborators"] if one["role"] == "owner"]
    if budget["collaborators"] and len(owners) != 1:
        raise bad("collaborators: exactly one owner is needed", field="collaborators")
    return budget | {
        "scopes": [answered(one) for one in budget["scopes"]],
        "alerts": budget["alerts"] or DEFAULT_ALERTS,
        "collaborators": budget["collaborators"] or [{"email": ask.user.email, "role": "owner"}],
        "recipients": budget["recipients"] or [ask.user.email],
    }


def _detail(ask: Ask, budget: JsonObject) -> JsonObject:
    state = standing(budget, ask.tenant.ledger, made(ask.tenant))
    shown = budget | {
        "amount": _amount(budget, state),
        "currentUtilization": state.spent,
        "alerts": [_alert(one["percentage"], state) for one in budget["alerts"]],
    }
    if state.expected is not None:
        shown["forecastedUtilization"] = state.expected
    return shown


def _alert(percentage: float, state: Standing) -> JsonObject:
    threshold = state.limit * percentage / 100
    alert: JsonObject = {"percentage": percentage, "triggered": state.spent > threshold}
    day = state.passing(threshold) if state.live else None
    if day is not None and day > state.today:
        alert["forecastedDate"] = millis_of(day)
    return alert


def _item(ask: Ask, budget: JsonObject, state: Standing) -> JsonObject:
    thresholds = [one["percentage"] for one in budget["alerts"]]
    shown: JsonObject = {
        "id": budget["id"],
        "budgetName": budget["name"],
        "owner": owner_of(budget),
        "amount": _amount(budget, state),
        "currentUtilization": state.spent,
        "riskStatus": state.risk,
        "alertThresholds": [{"percentage": one, "amount": round(state.limit * one / 100, 2)} for one in thresholds],
        "url": analytics_core.console_url(ask.tenant.customer, "analytics/budgets", budget["id"]),
    }
    if state.live and state.breach is not None:
        shown["forecastedUtilizationDate"] = millis_of(state.breach)
    kept = ("currency", "createTime", "updateTime", "timeInterval", "startPeriod", "endPeriod", "scope", "scopes")
    return shown | {name: budget[name] for name in kept if name in budget}


def _amount(budget: JsonObject, state: Standing) -> float:
    """The amount as it was set; of a budget that follows the spend of the period before, that spend."""
    return state.limit if budget["usePrevSpend"] else float(budget["amount"])


def _read(budget: JsonObject, key: str) -> str:
    return owner_of(budget) if key == "owner" else str(budget["name"])


def _changed_since(rows: Sequence[JsonObject], times: Sequence[str]) -> list[JsonObject]:
    """Budgets changed after one of the times: ``lastModified:>[milliseconds]``, the sign may be left out."""
    bounds = [listing.number(time.removeprefix(">").strip("[]"), "filter: lastModified", "filter") for time in times]
    return [row for row in rows if not bounds or row["updateTime"] > min(bounds)]


ROUTES = (
    Route("GET", "/analytics/v1/budgets", list_budgets, "budgets.read"),
    Route("POST", "/analytics/v1/budgets", create_budget, "budgets.write"),
    Route("GET", "/analytics/v1/budgets/{id}", get_budget, "budgets.read"),
    Route("PATCH", "/analytics/v1/budgets/{id}", update_budget, "budgets.write"),
    Route("DELETE", "/analytics/v1/budgets/{id}", delete_budget, "budgets.write"),
)
