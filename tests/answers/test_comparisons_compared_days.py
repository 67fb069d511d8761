"""Groups, drivers and causes are about the final days of both periods, and add up with the others to the total."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from .world import World, open_world

DAY = timedelta(days=1)


def percent(before: float, after: float) -> float:
    """Return the change in percent, to a tenth."""
    return round(100 * (after - before) / before, 1)


def span(days: dict[str, Any]) -> tuple[str, str]:
    """Return the first and last day of a period in a result."""
    return days["from"], days["to"]


def weekdays(first: str, last: str) -> int:
    """Return how many of the days are Monday to Friday."""
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return sum((begin + number * DAY).weekday() < 5 for number in range((end - begin).days + 1))


async def test_groups_of_an_unfinished_period_are_compared_over_final_days(november: World) -> None:
    answer = await november.ask("compare_spend", period="last_7_days", topN=25)
    days = answer["compared"]
    assert span(days["period1"]) == ("2026-11-21", "2026-11-25") and span(days["period2"]) == (
        "2026-11-14",
        "2026-11-18",
    )
    new, old = (november.costs("service_description", *span(days[side])) for side in ("period1", "period2"))
    for group in answer["groups"]:
        assert (group["period1"], group["period2"]) == (new.get(group["id"], 0.0), old.get(group["id"], 0.0))
    groups = {group["id"]: group["changePercent"] for group in answer["groups"]}
    # Over all seven days, it was -2.0 %: part of the costs of the last two had not arrived.
    assert groups["Amazon Elastic Compute Cloud"] == 2.4
    for side in ("period1", "period2"):
        rows = sum(row[-1] for row in answer[side]["rows"])
        assert round(rows, 2) == round(sum(group[side] for group in answer["groups"]), 2)


@pytest.mark.parametrize("today", ["2026-11-28", "2026-12-01", "2027-01-01", "2028-02-29"])
@pytest.mark.parametrize("period", ["this_month", "last_month", "last_7_days", "this_quarter", "ytd", "last_quarter"])
async def test_groups_others_and_provisional_days_add_up_to_the_total(today: str, period: str) -> None:
    async with open_world(today) as world:
        answer = await world.ask("compare_spend", period=period, topN=5)
        for side in ("period1", "period2"):
            parts = sum(part[side] for part in (*answer["groups"], answer["other"]))
            compared = world.cost(*span(answer["compared"][side]))
            assert round(parts, 2) == compared
            assert answer["total"][side] == world.cost(*span(answer[side]))
            if "final" in answer:
                assert answer["final"][side] == compared
                assert round(compared + answer["provisional"][side], 2) == answer["total"][side]
            else:
                assert compared == answer["total"][side] and "provisional" not in answer


@pytest.mark.parametrize("today", ["2026-11-28", "2026-12-01", "2027-01-01", "2028-02-29"])
@pytest.mark.parametrize("period", ["this_month", "last_month", "last_7_days", "this_quarter", "ytd", "last_quarter"])
async def test_drivers_and_causes_add_up_with_the_provisional_days(today: str, period: str) -> None:
    async with open_world(today) as world:
        answer = await world.ask("explain_cost_change", period=period, top=3)
        old, new = (world.cost(*span(answer["compared"][side])) for side in ("before", "after"))
        provisional = answer.get("provisional", {"change": 0.0})["change"]
        for dimension in answer["by"]:
            parts = [*dimension["drivers"], dimension["other"]]
            assert round(sum(part["before"] for part in parts), 2) == old
            assert round(sum(part["after"] for part in parts), 2) == new
        causes = answer["causes"]
        assert causes.get("provisional", 0.0) == provisional
        assert round(sum(causes.values()) - provisional, 2) == round(new - old, 2)
        assert round(new - old + provisional, 2) == answer["total"]["change"]


async def test_drivers_of_an_unfinished_month_are_those_of_its_final_days(november: World) -> None:
    answer = await november.ask("explain_cost_change", period="this_month", top=25)
    by = {dimension["dimension"]: dimension["drivers"] for dimension in answer["by"]}
    old = november.costs("service_description", "2026-10-01", "2026-10-25")
    new = november.costs("service_description", "2026-11-01", "2026-11-25")
    changes = {driver["name"]: driver["change"] for driver in by["service"]}
    assert changes == {name: round(new.get(name, 0.0) - old.get(name, 0.0), 2) for name in changes}
    # Over all 28 days, it was -497.60.
    assert changes["Amazon Elastic Compute Cloud"] == -77.77
    assert "Costs of 2026-11-26 to 2026-11-28 are still arriving; compare final." in answer["note"]
    assert "Drivers and causes leave these days out." in answer["note"]
    fees = {driver.get("id"): driver for driver in by["sku"] if "Savings Plan" in str(driver["name"])}
    assert all(driver["change"] == 0.0 for driver in fees.values())


async def test_stored_drivers_have_a_row_with_the_provisional_days(november: World) -> None:
    answer = await november.ask("explain_cost_change", period="this_month", top=1)
    table = await november.ask(
        "query_result", handle=answer["handle"], filters=[{"column": "dimension", "op": "is", "values": ["service"]}]
    )
    assert table["total"]["change"] == answer["total"]["change"]
    assert table["total"]["byProvisional"] == answer["provisional"]["change"]


@pytest.mark.parametrize("tool", ["compare_spend", "explain_cost_change"])
@pytest.mark.parametrize("period", ["this_month", "2026-10", "last_7_days", "2026-Q3", "2026-11-01/2026-11-10"])
async def test_weekdays_of_the_compared_days_are_stated(november: World, tool: str, period: str) -> None:
    answer = await november.ask(tool, period=period)
    for days in answer["compared"].values():
        assert days["weekdays"] == weekdays(*span(days))
    if (tool, period) == ("explain_cost_change", "this_month"):
        # One more weekday is most of what changed.
        assert [answer["compared"][side]["weekdays"] for side in ("before", "after")] == [17, 18]


@pytest.mark.parametrize("tool", ["compare_spend", "explain_cost_change"])
async def test_nothing_is_left_out_where_all_days_are_final(november: World, tool: str) -> None:
    answer = await november.ask(tool, period="2026-10")
    assert "provisional" not in answer and "provisional" not in answer.get("causes", {})
    assert {span(days) for days in answer["compared"].values()} == {
        ("2026-09-01", "2026-09-30"),
        ("2026-10-01", "2026-10-31"),
    }
