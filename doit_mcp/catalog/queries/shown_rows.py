"""The rows of a query as its answer shows them, and the facts needed to interpret them."""

from __future__ import annotations

from typing import Annotated, TypedDict

from ...api.value_kinds import Members, Verbatim
from ...protocol.jsonrpc import JsonObject
from ..periods.period import PeriodStatement
from ..tables import money_columns
from .config_period import PartialPeriod, partial_periods, row_interval
from .data_days import QueryPeriods
from .period_column import with_period_column
from .row_amounts import total_differences, with_rounded_columns
from .secondary_period import secondary_members, secondary_note
from .totals import QueryTotal, find_aggregation, has_overlaps, money_metrics
from .weekdays import WEEKDAY_NOTE, has_weekdays, weekday_days, with_weekday_order


class RowFacts(TypedDict, total=False):
    """Facts needed to interpret the rows of a query."""

    outsideRows: Annotated[JsonObject, "total minus rows.", Members(QueryTotal)]
    partialPeriods: Annotated[list[JsonObject], "Months with only some days.", Members(PartialPeriod)]
    secondaryPeriod: Annotated[JsonObject, Members(PeriodStatement)]
    secondaryPartialPeriods: Annotated[list[JsonObject], Members(PartialPeriod)]
    weekdayDays: Annotated[JsonObject, Verbatim]
    note: str


def format_rows(
    config: JsonObject, answer: JsonObject, currency: str | None, columns_key: str = "columns"
) -> JsonObject:
    """Return the response of a query with one column for the period, weekdays in their order, and rounded amounts.

    Amounts are those of the metrics in money, and of columns declared as money, such as custom metrics.
    Amounts whose *currency* is unknown are unchanged.
    """
    shown = with_weekday_order(with_period_column(answer, columns_key), columns_key)
    if currency is None or find_aggregation(config) not in (None, "cumulative"):
        return shown
    declared = money_columns(shown.get(columns_key) or ())
    names = {*money_metrics(config), *(name for name, code in declared.items() if code in (None, currency))}
    return with_rounded_columns(shown, names, currency, columns_key)


def row_facts(
    config: JsonObject,
    shown: JsonObject,
    periods: QueryPeriods | None,
    total: JsonObject | None,
) -> JsonObject:
    """Return the facts about the *shown* rows, which are under "columns" and "rows"; *total* is their total."""
    facts: JsonObject = {}
    if total and not has_overlaps(config) and (outside := total_differences(shown, total, config["currency"])):
        facts["outsideRows"] = outside
    notes = secondary_note(config, shown["columns"])
    if periods is not None:
        if partial := partial_periods(periods.main, row_interval(config)):
            facts["partialPeriods"] = partial
        facts |= secondary_members(config, periods.secondary)
        if has_weekdays(shown["columns"]):
            facts["weekdayDays"] = weekday_days(periods.main.elapsed)
            notes.append(WEEKDAY_NOTE)
        notes += periods.notes
    return {**facts, "note": " ".join(notes)} if notes else facts
