"""Costs that arrive late are neither new nor gone, and comparisons have figures of final days beside them."""

from __future__ import annotations

import pytest

from .world import World


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
