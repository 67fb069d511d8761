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
    assert "query.customTimeRange: 2026-10-01/2026-10-31 contradicts query.timeRange" in text


async def test_seconds_in_a_custom_range_are_refused(november: World) -> None:
    span = {"from": "1790812800", "to": "1793491200"}
    text = await november.refusal("run_query", config=query(customTimeRange=span))
    assert "query.customTimeRange.from: 1790812800 looks like seconds" in text and "2026-10-01" in text


THIS_MONTH = {"mode": "current", "unit": "month"}


@pytest.mark.parametrize(
    ("main", "secondary", "first", "last", "days"),
    [
        (THIS_MONTH, {"amount": 1, "unit": "month"}, "2026-10-01", "2026-10-28", 28),
        (THIS_MONTH, {"amount": 1, "unit": "month", "includeCurrent": True}, "2026-10-01", "2026-10-31", 31),
        (THIS_MONTH, {"amount": 28, "unit": "day"}, "2026-10-04", "2026-10-31", 28),
        ("2026-10", {"amount": 1, "unit": "month"}, "2026-09-01", "2026-09-30", 30),
        ("2026-10", {"amount": 1, "unit": "quarter"}, "2026-07-01", "2026-07-31", 31),
        ("last_quarter", {"customTimeRange": {"from": "2026-04", "to": "2026-06"}}, "2026-04-01", "2026-06-30", 91),
    ],
    ids=str,
)
async def test_secondary_rows_state_their_days(
    november: World, main: Any, secondary: dict[str, Any], first: str, last: str, days: int
) -> None:
    config = query(timeRange=main, secondaryTimeRange=secondary)
    answer = await november.ask("run_query", config=config)
    assert answer["secondaryPeriod"] == {
        **{"from": first, "to": last, "days": days},
        **{"complete": True, "finalThrough": last},
    }
    assert sum(row[1] for row in answer["secondaryRows"]) == pytest.approx(november.cost(first, last))
    cut = [] if days in (30, 31, 91) else [(part["period"], part["days"]) for part in answer["secondaryPartialPeriods"]]
    assert cut == ([] if days in (30, 31, 91) else [(first[:7], 28)])


async def test_a_report_states_the_days_of_its_comparison(november: World) -> None:
    answer = await november.ask("get_report_results", name="This month vs. last")
    assert (answer["secondaryPeriod"]["from"], answer["secondaryPeriod"]["to"]) == ("2026-10-01", "2026-10-28")
    assert answer["secondaryPartialPeriods"][0]["period"] == "2026-10"
    rows = answer["result"]["secondaryRows"]
    assert sum(row[2] for row in rows) == pytest.approx(november.cost("2026-10-01", "2026-10-28"), abs=0.005)


async def test_display_values_that_change_nothing_are_noted(november: World) -> None:
    secondary = {"amount": 1, "unit": "month"}
    config = query(timeRange="2026-10", secondaryTimeRange=secondary, displayValues="percentage_change")
    answer = await november.ask("run_query", config=config)
    assert answer["note"].startswith("displayValues percentage_change was not applied")
    assert answer["rows"] == [["2026-10", november.cost("2026-10-01", "2026-10-31")]]


@pytest.mark.parametrize("secondary", [{"amount": 1, "unit": "week"}, {"amount": 0, "unit": "month"}, {"amount": 1}])
async def test_a_secondary_range_without_days_is_refused(november: World, secondary: dict[str, Any]) -> None:
    text = await november.refusal("run_query", config=query(timeRange="2026-10", secondaryTimeRange=secondary))
    assert "query.secondaryTimeRange" in text


async def test_a_report_that_leaves_out_rows_says_why_its_total_is_unknown(november: World) -> None:
    answer = await november.ask("get_report_results", name="Top services")
    assert answer["limited"] is True and answer["total"] is None
    assert answer["note"].startswith("The total is unknown, because") and "run_query" in answer["note"]


AMORTIZED = {"type": "extended", "value": "amortized_cost"}


@pytest.mark.parametrize("limit", [{}, {"limit": {"metric": COST, "sort": "desc", "value": 3}}], ids=["all", "three"])
async def test_rows_in_euros_are_cents_and_add_up_with_what_is_outside(november: World, limit: dict[str, Any]) -> None:
    group = [{"id": "project_id", "type": "fixed", **limit}, {"id": "sku_id", "type": "fixed"}]
    config = query(timeRange="2026-10", currency="EUR", metrics=[COST, AMORTIZED], group=group)
    answer = await november.ask("run_query", config=config)
    names = [column["name"] for column in answer["columns"]]
    for metric in ("cost", "amortized_cost"):
        cells = [row[names.index(metric)] for row in answer["rows"]]
        assert all(cell == round(cell, 2) for cell in cells)
        outside = answer["outsideRows"].get(metric, 0)
        assert round(sum(cells) + outside, 2) == answer["total"][metric]
        assert abs(outside) < 1 or limit


async def test_rows_in_yen_have_no_decimals(november: World) -> None:
    group = [{"id": "service_description", "type": "fixed"}]
    answer = await november.ask("run_query", config=query(timeRange="2026-10", currency="JPY", group=group))
    assert all(row[-1] == int(row[-1]) for row in answer["rows"])
    assert (
        sum(row[-1] for row in answer["rows"]) + answer.get("outsideRows", {}).get("cost", 0) == answer["total"]["cost"]
    )


async def test_weekdays_begin_on_monday_and_have_their_number_of_days(november: World) -> None:
    config = query(timeRange="2026-10", timeInterval="week_day", group=[{"id": "cloud_provider", "type": "fixed"}])
    answer = await november.ask("run_query", config=config)
    weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    clouds = list(dict.fromkeys(row[0] for row in answer["rows"]))
    assert [row[:2] for row in answer["rows"]] == [[cloud, day] for cloud in clouds for day in weekdays]
    # October 2026 begins on a Thursday and has 31 days.
    assert answer["weekdayDays"] == {day: 5 if day in ("Thursday", "Friday", "Saturday") else 4 for day in weekdays}
    assert "divide by weekdayDays" in answer["note"]


async def test_a_missing_argument_says_what_is_accepted(november: World) -> None:
    text = await november.refusal("allocation_coverage")
    assert text == "by: is required: label:KEY, tag:KEY or allocation:NAME"
    assert "query: is required: an object with dataSource, metrics" in await november.refusal("run_query")


PACIFIC = "America/Los_Angeles"


@pytest.mark.parametrize(
    ("more", "zones"),
    [
        ({}, {"google-cloud": PACIFIC}),
        ({"metrics": [{"type": "basic", "value": "usage"}], "group": [{"id": "sku_id", "type": "fixed"}]},
         {"google-cloud": PACIFIC}),
        ({"group": [{"id": "sku_id", "type": "fixed", "limit": {"metric": COST, "sort": "desc", "value": 1}}]},
         {"google-cloud": PACIFIC}),
        ({"filters": []}, {"amazon-web-services": "UTC", "google-cloud": PACIFIC, "microsoft-azure": "UTC"}),
    ],
    ids=str,
)  # fmt: skip
async def test_time_zones_are_those_of_the_clouds_in_the_answer(
    november: World, more: dict[str, Any], zones: dict[str, str]
) -> None:
    bigquery = [{"id": "service_description", "type": "fixed", "values": ["BigQuery"]}]
    answer = await november.ask("run_query", config=query(**{"timeRange": "2026-10", "filters": bigquery, **more}))
    assert answer["basis"]["timeZones"] == zones
    if "cost" in answer.get("total", {}) and more.get("filters") is None:
        assert answer["total"]["cost"] == november.cost(
            "2026-10-01", "2026-10-31", "service_description = ?", "BigQuery"
        )


async def test_projects_have_names_beside_their_ids(november: World) -> None:
    group = [{"id": "project_id", "type": "fixed"}, {"id": "cloud_provider", "type": "fixed"}]
    answer = await november.ask("run_query", config=query(timeRange="2026-10", group=group))
    assert [column["name"] for column in answer["columns"]][:3] == ["project_id", "project_name", "cloud_provider"]
    costs = november.costs("project_name", "2026-10-01", "2026-10-31", "project_id = '111122223333'")
    row = next(row for row in answer["rows"] if row[0] == "111122223333")
    assert costs == {row[1]: row[-1]}
    assert sum(row[-1] for row in answer["rows"]) == pytest.approx(answer["total"]["cost"])
    own = await november.ask(
        "run_query", config=query(timeRange="2026-10", group=[*group, {"id": "project_name", "type": "fixed"}])
    )
    assert [column["name"] for column in own["columns"]].count("project_name") == 1


COST_QUERY = {"metrics": [{"type": "basic", "value": "cost"}]}
LAST_TWO_YEARS = {"mode": "last", "amount": 2, "unit": "year", "includeCurrent": True}


async def test_a_year_in_which_the_data_begin_has_only_its_days_with_data(november: World) -> None:
    config = {**COST_QUERY, "timeInterval": "year", "timeRange": LAST_TWO_YEARS}
    answer = await november.ask("run_query", config=config)
    assert answer["period"]["from"] == "2025-10-01" and answer["note"] == "The data begins on 2025-10-01."
    assert [(part["period"], part["days"]) for part in answer["partialPeriods"]] == [("2025", 92), ("2026", 332)]
    assert answer["rows"][0] == ["2025", november.cost("2025-10-01", "2025-12-31")]


async def test_a_comparison_has_only_the_days_with_data(november: World) -> None:
    year_before = {"amount": 1, "unit": "year"}
    config = {**COST_QUERY, "timeInterval": "year", "timeRange": "this_year", "secondaryTimeRange": year_before}
    answer = await november.ask("run_query", config=config)
    assert answer["period"]["days"] == 332
    assert answer["secondaryPeriod"]["from"] == "2025-10-01" and answer["secondaryPeriod"]["days"] == 59
    assert answer["secondaryRows"] == [["2025", november.cost("2025-10-01", "2025-11-28")]]
    config |= {"timeInterval": "month", "timeRange": "2026-Q3"}
    answer = await november.ask("run_query", config=config)
    assert answer["secondaryRows"] == []
    assert "The period to compare with is before that, so its costs are unknown." in answer["note"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("run_query", {"config": {**COST_QUERY, "timeRange": "2025"}}),
        ("get_report_results", {"name": "Cost by team", "timeRange": "2025"}),
        ("cost_breakdown", {"period": "2025"}),
        ("ai_spend", {"period": "2025"}),
        ("unit_cost", {"metric": "orders", "period": "2025"}),
        ("allocation_coverage", {"by": "label:team", "period": "2025"}),
        ("get_cloud_overview", {"period": "2025"}),
    ],
)
async def test_all_tools_state_the_days_that_have_data(november: World, tool: str, arguments: dict[str, Any]) -> None:
    answer = await november.ask(tool, **arguments)
    period = answer["period"]
    assert (period["from"], period["to"], period["days"]) == ("2025-10-01", "2025-12-31", 92)
    assert "The data begins on 2025-10-01." in answer["note"]


async def test_costs_per_day_of_a_stored_table_count_the_days_with_data(november: World) -> None:
    group = [{"id": name, "type": "fixed"} for name in ("service_description", "project_id")]
    bounds = {"from": "2025-01-01", "to": "2025-12-31"}
    config = {**COST_QUERY, "timeInterval": "day", "timeRange": "custom", "customTimeRange": bounds, "group": group}
    handle = (await november.ask("run_query", config=config))["handle"]
    answer = await november.ask("query_result", handle=handle, groupBy=["service_description"], aggregate="per_day")
    costs = {row[0]: row[1] for row in answer["rows"]}
    service = "Amazon Elastic Compute Cloud"
    ec2 = november.cost("2025-10-01", "2025-12-31", "service_description = ?", service)
    assert costs[service] == round(ec2 / 92, 2)
    assert answer["perDay"]["cost"] == round(november.cost("2025-10-01", "2025-12-31") / 92, 2)
