"""The periods of a query from the first day of the customer's data: earlier days have unknown costs, not zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..costs.answers import cut_to_data_start
from ..costs.data_start import read_data_start
from ..partial_results import FailedPart
from ..periods.grammar import parse_period
from ..periods.period import Period, ReportedPeriod
from .period_column import PERIOD_COLUMN

RECENT_DAYS = 90
"""The data is assumed to begin earlier than that, unless rows suggest otherwise, because bills of past months are
imported too. Reading the first day takes two more queries."""
MONTH_DAYS = 31


@dataclass(frozen=True, slots=True)
class QueryPeriods:
    """The period of the rows, the period they are compared with, if any, and the notes about days without data."""

    main: ReportedPeriod
    secondary: ReportedPeriod | None = None
    notes: list[str] = field(default_factory=list)
    failures: list[FailedPart] = field(default_factory=list)


async def cut_query_periods(
    call: Call, periods: QueryPeriods, shown: JsonObject, columns_key: str = "columns"
) -> QueryPeriods:
    """Return *periods* without the days before the customer's data. *shown* has rows and secondaryRows. Raise ApiError.

    The first day of the data is read only if the rows do not show that the first days of their period have data.
    """
    names = [column.get("name") for column in shown.get(columns_key) or ()]
    at = names.index(PERIOD_COLUMN) if PERIOD_COLUMN in names else None
    own = [(periods.main, shown.get("rows") or []), (periods.secondary, shown.get("secondaryRows") or [])]
    doubtful = [
        period
        for period, rows in own
        if period is not None and not await run_by_rows(len(rows), _has_first_days, period, rows, at)
    ]
    if not doubtful:
        return periods
    start = await read_data_start(call)
    if start.day is None or all(period.elapsed.first >= start.day for period in doubtful):
        return replace(periods, failures=[*periods.failures, *start.failures])
    return QueryPeriods(
        _from_day(periods.main, start.day),
        periods.secondary and _from_day(periods.secondary, start.day),
        [*periods.notes, _describe_start(start.day, periods)],
        [*periods.failures, *start.failures],
    )


def _has_first_days(period: ReportedPeriod, rows: Sequence[list[Any]], at: int | None) -> bool:
    """Return whether the rows have costs of the first month or shorter span of *period*, by their column *at*.

    If their spans are longer or unknown, recent days are assumed to have data.
    """
    first = period.elapsed.first
    texts = {row[at] for row in rows if isinstance(row[at], str)} if at is not None else set()
    spans = [span for span in map(_parse_days, texts) if span is not None and span.first <= first <= span.last]
    if any(span.days <= MONTH_DAYS for span in spans):
        return True
    is_unknown = bool(spans) or (at is None and bool(rows))
    return is_unknown and (period.today - first).days <= RECENT_DAYS


def _parse_days(text: str) -> Period | None:
    try:
        return parse_period(text.partition("T")[0], PERIOD_COLUMN, date.max).whole
    except ApiError:
        # The API's rows can have periods in another form, which do not show their days.
        return None


def _from_day(period: ReportedPeriod, start: date) -> ReportedPeriod:
    """Return *period* from the first day of the data; unchanged if that is not one of its days."""
    return cut_to_data_start(period, start) if period.elapsed.first < start <= period.elapsed.last else period


def _describe_start(start: date, periods: QueryPeriods) -> str:
    note = f"The data begins on {start.isoformat()}."
    if periods.secondary is not None and periods.secondary.elapsed.last < start:
        return f"{note} The period to compare with is before that, so its costs are unknown."
    return note
