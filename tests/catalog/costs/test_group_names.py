"""Which of several names an id has."""

from __future__ import annotations

from decimal import Decimal

from doit_mcp.catalog.costs.group_names import is_ordinary, latest_names, usual_names

LINES = [
    ("m6i", "$0.192 per hour", "60", "Usage"),
    ("m6i", "$0.19968 per hour", "50", "Usage"),
    ("m6i", "$0.19968 per hour", "20", "Usage"),
    ("m6i", "covered by Savings Plans", "900", "SavingsPlanCoveredUsage"),
    ("m6i", "Negation", "-900", "SavingsPlanNegation"),
    ("m6i", None, "5000", "Usage"),
    ("plan", "1 year plan", "10", "SavingsPlanRecurringFee"),
    ("refund", "Refund of a plan", "-3", "Refund"),
    ("bare", None, "1", None),
]


def test_skus_are_called_what_most_of_their_ordinary_usage_is() -> None:
    ids, names, costs, kinds = zip(*LINES)
    assert usual_names(ids, names, list(map(Decimal, costs)), kinds) == {
        "m6i": "$0.19968 per hour",
        "plan": "1 year plan",
        "refund": "Refund of a plan",
    }


def test_usage_of_all_clouds_is_ordinary() -> None:
    assert all(map(is_ordinary, ("Usage", "regular", None)))
    unusual = ("DiscountedUsage", "RIFee", "SavingsPlanNegation", "Tax", "tax", "credit", "EdpDiscount")
    assert not any(map(is_ordinary, unusual))


def test_projects_have_their_last_name() -> None:
    names = latest_names(["1", "1", "1"], ["new", None, "old"], ["2026-10", "2026-11", "2026-09"])
    assert names == {"1": "new"}
