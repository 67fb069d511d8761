"""Savings and commitments: one fact has one number, and months are of one length."""

from __future__ import annotations

import re
from decimal import Decimal

from .world import World


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
