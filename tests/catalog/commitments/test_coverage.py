"""Coverage, effective savings rate and utilization for any spend."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.commitments.aws import OwnedCommitment
from doit_mcp.catalog.commitments.coverage import add_spend, utilization

from ..commitments_api import coverage

COST = st.decimals(0, 10_000, places=2)


@given(st.lists(st.tuples(COST, COST, COST, COST), max_size=5))
def test_shares_are_between_0_and_1_and_savings_need_coverage(costs: list[tuple[Decimal, ...]]) -> None:
    spend = add_spend(coverage(*map(str, amounts)) for amounts in costs)
    if spend is None:
        assert not costs
        return
    # The small API has each cost on two days.
    on_demand, covered = (2 * sum((row[at] for row in costs), Decimal(0)) for at in (0, 1))
    assert spend.on_demand == on_demand and spend.covered >= covered
    if spend.coverage is None or spend.effective_savings_rate is None:
        assert spend.at_on_demand_rates is None and not any(any(row) for row in costs)
        return
    assert 0 <= spend.effective_savings_rate <= spend.coverage <= 1
    assert (spend.coverage == 1) == (on_demand == 0)


@given(st.lists(st.tuples(COST, st.none() | st.decimals(0, 1, places=4))))
def test_utilization_is_between_the_lowest_and_the_highest(items: list[tuple[Decimal, Decimal | None]]) -> None:
    owned = [OwnedCommitment("savings-plan", str(at), "", cost, used, None) for at, (cost, used) in enumerate(items)]
    measured = [used for cost, used in items if used is not None and cost]
    share = utilization(owned)
    if share is None:
        assert not measured
    else:
        # The quotient has 28 digits.
        assert min(measured) - Decimal("1e-20") <= share <= max(measured) + Decimal("1e-20")


def test_days_and_savings_of_all_types_are_added_up() -> None:
    both = coverage("1.00", "2.00", "3.00", "4.00")
    both["dailyCoverage"]["database"] = [{"date": "2026-09-01", "onDemandCost": {"amount": "10.00", "currency": "USD"}}]
    both["stats30d"]["database"] = {"savings": {"amount": "0.00", "currency": "USD"}}
    spend = add_spend([both])
    assert spend is not None and (spend.on_demand, spend.savings) == (Decimal("12.00"), Decimal("4.00"))
    assert (spend.first.isoformat(), spend.last.isoformat()) == ("2026-08-22", "2026-09-20")
    del both["stats30d"]["database"]
    unknown = add_spend([both])
    assert unknown is not None and unknown.savings is None and unknown.coverage is None
