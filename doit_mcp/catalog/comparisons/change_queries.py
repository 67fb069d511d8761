"""The queries behind explain_cost_change: both periods by each dimension, run concurrently, and their responses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ...api.errors import ApiError
from ...api.report_config import Group, QueryConfig
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..costs.groups import COST_TYPE_COLUMN, FIXED_DIMENSIONS, find_fixed_group
from ..costs.query_config import COST_METRIC, USAGE_METRIC, cost_config
from ..costs.scope import Scope
from ..partial_results import FailedPart, PartialResults, gather_partial
from ..periods.alignment import AlignedPeriods
from ..report_runs.queries import fetch_query
from .compared_periods import ComparedPeriods
from .comparison import (
    CLOUDS,
    HISTORY,
    SKU,
    ComparedDimension,
    group_config,
    list_clouds,
    read_totals,
    require_data,
    run_compared,
    sum_line_costs,
)
from .explanation import ChangeBasis, DimensionChange, dimension_change
from .final_days import Totals

SIDES = ("before", "after")
SERVICE, TOTAL = "service", "total"
SKUS = MappingProxyType({SKU: ComparedDimension.from_group(find_fixed_group(SKU))})


class ChangeRequest(NamedTuple):
    """A change to explain, by *dimensions* and their names; *before_argument* is the argument of the earlier period."""

    periods: ComparedPeriods
    dimensions: Mapping[str, ComparedDimension]
    scope: Scope
    before_argument: str


class FetchedChange(NamedTuple):
    """The change by each dimension that could be read, and in total; *failures* are the parts that could not.

    *skus* is the change by SKU, which has the causes, even if it is not among the dimensions; None if it failed. These
    changes and *totals* cover the compared days, *asked_totals* the whole periods; None if they failed.
    """

    changes: Sequence[DimensionChange]
    skus: DimensionChange | None
    totals: Totals
    asked_totals: Totals | None
    periods: ComparedPeriods
    basis: ChangeBasis
    scope: Scope
    clouds: Sequence[str]
    failures: Sequence[FailedPart]
    note: str


async def fetch_change(call: Call, request: ChangeRequest, currency: str | None) -> FetchedChange:
    """Return the change that *request* describes. Raise ApiError."""
    scope, periods, wanted = request.scope, request.periods, request.dimensions
    dimensions = {**wanted, **SKUS}
    parts, stated = await run_compared(
        call, scope, periods.asked, currency, lambda code: change_queries(scope, periods, dimensions, code)
    )
    failures = dimension_failures(parts, wanted, has_final=periods.final is not None)
    readable = {name: one for name, one in dimensions.items() if name not in failures}
    known = [name for name in side_names([*readable, TOTAL]) if name in parts.results]
    checked = await require_data(call, scope, periods, parts, request.before_argument, known)
    cut = checked.periods
    basis = ChangeBasis(
        cut.compared,
        stated,
        knows_new=cut is periods and not checked.failures,
        has_monthly_fees_apart=not cut.has_equal_month_starts,
    )
    # One computation for each dimension, so that other callers wait for a short one at most.
    by_name: dict[str, DimensionChange] = {}
    for name, dimension in readable.items():
        try:
            by_name[name] = await run_in_thread(dimension_change, dimension, *side_results(parts, name), basis)
        except ApiError as error:
            if name in wanted:
                raise
            # Without SKUs, the answer lacks only the causes.
            failures[name] = error
    changes, skus = [by_name[name] for name in wanted if name in by_name], by_name.get(SKU)
    totals = await find_totals(call, scope, periods, list(by_name.values()), parts, stated)
    asked = totals if periods.final is None else read_totals(parts, side_names([TOTAL]))
    clouds = list_clouds(cloud_answers(parts), scope)
    failed = [*PartialResults({}, failures).failures, *checked.failures]
    return FetchedChange(changes, skus, totals, asked, cut, basis, scope, clouds, failed, checked.note)


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
    scope: Scope, periods: ComparedPeriods, dimensions: Mapping[str, ComparedDimension], currency: str
) -> dict[str, QueryConfig]:
    """Return the queries by each dimension over the compared days, and those by cloud over the whole periods.

    The latter are left out if the same days are queried by service, because those rows have clouds.
    """
    queries: dict[str, QueryConfig] = {}
    # Only the types of its charges distinguish a monthly service from a new one.
    has_types = not periods.has_equal_month_starts
    totals = total_queries(scope, periods.asked, currency)
    for side, period in zip(SIDES, (periods.compared.before, periods.compared.after)):
        for name, dimension in dimensions.items():
            # All usage of a SKU has the same unit.
            metrics = [COST_METRIC, USAGE_METRIC] if name == SKU else [COST_METRIC]
            columns = [CLOUDS.key] if name == SERVICE else []
            columns += [COST_TYPE_COLUMN] if name == SKU or (has_types and dimension.key != COST_TYPE_COLUMN) else []
            extra: list[Group] = [{"id": column, "type": "fixed"} for column in columns]
            config = cost_config(scope, period.elapsed, currency, metrics=metrics)
            queries[query_name(name, side)] = group_config(config, [dimension], extra)
        if SERVICE not in dimensions or periods.final is not None:
            queries[query_name(TOTAL, side)] = totals[query_name(TOTAL, side)]
    return queries


def total_queries(scope: Scope, periods: AlignedPeriods, currency: str) -> dict[str, QueryConfig]:
    """Return the queries of both periods by cloud."""
    spans = (periods.before.elapsed, periods.after.elapsed)
    return {
        name: group_config(cost_config(scope, span, currency), [CLOUDS])
        for name, span in zip(side_names([TOTAL]), spans)
    }


def dimension_failures(parts: PartialResults, wanted: Iterable[str], *, has_final: bool) -> dict[str, ApiError]:
    """Return the errors by dimension, and those of the history; with final days, also that of the whole periods.

    Raise one if all *wanted* dimensions failed.
    """
    dimensions = [*wanted, SKU, *([TOTAL] if has_final else [])]
    failures = {
        name: parts.errors[query]
        for name in dimensions
        for query in reversed(side_names([name]))
        if query in parts.errors
    }
    PartialResults({name: True for name in wanted if name not in failures}, failures).raise_if_all_failed()
    return failures | {name: parts.errors[name] for name in (HISTORY,) if name in parts.errors}


def cloud_answers(parts: PartialResults) -> list[JsonObject]:
    """Return the responses that have clouds."""
    return [parts.results[name] for name in side_names([SERVICE, TOTAL]) if name in parts.results]


async def find_totals(
    call: Call,
    scope: Scope,
    periods: ComparedPeriods,
    changes: Sequence[DimensionChange],
    parts: PartialResults,
    currency: str,
) -> Totals:
    """Return the cost of the compared days: the sum of a complete list, or of all clouds. Raise ApiError."""
    for change in changes:
        # Allocations can overlap, so only values of built-in dimensions add up to the total.
        if change.complete and change.dimension.argument in FIXED_DIMENSIONS:
            return change.before.total, change.after.total
    totals = read_totals(parts, side_names([TOTAL])) if periods.final is None else None
    if totals is not None:
        return totals
    queries = total_queries(scope, periods.compared, currency)
    fetched = await gather_partial({name: fetch_query(call, config) for name, config in queries.items()})
    fetched.require()
    before, after = side_results(fetched, TOTAL)
    return sum_line_costs(before), sum_line_costs(after)
