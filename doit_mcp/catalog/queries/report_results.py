"""get_report_results: the results of a saved report, with the period, currency and basis of its amounts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated

from ...api.errors import ApiError
from ...api.parameters import ConsoleLink, Name, OptionalId
from ...api.value_kinds import CurrencyCode, Label, Members, Verbatim
from ...protocol.json_schema import Length
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..costs.scope import read_filters
from ..costs.statement import CostBasis
from ..currencies import KNOWN_CURRENCIES
from ..partial_results import FailedPart, PartialResults, gather_partial, make_failures_member
from ..periods.grammar import MAX_PERIOD_CHARACTERS, parse_period, report_period
from ..periods.period import PeriodStatement, ReportedPeriod, utc_date
from ..report_runs.queries import FileArgument, FileLink, fetch_saved_report, with_missing_file
from ..tables import find_declared_currency
from ..tools.composed import composed_tool
from .checks import explain_empty_query, query_scope
from .config_period import config_period, parse_bounds, parse_duration
from .data_days import QueryPeriods, cut_query_periods
from .run_query import query_basis
from .secondary_period import secondary_period
from .shown_rows import RowFacts, format_rows, row_facts
from .totals import QueryTotal, needs_total_query, query_totals

BOUNDS = ("startDate", "endDate")
UNKNOWN_TOTAL = (
    "The total is unknown, because the report's rows leave costs out or overlap. run_query with the config of"
    " get_report_config states it."
)
CONFIG_LISTS = ("metrics", "group", "dimensions")
PeriodText = Length(1, MAX_PERIOD_CHARACTERS)


class ReportResults(RowFacts, total=False):
    """A report with its results, and what they are."""

    id: str
    reportName: Annotated[str, Label]
    period: Annotated[JsonObject | None, "null: unknown.", Members(PeriodStatement)]
    currency: Annotated[str | None, "null: unknown.", CurrencyCode]
    basis: Annotated[JsonObject, Members(CostBasis)]
    total: Annotated[JsonObject | None, "Sums of the rows.", Members(QueryTotal)]
    limited: Annotated[bool, "Rows are left out."]
    urlUI: ConsoleLink
    fileOutput: FileLink
    result: Annotated[
        JsonObject,
        "schema: columns; rows: cells of each; secondaryRows, forecastRows.",
        Verbatim,
    ]
    failed: Annotated[list[JsonObject], Members(FailedPart)]


@composed_tool(
    area="reports",
    slow=True,
    default_list=True,
    result_table="report",
    narrow_hint="Use a shorter timeRange, or query a part of it with run_query.",
    view=True,
)
async def get_report_results(
    call: Call,
    *,
    id: OptionalId = None,
    name: Name = None,
    timeRange: Annotated[
        str | None,
        "Replaces the report's period: last_month, 2026-Q3, last_7_days; or up to now: P30D, P6M, P1Y.",
        PeriodText,
    ] = None,
    startDate: Annotated[str | None, "Instead: first day, e.g. 2026-10-01; with endDate.", PeriodText] = None,
    endDate: Annotated[str | None, "Last day, e.g. 2026-10-15; with startDate.", PeriodText] = None,
    file: FileArgument = None,
) -> Annotated[JsonObject, ReportResults]:
    """Run a saved report and return its results, for its own period or another one. Give its id or its name."""
    today = utc_date(call.now)
    period = override_period(timeRange, startDate, endDate, today)
    reports = call.doit.reports
    identifier = id or await reports.find_report_id(name)
    override = {} if period is None else dict(zip(BOUNDS, _iso_days(period)))
    parts = await gather_partial(
        {
            "report": fetch_saved_report(call, identifier, override, file),
            "config": reports.get_report_config(id=identifier),
        }
    )
    parts.require("report")
    answer = parts.results["report"].get("result")
    if not isinstance(answer, dict):
        raise ApiError("the report has no result", kind="answer")
    rows = answer.get("rows")
    count = len(rows) if isinstance(rows, list) else 0
    report = read_report(parts, period, today)
    shown = await run_by_rows(count, format_rows, report.config, answer, report.currency, "schema")
    if count and report.periods is not None:
        report = replace(report, periods=await cut_query_periods(call, report.periods, shown, "schema"))
    result = await run_by_rows(count, make_report_result, parts.results["report"], report, shown)
    result = with_missing_file(call, result, parts.results["report"], file)
    if rows:
        return result
    # Without rows, the total is unknown, so zero would be wrong.
    result.pop("total", None)
    return result | await _empty_note(call, parts, period)


def _iso_days(period: ReportedPeriod) -> tuple[str, str]:
    return period.elapsed.first.isoformat(), period.elapsed.last.isoformat()


def override_period(time_range: str | None, start: str | None, end: str | None, today: date) -> ReportedPeriod | None:
    """Return the period that replaces the report's own; None without one. Raise ApiError."""
    if time_range and (start or end):
        raise ApiError("timeRange cannot be combined with startDate and endDate", kind="argument")
    if time_range:
        return parse_duration(time_range, "timeRange", today) or parse_period(time_range, "timeRange", today)
    if not start and not end:
        return None
    if not start or not end:
        raise ApiError(
            "startDate and endDate must be given together, such as 2026-10-01 and 2026-10-15; for one period, use"
            " timeRange, such as last_month",
            kind="argument",
        )
    return report_period(parse_bounds(start, end, BOUNDS, today), "startDate", today)


def report_config(parts: PartialResults, declared: str | None) -> JsonObject:
    """Return the config of the report; empty if it is unknown. Raise ApiError if it cannot be read.

    Its currency is the one that the columns *declared*, if any, because the rows are in it, whatever the config says.
    """
    config = (parts.results.get("config") or {}).get("config")
    if not isinstance(config, dict):
        return {}
    for name in CONFIG_LISTS:
        items = config.get(name) or []
        if not isinstance(items, list) or not all(isinstance(item, dict) and _has_texts(item) for item in items):
            raise ApiError(f"config.{name} of the response cannot be read", kind="answer")
    objects = [config.get("metric"), *(item.get("limit") for item in config.get("group") or ())]
    if not all(isinstance(item, dict | None) for item in objects):
        raise ApiError("config.metric or a limit of config.group of the response cannot be read", kind="answer")
    filters = list(read_filters(config.get("filters"), "config.filters"))
    return {**config, "filters": filters, **({} if declared is None else {"currency": declared})}


def _has_texts(item: JsonObject) -> bool:
    return all(isinstance(item.get(name), str | None) for name in ("id", "type", "value"))


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What is known about the results of a report. The config is empty and the periods are None if they are unknown.

    *declared_currency* is that of the columns.
    """

    config: JsonObject
    periods: QueryPeriods | None
    failures: list[FailedPart]
    declared_currency: str | None = None

    @property
    def currency(self) -> str | None:
        """The currency of the amounts; None if it is unknown."""
        currency = self.declared_currency or self.config.get("currency")
        return currency if isinstance(currency, str) and currency in KNOWN_CURRENCIES else None


def read_report(parts: PartialResults, override: ReportedPeriod | None, today: date) -> ReportFacts:
    """Return the config of a report, and its periods: its own, or *override*."""
    failures = list(parts.failures)
    config: JsonObject = {}
    periods = None if override is None else QueryPeriods(override)
    declared = _find_declared_currency(parts)
    try:
        config = report_config(parts, declared)
    except ApiError as error:
        failures.append({"part": "config", "why": error.reason})
    try:
        if config:
            main = override or config_period(config, today)
            periods = QueryPeriods(main)
            periods = QueryPeriods(main, secondary_period(config, main.elapsed, today))
    except ApiError as error:
        # The results are useful even if the report's own period is unknown.
        failures.append({"part": "period", "why": error.reason})
    return ReportFacts(config, periods, failures, declared)


def _find_declared_currency(parts: PartialResults) -> str | None:
    columns = parts.results["report"]["result"].get("schema")
    return find_declared_currency(columns) if isinstance(columns, list) else None


def make_report_result(report: JsonObject, known: ReportFacts, shown: JsonObject) -> JsonObject:
    """Return the report with the period, currency and basis of its amounts, and its results as they are *shown*."""
    periods = known.periods
    amounts = _make_amount_members(known, report["result"])
    facts = row_facts(known.config, _table_of(shown), periods, amounts.get("total"))
    if "total" in amounts and amounts["total"] is None:
        facts["note"] = f"{facts['note']} {UNKNOWN_TOTAL}" if "note" in facts else UNKNOWN_TOTAL
    return {
        **{key: report[key] for key in ("id", "reportName") if key in report},
        "period": None if periods is None else periods.main.as_json,
        **amounts,
        **facts,
        **make_failures_member([*known.failures, *(periods.failures if periods else ())]),
        **{key: value for key, value in report.items() if key not in ("id", "reportName", "result")},
        "result": shown,
    }


def _table_of(result: JsonObject) -> JsonObject:
    """Return the columns and rows of a result, which are empty if they are not lists."""
    columns, rows = result.get("schema"), result.get("rows")
    return {"columns": columns if isinstance(columns, list) else [], "rows": rows if isinstance(rows, list) else []}


def _make_amount_members(known: ReportFacts, result: JsonObject) -> JsonObject:
    """Return currency, basis and total of the results; without the config, only the currency that the columns declare.

    The total is null if the rows do not add up to it: it would take a second query once the config is known.
    """
    config, currency = known.config, known.currency
    if currency is None or not config:
        return {"currency": currency}
    answer = _table_of(result)
    scope = query_scope(config)
    return {
        "currency": currency,
        "basis": query_basis(config, scope, answer),
        **({"total": None} if needs_total_query(config) else {}),
        **query_totals(config, PartialResults({"rows": answer})),
    }


async def _empty_note(call: Call, parts: PartialResults, override: ReportedPeriod | None) -> JsonObject:
    """Return a note on why a report has no rows. Errors become the note too, because the config is not the caller's.

    Without its config, the reason is unknown.
    """
    try:
        config = report_config(parts, _find_declared_currency(parts))
    except ApiError:
        # The result names the config among its failed parts.
        config = {}
    if not config:
        return {}
    try:
        period = override or config_period(config, utc_date(call.now))
        return {"note": (await explain_empty_query(call, query_scope(config), period)).note}
    except ApiError as error:
        if error.kind != "argument":
            raise
        return {"note": f"{error.reason[:1].upper()}{error.reason[1:]}."}
