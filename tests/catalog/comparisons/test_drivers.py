"""Drivers of a change: whatever the bills are, the parts add up to the whole."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from decimal import Decimal as D

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from doit_mcp.catalog.comparisons.causes import CostAndUsage
from doit_mcp.catalog.comparisons.drivers import CostDriver, driver_row, find_drivers, split_change
from doit_mcp.catalog.costs.amounts import round_amount

Bill = Mapping[Hashable, CostAndUsage]
AMOUNTS = st.decimals(-(10**7), 10**7, places=4)
USAGE = st.decimals(0, 10**6, places=5)
BILLS = st.dictionaries(st.text(max_size=3) | st.none(), st.builds(CostAndUsage, AMOUNTS, USAGE), max_size=8)


def total(bill: Bill) -> D:
    return round_amount(sum((spent.cost for spent in bill.values()), D(0)), "USD")


@given(before=BILLS, after=BILLS, top=st.integers(1, 10))
@example(before={"a": CostAndUsage(D(100))}, after={"b": CostAndUsage(D(100))}, top=1)
def test_shown_drivers_and_other_add_up(before: Bill, after: Bill, top: int) -> None:
    ranked = find_drivers(before, after, "USD")
    split = split_change(ranked, total(before), total(after), top)
    everything = [*split.shown, split.other]
    assert sum(driver.before for driver in everything) == total(before)
    assert sum(driver.after for driver in everything) == total(after)
    assert sum(driver.change for driver in everything) == split.change == total(after) - total(before)
    assert len(split.shown) <= top and len(split.shown) + split.other_count == len(ranked)
    assert len(split.shares) == len(everything)
    if None in split.shares:
        movement = sum(abs(driver.change) for driver in ranked)
        # Sums of rounded costs differ from the rounded sum by less than a cent for each cost.
        assert set(split.shares) == {None} and abs(split.change) <= D("0.5") * (movement + D("0.01") * len(ranked))
    else:
        assert all(share is not None and -50 <= share <= 150 for share in split.shares)
        assert sum(round(10 * (share or 0.0)) for share in split.shares) == 1000


@given(before=BILLS, after=BILLS)
def test_the_order_is_by_size_and_never_by_chance(before: Bill, after: Bill) -> None:
    ranked = find_drivers(before, after, "USD")
    assert [abs(driver.change) for driver in ranked] == sorted((abs(driver.change) for driver in ranked), reverse=True)
    assert {driver.id for driver in ranked} == before.keys() | after.keys()
    turned = find_drivers(dict(reversed(before.items())), dict(reversed(after.items())), "USD")
    names = [str(driver.id) for driver in ranked]
    assert sorted(names) == sorted(str(driver.id) for driver in turned)
    if len(set(names)) == len(names):
        assert turned == ranked


@given(bill=BILLS)
def test_empty_periods_make_everything_new_or_gone(bill: Bill) -> None:
    assert {driver.status for driver in find_drivers(bill, {}, "USD")} <= {"gone", ""}
    assert {driver.status for driver in find_drivers({}, bill, "USD")} <= {"new", ""}
    assert {driver.status for driver in find_drivers(bill, {}, "USD", complete_after=False)} <= {""}
    assert {driver.status for driver in find_drivers({}, bill, "USD", complete_before=False)} <= {""}
    assert all(driver.change == 0 and driver.status == "" for driver in find_drivers(bill, bill, "USD"))


def bill(**costs: float) -> Bill:
    return {name: CostAndUsage(D(str(cost))) for name, cost in costs.items()}


@pytest.mark.parametrize(
    ("before", "after", "shares"),
    [
        ({"a": 100, "b": 100}, {"a": 130, "b": 110}, [75.0, 25.0]),
        # 90 up and 30 down is 60 net: just half of 120.
        ({"a": 0, "b": 30}, {"a": 90, "b": 0}, [150.0, -50.0]),
        ({"a": 30, "b": 0}, {"a": 0, "b": 90}, [150.0, -50.0]),
        # 90 up and 31 down is 59 net: below half of 121.
        ({"a": 0, "b": 31}, {"a": 90, "b": 0}, [None, None]),
        ({"a": 0, "b": 50}, {"a": 50, "b": 0}, [None, None]),
        ({"a": 5}, {"a": 5}, []),
    ],
)
def test_shares_of_a_small_net_change_are_null(
    before: dict[str, float], after: dict[str, float], shares: list[float | None]
) -> None:
    old, new = bill(**before), bill(**after)
    split = split_change(find_drivers(old, new, "USD"), total(old), total(new), 5)
    assert split.shares[:-1] == shares
    assert split.offsets == (None in shares)
    assert split.shares[-1] == (0.0 if shares and None not in shares else None)


def test_a_net_change_is_small_beside_unlisted_movement_too() -> None:
    """The list of the most expensive values has one that fell, and the rest of the total rose."""
    split = split_change([CostDriver("a", D(100), D(0))], D(100), D(101), 5)
    assert split.movement == 201 and split.offsets and split.shares == [None, None]


def test_amounts_are_rounded_to_the_minor_unit_of_the_currency() -> None:
    before, after = bill(a=10.505), bill(a=21.4449)
    assert [(driver.before, driver.after) for driver in find_drivers(before, after, "USD")] == [
        (D("10.51"), D("21.44"))
    ]
    assert [(driver.before, driver.after) for driver in find_drivers(before, after, "JPY")] == [(D(11), D(21))]


def test_nothing_at_all_is_not_a_change() -> None:
    split = split_change(find_drivers({}, {}, "USD"), D(0), D(0), 5)
    assert split.shown == [] and split.other == CostDriver("other", D(0), D(0)) and split.shares == [None]
    assert not split.offsets


def test_rows_have_ids_where_they_differ_from_names_and_effects_where_known() -> None:
    driver = CostDriver("0E3", D("4"), D("6"), "", {"usage": D("1.5"), "price": D("0.5")})
    assert driver_row(driver, "BigQuery Analysis", 40.0) == {
        **{"id": "0E3", "name": "BigQuery Analysis", "before": 4.0, "after": 6.0, "change": 2.0, "share": 40.0},
        **{"byUsage": 1.5, "byPrice": 0.5},
    }
    gone = CostDriver("a", D("10"), D("0"), "gone")
    assert driver_row(gone, "a") == {
        **{"name": "a", "before": 10.0, "after": 0.0, "change": -10.0, "share": None, "status": "gone"},
    }
    assert "id" not in driver_row(CostDriver(None, D(1), D(2)), None)
