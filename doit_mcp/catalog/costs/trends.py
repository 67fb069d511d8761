"""Cost trends by month."""

from __future__ import annotations

from datetime import date
from math import fsum
from typing import Annotated, Any, TypedDict

from ...api.value_kinds import Day, Members, Money, Percent, Verbatim
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..currencies import CurrencyArgument, ResultCurrency, fetch_customer_currency
from ..partial_results import gather_partial
from ..periods import utc_date
from ..tables import (
    column_names,
    column_total,
    complete_rows,
    month_range,
    percent_change,
    round_to_cents,
    row_months,
    to_number,
)
from ..tools.composed import composed_tool
from .breakdown import (
    DIMENSION_IDS,
    Cloud,
    CostTotals,
    GroupBy,
    GroupCost,
    MonthRange,
    cost_query,
    cost_totals,
    group_by_top,
    rank_groups,
    without_extras,
)

SHORTER_PERIOD_HINT = "Ask for a shorter period."


class MonthCost(TypedDict, total=False):
    """The cost of one month and its change from the month before."""

    month: Annotated[str, Day]
    cost: Annotated[float, Money]
    changePercent: Annotated[float | None, Percent]
    running: bool


class Trend(TypedDict, total=False):
    """Costs by month."""

    rowCount: int
    columns: Annotated[list[JsonObject], "Name and type of each cell of a row.", Verbatim]
    rows: Annotated[list[list[Any]], "A list of cells for each month (and group).", Verbatim]
    months: Annotated[
        list[JsonObject],
        "Each month's whole cost, its change from the month before in percent, and running: true for the last if it "
        "is not over.",
        Members(MonthCost),
    ]
    groups: Annotated[list[JsonObject], "Each group's name and its cost over the whole period.", Members(GroupCost)]
    total: Annotated[
        JsonObject,
        "shown: the groups above; other: all others together, null if not known; all: both.",
        Members(CostTotals),
    ]
    currency: ResultCurrency
    period: Annotated[JsonObject, Members(MonthRange)]


@composed_tool(
    area="reports",
    search_hint="Spend over time, month by month, growth",
    narrow_hint=SHORTER_PERIOD_HINT,
    slow=True,
    default_list=True,
    result_table="query",
)
async def cost_trend(
    call: Call,
    *,
    months: Annotated[int, "How many months, the running one included.", Range(1, 36)] = 6,
    cloud: Cloud = None,
    groupBy: Annotated[GroupBy | None, "Also split each month by this."] = None,
    topN: Annotated[int, "How many groups.", Range(1, 25)] = 5,
    currency: CurrencyArgument = None,
) -> Annotated[JsonObject, Trend]:
    """Show cost month by month with the change from month to month, optionally by service, project or cloud. To learn
    why cost changed, use explain_cost_change; for the future, use forecast_spend."""
    whole = cost_query(cloud, months, currency)
    asked = {"whole": call.doit.reports.run_query(config=whole)}
    if groupBy:
        asked["split"] = call.doit.reports.run_query(config=group_by_top(whole, DIMENSION_IDS[groupBy], topN))
    work = asked if currency else {**asked, "currency": fetch_customer_currency(call.doit)}
    parts = await gather_partial(work)
    main = "split" if groupBy else "whole"
    if main in parts.errors:
        raise parts.errors[main]
    answer = parts.results[main]
    found = rank_groups(answer, DIMENSION_IDS[groupBy]) if groupBy else without_extras(answer)
    found |= {
        "currency": currency or parts.results.get("currency"),
        "period": {"months": months, **month_range(answer)},
    }
    everything = parts.results.get("whole")
    if everything is not None:
        found["months"] = costs_by_month(everything, utc_date(call.now))
        found["total"] = {"all": round_to_cents(column_total(everything) or 0.0)}
    if "groups" in found:
        shown = fsum(group["cost"] for group in found["groups"])
        found["total"] = cost_totals(shown, column_total(everything) if everything is not None else None)
    return found


def costs_by_month(answer: JsonObject, today: date) -> list[MonthCost]:
    """Cost of each month that has rows, the earliest first, and its change from the one before."""
    names = column_names(answer)
    if "cost" not in names:
        return []
    cost = names.index("cost")
    cells: dict[str, list[float]] = {}
    for month, row in zip(row_months(answer), complete_rows(answer)):
        cells.setdefault(month, []).append(to_number(row[cost]))
    found: list[MonthCost] = []
    before: float | None = None
    for month in sorted(cells):
        amount = fsum(cells[month])
        change = None if before is None else percent_change(amount - before, before)
        one: MonthCost = {"month": month, "cost": round_to_cents(amount), "changePercent": change}
        found.append({**one, "running": True} if month == today.isoformat()[:7] else one)
        before = amount
    return found
