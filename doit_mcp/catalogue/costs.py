"""Cost questions that are asked most, answered by a query or two of the API and some adding up."""

from __future__ import annotations

from math import fsum
from typing import Annotated, Any, Literal, TypedDict

from ..doit import Doit
from ..doit.areas.reports import EXTRAS
from ..doit.errors import ApiError
from ..doit.records import Currency
from ..doit.report_config import Config, Metric, provider_of
from ..protocol.jsonrpc import JsonObject
from ..protocol.schema import Length, Range

DIMENSIONS = {"service": "service_description", "project": "project_id", "cloud": "cloud_provider"}

GroupBy = Literal["service", "project", "cloud"]
Cloud = Annotated[
    str | None,
    "Only this cloud: amazon-web-services (or aws), google-cloud (gcp), microsoft-azure (azure), or another "
    "provider's name in the data.",
    Length(1, 100),
]


class Breakdown(TypedDict, total=False):
    """Costs by group and month."""

    rowCount: int
    columns: Annotated[list[JsonObject], "Name and type of each cell of a row."]
    rows: Annotated[list[list[Any]], "A list of cells for each group and month, the most expensive group first."]
    groups: Annotated[list[JsonObject], "Each group's name and its cost over the whole period."]
    total: Annotated[JsonObject, "shown: the groups above; other: all others together, null if not known; all: both."]
    currency: str
    period: Annotated[JsonObject, "months asked for, the running one included; first and last month with costs."]


async def cost_breakdown(
    doit: Doit,
    *,
    groupBy: Annotated[GroupBy, "What to split the cost by."],
    cloud: Cloud = None,
    months: Annotated[int, "How many months, the running one included.", Range(1, 24)] = 1,
    topN: Annotated[int, "How many groups; the others are added up.", Range(1, 25)] = 10,
    currency: Annotated[Currency, "Currency of the amounts."] = "USD",
) -> Annotated[JsonObject, Breakdown]:
    """Show what the cloud bill is made of: the top services, projects (accounts, subscriptions) or clouds with their
    cost by month, and the rest as one sum. For other shapes of question, filters or metrics use run_query."""
    dimension = DIMENSIONS[groupBy]
    whole = cost_config(cloud, months, currency)
    answer = await doit.reports.run_query(config=top_of(whole, dimension, topN))
    found = ranked(answer, dimension) | {"period": {"months": months, **months_of(answer)}}
    if "groups" not in found:
        return found
    shown = fsum(group["cost"] for group in found["groups"])
    everything = shown if len(found["groups"]) < topN else await total_of(doit, whole)
    return found | {"total": sums(shown, everything)}


def cost_config(cloud: str | None, months: int, currency: Currency) -> Config:
    """The query for cost by month."""
    config: Config = {
        "dataSource": "billing",
        "metrics": [{"type": "basic", "value": "cost"}],
        "timeInterval": "month",
        "timeRange": {"mode": "last", "amount": months, "unit": "month", "includeCurrent": True},
        "currency": currency,
    }
    if cloud is not None:
        config["filters"] = [{"id": "cloud_provider", "type": "fixed", "mode": "is", "values": [provider_of(cloud)]}]
    return config


def top_of(config: Config, dimension: str, top: int) -> Config:
    """*config* split by a dimension, its *top* values only."""
    metric: Metric = {"type": "basic", "value": "cost"}
    return {
        **config,
        "group": [{"id": dimension, "type": "fixed", "limit": {"metric": metric, "sort": "desc", "value": top}}],
    }


async def total_of(doit: Doit, config: Config) -> float | None:
    """The cost of everything that *config* asks for. None if the API fails: the top is worth showing without it."""
    try:
        answer = await doit.reports.run_query(config=config)
    except ApiError:
        return None
    names = columns_of(answer)
    return fsum(_number(row[names.index("cost")]) for row in rows_of(answer)) if "cost" in names else None


def ranked(answer: JsonObject, dimension: str) -> JsonObject:
    """A query's rows in order of their group's cost, and the groups' sums; as they are if the columns are not there."""
    plain = {name: value for name, value in answer.items() if name not in EXTRAS}
    names = columns_of(answer)
    if dimension not in names or "cost" not in names:
        return plain
    group, cost = names.index(dimension), names.index("cost")
    cells: dict[Any, list[float]] = {}
    rows = rows_of(answer)
    for row in rows:
        cells.setdefault(row[group], []).append(_number(row[cost]))
    order = sorted(cells, key=lambda name: -fsum(cells[name]))
    place = {name: index for index, name in enumerate(order)}
    return plain | {
        "rowCount": len(rows),
        "rows": sorted(rows, key=lambda row: place[row[group]]),
        "groups": [{"name": name, "cost": _money(fsum(cells[name]))} for name in order],
    }


def sums(shown: float, everything: float | None) -> JsonObject:
    """What the shown groups and the others cost, and both together; null where that is not known."""
    if everything is None:
        return {"shown": _money(shown), "other": None, "all": None}
    return {"shown": _money(shown), "other": _money(everything - shown), "all": _money(everything)}


def columns_of(answer: JsonObject) -> list[str]:
    """Names of a query's columns."""
    return [str(column.get("name")) if isinstance(column, dict) else "" for column in answer["columns"]]


def rows_of(answer: JsonObject) -> list[list[Any]]:
    """A query's rows that have a cell for each column."""
    return [row for row in answer["rows"] if isinstance(row, list) and len(row) == len(answer["columns"])]


def months_of(answer: JsonObject) -> JsonObject:
    """First and last month that has a row, as YYYY-MM; nothing if the rows do not say."""
    names, rows = columns_of(answer), rows_of(answer)
    if not rows or "year" not in names or "month" not in names:
        return {}
    year, month = names.index("year"), names.index("month")
    found = sorted(f"{row[year]}-{str(row[month])[-2:].zfill(2)}" for row in rows)
    return {"first": found[0], "last": found[-1]}


def _number(value: Any) -> float:
    """A cell as a number; what is none counts as nothing."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _money(amount: float) -> float:
    # Adding 0.0 makes a zero of a negative zero.
    return round(amount, 2) + 0.0
