"""run_query: any query of cost and usage, with its period, currency, basis and total."""

from __future__ import annotations

from typing import Annotated, Any, cast

from ...api.areas.report_runs import FileType
from ...api.errors import ApiError
from ...api.markers import FormerName
from ...api.report_config import DisplaySettings, DisplayValues, Layout, QueryConfig, QueryFields, TimeRange
from ...api.value_kinds import Members, Verbatim
from ...protocol.json_schema import UNLISTED
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..costs.answers import with_check_note
from ..costs.checked_values import CheckedValues
from ..costs.projects import fetch_project_names
from ..costs.scope import CLOUD_DIMENSION, Scope
from ..costs.statement import TIME_ZONES, CostStatement, cost_basis
from ..currencies import run_in_currency
from ..partial_results import FailedPart, PartialResults, gather_partial, make_failures_member
from ..periods.period import utc_date
from ..report_runs.queries import FileArgument, FileLink, fetch_query, with_missing_file
from ..tables import column_names, complete_rows
from ..tools.composed import composed_tool
from .checks import (
    check_case_insensitive,
    check_dimensions,
    check_filter_values,
    check_usage_units,
    explain_empty_query,
    hides_unknown_values,
    query_metrics,
    query_scope,
)
from .config_period import config_period, with_custom_mode, with_exact_period
from .data_days import QueryPeriods, cut_query_periods
from .project_names import needs_project_names, with_project_names
from .secondary_period import secondary_period, with_exact_secondary
from .shown_rows import RowFacts, format_rows, row_facts
from .totals import QueryTotal, find_aggregation, needs_clouds, needs_total_query, query_totals, total_config

FORECAST_BASIS = (
    "DoiT's forecast of the rows of this query, from its period and by its interval; forecast_spend, by cloud and day, and "
    "a budget's forecastedUtilization are other forecasts"
)


class QueryRequest(QueryFields, total=False):
    """A query whose period can also be written in words."""

    timeRange: Annotated[TimeRange | str, "Or text: last_month, last_7_days, 2026-Q3."]
    # Accepted without effect, so that the config of a report can be used.
    displayValues: Annotated[DisplayValues, UNLISTED]
    layout: Annotated[Layout, UNLISTED]
    displaySettings: Annotated[DisplaySettings, UNLISTED]


class QueryAnswer(CostStatement, RowFacts, total=False):
    """The rows of a query, and what they are."""

    total: Annotated[JsonObject, "Also of rows that limits leave out.", Members(QueryTotal)]
    limited: Annotated[bool, "Limits left out rows."]
    rowCount: int
    columns: Annotated[list[JsonObject], "Name and type of each cell.", Verbatim]
    rows: Annotated[list[list[Any]], Verbatim]
    secondaryRows: Annotated[list[list[Any]], "In secondaryPeriod.", Verbatim]
    forecastRows: Annotated[list[list[Any]], Verbatim]
    fileOutput: FileLink
    failed: Annotated[list[JsonObject], Members(FailedPart)]


@composed_tool(
    area="reports",
    slow=True,
    default_list=True,
    result_table="query",
    narrow_hint="Ask for a shorter period, a longer timeInterval, or fewer groups (group limit).",
    view=True,
)
async def run_query(
    call: Call, *, query: Annotated[QueryRequest, FormerName("config")], file: FileArgument = None
) -> Annotated[JsonObject, QueryAnswer]:
    """Query cloud cost and usage: metrics, groups, filters, periods, comparisons, forecasts. For the top
    services, projects or clouds, cost_breakdown is simpler. Example, last month's cost by service:
    {"dataSource": "billing", "metrics": [{"type": "basic", "value": "cost"}], "timeInterval": "month",
    "timeRange": "last_month", "group": [{"id": "service_description", "type": "fixed"}]}
    """
    today = utc_date(call.now)
    config = with_custom_mode(cast(JsonObject, query), today)
    check_usage_units(config)
    check_case_insensitive(config)
    period = config_period(config, today)
    secondary, scope = secondary_period(config, period.elapsed, today), query_scope(config)
    exact = with_exact_secondary(with_exact_period(config, period, today), secondary)
    answers, currency, checked = await fetch_answers(call, exact, scope, file)
    answer = answers.results["rows"]
    stated, rows = {**exact, "currency": currency}, answer["rows"]
    shown = await run_by_rows(len(rows), add_project_names, stated, answers)
    if not rows:
        empty = await explain_empty_query(call, scope, period, checked)
        periods = QueryPeriods(period, secondary, [empty.note])
        result = make_query_result(stated, periods, scope, answers, shown, is_known=empty.is_known)
        return with_missing_file(call, result, answer, file)
    periods = await cut_query_periods(call, QueryPeriods(period, secondary), shown)
    result = await run_by_rows(len(rows), make_query_result, stated, periods, scope, answers, shown)
    return with_missing_file(call, with_check_note(result, CheckedValues(checked)), answer, file)


async def fetch_answers(
    call: Call, config: JsonObject, scope: Scope, file_type: FileType | None = None
) -> tuple[PartialResults, str, bool | None]:
    """Return the responses, their currency, and whether all values of filters exist. Raise ApiError.

    The responses are "rows", the "total" if rows do not add up to it, the costs by "clouds", and the "names" of
    projects. The third item is false if unknown, and None if an empty answer would show unknown values.
    """
    by_cloud = needs_clouds(config, scope)

    async def query(currency: str) -> PartialResults:
        own = {**config, "currency": currency}
        parts: dict[str, Any] = {
            "rows": fetch_query(call, cast(QueryConfig, own), file_type, start_tool="start_query_run")
        }
        if needs_total_query(config) or by_cloud:
            name = "total" if needs_total_query(config) else "clouds"
            parts[name] = fetch_query(call, total_config(own, by_cloud=by_cloud))
        if needs_project_names(config):
            parts["names"] = fetch_project_names(call)
        answers = await gather_partial(parts)
        answers.require("rows")
        return answers

    work: dict[str, Any] = {"answers": run_in_currency(call, config.get("currency"), query)}
    if hides_unknown_values(scope):
        work["values"] = check_filter_values(call, scope)
    parts = await gather_partial(work)
    unknown = parts.errors.get("values")
    if unknown is not None and unknown.kind == "argument":
        raise unknown
    if (error := parts.errors.get("answers")) is not None:
        raise await _explain_error(call, config, error)
    answers: tuple[PartialResults, str] = parts.results["answers"]
    checked = parts.results.get("values", False) if "values" in work else None
    return *answers, checked


async def _explain_error(call: Call, config: JsonObject, error: ApiError) -> ApiError:
    """Return the error of a query; if the API refused it for an unknown dimension, one that names the nearest."""
    if error.kind == "refused":
        try:
            await check_dimensions(call, config)
        except ApiError as explanation:
            # Without a list of dimensions, the API's own reason is the most helpful, unless a new sign-in is needed.
            return explanation if explanation.kind in ("argument", "credential") else error
    return error


def add_project_names(config: JsonObject, answers: PartialResults) -> JsonObject:
    """Return the response of the query as the result shows it, with names of projects."""
    shown = format_rows(config, answers.results["rows"], config["currency"])
    return with_project_names(shown, answers.results.get("names"))


def make_query_result(
    config: JsonObject,
    periods: QueryPeriods,
    scope: Scope,
    answers: PartialResults,
    shown: JsonObject,
    *,
    is_known: bool = True,
) -> JsonObject:
    """Return the result of the tool: the statement of its amounts, then the rows as they are *shown*.

    Without data (not *is_known*), the total is null instead of zero.
    """
    answer, currency = answers.results["rows"], config["currency"]
    totals = query_totals(config, answers) if is_known else {}
    by_cloud = answers.results.get("clouds") or answers.results.get("total")
    return {
        "period": periods.main.as_json,
        "currency": currency,
        "basis": query_basis(config, scope, answer, by_cloud),
        **totals,
        **row_facts(config, shown, periods, totals.get("total")),
        **make_failures_member([*answers.failures, *periods.failures]),
        **{name: value for name, value in shown.items() if name != "currency"},
    }


def query_basis(config: JsonObject, scope: Scope, answer: JsonObject, by_cloud: JsonObject | None = None) -> JsonObject:
    """Return what the amounts of a query are; with the aggregation, if they do not add up.

    *by_cloud* has the costs of the same scope, perhaps by cloud.
    """
    metrics = ", ".join(str(metric.get("value")) for metric in query_metrics(config))
    basis = cost_basis(scope, _list_clouds(scope, [answer, *([by_cloud] if by_cloud else [])]), metrics)
    if answer.get("forecastRows"):
        basis["forecast"] = FORECAST_BASIS
    aggregation = find_aggregation(config)
    return {**basis, "aggregation": aggregation} if aggregation else basis


def _list_clouds(scope: Scope, answers: list[JsonObject]) -> list[str]:
    """Return the clouds of the rows if a filter or one of the *answers* shows them; otherwise all clouds."""
    for condition in scope.filters:
        if condition["id"] == CLOUD_DIMENSION and condition.get("mode", "is") == "is" and not condition.get("inverse"):
            return condition.get("values", [])
    for answer in answers:
        names = column_names(answer)
        if CLOUD_DIMENSION in names and (rows := complete_rows(answer)):
            return [str(row[names.index(CLOUD_DIMENSION)]) for row in rows]
    return list(TIME_ZONES)
