"""The explanation of a change: whatever the responses are, its parts add up."""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.comparisons.causes import CAUSES, SkuCost
from doit_mcp.catalog.comparisons.comparison import ComparedDimension
from doit_mcp.catalog.comparisons.drivers_table import drivers_table
from doit_mcp.catalog.comparisons.explanation import (
    ChangeBasis,
    PeriodCosts,
    dimension_change,
    explain_causes,
    explain_drivers,
    explain_total,
    select_known_causes,
)
from doit_mcp.catalog.costs.amounts import round_amount
from doit_mcp.catalog.costs.groups import find_fixed_group
from doit_mcp.catalog.periods.alignment import align
from doit_mcp.catalog.periods.period import Period, ReportedPeriod

SKU = ComparedDimension.from_group(find_fixed_group("sku"))
REGION = ComparedDimension.from_group(find_fixed_group("region"))
TODAY = date(2026, 12, 31)
CAUSE_NAMES = [f"by{cause.capitalize()}" for cause in CAUSES]
COLUMNS = ("sku_id", "sku_description", "cost_type", "region", "cost", "usage")

IDS = st.sampled_from(["a", "b", "c", None])
TYPES = st.sampled_from(["Usage", "Credit", "RIFee", "DiscountedUsage", None])
COSTS = st.floats(-1e6, 1e6).map(lambda cost: round(cost, 4))
ROWS = st.lists(st.tuples(IDS, IDS, TYPES, IDS, COSTS, st.floats(0, 1e6)), max_size=8)
DAYS = st.dates(date(2026, 1, 1), date(2026, 11, 30))


def response(rows: list[Any]) -> dict[str, Any]:
    return {"columns": [{"name": name} for name in COLUMNS], "rows": [list(row) for row in rows]}


def cents(amount: float) -> D:
    return D(str(amount))


@given(
    old=ROWS,
    new=ROWS,
    days=st.lists(DAYS, min_size=3, max_size=3, unique=True),
    top=st.integers(1, 3),
    currency=st.sampled_from(["USD", "JPY"]),
    credits=st.booleans(),
)
def test_all_parts_add_up(
    old: list[Any], new: list[Any], days: list[date], top: int, currency: str, credits: bool
) -> None:
    first, middle, last = sorted(days)
    before = ReportedPeriod(Period(first, middle), TODAY)
    basis = ChangeBasis(align(ReportedPeriod(Period(middle, last), TODAY), before), currency)
    changes = [dimension_change(dimension, response(old), response(new), basis) for dimension in (SKU, REGION)]
    totals = sum((D(repr(row[4])) for row in old), D(0)), sum((D(repr(row[4])) for row in new), D(0))
    answer: dict[str, Any] = {"total": explain_total(totals, basis.periods, currency)}
    answer["by"], note = explain_drivers(changes, totals, currency, top)
    answer |= explain_causes(changes[0], totals, basis, credits=credits)
    total = answer["total"]
    assert [cents(total[name]) for name in ("before", "after")] == [round_amount(amount, currency) for amount in totals]
    assert cents(total["after"]) - cents(total["before"]) == cents(total["change"])
    if old or new:
        assert sum(map(cents, answer["causes"].values())) == cents(total["change"])
    for dimension in answer["by"]:
        parts = [*dimension["drivers"], dimension["other"]]
        for name in ("before", "after", "change"):
            assert sum(cents(part[name]) for part in parts) == cents(total[name])
        for part in parts:
            effects = [cents(part[name]) for name in part if name.startswith("by")]
            assert not effects or sum(effects) == cents(part["change"])
        has_shares = [part["share"] is not None for part in parts]
        assert all(has_shares) or not any(has_shares)
        if all(has_shares):
            assert sum(cents(part["share"]) for part in parts) == 100
    table = drivers_table(changes, totals, basis, {})
    names = [column["name"] for column in table.columns]
    assert all(len(row) == len(names) for row in table.rows)
    for dimension in ("sku", "region"):
        rows = [row for row in table.rows if row[0] == dimension]
        for name in ("before", "after", "change"):
            assert sum(cents(row[names.index(name)]) for row in rows) == cents(total[name])
    skus = [row for row in table.rows if row[0] == "sku"]
    for row in skus:
        assert sum(cents(row[names.index(name)]) for name in CAUSE_NAMES) == cents(row[names.index("change")])
    for name, cause in zip(CAUSE_NAMES, CAUSES):
        in_rows = sum(cents(row[names.index(name)]) for row in skus)
        assert in_rows == cents(answer["causes"].get(cause, 0.0)) or not (old or new)
    assert table.about == {"oneAtATime": "dimension"}


def test_names_are_the_latest_and_charges_without_id_are_distinguished() -> None:
    old = response([("a", "Old name", "Usage", "eu", 1.0, 1.0), (None, "Tax", None, "eu", 2.0, 0.0)])
    new = response([("a", "New name", "Usage", "eu", 1.0, 1.0), (None, "Support", None, "eu", 3.0, 0.0)])
    basis = ChangeBasis(align(ReportedPeriod(Period(date(2026, 2, 1), date(2026, 2, 28)), TODAY)), "USD")
    change = dimension_change(SKU, old, new, basis)
    assert [(change.name_of(driver), driver.id, driver.status) for driver in change.drivers] == [
        ("Support", "Support", "new"),
        ("Tax", "Tax", "gone"),
        ("New name", "a", ""),
    ]
    unknown = dimension_change(SKU, old, new, ChangeBasis(basis.periods, "USD", knows_new=False))
    assert [driver.status for driver in unknown.drivers] == ["", "gone", ""]


@pytest.mark.parametrize(
    ("costs", "credits", "hidden"),
    [
        ([SkuCost()], False, {"credits", "commitments"}),
        ([SkuCost()], True, {"commitments"}),
        ([SkuCost(credits=D(-1))], False, {"commitments"}),
        ([SkuCost(commitments=D(1))], False, {"credits"}),
        ([SkuCost(covered_usage=D(1))], True, set()),
    ],
)
def test_causes_that_the_data_do_not_have_are_left_out(costs: list[SkuCost], credits: bool, hidden: set[str]) -> None:
    parts = dict.fromkeys(("usage", "credits", "commitments"), D(0))
    assert parts.keys() - select_known_causes(parts, costs, credits=credits).keys() == hidden


def test_a_list_is_complete_if_it_is_shorter_than_its_limit() -> None:
    rows = [(f"s{number}", "same", None, "eu", 1.0, 0.0) for number in range(1000)]
    assert not PeriodCosts.from_answer(response(rows), SKU).complete
    assert PeriodCosts.from_answer(response(rows[:999]), SKU).complete
    assert PeriodCosts.from_answer(response(rows), REGION).complete
