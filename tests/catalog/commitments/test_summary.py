"""The commitment summary: figures by cloud, and a reason for each that is unknown."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from tests.api.recorder import Recorder

from ..caller import call
from ..commitments_api import CONTRACTS, FIRST, FORBIDDEN, ORGANIZATIONS, PLANNED, SECOND, coverage, make_api, period

AWS = "amazon-web-services"
COVERAGE = ["coveragePercent", "effectiveSavingsRatePercent", "savings30d", "onDemandUncovered30d"]


async def summary(changes: dict[str, Any] | None = None, **arguments: Any) -> Any:
    """Return the summary of the small API with *changes*."""
    return (await call("commitment_summary", Recorder(make_api(changes)), **arguments))["structuredContent"]


async def aws(changes: dict[str, Any] | None = None) -> Any:
    """Return what the summary says about AWS."""
    (cloud,) = (await summary(changes, cloud="aws"))["clouds"]
    return cloud


def reasons(cloud: Any) -> dict[str, str]:
    return {name: item["why"] for item in cloud.get("unknown", []) for name in item["members"]}


async def test_coverage_and_savings_rate_are_shares_of_the_cost_at_on_demand_rates() -> None:
    cloud = await aws()
    # Two days: 200 + 100 on demand, 200 covered, 50 saved. 550 at on-demand rates. Spot Instances do not count.
    assert cloud["onDemandUncovered30d"] == 300.0 and cloud["savings30d"] == 50.0
    assert cloud["coveragePercent"] == 45.5 and cloud["effectiveSavingsRatePercent"] == 9.1
    assert cloud["currency"] == "USD" and "unknown" not in cloud


async def test_utilization_is_weighted_by_cost() -> None:
    # $2 at 75 %, $1 at 100 %, two instances at $0.15 at 50 %. A plan without a report does not count.
    assert (await aws())["utilizationPercent"] == round(100 * (1.5 + 1 + 0.15) / 3.3, 1)


async def test_next_purchase_is_the_earliest_planned_step_from_today() -> None:
    purchase = (await aws())["nextPurchase"]
    assert purchase == {
        "organization": {"id": FIRST, "name": "Acme AWS"},
        **{"service": "compute", "commitmentPerHour": 1.25, "monthlySavings": 150.0},
        **{"scheduledOn": "2026-09-21", "approval": "approved", "step": 2, "steps": 3},
        **{"targetPerHour": 10.75, "targetMonthlySavings": 219.0},
        "note": "Step 2 of 3: all steps together commit $10.75 more per hour and save $219.00 per month of 730 hours "
        "(365/12 days).",
    }


async def test_recommendation_replaces_a_missing_plan() -> None:
    nothing_planned = {f"aws {FIRST}/planned-purchases": {"items": [{**PLANNED, "status": "expired"}]}}
    purchase = (await aws(nothing_planned))["nextPurchase"]
    assert (purchase["commitmentPerHour"], purchase["monthlySavings"]) == (3.5, 300.01)
    assert purchase["scheduledOn"] is None and purchase["approval"] is None and purchase["steps"] is None
    assert (purchase["targetPerHour"], purchase["targetMonthlySavings"]) == (3.5, 300.01)
    assert purchase["note"].startswith("Recommended, not scheduled.")
    nothing = await aws({**nothing_planned, f"aws {FIRST}/recommendations": {}})
    assert nothing["nextPurchase"] is None and reasons(nothing) == {
        "nextPurchase": "no purchase is planned or recommended"
    }


async def test_expiring_commitments_end_within_90_days() -> None:
    # Today is 21 September 2026; plan b ends with 19 December, 89 days later, the others not before 2027.
    expiring = (await aws())["expiring"]
    assert [(item["id"], item["ends"], item["costPerHour"]) for item in expiring] == [
        ("reserved-instance:r", "2026-10-30", 0.3),
        ("savings-plan:b", "2026-12-19", 1.0),
    ]
    for ends, count in (("2026-12-21T00:00:00Z", 2), ("2026-12-22T00:00:00Z", 1), ("2026-09-21T10:00:00Z", 2)):
        plans = {"items": [{**ORGANIZATIONS[f"{SECOND}/savings-plans"]["items"][0], "endTime": ends}]}
        assert len((await aws({f"aws {SECOND}/savings-plans": plans}))["expiring"]) == count


async def test_shortfall_is_that_of_the_running_period() -> None:
    clouds = {item["cloud"]: item for item in (await summary())["clouds"]}
    assert list(clouds) == [AWS, "google-cloud", "microsoft-azure"]
    assert clouds["google-cloud"]["shortfall"] == {
        **{"id": "commitment:c1", "title": "GCP flat", "currency": "EUR", "amount": 600.0, "committed": 1000.0},
        **{"forecast": 400.0, "periodStarts": "2026-01-01", "periodEnds": "2026-12-31"},
    }
    # A commitment that will be met has no shortfall, which is known.
    assert clouds[AWS]["shortfall"]["amount"] == 0.0 and clouds[AWS]["shortfall"]["attained"] == 7.0
    assert reasons(clouds["microsoft-azure"])["shortfall"].startswith("too little data")


async def test_several_contracts_are_not_summed() -> None:
    second = {**CONTRACTS[0], "id": "c2", "periods": [period("2026-05-01", "2027-05-01", 5000.0, 4000.0)]}
    (cloud,) = (await summary({"commitment-manager": {"commitments": [CONTRACTS[0], second]}}, cloud="gcp"))["clouds"]
    assert [cloud["shortfall"]["amount"], *(item["amount"] for item in cloud["otherShortfalls"])] == [1000.0, 600.0]
    none = await summary({"commitment-manager": {"commitments": []}}, cloud="gcp")
    assert (
        none["clouds"][0]["shortfall"] is None and "no commitment contract" in reasons(none["clouds"][0])["shortfall"]
    )


@pytest.mark.parametrize(("cloud", "why"), [("azure", "AWS and Google Cloud only"), ("gcp", "no Google Cloud billing")])
async def test_clouds_without_commitments_are_unknown_and_not_zero(cloud: str, why: str) -> None:
    (found,) = (await summary(cloud=cloud))["clouds"]
    for name in (*COVERAGE, "utilizationPercent", "expiring", "nextPurchase"):
        assert found[name] is None and why in reasons(found)[name]


async def test_parts_that_fail_make_their_figures_unknown() -> None:
    cloud = await aws({f"aws {SECOND}": FORBIDDEN, f"aws {FIRST}/reserved-instances": ApiError("", kind="timeout")})
    # The first organization alone would be less than all.
    assert all(cloud[name] is None for name in (*COVERAGE, "utilizationPercent", "expiring"))
    assert "permission" in reasons(cloud)["coveragePercent"] and "timed out" in reasons(cloud)["expiring"]
    assert cloud["nextPurchase"]["commitmentPerHour"] == 1.25
    unlisted = await aws({"aws": FORBIDDEN})
    assert unlisted["expiring"] is None and "permission" in reasons(unlisted)["expiring"]
    assert "onboarded" in reasons(await aws({"aws": {"items": []}}))["coveragePercent"]
    failed = await summary({"commitment-manager": FORBIDDEN})
    assert [item["part"] for item in failed["failed"]] == ["contracts"]
    assert all(
        item["shortfall"] is None and "could not be read" in reasons(item)["shortfall"] for item in failed["clouds"]
    )


async def test_missing_coverage_and_savings_are_unknown() -> None:
    empty = {f"aws {FIRST}": {}, f"aws {SECOND}": {"stats30d": None, "dailyCoverage": None}}
    cloud = await aws(empty)
    assert [cloud[name] for name in COVERAGE] == [None] * 4 and "no coverage" in reasons(cloud)["coveragePercent"]
    cloud = await aws({f"aws {FIRST}": coverage("100.00", "60.00", "40.00", None)})
    assert cloud["onDemandUncovered30d"] == 300.0 and [cloud[name] for name in COVERAGE[:3]] == [None] * 3
    assert "savings" in reasons(cloud)["savings30d"]
    cloud = await aws(
        {
            f"aws {name}/{kind}": {"items": []}
            for name in (FIRST, SECOND)
            for kind in ("savings-plans", "reserved-instances")
        }
    )
    assert cloud["utilizationPercent"] is None and cloud["expiring"] == []


async def test_unknown_cloud_is_an_error_that_names_the_clouds() -> None:
    with pytest.raises(ApiError, match=r'no cloud "oracle".*"amazon-web-services", "google-cloud", "microsoft-azure"'):
        await summary(cloud="oracle")
    with pytest.raises(ApiError, match='Did you mean "google-cloud"'):
        await summary(cloud="googel-cloud")
    # Without the list of clouds, the cloud cannot be checked.
    assert (await summary({"query": FORBIDDEN}, cloud="oracle"))["failed"][0]["part"] == "clouds"


async def test_states_period_currency_and_basis() -> None:
    found = await summary()
    assert found["period"] == {
        **{"from": "2026-08-22", "to": "2026-09-20", "days": 30, "complete": False, "finalThrough": "2026-09-18"}
    }
    later = {f"aws {name}": {**coverage("1.00", "1.00", "1.00", "1.00")} for name in (FIRST, SECOND)}
    for organization in later.values():
        organization["dailyCoverage"]["compute"][0]["date"] = "2026-09-01"
    # The API may not have all of the 30 days.
    assert (await summary(later))["period"]["from"] == "2026-09-01"
    assert found["currency"] == "USD" and found["basis"]["credits"] == "excluded"
    assert found["basis"]["timeZones"] == {AWS: "UTC", "google-cloud": "America/Los_Angeles"}


async def test_everything_is_read_in_parallel() -> None:
    api = Recorder(make_api())
    await call("commitment_summary", api)
    # Contracts, organizations, billing accounts and clouds; then five lists of each organization.
    assert len(api.requests) == 4 + 5 * 2
    query = next(request.body for request in api.requests if request.path.endswith("query"))
    assert query is not None and query["config"]["currency"] == "USD"
