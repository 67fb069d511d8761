"""Unit cost: cost divided by a business metric from DataHub, such as orders or active customers."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

from ...api.errors import ApiError
from ...api.value_kinds import Day, Label, Members, Money, Quantity
from ...protocol.json_schema import Length, Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..costs.amounts import ZERO, amount_as_json, round_amount, round_significant
from ..costs.answers import (
    CLOUD_GROUP,
    CostRequest,
    explain_empty_answer,
    find_later_start,
    query_rows,
    run_checked,
    with_check_note,
)
from ..costs.checked_values import CheckedValues
from ..costs.group_costs import CostRow, cost_by_period, rank_groups, total_cost
from ..costs.groups import GroupByArgument, resolve_groups
from ..costs.scope import CloudArgument, FiltersArgument, IncludeCreditsArgument, Scope
from ..costs.statement import CostStatement, cost_statement
from ..currencies import CurrencyArgument
from ..partial_results import FailedPart, gather_partial, make_failures_member
from ..periods.grammar import PeriodArgument, parse_period
from ..periods.period import Period, ReportedPeriod, utc_date
from ..tools.composed import composed_tool
from ..tools.series import ResultWithSeries, make_series_set
from .metric_queries import check_metric, query_daily_units, query_units, refuse_bill_metric
from .unit_series import unit_series

DEFAULT_PERIOD = "last_month"
MAX_LAG = timedelta(days=3)
"""Maximum delay of units that needs no note. Costs also settle within three days."""

SUMMED_UNITS = (
    "Units are summed over days; unitsPerDay is the mean of the days with units. For a level, such as active customers, "
    "unitCost is per unit and day."
)


class UnitCostOfPeriod(TypedDict):
    """Cost, units and cost per unit of one month."""

    period: Annotated[str, Day]
    cost: Annotated[float, Money]
    units: Annotated[float, Quantity]
    unitCost: Annotated[float | None, Quantity]


class UnitCostOfGroup(TypedDict):
    """Cost, units and cost per unit of one group."""

    id: str | None
    name: Annotated[str | None, Label]
    cost: Annotated[float, Money]
    units: Annotated[float, Quantity]
    unitCost: Annotated[float | None, Quantity]


class UnitCost(CostStatement, total=False):
    """Cost per unit of a metric."""

    metric: str
    unitCost: Annotated[float | None, "cost / units; null without units.", Quantity]
    cost: Annotated[float | None, Money]
    units: Annotated[float, "Sum over all days.", Quantity]
    unitsPerDay: Annotated[float | None, "Mean of the days with units, e.g. active customers.", Quantity]
    periods: Annotated[list[JsonObject], "By month: cost, units, unitCost.", Members(UnitCostOfPeriod)]
    groups: Annotated[
        list[JsonObject], "id, name, cost, units, unitCost, most expensive first.", Members(UnitCostOfGroup)
    ]
    unitsBy: Annotated[Literal["group", "total"], "Whether groups are divided by their own units, or by all."]
    other: Annotated[float, "Cost of the other groups.", Money]
    note: str
    failed: Annotated[list[JsonObject], Members(FailedPart)]


@dataclass(frozen=True, slots=True)
class UnitRows:
    """Costs by group and month, and units by day and by group; *groups* are empty without a dimension."""

    costs: Sequence[CostRow]
    groups: Sequence[CostRow]
    daily_units: Sequence[CostRow]
    group_units: Sequence[CostRow]

    @property
    def count(self) -> int:
        """How many rows there are."""
        return sum(map(len, (self.costs, self.groups, self.daily_units, self.group_units)))


@composed_tool(
    area="datahub",
    search_hint="Unit economics: cost per order, customer, request, transaction; DataHub metric",
    slow=True,
    default_list=False,
)
async def unit_cost(
    call: Call,
    *,
    metric: Annotated[str, "Metric of DataHub events, e.g. orders.", Length(1, 200)],
    period: PeriodArgument = None,
    groupBy: GroupByArgument | None = None,
    cloud: CloudArgument = None,
    filters: FiltersArgument = None,
    includeCredits: IncludeCreditsArgument = False,
    currency: CurrencyArgument = None,
    topN: Annotated[int, "How many groups.", Range(1, 25)] = 10,
) -> Annotated[ResultWithSeries, UnitCost]:
    """Show cost per unit of a business metric that is sent to DataHub: total cost, units and cost per unit,
    by group and, for several months, by month. cloud and filters apply to the cost. Default: last month."""
    refuse_bill_metric(metric)
    whole = parse_period(period or DEFAULT_PERIOD, "period", utc_date(call.now))
    reported = cut_to_settled_days(whole)
    scope = Scope.from_arguments(cloud, filters, includeCredits)
    groups = await resolve_groups(call, groupBy)
    if len(groups) > 1:
        raise ApiError("groupBy: unit_cost groups by one dimension", kind="argument")
    request = CostRequest(scope, reported, tuple(groups))
    rows, stated, checked = await run_checked(
        call, scope, currency, lambda code: _read_rows(call, request, metric, code)
    )
    missing = await _missing_costs(call, request, rows, checked)
    if not rows.daily_units:
        await check_metric(call, metric, reported.today)
    texts = [*_settling_notes(whole, reported), *missing.notes, *_units_notes(metric, rows, missing.covered)]
    clouds = {str(row.ids[0]) for row in rows.costs}
    covered = replace(reported, whole=Period(missing.covered.first, reported.whole.last))
    statement = cost_statement(covered, stated, scope, clouds)
    statement["period"] |= {"complete": whole.complete and reported == whole}
    members = await run_by_rows(rows.count, make_unit_cost, rows, topN, stated)
    notes = with_check_note({"note": " ".join(texts)}, checked)
    result = {"metric": metric, **members, **statement, **missing.members, **notes}
    series = await run_by_rows(rows.count, unit_series, result, rows.daily_units, reported)
    return ResultWithSeries(result, make_series_set(statement, series))


def cut_to_settled_days(period: ReportedPeriod) -> ReportedPeriod:
    """Return the days of a period whose costs are final; all days if no cost is final yet.

    The units of the latest days are known before their costs are, which would make a unit look cheaper than it is.
    """
    last = period.final_through
    if last is None or last == period.elapsed.last:
        return period
    return replace(period, whole=Period(period.whole.first, last))


async def _read_rows(call: Call, request: CostRequest, metric: str, currency: str) -> UnitRows:
    period = request.period.elapsed
    work: dict[str, Awaitable[list[CostRow]]] = {
        "costs": query_rows(call, request, (CLOUD_GROUP,), currency),
        "units": query_daily_units(call, metric, period),
    }
    if request.groups:
        work["groups"] = query_rows(call, request, request.groups, currency)
        work["group_units"] = query_units(call, metric, period, "month", request.groups)
    parts = await gather_partial(work)
    parts.require()
    return UnitRows(
        parts.results["costs"],
        parts.results.get("groups", []),
        parts.results["units"],
        parts.results.get("group_units", []),
    )


def _settling_notes(whole: ReportedPeriod, reported: ReportedPeriod) -> list[str]:
    """Return the note about days whose costs are not final: they are left out, unless no other days are left."""
    if reported != whole:
        return [f"Costs after {reported.whole.last.isoformat()} are not final, so those days are left out."]
    if reported.final_through is None:
        return ["No day of this period has final costs: the cost can still rise, and with it the unit cost."]
    return []


class MissingCosts(NamedTuple):
    """Notes about missing costs, result members that they make unknown, and the days that have data (*covered*)."""

    notes: Sequence[str]
    members: JsonObject
    covered: Period


async def _missing_costs(call: Call, request: CostRequest, rows: UnitRows, checked: CheckedValues) -> MissingCosts:
    """Return what is missing from the cost. Raise ApiError for values of the scope that are not in the data."""
    elapsed = request.period.elapsed
    if not rows.costs:
        empty = await explain_empty_answer(call, request.scope, request.period, checked)
        return MissingCosts([empty.note], {} if empty.is_known else {"cost": None, "unitCost": None}, elapsed)
    start = await find_later_start(call, request.period, min(row.period for row in rows.costs))
    if start.day is None:
        return MissingCosts([], make_failures_member(start.failures), elapsed)
    return MissingCosts([f"The data begins on {start.day.isoformat()}."], {}, Period(start.day, elapsed.last))


def _units_notes(metric: str, rows: UnitRows, covered: Period) -> list[str]:
    """Return the notes about the units: what they are, and on how many of the days with costs they are missing."""
    if not rows.daily_units:
        return [f"The metric {metric} has no units in this period."]
    days = sorted({row.period for row in rows.daily_units})
    notes = [SUMMED_UNITS]
    if len(days) < covered.days:
        notes.append(f"{len(days)} of {covered.days} days have units.")
    if date.fromisoformat(days[0]) - covered.first > MAX_LAG:
        notes.append(f"The first units are from {days[0]}, but the cost covers all days.")
    if covered.last - date.fromisoformat(days[-1]) > MAX_LAG:
        notes.append(f"The last units are from {days[-1]}, but the cost covers all days.")
    return notes


def make_unit_cost(rows: UnitRows, top: int, currency: str) -> JsonObject:
    """Return cost, units and their quotient as the tool result shows them."""
    cost, units = total_cost(rows.costs), total_cost(rows.daily_units)
    days = len({row.period for row in rows.daily_units})
    months = cost_by_period(rows.costs)
    units_by_month = cost_by_period(rows.daily_units, lambda day: day[:7])
    by_month = [
        {"period": month, **_divide(months.get(month, ZERO), units_by_month.get(month, ZERO), currency)}
        for month in sorted(months.keys() | units_by_month.keys())
    ]
    return {
        **_divide(cost, units, currency),
        "unitsPerDay": round_significant(units / days) if days else None,
        **({"periods": by_month} if len(by_month) > 1 else {}),
        **(_make_groups(rows, cost, units, top, currency) if rows.groups else {}),
    }


def _make_groups(rows: UnitRows, cost: Decimal, units: Decimal, top: int, currency: str) -> JsonObject:
    """Return the groups, divided by their own units if the metric has the dimension, and otherwise by all units."""
    own: dict[Any, Decimal] = {}
    for row in rows.group_units:
        own[row.ids[0]] = own.get(row.ids[0], ZERO) + row.cost
    has_dimension = any(group.id in own for group in rank_groups(rows.groups) if group.id is not None)
    ranked = rank_groups(rows.groups)[:top]
    shown = sum((round_amount(group.cost, currency) for group in ranked), ZERO)
    return {
        "groups": [
            {
                "id": group.id,
                "name": group.name,
                **_divide(group.cost, own.get(group.id, ZERO) if has_dimension else units, currency),
            }
            for group in ranked
        ],
        "unitsBy": "group" if has_dimension else "total",
        "other": amount_as_json(round_amount(cost, currency) - shown, currency),
    }


def _divide(cost: Decimal, units: Decimal, currency: str) -> JsonObject:
    return {
        "cost": amount_as_json(cost, currency),
        "units": float(units),
        "unitCost": round_significant(cost / units) if units else None,
    }
