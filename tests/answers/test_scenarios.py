"""Scenarios of forecast_spend: each change is computed again from the billing lines and the forecast of each month."""

from __future__ import annotations

from typing import Any

import pytest

from .world import World, open_world

AWS, GOOGLE = "amazon-web-services", "google-cloud"
SHARE_DAYS = ("2026-10-29", "2026-11-25")
RDS = "Amazon Relational Database Service"


def share(world: World, where: str, *values: Any) -> float:
    """Return the share in the costs of the last four weeks that are final."""
    return world.cost(*SHARE_DAYS, where, *values) / world.cost(*SHARE_DAYS)


async def ask(world: World, *changes: str, **arguments: Any) -> Any:
    return (await world.ask("forecast_spend", scenario=list(changes), **arguments))["scenario"]


async def test_each_change_is_its_share_of_the_forecast(november: World) -> None:
    plain = await november.ask("forecast_spend")
    rds, aws = share(november, "service_description = ?", RDS), share(november, "cloud_provider = ?", AWS)
    december = (await ask(november, "growth 10% from 2026-12-01"))["months"][1]
    expected = december["expected"]
    for change, amount in (
        ("growth 10% from 2026-12-01", 0.1 * expected),
        (f"price -20% of service:{RDS} from 2026-12-01", -0.2 * rds * expected),
        (f"move service:{RDS} to cloud:gcp at 70% from 2026-12-01", -0.3 * rds * expected),
        ("growth 5.5% of cloud:aws from 2026-12-01", 0.055 * aws * expected),
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
        assert found["total"]["scenario"] == pytest.approx(sum(row["scenario"] for row in found["months"]), abs=0.001)


async def test_several_changes_apply_one_after_another(november: World) -> None:
    rds = share(november, "service_description = ?", RDS)
    found = await ask(
        november,
        f"move service:{RDS} to cloud:gcp at 50% from 2026-12-01",
        "growth 10% from 2026-12-01",
        f"price 20% of service:{RDS} from 2026-12-01",
    )
    december = found["months"][1]
    amounts = [1.1 * 1.2 * rds * -0.5, 0.1, 1.1 * rds * 0.2]
    assert december["change"] == pytest.approx(sum(amounts) * december["expected"], abs=0.03)
    both = sum(row["expected"] for row in found["months"][1:])
    assert [row["amount"] for row in found["changes"]] == pytest.approx([each * both for each in amounts], abs=0.03)


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


async def test_next_months_of_budgets_are_shares_of_the_forecast(november: World) -> None:
    amazon = (await november.ask("list_budgets", nameContains="Amazon Web Services"))["budgets"][0]
    found = await ask(november, "growth 60% of cloud:aws from 2026-12-01")
    december, aws = found["months"][1]["expected"], share(november, "cloud_provider = ?", AWS)
    row = find_budget(found, amazon, "2026-12-01")
    assert row["effect"] == "newly_exceeded" and row["amount"] == amazon["amount"]
    assert row["expected"] == pytest.approx(aws * december, abs=0.02)
    assert row["scenario"] == pytest.approx(1.6 * aws * december, abs=0.02)


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
    assert refused.startswith("Could not run forecast_spend: scenario[0]: ") and GOOGLE in refused


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
