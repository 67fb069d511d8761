"""Figures on days when the calendar is difficult: first days, last days, a leap day, the middle of a month."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest

from .world import World, open_world

DAYS = ("2026-11-28", "2026-12-01", "2027-01-01", "2028-02-29", "2026-11-15", "2027-03-30")
DAY = timedelta(days=1)


@pytest.fixture(params=DAYS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """The sandbox on each of the days."""
    async with open_world(request.param) as opened:
        yield opened


def month_start(day: date) -> date:
    """Return the first day of the month of *day*."""
    return day.replace(day=1)


async def test_this_month_is_the_sum_of_its_days(world: World) -> None:
    first, today = month_start(world.today).isoformat(), world.today.isoformat()
    answer = await world.ask("cost_breakdown", groupBy="service", period="this_month", topN=25)
    assert (answer["period"]["from"], answer["period"]["to"]) == (first, today)
    assert answer["period"]["days"] == world.today.day and answer["period"]["complete"] is False
    costs = world.costs("service_description", first, today)
    assert {group["name"]: group["cost"] for group in answer["groups"]}.items() <= costs.items()
    assert answer["total"]["all"] == world.cost(first, today)


async def test_months_of_the_trend_are_the_sums_of_their_days(world: World) -> None:
    answer = await world.ask("cost_trend", months=4)
    first = month_start(world.today)
    for month in reversed(answer["months"]):
        last = min(world.today, (first + 31 * DAY).replace(day=1) - DAY)
        assert month["period"] == first.isoformat()[:7]
        assert month["cost"] == world.cost(first.isoformat(), last.isoformat())
        first = month_start(first - DAY)
    assert len(answer["months"]) == 4


async def test_running_month_is_compared_with_the_start_of_the_last_one(world: World) -> None:
    answer = await world.ask("explain_cost_change", period="this_month")
    first = month_start(world.today)
    before = month_start(first - DAY)
    end = min(before + (world.today.day - 1) * DAY, first - DAY)
    total, causes = answer["total"], answer["causes"]
    assert (answer["before"]["from"], answer["before"]["to"]) == (before.isoformat(), end.isoformat())
    assert total["before"] == world.cost(before.isoformat(), end.isoformat())
    assert total["after"] == world.cost(first.isoformat(), world.today.isoformat())
    assert round(sum(causes.values()), 2) == total["change"]
    if answer["before"]["days"] != answer["after"]["days"]:
        assert answer["alignment"] == "per_day" and total["changePercent"] is None
        assert total["perDayChangePercent"] is not None


@pytest.mark.parametrize("words", ["last_month", "last_quarter", "last_7_days", "yesterday", "ytd"])
async def test_two_tools_give_a_period_the_same_total(world: World, words: str) -> None:
    one = await world.ask("cost_breakdown", groupBy="cloud", period=words)
    other = await world.ask("compare_spend", period=words, groupBy="cloud")
    assert other["period1"]["from"] == one["period"]["from"] and other["period1"]["to"] == one["period"]["to"]
    assert one["total"]["all"] == other["total"]["period1"]
    assert one["total"]["all"] == world.cost(one["period"]["from"], one["period"]["to"])


async def test_forecast_starts_from_what_is_spent(world: World) -> None:
    answer = await world.ask("forecast_spend")
    first = month_start(world.today).isoformat()
    month = answer["month"]
    assert month["spent"] == world.cost(first, world.today.isoformat())
    assert month["low"] <= month["expected"] <= month["high"]
    assert round(month["spent"] + month["ahead"], 2) == month["expected"]
