"""Unit cost: units come from DataHub, days without data do not count, and the answer says what it is about."""

from __future__ import annotations

import pytest

from .world import World, open_world, ordinal

MILLION = 1_000_000


def units(world: World, metric: str, first: str, last: str) -> tuple[float, int]:
    """Return the sum of a metric from *first* to *last*, and the number of days with events."""
    query = "SELECT SUM(units), COUNT(DISTINCT day) FROM events WHERE metric = ? AND day BETWEEN ? AND ?"
    ((total, days),) = world.sql(query, metric, ordinal(first), ordinal(last))
    return (total or 0) / MILLION, days


async def test_customers_are_summed_over_days_and_the_note_says_so(november: World) -> None:
    answer = await november.ask("unit_cost", metric="customers", period="2026-10")
    total, days = units(november, "customers", "2026-10-01", "2026-10-31")
    assert (answer["units"], days) == (total, 31)
    assert answer["unitsPerDay"] == pytest.approx(total / 31, rel=1e-5)
    assert "summed over days" in answer["note"] and "unitsPerDay is the mean" in answer["note"]


async def test_days_before_the_data_begin_do_not_count(november: World) -> None:
    answer = await november.ask("unit_cost", metric="customers", period="2025-09-15/2025-10-15")
    total, days = units(november, "customers", "2025-09-15", "2025-10-15")
    assert days == 15 and answer["unitsPerDay"] == pytest.approx(total / 15, rel=1e-5)
    assert "The data begins on 2025-10-01." in answer["note"] and "first units" not in answer["note"]


@pytest.mark.parametrize(("today", "period"), [("2026-11-28", "today"), ("2026-12-01", "this_month")])
async def test_period_without_a_final_day_says_so(today: str, period: str) -> None:
    async with open_world(today) as world:
        answer = await world.ask("unit_cost", metric="orders", period=period)
        assert answer["period"]["finalThrough"] is None and answer["cost"] == world.cost(today, today)
        assert "No day of this period has final costs" in answer["note"]


@pytest.mark.parametrize("metric", ["amortized_cost", "cost", "usage"])
async def test_metrics_of_the_bill_are_refused(november: World, metric: str) -> None:
    assert "is a billing metric" in await november.refusal("unit_cost", metric=metric)


async def test_unknown_metric_names_datasets_and_no_words_of_an_error(november: World) -> None:
    text = await november.refusal("unit_cost", metric="visits")
    assert "Did you mean" not in text and "amortized_cost" not in text
    listed = await november.ask("list_datahub_datasets")
    assert all(row["name"] in text and row["description"] in text for row in listed["datasets"])
