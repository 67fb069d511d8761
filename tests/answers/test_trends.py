"""What cost_trend says about months of different length, the current month, costs to arrive, and weeks of groups."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from .world import World, open_world


def percent(before: float, after: float) -> float:
    """Return the change in percent, to a tenth."""
    return round(100 * (after - before) / before, 1)


async def test_months_of_different_length_are_compared_per_day_too(november: World) -> None:
    months = {month["period"]: month for month in (await november.ask("cost_trend", months=12))["months"]}
    january, february = november.cost("2026-01-01", "2026-01-31"), november.cost("2026-02-01", "2026-02-28")
    assert months["2026-02"]["changePercent"] == percent(january, february)
    assert months["2026-02"]["perDayChangePercent"] == percent(january / 31, february / 28)
    assert months["2026-02"]["perDayChangePercent"] - months["2026-02"]["changePercent"] > 9
    # July and August have the same length.
    assert "perDayChangePercent" not in months["2026-08"]


@pytest.mark.parametrize("today", ["2026-10-31", "2028-02-29"])
async def test_the_running_month_has_no_change_on_its_last_day(today: str) -> None:
    async with open_world(today) as world:
        *_, running = (await world.ask("cost_trend", months=3))["months"]
        assert running["period"] == today[:7] and running["changePercent"] is None
        compared = running["likeForLike"]
        assert compared["after"] == world.cost(f"{today[:7]}-01", today)
        assert compared["final"]["to"] == (date.fromisoformat(today) - timedelta(days=3)).isoformat()
        # September has a day less than October.
        assert (compared["changePercent"] is None) == (today == "2026-10-31")


async def test_on_the_first_days_of_a_month_no_change_is_stated() -> None:
    async with open_world("2026-12-01") as world:
        answer = await world.ask("cost_trend", months=3)
        compared = answer["months"][-1]["likeForLike"]
        assert compared["changePercent"] is None and compared["final"] is None
        assert "No day of 2026-12 is final yet" in answer["note"]
        assert "days after 2026-11-28 are not final" in answer["note"]


async def test_costs_that_still_arrive_are_mentioned_where_nothing_or_a_percentage_is_stated(november: World) -> None:
    arriving = "Costs of the last 3 days are still arriving"
    assert arriving in (await november.ask("cost_breakdown"))["note"]
    assert "note" not in await november.ask("cost_breakdown", period="2026-11-01/2026-11-25")
    nothing = [{"id": "cost_type", "type": "fixed", "values": ["Refund"]}]
    assert arriving in (await november.ask("cost_breakdown", period="yesterday", filters=nothing))["note"]
    assert arriving in (await november.ask("get_cloud_overview"))["note"]


@pytest.mark.parametrize(
    ("tool", "arguments", "days"),
    [
        ("cost_breakdown", {"months": 24}, 424),
        ("cost_trend", {"period": "2025-08/2025-12"}, 92),
        ("get_cloud_overview", {"period": "2025-08/2025-12"}, 92),
    ],
)
async def test_days_before_the_data_are_not_counted(
    november: World, tool: str, arguments: dict[str, Any], days: int
) -> None:
    answer = await november.ask(tool, **arguments)
    assert (answer["period"]["from"], answer["period"]["days"]) == ("2025-10-01", days)
    assert "The data begins on 2025-10-01." in answer["note"]


@pytest.mark.parametrize("interval", ["day", "week"])
async def test_groups_by_week_or_day_have_totals_and_no_zeros(november: World, interval: str) -> None:
    answer = await november.ask("cost_trend", interval=interval, groupBy="sku", topN=25, period="2026-10")
    assert round(sum(part["cost"] for part in answer["totals"]), 2) == pytest.approx(answer["total"]["all"], abs=0.2)
    alone = await november.ask("cost_trend", interval=interval, period="2026-10")
    assert [[part["period"], part["cost"]] for part in answer["totals"]] == alone["rows"]
    assert "totals" not in alone


async def test_months_without_cost_are_left_out_before_and_after(november: World) -> None:
    answer = await november.ask("cost_trend", groupBy="service", topN=25, months=14)
    for group in answer["groups"]:
        expected = {
            month: november.cost(f"{month}-01", f"{month}-31", "service_description IS ?", group["id"])
            for month in [row["period"] for row in answer["months"] if row["period"][-2:] in ("08", "10", "12")]
        }
        cells = {row[1]: row[2] for row in answer["rows"] if row[0] == group["id"]}
        assert all(cells.get(month, 0.0) == cost for month, cost in expected.items())
        assert group["cost"] == pytest.approx(sum(cells.values()), abs=0.07)


def project(name: str) -> list[dict[str, Any]]:
    """Return a filter on a project of the sandbox."""
    return [{"id": "project_name", "type": "fixed", "values": [name]}]


async def test_months_before_costs_begin_cost_nothing(november: World) -> None:
    model = [{"id": "service_description", "type": "fixed", "values": ["Amazon SageMaker"]}]
    answer = await november.ask("cost_trend", filters=model, months=4)
    months = ("2026-08", "2026-09", "2026-10", "2026-11")
    costs = {
        month: november.cost(f"{month}-01", f"{month}-31", "service_description = 'Amazon SageMaker'")
        for month in months
        if month[-2:] in ("08", "10")
    }
    assert [month["period"] for month in answer["months"]] == list(months)
    assert [row[0] for row in answer["rows"]] == list(months)
    assert costs.items() <= {month["period"]: month["cost"] for month in answer["months"]}.items()
    assert 0.0 in costs.values()


@pytest.mark.parametrize(("months", "credits"), [(6, False), (3, False), (6, True)])
async def test_a_month_in_which_costs_begin_counts_from_that_day(november: World, months: int, credits: bool) -> None:
    answer = await november.ask("cost_trend", filters=project("acme-mobile"), months=months, includeCredits=credits)
    assert "failed" not in answer
    begin = date.fromordinal(
        november.sql("SELECT MIN(day) FROM lines JOIN series USING (series) WHERE project_name = 'acme-mobile'")[0][0]
    )
    assert begin == date(2026, 9, 12)
    rows = {month["period"]: month for month in answer["months"]}
    assert len(rows) == months and all(rows[month]["cost"] == 0.0 for month in rows if month < "2026-09")
    assert {"period": "2026-09", "from": "2026-09-12", "to": "2026-09-30", "days": 19} in answer["partial"]
    september = november.cost("2026-09-01", "2026-09-30", "project_name = 'acme-mobile'")
    october = november.cost("2026-10-01", "2026-10-31", "project_name = 'acme-mobile'")
    assert rows["2026-10"]["changePercent"] is None
    if credits:
        # Credits have months only, but the first day does not depend on them.
        september, october = rows["2026-09"]["cost"], rows["2026-10"]["cost"]
    assert rows["2026-10"]["perDayChangePercent"] == percent(september / 19, october / 31)
    assert "These costs begin on 2026-09-12." in answer["note"]


async def test_costs_that_only_pause_do_not_begin(november: World) -> None:
    """Support is billed on the first of each month; a project with costs long before begins nowhere."""
    answer = await november.ask("cost_trend", filters=project("acme-production"), months=3)
    assert [part["period"] for part in answer["partial"]] == ["2026-11"] and "begin" not in answer["note"]
