"""Explanation of a cost change: one change, split by service, project, region and SKU."""

from __future__ import annotations

from collections.abc import Awaitable, Hashable
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal, TypedDict

from ...api.common_types import Filter
from ...api.errors import ApiError
from ...api.report_config import QueryConfig
from ...api.value_kinds import Label, Members, Money, Percent
from ...protocol.json_schema import Length, Pattern, Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from .. import periods
from ..call import Call
from ..currencies import CurrencyArgument, ResultCurrency, fetch_customer_currency
from ..partial_results import FailedPart, PartialResults, gather_partial
from ..periods import Period, PeriodDays, month_of, utc_date
from ..tables import column_total, percent_change, round_to_cents, sum_by_columns
from ..tools.composed import composed_tool
from ..tools.result_handles import ResultTable, pack_table
from .drivers import (
    ChangeCauses,
    CostAndUsage,
    CostDriver,
    DriverRow,
    OtherDrivers,
    change_causes,
    driver_row,
    find_drivers,
    split_change,
    to_cents,
)
from .old_queries import COST_METRIC, DIMENSION_IDS, Cloud, with_scope

MAX_GROUPS = 1000
"""Values that are read of one dimension and period, the most expensive first; the rest count as other."""

DimensionName = Literal["service", "project", "region", "sku", "cloud"]
PeriodArgument = Annotated[
    str | None, "A month (2026-08) or first and last day (2026-08-01/2026-08-15).", Pattern(periods.PERIOD_PATTERN)
]
CostsByValue = dict[Hashable, CostAndUsage]


class ChangeTotals(TypedDict, total=False):
    """The cost of both periods, and the change between them."""

    before: Annotated[float, Money]
    after: Annotated[float, Money]
    change: Annotated[float, Money]
    changePercent: Annotated[float | None, Percent]
    perDayBefore: Annotated[float, Money]
    perDayAfter: Annotated[float, Money]


class DimensionDrivers(TypedDict):
    """The drivers of the change in one dimension."""

    dimension: Annotated[str, Label]
    drivers: Annotated[list[JsonObject], Members(DriverRow)]
    other: Annotated[JsonObject, Members(OtherDrivers)]


class CostChange(TypedDict, total=False):
    """A change and its drivers."""

    before: Annotated[JsonObject, "from, to (both included) and days.", Members(PeriodDays)]
    after: Annotated[JsonObject, Members(PeriodDays)]
    total: Annotated[
        JsonObject, "Cost before and after, change, changePercent, and cost per day in both.", Members(ChangeTotals)
    ]
    causes: Annotated[
        JsonObject,
        "The change by its causes, which add up to it: usage (more or less of the same), price (another unit price), "
        "new and gone SKUs, untold. Only with sku.",
        Members(ChangeCauses),
    ]
    by: Annotated[
        list[JsonObject],
        "For each dimension the drivers, the largest first, and other, which adds up to the total change: before, "
        "after, change, share of the change in percent; status new or gone; byUsage and byPrice of a SKU.",
        Members(DimensionDrivers),
    ]
    currency: ResultCurrency
    failed: Annotated[list[JsonObject], "Parts that could not be had, and why.", Members(FailedPart)]
    note: str
    handle: Annotated[str, "For query_result: all drivers."]


@composed_tool(
    area="reports",
    search_hint="Why did the bill go up: cost drivers, what changed, price or usage, root cause of a cost increase",
    narrow_hint="Ask for fewer drivers (top) or dimensions (by).",
    slow=True,
    default_list=True,
)
async def explain_cost_change(
    call: Call,
    *,
    after: Annotated[PeriodArgument, "The period to explain; the last whole month, if left out."] = None,
    before: Annotated[PeriodArgument, "What to compare it with; the period just before it, if left out."] = None,
    by: Annotated[list[DimensionName] | None, "Where to look; all but cloud, if left out.", Length(1, 5)] = None,
    cloud: Cloud = None,
    filters: Annotated[list[Filter] | None, "Only costs that match all of these.", Length(maximum=10)] = None,
    top: Annotated[int, "Drivers of each dimension.", Range(1, 25)] = 5,
    currency: CurrencyArgument = None,
) -> Annotated[JsonObject, CostChange]:
    """Explain why cost went up or down between two periods: which services, projects, regions and SKUs drove the
    change, what is new or gone, and how much is price and how much usage. Shares add up to the whole change."""
    new, old = parse_periods(after, before, utc_date(call.now))
    config = cost_and_usage_query(cloud, filters, currency)
    dimensions = list(dict.fromkeys(by or ["service", "project", "region", "sku"]))
    work: dict[str, Awaitable[Any]] = {name: _query_dimension(call, config, name, old, new) for name in dimensions}
    if currency is None:
        work["currency"] = fetch_customer_currency(call.doit)
    parts = await gather_partial(work)
    pairs = {name: parts.results[name] for name in dimensions if name in parts.results}
    PartialResults(pairs, parts.errors).raise_if_all_failed()
    totals = await _query_totals(call, config, pairs, old, new)
    found = await run_in_thread(change_result, pairs, *totals, top)
    found |= {
        "before": old.as_json,
        "after": new.as_json,
        "currency": currency or parts.results.get("currency"),
    }
    found["total"] |= {
        "perDayBefore": round_to_cents(totals[0] / old.days),
        "perDayAfter": round_to_cents(totals[1] / new.days),
    }
    if parts.errors:
        found["failed"] = parts.failures
    if new.last >= utc_date(call.now):
        found["note"] = f"The period is not over: costs of days up to {new.last.isoformat()} are missing."
    return await _add_handle(call, found, pairs, top)


def parse_periods(after: str | None, before: str | None, today: date) -> tuple[Period, Period]:
    """Return the period to explain and the one to compare it with. Raise ApiError."""
    new = periods.parse_period(after, "after") if after else month_of(today).previous()
    old = periods.parse_period(before, "before") if before else new.previous()
    if old.last >= new.first:
        raise ApiError("before: must end before the period after begins", kind="argument")
    return new, old


def cost_and_usage_query(cloud: str | None, filters: list[Filter] | None, currency: str | None) -> QueryConfig:
    """Return the query for cost and usage, without period and groups."""
    config: QueryConfig = {"dataSource": "billing", "metrics": [COST_METRIC], "timeInterval": "month"}
    return with_scope(config, cloud, currency, filters or ())


class PeriodCosts:
    """The cost by one dimension in both periods."""

    def __init__(self, before: CostsByValue, after: CostsByValue) -> None:
        self.before, self.after = before, after
        self.complete_before, self.complete_after = len(before) < MAX_GROUPS, len(after) < MAX_GROUPS

    @classmethod
    def from_answers(cls, before: JsonObject, after: JsonObject, dimension: str) -> PeriodCosts:
        """Return the costs in the responses to both queries. Raise ApiError."""
        return cls(costs_by_value(before, dimension), costs_by_value(after, dimension))

    @cached_property
    def drivers(self) -> list[CostDriver]:
        """The drivers of the change."""
        return find_drivers(
            self.before, self.after, complete_before=self.complete_before, complete_after=self.complete_after
        )


async def _query_dimension(
    call: Call, config: QueryConfig, dimension: str, old_period: Period, new_period: Period
) -> PeriodCosts:
    grouped = group_query(config, dimension)
    parts = await gather_partial(
        {
            "before": call.doit.reports.run_query(config=periods.with_period(grouped, old_period)),
            "after": call.doit.reports.run_query(config=periods.with_period(grouped, new_period)),
        }
    )
    for error in parts.errors.values():
        raise error
    # Thousands of groups by month take up to a second.
    return await run_in_thread(
        PeriodCosts.from_answers, parts.results["before"], parts.results["after"], DIMENSION_IDS[dimension]
    )


def group_query(config: QueryConfig, dimension: str) -> QueryConfig:
    """Return *config* grouped by a dimension; SKUs with their usage, because all usage of a SKU has the same unit."""
    limit: Any = {"metric": COST_METRIC, "sort": "desc", "value": MAX_GROUPS}
    split_up: QueryConfig = {**config, "group": [{"id": DIMENSION_IDS[dimension], "type": "fixed", "limit": limit}]}
    return (
        {**split_up, "metrics": [COST_METRIC, {"type": "basic", "value": "usage"}]} if dimension == "sku" else split_up
    )


def costs_by_value(answer: JsonObject, dimension: str) -> CostsByValue:
    """Return the cost of each value of a dimension. Raise ApiError if the response lacks it."""
    cost, usage = sum_by_columns(answer, [dimension]), sum_by_columns(answer, [dimension], "usage")
    if not cost and answer["rows"]:
        raise ApiError(f"the result has no columns {dimension} and cost", kind="answer")
    return {key[0]: CostAndUsage(amount, usage.get(key, 0.0)) for key, amount in cost.items()}


async def _query_totals(
    call: Call, config: QueryConfig, pairs: dict[str, PeriodCosts], old_period: Period, new_period: Period
) -> tuple[float, float]:
    """Return the cost of both periods: from a dimension with complete lists, otherwise from a separate query."""
    for pair in pairs.values():
        if pair.complete_before and pair.complete_after:
            return sum(one.cost for one in pair.before.values()), sum(one.cost for one in pair.after.values())
    before = await call.doit.reports.run_query(config=periods.with_period(config, old_period))
    after = await call.doit.reports.run_query(config=periods.with_period(config, new_period))
    return column_total(before) or 0.0, column_total(after) or 0.0


def change_result(pairs: dict[str, PeriodCosts], before: float, after: float, top: int) -> JsonObject:
    """Return the change from the total *before* to the total *after*, and its drivers by each dimension."""
    start, end = to_cents(before), to_cents(after)
    found: JsonObject = {
        "total": {
            "before": start / 100,
            "after": end / 100,
            "change": (end - start) / 100,
            "changePercent": percent_change((end - start) / 100, start / 100),
        },
        "by": [],
    }
    for name, pair in pairs.items():
        ranked = pair.drivers
        parts = split_change(ranked, start, end, top)
        *shares, other = parts.shares
        rows = [driver_row(driver, share) for driver, share in zip(parts.shown, shares)]
        found["by"].append(
            {
                "dimension": name,
                "drivers": rows,
                "other": {**driver_row(parts.other, other), "count": parts.other_count},
            }
        )
        if name == "sku":
            found["causes"] = change_causes(ranked, end - start)
    return found


DRIVER_COLUMNS = (
    ("dimension", "string"),
    ("name", "string"),
    ("status", "string"),
    *((name, "float") for name in ("before", "after", "change", "byUsage", "byPrice")),
)


async def _add_handle(call: Call, result: JsonObject, pairs: dict[str, PeriodCosts], top: int) -> JsonObject:
    """Return *result* with a handle to all drivers, if it does not show them all."""
    if all(len(pair.before.keys() | pair.after.keys()) <= top for pair in pairs.values()):
        return result
    about = {"tool": "explain_cost_change", **{name: result[name] for name in ("currency", "before", "after")}}
    handle = await call.results.put(call.owner, await run_in_thread(_pack_drivers, pairs, about, call.customer_context))
    return result | ({"handle": handle} if handle else {})


def _pack_drivers(pairs: dict[str, PeriodCosts], about: JsonObject, customer: str | None) -> bytes:
    """Return all drivers as a serialized table."""
    rows: list[list[Any]] = []
    for dimension, pair in pairs.items():
        for one in (driver_row(driver, None) for driver in pair.drivers):
            rows.append([dimension, *(one.get(name) for name, _ in DRIVER_COLUMNS[1:])])
    return pack_table(
        ResultTable([{"name": name, "type": kind} for name, kind in DRIVER_COLUMNS], rows, about), customer
    )
