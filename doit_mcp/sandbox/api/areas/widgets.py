"""Precomputed figures of dashboards: /analytics/v1/widgets."""

from __future__ import annotations

from aiohttp import web

from ..costs.calendar_days import add_months, format_rfc3339, seconds_of, start_of
from ..costs.filters import select_lines
from ..costs.forecast import predict
from ..costs.money import DEFAULT_DIGITS, MINOR_UNIT_DIGITS, to_payable_amount
from ..responses import ApiError, JsonObject, json_response
from ..routes import Route
from ..tenants import ApiRequest, Tenant

SPEND, FORECAST = "current-month-cloud-spend", "current-month-cloud-forecast"
WIDGETS = {
    SPEND: ("Cloud spend this month", "The costs of all clouds since the first day of the month."),
    FORECAST: ("Forecast of this month", "The costs of all clouds that are expected for the whole month."),
}
TRAINING_DAYS = 90
NO_DATA = "analytics.widget_no_billing_data"


async def list_widgets(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/widgets: all of them."""
    items = [
        {**_widget_identity(request.tenant, alias), "name": name, "description": description}
        for alias, (name, description) in WIDGETS.items()
    ]
    return json_response({"items": items, "rowCount": len(items)})


async def get_widget(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/widgets/{widgetId}: by id or alias, as computed at midnight."""
    wanted = request.path_parameter("widgetId")
    alias = next((alias for alias in WIDGETS if wanted in (alias, _widget_id(request.tenant, alias))), None)
    if alias is None:
        raise ApiError(404, "The widget does not exist")
    ledger = request.tenant.ledger
    costs = ledger.daily(select_lines(ledger, (), credits=False))
    if not any(costs.values()):
        raise ApiError(404, "The customer has no billing data yet", code=NO_DATA)
    metric = _monetary_metric(request.tenant.customer.currency, costs, request.today, alias == FORECAST)
    computed = {"generateTime": format_rfc3339(seconds_of(request.today)), "result": {"monetaryMetric": metric}}
    return json_response(_widget_identity(request.tenant, alias) | computed)


def _monetary_metric(currency: str, costs: dict[int, int], today: int, is_forecast: bool) -> JsonObject:
    """The figure of this month, and its growth over the same days, or all days, of the month before."""
    month, following = start_of("month", today), add_months(start_of("month", today), 1)
    before = add_months(month, -1)
    value = _sum_days(costs, month, today)
    last_before = month - 1 if is_forecast else min(month - 1, before + today - month)
    if is_forecast:
        ahead = range(today, following)
        value = _sum_days(costs, month, today - 1) + sum(predict(costs, today - TRAINING_DAYS, today - 1, ahead))
    previous = _sum_days(costs, before, last_before)
    end = following if is_forecast else today + 1
    return {
        "value": _to_money(value, currency),
        "period": {"startTime": format_rfc3339(seconds_of(month)), "endTime": format_rfc3339(seconds_of(end))},
        "monthToMonthGrowthPercentage": round(100 * (value - previous) / previous, 2) if previous else None,
        "monthToMonthGrowthAmount": _to_money(value - previous, currency) if previous else None,
    }


def _sum_days(costs: dict[int, int], first: int, last: int) -> int:
    return sum(costs.get(day, 0) for day in range(first, last + 1))


def _to_money(micro: int, currency: str) -> JsonObject:
    digits = MINOR_UNIT_DIGITS.get(currency, DEFAULT_DIGITS)
    return {"amount": f"{to_payable_amount(micro, currency):.{digits}f}", "currency": currency}


def _widget_id(tenant: Tenant, alias: str) -> str:
    return tenant.stable_id("widget", alias)


def _widget_identity(tenant: Tenant, alias: str) -> JsonObject:
    return {"id": _widget_id(tenant, alias), "alias": alias, "type": "preset", "kind": "monetary_metric"}


ROUTES = (
    Route("GET", "/analytics/v1/widgets", list_widgets, "costs.read"),
    Route("GET", "/analytics/v1/widgets/{widgetId}", get_widget, "costs.read"),
)
