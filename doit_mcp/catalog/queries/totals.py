"""Totals of queries: which metrics add up, whether rows leave something out, and what requires a second query."""

from __future__ import annotations

from typing import Annotated, TypedDict, cast

from ...api.report_config import QueryConfig
from ...api.value_kinds import Money
from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import ZERO, amount_as_json, sum_amounts
from ..costs.scope import CLOUD_DIMENSION, Scope
from ..partial_results import PartialResults
from ..tables import column_names, complete_rows
from .checks import query_metrics

COST: JsonObject = {"type": "basic", "value": "cost"}
ADDITIVE_METRICS = ("cost", "savings", "amortized_cost", "amortized_savings")
"""Metrics in money whose rows add up to a total."""
LIMITS = ("metricFilter", "limitByChange")
OVERLAPPING_TYPES = frozenset({"attribution", "allocation_rule"})
"""Types of groups whose rows can contain the same costs."""
TOTAL_FIELDS = ("dataSource", "timeRange", "customTimeRange", "filters", "currency", "includePromotionalCredits")


class QueryTotal(TypedDict, total=False):
    """The sum of each metric in money."""

    cost: Annotated[float, Money]
    savings: Annotated[float, Money]
    amortized_cost: Annotated[float, Money]
    amortized_savings: Annotated[float, Money]


def money_metrics(config: JsonObject) -> list[str]:
    """Return the metrics of a config in money whose values add up."""
    values = [str(metric.get("value")) for metric in query_metrics(config) if metric.get("type") != "custom"]
    return [value for value in values if value in ADDITIVE_METRICS]


def find_aggregation(config: JsonObject) -> str | None:
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
    """Return whether the total requires a second query, because the rows leave something out or overlap."""
    is_cut = is_limited(config) or has_overlaps(config)
    return bool(money_metrics(config)) and find_aggregation(config) is None and is_cut


def has_overlaps(config: JsonObject) -> bool:
    """Return whether several rows can contain the same costs."""
    return any(group.get("type") in OVERLAPPING_TYPES for group in config.get("group") or ())


def total_config(config: JsonObject, *, by_cloud: bool = False) -> QueryConfig:
    """Return the query for the total of a config: without groups and limits, or only by cloud."""
    metrics = [metric for metric in query_metrics(config) if metric.get("value") in money_metrics(config)]
    kept = {name: config[name] for name in TOTAL_FIELDS if name in config}
    group = {"group": [{"id": CLOUD_DIMENSION, "type": "fixed"}]} if by_cloud else {}
    return cast(QueryConfig, {**kept, "metrics": metrics or [COST], "timeInterval": "year", **group})


def needs_clouds(config: JsonObject, scope: Scope) -> bool:
    """Return whether the clouds of the rows require another query, because filters select some, but not by cloud."""
    columns = [*(config.get("group") or ()), *(config.get("dimensions") or ()), *scope.filters]
    is_known = any(column["id"] == CLOUD_DIMENSION for column in columns)
    return bool(scope.filters) and not is_known and config.get("dataSource", "billing") == "billing"


def query_totals(config: JsonObject, answers: PartialResults) -> JsonObject:
    """Return total and limited; no total where the rows do not add up, or where it could not be queried."""
    limited = {"limited": True} if is_limited(config) else {}
    if find_aggregation(config) is not None:
        return limited
    shown = _sum_metrics(config, answers.results["rows"])
    if not needs_total_query(config):
        return {**({"total": shown} if shown else {}), **limited}
    if "total" not in answers.results:
        return limited
    total = _sum_metrics(config, answers.results["total"])
    return {"total": total, **({"limited": total != shown} if limited else {})}


def _sum_metrics(config: JsonObject, answer: JsonObject) -> JsonObject:
    """Return the sum of each metric in money; zeros for an answer without rows, nothing for one without columns."""
    names, rows, currency = column_names(answer), complete_rows(answer), config["currency"]
    return {
        metric: amount_as_json(sum_amounts(row[names.index(metric)] for row in rows) if rows else ZERO, currency)
        for metric in money_metrics(config)
        if metric in names or not rows
    }
