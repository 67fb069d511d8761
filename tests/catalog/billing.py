"""A small bill that answers queries as the API does, for tests of composed tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from doit_mcp.api.operation import Request

Line = tuple[str, dict[str, str], float, float]
"""A day, the values of the dimensions, cost and usage."""
OPEN_END = "9999"


def make_api(
    others: Mapping[str, Any], lines: list[Line], forecast: dict[str, float] | None = None
) -> Callable[..., Any]:
    """Return an API over *lines*. *others* are responses by a part of the path; exceptions are raised."""

    def answer(request: Request) -> Any:
        for part, costs in others.items():
            if part in request.path:
                return costs(request) if callable(costs) else costs
        if request.path.endswith("/invoices"):
            # They are read for the customer's currency.
            return {"invoices": []}
        return {"result": result((request.body or {})["config"], lines, forecast or {})}

    return answer


def result(config: dict[str, Any], lines: list[Line], forecast: dict[str, float]) -> dict[str, Any]:
    """Return rows by group and time, as a query does."""
    groups = [grouping["id"] for grouping in config.get("group", ())]
    metrics = [metric["value"] for metric in config["metrics"]]
    span = config.get("customTimeRange", {"from": "0000", "to": OPEN_END})
    width = {"year": 1, "month": 2, "day": 3}[config["timeInterval"]]
    cells: dict[tuple[Any, ...], list[float]] = {}
    for day, values, cost, usage in lines:
        if span["from"][:10] <= day <= span["to"][:10] and meets_conditions(config, values):
            key = (*(values.get(group) for group in groups), *day.split("-")[:width])
            sums = cells.setdefault(key, [0.0] * len(metrics))
            for at, metric in enumerate(metrics):
                sums[at] += cost if metric == "cost" else usage
    names = [*groups, *("year", "month", "day")[:width], *metrics]
    body: dict[str, Any] = {
        "schema": [{"name": name, "type": "float" if name in metrics else "string"} for name in names],
        "rows": [[*key, *sums] for key, sums in cells.items()],
    }
    if config.get("forecastSettings"):
        # The forecast belongs to the first group.
        group = next(iter(cells), ())[: len(groups)]
        body["forecastRows"] = [[*group, *day.split("-"), cost] for day, cost in forecast.items()]
    return body


def meets_conditions(config: dict[str, Any], values: dict[str, str]) -> bool:
    return all(values.get(condition["id"]) in condition["values"] for condition in config.get("filters", ()))
