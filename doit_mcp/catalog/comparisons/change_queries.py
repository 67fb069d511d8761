"""The queries behind explain_cost_change: both periods by each dimension, in one round, and what their responses hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from ...api.errors import ApiError
from ...api.report_config import Group, QueryConfig
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..costs.groups import FIXED_DIMENSIONS, fixed_group
from ..costs.query_config import COST_METRIC, USAGE_METRIC, cost_config
from ..costs.scope import Scope
from ..partial_results import PartialResults, gather_partial
from ..periods.alignment import AlignedPeriods
from .comparison import (
    CLOUDS,
    COST_TYPE_COLUMN,
    HISTORY,
    SKU,
    ComparedDimension,
    check_answer,
    clouds_of,
    group_config,
    run_compared,
    total_cost,
)
from .explanation import ChangeBasis, DimensionChange, dimension_change
from .final_days import compare_final_days, final_names, final_queries

SIDES = ("before", "after")
SERVICE, TOTAL = "service", "total"
SKUS = MappingProxyType({SKU: ComparedDimension.from_group(fixed_group(SKU))})
EXTRA_COLUMNS = MappingProxyType({SERVICE: CLOUDS.key, SKU: COST_TYPE_COLUMN})
"""A further column of the queries by these dimensions. A service belongs to one cloud, so its cloud adds no rows."""


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A change to explain, by *dimensions* and their names; *before_argument* is the argument of the earlier period."""

    periods: AlignedPeriods
    dimensions: Mapping[str, ComparedDimension]
    scope: Scope
    before_argument: str


@dataclass(frozen=True, slots=True)
class FetchedChange:
    """The change by each dimension that could be read, and in total; *failures* are the errors by dimension.

    *skus* is the change by SKU, which has the causes, even if it is not among the dimensions; None if it failed.
    """

    changes: Sequence[DimensionChange]
    skus: DimensionChange | None
    totals: tuple[Decimal, Decimal]
    basis: ChangeBasis
    scope: Scope
    clouds: Sequence[str]
    failures: Mapping[str, ApiError]
    note: str
    final: JsonObject


async def fetch_change(call: Call, request: ChangeRequest, currency: str | None) -> FetchedChange:
    """Return the change that *request* describes. Raise ApiError."""
    scope, periods, wanted = request.scope, request.periods, request.dimensions
    dimensions = {**wanted, **SKUS}
    parts, stated = await run_compared(
        call,
        scope,
        periods,
        currency,
        lambda code: {
            **change_queries(scope, periods, dimensions, code),
            **final_queries(scope, periods, code, SIDES),
        },
    )
    failures = dimension_failures(parts, wanted)
    readable = {name: one for name, one in dimensions.items() if name not in failures}
    cut, note = await check_answer(call, scope, periods, parts, request.before_argument, side_names(readable))
    basis = ChangeBasis(cut, stated, knows_new=cut is periods)
    # One computation for each dimension, so that other callers wait for a short one at most.
    by_name: dict[str, DimensionChange] = {}
    for name, dimension in readable.items():
        try:
            by_name[name] = await run_in_thread(dimension_change, dimension, *side_results(parts, name), basis)
        except ApiError as error:
            if name in wanted:
                raise
            # Without SKUs, the answer lacks causes only.
            failures[name] = error
    changes, skus = [by_name[name] for name in wanted if name in by_name], by_name.get(SKU)
    totals = await find_totals(call, scope, periods, list(by_name.values()), parts, stated)
    final = compare_final_days(parts, periods, cut, stated, SIDES)
    clouds = clouds_of(cloud_answers(parts), scope)
    return FetchedChange(changes, skus, totals, basis, scope, clouds, failures, note, final)


def query_name(dimension: str, side: str) -> str:
    """Return the name of the query by a dimension, before or after the change."""
    return f"{dimension} {side}"


def side_names(dimensions: Iterable[str]) -> list[str]:
    """Return the names of the queries by *dimensions* for both periods."""
    return [query_name(name, side) for name in dimensions for side in SIDES]


def side_results(parts: PartialResults, dimension: str) -> tuple[JsonObject, JsonObject]:
    """Return the responses by a dimension, before and after the change."""
    before, after = (parts.results[name] for name in side_names([dimension]))
    return before, after


def change_queries(
    scope: Scope, periods: AlignedPeriods, dimensions: Mapping[str, ComparedDimension], currency: str
) -> dict[str, QueryConfig]:
    """Return the queries for both periods by each dimension, and by cloud for the totals if there are no services."""
    queries: dict[str, QueryConfig] = {}
    for side, period in zip(SIDES, (periods.before.elapsed, periods.after.elapsed)):
        for name, dimension in dimensions.items():
            # All usage of a SKU has the same unit.
            metrics = [COST_METRIC, USAGE_METRIC] if name == SKU else [COST_METRIC]
            extra: list[Group] = [{"id": EXTRA_COLUMNS[name], "type": "fixed"}] if name in EXTRA_COLUMNS else []
            config = cost_config(scope, period, currency, metrics=metrics)
            queries[query_name(name, side)] = group_config(config, [dimension], extra)
        if SERVICE not in dimensions:
            queries[query_name(TOTAL, side)] = group_config(cost_config(scope, period, currency), [CLOUDS])
    return queries


def dimension_failures(parts: PartialResults, wanted: Iterable[str]) -> dict[str, ApiError]:
    """Return the errors by dimension, and those of the history and of final days.

    Raise one if all *wanted* dimensions failed.
    """
    dimensions = [*wanted, SKU]
    failures = {
        name: parts.errors[query]
        for name in dimensions
        for query in reversed(side_names([name]))
        if query in parts.errors
    }
    PartialResults({name: True for name in wanted if name not in failures}, failures).raise_if_all_failed()
    others = (HISTORY, *final_names(SIDES))
    return failures | {name: parts.errors[name] for name in others if name in parts.errors}


def cloud_answers(parts: PartialResults) -> list[JsonObject]:
    """Return the responses that have clouds."""
    return [parts.results[name] for name in side_names([SERVICE, TOTAL]) if name in parts.results]


async def find_totals(
    call: Call,
    scope: Scope,
    periods: AlignedPeriods,
    changes: Sequence[DimensionChange],
    parts: PartialResults,
    currency: str,
) -> tuple[Decimal, Decimal]:
    """Return the cost of both periods: the sum of a complete list, or of all clouds. Raise ApiError."""
    for change in changes:
        # Allocations can overlap, so only values of built-in dimensions add up to the total.
        if change.complete and change.dimension.argument in FIXED_DIMENSIONS:
            return change.before.total, change.after.total
    queries = change_queries(scope, periods, {}, currency)
    if not set(queries) <= set(parts.results):
        run = call.doit.reports.run_query
        parts = await gather_partial({name: run(config=config) for name, config in queries.items()})
        parts.require()
    before, after = side_results(parts, TOTAL)
    return total_cost(before), total_cost(after)
