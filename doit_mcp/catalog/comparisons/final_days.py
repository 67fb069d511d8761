"""Figures over final days, in addition to those of whole periods whose latest costs are still arriving."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, TypedDict

from ...api.report_config import QueryConfig
from ...api.value_kinds import Day, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import amount_as_json, round_amount
from ..costs.query_config import cost_config
from ..costs.scope import Scope
from ..periods.alignment import AlignedPeriods
from .compared_periods import ComparedPeriods, describe_days, find_arriving_days, has_final_days
from .comparison import change_figures

Totals = tuple[Decimal, Decimal]
"""The cost of everything, before and after."""


class FinalDifference(TypedDict, total=False):
    """The change over final days: the *days* of the later period up to the day *to*."""

    days: int
    to: Annotated[str, Day]
    change: Annotated[float, Money]
    changePercent: Annotated[float | None, Percent]
    perDayChangePercent: Annotated[float | None, Percent]


def final_names(sides: Sequence[str]) -> list[str]:
    """Return the names of the queries for the final days of the earlier and the later side."""
    return [f"final {side}" for side in sides]


def final_queries(
    scope: Scope, periods: ComparedPeriods, currency: str, sides: Sequence[str]
) -> dict[str, QueryConfig]:
    """Return the queries for the cost of the final days; {} if *periods* have no separate final days."""
    if periods.final is None:
        return {}
    spans = (periods.final.before.elapsed, periods.final.after.elapsed)
    return {name: cost_config(scope, span, currency) for name, span in zip(final_names(sides), spans)}


def final_members(
    periods: ComparedPeriods, asked: Totals | None, final: Totals | None, currency: str, sides: Sequence[str]
) -> JsonObject:
    """Return the members compared, final and provisional: which days are compared, and how the totals differ.

    *asked* and *final* are the costs of the periods and of their final days, None if they are unknown.
    """
    spans = (periods.compared.before.elapsed, periods.compared.after.elapsed)
    members: JsonObject = {"compared": {side: describe_days(span) for side, span in zip(sides, spans)}}
    if periods.final is None or final is None:
        return members
    before, after = final
    members["final"] = {
        "days": periods.final.after.days,
        "to": periods.final.after.elapsed.last.isoformat(),
        **{side: amount_as_json(cost, currency) for side, cost in zip(sides, final)},
        **change_figures(before, after, periods.final, currency),
    }
    if asked is not None:
        old, new = (round_amount(whole, currency) - round_amount(part, currency) for whole, part in zip(asked, final))
        members["provisional"] = {sides[0]: float(old), sides[1]: float(new), "change": float(new - old)}
    return members


def note_month_starts(periods: ComparedPeriods) -> str:
    """Return a sentence about monthly charges that one period has more often, "" if both have them equally often."""
    if periods.has_equal_month_starts:
        return ""
    before, after = periods.month_starts
    return (
        f"First days of months in the earlier period: {before}, in the later one: {after}. Monthly charges such as "
        "support and tax are billed then."
    )


def note_provisional(periods: ComparedPeriods, parts: str) -> str:
    """Return a note about costs that are still arriving, "" if all are final.

    *parts* names the figures that cover final days only.
    """
    arriving = note_arriving(periods.asked, has_final=periods.final is not None)
    return arriving if periods.final is None else f"{arriving} {parts} leave these days out."


def note_arriving(periods: AlignedPeriods, *, has_final: bool) -> str:
    """Return a sentence about costs that are still arriving, "" if all are final."""
    arriving = [days for side in (periods.before, periods.after) if (days := find_arriving_days(side)) is not None]
    if not arriving:
        return ""
    first, last = min(days.first for days in arriving), max(days.last for days in arriving)
    named = first.isoformat() if first == last else f"{first.isoformat()} to {last.isoformat()}"
    if not has_final_days(periods):
        return f"Costs of {named} are still arriving and a period has no final day, so changePercent is null."
    return f"Costs of {named} are still arriving{'; compare final' if has_final else ''}."
