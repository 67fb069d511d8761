"""The change of cost behind an anomaly: its days against the same weekdays before, within its project."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..comparisons.change import resolve_dimensions, show_change
from ..comparisons.change_queries import ChangeRequest, fetch_change
from ..comparisons.compared_periods import ComparedPeriods
from ..costs.scope import Scope
from ..periods.alignment import DAYS_PER_WEEK, AlignedPeriods, align
from ..periods.period import MAX_PERIOD_DAYS, ONE_DAY, Period, ReportedPeriod, utc_date

DIMENSIONS = ["service", "sku", "region"]
MAX_DRIVERS = 5
"""Maximum drivers of each dimension."""


async def fetch_anomaly_change(call: Call, anomaly: JsonObject, project: str, currency: str) -> JsonObject:
    """Return the change of the costs of a *project* on the days of an *anomaly*, as explain_cost_change does.

    Raise ApiError if the days of the anomaly are unknown, or if the costs cannot be read.
    """
    periods = anomaly_periods(anomaly, utc_date(call.now))
    scope = Scope.from_arguments(
        str(anomaly.get("platform") or "") or None,
        [{"id": "project_id", "type": "fixed", "mode": "is", "values": [project]}],
    )
    dimensions = await resolve_dimensions(call, DIMENSIONS, None)
    request = ChangeRequest(ComparedPeriods.from_asked(periods), dimensions, scope, "before")
    return await show_change(call, await fetch_change(call, request, currency), MAX_DRIVERS, credits=False)


def anomaly_periods(anomaly: Mapping[str, object], today: date) -> AlignedPeriods:
    """Return the days of an *anomaly*, and as many days with the same weekdays before it. Raise ApiError."""
    days = ReportedPeriod(anomaly_days(anomaly, today), today)
    weeks = -(-days.elapsed.days // DAYS_PER_WEEK)
    shift = weeks * DAYS_PER_WEEK * ONE_DAY
    before = Period(days.elapsed.first - shift, days.elapsed.last - shift)
    return align(ReportedPeriod(days.elapsed, today), ReportedPeriod(before, today))


def anomaly_days(anomaly: Mapping[str, object], today: date) -> Period:
    """Return the days from the start of an *anomaly* to its end, or to *today* while it is open. Raise ApiError."""
    start, end = parse_time(anomaly.get("startTime")), parse_time(anomaly.get("endTime"))
    if start is None or start.date() > today:
        raise ApiError("the anomaly has no start in the past", kind="answer")
    first = start.date()
    # An end at midnight belongs to the day before.
    last = today if end is None else (end - timedelta(microseconds=1)).date()
    return Period(first, max(first, min(last, today, first + (MAX_PERIOD_DAYS // 2) * ONE_DAY)))


def parse_time(value: object) -> datetime | None:
    """Return an RFC 3339 time in UTC; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
