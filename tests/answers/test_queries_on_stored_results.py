"""query_result: unknown values, selections without rows, and periods that a stored table has only in part."""

from __future__ import annotations

from typing import Any

import pytest

from .world import World


async def store_result(world: World, time_range: Any, interval: str = "month") -> str:
    """Return the handle of cost by service and SKU."""
    config = {
        "dataSource": "billing",
        "metrics": [{"type": "basic", "value": "cost"}],
        "timeInterval": interval,
        "timeRange": time_range,
        "group": [{"id": name, "type": "fixed"} for name in ("service_description", "sku_description", "project_id")],
    }
    handle: str = (await world.ask("run_query", config=config))["handle"]
    return handle


def condition(column: str, *values: str, op: str = "is") -> dict[str, Any]:
    """Return a filter on a column."""
    return {"column": column, "op": op, "values": list(values)}


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        (condition("service_description", "bigquery"), 'Did you mean "BigQuery"?'),
        (condition("service_description", "BigQuery", "Amazon EC2"), '"Amazon Elastic Compute Cloud"'),
        (condition("service_description", "bigquery", op="not"), 'Did you mean "BigQuery"?'),
        (condition("period", "October"), 'Did you mean "2026-10"?'),
        (condition("period", "10/2026"), 'Did you mean "2026-10"?'),
        (condition("period", "2026-13"), '"2026-10"'),
        (condition("period", "2026"), '{"column":"period","op":"starts_with","values":["2026"]}'),
    ],
    ids=str,
)
async def test_unknown_value_names_the_nearest_of_its_column(november: World, wanted: Any, hint: str) -> None:
    handle = await store_result(november, {"mode": "last", "amount": 3, "unit": "month", "includeCurrent": True})
    text = await november.refusal("query_result", handle=handle, filters=[wanted])
    assert text.startswith("Could not run query_result: filters: ") and hint in text


async def test_selection_without_rows_has_no_total(november: World) -> None:
    handle = await store_result(november, "last_month", "day")
    filters = [condition("service_description", "BigQuery"), condition("cost", "1000000", op="gt")]
    answer = await november.ask("query_result", handle=handle, filters=filters)
    assert answer["rowCount"] == 0 and answer["total"] == {}
    assert answer["notes"] == ["No row meets all filters, so there is no total."]


async def test_table_of_a_trend_has_the_costs_of_groups_that_are_not_shown(november: World) -> None:
    trend = await november.ask("cost_trend", interval="day", period="last_90_days", groupBy="service")
    answer = await november.ask("query_result", handle=trend["handle"], groupBy=["month"])
    costs = {row[0]: row[1] for row in answer["rows"]}
    assert costs["2026-10"] == november.cost("2026-10-01", "2026-10-31")
    assert answer["total"]["cost"] == november.cost("2026-08-30", "2026-11-27")
    services = await november.ask("query_result", handle=trend["handle"], groupBy=["service_description"])
    assert dict(row[:2] for row in services["rows"])["(other groups)"] == trend["total"]["other"]


async def test_table_of_a_breakdown_has_the_rest_of_each_group(november: World) -> None:
    shown = await november.ask("cost_breakdown", groupBy=["project", "sku"], period="ytd", topN=20)
    answer = await november.ask("query_result", handle=shown["handle"], groupBy=["project_id"])
    assert dict(row[:2] for row in answer["rows"]) == {group["id"]: group["cost"] for group in shown["groups"]}
    assert answer["total"]["cost"] == november.cost("2026-01-01", "2026-11-28")
    of_one = [condition("project_id", "111122223333"), condition("sku_id", "(other groups)")]
    rest = await november.ask("query_result", handle=shown["handle"], filters=of_one)
    assert [row[answer_column(rest, "cost")] for row in rest["rows"]] == [shown["groups"][0]["other"]]


def answer_column(answer: dict[str, Any], name: str) -> int:
    """Return the place of a column in the rows of an answer."""
    return [column["name"] for column in answer["columns"]].index(name)


async def test_running_month_keeps_its_mark_when_grouped(november: World) -> None:
    handle = await store_result(november, {"mode": "last", "amount": 2, "unit": "month", "includeCurrent": True}, "day")
    answer = await november.ask("query_result", handle=handle, groupBy=["month"])
    costs = {row[0]: row[1] for row in answer["rows"]}
    assert costs["2026-11"] == pytest.approx(november.cost("2026-11-01", "2026-11-28"), abs=1)
    assert answer["notes"] == ["Incomplete: 2026-11 (28 of 30 days)."]


async def test_filters_on_days_cut_their_month(november: World) -> None:
    handle = await store_result(november, "last_month", "day")
    days = [condition("period", "2026-10-0", op="starts_with")]
    answer = await november.ask("query_result", handle=handle, filters=days, groupBy=["month", "service_description"])
    assert answer["notes"] == ["Incomplete: 2026-10 (9 of 31 days)."]


async def test_cut_months_stay_in_the_source(november: World) -> None:
    handle = await store_result(november, "last_40_days")
    answer = await november.ask("query_result", handle=handle)
    assert [part["period"] for part in answer["source"]["partialPeriods"]] == ["2026-10", "2026-11"]
    assert answer["notes"] == ["Incomplete: 2026-10 (13 of 31 days), 2026-11 (27 of 30 days)."]
    whole = await november.ask("query_result", handle=await store_result(november, "last_3_months"))
    assert "notes" not in whole and "partialPeriods" not in whole["source"]
