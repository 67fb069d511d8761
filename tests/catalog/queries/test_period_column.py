"""The column "period" in place of the columns of time."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.queries.period_column import period_text, with_period_column


def seconds(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def convert(names: str, *rows: list[Any]) -> tuple[str, list[list[Any]]]:
    columns = [
        {"name": name, "type": "timestamp" if name == "timestamp" else "float" if name == "cost" else "string"}
        for name in names.split()
    ]
    answer = with_period_column({"columns": columns, "rows": list(rows)})
    return " ".join(column["name"] for column in answer["columns"]), answer["rows"]


@pytest.mark.parametrize(
    ("names", "row", "new_names", "new_row"),
    [
        ("year cost timestamp", ["2026", 1.5, 0], "period cost", ["2026", 1.5]),
        ("s year quarter cost timestamp", ["a", "2026", "Q3", 1.5, 0], "s period cost", ["a", "2026-Q3", 1.5]),
        ("s year month cost timestamp", ["a", "2026", "10", 1.5, 0], "s period cost", ["a", "2026-10", 1.5]),
        ("year month cost", [2026, 3, 1.5], "period cost", ["2026-03", 1.5]),
        ("year month cost", ["2026", "2026-10", 1.5], "period cost", ["2026-10", 1.5]),
        ("year month day cost", ["2026", "10", "05", 1.5], "period cost", ["2026-10-05", 1.5]),
        ("year month day cost", ["2026", "10", "2026-10-05", 1.5], "period cost", ["2026-10-05", 1.5]),
        ("year month day hour cost", ["2026", "10", "05", "13:00", 1], "period cost", ["2026-10-05T13:00", 1]),
        ("month s year cost", ["10", "a", "2026", 1.5], "period s cost", ["2026-10", "a", 1.5]),
        ("year quarter month cost", ["2026", "Q4", "10", 1.5], "period cost", ["2026-10", 1.5]),
        ("year isoweek cost", ["2026", "01", 1.5], "period cost", ["2025-12-29/2026-01-04", 1.5]),
        (
            "year week cost timestamp",
            ["2026", "45", 1.5, seconds("2026-11-08")],
            "period cost",
            ["2026-11-08/2026-11-14", 1.5],
        ),
        (
            "year week cost timestamp",
            ["2026", "45", 1.5, 1000 * seconds("2026-11-08")],
            "period cost",
            ["2026-11-08/2026-11-14", 1.5],
        ),
        # The year alone would hide the week, and a month alone is not a period.
        ("year month cost", [None, None, 1.5], "period cost", [None, 1.5]),
        ("year month cost", ["2026", "13", 1.5], "period cost", [None, 1.5]),
        ("month cost", ["10", 1.5], "month cost", ["10", 1.5]),
        ("week_day cost", ["Monday", 1.5], "week_day cost", ["Monday", 1.5]),
        ("s cost timestamp", ["a", 1.5, 0], "s cost", ["a", 1.5]),
    ],
    ids=str,
)
def test_columns_of_time_become_one(names: str, row: list[Any], new_names: str, new_row: list[Any]) -> None:
    assert convert(names, row) == (new_names, [new_row])


def test_secondary_and_forecast_rows_have_the_same_columns() -> None:
    columns = [{"name": name} for name in ("year", "month", "cost")]
    lists = {"rows": [["2026", "10", 1.0]], "secondaryRows": [["2026", "09", 2.0]], "forecastRows": [["2027", "01", 3]]}
    found = with_period_column({"schema": columns, **lists, "cacheHit": False}, "schema")
    assert found == {
        **{"schema": [{"name": "period", "type": "string"}, {"name": "cost"}], "cacheHit": False},
        **{"rows": [["2026-10", 1.0]], "secondaryRows": [["2026-09", 2.0]], "forecastRows": [["2027-01", 3]]},
    }


@pytest.mark.parametrize(
    "answer",
    [{"columns": None, "rows": []}, {"columns": ["a"], "rows": []}, {"columns": [{"name": "a"}], "rows": None}, {}],
)
def test_answers_without_columns_of_time_are_unchanged(answer: Any) -> None:
    assert with_period_column(answer) == answer


def test_rows_of_another_width_are_unchanged() -> None:
    assert convert("year cost", ["2026", 1.0], ["2026"])[1] == [["2026", 1.0], ["2026"]]


@given(st.dates(date(1, 1, 1), date(9999, 12, 25)))
def test_days_and_weeks_are_those_of_the_calendar(day: date) -> None:
    assert period_text({"year": day.year, "month": f"{day.month:02}", "day": day.day}) == day.isoformat()
    iso = day.isocalendar()
    if iso.year > 0:
        first, _, last = str(period_text({"year": iso.year, "isoweek": iso.week})).partition("/")
        assert first <= day.isoformat() <= last


CELLS = st.none() | st.booleans() | st.text(max_size=6) | st.integers(-(10**15), 10**15) | st.floats()


@given(st.lists(CELLS, min_size=4, max_size=4))
def test_odd_cells_are_null_and_never_an_error(cells: list[Any]) -> None:
    ((period,),) = convert("year month day timestamp", cells)[1]
    assert period is None or date.fromisoformat(period)
    ((week,),) = convert("year isoweek", cells[:2])[1]
    assert week is None or "/" in week


@pytest.mark.parametrize(
    "row", [["9999", "52", 1.0], [["2026"], "10", 1.0], [{"a": 1}, "10", 1.0], ["2026", [10], 1.0]]
)
@pytest.mark.parametrize("unit", ["isoweek", "month"])
def test_odd_cells_have_no_period(row: list[Any], unit: str) -> None:
    columns = [{"name": name, "type": "string"} for name in ("year", unit, "cost")]
    assert with_period_column({"columns": columns, "rows": [row]})["rows"] == [[None, 1.0]]
