"""Committed use discounts of Google Cloud in commitment_summary and get_savings_summary, over a small API."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.catalog.commitments.google import parse_resource_cud
from tests.api.recorder import Recorder

from ..caller import call
from ..commitments_api import FORBIDDEN, PLANNED, make_api, usd

ACCOUNT = "01A2B3-C4D5E6-F70819"
DAY = {"computeFlexible": usd("30.00"), "resourceBased": usd("10.00"), "onDemand": usd("40.00")}
SPEND_CUD = {
    **{"cudId": "s", "cudProductName": "Compute Flexible", "region": "global", "term": "P3Y"},
    **{"commitmentAmount": 1.5, "lastMonthUtilization": 0.8, "endTime": "2026-10-31T00:00:00Z"},
}
RESOURCE_CUD = {
    **{"commitmentNumericId": "7", "plan": "TWELVE_MONTH", "region": "europe-west1", "endTime": "2026-12-01T12:00:00Z"},
    "reservedResources": [{"resourceKind": "VCPU", "amount": "4"}, {"resourceKind": "MEMORY", "amount": "16384"}],
    **{"lastMonthCPUUtilization": 0.8, "lastMonthMemoryUtilization": 0.8},
}
ADVICE = {
    **{"service": "cloud_sql", "region": "us_east1", "currentCommitment": 1.0, "recommendedCommitment": 3.0},
    "potentialAdditionalSavings": 123.45,
}
ACCOUNTS: dict[str, Any] = {
    "gcp": {"items": [{"billingAccountId": ACCOUNT, "displayName": "Acme GCP"}]},
    f"gcp {ACCOUNT}": {
        "stats30d": [{"service": "compute", "savings": usd("60.00")}, {"service": "cloud_sql", "savings": usd("0.00")}],
        "dailyCoverage": [
            {"service": "compute", "days": [{"date": "2026-08-22", **DAY}, {"date": "2026-09-20", **DAY}]},
            {"service": "cloud_sql", "days": [{"date": "2026-09-20", "cloudSql": usd("0"), "onDemand": usd("20.00")}]},
        ],
    },
    f"gcp {ACCOUNT}/spend-based": {"items": [SPEND_CUD]},
    f"gcp {ACCOUNT}/resource-based": {"items": [RESOURCE_CUD]},
    f"gcp {ACCOUNT}/recommendations": {"items": [ADVICE, {**ADVICE, "potentialAdditionalSavings": 0.0}]},
    f"gcp {ACCOUNT}/planned-purchases": {
        "items": [{"service": "compute", "regions": [{**PLANNED, "region": "global"}]}]
    },
}


async def ask(tool: str, changes: dict[str, Any] | None = None, **arguments: Any) -> Any:
    return (await call(tool, Recorder(make_api(ACCOUNTS | (changes or {}))), **arguments))["structuredContent"]


async def google(changes: dict[str, Any] | None = None) -> Any:
    (cloud,) = (await ask("commitment_summary", changes, cloud="gcp"))["clouds"]
    return cloud


async def test_figures_are_those_of_the_billing_accounts() -> None:
    cloud = await google()
    # $100 on demand and $80 of commitments in three rows; $60 are saved: $240 at on-demand rates.
    assert (cloud["onDemandUncovered30d"], cloud["savings30d"], cloud["currency"]) == (100.0, 60.0, "USD")
    assert (cloud["coveragePercent"], cloud["effectiveSavingsRatePercent"]) == (58.3, 25.0)
    assert cloud["utilizationPercent"] == 80.0 and "unknown" not in cloud
    assert cloud["expiring"] == [
        {
            "id": "spend-cud:s",
            "title": "Compute Flexible commitment in global, 3 years, $1.50 per hour",
            **{"ends": "2026-10-30", "costPerHour": 1.5},
        },
        {
            "id": "resource-cud:7",
            "title": "4 VCPU, 16384 MEMORY commitment in europe-west1, 1 year",
            **{"ends": "2026-12-01", "costPerHour": None},
        },
    ]
    purchase = cloud["nextPurchase"]
    assert purchase["billingAccount"] == {"id": ACCOUNT, "name": "Acme GCP"} and "organization" not in purchase
    assert (purchase["service"], purchase["region"], purchase["commitmentPerHour"]) == ("compute", "global", 1.25)
    assert cloud["shortfall"]["id"] == "commitment:c1"


async def test_a_recommendation_replaces_a_missing_plan() -> None:
    purchase = (await google({f"gcp {ACCOUNT}/planned-purchases": {"items": []}}))["nextPurchase"]
    assert (purchase["service"], purchase["region"], purchase["scheduledOn"]) == ("cloud_sql", "us_east1", None)
    assert (purchase["commitmentPerHour"], purchase["monthlySavings"]) == (2.0, 123.45)


@pytest.mark.parametrize(
    ("cpu", "memory", "expected", "why"),
    [
        (0.8, 0.8, 80.0, ""),
        # The price of resource-based commitments is unknown, so there is no mean.
        (1.0, 1.0, None, "no price"),
        # Without a utilization of its own, a commitment does not count.
        (1.0, 0.5, 80.0, ""),
        (None, None, 80.0, ""),
    ],
)
async def test_utilization_without_prices(cpu: Any, memory: Any, expected: float | None, why: str) -> None:
    row = {**RESOURCE_CUD, "lastMonthCPUUtilization": cpu, "lastMonthMemoryUtilization": memory}
    cloud = await google({f"gcp {ACCOUNT}/resource-based": {"items": [row]}})
    assert cloud["utilizationPercent"] == expected
    assert why in "".join(item["why"] for item in cloud.get("unknown", []))


def test_a_commitment_for_one_resource_has_its_utilization() -> None:
    cores = {**RESOURCE_CUD, "reservedResources": [{"resourceKind": "VCPU", "amount": "4"}]}
    parsed = parse_resource_cud({**cores, "lastMonthMemoryUtilization": 0.1})
    assert parsed.utilization is not None and float(parsed.utilization) == 0.8 and parsed.hourly_cost is None


async def test_what_cannot_be_read_is_unknown() -> None:
    cloud = await google({f"gcp {ACCOUNT}": FORBIDDEN, f"gcp {ACCOUNT}/spend-based": FORBIDDEN})
    assert cloud["coveragePercent"] is None and cloud["expiring"] is None and cloud["nextPurchase"] is not None
    assert all("permission" in item["why"] for item in cloud["unknown"])
    unlisted = await ask("commitment_summary", {"gcp": FORBIDDEN})
    assert [part["part"] for part in unlisted["failed"]] == ["gcp"]
    no_savings = {"stats30d": [], "dailyCoverage": ACCOUNTS[f"gcp {ACCOUNT}"]["dailyCoverage"]}
    assert (await google({f"gcp {ACCOUNT}": no_savings}))["savings30d"] is None


async def test_savings_and_waste_have_google_rows() -> None:
    found = await ask("get_savings_summary", top=50)
    rows = {row["id"]: row for name in ("save", "waste") for row in found[name]}
    purchase = rows[f"purchase:{ACCOUNT}/cloud_sql/us_east1"]
    assert purchase["title"] == (
        f"Commit $2.00 more per hour to committed use discounts for Cloud SQL (us_east1) in Acme GCP ({ACCOUNT})"
    )
    assert (purchase["amount"], purchase["currency"], purchase["provider"]) == (123.45, "USD", "google-cloud")
    # A fifth of $1.50 for 730 hours.
    assert (rows["spend-cud:s"]["amount"], rows["spend-cud:s"]["utilizationPercent"]) == (219.0, 80.0)
    assert "resource-cud:7" not in rows
    assert "unused part of 1 commitment: the API has no price for resource-based ones" in found["unknown"]
    # Right-sizing is on AWS.
    assert all(ACCOUNT not in identifier for overlap in found["overlaps"] for identifier in overlap["ids"])
