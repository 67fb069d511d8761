"""Savings and commitments against the sandbox: figures are compared with the billing lines, summed here."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api import Api

from ..conftest import Ask

TODAY = date(2026, 9, 21).toordinal()
MICRO = 1_000_000
RESERVED_RATE = Decimal("0.64")
"""What usage costs that reservations cover, as a share of its on-demand cost. The lines have that cost only."""


def eligible_spend(api: Api, first: int, last: int) -> tuple[Decimal, Decimal, Decimal]:
    """Return cost on demand, cost at on-demand rates and net savings of what Savings Plans can cover, in dollars."""
    sums = api.tenant(ACME).ledger.sums(("sku_id", "cost_type"), first, last)
    lines = [
        (sku, kind, *(Decimal(int(value or 0)) / MICRO for value in (cost, amortized)))
        for sku, kind, cost, _, _, amortized in sums
    ]
    # Compute Savings Plans cover EC2 instances except Spot, Fargate and Lambda, and those for databases RDS instances.
    eligible = {
        sku for sku, *_ in lines if str(sku).startswith(("BoxUsage:", "Fargate-", "Lambda-", "InstanceUsage:db."))
    }
    on_demand = listed = saved = Decimal(0)
    for sku, kind, cost, amortized in lines:
        if kind in ("SavingsPlanRecurringFee", "RIFee"):
            # The amortized cost of a fee is the part that no usage took up.
            saved -= amortized
        elif sku in eligible and kind == "Usage":
            on_demand, listed = on_demand + cost, listed + cost
        elif sku in eligible and kind in ("SavingsPlanCoveredUsage", "DiscountedUsage"):
            at_list = amortized / RESERVED_RATE if kind == "DiscountedUsage" else cost
            listed, saved = listed + at_list, saved + at_list - amortized
    return on_demand, listed, saved


async def test_coverage_and_savings_follow_the_billing_lines(ask: Ask, witness: Api) -> None:
    (aws,) = (await ask("commitment_summary", cloud="aws"))["clouds"]
    on_demand, listed, saved = eligible_spend(witness, TODAY - 30, TODAY - 1)
    # The API rounds the cost of each day and type to cents.
    assert abs(Decimal(str(aws["onDemandUncovered30d"])) - on_demand) < Decimal("0.40")
    assert abs(Decimal(str(aws["savings30d"])) - saved) <= Decimal("0.01")
    assert aws["coveragePercent"] == pytest.approx(float(100 * (1 - on_demand / listed)), abs=0.06)
    assert aws["effectiveSavingsRatePercent"] == pytest.approx(float(100 * saved / listed), abs=0.06)


async def test_shortfall_and_waste_are_the_same_in_both_tools(ask: Ask, witness: Api) -> None:
    savings, summary = await ask("get_savings_summary"), await ask("commitment_summary")
    short = {item["shortfall"]["id"]: item["shortfall"]["amount"] for item in summary["clouds"] if item["shortfall"]}
    at_stake = {row["id"]: row["amount"] for row in savings["at_stake"] if row["kind"] == "commitment"}
    assert at_stake == {identifier: amount for identifier, amount in short.items() if amount} and at_stake
    for cloud in summary["clouds"]:
        first, last = (date.fromisoformat(cloud["shortfall"][name]) for name in ("periodStarts", "periodEnds"))
        rows = witness.tenant(ACME).ledger.sums(("cloud_provider",), first.toordinal(), TODAY)
        cost = next(Decimal(int(row[1] or 0)) for row in rows if row[0] == cloud["cloud"]) / MICRO
        assert abs(Decimal(str(cloud["shortfall"]["attained"])) - cost) <= Decimal("0.01")
        # The forecast goes on at the rate of the days so far.
        days, elapsed = (last - first).days + 1, TODAY - first.toordinal() + 1
        expected = Decimal(str(cloud["shortfall"]["committed"])) - cost / elapsed * days
        assert abs(Decimal(str(cloud["shortfall"]["amount"])) - max(expected, Decimal(0))) <= Decimal("0.01")


async def test_waste_is_the_unused_share_of_each_active_commitment(ask: Ask) -> None:
    found = {row["id"]: row for row in (await ask("get_savings_summary", top=50))["waste"]}
    organization = {"managementAccountId": "900100200300"}
    plans = (await ask("list_aws_savings_plans", **organization, status="active"))["items"]
    reserved = (await ask("list_aws_reserved_instances", **organization, status="active"))["items"]
    expected = {
        f"savings-plan:{plan['commitmentId']}": float(plan["commitment"]["amount"])
        * (1 - plan["lastMonthUtilization"])
        * 730
        for plan in plans
    } | {
        f"reserved-instance:{item['commitmentId']}": float(item["riCostForUnusedHours"]["amount"])
        * 730
        * item["instanceCount"]
        / item["purchasedHours"]
        for item in reserved
    }
    # Those that are used completely waste nothing.
    expected = {identifier: amount for identifier, amount in expected.items() if amount >= 0.01}
    assert set(found) == set(expected) and found and len(plans) + len(reserved) > 2
    for identifier, row in found.items():
        # The API rounds the utilization to hundredths of a percent.
        assert row["amount"] == pytest.approx(expected[identifier], abs=0.05)
    amounts = [row["amount"] for row in found.values()]
    assert amounts == sorted(amounts, reverse=True)


async def test_purchases_stand_beside_recommendations(ask: Ask) -> None:
    savings = await ask("get_savings_summary")
    advice = await ask("list_aws_recommendations", managementAccountId="900100200300")
    (account,) = (await ask("list_gcp_billing_accounts"))["items"]
    google = (await ask("list_gcp_recommendations", billingAccountId=account["billingAccountId"]))["items"]
    purchases = {row["id"].partition("/")[2]: row["amount"] for row in savings["save"] if row["kind"] == "purchase"}
    assert purchases == {
        **{service: item["potentialAdditionalSavings"] for service, item in advice.items()},
        **{f"{item['service']}/{item['region']}": item["potentialAdditionalSavings"] for item in google},
    }
    amounts = [row["amount"] for row in savings["save"]]
    assert amounts == sorted(amounts, reverse=True) and len(amounts) > len(purchases)
    assert all(set(overlap["ids"]) <= {row["id"] for row in savings["save"]} for overlap in savings["overlaps"])
    assert savings["overlaps"]


async def test_clouds_without_data_say_so(ask: Ask) -> None:
    (azure,) = (await ask("commitment_summary", cloud="azure"))["clouds"]
    assert azure["coveragePercent"] is None and azure["expiring"] is None and azure["shortfall"]["committed"] > 0
    assert {name for item in azure["unknown"] for name in item["members"]} == {
        name for name, value in azure.items() if value is None
    }
