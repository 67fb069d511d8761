"""Checks of query configs: usage without a unit, dimensions that do not exist, and the reason for an empty answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from ...api.areas.allocations import ALLOCATION_TYPES
from ...api.common_types import Filter
from ...api.errors import ApiError
from ...api.nearest import find_nearest
from ...protocol.json_schema import short_json
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.answers import EmptyAnswer, explain_empty_answer
from ..costs.checked_values import NOT_CHECKED, CheckedValues
from ..costs.scope import Scope, check_values
from ..known_names import (
    SINGLE_ALLOCATION_TYPES,
    Existence,
    check_allocations,
    read_dimensions,
    unknown_dimension_error,
)
from ..partial_results import gather_partial
from ..periods.period import ReportedPeriod
from .grouping import UNIT_COLUMNS, USAGE_COLUMN

FOLDING_MODES = ("starts_with", "ends_with", "contains")
"""Modes of filters in which the API can ignore case."""
NULL_VALUE = re.compile(r"\[.* N/A\]")
"""The former spelling of a missing value in filters; the API still accepts it."""


def query_metrics(config: JsonObject) -> list[JsonObject]:
    """Return the metrics of a config; cost if it has none."""
    legacy = [config["metric"]] if config.get("metric") else []
    return config.get("metrics") or legacy or [{"type": "basic", "value": "cost"}]


def query_scope(config: JsonObject) -> Scope:
    """Return the scope of a config."""
    return Scope.from_arguments(
        filters=config.get("filters"), include_credits=bool(config.get("includePromotionalCredits"))
    )


def check_usage_units(config: JsonObject) -> None:
    """Raise ApiError for usage in different units: it needs a group by unit or SKU, or a filter on one of them."""
    usage = any(metric == {"type": "basic", "value": USAGE_COLUMN} for metric in query_metrics(config))
    if not usage or config.get("dataSource", "billing") != "billing" or config.get("aggregation") == "count":
        return
    columns = [*(config.get("group") or ()), *(config.get("dimensions") or ())]
    if any(column.get("id") in UNIT_COLUMNS for column in columns):
        return
    if any(_selects_one(condition) for condition in config.get("filters") or () if condition["id"] in UNIT_COLUMNS):
        return
    raise ApiError(
        "query.metrics: usage of different SKUs has different units, so it does not add up. Add"
        ' {"id": "pricing_unit", "type": "fixed"} or {"id": "sku_description", "type": "fixed"} to query.group, or'
        " filter on one unit or SKU",
        kind="argument",
    )


def _selects_one(condition: JsonObject) -> bool:
    return (
        condition.get("mode", "is") == "is"
        and not condition.get("inverse")
        and not condition.get("includeNull")
        and len(condition.get("values") or ()) == 1
    )


def check_case_insensitive(config: JsonObject) -> None:
    """Raise ApiError for a filter with caseInsensitive in a mode in which the API ignores it."""
    for at, condition in enumerate(config.get("filters") or ()):
        mode = condition.get("mode", "is")
        if condition.get("caseInsensitive") and mode not in FOLDING_MODES:
            raise ApiError(
                f"query.filters[{at}].caseInsensitive: the API ignores it with mode {mode}. Leave it out and write the"
                ' values exactly as in the data, or set "mode": "contains"',
                kind="argument",
            )


def check_scope(scope: Scope) -> Scope:
    """Return a scope with only those filters of *scope* that are not on allocations, as the API reads them."""
    return Scope(filters=tuple(_check_filter(one) for one in scope.filters if one["type"] not in ALLOCATION_TYPES))


def _check_filter(condition: Filter) -> Filter:
    values = [value for value in condition.get("values", ()) if not NULL_VALUE.fullmatch(value)]
    checked: Filter = {**condition, "values": values}
    if checked.get("mode", "is") not in FOLDING_MODES:
        # The API ignores it in other modes, which saved reports can have.
        checked["caseInsensitive"] = False
    return checked


def hides_unknown_values(scope: Scope) -> bool:
    """Return whether the answer can have rows despite an unknown value: one of several, or an excluded one."""
    return scope.has_partly_checked_values or any(condition.get("inverse") for condition in scope.filters)


async def explain_empty_query(
    call: Call, scope: Scope, period: ReportedPeriod, checked: bool | None = None
) -> EmptyAnswer:
    """Return why a query has no rows. Raise ApiError for an unknown value, which names the nearest ones.

    *checked* is the result of check_filter_values, if that was called.
    """
    work: dict[str, Any] = {"answer": explain_empty_answer(call, check_scope(scope), period, CheckedValues(checked))}
    if checked is None:
        work["allocations"] = _check_allocations(call, scope)
    parts = await gather_partial(work)
    parts.require("answer")
    allocations = parts.errors.get("allocations")
    if allocations is not None and allocations.kind == "argument":
        raise allocations
    answer: EmptyAnswer = parts.results["answer"]
    if answer.is_known and not (checked or parts.results.get("allocations", False)):
        return EmptyAnswer(f"Nothing that matches had a cost in this period. {NOT_CHECKED}")
    return answer


def _has_allocation_groups(scope: Scope) -> bool:
    return any(condition["type"] in ALLOCATION_TYPES - SINGLE_ALLOCATION_TYPES for condition in scope.filters)


async def check_filter_values(call: Call, scope: Scope) -> bool:
    """Raise ApiError for a value or dimension in the filters that does not exist; it names the nearest ones.

    Return whether all could be checked.
    """
    parts = await gather_partial(
        {"values": check_values(call, check_scope(scope)), "allocations": _check_allocations(call, scope)}
    )
    for name, error in parts.errors.items():
        # The answer is correct even if the allocations cannot be listed.
        if name == "values" or error.kind == "argument":
            raise error
    return bool(parts.results["values"] and parts.results.get("allocations"))


async def _check_allocations(call: Call, scope: Scope) -> bool:
    """Raise ApiError for an allocation that does not exist; filters name them by id, or by name.

    Return whether all could be checked.
    """
    values = [
        value
        for condition in scope.filters
        if condition["type"] in SINGLE_ALLOCATION_TYPES and condition.get("mode", "is") == "is"
        for value in condition.get("values", ())
    ]
    has_groups = _has_allocation_groups(scope)
    if not values:
        return not has_groups
    check = await check_allocations(call, values)
    if check.existence is Existence.ABSENT:
        ids = check.known.ids_by_name
        nearest = await find_nearest(check.absent, ids)
        listed = ", ".join(f"{short_json(ids[name])} ({short_json(name)})" for name in nearest)
        hint = f"Did you mean {listed}?" if listed else "list_allocations lists their ids"
        raise ApiError(f"filters: unknown allocation {short_json(check.absent)}. {hint}", kind="argument")
    return check.existence is Existence.FOUND and not has_groups


async def check_dimensions(call: Call, config: JsonObject) -> None:
    """Raise ApiError for a dimension of a config that does not exist; it names the nearest ones."""
    wanted = [item for item in _config_dimensions(config) if item[1].get("type") not in ALLOCATION_TYPES]
    if not wanted:
        return
    known = await read_dimensions(call)
    for argument, dimension in wanted:
        identity = str(dimension.get("type")), str(dimension.get("id"))
        if known.check(identity) is Existence.ABSENT:
            raise await unknown_dimension_error(argument, identity, known.names)


def _config_dimensions(config: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    for part in ("group", "filters", "dimensions"):
        for at, item in enumerate(config.get(part) or ()):
            yield f"query.{part}[{at}]", item
    count: Any = config.get("count")
    if isinstance(count, dict):
        yield "query.count", cast(JsonObject, count)
