"""Budgets: /analytics/v1/budgets. Utilization and forecasts come from the billing lines."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from .. import listing
from ..analytics_objects import custom_dimensions, find_owner, get_record, list_visible_records, remove_object
from ..analytics_objects import list_records as object_records
from ..costs.budgets import BudgetStatus, budget_filters, budget_status
from ..costs.calendar_days import day_of_milliseconds, milliseconds_of, start_of
from ..costs.dimensions import make_response_form
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import BUDGET_BODY
from ..seeds import analytics_core
from ..tenants import ApiRequest, Records, add_record, newest_first

DEFAULT_ALERTS = [{"percentage": percentage} for percentage in (50, 85, 100)]
LIST_FIELDS = ("alerts", "seasonalAmounts", "collaborators", "recipients", "recipientsSlackChannels", "scopes")
RISKS = ("atRisk", "onTrack", "unknown")


def budget_records(request: ApiRequest) -> Records:
    """The tenant's stored budgets: BudgetAPI without computed members."""
    return object_records(request.tenant, "budget")


async def list_budgets(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/budgets."""
    criteria = listing.parse_filter(
        request.query.get("filter", ""), ("owner", "budgetName", "lastModified", "riskStatus")
    )
    risks = criteria.pop("riskStatus", [])[:1]
    if risks and risks[0] not in RISKS:
        raise bad_request(f"filter: riskStatus must be one of {', '.join(RISKS)}", field="filter")
    budgets = listing.filter_by_name(request.query, newest_first(list_visible_records(request, "budget")), "name")
    budgets = _filter_modified_since(budgets, criteria.pop("lastModified", []))
    budgets = listing.filter_rows(listing.filter_by_creation(request.query, budgets), criteria, _filter_value)
    allocations = custom_dimensions(request.tenant)
    pairs = [(budget, budget_status(budget, request.tenant.ledger, allocations)) for budget in budgets]
    pairs = [item for item in pairs if not risks or item[1].risk == risks[0]]
    if risks == ["atRisk"]:
        pairs.sort(key=lambda item: (item[1].breach_day or 0, item[0]["id"]))
    rows = [_list_item(request, *item) for item in pairs]
    page = request.paginate(rows)
    counts = {risk: sum(item[1].risk == risk for item in pairs) for risk in RISKS}
    return json_response(request.list_body("budgets", page) | {"riskAggregations": {"total": len(pairs), **counts}})


async def get_budget(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/budgets/{id}."""
    return json_response(_serialize(request, get_record(request, "budget", request.path_parameter("id"))))


async def create_budget(request: ApiRequest) -> web.Response:
    """POST /analytics/v1/budgets."""
    body = _normalize_lists(await request.read_body(BUDGET_BODY))
    interval = body.get("timeInterval", "month")
    budget: JsonObject = {
        "id": request.tenant.new_id(),
        "name": "Budget",
        "description": "",
        "amount": 0.0,
        "currency": "USD",
        "type": "recurring",
        "timeInterval": interval,
        "startPeriod": milliseconds_of(start_of(interval, request.today)),
        "growthPerPeriod": 0.0,
        "usePrevSpend": False,
        "metric": "cost",
        **{name: [] for name in LIST_FIELDS},
        **body,
        "createTime": request.now_milliseconds,
        "updateTime": request.now_milliseconds,
    }
    if not ("amount" in body or budget["usePrevSpend"] or budget["seasonalAmounts"]):
        raise bad_request("amount is required unless usePrevSpend is true", field="amount")
    return json_response(_serialize(request, add_record(budget_records(request), _fill_defaults(request, budget))), 201)


async def update_budget(request: ApiRequest) -> web.Response:
    """PATCH /analytics/v1/budgets/{id}: omitted members stay unchanged."""
    budget = get_record(request, "budget", request.path_parameter("id"), "editor")
    body = _normalize_lists(await request.read_body(BUDGET_BODY))
    changed = _fill_defaults(request, {**budget, **body, "updateTime": request.now_milliseconds})
    budget_records(request)[budget["id"]] = changed
    return json_response(_serialize(request, changed))


async def delete_budget(request: ApiRequest) -> web.Response:
    """DELETE /analytics/v1/budgets/{id}."""
    remove_object(request.tenant, "budget", get_record(request, "budget", request.path_parameter("id"), "editor")["id"])
    return json_response({})


def _normalize_lists(body: JsonObject) -> JsonObject:
    return {name: (value or []) if name in LIST_FIELDS else value for name, value in body.items()}


def _fill_defaults(request: ApiRequest, budget: JsonObject) -> JsonObject:
    """The budget with defaults filled in; 400 if its parts contradict each other."""
    if budget["metric"] != "cost":
        raise bad_request(f"metric {budget['metric']} is not supported in the sandbox", field="metric")
    budget_filters(budget, custom_dimensions(request.tenant))
    if budget["type"] == "fixed":
        if "endPeriod" not in budget:
            raise bad_request("endPeriod is required for a fixed budget", field="endPeriod")
        if day_of_milliseconds(budget["endPeriod"]) < day_of_milliseconds(budget["startPeriod"]):
            raise bad_request("endPeriod is before startPeriod", field="endPeriod")
    owners = [item for item in budget["collaborators"] if item["role"] == "owner"]
    if budget["collaborators"] and len(owners) != 1:
        raise bad_request("collaborators: exactly one owner is needed", field="collaborators")
    collaborators = budget["collaborators"] or [{"email": request.user.email, "role": "owner"}]
    owner = next(item["email"] for item in collaborators if item["role"] == "owner")
    return budget | {
        "scopes": [make_response_form(item) for item in budget["scopes"]],
        "alerts": budget["alerts"] or DEFAULT_ALERTS,
        "collaborators": collaborators,
        "recipients": budget["recipients"] or [owner],
    }


def _serialize(request: ApiRequest, budget: JsonObject) -> JsonObject:
    state = budget_status(budget, request.tenant.ledger, custom_dimensions(request.tenant))
    response = budget | {
        "amount": _effective_amount(budget, state),
        "currentUtilization": state.spent,
        "alerts": [_serialize_alert(item["percentage"], state) for item in budget["alerts"]],
    }
    if state.forecast is not None:
        response["forecastedUtilization"] = state.forecast
    return response


def _serialize_alert(percentage: float, state: BudgetStatus) -> JsonObject:
    threshold = state.limit * percentage / 100
    alert: JsonObject = {"percentage": percentage, "triggered": state.spent > threshold}
    day = state.find_day_over(threshold) if state.is_current else None
    if day is not None and day > state.today:
        alert["forecastedDate"] = milliseconds_of(day)
    return alert


def _list_item(request: ApiRequest, budget: JsonObject, state: BudgetStatus) -> JsonObject:
    thresholds = [item["percentage"] for item in budget["alerts"]]
    row: JsonObject = {
        "id": budget["id"],
        "budgetName": budget["name"],
        "owner": find_owner(budget),
        "amount": _effective_amount(budget, state),
        "currentUtilization": state.spent,
        "riskStatus": state.risk,
        "alertThresholds": [{"percentage": item, "amount": round(state.limit * item / 100, 2)} for item in thresholds],
        "url": analytics_core.console_url(request.tenant.customer, "analytics/budgets", budget["id"]),
    }
    if state.is_current and state.breach_day is not None:
        row["forecastedUtilizationDate"] = milliseconds_of(state.breach_day)
    fields = ("currency", "createTime", "updateTime", "timeInterval", "startPeriod", "endPeriod", "scopes")
    return row | {name: budget[name] for name in fields if name in budget}


def _effective_amount(budget: JsonObject, state: BudgetStatus) -> float:
    """The configured amount, or the spend of the previous period if the budget follows it."""
    return state.limit if budget["usePrevSpend"] else float(budget["amount"])


def _filter_value(budget: JsonObject, key: str) -> str:
    return find_owner(budget) if key == "owner" else str(budget["name"])


def _filter_modified_since(rows: Sequence[JsonObject], times: Sequence[str]) -> list[JsonObject]:
    """Budgets changed after one of the times: ``lastModified:>[milliseconds]``; the sign is optional."""
    bounds = [
        listing.parse_integer(time.removeprefix(">").strip("[]"), "filter: lastModified", "filter") for time in times
    ]
    return [row for row in rows if not bounds or row["updateTime"] > min(bounds)]


ROUTES = (
    Route("GET", "/analytics/v1/budgets", list_budgets, "budgets.read"),
    Route("POST", "/analytics/v1/budgets", create_budget, "budgets.write"),
    Route("GET", "/analytics/v1/budgets/{id}", get_budget, "budgets.read"),
    Route("PATCH", "/analytics/v1/budgets/{id}", update_budget, "budgets.write"),
    Route("DELETE", "/analytics/v1/budgets/{id}", delete_budget, "budgets.write"),
)
