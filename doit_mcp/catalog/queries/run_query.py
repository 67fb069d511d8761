"""run_query: any query of cost and usage, with its period, currency, basis and total."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict, cast

from ...api.errors import ApiError
from ...api.report_config import QueryConfig, QueryFields, TimeRange
from ...api.value_kinds import Members, Money, Verbatim
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..costs.amounts import ZERO, amount_as_json, sum_amounts
from ..costs.answers import with_check_note
from ..costs.scope import CLOUD_DIMENSION, Scope
from ..costs.statement import TIME_ZONES, CostStatement, cost_basis
from ..currencies import run_in_currency
from ..partial_results import FailedPart, PartialResults, failed_members, gather_partial
from ..periods.period import ReportedPeriod, utc_date
from ..tables import column_names, complete_rows
from ..tools.composed import composed_tool
from .checks import (
    check_dimensions,
    check_filter_values,
    check_usage_units,
    explain_empty_query,
    hides_unknown_values,
    query_metrics,
    query_scope,
)
from .config_period import PartialPeriod, config_period, partial_periods, row_interval, with_exact_period
from .period_column import with_period_column

MAX_INLINE_ROWS = 2_000
ADDITIVE_METRICS = ("cost", "savings", "amortized_cost", "amortized_savings")
"""Metrics in money whose rows add up to a total."""
LIMITS = ("metricFilter", "limitByChange")
OVERLAPPING_TYPES = frozenset({"attribution", "allocation_rule"})
"""Types of groups whose rows can have the same costs."""
TOTAL_FIELDS = ("dataSource", "timeRange", "customTimeRange", "filters", "currency", "includePromotionalCredits")


class QueryRequest(QueryFields, total=False):
    """A query whose period can also be written in words."""

    timeRange: Annotated[TimeRange | str, "Or text: last_month, last_7_days, 2026-Q3."]


class QueryTotal(TypedDict, total=False):
    """The sum of each metric in money."""

    cost: Annotated[float, Money]
    savings: Annotated[float, Money]
    amortized_cost: Annotated[float, Money]
    amortized_savings: Annotated[float, Money]


class QueryAnswer(CostStatement, total=False):
    """The rows of a query, and what they are."""

    total: Annotated[JsonObject, "Also of rows that limits leave out.", Members(QueryTotal)]
    limited: Annotated[bool, "Limits left out rows."]
    partialPeriods: Annotated[list[JsonObject], "Months of which rows have only some days.", Members(PartialPeriod)]
    rowCount: Annotated[int, "Total number of rows."]
    columns: Annotated[list[JsonObject], "Name and type of each cell of a row.", Verbatim]
    rows: Annotated[list[list[Any]], "Each row is a list of cells.", Verbatim]
    secondaryRows: Annotated[list[list[Any]], "Rows of the secondary time range.", Verbatim]
    forecastRows: Annotated[list[list[Any]], Verbatim]
    note: str
    failed: Annotated[list[JsonObject], Members(FailedPart)]


@composed_tool(
    area="reports",
    slow=True,
    default_list=True,
    result_table="query",
    narrow_hint="Ask for a shorter period, a longer timeInterval, or fewer groups (group limit).",
)
async def run_query(call: Call, *, config: QueryRequest) -> Annotated[JsonObject, QueryAnswer]:
    """Query cloud cost and usage: metrics, groups, filters, periods, comparisons, forecasts. For the top
    services, projects or clouds, cost_breakdown is simpler. Example, last month's cost by service:
    {"dataSource": "billing", "metrics": [{"type": "basic", "value": "cost"}], "timeInterval": "month",
    "timeRange": "last_month", "group": [{"id": "service_description", "type": "fixed"}]}
    """
    query, today = cast(JsonObject, config), utc_date(call.now)
    check_usage_units(query)
    period = config_period(query, today)
    exact, scope = with_exact_period(query, period, today), query_scope(query)
    answers, currency, checked = await fetch_answers(call, exact, scope)
    stated, rows = {**exact, "currency": currency}, answers.results["rows"]["rows"]
    if not rows:
        empty = await explain_empty_query(call, scope, period, checked)
        return {**make_query_result(stated, period, scope, answers, is_known=empty.is_known), "note": empty.note}
    if len(rows) <= MAX_INLINE_ROWS:
        return with_check_note(make_query_result(stated, period, scope, answers), checked)
    return with_check_note(await run_in_thread(make_query_result, stated, period, scope, answers), checked)


async def fetch_answers(call: Call, config: JsonObject, scope: Scope) -> tuple[PartialResults, str, bool | None]:
    """Return the responses "rows" and, if rows do not add up to it, "total", and their currency. Raise ApiError.

    The third is whether all values exist, false if that is unknown; None if an empty answer would show it.
    """

    async def query(currency: str) -> PartialResults:
        own = {**config, "currency": currency}
        parts = {"rows": call.doit.reports.run_query(config=cast(QueryConfig, own))}
        if needs_total_query(config):
            parts["total"] = call.doit.reports.run_query(config=total_config(own))
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
        raise await _explained(call, config, error)
    answers: tuple[PartialResults, str] = parts.results["answers"]
    checked = parts.results.get("values", False) if "values" in work else None
    return *answers, checked


async def _explained(call: Call, config: JsonObject, error: ApiError) -> ApiError:
    """Return the error of a query; if the API refused it for an unknown dimension, one that names the nearest."""
    if error.kind == "refused":
        try:
            await check_dimensions(call, config)
        except ApiError as explanation:
            # Without a list of dimensions, the API's own reason is the best one.
            return explanation if explanation.kind == "argument" else error
    return error


def money_metrics(config: JsonObject) -> list[str]:
    """Return the metrics of a config in money whose values add up."""
    values = [str(metric.get("value")) for metric in query_metrics(config) if metric.get("type") != "custom"]
    return [value for value in values if value in ADDITIVE_METRICS]


def aggregation_of(config: JsonObject) -> str | None:
    """Return how the values of rows are aggregated if they do not add up: cumulative, count, percentages."""
    aggregation = config.get("aggregation")
    if config.get("timeInterval") == "dayCumSum":
        return "cumulative"
    return None if aggregation in (None, "total") else str(aggregation)


def is_limited(config: JsonObject) -> bool:
    """Return whether a config leaves out rows without adding them up."""
    group_limit = any((group.get("limit") or {}).get("value") for group in config.get("group") or ())
    if config.get("limitAggregation") in ("top", "all"):
        return False
    return group_limit or any(config.get(limit) for limit in LIMITS)


def needs_total_query(config: JsonObject) -> bool:
    """Return whether a second query has to tell the total, because the rows leave something out or overlap."""
    overlap = any(group.get("type") in OVERLAPPING_TYPES for group in config.get("group") or ())
    return bool(money_metrics(config)) and aggregation_of(config) is None and (is_limited(config) or overlap)


def total_config(config: JsonObject) -> QueryConfig:
    """Return the query for the total of a config: without groups and limits."""
    metrics = [metric for metric in query_metrics(config) if metric.get("value") in money_metrics(config)]
    kept = {name: config[name] for name in TOTAL_FIELDS if name in config}
    return cast(QueryConfig, {**kept, "metrics": metrics, "timeInterval": "year"})


def make_query_result(
    config: JsonObject, period: ReportedPeriod, scope: Scope, answers: PartialResults, *, is_known: bool = True
) -> JsonObject:
    """Return the result of the tool: the statement of its amounts, then the rows.

    Without data (not *is_known*), the total is unknown and not zero.
    """
    answer = answers.results["rows"]
    partial = partial_periods(period, row_interval(config))
    return {
        "period": period.as_json,
        "currency": config["currency"],
        "basis": query_basis(config, scope, answer),
        **(query_totals(config, answers) if is_known else {}),
        **({"partialPeriods": partial} if partial else {}),
        **failed_members(answers.failures),
        **{name: value for name, value in with_period_column(answer).items() if name != "currency"},
    }


def query_basis(config: JsonObject, scope: Scope, answer: JsonObject) -> JsonObject:
    """Return what the amounts of a query are; with the aggregation, if they do not add up."""
    metrics = ", ".join(str(metric.get("value")) for metric in query_metrics(config))
    basis = cost_basis(scope, _clouds(scope, answer), metrics)
    aggregation = aggregation_of(config)
    return {**basis, "aggregation": aggregation} if aggregation else basis


def _clouds(scope: Scope, answer: JsonObject) -> list[str]:
    """Return the clouds of the rows, if the query tells them; otherwise all."""
    for condition in scope.filters:
        if condition["id"] == CLOUD_DIMENSION and condition.get("mode", "is") == "is" and not condition.get("inverse"):
            return condition.get("values", [])
    names = column_names(answer)
    if CLOUD_DIMENSION not in names:
        return list(TIME_ZONES)
    place = names.index(CLOUD_DIMENSION)
    return [str(row[place]) for row in complete_rows(answer)]


def query_totals(config: JsonObject, answers: PartialResults) -> JsonObject:
    """Return total and limited; no total where the rows do not add up, or where it could not be queried."""
    limited = {"limited": True} if is_limited(config) else {}
    if aggregation_of(config) is not None:
        return limited
    shown = _sums(config, answers.results["rows"])
    if not needs_total_query(config):
        return {**({"total": shown} if shown else {}), **limited}
    if "total" not in answers.results:
        return limited
    total = _sums(config, answers.results["total"])
    return {"total": total, **({"limited": total != shown} if limited else {})}


def _sums(config: JsonObject, answer: JsonObject) -> JsonObject:
    """Return the sum of each metric in money; zeros for an answer without rows, nothing for one without columns."""
    names, rows, currency = column_names(answer), complete_rows(answer), config["currency"]
    return {
        metric: amount_as_json(sum_amounts(row[names.index(metric)] for row in rows) if rows else ZERO, currency)
        for metric in money_metrics(config)
        if metric in names or not rows
    }
