"""Causes of a change: whatever the bills are, the causes add up to it."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.comparisons.causes import (
    CAUSES,
    NO_COST,
    CostAndUsage,
    SkuCost,
    round_causes,
    separate_effects,
    sku_causes,
    total_causes,
)
from doit_mcp.catalog.comparisons.charge_kinds import charge_kind
from doit_mcp.catalog.costs.amounts import minor_unit, round_amount

AMOUNTS = st.decimals(-(10**7), 10**7, places=4)
USAGE = st.decimals(0, 10**6, places=5)
COST_TYPES = st.sampled_from(
    ["Usage", "regular", None, "Tax", "Credit", "RIFee", "DiscountedUsage", "SavingsPlanCoveredUsage", "Fee"]
)
LINES = st.lists(st.tuples(COST_TYPES, st.builds(CostAndUsage, AMOUNTS, USAGE)), max_size=4)
EXTRA_DAYS = st.builds(lambda before, after: D(after - before) / before, st.integers(1, 400), st.integers(1, 400))
STATUSES = st.sampled_from(["", "new", "gone"])
NO_EXTRA_DAYS = D(0)


def sku(*lines: tuple[str | None, CostAndUsage]) -> SkuCost:
    """Return the cost of a SKU with these lines."""
    cost = SkuCost()
    for cost_type, line in lines:
        cost = cost.with_charge(charge_kind(cost_type), line)
    return cost


def make_usage_cost(cost: float, usage: float = 0.0) -> SkuCost:
    """Return the cost of a SKU that is paid by use."""
    return sku(("Usage", CostAndUsage(D(str(cost)), D(str(usage)))))


def nonzero(parts: dict[str, D]) -> dict[str, float]:
    """Return the causes that matter, to the cent."""
    return {name: float(round(amount, 2)) for name, amount in parts.items() if round(amount, 2)}


@given(before=LINES, after=LINES, status=STATUSES, extra_days=EXTRA_DAYS)
def test_the_causes_of_a_sku_add_up_to_its_change(
    before: list[tuple[str | None, CostAndUsage]],
    after: list[tuple[str | None, CostAndUsage]],
    status: str,
    extra_days: D,
) -> None:
    parts = sku_causes(sku(*before), sku(*after), status, extra_days)
    change = sum((line.cost for _, line in after), D(0)) - sum((line.cost for _, line in before), D(0))
    assert tuple(parts) == CAUSES
    # Far below the smallest amount of any currency.
    assert abs(sum(parts.values()) - change) < D("1e-9")


@given(
    pairs=st.lists(st.tuples(LINES, LINES, STATUSES), max_size=5),
    unlisted=st.tuples(AMOUNTS, AMOUNTS),
    extra_days=EXTRA_DAYS,
    currency=st.sampled_from(["USD", "JPY", "KWD"]),
)
def test_all_causes_add_up_to_the_change_in_whole_minor_units(
    pairs: list[tuple[list[tuple[str | None, CostAndUsage]], list[tuple[str | None, CostAndUsage]], str]],
    unlisted: tuple[D, D],
    extra_days: D,
    currency: str,
) -> None:
    before = sum((line.cost for lines, _, _ in pairs for _, line in lines), unlisted[0])
    after = sum((line.cost for _, lines, _ in pairs for _, line in lines), unlisted[1])
    parts = total_causes(
        [sku_causes(sku(*old), sku(*new), status, extra_days) for old, new, status in pairs], before, after, extra_days
    )
    change = round_amount(after, currency) - round_amount(before, currency)
    rounded = round_causes(parts, change, currency)
    assert sum(rounded.values()) == change
    assert all(amount % minor_unit(currency) == 0 for amount in rounded.values())
    assert rounded["calendar"] == round_amount(before * extra_days, currency)


@given(lines=LINES)
def test_nothing_changes_without_a_change(lines: list[tuple[str | None, CostAndUsage]]) -> None:
    assert not any(sku_causes(sku(*lines), sku(*lines), "", NO_EXTRA_DAYS).values())


@pytest.mark.parametrize(
    ("before", "after", "status", "causes"),
    [
        (make_usage_cost(100, 10), make_usage_cost(150, 15), "", {"usage": 50.0}),
        (make_usage_cost(100, 10), make_usage_cost(120, 10), "", {"price": 20.0}),
        # 10 more units at 10 each, then 20 units at 2 more each.
        (make_usage_cost(100, 10), make_usage_cost(240, 20), "", {"usage": 100.0, "price": 40.0}),
        (make_usage_cost(0), make_usage_cost(7, 1), "new", {"new": 7.0}),
        (make_usage_cost(7, 1), make_usage_cost(0), "gone", {"gone": -7.0}),
        (make_usage_cost(5), make_usage_cost(9), "", {"untold": 4.0}),
        (make_usage_cost(-5, 10), make_usage_cost(5, 10), "", {"untold": 10.0}),
        (make_usage_cost(1, 1e-10), make_usage_cost(9, 5), "", {"untold": 8.0}),
        # An effect of ten trillion is not believable.
        (make_usage_cost(1e7, 1e-6), make_usage_cost(2e7, 1e3), "", {"untold": 1e7}),
    ],
)
def test_price_and_usage_are_separate(before: SkuCost, after: SkuCost, status: str, causes: dict[str, float]) -> None:
    assert nonzero(sku_causes(before, after, status, NO_EXTRA_DAYS)) == causes


@pytest.mark.parametrize(
    ("before", "after", "status", "causes"),
    [
        # The same use per day: 300 in 30 days is 310 in 31.
        (make_usage_cost(300, 30), make_usage_cost(310, 31), "", {"calendar": 10.0}),
        (make_usage_cost(300, 30), make_usage_cost(330, 33), "", {"calendar": 10.0, "usage": 20.0}),
        (make_usage_cost(300, 30), make_usage_cost(341, 31), "", {"calendar": 10.0, "price": 31.0}),
        (make_usage_cost(300), make_usage_cost(300), "", {"calendar": 10.0, "untold": -10.0}),
        (make_usage_cost(0), make_usage_cost(31, 31), "new", {"new": 31.0}),
        # It would have cost 310, so 10 of the calendar's effect is usage that did not happen.
        (make_usage_cost(300, 30), make_usage_cost(0), "gone", {"calendar": 10.0, "usage": -10.0, "gone": -300.0}),
    ],
)
def test_a_longer_period_costs_more_by_the_calendar(
    before: SkuCost, after: SkuCost, status: str, causes: dict[str, float]
) -> None:
    assert nonzero(sku_causes(before, after, status, D(31 - 30) / 30)) == causes


def line(cost: float, usage: float = 0.0) -> CostAndUsage:
    return CostAndUsage(D(str(cost)), D(str(usage)))


@pytest.mark.parametrize(
    ("before", "after", "causes"),
    [
        # 60 of 100 hours move to a reservation.
        (
            [("Usage", line(200, 100))],
            [("Usage", line(80, 40)), ("DiscountedUsage", line(0, 60))],
            {"commitments": -120.0},
        ),
        # All of them do, and the reservation costs 130.
        (
            [("Usage", line(200, 100))],
            [
                ("SavingsPlanCoveredUsage", line(200, 100)),
                ("SavingsPlanNegation", line(-200, 100)),
                ("RIFee", line(130)),
            ],
            {"commitments": -70.0},
        ),
        # A reservation ends.
        ([("DiscountedUsage", line(0, 100))], [("Usage", line(200, 100))], {"commitments": 200.0}),
        # Twice the use at the same coverage of one half, and a price that is 1 higher for the 100 hours paid by use.
        (
            [("Usage", line(100, 50)), ("DiscountedUsage", line(0, 50))],
            [("Usage", line(300, 100)), ("DiscountedUsage", line(0, 100))],
            {"usage": 100.0, "price": 100.0},
        ),
        ([("RIFee", line(100, 744))], [("RIFee", line(150, 744))], {"commitments": 50.0}),
        ([("Credit", line(-100))], [("Credit", line(-30))], {"credits": 70.0}),
        (
            [("Usage", line(50, 5)), ("credit", line(-50))],
            [("Usage", line(60, 6)), ("credit", line(-20))],
            {"usage": 10.0, "credits": 30.0},
        ),
        # All use ends, covered or not.
        ([("Usage", line(100, 50)), ("DiscountedUsage", line(0, 50))], [("Tax", line(0))], {"usage": -100.0}),
    ],
)
def test_commitments_and_credits_are_separate(
    before: list[tuple[str | None, CostAndUsage]],
    after: list[tuple[str | None, CostAndUsage]],
    causes: dict[str, float],
) -> None:
    assert nonzero(sku_causes(sku(*before), sku(*after), "", NO_EXTRA_DAYS)) == causes


def test_the_total_of_a_sku_has_all_kinds_of_lines() -> None:
    cost = sku(
        ("Usage", line(10, 3)), ("RIFee", line(5, 744)), ("DiscountedUsage", line(0, 4)), ("Credit", line(-2, 9))
    )
    assert cost.total == CostAndUsage(D("13"), D(7))
    assert SkuCost().total.is_absent and not cost.total.is_absent


def test_what_no_sku_explains_is_untold() -> None:
    parts = total_causes(
        [sku_causes(make_usage_cost(10, 1), make_usage_cost(20, 2), "", NO_EXTRA_DAYS)], D(110), D(150), NO_EXTRA_DAYS
    )
    assert nonzero(parts) == {"usage": 10.0, "untold": 30.0}


def test_rounding_differences_go_to_the_largest_cause_but_not_to_the_calendar() -> None:
    parts = dict.fromkeys(CAUSES, D(0)) | {"calendar": D("9.004"), "usage": D("0.004"), "price": D("1.004")}
    assert nonzero(round_causes(parts, D("10.01"), "USD")) == {"calendar": 9.0, "price": 1.01}


@pytest.mark.parametrize(
    ("before", "after", "causes"),
    [
        # A refund ends; the days of a longer month do not change that.
        (sku(("Refund", line(-300))), SkuCost(), {"calendar": -10.0, "fees": 310.0}),
        (SkuCost(), sku(("Fee", line(5))), {"fees": 5.0}),
        (sku(("Tax", line(30))), sku(("tax", line(40, 7))), {"calendar": 1.0, "fees": 9.0}),
    ],
)
def test_fees_are_separate(before: SkuCost, after: SkuCost, causes: dict[str, float]) -> None:
    assert nonzero(sku_causes(before, after, "", D(31 - 30) / 30)) == causes
    assert (before.fees + after.fees, before.usage + after.usage) == (before.total.cost + after.total.cost, NO_COST)


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (sku(("Fee", line(5, 3))), True),
        (sku(("Fee", line(5)), ("Usage", line(1, 1))), False),
        (sku(("Fee", line(5)), ("RIFee", line(1))), False),
        (sku(("Fee", line(5)), ("Credit", line(-1))), False),
        (SkuCost(), False),
    ],
)
def test_some_skus_have_only_fees(cost: SkuCost, expected: bool) -> None:
    assert cost.has_only_fees is expected


@pytest.mark.parametrize(
    ("before", "after", "status", "change", "effects"),
    [
        (make_usage_cost(100, 10), make_usage_cost(240, 20), "", 140.0, {"usage": 100.0, "price": 40.0}),
        (make_usage_cost(0), make_usage_cost(7, 1), "new", 7.0, {}),
        (make_usage_cost(7, 1), make_usage_cost(0), "gone", -7.0, {}),
        (make_usage_cost(5), make_usage_cost(9), "", 4.0, {}),
        (
            sku(("Usage", line(100, 10)), ("Credit", line(-10))),
            sku(("Usage", line(110, 11)), ("Credit", line(-4))),
            "",
            16.0,
            {"usage": 10.0, "price": 0.0, "credits": 6.0},
        ),
        # 33.333 and 0.004 round to 33.33 and 0, and the change of 33.337 to 33.34.
        (make_usage_cost(33.333, 1), make_usage_cost(66.67, 2), "", 33.34, {"usage": 33.34, "price": 0.0}),
    ],
)
def test_effects_on_one_sku_add_up_to_its_change(
    before: SkuCost, after: SkuCost, status: str, change: float, effects: dict[str, float]
) -> None:
    parts = separate_effects(sku_causes(before, after, status, NO_EXTRA_DAYS), D(str(change)), "USD")
    assert {name: float(amount) for name, amount in parts.items()} == effects
