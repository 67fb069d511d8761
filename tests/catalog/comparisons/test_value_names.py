"""Names of values whose lines have several descriptions."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from doit_mcp.catalog.comparisons.charge_kinds import ChargeKind
from doit_mcp.catalog.comparisons.value_names import ValueNames, name_value

Lines = list[tuple[str | None, float, ChargeKind]]
USAGE, COVERED, NEGATION, FEE = ChargeKind.USAGE, ChargeKind.COVERED_USAGE, ChargeKind.NEGATION, ChargeKind.FEE


def make_value_names(lines: Lines) -> ValueNames:
    """Return the names of the value "id" with these lines."""
    names = ValueNames()
    for label, cost, kind in lines:
        names.add("id", label, D(str(cost)), kind)
    return names


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ([("covered", 90, COVERED), ("negation", -90, NEGATION), ("hour", 1, USAGE)], "hour"),
        ([("old price", 1, USAGE), ("new price", 2, USAGE), ("old price", 1.5, USAGE)], "old price"),
        # A description with a cost is better than one without, and any usage is better than a fee.
        ([("free tier", 0, USAGE), ("paid", 0.1, USAGE)], "paid"),
        ([("refund of usage", -5, USAGE), ("fee", 10, FEE)], "refund of usage"),
        ([("refund", -5, FEE), ("fee", 1, FEE)], "refund"),
        # Negations say nothing about what was used.
        ([("negation", -90, NEGATION), ("covered", 90, COVERED)], "id"),
        ([(None, 5, USAGE)], "id"),
        ([], "id"),
    ],
)
def test_the_name_is_that_of_the_most_expensive_usage(lines: Lines, name: str) -> None:
    assert name_value("id", make_value_names(lines)) == name


def test_the_latest_period_names_a_value_unless_an_earlier_one_knows_better() -> None:
    old, new = make_value_names([("old", 9, USAGE)]), make_value_names([("new", 1, USAGE)])
    assert name_value("id", new, old) == "new"
    assert name_value("id", make_value_names([("fee", 9, FEE)]), old) == "old"
    assert name_value("id", make_value_names([("negation", -9, NEGATION)]), old) == "old"
    assert name_value(None, old) is None and name_value(7, old) == "7"
