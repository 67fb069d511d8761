"""Savings and commitments: one fact has one number, and months are of one length."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from doit_mcp.sandbox.api.costs.google_commitments import CORE_PRICE, FEE_PRICE

from .world import World, dollars, open_world, ordinal

FEES = "SUM(cost), SUM(amortized_cost)"
"""The cost of a fee and, as its amortized cost, the part that no usage took up."""


def fees(world: World, kind: str, first: str, last: str, where: str = "1") -> tuple[float, float]:
    """Return the fees of a cost type from *first* to *last*, and the unused part of them, in dollars."""
    query = (
        f"SELECT {FEES} FROM lines JOIN series USING (series) WHERE cost_type = ? AND day BETWEEN ? AND ? AND {where}"
    )
    ((cost, unused),) = world.sql(query, kind, ordinal(first), ordinal(last))
    return dollars(cost), dollars(unused)


@pytest.mark.parametrize(
    ("today", "first", "last", "days"),
    [("2026-11-28", "2026-10-01", "2026-10-31", 31), ("2026-12-01", "2026-11-01", "2026-11-30", 30)],
)
async def test_waste_is_what_the_bill_says_is_unused(today: str, first: str, last: str, days: int) -> None:
    async with open_world(today) as world:
        waste = (await world.ask("get_savings_summary", top=50))["waste"]
        for service in ("Compute", "Database"):
            rows = [row for row in waste if row["title"].startswith(service)]
            paid, unused = fees(world, "SavingsPlanRecurringFee", first, last, f"service_id = '{service}SavingsPlans'")
            assert rows and unused > 0
            assert {row["utilizationPercent"] for row in rows} == {round(100 * (1 - unused / paid), 1)}
            # Commitments have whole cents per hour, utilization four decimals; the last days of a month settle late.
            expected = unused / paid * max(paid / days, _full_day(world, service)) * 365 / 12
            assert sum(row["amount"] for row in rows) == pytest.approx(expected, abs=0.75)
        # Usage took up all fees of reservations.
        assert fees(world, "RIFee", first, last)[1] == 0 and not [row for row in waste if "reserved" in row["kind"]]


def _full_day(world: World, service: str) -> float:
    query = "SELECT MAX(cost) FROM lines JOIN series USING (series) WHERE service_id = ?"
    return dollars(world.sql(query, f"{service}SavingsPlans")[0][0])


async def test_reservations_cost_what_the_bill_amortizes(november: World) -> None:
    listed = await november.ask("list_aws_reserved_instances", managementAccountId="900100200300", status="active")
    query = (
        "SELECT project_id, SUM(amortized_cost) FROM lines JOIN series USING (series)"
        " WHERE cost_type = 'DiscountedUsage' AND sku_id = 'BoxUsage:m6i.xlarge' AND day BETWEEN ? AND ? GROUP BY 1"
    )
    used = november.sql(query, ordinal("2026-10-29"), ordinal("2026-11-27"))
    assert {row["accountId"]: float(row["totalAmortizedFee"]["amount"]) for row in listed["items"]} == {
        account: dollars(amortized) for account, amortized in used
    }
    assert all(row["utilizationPercentage"] == 1 and row["unusedHours"] == 0 for row in listed["items"])


async def test_savings_are_net_of_unused_fees(november: World) -> None:
    (aws,) = (await november.ask("commitment_summary", cloud="aws"))["clouds"]
    query = (
        "SELECT SUM(CASE cost_type WHEN 'SavingsPlanCoveredUsage' THEN cost ELSE amortized_cost / 0.64 END),"
        " SUM(amortized_cost) FROM lines JOIN series USING (series) WHERE day BETWEEN ? AND ?"
        " AND cost_type IN ('SavingsPlanCoveredUsage', 'DiscountedUsage')"
        " AND sku_id IN (SELECT sku_id FROM series WHERE cost_type = 'SavingsPlanCoveredUsage')"
    )
    days = ("2026-10-29", "2026-11-27")
    ((listed, paid),) = november.sql(query, *map(ordinal, days))
    _, unused = fees(november, "SavingsPlanRecurringFee", *days)
    assert aws["savings30d"] == pytest.approx(dollars(listed) - dollars(paid) - unused, abs=0.011) and unused > 0


async def test_next_purchase_names_the_whole_that_the_savings_summary_shows(november: World) -> None:
    (aws,) = (await november.ask("commitment_summary", cloud="aws"))["clouds"]
    purchase = aws["nextPurchase"]
    saving = next(
        row
        for row in (await november.ask("get_savings_summary"))["save"]
        if row["id"] == f"purchase:{purchase['organization']['id']}/{purchase['service']}"
    )
    hourly = re.search(r"\$([\d.,]+) more per hour", saving["title"])
    assert hourly is not None and float(hourly[1]) == purchase["targetPerHour"] > purchase["commitmentPerHour"]
    assert saving["amount"] == purchase["targetMonthlySavings"] > purchase["monthlySavings"]
    assert (purchase["step"], purchase["steps"]) == (1, 4)
    for text in ("Step 1 of 4", f"${purchase['targetPerHour']:,.2f}", f"${purchase['targetMonthlySavings']:,.2f}"):
        assert text in purchase["note"]


async def test_months_have_730_hours_in_all_lists(november: World) -> None:
    savings = await november.ask("get_savings_summary", top=50)
    assert all("per month of 730 hours (365/12 days)" in savings["basis"][name] for name in ("save", "waste"))
    found = (await november.ask("list_optimization_recommendations"))["insights"]
    monthly = {f"recommendation:{row['source']}/{row['key']}": row["potentialDailySavings"] for row in found}
    for row in savings["save"]:
        if row["kind"] == "recommendation":
            daily = Decimal(str(monthly[row["id"]]))
            assert abs(Decimal(str(row["amount"])) - daily * 730 / 24) <= Decimal("0.01")


async def test_utilization_is_the_used_share_of_all_fees(november: World) -> None:
    (aws,) = (await november.ask("commitment_summary", cloud="aws"))["clouds"]
    days = ("2026-10-01", "2026-10-31")
    paid, unused = fees(november, "SavingsPlanRecurringFee", *days)
    reserved, unused_reserved = fees(november, "RIFee", *days)
    share = 1 - (unused + unused_reserved) / (paid + reserved)
    assert unused > 0 and aws["utilizationPercent"] == pytest.approx(100 * share, abs=0.1)


async def test_a_total_of_a_page_says_that_other_pages_have_more(november: World) -> None:
    whole = await november.ask("list_optimization_recommendations", pageSize=100)
    assert whole["isWholeList"] and whole["currency"] == "USD" and whole["rowCount"] > 2
    first = await november.ask("list_optimization_recommendations", pageSize=1)
    last = await november.ask("list_optimization_recommendations", pageSize=1, page=whole["rowCount"] - 1)
    assert not first["isWholeList"] and not last["isWholeList"] and "pageToken" not in last
    assert first["totalDailySavings"] + last["totalDailySavings"] < whole["totalDailySavings"]


async def test_marketplace_spend_of_a_commitment_is_that_of_the_bill(november: World) -> None:
    commitments = (await november.ask("list_commitments"))["commitments"]
    aws = next(row for row in commitments if row["cloudProvider"] == "amazon-web-services")
    details = await november.ask("get_commitment", id=aws["id"])
    first = details["periods"][0]["startDate"][:10]
    spent = november.cost(first, "2026-11-28", "sku_description LIKE '%Marketplace%'")
    assert spent > 0 and details["periods"][0]["marketplaceSpend"] == pytest.approx(spent, abs=0.01)


async def test_google_commitments_follow_the_bill(november: World) -> None:
    (google,) = (await november.ask("commitment_summary", cloud="gcp"))["clouds"]
    days = tuple(map(ordinal, ("2026-10-29", "2026-11-27")))
    eligible = (
        "SELECT SUM(cost) FROM lines JOIN series USING (series) WHERE day BETWEEN ? AND ? AND cost_type <> 'credit'"
        " AND cloud_provider = 'google-cloud'"
    )
    cores = "sku_id = 'A0B1-3C2D-9F10'"
    instances = f"service_description = 'Compute Engine' AND sku_description LIKE '% Instance %' AND NOT {cores}"
    ((on_demand,),) = november.sql(f"{eligible} AND (service_description = 'Cloud SQL' OR ({instances}))", *days)
    ((fees,),) = november.sql(f"{eligible} AND {cores}", *days)
    # The price of committed cores, below that of the same cores on demand.
    ratio = CORE_PRICE / FEE_PRICE
    on_demand, paid, saved = dollars(on_demand), dollars(fees), dollars(fees) * (ratio - 1)
    assert google["onDemandUncovered30d"] == pytest.approx(on_demand, abs=0.4) and paid > 0
    assert google["savings30d"] == pytest.approx(saved, abs=0.02)
    listed = on_demand + paid + saved
    assert google["coveragePercent"] == pytest.approx(100 * (1 - on_demand / listed), abs=0.06)
    assert google["effectiveSavingsRatePercent"] == pytest.approx(100 * saved / listed, abs=0.06)
    (ending,) = google["expiring"]
    assert google["utilizationPercent"] == 100.0 and (ending["ends"], ending["costPerHour"]) == ("2027-02-11", None)


SERVICES = {
    "900100200300/compute": ("Amazon Elastic Compute Cloud", "AWS Lambda"),
    "900100200300/database": ("Amazon Relational Database Service",),
    "01A2B3-C4D5E6-F70819/compute/global": ("Compute Engine",),
    "01A2B3-C4D5E6-F70819/cloud_sql/europe_west1": ("Cloud SQL",),
}
"""The services that each purchase covers."""


async def test_overlaps_are_purchases_and_recommendations_for_the_same_lines(november: World) -> None:
    """On every cloud: a commitment and a smaller size count the same lines of the bill."""
    savings = await november.ask("get_savings_summary", top=50)
    titles = {row["id"]: row["title"] for row in savings["save"]}
    rightsized = {title.removeprefix("Right-size "): one for one, title in titles.items() if "Right-size" in title}
    expected = []
    for purchase in (one for one in titles if one.startswith("purchase:")):
        services = SERVICES[purchase.removeprefix("purchase:")]
        for service, recommendation in rightsized.items():
            # Both are based on the cost of the last 30 days.
            shared = november.cost("2026-10-29", "2026-11-27", "service_description = ?", service)
            if service in services and shared > 0:
                expected.append([purchase, recommendation])
    assert {row["id"].partition("/")[0] for row in savings["save"] if row["kind"] == "purchase"} == {
        "purchase:900100200300",
        "purchase:01A2B3-C4D5E6-F70819",
    }
    assert len(expected) == 2 and sorted(overlap["ids"] for overlap in savings["overlaps"]) == sorted(expected)
