"""Kinds of charges, by the cost types that clouds and DoiT use."""

from __future__ import annotations

import pytest

from doit_mcp.catalog.comparisons.charge_kinds import ChargeKind, charge_kind


@pytest.mark.parametrize(
    ("kind", "cost_types"),
    [
        (ChargeKind.USAGE, [None, "", "Usage", "regular", "EdpDiscount", "BundledDiscount"]),
        (ChargeKind.COVERED_USAGE, ["DiscountedUsage", "SavingsPlanCoveredUsage"]),
        (ChargeKind.NEGATION, ["SavingsPlanNegation"]),
        (
            ChargeKind.COMMITMENT_FEE,
            ["savings-plan-recurring-fee", "SavingsPlanUpfrontFee", "UnusedReservation", "UnusedSavingsPlan"],
        ),
        (ChargeKind.MONTHLY_COMMITMENT_FEE, ["RIFee", "ri_fee"]),
        (
            ChargeKind.FEE,
            [
                *("Fee", "Refund", "Tax", "tax", "Support", "Adjustment", "rounding_error", "RoundingAdjustment"),
                "Purchase",
            ],
        ),
        (ChargeKind.CREDIT, ["Credit", "credit", "promotional_credit"]),
    ],
)
def test_cost_types_have_kinds_in_any_spelling(kind: ChargeKind, cost_types: list[str | None]) -> None:
    assert {charge_kind(cost_type) for cost_type in cost_types} == {kind}
