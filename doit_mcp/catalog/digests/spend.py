"""The spend of the last seven final days against the seven before: the queries, and their figures as the digest shows
them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..comparisons.change_queries import ChangeRequest, FetchedChange, fetch_change
from ..comparisons.compared_periods import ComparedPeriods
from ..comparisons.comparison import ComparedDimension, change_figures
from ..comparisons.drivers import split_change
from ..comparisons.explanation import DimensionChange, explain_causes
from ..comparisons.final_days import note_month_starts
from ..costs.amounts import amount_as_json, round_amount
from ..costs.groups import find_fixed_group
from ..costs.scope import Scope
from ..costs.statement import cost_statement
from ..partial_results import FailedPart
from ..periods.alignment import align
from ..periods.period import ONE_DAY, ReportedPeriod, last_final_days
from .short_text import shorten_text

DAYS_PER_WEEK = 7
DIMENSIONS = ("service", "project")


def choose_weeks(today: date) -> ComparedPeriods:
    """Return the last seven final days and the seven days before. All are final, and both have each weekday once."""
    week = last_final_days(today, DAYS_PER_WEEK)
    return ComparedPeriods.from_asked(align(ReportedPeriod(week, today), ReportedPeriod(week.previous_period(), today)))


async def read_spend(
    call: Call, weeks: ComparedPeriods, currency: str | None, rows: int
) -> tuple[JsonObject, Sequence[FailedPart]]:
    """Return the members of the digest about spend, with *rows* drivers of each dimension, and the unread parts.

    Raise ApiError.
    """
    dimensions = {name: ComparedDimension.from_group(find_fixed_group(name)) for name in DIMENSIONS}
    change = await fetch_change(call, ChangeRequest(weeks, dimensions, Scope(), "week before"), currency)
    return await run_in_thread(describe_spend, change, rows), change.failures


def describe_spend(change: FetchedChange, rows: int) -> JsonObject:
    """Return the members of the digest about spend."""
    weeks, stated = change.periods, change.basis.currency
    compared = weeks.compared
    members: JsonObject = {
        **cost_statement(compared.after, stated, change.scope, change.clouds),
        "comparedWith": compared.before.as_json,
    }
    if not any(one.drivers for one in change.changes):
        # Without any rows, it is unknown whether the week cost nothing.
        nothing = dict.fromkeys(("week", "weekBefore", "change", "changePercent"))
        return members | {"spend": nothing, "note": change.note}
    before, after = change.totals
    members["spend"] = {
        **_compare_weeks(before, after, stated),
        **change_figures(before, after, compared, stated),
    }
    if change.skus is not None and change.skus.causes:
        causes: JsonObject = explain_causes(change.skus, change.totals, change.basis, credits=False)["causes"]
        members["causes"] = {name: amount for name, amount in causes.items() if amount}
    start, end = round_amount(before, stated), round_amount(after, stated)
    members["drivers"] = [_summarize_drivers(one, start, end, rows) for one in change.changes]
    later = (compared.after.elapsed.last + ONE_DAY).isoformat()
    notes = (change.note, f"Costs from {later} on are still arriving, so they are left out.", note_month_starts(weeks))
    return members | {"note": " ".join(filter(None, notes))}


def _compare_weeks(before: Decimal, after: Decimal, currency: str) -> JsonObject:
    return {"week": amount_as_json(after, currency), "weekBefore": amount_as_json(before, currency)}


def _summarize_drivers(change: DimensionChange, before: Decimal, after: Decimal, rows: int) -> JsonObject:
    split = split_change(list(change.drivers), before, after, rows)
    shown = []
    for driver in split.shown:
        name = change.name_of(driver)
        shown.append(
            {
                **({} if driver.id == name or driver.id is None else {"id": shorten_text(driver.id)}),
                "name": shorten_text(name),
                "week": float(driver.after),
                "weekBefore": float(driver.before),
                "change": float(driver.change),
                **({"status": driver.status} if driver.status else {}),
            }
        )
    return {"by": change.dimension.argument, "rows": shown, "otherChange": float(split.other.change)}
