"""explain_cost_change: one change in cost, split by service, project, region, SKU and cause."""

from __future__ import annotations

from datetime import date
from typing import Annotated, TypedDict

from ...api.errors import ApiError
from ...api.value_kinds import Label, Members, Money, Percent
from ...protocol.json_schema import Length, Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..costs.groups import GROUP_FORMS, GroupByArgument, resolve_all, resolve_groups
from ..costs.scope import CloudArgument, FiltersArgument, IncludeCreditsArgument, Scope
from ..costs.statement import CostBasis, cost_basis
from ..currencies import CurrencyArgument, StatedCurrency
from ..partial_results import FailedPart
from ..periods.alignment import AlignedPeriods, AlignmentMember, align
from ..periods.grammar import PeriodArgument, ShortPeriodArgument, parse_period
from ..periods.period import PeriodStatement, ReportedPeriod, month_of, utc_date
from ..tools.composed import composed_tool
from ..tools.result_handles import pack_table
from ..tools.series import ResultWithSeries
from .causes import ChangeCauses
from .change_queries import SIDES, ChangeRequest, FetchedChange, fetch_change
from .compared_periods import ComparedDays, ComparedPeriods
from .comparison import ComparedDimension
from .drivers import DriverRow, OtherDrivers
from .drivers_table import drivers_table
from .explanation import explain_causes, explain_drivers, explain_total, note_new_values
from .final_days import FinalDifference, final_members, note_month_starts, note_provisional
from .waterfalls import change_series

PERIOD_EXAMPLES = "Such as 2026-10, 2026-Q3, 2026-10-01/2026-10-15, last_7_days, this_month, ytd."
DEFAULT_DIMENSIONS = ("service", "project", "region", "sku")
MAX_DIMENSIONS = 5

DimensionsArgument = Annotated[
    list[Annotated[str, Length(1, 300)]] | None,
    f"Where to look: {GROUP_FORMS}. Default: service, project, region, sku.",
    Length(1, MAX_DIMENSIONS),
]


class ChangeTotals(TypedDict, total=False):
    """The cost of both periods, and the change between them."""

    before: Annotated[float, Money]
    after: Annotated[float, Money]
    change: Annotated[float, Money]
    changePercent: Annotated[float | None, Percent]
    perDayBefore: Annotated[float, Money]
    perDayAfter: Annotated[float, Money]
    perDayChangePercent: Annotated[float | None, Percent]


class PriceDriver(TypedDict):
    """The effect of the price of one SKU on the change."""

    id: Annotated[str, Label]
    name: Annotated[str | None, Label]
    amount: Annotated[float, Money]


class FinalChange(FinalDifference, total=False):
    """The change over final days."""

    before: Annotated[float, Money]
    after: Annotated[float, Money]


class DriverDays(TypedDict):
    """The days of both periods that drivers and causes cover."""

    before: Annotated[JsonObject, Members(ComparedDays)]
    after: Annotated[JsonObject, Members(ComparedDays)]


class ProvisionalChange(TypedDict):
    """The change on the days that are not compared."""

    before: Annotated[float, Money]
    after: Annotated[float, Money]
    change: Annotated[float, Money]


class DimensionDrivers(TypedDict, total=False):
    """The drivers of the change in one dimension, and the cost of all its values that are new or gone."""

    dimension: Annotated[str, Label]
    drivers: Annotated[list[JsonObject], Members(DriverRow)]
    other: Annotated[JsonObject, Members(OtherDrivers)]
    new: Annotated[float, Money]
    gone: Annotated[float, Money]


class CostChange(TypedDict, total=False):
    """A change and its drivers."""

    before: Annotated[
        JsonObject, "from, to, days, complete, finalThrough (later days can change).", Members(PeriodStatement)
    ]
    after: Annotated[JsonObject, Members(PeriodStatement)]
    alignment: AlignmentMember
    total: Annotated[
        JsonObject,
        "before, after, change, changePercent, costs per day; perDayChangePercent if lengths differ.",
        Members(ChangeTotals),
    ]
    compared: Annotated[
        JsonObject,
        "Days of drivers and causes: final ones, if others are not. weekdays: Mondays to Fridays.",
        Members(DriverDays),
    ]
    final: Annotated[JsonObject, "total over final days, if later ones can change.", Members(FinalChange)]
    provisional: Annotated[JsonObject, "The other days; final and this are total.", Members(ProvisionalChange)]
    causes: Annotated[
        JsonObject,
        "Parts of the change: calendar (difference in days at the earlier cost per day), usage, price (per unit), new "
        "and gone SKUs, credits, commitments (reservations and Savings Plans: charges, usage moved to them), fees "
        "(one-time, tax, refunds, monthly fees), untold, provisional (other days).",
        Members(ChangeCauses),
    ]
    priceDrivers: Annotated[list[JsonObject], "SKUs with the largest effects of price.", Members(PriceDriver)]
    by: Annotated[
        list[JsonObject],
        "Drivers by dimension, the largest first, and other, the rest: before, after, change, share in percent, "
        "status new or gone; byUsage, byPrice and so on of a SKU.",
        Members(DimensionDrivers),
    ]
    currency: StatedCurrency
    basis: Annotated[JsonObject, "metric, credits, timeZones.", Members(CostBasis)]
    failed: Annotated[list[JsonObject], Members(FailedPart)]
    note: str
    handle: Annotated[str, "For query_result: all drivers, one dimension at a time."]


@composed_tool(
    area="reports",
    search_hint="Why did the bill go up: cost drivers, what changed, price or usage, root cause of a cost increase",
    narrow_hint="Ask for fewer drivers (top) or dimensions (by).",
    slow=True,
    default_list=True,
    view=True,
)
async def explain_cost_change(
    call: Call,
    *,
    after: Annotated[PeriodArgument, f"What to explain; default: last month. {PERIOD_EXAMPLES}"] = None,
    before: Annotated[ShortPeriodArgument, "What to compare it with; default: the period before it."] = None,
    period: Annotated[ShortPeriodArgument, "Same as after."] = None,
    compareTo: Annotated[ShortPeriodArgument, "Same as before."] = None,
    by: DimensionsArgument = None,
    groupBy: Annotated[GroupByArgument | None, "Same as by."] = None,
    cloud: CloudArgument = None,
    filters: FiltersArgument = None,
    includeCredits: IncludeCreditsArgument = False,
    top: Annotated[int, "Drivers of each dimension.", Range(1, 25)] = 5,
    topN: Annotated[int | None, "Same as top.", Range(1, 25)] = None,
    currency: CurrencyArgument = None,
) -> Annotated[ResultWithSeries, CostChange]:
    """Explain why cost went up or down between two periods: which services, projects, regions and SKUs drove the
    change, what is new or gone, and how much is price and how much usage. By default, explain the last whole month. An
    unfinished period is compared with the same days of the one before."""
    new, old = choose_argument(after=after, period=period), choose_argument(before=before, compareTo=compareTo)
    request = ChangeRequest(
        ComparedPeriods.from_asked(parse_periods(new, old, utc_date(call.now))),
        await resolve_dimensions(call, by, groupBy),
        Scope.from_arguments(cloud, filters, includeCredits),
        old[0],
    )
    change = await fetch_change(call, request, currency)
    result = await show_change(call, change, topN or top, credits=includeCredits)
    return ResultWithSeries(result, change_series(result))


NamedPeriod = tuple[str, str | None]
"""The name of an argument with a period, and its value."""


def choose_argument(**values: str | None) -> NamedPeriod:
    """Return the argument that was passed, or the first one. Raise ApiError if several were."""
    passed = [(name, value) for name, value in values.items() if value is not None]
    if len(passed) > 1:
        raise ApiError(f"Only one of {' and '.join(name for name, _ in passed)} is allowed", kind="argument")
    return passed[0] if passed else (next(iter(values)), None)


def parse_periods(after: NamedPeriod, before: NamedPeriod, today: date) -> AlignedPeriods:
    """Return the period to explain, by default the last whole month, with the one before it. Raise ApiError."""
    (after_name, after_text), (before_name, before_text) = after, before
    last_month = ReportedPeriod(month_of(today).previous_period(), today)
    new = parse_period(after_text, after_name, today) if after_text else last_month
    periods = align(new, parse_period(before_text, before_name, today) if before_text else None)
    if periods.before.elapsed.last >= new.whole.first:
        raise ApiError(
            f"{before_name}: must end before the period {after_name} begins, {new.whole.first.isoformat()}",
            kind="argument",
        )
    return periods


async def resolve_dimensions(
    call: Call, by: list[str] | None, group_by: str | list[str] | None
) -> dict[str, ComparedDimension]:
    """Return the dimensions that the arguments name, by their names. Raise ApiError."""
    if by and group_by:
        raise ApiError("Only one of by and groupBy is allowed", kind="argument")
    if group_by:
        groups = await resolve_groups(call, group_by)
    else:
        groups = await resolve_all(call, by or DEFAULT_DIMENSIONS, "by")
    return {group.argument: ComparedDimension.from_group(group) for group in groups}


async def show_change(call: Call, change: FetchedChange, top: int, *, credits: bool) -> JsonObject:
    """Return the result of the tool, with a handle to all drivers if it does not show them all."""
    basis, periods, currency = change.basis, change.periods, change.basis.currency
    asked = periods.asked
    drivers, share_note = await run_in_thread(explain_drivers, change.changes, change.totals, currency, top)
    days = final_members(periods, change.asked_totals, change.totals, currency, SIDES)
    provisional: JsonObject | None = days.get("provisional")
    result: JsonObject = {**{side: getattr(asked, side).as_json for side in SIDES}, "alignment": asked.alignment}
    if change.asked_totals is not None:
        result["total"] = explain_total(change.asked_totals, asked, currency)
    result |= days
    if change.skus is not None and change.skus.causes:
        result |= await run_in_thread(explain_causes, change.skus, change.totals, basis, credits=credits)
        if provisional is not None:
            result["causes"]["provisional"] = provisional["change"]
    result |= {"by": drivers, "currency": currency, "basis": cost_basis(change.scope, change.clouds)}
    if change.failures:
        result["failed"] = list(change.failures)
    causes = result.get("causes")
    has_fees = bool(causes and causes.get("fees"))
    notes = (
        change.note,
        unfinished_note(asked.after),
        f"{month_starts} They are in causes.fees." if has_fees and (month_starts := note_month_starts(periods)) else "",
        note_provisional(periods, "Drivers and causes"),
        note_new_values(drivers, causes) if causes else "",
        share_note,
    )
    if note := " ".join(filter(None, notes)):
        result["note"] = note
    if all(len(dimension.drivers) <= top for dimension in change.changes):
        return result
    about = {"tool": "explain_cost_change", **{name: result[name] for name in ("currency", *SIDES)}}
    data = await run_in_thread(
        lambda: pack_table(
            drivers_table(change.changes, change.totals, basis, about, provisional), call.customer_context
        )
    )
    handle = await call.results.put(call.owner, data)
    return result | ({"handle": handle} if handle else {})


def unfinished_note(after: ReportedPeriod) -> str:
    """Return a sentence about a period that is not over, "" for others."""
    if after.complete:
        return ""
    return f"The later period is not over: its costs are those up to {after.elapsed.last.isoformat()}."
