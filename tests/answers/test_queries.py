"""run_query and get_report_results: which days, rows and totals an answer has, against SQL over the billing lines."""

from __future__ import annotations

from typing import Any

import pytest

from .world import World

COST = {"type": "basic", "value": "cost"}
OCTOBER = {"from": "2026-10-01", "to": "2026-10-31"}


def query(**more: Any) -> dict[str, Any]:
    """Return the config of a query of cost by month."""
    return {"dataSource": "billing", "metrics": [COST], "timeInterval": "month", **more}


@pytest.mark.parametrize(
    "period",
    [
        {"customTimeRange": OCTOBER},
        {"customTimeRange": OCTOBER, "timeRange": "custom"},
        {"customTimeRange": OCTOBER, "timeRange": "last_month"},
        {"customTimeRange": OCTOBER, "timeRange": {"mode": "last", "amount": 1, "unit": "month"}},
        {"customTimeRange": {"from": 1790812800000, "to": 1793491200000}},
    ],
    ids=str,
)
async def test_custom_range_alone_is_the_period(november: World, period: dict[str, Any]) -> None:
    answer = await november.ask("run_query", config=query(**period))
    assert answer["total"] == {"cost": november.cost("2026-10-01", "2026-10-31")}
    assert (answer["period"]["from"], answer["period"]["to"]) == ("2026-10-01", "2026-10-31")


@pytest.mark.parametrize(
    "time_range", ["last_7_days", {"mode": "current", "unit": "month"}, {"mode": "last", "amount": 7, "unit": "day"}]
)
async def test_contradicting_ranges_are_refused(november: World, time_range: Any) -> None:
    text = await november.refusal("run_query", config=query(timeRange=time_range, customTimeRange=OCTOBER))
    assert "config.customTimeRange: 2026-10-01/2026-10-31 contradicts config.timeRange" in text


async def test_seconds_in_a_custom_range_are_refused(november: World) -> None:
    span = {"from": "1790812800", "to": "1793491200"}
    text = await november.refusal("run_query", config=query(customTimeRange=span))
    assert "config.customTimeRange.from: 1790812800 looks like seconds" in text and "2026-10-01" in text
