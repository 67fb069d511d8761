"""One-time fees, taxes and refunds are a cause of their own, not something new or gone."""

from __future__ import annotations

from typing import Any

import pytest

from .world import World

FEES = "cost_type IN ('Fee', 'Tax', 'Refund', 'tax')"


@pytest.mark.parametrize("after", ["2026-Q3", "2026-10", "2026-09", "2026-11"])
async def test_fees_are_what_lines_of_fees_cost_beyond_the_calendar(november: World, after: str) -> None:
    answer = await november.ask("explain_cost_change", after=after)
    before, later = answer["before"], answer["after"]
    old = november.cost(before["from"], before["to"], FEES)
    new = november.cost(later["from"], later["to"], FEES)
    extra_days = (later["days"] - before["days"]) / before["days"]
    causes: dict[str, Any] = answer["causes"]
    assert causes["fees"] == pytest.approx(new - old - old * extra_days, abs=0.011)
    assert round(sum(causes.values()), 2) == answer["total"]["change"]
    # Nothing but usage is new or gone.
    assert causes["new"] >= 0 >= causes["gone"]


async def test_an_upfront_fee_is_a_fee_and_not_gone(november: World) -> None:
    answer = await november.ask("explain_cost_change", after="2026-Q3", by=["sku"], top=25)
    assert answer["causes"]["gone"] == 0.0 and answer["causes"]["new"] > 0
    drivers = {driver.get("id", driver["name"]): driver for driver in answer["by"][0]["drivers"]}
    upfront = drivers["HeavyUsage:ra3.xlplus"]
    assert "status" not in upfront and upfront["change"] == -3403.75
    assert round(upfront["byFees"] + upfront["byCalendar"], 2) == -3403.75
    assert "status" not in drivers["Refund"]
