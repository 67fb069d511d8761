"""The period of a query's config (relative, custom or in words), and the calendar periods that it covers in part."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any, TypedDict, get_args

from ...api.errors import ApiError
from ...api.report_config import Unit
from ...api.timestamps import format_timestamp, parse_time
from ...api.value_kinds import Day
from ...protocol.json_schema import short_json
from ...protocol.jsonrpc import JsonObject
from ..periods.grammar import PERIOD_FORMS, parse_period, report_period
from ..periods.period import (
    EARLIEST_DAY,
    ONE_DAY,
    Period,
    ReportedPeriod,
    month_of,
    quarter_of,
    subtract_months,
    year_of,
)

DEFAULT_TIME_RANGE: JsonObject = {"mode": "last", "amount": 7, "unit": "day", "includeCurrent": True}
"""The period of a query without timeRange; sent, so that the stated period is the one that was queried."""
TIME_RANGE = "query.timeRange"
CUSTOM_RANGE = "query.customTimeRange"
MODES = (None, "last", "current")
UNITS = get_args(Unit)
UNIT_MONTHS = {"month": 1, "quarter": 3, "year": 12}
DAYS_PER_WEEK = 7
MIDNIGHT = re.compile(r"[t ]00:00(:00(\.0{1,9})?)?(z|[+-]\d{2}:?\d{2})?", re.IGNORECASE)
DURATION = re.compile(r"P(?:([0-9]{1,4})Y)?(?:([0-9]{1,4})M)?(?:([0-9]{1,4})D)?", re.IGNORECASE)
DATE_CHARACTERS = len("2026-10-01")

PartialPeriod = TypedDict(
    "PartialPeriod",
    {"period": str, "from": Annotated[str, Day], "to": Annotated[str, Day], "days": int, "of": int, "partial": bool},
)
"""A week, month, quarter or year of which the answer has only some days."""


def config_period(config: JsonObject, today: date) -> ReportedPeriod:
    """Return the period that a query's config asks for, cut to *today*. Raise ApiError."""
    time_range: Any = config.get("timeRange") or DEFAULT_TIME_RANGE
    if isinstance(time_range, str):
        return parse_period(time_range, TIME_RANGE, today)
    if not isinstance(time_range, dict):
        raise ApiError(f"{TIME_RANGE}: must be an object or text", kind="argument")
    if time_range.get("mode") == "custom":
        span = config.get("customTimeRange") or time_range.get("customTimeRange")
        return report_period(parse_span(span, CUSTOM_RANGE, today), CUSTOM_RANGE, today)
    return ReportedPeriod(_relative_period(time_range, today), today)


def with_custom_mode(config: JsonObject, today: date) -> JsonObject:
    """Return *config* with mode custom if it has a customTimeRange, which the API ignores without that mode.

    Raise ApiError for a timeRange that names other days.
    """
    time_range: Any = config.get("timeRange")
    mode = time_range.get("mode") if isinstance(time_range, dict) else time_range
    span = config.get("customTimeRange") or (
        time_range.get("customTimeRange") if isinstance(time_range, dict) else None
    )
    if mode == "custom" or not span:
        return {**config, "timeRange": {"mode": "custom"}} if time_range == "custom" else config
    custom = {**config, "timeRange": {"mode": "custom"}, "customTimeRange": span}
    if time_range:
        stated, wanted = (config_period(one, today).elapsed for one in (config, custom))
        if stated != wanted:
            raise ApiError(
                f"{CUSTOM_RANGE}: {_days_text(wanted)} contradicts {TIME_RANGE}, which is {_days_text(stated)}. Give"
                " only one of them",
                kind="argument",
            )
    return custom


def _days_text(period: Period) -> str:
    return f"{period.first.isoformat()}/{period.last.isoformat()}"


def with_exact_period(config: JsonObject, period: ReportedPeriod, today: date) -> JsonObject:
    """Return *config* as it is sent to the API: always with a period, no words, and custom ranges of whole days.

    Relative ranges are unchanged. Raise ApiError for a secondaryTimeRange that is not a range.
    """
    secondary = config.get("secondaryTimeRange")
    if isinstance(secondary, dict) and secondary.get("customTimeRange"):
        argument = "query.secondaryTimeRange.customTimeRange"
        span = parse_span(secondary["customTimeRange"], argument, today).span
        config = {**config, "secondaryTimeRange": {**secondary, "customTimeRange": span}}
    time_range = config.get("timeRange") or DEFAULT_TIME_RANGE
    if isinstance(time_range, dict) and time_range.get("mode") != "custom":
        return {**config, "timeRange": time_range}
    return {**config, "timeRange": {"mode": "custom"}, "customTimeRange": period.elapsed.span}


def parse_span(span: Any, argument: str, today: date) -> Period:
    """Return the days of {from, to}: dates, RFC 3339 times or periods, of which the first and the last day count.

    An end at midnight is exclusive. Raise ApiError that names *argument*.
    """
    first, last = (str(span.get(name) or "").strip() if isinstance(span, dict) else "" for name in ("from", "to"))
    if not first or not last:
        example = '{"from": "2026-10-01", "to": "2026-10-15"}'
        raise ApiError(f"{argument}: from and to are required, such as {example}", kind="argument")
    return parse_bounds(first, last, (f"{argument}.from", f"{argument}.to"), today)


def parse_bounds(first: str, last: str, arguments: tuple[str, str], today: date) -> Period:
    """Return the days from the first one of the period *first* to the last one of the period *last*. Raise ApiError."""
    first, last = _date_of_milliseconds(first, arguments[0]), _date_of_milliseconds(last, arguments[1])
    start, end = _parse_bound(first, arguments[0], today).first, _parse_bound(last, arguments[1], today).last
    # Equal times mean that day, because callers never want an empty period.
    if first != last and MIDNIGHT.fullmatch(last, DATE_CHARACTERS):
        end -= ONE_DAY
    if end < start:
        raise ApiError(f"{arguments[1]}: must not be before {arguments[0].rpartition('.')[2]}", kind="argument")
    return Period(start, end)


def parse_duration(text: str, argument: str, today: date) -> ReportedPeriod | None:
    """Return the period of an ISO 8601 duration such as P30D, P6M or P1Y that ends today; None for any other text.

    Raise ApiError for a duration without days.
    """
    match = DURATION.fullmatch(text.strip())
    if match is None:
        return None
    years, months, days = (int(part or 0) for part in match.groups())
    try:
        month = month_of(subtract_months(today, 12 * years + months))
        # Months end at their last day: a month before 31 March is 28 February.
        first = month.first.replace(day=min(today.day, month.last.day)) - timedelta(days=days - 1)
        if not EARLIEST_DAY <= first <= today or not years + months + days:
            raise ValueError(text)
    except (ValueError, OverflowError):
        raise ApiError(
            f"{argument}: {short_json(text)} is not a duration such as P30D, P6M or P1Y", kind="argument"
        ) from None
    return ReportedPeriod(Period(first, today), today)


def _date_of_milliseconds(text: str, argument: str) -> str:
    """Return milliseconds since 1970 as an ISO text; other texts unchanged. Raise ApiError for likely seconds."""
    is_time = text.isdecimal() and len(text) > len("20261001")
    return format_timestamp(parse_time(text, argument)) or text if is_time else text


def _parse_bound(text: str, argument: str, today: date) -> Period:
    # Dates may be in the future here: an end usually is, and the caller checks the beginning.
    return parse_period(text, argument, date.max if text[0].isdigit() else today).whole


def _relative_period(time_range: JsonObject, today: date) -> Period:
    mode, unit, amount = (time_range.get(name) for name in ("mode", "unit", "amount"))
    if not unit or (mode == "last" and not amount):
        missing = "unit" if not unit else "amount"
        raise ApiError(
            f"{TIME_RANGE}.{missing}: is required with mode {mode}, such as"
            ' {"mode": "last", "amount": 3, "unit": "month"}; or write the period in words: '
            f"{PERIOD_FORMS}",
            kind="argument",
        )
    if mode not in MODES or unit not in UNITS or not isinstance(amount, int | None) or isinstance(amount, bool):
        # Arguments have been validated, but the API's reports can have more.
        raise ApiError(f"{TIME_RANGE}: unknown period {short_json(time_range)}", kind="argument")
    current = calendar_period(str(unit), today)
    if mode == "current":
        return current
    count, with_current = int(amount or 1), bool(time_range.get("includeCurrent"))
    try:
        first = _subtract_units(str(unit), current.first, count - with_current)
    except (OverflowError, ValueError):
        first = date.min
    if first < EARLIEST_DAY:
        raise ApiError(f"{TIME_RANGE}.amount: reaches back before {EARLIEST_DAY.isoformat()}", kind="argument")
    return Period(first, current.last if with_current else current.first - ONE_DAY)


def calendar_period(unit: str, day: date) -> Period:
    """Return the day, week, month, quarter or year that contains *day*. Weeks begin on Sunday, isoweeks on Monday."""
    if unit in ("week", "isoweek"):
        first = day - (day.isoweekday() % DAYS_PER_WEEK if unit == "week" else day.weekday()) * ONE_DAY
        return Period(first, first + (DAYS_PER_WEEK - 1) * ONE_DAY)
    if unit == "month":
        return month_of(day)
    if unit == "quarter":
        return quarter_of(day)
    return year_of(day) if unit == "year" else Period(day, day)


def _subtract_units(unit: str, first: date, count: int) -> date:
    if unit in UNIT_MONTHS:
        return subtract_months(first, count * UNIT_MONTHS[unit])
    return first - timedelta(days=count * (DAYS_PER_WEEK if unit == "week" else 1))


def row_interval(config: JsonObject) -> str | None:
    """Return the length of the periods of rows: timeInterval, or the shortest of the time dimensions."""
    if interval := config.get("timeInterval"):
        return str(interval)
    columns = [*(config.get("dimensions") or ()), *(config.get("group") or ())]
    names = {column.get("id") for column in columns if column.get("type") == "datetime"}
    return next((name for name in ("day", "isoweek", "week", "month", "quarter", "year") if name in names), None)


def partial_periods(period: ReportedPeriod, interval: str | None) -> list[JsonObject]:
    """Return the first and the last period of rows by *interval*, if the answer has only some of their days."""
    if interval not in ("week", "isoweek", *UNIT_MONTHS):
        return []
    days = period.elapsed
    ends = dict.fromkeys(calendar_period(str(interval), day) for day in (days.first, days.last))
    return [
        _partial_period(str(interval), whole, Period(max(whole.first, days.first), min(whole.last, days.last)))
        for whole in ends
        if whole.first < days.first or whole.last > days.last
    ]


def _partial_period(interval: str, whole: Period, covered: Period) -> JsonObject:
    return {"period": _period_name(interval, whole), **covered.as_json, "of": whole.days, "partial": True}


def _period_name(interval: str, period: Period) -> str:
    """Return the name of a calendar period, as in the column "period" of the rows."""
    first = period.first.isoformat()
    if interval == "month":
        return first[:7]
    if interval == "quarter":
        return f"{first[:4]}-Q{(period.first.month + 2) // 3}"
    return first[:4] if interval == "year" else f"{first}/{period.last.isoformat()}"
