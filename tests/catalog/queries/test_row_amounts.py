"""Rounded amounts of rows, and what is between them and the total."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.queries.row_amounts import total_differences, with_rounded_columns

COLUMNS = [{"name": "service"}, {"name": "cost"}, {"name": "usage"}]


def test_only_money_is_rounded_halves_away_from_zero() -> None:
    rows = [["a", 1.005, 1.23456], ["b", -0.125, None], ["c", None, 2], ["short"]]
    answer = {"columns": COLUMNS, "rows": rows, "secondaryRows": [["a", 0.125, 0.5]], "cacheHit": False}
    assert with_rounded_columns(answer, ["cost"], "EUR") == {
        **{"columns": COLUMNS, "cacheHit": False, "secondaryRows": [["a", 0.13, 0.5]]},
        "rows": [["a", 1.01, 1.23456], ["b", -0.13, None], ["c", None, 2], ["short"]],
    }
    assert with_rounded_columns(answer, ["cost"], "JPY")["rows"][0] == ["a", 1.0, 1.23456]
    assert with_rounded_columns(answer, ["savings"], "EUR") == answer


@given(st.lists(st.integers(-(10**9), 10**9)), st.integers(-(10**12), 10**12))
def test_rows_and_what_is_outside_add_up_to_the_total(cents: list[int], total: int) -> None:
    answer = {"columns": COLUMNS, "rows": [["a", cell / 100, 1.0] for cell in cents]}
    outside = total_differences(answer, {"cost": total / 100, "savings": 1.0}, "USD")
    assert round(100 * outside.get("cost", 0)) == total - sum(cents)
    assert "savings" not in outside and 0 not in outside.values()
