"""PerfectScale for Commitments, Google Cloud: savings, purchases and policies, compared with the billing lines."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from .conftest import GLOBEX, UMBRA, VIEWER, Party

ROOT = "/ps4commitments/v1/gcp/billing-accounts"
MINE = "01A2B3-C4D5E6-F70819"
ONE = f"{ROOT}/{MINE}"
POLICIES = "/ps4commitments/v1/general/policies"


def amount(money: dict[str, str]) -> float:
    assert money["currency"] == "USD"
    return float(money["amount"])


def of(rows: list[Any], service: str) -> Any:
    """The entry of a service."""
    return next(row for row in rows if row["service"] == service)


async def test_accounts_match_billing_data(party: Party) -> None:
    (listed,) = (await party.get(ROOT))["items"]
    body = await party.get(ONE, VIEWER)
    assert listed["billingAccountId"] == MINE and listed.items() <= body.items()
    fee = await party.cost(
        metrics=[{"type": "basic", "value": "cost"}],
        filters=[{"id": "sku_id", "type": "fixed", "values": ["A0B1-3C2D-9F10"]}],
        timeRange={"mode": "custom"},
        customTimeRange={"from": "2026-10-01T00:00:00Z", "to": "2026-10-31T23:59:59Z"},
        timeInterval="month",
    )
    # A commitment of a year costs 37 percent less than its cores on demand.
    savings = fee * 34_773 / 21_900 - fee
    october = of(body["monthlyStats"], "compute")["months"][-2]
    assert october["month"] == "2026-10"
    assert amount(october["onDemandCost"]) - amount(october["costWithSavings"]) == pytest.approx(savings, abs=0.02)
    days = of(body["dailyCoverage"], "compute")["days"]
    assert len(days) == 30 and all(amount(day["resourceBased"]) > 0 and "cloudSql" not in day for day in days)
    assert set(of(body["dailyCoverage"], "cloud_sql")["days"][0]) == {"date", "cloudSql", "onDemand"}


async def test_commitments_expire(party: Party, clock: Any) -> None:
    cuds = (await party.get(f"{ONE}/resource-based"))["items"]
    assert [item["state"] for item in cuds] == ["ACTIVE", "EXPIRED"]
    assert cuds[1]["endTime"] == cuds[0]["startTime"] and cuds[0]["lastMonthCPUSavings"] > 0
    (active,) = (await party.get(f"{ONE}/resource-based", status="active"))["items"]
    assert active == cuds[0]
    spend = (await party.get(f"{ONE}/spend-based"))["items"]
    assert [item["state"] for item in spend] == ["Not yet active", "Expired", "Expired"]
    scope = {"gcp_service": "cloud_sql", "region": "europe_west1"}
    (regional,) = (await party.get(f"{ONE}/spend-based", **scope))["items"]
    assert regional["region"] == "europe-west1"
    assert (await party.get(f"{ONE}/spend-based", **{**scope, "region": "us_east1"}))["items"] == []
    recommended = (await party.get(f"{ONE}/recommendations"))["items"][0]["currentCommitment"]
    clock.now += 20 * 86_400
    later = (await party.get(f"{ONE}/recommendations"))["items"][0]
    assert (recommended, later["currentCommitment"]) == (0, spend[0]["commitmentAmount"])


async def test_purchases_lead_to_the_recommendation(party: Party) -> None:
    rows = (await party.get(f"{ONE}/recommendations"))["items"]
    assert [(row["service"], row["region"]) for row in rows] == [("compute", "global"), ("cloud_sql", "europe_west1")]
    plans = {
        (item["service"], region["region"]): region
        for item in (await party.get(f"{ONE}/planned-purchases"))["items"]
        for region in item["regions"]
    }
    for row in rows:
        plan = plans[row["service"], row["region"]]
        assert amount(plan["finalCommitment"]) == row["recommendedCommitment"]
        assert plan["profile"] == row["policy"]
        bought = sum(amount(step["purchaseAmount"]) for step in plan["steps"])
        assert bought == pytest.approx(row["recommendedCommitment"] - row["currentCommitment"], abs=0.02)
    found = await party.get(f"{ONE}/recommendations/cloud_sql", region="europe_west1", granularity="hour")
    assert found["recommendation"] == rows[1] and len(found["eligibleUsage"]) == 24
    assert (await party.get(f"{ONE}/recommendations/compute"))["recommendation"] == rows[0]


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        (f"{ROOT}/mine", {}, 400, "bad_request"),
        (f"{ROOT}/{'A' * 6}-{'B' * 6}-{'C' * 6}", {}, 404, "not_found"),
        (f"{ONE}/recommendations", {"region": "us_east1"}, 400, "gcp_service_required"),
        (f"{ONE}/spend-based", {"gcp_service": "compute", "region": "us_east1"}, 400, "validation_failed"),
        (f"{ONE}/planned-purchases", {"gcp_service": "cloud_sql", "region": "us-east1"}, 400, "validation_failed"),
        (f"{ONE}/recommendations/cloud_sql", {}, 400, "validation_failed"),
        (f"{ONE}/recommendations/cloud_sql", {"region": "us_east1"}, 404, "not_found"),
        (f"{ONE}/recommendations/alloydb", {}, 400, "bad_request"),
        (f"{ONE}/resource-based", {"status": "gone"}, 400, "bad_request"),
        (f"{POLICIES}/a.b", {}, 400, "bad_request"),
        (f"{POLICIES}/mine", {}, 404, "not_found"),
    ],
)
async def test_errors(party: Party, path: str, query: dict[str, str], status: int, code: str) -> None:
    answer = await party.send("GET", path, **query)
    assert (answer.status, answer.json["code"]) == (status, code)


async def test_policies_state_where_they_were_chosen(party: Party) -> None:
    listed = (await party.get(POLICIES))["items"]
    assert [item["id"] for item in listed] == ["conservative", "balanced", "max_savings", "steady_growth"]
    assert [item["isBuiltIn"] for item in listed] == [True, True, True, False]
    assert (await party.get(POLICIES, maxResults=1))["rowCount"] == len(listed)
    own = await party.get(f"{POLICIES}/steady_growth")
    assert listed[3].items() <= own.items() and own["createdTime"]
    assert [(item["cloud"], item["service"], item["region"]) for item in own["assignments"]] == [
        ("aws", "database", None),
        ("gcp", "cloud_sql", "europe_west1"),
    ]
    settings = (await party.get("/ps4commitments/v1/aws/settings"))["items"][0]["services"]
    assert of(settings, "database")["settings"]["policy"] == own["id"]


async def test_customers_that_start(party: Party) -> None:
    (globex,) = (await party.get(ROOT, GLOBEX))["items"]
    assert of(globex["onboardingStatus"], "cloud_sql")["status"] == "onboarding"
    assert [item["service"] for item in globex["stats30d"]] == ["compute"]
    (settings,) = (await party.get("/ps4commitments/v1/gcp/settings", GLOBEX))["items"]
    assert [item["service"] for item in settings["services"]] == ["compute"]
    (umbra,) = (await party.get(ROOT, UMBRA))["items"]
    assert (await party.get(f"{ROOT}/{umbra['billingAccountId']}/resource-based", UMBRA))["items"] == []
    assert orjson.dumps(globex) != orjson.dumps(umbra)
