"""Costs by day, from the rows of a query."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from doit_mcp.catalog.costs.daily_costs import cost_by_day, find_day_over


def test_days_are_read_in_every_form() -> None:
    columns = [{"name": name} for name in ("year", "month", "day", "cost")]
    rows = [["2026", "09", "1", 1.0], ["2026", "2026-09", "2026-09-01", 2.0], ["2026", "x", "1", 9.0], [2026, 9, 2, 5]]
    answer = {"columns": columns, "rows": rows, "forecastRows": None}
    assert cost_by_day(answer, "rows") == {date(2026, 9, 1): Decimal(3), date(2026, 9, 2): Decimal(5)}
    assert cost_by_day(answer, "forecastRows") == {} == cost_by_day({"columns": columns[1:], "rows": []}, "rows")


def test_the_day_that_exceeds_a_limit() -> None:
    costs = {date(2026, 9, 2): Decimal("5.5"), date(2026, 9, 1): Decimal("4.5"), date(2026, 9, 3): Decimal("-1")}
    assert find_day_over(costs, Decimal(4)) == date(2026, 9, 1)
    assert find_day_over(costs, Decimal("4.5")) == date(2026, 9, 2)
    assert find_day_over(costs, Decimal(10)) is None and find_day_over({}, Decimal(0)) is None
