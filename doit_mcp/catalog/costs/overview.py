"""The first look: what is spent on what, and what is unusual."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from ...api.report_config import Config, Group
from ...api.timestamps import day
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import in_thread
from ..call import Call
from ..currencies import StatedCurrency, own_currency
from ..partial_results import Parts, together
from ..tables import money, sums_by, total_of
from .breakdown import COST

ROWS = 5
DAYS = 30
MAX_ROWS_IN_PLACE = 2_000
"""Rows of all queries that are summed in place, which takes a few milliseconds."""
GROUPS = {
    "costByCloud": ("cloud_provider",),
    "topServices": ("cloud_provider", "service_description"),
    "topProjects": ("cloud_provider", "project_id"),
}


class Overview(TypedDict, total=False):
    """Costs of the last 30 days, anomalies and incidents. A part that is missing is among the failed ones."""

    costByCloud: Annotated[JsonObject, "columns and rows."]
    topServices: Annotated[JsonObject, f"The {ROWS} most expensive services of each cloud: columns and rows."]
    topProjects: Annotated[JsonObject, f"The {ROWS} most expensive projects of each cloud: columns and rows."]
    anomalies: Annotated[list[JsonObject], f"The newest {ROWS} cost anomalies."]
    incidents: Annotated[list[JsonObject], f"The newest {ROWS} incidents of the clouds themselves."]
    totalCost: Annotated[float | None, "Of the period; null if not known."]
    currency: StatedCurrency
    period: JsonObject
    failed: Annotated[list[JsonObject], "Parts that could not be had, and why: they are not empty but unknown."]


async def get_cloud_overview(call: Call) -> Annotated[JsonObject, Overview]:
    """Give a first look at the clouds: cost of the last 30 days by cloud, the top services and projects, the newest
    cost anomalies and cloud incidents. For one question of these use its own tool."""
    query = call.doit.reports.run_query
    costs = {name: query(config=last_days(*groups)) for name, groups in GROUPS.items()}
    others = {
        "anomalies": call.doit.anomalies.get_anomalies(maxResults=ROWS),
        "incidents": call.doit.cloud_incidents.get_cloud_incidents(maxResults=ROWS),
        "currency": own_currency(call.doit),
    }
    parts = await together({**costs, **others})
    currency = parts.found.get("currency")
    known = Parts({name: found for name, found in parts.found.items() if name != "currency"}, parts.failed).or_raise()
    rows = sum(len(found["rows"]) for name, found in known.found.items() if name in GROUPS)
    answer = shown(known) if rows <= MAX_ROWS_IN_PLACE else await in_thread(shown, known)
    return answer | {"currency": currency, "period": {"lastDays": DAYS, "includesToday": True}}


def last_days(dimension: str, second: str | None = None) -> Config:
    """The query for cost of the last 30 days by one dimension, or by two with the top of the second only."""
    groups: list[Group] = [{"id": dimension, "type": "fixed"}]
    if second is not None:
        groups.append({"id": second, "type": "fixed", "limit": {"metric": COST, "sort": "desc", "value": ROWS}})
    return {
        "dataSource": "billing",
        "metrics": [COST],
        "timeInterval": "month",
        "timeRange": {"mode": "last", "amount": DAYS, "unit": "day", "includeCurrent": True},
        "group": groups,
    }


def shown(parts: Parts) -> JsonObject:
    """The parts as the answer shows them; those that failed are named."""
    found: JsonObject = {"totalCost": None}
    for name, answer in parts.found.items():
        if name in ("anomalies", "incidents"):
            found[name] = _rows(name, answer)
        else:
            found[name] = summed(answer, GROUPS[name])
    if "costByCloud" in parts.found and (total := total_of(parts.found["costByCloud"])) is not None:
        found["totalCost"] = money(total)
    return found | ({"failed": parts.failures} if parts.failed else {})


def summed(answer: JsonObject, groups: tuple[str, ...]) -> JsonObject:
    """A query's answer with one row for each combination of *groups*, the most expensive first; as it is where its
    columns are others."""
    if not answer["rows"] or not (costs := sums_by(answer, groups)):
        return {"columns": answer["columns"], "rows": answer["rows"]}
    columns = [*({"name": name, "type": "string"} for name in groups), {"name": "cost", "type": "float"}]
    order = sorted(costs, key=lambda key: (-costs[key], str(key)))
    return {"columns": columns, "rows": [[*key, money(costs[key])] for key in order]}


def _rows(name: str, answer: JsonObject) -> list[JsonObject]:
    rows: Any = answer.get(name)
    found = [row for row in rows if isinstance(row, dict)][:ROWS] if isinstance(rows, list) else []
    return [{**row, "created": day(row.get("createTime"))} for row in found] if name == "incidents" else found
