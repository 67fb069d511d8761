"""forecast_spend: the expected cost of this month and quarter, and the budgets that will be exceeded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Annotated

from ...api.errors import ApiError
from ...api.report_config import QueryConfig
from ...api.value_kinds import Members
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..budgets.breaches import BudgetBreach, CheckedBudgets, OwnForecast, find_breaches, order_breaches
from ..budgets.budget_series import budget_series
from ..call import Call
from ..costs.answers import CLOUD_GROUP, UNCHECKED, explain_empty_answer, run_checked, with_check_note
from ..costs.checked_values import CheckedValues
from ..costs.daily_costs import cost_by_day
from ..costs.data_start import DataStart, read_data_start
from ..costs.query_config import cost_config
from ..costs.scope import CloudArgument, FiltersArgument, Scope
from ..costs.statement import TIME_ZONES, CostStatement, cost_statement
from ..currencies import CurrencyArgument
from ..partial_results import FailedPart, FailedParts, gather_partial, make_failures_member
from ..periods.period import Period, ReportedPeriod, month_of, quarter_of, utc_date
from ..report_runs.queries import fetch_query
from ..tools.composed import composed_tool
from ..tools.series import ResultWithSeries, make_series_set
from .clouds import read_clouds
from .forecast_series import forecast_series
from .run_rate import CloudCosts, ProjectedPeriod, period_cost, project_cost
from .scenario import ScenarioRequest, add_scenario, read_scenario, read_shares
from .scenario_changes import ScenarioArgument
from .scenario_types import Scenario
from .weekday_pace import LEVEL_DAYS, MIN_HISTORY_DAYS, PACE_DAYS, count_settled_days

SPREAD_METHOD = (
    "each cloud on its own; low and high: 8 of 10 cases by the spread of past days; days that are not final count at the "
    "pace of their weekday if they are far below it, and what else they may gain widens high"
)
API_METHOD = f"DoiT's forecast for each day to come; {SPREAD_METHOD}"
PACE_METHOD = (
    f"pace of each weekday in the last {PACE_DAYS // 7} weeks at the level of the last {LEVEL_DAYS} final days; "
    + SPREAD_METHOD
)
TOO_LITTLE_HISTORY = "none: {days} days of final costs are too few to project; a forecast needs {needed}"


class SpendForecast(CostStatement, total=False):
    """Expected cost."""

    month: Annotated[
        JsonObject,
        "The current month: from, to, spent, ahead (from now to its end), expected (both), low and high (8 of 10 cases), "
        "unfinishedDays (raised to their pace), before: cost of the whole month before. Null: too little data.",
        Members(ProjectedPeriod),
    ]
    quarter: Annotated[JsonObject, "The same for the current quarter.", Members(ProjectedPeriod)]
    note: Annotated[str, "Why nothing had a cost."]
    method: Annotated[str, "How the remaining days are projected, or why nothing is."]
    budgets: Annotated[
        list[JsonObject],
        "Budgets exceeded, at risk, or of these costs and at risk by this forecast, the first to break first, each in its own currency: amount, spent, percentUsed, "
        "forecastedUtilization (DoiT's), status, exceededOn, breaksOn, basis, period.",
        Members(BudgetBreach),
    ]
    budgetsChecked: int
    scenario: Annotated[
        JsonObject,
        "months, quarter, total: expected, scenario (with the changes), change; budgets: effect, scenarioBreaksOn.",
        Members(Scenario),
    ]
    failed: FailedParts


@dataclass(frozen=True, slots=True)
class CostHistory:
    """Costs by day so far, in total and by cloud, and the first day of the customer's data if it is recent."""

    actual: Mapping[date, Decimal]
    clouds: Sequence[CloudCosts]
    data_start: date | None = None

    @property
    def is_paced(self) -> bool:
        """Whether each cloud has a pace, without which nothing is projected."""
        return bool(self.clouds) and all(cloud.pace is not None for cloud in self.clouds)


@composed_tool(
    area="reports",
    search_hint="Forecast, projected bill, month-end estimate, budget overrun, what if costs grow, scenario, migration",
    slow=True,
    default_list=True,
    view=True,
)
async def forecast_spend(
    call: Call,
    *,
    cloud: CloudArgument = None,
    filters: FiltersArgument = None,
    currency: CurrencyArgument = None,
    scenario: ScenarioArgument = None,
) -> Annotated[ResultWithSeries, SpendForecast]:
    """Forecast cost to the end of this month and quarter, and name the budgets that are exceeded or will be, and when.
    Budgets are checked as defined, whatever cloud and filters are selected."""
    today = utc_date(call.now)
    scope = Scope.from_arguments(cloud, filters)
    changes = read_scenario(scenario, scope, today) if scenario else None
    last = max(quarter_of(today).last, changes.horizon.last) if changes else None
    parts = await gather_partial(
        {
            "costs": run_checked(call, scope, currency, lambda code: fetch_costs(call, scope, code, today, last)),
            "budgets": find_breaches(call, scope),
        }
    )
    parts.require("costs")
    answer, code, checked_values = parts.results["costs"]
    checked: CheckedBudgets | None = parts.results.get("budgets")
    projected = await project_answer(call, scope, answer, code, checked_values)
    failed = [*parts.failures, *(checked.failures if checked else ()), *projected.pop("failed", ())]
    compared: JsonObject = {}
    if changes is not None:
        compared, more = await _compare(call, changes, answer, code, checked)
        failed += more
    own = OwnForecast(scope, code, _expected_costs(projected, today))
    statement = cost_statement(
        ReportedPeriod(month_of(today), today), code, scope, [scope.cloud] if scope.cloud else TIME_ZONES
    )
    result = {
        **with_check_note(projected, checked_values),
        **statement,
        **({"budgets": order_breaches(checked.budgets, own), "budgetsChecked": checked.count} if checked else {}),
        **compared,
        **make_failures_member(failed),
    }
    series = await run_in_thread(forecast_series, answer, code, today)
    budgets = [budget_series(checked.budgets)] if checked else []
    return ResultWithSeries(result, make_series_set(statement, [*series, *budgets]))


async def _compare(
    call: Call, changes: ScenarioRequest, answer: JsonObject, currency: str, checked: CheckedBudgets | None
) -> tuple[JsonObject, Sequence[FailedPart]]:
    """Return the member of the result with the scenario, and what could not be read. Raise ApiError or ToolError."""
    today = utc_date(call.now)
    clouds = read_clouds(answer, today)
    if not clouds or any(cloud.pace is None for cloud in clouds):
        return {}, [{"part": "scenario", "why": "too few days of final costs to project"}]
    shares = await read_shares(call, changes.scope, currency, today)
    compared, failures = await add_scenario(call, changes, shares, clouds, currency, checked)
    return {"scenario": compared}, failures


def _expected_costs(projected: JsonObject, today: date) -> dict[Period, tuple[str, float]]:
    periods = {"month": month_of(today), "quarter": quarter_of(today)}
    return {
        period: (name, expected)
        for name, period in periods.items()
        if (expected := projected[name]["expected"]) is not None
    }


async def project_answer(
    call: Call, scope: Scope, answer: JsonObject, currency: str, checked: CheckedValues = UNCHECKED
) -> JsonObject:
    """Return the projection of an *answer* of fetch_costs(), with a note if it is empty. Raise ApiError if it is empty
    because the scope has an unknown value."""
    today = utc_date(call.now)
    asked = ReportedPeriod(Period(quarter_of(today).previous_period().first, today), today)
    history = CostHistory(cost_by_day(answer), read_clouds(answer, today))
    if not history.actual:
        empty = await explain_empty_answer(call, scope, asked, checked)
        projected = project_periods(history, currency, today)
        spent = 0.0 if empty.is_known else None
        parts = {name: {**projected[name], "spent": spent} for name in ("month", "quarter")}
        return {**projected, **parts, "note": empty.note}
    is_partial = min(history.actual) > asked.whole.first
    start = await read_data_start(call) if is_partial else DataStart()
    # Days without costs may be days without data, unless it is known when the data begins.
    begin = min(history.actual) if start.failures else start.day
    return project_periods(replace(history, data_start=begin), currency, today) | make_failures_member(start.failures)


def project_periods(history: CostHistory, currency: str, today: date) -> JsonObject:
    """Return the projected month and quarter, and how they are projected."""
    return {
        "month": project_period(month_of(today), history, currency, today),
        "quarter": project_period(quarter_of(today), history, currency, today),
        "method": _describe_method(history, today),
    }


def _describe_method(history: CostHistory, today: date) -> str:
    if not history.is_paced:
        rates = {day: float(cost) for day, cost in history.actual.items()}
        return TOO_LITTLE_HISTORY.format(days=count_settled_days(rates, today), needed=MIN_HISTORY_DAYS)
    is_forecast = any(day > today for cloud in history.clouds for day in cloud.forecast)
    return API_METHOD if is_forecast else PACE_METHOD


def project_period(period: Period, history: CostHistory, currency: str, today: date) -> JsonObject:
    """Return one projected period as the result shows it, with the cost of the period before if the data covers it."""
    previous = period.previous_period()
    is_covered = history.data_start is None or history.data_start <= previous.first
    before = period_cost(previous, history.actual) if is_covered else None
    projection = project_cost(period, history.clouds, today)
    final_through = ReportedPeriod(period, today).final_through
    return {
        **projection.as_json(currency, previous, before),
        "complete": False,
        "finalThrough": final_through and final_through.isoformat(),
    }


async def fetch_costs(call: Call, scope: Scope, currency: str, today: date, last: date | None = None) -> JsonObject:
    """Return the costs by cloud and day since the previous quarter, with the API's forecast to *last*, by default the
    end of the quarter. The forecast is missing if the API has too little history."""
    quarter = quarter_of(today)
    since = Period(quarter.previous_period().first, today)
    plain = cost_config(scope, since, currency, interval="day", groups=(CLOUD_GROUP,))
    # At least a day, though the quarter may end today.
    days = max(1, ((last or quarter.last) - today).days)
    config: QueryConfig = {**plain, "forecastSettings": {"mode": "grouping", "futureTimeIntervals": days}}
    try:
        return await fetch_query(call, config)
    except ApiError as error:
        if error.kind != "refused":
            raise
    # The API rejects forecasts if it has too little history; the costs alone are still useful.
    return await fetch_query(call, plain)
