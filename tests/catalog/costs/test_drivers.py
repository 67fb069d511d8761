"""Drivers of a change: whatever the bills are, the parts add up to the whole."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from doit_mcp.catalog.costs.drivers import (
    CostAndUsage,
    CostDriver,
    change_causes,
    driver_row,
    find_drivers,
    split_change,
    to_cents,
)

AMOUNTS = st.floats(-1e7, 1e7)
USAGE = st.floats(0, 1e6)
BILLS = st.dictionaries(st.text(max_size=3) | st.none(), st.builds(CostAndUsage, AMOUNTS, USAGE), max_size=8)


def total(bill: Mapping[Hashable, CostAndUsage]) -> int:
    return to_cents(sum(one.cost for one in bill.values()))


@given(before=BILLS, after=BILLS, top=st.integers(1, 10))
def test_shown_drivers_and_other_add_up(
    before: dict[Hashable, CostAndUsage], after: dict[Hashable, CostAndUsage], top: int
) -> None:
    ranked = find_drivers(before, after)
    parts = split_change(ranked, total(before), total(after), top)
    everything = [*parts.shown, parts.other]
    assert sum(one.before for one in everything) == total(before)
    assert sum(one.after for one in everything) == total(after)
    assert sum(one.change for one in everything) == parts.total == total(after) - total(before)
    assert len(parts.shown) <= top and len(parts.shown) + parts.other_count == len(ranked)
    shares = parts.shares
    assert len(shares) == len(everything)
    if parts.total == 0:
        assert set(shares) == {None}
    else:
        assert round(sum(round(10 * (share or 0.0)) for share in shares)) == 1000


@given(before=BILLS, after=BILLS)
def test_the_order_is_by_size_and_never_by_chance(
    before: dict[Hashable, CostAndUsage], after: dict[Hashable, CostAndUsage]
) -> None:
    ranked = find_drivers(before, after)
    assert [abs(one.change) for one in ranked] == sorted((abs(one.change) for one in ranked), reverse=True)
    assert {one.name for one in ranked} == before.keys() | after.keys()
    turned = find_drivers(dict(reversed(before.items())), dict(reversed(after.items())))
    names = [one.name for one in ranked]
    assert sorted(map(str, names)) == sorted(str(one.name) for one in turned)
    if len({str(name) for name in names}) == len(names):
        assert turned == ranked


@given(before=BILLS, after=BILLS)
@example(before={None: CostAndUsage(940759.578125, 1e-05)}, after={None: CostAndUsage(1.0, 748.0)})
def test_causes_add_up_to_the_change(before: dict[Hashable, CostAndUsage], after: dict[Hashable, CostAndUsage]) -> None:
    ranked = find_drivers(before, after)
    change = total(after) - total(before)
    causes = change_causes(ranked, change)
    assert sum(to_cents(amount) for amount in causes.values()) == change
    for one in ranked:
        if one.by_usage is not None and one.by_price is not None:
            assert one.by_usage + one.by_price == one.change


@given(before=BILLS)
def test_empty_periods_make_everything_new_or_gone(before: dict[Hashable, CostAndUsage]) -> None:
    assert {one.status for one in find_drivers(before, {})} <= {"gone", ""}
    assert {one.status for one in find_drivers({}, before)} <= {"new", ""}
    assert {one.status for one in find_drivers(before, {}, complete_after=False)} <= {""}
    assert {one.status for one in find_drivers({}, before, complete_before=False)} <= {""}
    assert all(one.change == 0 and one.status == "" for one in find_drivers(before, before))


def test_nothing_at_all_is_no_change() -> None:
    parts = split_change(find_drivers({}, {}), 0, 0, 5)
    assert parts.shown == [] and parts.other == CostDriver("other", 0, 0) and parts.shares == [None]
    assert set(change_causes([], 0).values()) == {0.0}


@pytest.mark.parametrize(
    ("before", "after", "by_usage", "by_price"),
    [
        (CostAndUsage(100, 10), CostAndUsage(150, 15), 5000, 0),
        (CostAndUsage(100, 10), CostAndUsage(120, 10), 0, 2000),
        (CostAndUsage(100, 10), CostAndUsage(240, 20), 10000, 4000),
        (CostAndUsage(100, 10), CostAndUsage(-5, 0), None, None),
        (CostAndUsage(-5, 10), CostAndUsage(5, 10), None, None),
        (CostAndUsage(5), CostAndUsage(10), None, None),
    ],
)
def test_price_and_usage_are_told_apart(
    before: CostAndUsage, after: CostAndUsage, by_usage: int | None, by_price: int | None
) -> None:
    (found,) = find_drivers({"x": before}, {"x": after})
    assert (found.by_usage, found.by_price) == (by_usage, by_price)


def test_credits_and_vanished_things_are_shown_as_they_are() -> None:
    before, after = (
        {"a": CostAndUsage(10), "credit": CostAndUsage(-4)},
        {"credit": CostAndUsage(-6), "b": CostAndUsage(1.234)},
    )
    rows = [driver_row(one, None) for one in find_drivers(before, after)]
    assert rows[0] == {"name": "a", "before": 10.0, "after": 0.0, "change": -10.0, "share": None, "status": "gone"}
    assert rows[1] == {"name": "credit", "before": -4.0, "after": -6.0, "change": -2.0, "share": None}
    assert rows[2] == {"name": "b", "before": 0.0, "after": 1.23, "change": 1.23, "share": None, "status": "new"}
