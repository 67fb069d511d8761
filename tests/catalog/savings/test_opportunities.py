"""The savings summary: three lists, each on one basis."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from tests.api.recorder import Recorder

from ..caller import call
from ..commitments_api import (
    ANOMALIES,
    CONTRACTS,
    FIRST,
    FORBIDDEN,
    ORGANIZATIONS,
    RECOMMENDATIONS,
    make_api,
    make_reserved_instance,
    savings_plan,
)


async def summary(changes: dict[str, Any] | None = None, **arguments: Any) -> Any:
    """Return the summary of the small API with *changes*."""
    return (await call("get_savings_summary", Recorder(make_api(changes)), **arguments))["structuredContent"]


def brief(rows: list[Any]) -> list[tuple[str, float, str]]:
    return [(row["id"], row["amount"], row["currency"]) for row in rows]


async def test_possible_savings_rank_recommendations_and_purchases_together() -> None:
    found = await summary()
    assert brief(found["save"]) == [
        ("recommendation:doit/aws-rightsizing", 304.17, "USD"),
        (f"purchase:{FIRST}/compute", 300.01, "USD"),
        ("recommendation:doit/gcp", 152.08, "USD"),
    ]
    assert (
        found["save"][1]["title"]
        == "Commit $3.50 more per hour to Savings Plans for compute in Acme AWS (111111111111)"
    )
    assert {row["provider"] for row in found["save"]} == {"amazon-web-services", "google-cloud"}
    assert found["asOf"] == "2026-09-21"


async def test_waste_is_the_unused_share_of_what_is_paid_per_month() -> None:
    found = await summary()
    # 2 instances x ($0.05 + $876 / 8760 hours) x half x 730 hours; a quarter of $2 x 730 hours. Plan b is fully used.
    assert brief(found["waste"]) == [("savings-plan:a", 365.0, "USD"), ("reserved-instance:r", 109.5, "USD")]
    assert [row["utilizationPercent"] for row in found["waste"]] == [75.0, 50.0]
    assert found["waste"][1]["title"] == "2 m6i.large Reserved Instances in us-east-1, account 111111111111"
    # The end at midnight is the start of the day after the last one.
    assert [row["ends"] for row in found["waste"]] == ["2027-06-30", "2026-10-30"]


async def test_shortfall_is_that_of_the_running_contract_year_only() -> None:
    found = await summary()
    assert brief(found["at_stake"]) == [
        ("commitment:c1", 600.0, "EUR"),
        ("anomaly:a3", 800.0, "USD"),
        ("anomaly:a1", 700.0, "USD"),
    ]
    assert found["at_stake"][0]["periodEnds"] == "2026-12-31" and found["at_stake"][2]["since"] == "2026-09-20"


@pytest.mark.parametrize("status", [None, "", "resolved"])
async def test_anomalies_without_a_known_status_are_open_until_they_end(status: str | None) -> None:
    anomaly = {"costOfAnomaly": 500, "serviceName": "AmazonEC2", "startTime": 1_789_000_000_000, "status": status}
    ended = {**anomaly, "id": "ended", "endTime": 1_789_200_000_000}
    ongoing = {**anomaly, "id": "ongoing"}
    found = await summary({"anomalies": {"anomalies": [ended, ongoing]}, "commitment-manager": {"commitments": []}})
    assert brief(found["at_stake"]) == [("anomaly:ongoing", 500.0, "USD")]


async def test_unknown_amounts_are_named_and_are_not_zero() -> None:
    found = await summary()
    assert found["unknown"] == [
        "shortfall of Azure MACC: too little data for a forecast",
        "unused part of 1 commitment: the cloud has not reported the utilization",
        "unused commitments and purchases on Google Cloud: no billing account is onboarded to PerfectScale for Commitments",
    ]
    without = await summary({"aws": {"items": []}})
    assert without["waste"] == [] and any("onboarded" in sentence for sentence in without["unknown"])


async def test_overlaps_are_named_and_not_summed() -> None:
    found = await summary()
    (overlap,) = found["overlaps"]
    assert overlap["ids"] == [f"purchase:{FIRST}/compute", "recommendation:doit/aws-rightsizing"]


async def test_each_list_states_its_basis_once_and_no_amount_is_repeated() -> None:
    found = await summary()
    assert found["basis"] == {
        "save": "saved per month of 730 hours (365/12 days)",
        "waste": "unused per month of 730 hours (365/12 days)",
        "at_stake": "one-time amounts: forecast shortfalls at the end of each contract period, anomaly costs to date",
    }
    assert "items" not in found and "totals" not in found
    identifiers = [row["id"] for name in ("save", "waste", "at_stake") for row in found[name]]
    assert len(identifiers) == len(set(identifiers))


async def test_top_limits_each_list_and_counts_say_how_many_there_are() -> None:
    found = await summary(top=1)
    assert [len(found[name]) for name in ("save", "waste", "at_stake")] == [1, 1, 1]
    assert found["counts"] == {"save": 3, "waste": 2, "at_stake": 3}


async def test_part_that_fails_is_unknown_and_not_empty() -> None:
    found = await summary({"insights": FORBIDDEN, f"aws {FIRST}/savings-plans": ApiError("", kind="timeout")})
    assert found["failed"] == [
        {"part": "recommendation", "why": "the signed-in user lacks the permission (HTTP 403)"},
        {"part": f"waste: Savings Plans of {FIRST}", "why": "the request timed out"},
    ]
    assert brief(found["waste"]) == [("reserved-instance:r", 109.5, "USD")]
    assert [row["part"] for row in (await summary({"aws": FORBIDDEN}))["failed"]] == ["AWS commitments"]


@pytest.mark.parametrize(
    ("changes", "unknown"),
    [
        ({"insights": FORBIDDEN}, {"save"}),
        ({"aws": FORBIDDEN}, {"save", "waste"}),
        ({"gcp": FORBIDDEN}, {"save", "waste"}),
        ({f"aws {FIRST}/savings-plans": FORBIDDEN}, {"waste"}),
        ({f"aws {FIRST}/recommendations": FORBIDDEN}, {"save"}),
        ({"commitment-manager": FORBIDDEN}, {"at_stake"}),
        ({"anomalies": FORBIDDEN}, {"at_stake"}),
    ],
)
async def test_the_number_of_rows_of_a_list_that_was_not_read_is_null(
    changes: dict[str, Any], unknown: set[str]
) -> None:
    found = await summary(changes)
    assert len(found["failed"]) == 1
    assert {name for name, count in found["counts"].items() if count is None} == unknown
    everything = dict.fromkeys(("insights", "commitment-manager", "anomalies", "aws", "gcp"), FORBIDDEN)
    with pytest.raises(ApiError):
        await summary(everything)


async def test_all_pages_of_recommendations_are_read() -> None:
    def insights(request: Any) -> Any:
        if "insights" not in request.path:
            return make_api()(request)
        second = request.query.get("pageToken") == "next"
        return {
            "results": RECOMMENDATIONS[2:] if second else RECOMMENDATIONS[:1],
            "pagination": {"pageToken": "" if second else "next"},
        }

    found = (await call("get_savings_summary", Recorder(insights)))["structuredContent"]
    recommendations = [row["id"] for row in found["save"] if row["kind"] == "recommendation"]
    assert recommendations == ["recommendation:doit/aws-rightsizing", "recommendation:doit/gcp"]


async def test_known_organizations_are_not_listed_again() -> None:
    api = Recorder(make_api())
    await call("get_savings_summary", api)
    listed = [request for request in api.requests if request.path.endswith("/organizations")]
    assert len(listed) == 1 and len(api.requests) == 5 + 3 * 2


@pytest.mark.parametrize(
    ("row", "amount"),
    [
        (savings_plan("x", "1.00", 0.0), 730.0),
        (savings_plan("x", "1.00", 1.7), None),
        (make_reserved_instance("x", 1, 0.0, upfrontFee=None, durationSeconds=None), 36.5),
        # What unused hours cost is known more exactly than the fee.
        (
            make_reserved_instance(
                "x", 1, 0.5, unusedHours=100, riCostForUnusedHours={"amount": "12.29", "currency": "USD"}
            ),
            44.86,
        ),
        (make_reserved_instance("x", 1, 0.999999, hourlyRecurringFee=None, upfrontFee=None), None),
    ],
)
async def test_limits_of_utilization(row: dict[str, Any], amount: float | None) -> None:
    kind = "savings-plans" if "savingsPlanType" in row else "reserved-instances"
    others = {f"aws {name}": {"items": []} for name in ORGANIZATIONS if name.endswith(("plans", "instances"))}
    found = await summary({**others, f"aws {FIRST}/{kind}": {"items": [row]}})
    assert [item["amount"] for item in found["waste"]] == ([] if amount is None else [amount])


async def test_currencies_are_not_compared() -> None:
    euros = {**CONTRACTS[0], "id": "eur", "currency": "EUR"}
    dollars = {
        **CONTRACTS[0],
        "id": "usd",
        "currency": "USD",
        "periods": [{**CONTRACTS[0]["periods"][1], "forecastValue": 999.0}],
    }
    found = await summary(
        {"commitment-manager": {"commitments": [euros, dollars]}, "anomalies": {"anomalies": ANOMALIES[1:2]}}
    )
    assert brief(found["at_stake"]) == [("commitment:usd", 1.0, "USD"), ("commitment:eur", 600.0, "EUR")]


def endless(request: Request) -> Any:
    """Return pages of recommendations and anomalies that never end."""
    number = int(str(request.query.get("pageToken", "0")))
    if "insights" in request.path:
        rows = [{**RECOMMENDATIONS[0], "key": f"{number}-{at}"} for at in range(3)]
        return {"results": rows, "pagination": {"pageToken": str(number + 1)}}
    if "anomalies" in request.path:
        return {"anomalies": ANOMALIES, "pageToken": str(number + 1)}
    return make_api()(request)


async def test_rows_beyond_the_pages_that_are_read_are_named() -> None:
    api = Recorder(endless)
    found = (await call("get_savings_summary", api))["structuredContent"]
    assert found["failed"] == [
        {"part": "further recommendations", "why": "only the first 12 are read"},
        {"part": "earlier anomalies", "why": "only the newest 3 are read"},
    ]
    assert sum("insights" in request.path for request in api.requests) == 4
    assert sum("anomalies" in request.path for request in api.requests) == 1
