"""Cloud overview: recent cost by cloud, service and project, with anomalies and incidents."""

from __future__ import annotations

from collections.abc import Awaitable
from decimal import Decimal
from typing import Annotated, Any, TypedDict

from ...api.areas.anomalies import AnomalyRow
from ...api.report_config import QueryConfig
from ...api.timestamps import format_date
from ...api.value_kinds import Day, Label, Members, Money, Verbatim
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..currencies import CurrencyArgument
from ..partial_results import FailedPart, PartialResults, failed_members, gather_partial
from ..periods.grammar import PeriodArgument, parse_period
from ..periods.period import ONE_DAY, Period, ReportedPeriod, utc_date
from ..tools.composed import composed_tool
from .amounts import ZERO, amount_as_json, round_amount, share_percents
from .answers import MAX_INLINE_ROWS, explain_empty_answer, run_checked, with_check_note
from .group_costs import CostRow, read_cost_rows, total_cost
from .groups import fixed_group
from .query_config import COST_METRIC, cost_config
from .scope import CloudArgument, FiltersArgument, IncludeCreditsArgument, Scope
from .statement import CostStatement, cost_statement

ROWS_PER_SECTION = 5
PERIOD_DAYS = 30
CLOUD_GROUP = fixed_group("cloud")
SECTION_DIMENSIONS = {
    "costByCloud": (CLOUD_GROUP,),
    "topServices": (CLOUD_GROUP, fixed_group("service")),
    "topProjects": (CLOUD_GROUP, fixed_group("project")),
}


class CostTable(TypedDict):
    """Costs by one dimension or two."""

    columns: Annotated[list[JsonObject], Verbatim]
    rows: Annotated[list[list[Any]], Verbatim]


class NewestIncident(TypedDict, total=False):
    """What the result adds to an incident of the API, and its title."""

    title: Annotated[str, Label]
    created: Annotated[str, Day]


class Overview(CostStatement, total=False):
    """Costs, anomalies and incidents. A part that is missing is among the failed ones."""

    costByCloud: Annotated[JsonObject, "columns and rows.", Members(CostTable)]
    topServices: Annotated[JsonObject, "The most expensive services of each cloud.", Members(CostTable)]
    topProjects: Annotated[JsonObject, "The most expensive projects of each cloud.", Members(CostTable)]
    anomalies: Annotated[list[JsonObject], f"The newest {ROWS_PER_SECTION} cost anomalies.", Members(AnomalyRow)]
    incidents: Annotated[
        list[JsonObject],
        f"The newest {ROWS_PER_SECTION} incidents of the clouds themselves.",
        Members(NewestIncident),
    ]
    totalCost: Annotated[float | None, "Of the period; null if not known.", Money]
    note: str
    failed: Annotated[
        list[JsonObject],
        "Parts that are unknown, and why.",
        Members(FailedPart),
    ]


@composed_tool(
    area="reports",
    search_hint="First look: total spend, top services, what is unusual",
    slow=True,
    default_list=True,
    always_loaded=True,
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
) -> Annotated[JsonObject, Overview]:
    """Summarize cloud spending: cost of the last 30 days (or another period) by cloud, the top services and projects,
    the newest cost anomalies and cloud incidents. For a single question, use the specific tool."""
    today = utc_date(call.now)
    last_days = ReportedPeriod(Period(today - (PERIOD_DAYS - 1) * ONE_DAY, today), today)
    reported = last_days if period is None else parse_period(period, "period", today)
    scope = Scope.from_arguments(cloud, filters, includeCredits)

    async def query_sections(code: str) -> PartialResults:
        configs = {name: section_query(name, scope, reported.elapsed, code, topN) for name in SECTION_DIMENSIONS}
        return await gather_partial({name: query_section(call, name, config) for name, config in configs.items()})

    work: dict[str, Awaitable[Any]] = {
        "costs": run_checked(call, scope, currency, query_sections),
        "anomalies": call.doit.anomalies.get_anomalies(maxResults=ROWS_PER_SECTION),
        "incidents": call.doit.cloud_incidents.get_cloud_incidents(maxResults=ROWS_PER_SECTION),
    }
    parts = await gather_partial(work)
    parts.require("costs")
    sections, stated, checked = parts.results["costs"]
    found = PartialResults(
        {**sections.results, **{name: rows for name, rows in parts.results.items() if name != "costs"}},
        {**sections.errors, **parts.errors},
    ).raise_if_all_failed()
    by_cloud: list[CostRow] | None = sections.results.get("costByCloud")
    clouds = {str(row.ids[0]) for row in by_cloud or ()}
    overview = make_overview(found, stated) | cost_statement(reported, stated, scope, clouds)
    if by_cloud == []:
        empty = await explain_empty_answer(call, scope, reported, checked)
        overview |= {"note": empty.note} if empty.is_known else {"note": empty.note, "totalCost": None}
    return with_check_note(overview, checked)


def section_query(section: str, scope: Scope, period: Period, currency: str, top: int) -> QueryConfig:
    """Return the query for a section: by cloud, or by the *top* values of a second dimension in each cloud."""
    dimensions = SECTION_DIMENSIONS[section]
    config = cost_config(scope, period, currency, groups=dimensions)
    if len(dimensions) > 1:
        config["group"][1]["limit"] = {"metric": COST_METRIC, "sort": "desc", "value": top}
    return config


async def query_section(call: Call, section: str, config: QueryConfig) -> list[CostRow]:
    """Return the cost of each combination of a section's dimensions. Raise ApiError."""
    answer = await call.doit.reports.run_query(config=config)
    if len(answer["rows"]) <= MAX_INLINE_ROWS:
        return sum_by_groups(answer, section)
    return await run_in_thread(sum_by_groups, answer, section)


def sum_by_groups(answer: JsonObject, section: str) -> list[CostRow]:
    """Return one row for each combination of a section's dimensions, the most expensive first. Raise ApiError."""
    members: dict[tuple[Any, ...], list[CostRow]] = {}
    for row in read_cost_rows(answer, SECTION_DIMENSIONS[section], "month"):
        members.setdefault(row.ids, []).append(row)
    summed = [CostRow(ids, own[-1].names, "", total_cost(own)) for ids, own in members.items()]
    return sorted(summed, key=lambda row: (-row.cost, str(row.ids)))


def make_overview(parts: PartialResults, currency: str) -> JsonObject:
    """Return the parts as the tool result shows them; those that failed are named."""
    total = total_cost(parts.results["costByCloud"]) if "costByCloud" in parts.results else None
    result: JsonObject = {"totalCost": None if total is None else amount_as_json(total, currency)}
    for name, rows in parts.results.items():
        if name in SECTION_DIMENSIONS:
            result[name] = section_table(name, rows, total, currency)
        else:
            result[name] = _newest_rows(name, rows)
    return result | failed_members(parts.failures)


def section_table(section: str, rows: list[CostRow], total: Decimal | None, currency: str) -> JsonObject:
    """Return a section as the tool result shows it: dimensions, cost, then names of ids and the share of the total."""
    groups = SECTION_DIMENSIONS[section]
    costs = [round_amount(row.cost, currency) for row in rows]
    rest = None if total is None else round_amount(total, currency) - sum(costs, ZERO)
    shares = [None] * len(rows) if rest is None else share_percents([*costs, rest])[:-1]
    name_at = [at for at, group in enumerate(groups) if group.name_column]
    columns = [
        *({"name": group.column, "type": "string"} for group in groups),
        {"name": "cost", "type": "float"},
        *({"name": groups[at].name_column, "type": "string"} for at in name_at),
        {"name": "sharePercent", "type": "float"},
    ]
    cells = (
        [*row.ids, float(cost), *(row.names[at] for at in name_at), share]
        for row, cost, share in zip(rows, costs, shares)
    )
    return {"columns": columns, "rows": list(cells)}


def _newest_rows(name: str, answer: JsonObject) -> list[JsonObject]:
    rows: Any = answer.get(name)
    newest = [row for row in rows if isinstance(row, dict)][:ROWS_PER_SECTION] if isinstance(rows, list) else []
    return [{**row, "created": format_date(row.get("createTime"))} for row in newest] if name == "incidents" else newest
