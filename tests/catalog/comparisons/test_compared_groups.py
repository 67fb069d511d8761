"""Groups of two periods side by side."""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.comparisons.compared_groups import (
    GroupCosts,
    cost_difference,
    group_id,
    group_name,
    read_group_rows,
)
from doit_mcp.catalog.comparisons.comparison import ComparedDimension
from doit_mcp.catalog.costs.groups import find_fixed_group
from doit_mcp.catalog.periods.alignment import align
from doit_mcp.catalog.periods.period import Period, ReportedPeriod

SKU, SERVICE = (ComparedDimension.from_group(find_fixed_group(name)) for name in ("sku", "service"))
COLUMNS = ("sku_id", "sku_description", "service_description", "cost_type", "year", "month", "cost")


def response(*rows: tuple[Any, ...]) -> dict[str, Any]:
    return {"columns": [{"name": name} for name in COLUMNS], "rows": [list(row) for row in rows]}


def test_the_lines_of_a_sku_are_one_row_a_month() -> None:
    answer = response(
        ("box", "Box hour", "EC2", "Usage", "2026", "08", 0.004),
        ("box", "Box hour", "EC2", "Usage", "2026", "09", 3.0),
        ("box", "covered", "EC2", "SavingsPlanCoveredUsage", "2026", "08", 90.0),
        ("box", "negation", "EC2", "SavingsPlanNegation", "2026", "08", -89.0),
        (None, "Tax", "Tax", "Tax", "2026", "08", 5.0),
        (None, "Support", "Support", "Fee", "2026", "08", 6.0),
        ("rest", "Rest", "EC2", "Usage", "2026", "08", 7.0),
    )
    costs = GroupCosts.from_answer(answer, [SKU])
    # Charges without an id are separate by their description.
    assert costs.costs == {("box",): D("4.004"), ("Tax",): D(5), ("Support",): D(6), ("rest",): D(7)}
    names = {("box",): ["Box hour"], ("Tax",): ["Tax"]}
    table = read_group_rows(answer, [SKU], names, "USD")
    assert table["rows"] == [
        ["box", "Box hour", "2026-08", 1.0],
        ["box", "Box hour", "2026-09", 3.0],
        ["Tax", "Tax", "2026-08", 5.0],
    ]
    assert [column["name"] for column in table["columns"]] == ["sku_id", "sku_description", "period", "cost"]
    both = read_group_rows(answer, [SERVICE, SKU], {("EC2", "rest"): ["EC2", "Rest"]}, "USD")
    assert both["rows"] == [["EC2", "rest", "Rest", "2026-08", 7.0]]


def test_groups_are_identified_by_all_values() -> None:
    assert (group_id(("a",)), group_id((None,)), group_id(("a / b", None))) == ("a", None, ["a / b", None])
    assert (group_name(["A"]), group_name([None]), group_name(["A", None])) == ("A", None, "A / none")


DAYS = st.dates(date(2024, 1, 1), date(2026, 12, 31))
AMOUNTS = st.decimals(-(10**6), 10**6, places=3)


@given(days=st.lists(DAYS, min_size=5, max_size=5), first=AMOUNTS, second=AMOUNTS, default=st.booleans())
def test_percentages_are_like_for_like(days: list[date], first: D, second: D, default: bool) -> None:
    one, two, three, four, today = sorted(days)
    after = ReportedPeriod(Period(three, max(four, today)), max(today, three))
    periods = align(after, None if default else ReportedPeriod(Period(one, two), after.today))
    figures = cost_difference(first, second, periods, "USD")
    equal = periods.before.days == periods.after.days
    assert ("perDayChangePercent" in figures) == (not equal)
    if figures["changePercent"] is not None and not equal:
        assert periods.alignment == "whole" and figures["perDayChangePercent"] is not None
    if periods.alignment == "per_day":
        assert figures["changePercent"] is None
    assert D(str(figures["period1"])) - D(str(figures["period2"])) == D(str(figures["change"]))
