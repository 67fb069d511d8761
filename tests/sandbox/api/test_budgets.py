"""Budgets: create, list, update, delete; and utilization, which is the spend of their scope."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ..conftest import Clock
from .conftest import ADMIN, Party

PATH = "/analytics/v1/budgets"
GOOGLE = {"type": "fixed", "id": "cloud_provider", "values": ["google-cloud"]}
MONTH = {"timeInterval": "month", "timeRange": {"mode": "current", "unit": "month"}}


def ms(*date: int) -> int:
    """Midnight in epoch milliseconds."""
    return int(datetime(*date, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type]  # year, month and day


async def create(party: Party, **body: object) -> Any:
    """The response to the creation of a budget."""
    answer = await party.send("POST", PATH, body)
    assert answer.status == 201, answer
    return answer.json


async def test_budget_lifecycle(party: Party, clock: Clock) -> None:
    before = await party.get(PATH)
    budget = await create(party, name="Mine", amount=1000, scopes=[GOOGLE], description="For a test")
    assert (budget["name"], budget["amount"], budget["type"], budget["timeInterval"]) == (
        "Mine",
        1000,
        "recurring",
        "month",
    )
    assert budget["collaborators"] == [{"email": ADMIN.email, "role": "owner"}] and budget["recipients"] == [
        ADMIN.email
    ]
    assert [alert["percentage"] for alert in budget["alerts"]] == [50, 85, 100]
    listed = await party.get(PATH)
    assert listed["rowCount"] == before["rowCount"] + 1
    assert (listed["budgets"][0]["id"], listed["budgets"][0]["budgetName"]) == (budget["id"], "Mine")
    assert await party.get(f"{PATH}/{budget['id']}") == budget
    clock.advance(60)
    answer = await party.send("PATCH", f"{PATH}/{budget['id']}", {"amount": 2000.5, "alerts": [{"percentage": 70}]})
    changed = answer.json
    assert (changed["amount"], changed["name"], changed["scopes"]) == (2000.5, "Mine", budget["scopes"])
    assert [alert["percentage"] for alert in changed["alerts"]] == [70]
    assert changed["updateTime"] == budget["updateTime"] + 60_000 and changed["createTime"] == budget["createTime"]
    response = await party.send("DELETE", f"{PATH}/{budget['id']}")
    assert (response.status, response.json) == (200, {})
    for method, body in (("GET", None), ("PATCH", {"amount": 1}), ("DELETE", None)):
        assert "not found" in await party.expect_error(404, method, f"{PATH}/{budget['id']}", body)
    assert await party.get(PATH) == before


@pytest.mark.parametrize(
    "scopes",
    [
        [],
        [GOOGLE],
        [{**GOOGLE, "inverse": True}],
        [{"type": "label", "id": "env", "values": ["production"]}, GOOGLE],
        [{"type": "label", "id": "team", "includeNull": True}],
        [
            {
                "type": "fixed",
                "id": "sku_description",
                "mode": "contains",
                "values": ["STORAGE"],
                "caseInsensitive": True,
            }
        ],
    ],
)
async def test_utilization_is_the_spend_of_the_scope(party: Party, scopes: list[Any]) -> None:
    budget = await create(party, amount=1, scopes=scopes)
    assert budget["currentUtilization"] == pytest.approx(await party.cost(filters=scopes, **MONTH), abs=0.001)
    assert budget["forecastedUtilization"] > budget["currentUtilization"] > 1
    assert all(alert["triggered"] for alert in budget["alerts"])


async def test_utilization_in_another_currency(party: Party) -> None:
    budget = await create(party, amount=1, currency="EUR")
    assert budget["currentUtilization"] == pytest.approx(await party.cost(**MONTH, currency="EUR"), abs=0.01)
    assert budget["currentUtilization"] == pytest.approx(0.87 * await party.cost(**MONTH), abs=0.01)


async def test_budget_follows_the_calendar(party: Party, clock: Clock) -> None:
    budget = await create(party, amount=100_000)
    for _ in range(7):  # from 24 November into December
        clock.advance(86_400)
    later = await party.get(f"{PATH}/{budget['id']}")
    assert later["currentUtilization"] == pytest.approx(await party.cost(**MONTH), abs=0.001)
    assert later["currentUtilization"] < budget["currentUtilization"]


async def test_fixed_budget(party: Party) -> None:
    days = {"startPeriod": ms(2026, 9, 10), "endPeriod": ms(2026, 10, 9)}
    assert "endPeriod" in await party.expect_error(400, "POST", PATH, {"type": "fixed", "amount": 5})
    backwards = {"type": "fixed", "amount": 5, "startPeriod": days["endPeriod"], "endPeriod": days["startPeriod"]}
    assert "endPeriod" in await party.expect_error(400, "POST", PATH, backwards)
    budget = await create(party, type="fixed", amount=5, **days)
    times = {"from": "2026-09-10T00:00:00Z", "to": "2026-10-09T00:00:00Z"}
    spent = await party.cost(timeRange={"mode": "custom"}, customTimeRange=times)
    assert budget["currentUtilization"] == pytest.approx(spent, abs=0.001)
    assert "forecastedUtilization" not in budget
    item = next(row for row in (await party.get(PATH))["budgets"] if row["id"] == budget["id"])
    assert (item["riskStatus"], item["endPeriod"]) == ("unknown", days["endPeriod"])


async def test_computed_amounts(party: Party) -> None:
    last_month = await party.cost(timeInterval="month", timeRange={"mode": "last", "amount": 1, "unit": "month"})
    assert (await create(party, usePrevSpend=True))["amount"] == pytest.approx(last_month, abs=0.01)
    begun = {"startPeriod": ms(2026, 9, 1)}
    grown = await create(party, amount=100, growthPerPeriod=10, alerts=[{"percentage": 100}], **begun)
    seasonal = await create(party, seasonalAmounts=[1, 2, 3, 4], **begun)
    items = {item["id"]: item for item in (await party.get(PATH))["budgets"]}
    assert items[grown["id"]]["alertThresholds"] == [{"percentage": 100, "amount": 121.0}]
    assert items[seasonal["id"]]["alertThresholds"][-1]["amount"] == 3


async def test_risk(party: Party, clock: Clock) -> None:
    spent = await party.cost(**MONTH)
    over = await create(party, name="over", amount=spent - 1)
    soon = await create(party, name="soon", amount=spent + 1)
    fine = await create(party, name="fine", amount=spent * 10)
    ahead = await create(party, name="ahead", amount=1, startPeriod=ms(2027, 3, 1))
    body = await party.get(PATH)
    risks = {item["id"]: item["riskStatus"] for item in body["budgets"]}
    assert [risks[item["id"]] for item in (over, soon, fine, ahead)] == ["atRisk", "atRisk", "onTrack", "unknown"]
    counts = body["riskAggregations"]
    assert counts["total"] == body["rowCount"] == counts["atRisk"] + counts["onTrack"] + counts["unknown"]
    first = await party.get(PATH, filter="riskStatus:atRisk", maxResults=1)
    assert first["riskAggregations"]["total"] == counts["atRisk"] > 1 == first["rowCount"]
    at_risk = await party.walk(PATH, "budgets", 1, filter="riskStatus:atRisk")
    breaches = [item["forecastedUtilizationDate"] for item in at_risk]
    assert breaches == sorted(breaches) and {item["riskStatus"] for item in at_risk} == {"atRisk"}
    assert (await party.get(f"{PATH}/{soon['id']}"))["alerts"][-1] == {
        "percentage": 100,
        "triggered": False,
        "forecastedDate": ms(2026, 11, 25),
    }


async def test_lists_are_filtered(party: Party, clock: Clock) -> None:
    since = int(clock.now * 1000)
    clock.advance(1)
    budgets = [await create(party, name=f"Team {letter}", amount=1) for letter in "ABC"]
    ids = [item["id"] for item in budgets]

    async def list_ids(**query: object) -> list[str]:
        return [item["id"] for item in (await party.get(PATH, **query))["budgets"]]

    assert await list_ids(filter="budgetName:Team A|budgetName:Team C") == [ids[2], ids[0]]
    assert await list_ids(filter="budgetName:Team A|owner:nobody@acme.example") == []
    assert await list_ids(nameContains="tEAm") == await list_ids(minCreationTime=since + 1) == ids[::-1]
    assert not set(await list_ids(maxCreationTime=since)) & set(ids)
    assert await list_ids(filter=f"lastModified:>{since}") == ids[::-1]
    for query in (
        {"filter": "nonsense:1"},
        {"filter": "budgetName"},
        {"filter": "riskStatus:no"},
        {"filter": "lastModified:no"},
        {"maxResults": 0},
        {"maxResults": "x"},
        {"minCreationTime": "x"},
        {"pageToken": "x"},
    ):
        message = await party.expect_error(400, "GET", PATH, **query)
        assert next(iter(query)) in message or "riskStatus" in message or "lastModified" in message


async def test_pagination_is_complete_during_concurrent_writes(party: Party) -> None:
    for number in range(7):
        await create(party, name=f"B{number}", amount=1)
    all_ids = [item["id"] for item in (await party.get(PATH))["budgets"]]
    assert [item["id"] for item in await party.walk(PATH, "budgets", 5)] == all_ids
    first = await party.get(PATH, maxResults=5)
    await create(party, name="In between", amount=1)
    second = await party.get(PATH, maxResults=50, pageToken=first["pageToken"])
    assert [item["id"] for item in first["budgets"] + second["budgets"]] == all_ids


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": "1"}, "amount"),
        ({"amount": 1, "type": "monthly"}, "type"),
        ({"amount": 1, "timeInterval": "hour"}, "timeInterval"),
        ({"amount": 1, "currency": "XXX"}, "currency"),
        ({"amount": 1, "metric": "amortized_cost"}, "metric"),
        ({"amount": 1, "scope": ["some allocation"]}, "scope"),
        ({"amount": 1, "scopes": [{"type": "fixed", "id": "nothing", "values": ["x"]}]}, "scopes[0]"),
        ({"amount": 1, "scopes": [{"type": "fixed", "id": "cloud_provider", "values": []}]}, "scopes[0]"),
        ({"amount": 1, "alerts": [{"percentage": 1}] * 4}, "alerts"),
        ({"amount": 1, "startPeriod": 10**18}, "startPeriod"),
        ({"amount": 1, "collaborators": [{"email": "a@b.c", "role": "viewer"}]}, "owner"),
        ({"amount": 1, "collaborators": [{"email": "a@b.c", "role": "owner"}] * 2}, "owner"),
        ({"amount": 1, "misspelt": 1}, "misspelt"),
    ],
)
async def test_validation_errors_name_the_field(party: Party, body: Any, field: str) -> None:
    assert field in await party.expect_error(400, "POST", PATH, body)
    assert field in await party.expect_error(400, "PATCH", await _one(party), body or {"amount": None})


async def _one(party: Party) -> str:
    return f"{PATH}/{(await party.get(PATH))['budgets'][0]['id']}"
