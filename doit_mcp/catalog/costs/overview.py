"""Cloud overview: recent cost by cloud, service and project, with anomalies and incidents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, TypedDict

from ...api.areas.anomalies import CURRENCY as ANOMALY_CURRENCY
from ...api.areas.anomalies import AnomalyRow
from ...api.report_config import QueryConfig
from ...api.timestamps import format_date, parse_time
from ...api.value_kinds import CurrencyCode, Day, Label, Members, Money, Verbatim
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..currencies import CurrencyArgument
from ..partial_results import FailedPart, PartialResults, gather_partial, make_failures_member
from ..periods.grammar import PeriodArgument, parse_period
from ..periods.period import ONE_DAY, Period, ReportedPeriod, utc_date
from ..report_runs.queries import fetch_query
from ..tools.composed import composed_tool
from ..tools.series import ResultWithSeries, make_series_set
from .amounts import ZERO, amount_as_json, round_amount, share_percents
from .answers import (
    CLOUD_GROUP,
    MAX_RANKED_GROUPS,
    cut_to_data_start,
    explain_empty_answer,
    find_later_start,
    note_members,
    run_checked,
    with_check_note,
)
from .group_costs import CostRow, read_cost_rows, total_cost
from .groups import find_fixed_group
from .overview_series import DAILY, overview_series, request_daily_costs, split_daily
from .query_config import COST_METRIC, cost_config
from .scope import CloudArgument, FiltersArgument, IncludeCreditsArgument, Scope
from .statement import CostStatement, cost_statement

ROWS_PER_SECTION = 5
PERIOD_DAYS = 30
SECTION_DIMENSIONS = {
    "costByCloud": (CLOUD_GROUP,),
    "topServices": (CLOUD_GROUP, find_fixed_group("service")),
    "topProjects": (CLOUD_GROUP, find_fixed_group("project")),
}


class CostTable(TypedDict, total=False):
    """Costs by one dimension or two."""

    columns: Annotated[list[JsonObject], Verbatim]
    rows: Annotated[list[list[Any]], Verbatim]
    other: Annotated[float | None, "Cost of what has no row, and what rounding leaves.", Money]


class NewestIncident(TypedDict, total=False):
    """What the result adds to an incident of the API, and its title."""

    title: Annotated[str, Label]
    created: Annotated[str, Day]


class NewestAnomaly(AnomalyRow, total=False):
    """An anomaly of the API, and the currency of its amounts."""

    currency: Annotated[str, CurrencyCode]


class Overview(CostStatement, total=False):
    """Costs, anomalies and incidents. Missing parts are listed as failed."""

    costByCloud: Annotated[JsonObject, "columns and rows.", Members(CostTable)]
    topServices: Annotated[
        JsonObject,
        "The topN services of each cloud; other: the cost of the rest, which may have larger ones.",
        Members(CostTable),
    ]
    topProjects: Annotated[JsonObject, "Top projects.", Members(CostTable)]
    anomalies: Annotated[list[JsonObject], f"The newest {ROWS_PER_SECTION} cost anomalies.", Members(NewestAnomaly)]
    incidents: Annotated[
        list[JsonObject],
        f"The newest {ROWS_PER_SECTION} incidents of the clouds.",
        Members(NewestIncident),
    ]
    totalCost: Annotated[float | None, "null: unknown.", Money]
    note: str
    failed: Annotated[list[JsonObject], Members(FailedPart)]


@composed_tool(
    area="reports",
    search_hint="First look: total spend, top services, what is unusual",
    slow=True,
    default_list=True,
    always_loaded=True,
    view=True,
)
async def get_cloud_overview(
    call: Call,
    *,
    period: PeriodArgument = None,
    cloud: CloudArgument = None,
    filters: FiltersArgument = None,
    includeCredits: IncludeCreditsArgument = False,
    topN: Annotated[int, "Services and projects of each cloud.", Range(1, 25)] = ROWS_PER_SECTION,
    currency: CurrencyArgument = None,
) -> Annotated[ResultWithSeries, Overview]:
    """Summarize cloud spending: cost of the last 30 days (or another period) by cloud, the top services and projects,
    the newest cost anomalies and cloud incidents. For a single question, use the specific tool."""
    today = utc_date(call.now)
    reported = _default_period(today) if period is None else parse_period(period, "period", today)
    scope = Scope.from_arguments(cloud, filters, includeCredits)

    async def query_sections(code: str) -> PartialResults:
        queries = {name: query_section(call, name, scope, reported.elapsed, code) for name in SECTION_DIMENSIONS}
        return await gather_partial({**queries, **request_daily_costs(call, scope, reported, code)})

    # First, because it needs the API, which employees who have not chosen a customer cannot use.
    events = request_newest_events(call, scope, None if period is None else reported.elapsed)
    work: dict[str, Awaitable[Any]] = {"costs": run_checked(call, scope, currency, query_sections), **events}
    parts = await gather_partial(work)
    parts.require("costs")
    queried, stated, checked = parts.results["costs"]
    sections, daily = split_daily(queried)
    found = PartialResults(
        {**sections.results, **{name: rows for name, rows in parts.results.items() if name != "costs"}},
        {**sections.errors, **parts.errors},
    ).raise_if_all_failed()
    by_cloud: list[CostRow] | None = sections.results.get("costByCloud")
    clouds = {str(row.ids[0]) for row in by_cloud or ()}
    rows = sum(map(len, sections.results.values()))
    overview = await run_by_rows(rows, make_overview, found, stated, topN)
    if by_cloud == []:
        empty = await explain_empty_answer(call, scope, reported, checked)
        overview |= {"note": empty.note} if empty.is_known else {"note": empty.note, "totalCost": None}
    elif by_cloud is not None:
        reported = await _state_start(call, overview, reported, min(row.period for row in by_cloud))
    statement = cost_statement(reported, stated, scope, clouds)
    days = len(daily.results.get(DAILY, ()))
    series = await run_by_rows(days, overview_series, overview, daily, scope, reported, stated)
    return ResultWithSeries(with_check_note(overview, checked) | statement, make_series_set(statement, *series))


def _default_period(today: date) -> ReportedPeriod:
    return ReportedPeriod(Period(today - (PERIOD_DAYS - 1) * ONE_DAY, today), today)


async def _state_start(call: Call, overview: JsonObject, reported: ReportedPeriod, first_row: str) -> ReportedPeriod:
    """Return the days of *reported* that have data, and add the members about their start to *overview*."""
    start = await find_later_start(call, reported, first_row)
    with_data = cut_to_data_start(reported, start.day)
    overview |= note_members(start.day, with_data)
    if start.failures:
        overview["failed"] = [*overview.get("failed", ()), *start.failures]
    return with_data


def request_newest_events(call: Call, scope: Scope, period: Period | None) -> dict[str, Awaitable[JsonObject]]:
    """Return requests for the newest anomalies and incidents of the scope's cloud that began in *period*, if given."""
    limits: dict[str, Any] = {"maxResults": ROWS_PER_SECTION}
    if period is not None:
        limits["minCreationTime"] = parse_time(period.span["from"], "period")
        limits["maxCreationTime"] = parse_time(period.span["to"], "period")
    anomaly_filter = None if scope.cloud is None else f"platform:{scope.cloud}"
    platform: Any = scope.cloud
    return {
        "anomalies": call.doit.anomalies.get_anomalies(filter=anomaly_filter, **limits),
        "incidents": call.doit.cloud_incidents.get_cloud_incidents(platform=platform, **limits),
    }


def section_query(section: str, scope: Scope, period: Period, currency: str) -> QueryConfig:
    """Return the query for a section: by cloud, or by the top values of a second dimension in each cloud."""
    dimensions = SECTION_DIMENSIONS[section]
    config = cost_config(scope, period, currency, groups=dimensions)
    if len(dimensions) > 1:
        config["group"][1]["limit"] = {"metric": COST_METRIC, "sort": "desc", "value": MAX_RANKED_GROUPS}
    return config


async def query_section(call: Call, section: str, scope: Scope, period: Period, currency: str) -> list[CostRow]:
    """Return the cost of each combination of a section's dimensions. Raise ApiError."""
    answer = await fetch_query(call, section_query(section, scope, period, currency))
    return await run_by_rows(len(answer["rows"]), sum_by_groups, answer, section)


def sum_by_groups(answer: JsonObject, section: str) -> list[CostRow]:
    """Return one row for each combination of a section's dimensions, the most expensive first. Raise ApiError.

    The period of a row is its first one.
    """
    members: dict[tuple[Any, ...], list[CostRow]] = {}
    for row in read_cost_rows(answer, SECTION_DIMENSIONS[section], "month"):
        members.setdefault(row.ids, []).append(row)
    summed = [
        CostRow(ids, own[-1].names, min(row.period for row in own), total_cost(own)) for ids, own in members.items()
    ]
    direction = 1 if all(row.cost <= 0 for row in summed) else -1
    return sorted(summed, key=lambda row: (direction * row.cost, str(row.ids)))


def make_overview(parts: PartialResults, currency: str, top: int) -> JsonObject:
    """Return the parts as the tool result shows them; parts that failed are named."""
    total = total_cost(parts.results["costByCloud"]) if "costByCloud" in parts.results else None
    result: JsonObject = {"totalCost": None if total is None else amount_as_json(total, currency)}
    for name, rows in parts.results.items():
        if name in SECTION_DIMENSIONS:
            result[name] = section_table(name, rows, total, currency, top)
        else:
            result[name] = _newest_rows(name, rows)
    return result | make_failures_member(parts.failures)


def section_table(section: str, rows: list[CostRow], total: Decimal | None, currency: str, top: int) -> JsonObject:
    """Return a section as the tool result shows it: dimensions, cost, then names of ids and the share of the total.

    It has the *top* rows of each cloud, and the cost of the others as one sum.
    """
    groups = SECTION_DIMENSIONS[section]
    shares: list[float | None] = [None] * len(rows)
    if total is not None:
        shares = share_percents([*(row.cost for row in rows), total - total_cost(rows)])[:-1]
    ranks: Counter[Any] = Counter()
    shown: list[tuple[CostRow, float | None]] = []
    for row, share in zip(rows, shares):
        ranks[row.ids[0]] += 1
        if ranks[row.ids[0]] <= top:
            shown.append((row, share))
    rest = None
    if total is not None:
        listed = sum((round_amount(row.cost, currency) for row, _ in shown), ZERO)
        rest = float(round_amount(total, currency) - listed)
    name_at = [at for at, group in enumerate(groups) if group.name_column]
    columns = [
        *({"name": group.column, "type": "string"} for group in groups),
        {"name": "cost", "type": "float"},
        *({"name": groups[at].name_column, "type": "string"} for at in name_at),
        {"name": "sharePercent", "type": "float"},
    ]
    cells = [
        [*row.ids, amount_as_json(row.cost, currency), *(row.names[at] for at in name_at), share]
        for row, share in shown
    ]
    return {"columns": columns, "rows": cells} | ({"other": rest} if len(groups) > 1 or rest else {})


def _newest_rows(name: str, answer: JsonObject) -> list[JsonObject]:
    rows: Any = answer.get(name)
    newest = [row for row in rows if isinstance(row, dict)][:ROWS_PER_SECTION] if isinstance(rows, list) else []
    if name == "anomalies":
        # The costs of the overview may be in another currency.
        return [{**row, "currency": ANOMALY_CURRENCY} for row in newest]
    return [{**row, "created": format_date(row.get("createTime"))} for row in newest]
