"""Scenarios of forecast_spend: each change is computed again from the billing lines and the forecast of each month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from .figures import CENT, Figure, check_figures, under
from .forecast_by_hand import (
    CloudForecast,
    Costs,
    Expected,
    Pace,
    budget_figures,
    daily_costs,
    days,
    doit_forecasts,
    expect,
    period_figures,
)
from .world import World, open_world

AWS, GOOGLE = "amazon-web-services", "google-cloud"
SHARE_DAYS = ("2026-10-29", "2026-11-25")
RDS = "Amazon Relational Database Service"


IN_AWS = f"cloud_provider = '{AWS}'"


def share(world: World, where: str, *values: Any) -> float:
    """Return the share in the costs of AWS in the last four weeks that are final."""
    return world.cost(*SHARE_DAYS, f"{IN_AWS} AND {where}", *values) / world.cost(*SHARE_DAYS, IN_AWS)


async def forecast_of(world: World, cloud: str) -> list[float]:
    """Return the forecast of the costs of one cloud in this month and the next two."""
    found = await world.ask("forecast_spend", cloud=cloud, scenario=["growth 1% from 2026-12-01"])
    return [row["expected"] for row in found["scenario"]["months"]]


async def ask(world: World, *changes: str, **arguments: Any) -> Any:
    return (await world.ask("forecast_spend", scenario=list(changes), **arguments))["scenario"]


async def test_each_change_is_its_share_of_the_forecast(november: World) -> None:
    plain = await november.ask("forecast_spend")
    aws, google = (await forecast_of(november, AWS))[1], (await forecast_of(november, GOOGLE))[1]
    rds = share(november, "service_description = ?", RDS) * aws
    december = (await ask(november, "growth 10% from 2026-12-01"))["months"][1]
    expected = december["expected"]
    assert expected > aws + google > 0.9 * expected
    for change, amount in (
        ("growth 10% from 2026-12-01", 0.1 * expected),
        (f"price -20% of service:{RDS} from 2026-12-01", -0.2 * rds),
        (f"move service:{RDS} to cloud:gcp at 70% from 2026-12-01", -0.3 * rds),
        ("growth 5.5% of cloud:aws from 2026-12-01", 0.055 * aws),
        ("growth 300% of cloud:gcp from 2026-12-01", 3 * google),
        ("one-off -1234.56 on 2026-12-31", -1234.56),
    ):
        found = await ask(november, change)
        november_row, december_row = found["months"][:2]
        assert december_row["change"] == pytest.approx(amount, abs=0.02) and november_row["change"] == 0
        assert (november_row["expected"], found["quarter"]["expected"]) == (
            plain["month"]["expected"],
            plain["quarter"]["expected"],
        )
        assert found["quarter"]["change"] == december_row["change"]
        assert not any("below zero" in text for text in found["assumptions"])
        assert found["total"]["scenario"] == pytest.approx(sum(row["scenario"] for row in found["months"]), abs=0.001)


async def test_months_below_zero_are_named(november: World) -> None:
    found = await ask(november, "one-off -200000 on 2026-12-10")
    assert [row["scenario"] < 0 for row in found["months"]] == [False, True, False]
    (remark,) = [text for text in found["assumptions"] if "below zero" in text]
    assert remark.startswith("The scenario of 2026-12-01 to 2026-12-31")


async def test_several_changes_apply_one_after_another(november: World) -> None:
    rds = [share(november, "service_description = ?", RDS) * aws for aws in await forecast_of(november, AWS)]
    found = await ask(
        november,
        f"move service:{RDS} to cloud:gcp at 50% from 2026-12-01",
        "growth 10% from 2026-12-01",
        f"price 20% of service:{RDS} from 2026-12-01",
    )
    amounts = [
        [1.1 * 1.2 * cost * -0.5, 0.1 * row["expected"], 1.1 * cost * 0.2]
        for cost, row in zip(rds[1:], found["months"][1:], strict=True)
    ]
    assert found["months"][1]["change"] == pytest.approx(sum(amounts[0]), abs=0.03)
    both = [sum(pair) for pair in zip(*amounts, strict=True)]
    assert [row["amount"] for row in found["changes"]] == pytest.approx(both, abs=0.03)


async def test_budgets_change_by_what_is_in_their_scope(november: World) -> None:
    listed = {row["budgetName"]: row for row in (await november.ask("list_budgets"))["budgets"]}
    amazon, google = listed["Amazon Web Services"], listed["Google Cloud"]
    left = amazon["amount"] - amazon["forecastedUtilization"]
    assert left > 0 > google["amount"] - google["forecastedUtilization"]
    found = await ask(november, f"one-off {left + 1:.2f} of cloud:aws on 2026-11-29")
    row = find_budget(found, amazon, "2026-11-01")
    assert (row["effect"], row["expected"]) == ("newly_exceeded", amazon["forecastedUtilization"])
    assert row["scenario"] == pytest.approx(amazon["amount"] + 1, abs=0.011) and row["scenarioBreaksOn"] == "2026-11-30"
    assert not find_budget(found, google, "2026-11-01")
    # A cent less than what is left breaks nothing.
    fits = await ask(november, f"one-off {left - 0.01:.2f} of cloud:aws on 2026-11-29")
    assert not find_budget(fits, amazon, "2026-11-01")
    # What is spent stays spent.
    assert google["status"] == "exceeded"
    for amount in (-9999.0, 100.0):
        answer = await ask(november, f"one-off {amount:.2f} of cloud:gcp on 2026-11-29")
        row = find_budget(answer, google, "2026-11-01")
        assert (row["effect"], row["change"], row["scenarioBreaksOn"]) == ("already_exceeded", amount, None)


async def test_next_months_of_budgets_are_those_of_their_cloud(november: World) -> None:
    listed = {row["budgetName"]: row for row in (await november.ask("list_budgets"))["budgets"]}
    amazon, google = listed["Amazon Web Services"], listed["Google Cloud"]
    months = ("2026-12-01", "2027-01-01")
    # Limited to the cloud or not, with the change for all costs or for those of the cloud, the numbers are the same.
    for change, arguments in (("growth 10% of cloud:aws", {}), ("growth 10%", {"cloud": "aws"})):
        found = await ask(november, f"{change} from 2026-12-01", **arguments)
        for first, expected in zip(months, (await forecast_of(november, AWS))[1:], strict=True):
            row = find_budget(found, amazon, first)
            assert (row["effect"], row["amount"], row["expected"]) == ("newly_exceeded", amazon["amount"], expected)
            assert row["change"] == pytest.approx(0.1 * expected, abs=0.006)
    assert "All clouds" in [row["name"] for row in found["budgetsUnknown"]]
    for percent in (10, 300):
        found = await ask(november, f"growth {percent}% of cloud:gcp from 2026-12-01")
        for first, expected in zip(months, (await forecast_of(november, GOOGLE))[1:], strict=True):
            row = find_budget(found, google, first)
            assert expected > row["amount"] == google["amount"] and row["effect"] == "still_exceeded"
            assert (row["expected"], row["change"]) == (expected, pytest.approx(percent / 100 * expected, abs=0.006))
            assert row["scenarioBreaksOn"] < row["breaksOn"]


async def test_limits_of_growing_budgets_grow(november: World) -> None:
    amazon = (await november.ask("list_budgets", nameContains="Amazon Web Services"))["budgets"][0]
    try:
        await november.ask("update_budget", id=amazon["id"], growthPerPeriod=50, startPeriod="2026-11-01")
        # 10 % more is over the limit of this month, and within that of the next; 60 % more is not.
        assert not find_budget(await ask(november, "growth 10% of cloud:aws from 2026-12-01"), amazon, "2026-12-01")
        row = find_budget(await ask(november, "growth 60% of cloud:aws from 2026-12-01"), amazon, "2026-12-01")
        assert (row["amount"], row["effect"]) == (1.5 * amazon["amount"], "newly_exceeded")
    finally:
        await november.ask("update_budget", id=amazon["id"], growthPerPeriod=0, startPeriod=amazon["startPeriod"])


async def test_a_budget_of_the_only_changed_costs_changes_to_the_cent(november: World) -> None:
    listed = {row["budgetName"]: row for row in (await november.ask("list_budgets"))["budgets"]}
    move = "move cloud:gcp to cloud:aws at 0% from 2026-12-10"
    for percent in (50, 51, 52, 53, 54):
        found = await ask(november, move, f"growth {percent}% of cloud:gcp from 2026-12-01")
        for month in found["months"][1:]:
            assert find_budget(found, listed["Google Cloud"], month["from"])["change"] == month["change"]


async def test_costs_to_come_are_not_negative(november: World) -> None:
    found = await ask(november, "growth -100% from 2026-12-01")
    assert [(row["scenario"], row["low"], row["high"]) for row in found["months"][1:]] == [(0, 0, 0), (0, 0, 0)]


def find_budget(scenario: Any, budget: Any, first: str) -> Any:
    """Return what a scenario says about a period of a budget; None if nothing."""
    rows = [row for row in scenario["budgets"] if row["id"] == budget["id"] and row["period"]["from"] == first]
    return rows[0] if rows else None


async def test_currencies_and_clouds_limit_the_scenario(november: World) -> None:
    change = "growth 10% from 2026-12-01"
    google = await november.ask("forecast_spend", cloud="gcp", currency="EUR", scenario=[change])
    december = google["scenario"]["months"][1]
    assert google["currency"] == "EUR"
    assert december["change"] == pytest.approx(0.1 * december["expected"], abs=0.01)
    refused = await november.refusal("forecast_spend", cloud="gcp", scenario=["price 5% of cloud:aws from 2026-12-01"])
    assert refused.startswith(
        "Could not run forecast_spend: scenario[0]: the costs that cloud of this call selects have no"
    )
    assert GOOGLE in refused and "leave out cloud" in refused


SCOPES = [{"type": "fixed", "id": "cloud_provider", "mode": "is", "values": [AWS]}]


async def test_budgets_of_every_length_change_in_each_period_once(november: World) -> None:
    forecast = (await doit_forecast_of(november))[AWS]
    plain = {"currency": "USD", "scopes": SCOPES, "timeInterval": "month", "startPeriod": "2026-11-01"}
    october = november.cost("2026-11-01", "2026-11-28", IN_AWS)
    wanted = {
        "fixed": {"type": "fixed", "endPeriod": "2026-12-31", "amount": 1.0},
        "later": {"type": "fixed", "startPeriod": "2026-12-06", "endPeriod": "2027-01-09", "amount": 1.0},
        "day": {"type": "recurring", "timeInterval": "day", "amount": 1.0},
        "week": {"type": "recurring", "timeInterval": "week", "amount": 1.0},
        "quarter": {"type": "recurring", "timeInterval": "quarter", "amount": 1e6, "startPeriod": "2026-10-01"},
    }
    made = [await november.ask("create_budget", name=name, **plain | more) for name, more in wanted.items()]
    identifiers = {row["name"]: row["id"] for row in made}
    try:
        found = await ask(november, "growth 100% of cloud:aws from 2026-12-01")
        whys = {row["name"]: row["why"] for row in found["budgetsUnknown"]}
    finally:
        for identifier in identifiers.values():
            await november.ask("delete_budget", id=identifier)
    rows = {name: [row for row in found["budgets"] if row["id"] == at] for name, at in identifiers.items()}

    def to_come(first: str, last: str) -> float:
        return sum(forecast[day] for day in days(date.fromisoformat(first), date.fromisoformat(last)))

    (fixed,) = rows["fixed"]
    assert (fixed["effect"], fixed["period"]["to"]) == ("already_exceeded", "2026-12-31")
    assert fixed["change"] == pytest.approx(to_come("2026-12-01", "2026-12-31"), abs=CENT)
    assert october < fixed["expected"]
    for name, first, last, periods in (
        ("later", "2026-12-06", "2027-01-09", None),
        ("day", "2026-12-01", "2026-12-01", 62),
        # Sundays from 29 November to 24 January: the week that begins on the 31st ends in February.
        ("week", "2026-11-29", "2026-12-05", 9),
    ):
        (row,) = rows[name]
        assert (row["period"]["from"], row["period"]["to"], row.get("periods")) == (first, last, periods)
        assert row["expected"] == pytest.approx(to_come(first, last), abs=CENT)
        assert row["change"] == pytest.approx(to_come(max(first, "2026-12-01"), last), abs=CENT)
    assert rows["quarter"] == []
    assert whys["quarter"] == "its period 2027-01-01 to 2027-03-31 ends after the scenario"
    assert whys["week"] == "its period 2027-01-31 to 2027-02-06 ends after the scenario" and "day" not in whys


async def doit_forecast_of(world: World) -> dict[str, Costs]:
    """Return DoiT's forecast of each cloud and day, to the end of a scenario."""
    await ask(world, "growth 1% from 2026-12-01")
    return await doit_forecasts(world)


@pytest.mark.parametrize(
    ("today", "months"),
    [
        ("2026-12-31", ["2026-12-01", "2027-01-01", "2027-02-01"]),
        ("2028-02-29", ["2028-02-01", "2028-03-01", "2028-04-01"]),
    ],
)
async def test_months_at_the_edges_of_the_calendar(today: str, months: list[str]) -> None:
    async with open_world(today) as world:
        found = await ask(world, f"growth 10% from {months[1]}")
        assert [row["from"] for row in found["months"]] == months
        assert [row["change"] for row in found["months"]] == pytest.approx(
            [0.0, *(0.1 * row["expected"] for row in found["months"][1:])], abs=0.011
        )


MONTHS = (("2026-11-01", "2026-11-30"), ("2026-12-01", "2026-12-31"), ("2027-01-01", "2027-01-31"))
QUARTER = (date(2026, 10, 1), date(2026, 12, 31))
CLOUDS = (AWS, GOOGLE, "microsoft-azure")
EVERY_KIND = (
    "growth 10% from 2026-12-01",
    "one-off 9000 of cloud:aws on 2026-11-29",
    f"price -20% of service:{RDS} from 2026-12-01",
    f"move service:{RDS} to cloud:gcp at 70% from 2026-12-10",
)
ALL_COSTS = "all"
Added = dict[tuple[int, str], dict[date, float]]
"""What each change of EVERY_KIND adds to each cloud by day."""


def added_by_hand(forecasts: dict[str, Costs], rds: float) -> Added:
    """Return what each change adds; *rds* is the share of RDS in the costs of AWS."""
    added: Added = {(at, cloud): {} for at in range(len(EVERY_KIND)) for cloud in CLOUDS}
    added[1, AWS][date(2026, 11, 29)] = 9000.0
    for cloud, forecast in forecasts.items():
        for day, cost in forecast.items():
            if day >= date(2026, 12, 1):
                added[0, cloud][day] = 0.1 * cost
                if cloud == AWS:
                    added[2, AWS][day] = -0.2 * 1.1 * rds * cost
            if cloud == AWS and day >= date(2026, 12, 10):
                moved = 0.8 * 1.1 * rds * cost
                added[3, AWS][day], added[3, GOOGLE][day] = -moved, 0.7 * moved
    return added


def sums(added: Added, clouds: Sequence[str], first: str, last: str) -> list[float]:
    """Return what each change adds to the costs of *clouds* in a period, in cents."""
    period = set(days(date.fromisoformat(first), date.fromisoformat(last)))
    return [
        round(sum(amount for cloud in clouds for day, amount in added[at, cloud].items() if day in period), 2)
        for at in range(len(EVERY_KIND))
    ]


def compared(expected: Expected, length: int, change: float) -> dict[str, Figure]:
    """Return the figures of a period without and with the changes; *expected* has the spread with them."""
    return {
        "days": length,
        "expected": (expected.expected, CENT),
        "scenario": (expected.expected + change, 3 * CENT),
        "change": (change, 2 * CENT),
        "changePercent": (100 * change / expected.expected, 0.051),
        "low": (expected.low + change, 3 * CENT),
        "high": (expected.high + change, 3 * CENT),
    }


async def test_every_number_of_a_forecast_with_a_scenario(november: World) -> None:
    today = november.today
    listed = (await november.ask("list_budgets", maxResults=100))["budgets"]
    answer = await november.ask("forecast_spend", scenario=list(EVERY_KIND))
    forecasts = await doit_forecasts(november)
    assert forecasts.keys() == set(CLOUDS)
    costs = {cloud: daily_costs(november, cloud, date(2026, 7, 1)) for cloud in CLOUDS}
    clouds = [CloudForecast(costs[cloud], forecasts[cloud], Pace(costs[cloud], today)) for cloud in CLOUDS]
    spans = [(date.fromisoformat(first), date.fromisoformat(last)) for first, last in MONTHS]
    *months, quarter = (expect(clouds, *span, today) for span in [*spans, QUARTER])
    figures: dict[str, Figure] = {"period.days": 28, "budgetsChecked": len(listed)}
    october, summer = november.cost("2026-10-01", "2026-10-31"), november.cost("2026-07-01", "2026-09-30")
    figures |= under("month", period_figures(months[0], *spans[0], october, 31))
    figures |= under("quarter", period_figures(quarter, *QUARTER, summer, 92))
    known = {row["id"]: row for row in listed}
    for at, row in enumerate(answer["budgets"]):
        spent = november.cost("2026-11-01", "2026-11-28", f"cloud_provider = '{cloud_of(known[row['id']])}'")
        figures |= under(f"budgets[{at}]", budget_figures(known[row["id"]], spent) | {"period.days": 30})
    added = added_by_hand(forecasts, share(november, "service_description = ?", RDS))
    lasting = [costs for (at, _), costs in added.items() if at != 1]
    wider = {day: sum(costs.get(day, 0.0) for costs in lasting) for day in forecasts[AWS]}
    *months, quarter = (expect(clouds, *span, today, wider) for span in [*spans, QUARTER])
    changes = [sums(added, CLOUDS, *month) for month in MONTHS]
    for at, (month, change) in enumerate(zip(months, changes, strict=True)):
        length = (spans[at][1] - spans[at][0]).days + 1
        figures |= under(f"scenario.months[{at}]", compared(month, length, sum(change)))
    in_quarter = sum(map(sum, changes[:2]))
    figures |= under("scenario.quarter", compared(quarter, 92, in_quarter))
    expected, total = sum(month.expected for month in months), sum(map(sum, changes))
    whole: dict[str, Figure] = {"days": 92, "expected": (expected, 3 * CENT), "scenario": (expected + total, 0.05)}
    whole |= {"change": (total, 0.05), "changePercent": (100 * total / expected, 0.051)}
    figures |= under("scenario.total", whole)
    for at, amounts in enumerate(zip(*changes, strict=True)):
        figures[f"scenario.changes[{at}].amount"] = (sum(amounts), 0.02)
    effects = budgets_by_hand(listed, forecasts, added)
    shown = [(row["id"], row["period"]["from"]) for row in answer["scenario"]["budgets"]]
    assert set(shown) == effects.keys() and len(shown) == len(effects) >= 3
    for at, key in enumerate(shown):
        figures |= under(f"scenario.budgets[{at}]", effects[key])
    check_figures(answer, figures)


def cloud_of(budget: Any) -> str:
    """Return the cloud that a budget is limited to; ALL_COSTS if it is not limited, "" for any other scope."""
    scopes = budget["scopes"]
    if not scopes:
        return ALL_COSTS
    return str(scopes[0]["values"][0]) if scopes[0]["id"] == "cloud_provider" else ""


def budgets_by_hand(
    listed: Sequence[Any], forecasts: dict[str, Costs], added: Added
) -> dict[tuple[str, str], dict[str, Figure]]:
    """Return the figures of the budgets that are exceeded with or without the changes, by id and first day."""
    effects: dict[tuple[str, str], dict[str, Figure]] = {}
    for budget in listed:
        scope, amount = cloud_of(budget), budget["amount"]
        clouds = CLOUDS if scope == ALL_COSTS else [scope] if scope else []
        for first, last in MONTHS if clouds and budget["timeInterval"] == "month" else ():
            period = days(date.fromisoformat(first), date.fromisoformat(last))
            is_running = first == MONTHS[0][0]
            to_come = sum(forecasts[cloud].get(day, 0) for cloud in clouds for day in period)
            expected = budget["forecastedUtilization"] if is_running else round(to_come, 2)
            change = sum(sums(added, clouds, first, last))
            if change and max(expected, expected + change) > amount:
                effects[budget["id"], first] = {
                    "amount": amount,
                    "expected": (expected, CENT),
                    "change": (change, 2 * CENT),
                    "scenario": (expected + change, 3 * CENT),
                    "period.days": len(period),
                }
    return effects
