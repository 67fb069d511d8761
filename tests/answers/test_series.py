"""Series for pictures have the figures of the answer and of the billing lines, add up, and know what can still change."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from .series import Pictured, picture
from .world import World, open_world


def days(first: str, last: str) -> list[str]:
    """Return the days of a period as text."""
    start = date.fromisoformat(first)
    count = (date.fromisoformat(last) - start).days + 1
    return [(start + timedelta(days=at)).isoformat() for at in range(count)]


def check_waterfall(shown: Pictured, name: str, start: float, end: float) -> None:
    """Check that the bars lead from start to end to the cent."""
    parts, amounts = shown.column(name, "part"), shown.column(name, "amount")
    assert (parts[0], amounts[0], parts[-1], amounts[-1]) == ("start", start, "end", end)
    assert round(sum(amounts[:-1]), 2) == end


async def test_a_daily_trend_has_every_day_but_the_model_reads_the_latest(november: World) -> None:
    shown = await picture(november, "cost_trend", interval="day", period="2026-01-01/2026-11-28")
    answer = shown.answer
    periods = shown.column("costs by day", "period")
    assert periods == days("2026-01-01", "2026-11-28")
    assert shown.series("costs by day")["provisional"] == ["2026-11-26", "2026-11-27", "2026-11-28"]
    assert len(answer["rows"]) == 62 and answer["rowCount"] == len(periods)
    assert answer["rows"] == [list(row) for row in zip(periods, shown.column("costs by day", "total"))][-62:]
    assert answer["cut"]["lists"] == [{"list": "rows", "shown": 62, "of": len(periods)}]
    for day in ("2026-01-01", "2026-06-15", "2026-11-28"):
        assert shown.column("costs by day", "total")[periods.index(day)] == november.cost(day, day)
    assert answer["total"]["all"] == november.cost("2026-01-01", "2026-11-28")
    found = await november.ask("query_result", handle=answer["handle"], top=1000)
    assert found["rowCount"] == len(periods) and found["total"]["cost"] == pytest.approx(
        answer["total"]["all"], abs=0.01
    )
    assert found["source"]["currency"] == "USD" and found["source"]["tool"] == "cost_trend"
    assert shown.set["period"] == answer["period"] and shown.set["currency"] == "USD"
    assert shown.set["basis"] == answer["basis"]


@pytest.mark.parametrize("interval", ["day", "week"])
async def test_groups_of_a_trend_and_other_are_the_total_of_each_period(november: World, interval: str) -> None:
    shown = await picture(
        november, "cost_trend", interval=interval, groupBy="service", topN=6, period="2026-07/2026-10"
    )
    name = f"costs by {interval}"
    series = shown.series(name)
    assert [column["role"] for column in series["columns"]] == ["period", "total", *["group"] * 6, "other"]
    assert all(round(sum(row[2:]), 2) == row[1] for row in series["rows"])
    assert series["dimension"] == {"id": "service_description", "type": "fixed"} and series["provisional"] == []
    totals = {part["period"]: part["cost"] for part in shown.answer["totals"]}
    assert {row[0]: row[1] for row in series["rows"] if row[0] in totals} == totals
    periods = shown.column(name, "period")
    for group in shown.answer["groups"]:
        costs = dict(zip(periods, shown.column(name, "group", group["id"])))
        cells = {row[1]: row[2] for row in shown.answer["rows"] if row[0] == group["id"]}
        assert cells and all(costs[period] == cost for period, cost in cells.items())
    latest = {row[1] for row in shown.answer["rows"]}
    assert latest == set(periods[-len(latest) :]), "all groups of the latest periods"
    assert len(shown.answer["rows"]) <= 62 and len(shown.answer["totals"]) <= 62


async def test_a_day_in_a_series_is_that_of_the_billing_lines(november: World) -> None:
    shown = await picture(november, "cost_trend", interval="day", groupBy="cloud", period="2026-10")
    periods = shown.column("costs by day", "period")
    for cloud in ("amazon-web-services", "google-cloud"):
        costs = shown.column("costs by day", "group", cloud)
        for day in (periods[0], periods[17], periods[-1]):
            assert costs[periods.index(day)] == november.cost(day, day, "cloud_provider = ?", cloud)
    assert "cut" not in shown.answer or len(shown.answer["rows"]) < shown.answer["rowCount"]


async def test_a_monthly_trend_keeps_all_rows(november: World) -> None:
    shown = await picture(november, "cost_trend", months=14, groupBy="service", topN=25)
    assert "cut" not in shown.answer and len(shown.answer["rows"]) == shown.answer["rowCount"] > 62
    periods = shown.column("costs by month", "period")
    totals = dict(zip(periods, shown.column("costs by month", "total")))
    assert totals == {month["period"]: month["cost"] for month in shown.answer["months"]}
    assert shown.series("costs by month")["provisional"] == ["2026-11"]


async def test_a_breakdown_has_bars_and_months(november: World) -> None:
    shown = await picture(november, "cost_breakdown", groupBy="service", months=3, topN=4)
    groups, total = shown.answer["groups"], shown.answer["total"]
    assert shown.column("costs by group", "id") == [*(group["id"] for group in groups), None]
    assert shown.column("costs by group", "cost") == [*(group["cost"] for group in groups), total["other"]]
    assert round(sum(shown.column("costs by group", "cost")), 2) == total["all"]
    assert round(sum(shown.column("costs by group", "share")), 1) == 100.0
    by_month = dict(zip(shown.column("costs by month", "period"), shown.column("costs by month", "total")))
    lasts = ("2026-09-30", "2026-10-31", "2026-11-28")
    assert by_month == {last[:7]: november.cost(f"{last[:7]}-01", last) for last in lasts}
    assert all(round(sum(row[2:]), 2) == row[1] for row in shown.series("costs by month")["rows"])
    one = await picture(november, "cost_breakdown", groupBy=["cloud", "service"], period="2026-10")
    assert [series["name"] for series in one.set["series"]] == ["costs by group"]
    assert shown.set["period"]["finalThrough"] == "2026-11-25"


async def test_waterfalls_add_up(november: World) -> None:
    shown = await picture(november, "explain_cost_change", after="2026-10", top=3)
    total = shown.answer["total"]
    before, after = november.cost("2026-09-01", "2026-09-30"), november.cost("2026-10-01", "2026-10-31")
    names = [series["name"] for series in shown.set["series"]]
    assert names == [f"change by {name}" for name in ("service", "project", "region", "sku", "cause")]
    for name in names:
        check_waterfall(shown, name, before, after)
    assert (total["before"], total["after"]) == (before, after)
    drivers = {row["name"]: row["change"] for row in shown.answer["by"][0]["drivers"]}
    service = zip(shown.column(names[0], "name"), shown.column(names[0], "amount"))
    assert dict(pair for pair in service if pair[0]) == drivers
    causes = zip(shown.column(names[-1], "id"), shown.column(names[-1], "amount"))
    assert dict(pair for pair in causes if pair[0]) == shown.answer["causes"]
    assert (shown.set["compareTo"]["from"], shown.set["period"]["from"]) == ("2026-09-01", "2026-10-01")


@pytest.mark.parametrize("groups", ["service", ["cloud", "service"]])
async def test_a_comparison_is_a_waterfall(november: World, groups: Any) -> None:
    shown = await picture(november, "compare_spend", period="this_month", groupBy=groups, topN=5)
    (series,) = shown.set["series"]
    check_waterfall(
        shown,
        series["name"],
        november.cost("2026-10-01", "2026-10-28"),
        november.cost("2026-11-01", "2026-11-28"),
    )
    changes = [group["change"] for group in shown.answer["groups"]]
    # Groups have the final days only; a bar of its own has the others.
    provisional = shown.answer["provisional"]["change"]
    assert shown.column(series["name"], "amount")[1:-1] == [*changes, provisional, shown.answer["other"]["change"]]
    assert shown.set["compareTo"]["to"] == "2026-10-28" and "rows" not in shown.set["period"]


@pytest.mark.parametrize("today", ["2026-11-28", "2026-12-01", "2028-02-29"])
async def test_the_month_to_date_ends_at_the_forecast(today: str) -> None:
    async with open_world(today) as world:
        shown = await picture(world, "forecast_spend")
        month, name = shown.answer["month"], "month to date"
        periods, actual = shown.column(name, "period"), shown.column(name, "actual")
        assert periods == days(month["from"], month["to"])
        at = periods.index(today)
        assert actual[at] == month["spent"] == world.cost(month["from"], today)
        assert set(actual[at + 1 :]) <= {None}
        for role in ("expected", "low", "high"):
            values = shown.column(name, role)
            assert values[-1] == month[role] and None not in values[at:] and set(values[:at]) <= {None}
        final = month["finalThrough"] or ""
        assert shown.series(name)["provisional"] == [day for day in periods if day > final]
        daily = dict(zip(shown.column("daily costs", "period"), shown.column("daily costs", "total")))
        for day in (periods[0], today, (date.fromisoformat(today) - timedelta(days=40)).isoformat()):
            assert daily[day] == world.cost(day, day)


async def test_without_history_nothing_is_forecast(november: World) -> None:
    shown = await picture(november, "forecast_spend", filters=[{"id": "cost_type", "values": ["credit"]}])
    assert shown.answer["month"]["expected"] is None
    assert [series["kind"] for series in shown.set["series"]] == ["budgets"]


async def test_budgets_have_what_was_spent_is_forecast_and_allowed(november: World) -> None:
    shown = await picture(november, "list_budgets")
    budgets = shown.answer["budgets"]
    assert shown.column("budgets", "id") == [budget["id"] for budget in budgets]
    assert shown.column("budgets", "actual") == [budget["currentUtilization"] for budget in budgets]
    assert shown.column("budgets", "forecast") == [budget["forecastedUtilization"] for budget in budgets]
    assert shown.column("budgets", "limit") == [budget.get("periodLimit", budget["amount"]) for budget in budgets]
    assert shown.column("budgets", "currency") == [budget["currency"] for budget in budgets]
    crossings = [budget["exceededOn"] or budget["breaksOn"] for budget in budgets]
    assert shown.column("budgets", "crossesOn") == crossings and any(crossings)
    one = await picture(november, "get_budget", id=budgets[0]["id"])
    assert one.series("budgets")["rows"] == shown.series("budgets")["rows"][:1]
    forecast = await picture(november, "forecast_spend")
    known = dict(zip(shown.column("budgets", "id"), shown.column("budgets", "forecast")))
    own = dict(zip(forecast.column("budgets", "id"), forecast.column("budgets", "forecast")))
    assert own and all(known[id_] == amount for id_, amount in own.items())


async def test_the_overview_has_daily_costs_of_both_periods_in_one_round(november: World) -> None:
    shown = await picture(november, "get_cloud_overview")
    assert len(november.query_configs) == 4
    period = shown.answer["period"]
    assert shown.column("daily costs", "period") == days(period["from"], period["to"])
    assert shown.column("daily costs of the period before", "period") == days("2026-09-30", "2026-10-29")
    assert round(sum(shown.column("daily costs", "total")), 2) == pytest.approx(shown.answer["totalCost"], abs=0.2)
    for name, day in (("daily costs", "2026-11-20"), ("daily costs of the period before", "2026-10-05")):
        at = shown.column(name, "period").index(day)
        assert shown.column(name, "total")[at] == november.cost(day, day)
        assert shown.column(name, "group", "google-cloud")[at] == november.cost(
            day, day, "cloud_provider = 'google-cloud'"
        )
    assert shown.column("costs by cloud", "cost") == [row[1] for row in shown.answer["costByCloud"]["rows"]]
    assert "missing" not in shown.set


@pytest.mark.parametrize(
    ("arguments", "part", "why"),
    [
        ({"period": "ytd"}, "daily costs", "the period has more than 92 days"),
        ({"includeCredits": True}, "daily costs", "the API has credits by month only"),
        ({"period": "2025-10"}, "daily costs of the period before", "the data does not cover it"),
    ],
)
async def test_the_overview_says_what_its_picture_lacks(
    november: World, arguments: dict[str, Any], part: str, why: str
) -> None:
    shown = await picture(november, "get_cloud_overview", **arguments)
    assert shown.set["missing"] == [{"part": part, "why": why}]
    assert "failed" not in shown.answer and shown.answer["totalCost"] > 0


async def test_bars_of_the_other_tools_are_those_of_the_answer(november: World) -> None:
    ai = await picture(november, "ai_spend", topN=2)
    assert round(sum(ai.column("AI costs by model", "cost")), 2) == ai.answer["total"]
    coverage = await picture(november, "allocation_coverage", by="label:team", topN=3)
    assert round(sum(coverage.column("coverage", "cost")), 2) == coverage.answer["total"]
    assert round(sum(coverage.column("owners of the gap", "cost")), 2) == coverage.answer["gap"]
    savings = await picture(november, "get_savings_summary", top=1)
    for name in ("save", "waste", "at_stake"):
        assert len(savings.column(name, "cost")) == savings.answer["counts"][name]
        assert savings.column(name, "cost")[0] == savings.answer[name][0]["amount"]
    commitments = await picture(november, "commitment_summary")
    shown = commitments.column("commitments by cloud", "coveragePercent")
    assert shown == [cloud["coveragePercent"] for cloud in commitments.answer["clouds"]]
    units = await picture(november, "unit_cost", metric="orders", period="2026-Q3", groupBy="service")
    assert round(sum(units.column("units by day", "units")), 2) == units.answer["units"]
    assert units.column("unit cost by month", "unitCost") == [row["unitCost"] for row in units.answer["periods"]]
    assert units.column("unit cost by group", "cost") == [row["cost"] for row in units.answer["groups"]]


async def test_long_series_are_cut_to_the_latest_and_say_so(november: World) -> None:
    shown = await picture(
        november, "cost_trend", interval="day", groupBy="sku", topN=25, period="2025-10-01/2026-11-28"
    )
    series = shown.series("costs by day")
    assert series["cut"] == {"shown": len(series["rows"]), "of": 424} and len(series["rows"]) < 424
    assert series["rows"][-1][0] == "2026-11-28" and series["provisional"][-1] == "2026-11-28"


@pytest.mark.parametrize("only_open", [True, False])
async def test_an_anomaly_has_the_daily_costs_of_its_skus(november: World, only_open: bool) -> None:
    rows = (await november.ask("get_anomalies", onlyOpen=only_open))["anomalies"]
    row = next(one for one in rows if one["open"] is only_open)
    shown = await picture(november, "get_anomaly", id=row["id"])
    answer, name = shown.answer, "daily costs of the top SKUs"
    figures = [answer[member] for member in ("actualCost", "expectedMaxCost", "costOfAnomaly")]
    assert shown.series("anomaly")["rows"] == [[row["id"], row["serviceName"], *figures]]
    skus = [sku["name"] for sku in answer["top3SKUs"]]
    assert shown.column("top SKUs", "cost") == [sku["cost"] for sku in answer["top3SKUs"]]
    periods, costs = shown.column(name, "period"), shown.column(name, "total")
    last = "2026-11-28" if only_open else answer["endTime"][:10]
    assert len(periods) == 30 and periods[-1] == last
    marks = ", ".join("?" * len(skus))
    for day in (periods[0], answer["startTime"][:10], periods[-2]):
        where = f"project_id = ? AND sku_description IN ({marks})"
        assert costs[periods.index(day)] == november.cost(day, day, where, answer["project"]["id"], *skus) > 0
    assert max(costs) in costs[periods.index(answer["startTime"][:10]) :]
