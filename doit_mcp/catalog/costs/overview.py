"""Cloud overview: recent cost by cloud, service and project, with anomalies and incidents."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from ...api.areas.anomalies import AnomalyRow
from ...api.report_config import Group, QueryConfig
from ...api.timestamps import format_date
from ...api.value_kinds import Day, Label, Members, Money, Verbatim
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..currencies import ResultCurrency, fetch_customer_currency
from ..partial_results import FailedPart, PartialResults, gather_partial
from ..tables import column_total, round_to_cents, sum_by_columns
from ..tools.composed import composed_tool
from .breakdown import COST_METRIC

ROWS_PER_SECTION = 5
PERIOD_DAYS = 30
MAX_INLINE_ROWS = 2_000
"""Rows of all queries that are summed in the event loop, which takes a few milliseconds."""
SECTION_DIMENSIONS = {
    "costByCloud": ("cloud_provider",),
    "topServices": ("cloud_provider", "service_description"),
    "topProjects": ("cloud_provider", "project_id"),
}


class CostTable(TypedDict):
    """Costs by one dimension or two."""

    columns: Annotated[list[JsonObject], Verbatim]
    rows: Annotated[list[list[Any]], Verbatim]


class LastDays(TypedDict):
    """The last days up to now."""

    lastDays: int
    includesToday: bool


class NewestIncident(TypedDict, total=False):
    """What the result adds to an incident of the API, and its title."""

    title: Annotated[str, Label]
    created: Annotated[str, Day]


class Overview(TypedDict, total=False):
    """Costs of the last 30 days, anomalies and incidents. A part that is missing is among the failed ones."""

    costByCloud: Annotated[JsonObject, "columns and rows.", Members(CostTable)]
    topServices: Annotated[
        JsonObject,
        f"The {ROWS_PER_SECTION} most expensive services of each cloud: columns and rows.",
        Members(CostTable),
    ]
    topProjects: Annotated[
        JsonObject,
        f"The {ROWS_PER_SECTION} most expensive projects of each cloud: columns and rows.",
        Members(CostTable),
    ]
    anomalies: Annotated[list[JsonObject], f"The newest {ROWS_PER_SECTION} cost anomalies.", Members(AnomalyRow)]
    incidents: Annotated[
        list[JsonObject],
        f"The newest {ROWS_PER_SECTION} incidents of the clouds themselves.",
        Members(NewestIncident),
    ]
    totalCost: Annotated[float | None, "Of the period; null if not known.", Money]
    currency: ResultCurrency
    period: Annotated[JsonObject, Members(LastDays)]
    failed: Annotated[
        list[JsonObject],
        "Parts that could not be had, and why: they are not empty but unknown.",
        Members(FailedPart),
    ]


@composed_tool(
    area="reports",
    search_hint="First look: total spend, top services, what is unusual",
    slow=True,
    default_list=True,
    always_loaded=True,
)
async def get_cloud_overview(call: Call) -> Annotated[JsonObject, Overview]:
    """Summarize cloud spending: cost of the last 30 days by cloud, the top services and projects, the newest cost
    anomalies and cloud incidents. For a single question, use the specific tool."""
    query = call.doit.reports.run_query
    costs = {name: query(config=last_days_query(*groups)) for name, groups in SECTION_DIMENSIONS.items()}
    others = {
        "anomalies": call.doit.anomalies.get_anomalies(maxResults=ROWS_PER_SECTION),
        "incidents": call.doit.cloud_incidents.get_cloud_incidents(maxResults=ROWS_PER_SECTION),
        "currency": fetch_customer_currency(call.doit),
    }
    parts = await gather_partial({**costs, **others})
    currency = parts.results.get("currency")
    known = PartialResults(
        {name: found for name, found in parts.results.items() if name != "currency"}, parts.errors
    ).raise_if_all_failed()
    rows = sum(len(found["rows"]) for name, found in known.results.items() if name in SECTION_DIMENSIONS)
    answer = make_overview(known) if rows <= MAX_INLINE_ROWS else await run_in_thread(make_overview, known)
    return answer | {"currency": currency, "period": {"lastDays": PERIOD_DAYS, "includesToday": True}}


def last_days_query(dimension: str, second_dimension: str | None = None) -> QueryConfig:
    """Return the query for cost of the last 30 days by one dimension, or by two with the top values of the second."""
    groups: list[Group] = [{"id": dimension, "type": "fixed"}]
    if second_dimension is not None:
        groups.append(
            {
                "id": second_dimension,
                "type": "fixed",
                "limit": {"metric": COST_METRIC, "sort": "desc", "value": ROWS_PER_SECTION},
            }
        )
    return {
        "dataSource": "billing",
        "metrics": [COST_METRIC],
        "timeInterval": "month",
        "timeRange": {"mode": "last", "amount": PERIOD_DAYS, "unit": "day", "includeCurrent": True},
        "group": groups,
    }


def make_overview(parts: PartialResults) -> JsonObject:
    """Return the parts as the tool result shows them; those that failed are named."""
    found: JsonObject = {"totalCost": None}
    for name, answer in parts.results.items():
        if name in ("anomalies", "incidents"):
            found[name] = _newest_rows(name, answer)
        else:
            found[name] = sum_by_groups(answer, SECTION_DIMENSIONS[name])
    if "costByCloud" in parts.results and (total := column_total(parts.results["costByCloud"])) is not None:
        found["totalCost"] = round_to_cents(total)
    return found | ({"failed": parts.failures} if parts.errors else {})


def sum_by_groups(answer: JsonObject, groups: tuple[str, ...]) -> JsonObject:
    """Return a query's response with one row for each combination of *groups*, the most expensive first.

    It is unchanged if the columns are different.
    """
    if not answer["rows"] or not (costs := sum_by_columns(answer, groups)):
        return {"columns": answer["columns"], "rows": answer["rows"]}
    columns = [*({"name": name, "type": "string"} for name in groups), {"name": "cost", "type": "float"}]
    order = sorted(costs, key=lambda key: (-costs[key], str(key)))
    return {"columns": columns, "rows": [[*key, round_to_cents(costs[key])] for key in order]}


def _newest_rows(name: str, answer: JsonObject) -> list[JsonObject]:
    rows: Any = answer.get(name)
    found = [row for row in rows if isinstance(row, dict)][:ROWS_PER_SECTION] if isinstance(rows, list) else []
    return [{**row, "created": format_date(row.get("createTime"))} for row in found] if name == "incidents" else found
