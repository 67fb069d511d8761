"""Whatever is asked, parts add up to the total, and no percentage compares unequal periods without saying so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .world import open_world

PERIODS = st.sampled_from(
    ["this_month", "last_month", "2026-09", "2026-Q3", "last_30_days", "ytd", "2026-10-05", "2026-08-03/2026-09-17"]
)
DIMENSIONS = ["service", "project", "cloud", "region", "sku", "label:team"]
GROUPS = st.one_of(
    st.sampled_from(DIMENSIONS),
    st.lists(st.sampled_from(DIMENSIONS), min_size=2, max_size=2, unique=True),
)


@settings(max_examples=25)
@given(period=PERIODS, groups=GROUPS, top=st.integers(1, 25))
async def test_groups_and_the_rest_are_the_total(period: str, groups: Any, top: int) -> None:
    async with open_world("2026-11-28") as world:
        answer = await world.ask("cost_breakdown", groupBy=groups, period=period, topN=top)
        total = answer["total"]
        expected = world.cost(answer["period"]["from"], answer["period"]["to"])
        assert total["all"] == expected
        shown = round(sum(group["cost"] for group in answer["groups"]), 2)
        assert (shown, round(shown + total["other"], 2)) == (total["shown"], expected)
        shares = sum(group["sharePercent"] for group in answer["groups"])
        assert shares <= 100.05
        if total["other"] == 0:
            assert round(shares, 1) == 100.0


@settings(max_examples=25)
@given(after=PERIODS, before=PERIODS)
async def test_causes_add_up_and_percentages_are_like_for_like(after: str, before: str) -> None:
    async with open_world("2026-11-28") as world:
        result = await world.call("explain_cost_change", {"after": after, "before": before})
        if result.get("isError"):
            # The earlier period must end before the later one begins.
            assert "before" in result["content"][0]["text"]
            return
        answer = result["structuredContent"]
        total = answer["total"]
        assert round(sum(answer["causes"].values()), 2) == total["change"]
        assert round(total["after"] - total["before"], 2) == total["change"]
        for name in ("before", "after"):
            assert total[name] == world.cost(answer[name]["from"], answer[name]["to"])
        if answer["before"]["days"] != answer["after"]["days"]:
            assert answer["alignment"] in ("whole", "per_day")
            assert total["perDayChangePercent"] is not None
            assert answer["alignment"] == "whole" or total["changePercent"] is None
        for dimension in answer["by"]:
            parts = [*dimension["drivers"], dimension["other"]]
            parts += [answer["provisional"]] if "provisional" in answer else []
            assert round(sum(part["change"] for part in parts), 2) == total["change"]


@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY"])
@pytest.mark.parametrize(
    "tool, arguments",
    [
        ("cost_breakdown", {"groupBy": "service"}),
        ("cost_trend", {}),
        ("compare_spend", {"period": "last_month"}),
        ("explain_cost_change", {}),
        ("forecast_spend", {}),
    ],
)
async def test_label_is_the_currency_that_was_asked_for(tool: str, arguments: dict[str, Any], currency: str) -> None:
    async with open_world("2026-11-28") as world:
        answer = await world.ask(tool, currency=currency, **arguments)
        configs = world.query_configs
        assert configs and {config["currency"] for config in configs} == {currency} == {answer["currency"]}
        if currency == "JPY":
            assert not _fractions(answer["total" if "total" in answer else "month"])


def _fractions(value: Any) -> list[float]:
    """Return the amounts with decimals in a JSON value; yen have none. Percentages may have some."""
    if isinstance(value, dict):
        return [
            number
            for name, member in value.items()
            if not name.lower().endswith("percent")
            for number in _fractions(member)
        ]
    if isinstance(value, list):
        return [number for member in value for number in _fractions(member)]
    return [value] if isinstance(value, float) and not value.is_integer() else []
