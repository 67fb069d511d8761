"""Stored tables: months with their years, one dimension at a time, one unit, and costs per day."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.queries.stored_result import TableQuery, run_table_query
from doit_mcp.catalog.tools.result_handles import ResultTable, pack_table

from ..conftest import Ask

PERIOD = {"from": "2025-11-01", "to": "2026-11-28", "days": 393, "complete": False, "finalThrough": "2026-11-25"}
ABOUT = {"tool": "run_query", "currency": "USD", "period": PERIOD, "basis": {"metric": "cost"}}


def table(names: str, *rows: list[Any], **about: Any) -> ResultTable:
    numeric = ("cost", "usage", "sharePercent")
    columns = [{"name": name, "type": "float" if name in numeric else "string"} for name in names.split()]
    return ResultTable(columns, list(rows), {**ABOUT, **about})


def query(source: ResultTable, *group_by: str, aggregate: Any = "sum", **more: Any) -> dict[str, Any]:
    filters = [
        {"column": name, "op": "is", "values": [value] if isinstance(value, str) else value}
        for name, value in more.items()
    ]
    wanted = TableQuery(filters, list(group_by), aggregate, None, True, 1000, 0, False, "")  # type: ignore[arg-type]  # "is" is a Literal
    return run_table_query(pack_table(source), wanted)


OLD = table(
    "service year month cost",
    ["EC2", "2025", "11", 1.0],
    ["EC2", "2026", "11", 2.0],
    ["S3", "2026", "11", 4.0],
    ["S3", "2026", "10", 8.0],
)
NEW = table(
    "service period cost",
    ["EC2", "2025-11-30", 1.0],
    ["EC2", "2026-11-01", 2.0],
    ["S3", "2026-11-01", 4.0],
    ["S3", "2026-10-31", 8.0],
)
MONTHS = [["2026-10", 8.0, 1], ["2026-11", 6.0, 2], ["2025-11", 1.0, 1]]


@pytest.mark.parametrize("source", [OLD, NEW], ids=["old", "new"])
def test_months_of_different_years_never_merge(source: ResultTable) -> None:
    answer = query(source, "month")
    assert answer["rows"] == MONTHS and answer["total"] == {"cost": 15.0, "rows": 4}
    by_service = query(source, "service", "month")["rows"]
    assert sorted(row[:3] for row in by_service) == [
        *(["EC2", "2025-11", 1.0], ["EC2", "2026-11", 2.0], ["S3", "2026-10", 8.0], ["S3", "2026-11", 4.0])
    ]
    assert query(source, "year")["rows"] == [["2026", 14.0, 3], ["2025", 1.0, 1]]


@pytest.mark.parametrize(
    ("names", "by", "row", "cell"),
    [
        ("year month day cost", ["day"], ["2026", "10", "05", 1.0], "2026-10-05"),
        ("year month day cost", ["month", "day"], ["2026", "10", "05", 1.0], "2026-10"),
        ("year month day cost", ["year", "month"], ["2026", "10", "05", 1.0], "2026"),
        ("year quarter cost", ["quarter"], ["2026", "Q3", 1.0], "2026-Q3"),
        ("year week cost", ["week"], ["2026", "45", 1.0], "2026-45"),
        ("month cost", ["month"], ["2026-10", 1.0], "2026-10"),
        ("month cost", ["month"], ["10", 1.0], "10"),
        ("period month cost", ["month"], ["2026", "10", 1.0], "2026-10"),
        ("period cost", ["quarter"], ["2026-11-05", 1.0], "2026-Q4"),
        ("period cost", ["quarter"], ["2026-Q2", 1.0], "2026-Q2"),
        ("period cost", ["month"], ["2026-11-05T13:00", 1.0], "2026-11"),
        ("period cost", ["day"], ["2026-11-05T13:00", 1.0], "2026-11-05"),
        ("period cost", ["month"], [None, 1.0], None),
        ("week_day cost", ["week_day"], ["Monday", 1.0], "Monday"),
    ],
    ids=str,
)
def test_calendar_columns(names: str, by: list[str], row: list[Any], cell: Any) -> None:
    assert query(table(names, row), *by)["rows"][0][0] == cell


@pytest.mark.parametrize(
    ("period", "by"),
    [
        ("2026", "month"),
        ("2026-Q3", "month"),
        ("2026-10", "day"),
        ("2026-10-04/2026-10-10", "month"),
        ("2026", "quarter"),
    ],
)
def test_rows_are_not_split_into_shorter_periods(period: str, by: str) -> None:
    with pytest.raises(ApiError, match=f"groupBy: .*cannot be grouped by {by}; use period") as caught:
        query(table("period cost", [period, 1.0]), by)
    assert caught.value.kind == "argument"


REPEATED = table(
    "dimension name cost",
    ["service", "EC2", 6.0],
    ["service", "S3", 4.0],
    ["project", "web", 7.0],
    ["project", "EC2", 3.0],
    oneAtATime="dimension",
)


def test_a_table_with_several_dimensions_has_no_total() -> None:
    answer = query(REPEATED)
    assert answer["total"] == {} and len(answer["rows"]) == 4
    (note,) = answer["notes"]
    assert "once for each dimension" in note and "Filter on one dimension" in note


def test_one_dimension_has_a_total() -> None:
    answer = query(REPEATED, dimension="service")
    assert answer["total"] == {"cost": 10.0} and "notes" not in answer
    assert query(REPEATED, "name", dimension="project")["total"] == {"cost": 10.0, "rows": 2}


def test_groups_keep_the_dimensions_apart() -> None:
    answer = query(REPEATED, "name")
    assert [column["name"] for column in answer["columns"]][:2] == ["dimension", "name"]
    assert ["project", "EC2", 3.0, 1] in answer["rows"] and ["service", "EC2", 6.0, 1] in answer["rows"]
    assert answer["total"] == {} and answer["notes"]
    by_dimension = query(REPEATED, "dimension")
    assert by_dimension["rows"] == [["service", 10.0, 2], ["project", 10.0, 2]] and by_dimension["total"] == {}


def test_percentages_and_mixed_usage_have_no_sum() -> None:
    source = table(
        "project sku_id cost usage sharePercent", ["a", "s1", 1.0, 10.0, 25.0], ["a", "s2", 2.0, 5.0, 50.0],
        ["b", "s1", 1.0, 3.0, 25.0],
    )  # fmt: skip
    answer = query(source, "project")
    assert [column["name"] for column in answer["columns"]] == ["project", "cost", "usage", "rows"]
    assert answer["rows"] == [["a", 3.0, None, 2], ["b", 1.0, 3.0, 1]]
    assert answer["total"] == {"cost": 4.0, "rows": 3} and "within one sku_id" in answer["notes"][0]
    assert query(source, "sku_id")["rows"] == [["s1", 2.0, 13.0, 2], ["s2", 2.0, 5.0, 1]]
    assert query(source, sku_id="s1")["total"] == {"cost": 2.0, "usage": 13.0}


def test_the_sum_of_nothing_is_unknown_and_not_zero() -> None:
    source = table("s cost usage", ["a", 1.0, None], ["b", None, None])
    answer = query(source, "s")
    assert answer["rows"] == [["a", 1.0, None, 1], ["b", None, None, 1]] and answer["total"] == {"cost": 1.0, "rows": 2}


@pytest.mark.parametrize("aggregation", ["cumulative", "percent_total", "count"])
def test_values_that_do_not_add_up_have_no_total(aggregation: str) -> None:
    source = table("s cost", ["a", 1.0], ["a", 2.0], basis={"metric": "cost", "aggregation": aggregation})
    assert query(source)["total"] == {} and aggregation in query(source)["notes"][0]
    assert query(source, "s", aggregate="max")["rows"] == [["a", 2.0, 2]]
    with pytest.raises(ApiError, match="do not add up; use avg, min, max"):
        query(source, "s")


def test_a_mean_says_of_what_and_offers_costs_per_day() -> None:
    answer = query(NEW, "service", aggregate="avg")
    assert answer["rows"] == [["S3", 6.0, 2], ["EC2", 1.5, 2]] and answer["total"] == {}
    assert answer["aggregateOf"] == "rows, one for each service and period" and answer["count"] == 4
    assert answer["perDay"] == {"cost": 0.04} and answer["days"] == 393
    one = query(NEW, "service", aggregate="avg", period="2026-11-01")
    assert (one["count"], one["perDay"], one["days"]) == (2, {"cost": 6.0}, 1)
    assert "perDay" not in query(table("s cost", ["a", 1.0], period=None), "s", aggregate="avg")
    assert "perDay" not in query(REPEATED, "dimension", aggregate="avg")


def test_costs_per_day_divide_by_the_days_of_each_row() -> None:
    answer = query(NEW, "month", aggregate="per_day")
    # November 2026 has 28 days up to today, and October all of its 31 days although one has costs.
    assert answer["rows"] == [["2026-10", 0.26, 1], ["2026-11", 0.21, 2], ["2025-11", 0.03, 1]]
    assert answer["aggregateOf"] == "days" and answer["count"] == 393
    # A sum beside costs per day, under the same name, would read as one.
    assert answer["total"] == {} and answer["perDay"] == {"cost": 0.04}
    assert query(NEW, "service", aggregate="per_day")["rows"] == [["S3", 0.03, 2], ["EC2", 0.01, 2]]
    weekdays = table("week_day cost", ["Monday", 112.0], ["Saturday", 57.0])
    assert query(weekdays, "week_day", aggregate="per_day")["rows"] == [["Monday", 2.0, 1], ["Saturday", 1.0, 1]]
    assert query(table("period cost", ["n/a", 1.0]), "period", aggregate="per_day")["rows"] == [["n/a", None, 1]]
    with pytest.raises(ApiError, match="no period to divide by; use sum"):
        query(table("s cost", ["a", 1.0], period=None), "s", aggregate="per_day")


def test_amounts_are_in_the_currencys_minor_unit() -> None:
    assert query(table("s cost", ["a", 0.5], ["b", 1.4], currency="JPY"))["total"] == {"cost": 2.0}
    # 1.005 + 1.01: in binary floats, the sum is below the half cent.
    assert query(table("s cost", ["a", 1.005], ["a", 1.01]), "s")["rows"] == [["a", 2.02, 2]]


DAYS = st.dates(date(2025, 11, 1), date(2026, 11, 28))
LINES = st.lists(st.tuples(st.sampled_from("abc"), DAYS, st.integers(-(10**6), 10**6)), min_size=1, max_size=40)


@given(lines=LINES, by=st.sampled_from(["month", "quarter", "year", "day"]))
def test_calendar_sums_are_those_of_the_days(lines: list[tuple[str, date, int]], by: str) -> None:
    source = table("s period cost", *([name, day.isoformat(), cents / 100] for name, day, cents in lines))
    expected: dict[str, int] = defaultdict(int)
    for _, day, cents in lines:
        keys = {
            "day": f"{day}",
            "month": f"{day:%Y-%m}",
            "year": f"{day:%Y}",
            "quarter": f"{day:%Y}-Q{(day.month + 2) // 3}",
        }
        expected[keys[by]] += cents
    answer = query(source, by)
    assert {row[0]: round(100 * row[1]) for row in answer["rows"]} == expected
    assert round(100 * answer["total"]["cost"]) == sum(expected.values())


@given(first=st.integers(0, 390), length=st.integers(1, 400))
def test_costs_of_one_a_day_are_one_per_day(first: int, length: int) -> None:
    start, end = date(2025, 11, 1) + timedelta(days=first), date(2026, 11, 28)
    days = [start + timedelta(days=number) for number in range(length) if start + timedelta(days=number) <= end]
    period = {**PERIOD, "from": days[0].isoformat(), "to": days[-1].isoformat()}
    source = table("period cost", *([day.isoformat(), 1.0] for day in days), period=period)
    for by in ("month", "quarter", "year", "period"):
        assert {row[1] for row in query(source, by, aggregate="per_day")["rows"]} == {1.0}


async def test_sums_of_a_stored_table_are_those_of_separate_queries(ask: Ask) -> None:
    config = {
        **{"dataSource": "billing", "metrics": [{"type": "basic", "value": "cost"}], "timeInterval": "day"},
        **{"timeRange": "2026-06-15/2026-08-10", "group": [{"id": "sku_id", "type": "fixed"}]},
    }
    large = await ask("run_query", config=config)
    answer = await ask("query_result", handle=large["handle"], groupBy=["month"], sortBy="month", sortOrder="asc")
    assert [row[0] for row in answer["rows"]] == ["2026-06", "2026-07", "2026-08"]
    for row, days in zip(answer["rows"], ("2026-06-15/2026-06-30", "2026-07", "2026-08-01/2026-08-10"), strict=True):
        month = await ask("run_query", config={**config, "timeRange": days, "timeInterval": "year", "group": []})
        assert abs(row[1] - month["total"]["cost"]) < 0.005
    assert answer["total"]["cost"] == large["total"]["cost"] and answer["source"]["period"] == large["period"]
    assert answer["source"]["basis"] == large["basis"] and answer["source"]["currency"] == "USD"
