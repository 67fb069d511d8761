"""Costs that arrive late are neither new nor gone, and comparisons have figures of final days beside them."""

from __future__ import annotations

import pytest

from .world import World, open_world


@pytest.mark.parametrize(
    "arguments", [{"after": "yesterday"}, {"after": "today"}, {"after": "today", "before": "yesterday"}]
)
async def test_nothing_is_new_or_gone_while_costs_arrive(november: World, arguments: dict[str, str]) -> None:
    answer = await november.ask("explain_cost_change", top=25, **arguments)
    causes = answer["causes"]
    assert (causes["new"], causes["gone"]) == (0.0, 0.0)
    assert round(sum(causes.values()), 2) == answer["total"]["change"]
    assert not [driver for part in answer["by"] for driver in part["drivers"] if "status" in driver]


async def test_late_marketplace_lines_are_untold(november: World) -> None:
    answer = await november.ask("explain_cost_change", after="yesterday")
    late = november.cost(
        "2026-11-20",
        "2026-11-20",
        "sku_id NOT IN (SELECT sku_id FROM lines JOIN series USING (series) WHERE day = ? AND sku_id IS NOT NULL)",
        november.today.toordinal() - 1,
    )
    assert late > 0 and answer["causes"]["untold"] == -late


async def test_what_is_missing_on_final_days_is_gone(november: World) -> None:
    """The same SKUs exist on both days, which are final."""
    answer = await november.ask("explain_cost_change", after="2026-11-25", before="2026-11-18")
    old, new = (set(november.costs("sku_id", day, day)) for day in ("2026-11-18", "2026-11-25"))
    fees = set(november.costs("sku_id", "2026-11-18", "2026-11-25", "cost_type IN ('Fee', 'Tax', 'Refund', 'tax')"))
    assert (answer["causes"]["gone"] < 0) == bool(old - new - fees)
    assert (answer["causes"]["new"] > 0) == bool(new - old - fees)


FINAL_DAYS = {"before": ("2026-10-01", "2026-10-25"), "after": ("2026-11-01", "2026-11-25")}


@pytest.mark.parametrize(
    ("tool", "arguments", "sides"),
    [
        ("explain_cost_change", {"after": "this_month"}, ("before", "after")),
        ("compare_spend", {"period": "this_month"}, ("period2", "period1")),
        ("compare_spend", {"period": "2026-10", "compareTo": "this_month"}, ("period1", "period2")),
    ],
)
async def test_final_days_are_compared_beside_days_that_are_not(
    november: World, tool: str, arguments: dict[str, str], sides: tuple[str, str]
) -> None:
    answer = await november.ask(tool, **arguments)
    old, new = (november.cost(*days) for days in FINAL_DAYS.values())
    final = answer["final"]
    assert final["days"] == 25 and (final[sides[0]], final[sides[1]]) == (old, new)
    if sides[0] != "period1":
        assert (final["to"], final["change"]) == ("2026-11-25", round(new - old, 2))
        assert final["changePercent"] == round(100 * (new - old) / old, 1) == 1.5
    assert "Costs of 2026-11-26 to 2026-11-28 are still arriving; compare final." in answer["note"]


@pytest.mark.parametrize("tool", ["explain_cost_change", "compare_spend"])
@pytest.mark.parametrize("period", ["today", "yesterday"])
async def test_a_period_without_a_final_day_has_no_percentage(november: World, tool: str, period: str) -> None:
    answer = await november.ask(tool, period=period)
    assert answer["total"]["changePercent"] is None and "final" not in answer
    assert "no final day, so changePercent is null" in answer["note"]
    assert all(group["changePercent"] is None for group in answer.get("groups", ()))


async def test_the_first_of_a_month_has_no_final_day_and_the_month_before_has() -> None:
    async with open_world("2026-12-01") as world:
        month = await world.ask("compare_spend", period="this_month")
        assert month["total"]["changePercent"] is None and "no final day" in month["note"]
        whole = await world.ask("explain_cost_change", by=["service"])
        assert (whole["after"]["from"], whole["final"]["days"]) == ("2026-11-01", 28)
        assert whole["final"]["after"] == world.cost("2026-11-01", "2026-11-28")
        assert whole["final"]["before"] == world.cost("2026-10-01", "2026-10-28")
        assert "Costs of 2026-11-29 to 2026-11-30 are still arriving" in whole["note"]


async def test_settled_periods_say_nothing_about_final_days(november: World) -> None:
    for tool in ("explain_cost_change", "compare_spend"):
        answer = await november.ask(tool, period="2026-10")
        assert "final" not in answer and "arriving" not in answer.get("note", "")
