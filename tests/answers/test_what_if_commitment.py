"""what_if_commitment: each number is computed again from the billing lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean, median
from typing import Any

import pytest

from doit_mcp.sandbox.accounts import ACME, USERS

from .figures import CENT, Figure, check_figures, under
from .world import MICROS, World, ordinal

SKUS = {"compute": ("AmazonEC2", "AWSLambda", "AmazonECS"), "database": ("AmazonRDS",)}
FIRST, LAST = "2026-09-27", "2026-11-25"
HOURS, DAYS = 730, 60
ORGANIZATION = {"managementAccountId": "900100200300"}

USAGE_TYPES = {
    "compute": "sku_id LIKE 'BoxUsage:%' OR sku_id LIKE 'Fargate-%' OR sku_id = 'Lambda-GB-Second'",
    "database": "sku_id = 'InstanceUsage:db.r7g.large'",
}


PLAN_RATES = {
    "BoxUsage:m6i.xlarge": 0.73,
    "BoxUsage:m6i.2xlarge": 0.73,
    "BoxUsage:c6i.2xlarge": 0.72,
    "Fargate-vCPU-Hours:perCPU": 0.85,
    "Fargate-GB-Hours": 0.85,
    "Lambda-GB-Second": 0.88,
}
"""The rates of Compute Savings Plans for 1 year without upfront payment, as shares of those on demand."""


Usage = list[tuple[float, float]]
"""The eligible usage of each day or week and its part on demand, in dollars per hour at on-demand rates."""


def eligible_days(world: World, service: str) -> Usage:
    """Return the eligible usage of each day."""
    services = ", ".join(f"'{name}'" for name in SKUS[service])
    rows = world.sql(
        "SELECT day, SUM(cost), SUM(CASE cost_type WHEN 'Usage' THEN cost ELSE 0 END) FROM lines JOIN series USING (series)"
        " WHERE cost_type IN ('Usage', 'SavingsPlanCoveredUsage') AND day BETWEEN ? AND ?"
        f" AND service_id IN ({services}) AND ({USAGE_TYPES[service]}) GROUP BY day",
        *map(ordinal, (FIRST, LAST)),
    )
    assert len(rows) == DAYS
    return [(total / MICROS / 24, on_demand / MICROS / 24) for _, total, on_demand in rows]


def after(usage: Usage, covers: float) -> Usage:
    """Return the usage after commitments that cover some dollars per hour."""
    return [(total, max(0.0, on_demand - covers)) for total, on_demand in usage]


@dataclass
class Others:
    """What other commitments have to do with a purchase: what queued and planned ones cover, in dollars per hour at
    on-demand rates, and to what share active ones are used."""

    queued: float = 0.0
    planned: float = 0.0
    usable: float = 1.0


def purchase_figures(
    period: Usage, others: Others, discount: float, target: float, months: int, upfront: float = 0
) -> dict[str, Figure]:
    """Return the figures of a purchase for the usage of a *period*.

    *discount* is in percent, *target* and the share that is paid *upfront* are from 0 to 1.
    """
    days = after(period, others.queued)
    keep, edge, on_demand = 1 - discount / 100, max(1, len(days) // 10), sorted(rate for _, rate in days)
    missing = target * median(total for total, _ in days) - median(total - rate for total, rate in days)
    bought = round(missing * keep, 2)
    covers = bought / keep
    most = covers * others.usable
    used = [min(rate, most) for rate in on_demand]
    used_last = fmean(min(rate, most) for _, rate in after(days, others.planned))
    left_last = fmean(rate for _, rate in after(days, others.planned))
    means = {"expected": fmean(used), "low": fmean(used[:edge]), "high": fmean(used[-edge:])}
    eligible, before = sum(total for total, _ in days), sum(total - rate for total, rate in days)
    in_period = sorted(rate for _, rate in period)
    mean = fmean(total for total, _ in days)
    total = bought * HOURS * months
    monthly = total * (1 - upfront) / months
    figures: dict[str, Figure] = {
        "period.days": DAYS if len(days) == DAYS else 7 * len(days),
        "usage.samples": len(days),
        "usage.eligibleMedian": (median(total for total, _ in days), CENT),
        "usage.onDemandMedian": (median(in_period), CENT),
        "usage.onDemandLow": (fmean(in_period[:edge]), CENT),
        "usage.onDemandHigh": (fmean(in_period[-edge:]), CENT),
        "purchase.discountPercent": discount,
        "purchase.commitmentPerHour": bought,
        "purchase.coversPerHour": (covers, CENT),
        "purchase.upfront": (total * upfront, CENT),
        "purchase.perMonth": (monthly, CENT),
        "purchase.total": (total, CENT),
        "coveragePercent.target": 100 * target,
        "coveragePercent.before": (100 * (1 - fmean(in_period) / mean), 0.051),
        "coveragePercent.queued": (100 * before / eligible, 0.051),
        "coveragePercent.after": (100 * (before + sum(used)) / eligible, 0.051),
        "breakEvenMonth": month_of_payback(total, means["expected"] * HOURS, months),
        "breakEvenMonthLow": month_of_payback(total, means["low"] * HOURS, months),
    }
    if others.planned:
        figures["planned.coveragePercent"] = (100 * (1 - (left_last - used_last) / mean), 0.051)
        figures["planned.unusedPercent"] = (100 * (1 - used_last / covers), 0.051)
        figures["planned.savingsPerMonth"] = ((used_last - bought) * HOURS, CENT)
    if upfront:
        figures["paybackMonth"] = month_of_payback(total * upfront, means["expected"] * HOURS - monthly, months)
    for name, rate in means.items():
        figures[f"savingsPerMonth.{name}"] = ((rate - bought) * HOURS, CENT)
        figures[f"unusedPercent.{name}"] = (100 * (1 - rate / covers), 0.051)
    return figures


def month_of_payback(debt: float, gain: float, longest: int) -> int | None:
    """Return the first month after which the gains per month have paid a debt; None if that takes longer."""
    month = ceil(debt / gain) if gain > 0 else longest + 1
    return month if month <= longest else None


async def aws_figures(world: World, service: str, months: int) -> dict[str, Figure]:
    """Return the figures about the commitments that exist, from the records of the sandbox."""
    plans = (await world.ask("list_aws_savings_plans", **ORGANIZATION))["items"]
    of_type = [
        (plan["state"], plan["endTime"][:10], amount_of(plan["commitment"]))
        for plan in plans
        if plan["savingsPlanType"] == service
    ]
    instances = (await world.ask("list_aws_reserved_instances", status="active", **ORGANIZATION))["items"]
    others = [
        (item["endTime"][:10], item["instanceCount"] * amount_of(item["hourlyRecurringFee"]))
        for item in instances
        if service == "compute"
    ]
    active = [(end, hourly) for state, end, hourly in of_type if state == "active"]
    queued = [hourly for state, _, hourly in of_type if state == "queued"]
    last = f"{2026 + months // 12}-11-28"
    ending = sorted(pair for pair in [*active, *others] if pair[0] <= last)
    return {
        "existing.perHour": (sum(hourly for _, hourly in active), CENT),
        "existing.count": len(active),
        "existing.utilizationPercent": (100 * utilization(plans, service), 0.051),
        "existing.otherKinds": len(others),
        **{f"existing.endWithinTerm[{at}].perHour": (hourly, CENT) for at, (_, hourly) in enumerate(ending)},
        **{f"existing.notStarted[{at}].perHour": hourly for at, hourly in enumerate(queued)},
    }


def amount_of(money: Any) -> float:
    return float(money["amount"])


def utilization(plans: Sequence[Any], service: str) -> float:
    """Return the used share of the active Savings Plans of a type, by what they cost."""
    own = [plan for plan in plans if (plan["savingsPlanType"], plan["state"]) == (service, "active")]
    used = sum(amount_of(plan["commitment"]) * plan["lastMonthUtilization"] for plan in own)
    return used / sum(amount_of(plan["commitment"]) for plan in own)


def planned_figures(steps: Sequence[Any]) -> dict[str, Figure]:
    """Return the figures of the steps of a plan."""
    hourly = [amount_of(step["purchaseAmount"]) for step in steps]
    rates: dict[str, Figure] = {f"planned.steps[{at}].perHour": rate for at, rate in enumerate(hourly)}
    return rates | {"planned.perHour": (sum(hourly), CENT), "planned.stepCount": len(steps)}


def planned_cover(steps: Sequence[Any]) -> float:
    """Return the usage that the steps of a plan replace: what they cost and save, per hour."""
    return sum(amount_of(step["purchaseAmount"]) + amount_of(step["estimatedSavings"]) / HOURS for step in steps)


async def advised_discount(world: World, service: str) -> float:
    """Return the discount that the sandbox's recommendation implies, in tenths of a percent."""
    advice = (await world.ask("list_aws_recommendations", **ORGANIZATION))[service]
    bought = (advice["recommendedCommitment"] - advice["currentCommitment"]) * HOURS
    saved = advice["potentialAdditionalSavings"]
    return round(100 * saved / (saved + bought), 1)


@pytest.mark.parametrize(
    ("arguments", "service", "target", "months", "upfront"),
    [
        ({"term": "one_year"}, "compute", 0.8, 12, 0),
        ({"term": "three_year", "discountPercent": 46, "coveragePercent": 97.5}, "compute", 0.975, 36, 0),
        ({"term": "three_year", "discountPercent": 48, "payment": "partial_upfront"}, "compute", 0.8, 36, 0.5),
        ({"term": "one_year", "commitmentType": "database", "coveragePercent": 95}, "database", 0.95, 12, 0),
    ],
)
async def test_savings_plans_follow_the_bill(
    november: World, arguments: dict[str, Any], service: str, target: float, months: int, upfront: float
) -> None:
    answer = await november.ask("what_if_commitment", **arguments)
    assert answer["period"] | {"from": FIRST, "to": LAST, "days": DAYS, "complete": True} == answer["period"]
    assert (answer["currency"], answer["basis"]["credits"]) == ("USD", "excluded")
    plans = (await november.ask("list_aws_savings_plans", **ORGANIZATION))["items"]
    owned, queued = (
        [plan for plan in plans if plan["savingsPlanType"] == service and plan["state"] == state]
        for state in ("active", "queued")
    )
    plan = next(
        row
        for row in (await november.ask("list_aws_planned_purchases", **ORGANIZATION))["items"]
        if row["service"] == service
    )
    # The queued plan is for one year without upfront payment, whatever is bought.
    assert all((row["termDuration"], row["paymentOption"]) == ("one_year", "no_upfront") for row in queued)
    keep = 1 - (await advised_discount(november, "compute")) / 100
    others = Others(
        sum(amount_of(row["commitment"]) for row in queued) / keep,
        planned_cover(plan["steps"]),
        utilization(plans, service),
    )
    assert [row["perHour"] for row in answer["existing"]["notStarted"]] == [0.24][: len(queued)]
    known = 20.0 if service == "database" else await advised_discount(november, service)
    discount = float(arguments.get("discountPercent", known))
    figures = purchase_figures(eligible_days(november, service), others, discount, target, months, upfront)
    figures |= planned_figures(plan["steps"])
    check_figures(answer, figures | await aws_figures(november, service, months))
    assert owned
    last = f"{2026 + months // 12}-11-01"
    ending = sorted((plan["endTime"][:10], plan["commitmentId"]) for plan in owned if plan["endTime"][:10] < last)
    listed = [row["id"] for row in answer["existing"]["endWithinTerm"]]
    assert [at for at in listed if at.startswith("savings-plan:")] == [f"savings-plan:{at}" for _, at in ending]
    instances = await november.ask("list_aws_reserved_instances", status="active", **ORGANIZATION)
    reserved = [item for item in instances["items"] if service == "compute"]
    assert answer["existing"]["otherKinds"] == len(reserved) == (2 if service == "compute" else 0)
    assert {at for at in listed if at.startswith("reserved-instance:")} == {
        f"reserved-instance:{item['commitmentId']}" for item in reserved if item["endTime"][:10] < last
    }
    # Of $21.14 per hour on average, the plans in use cover about a third.
    if service == "compute":
        assert fmean(total for total, _ in eligible_days(november, service)) == pytest.approx(21.14, abs=0.01)


async def test_discounts_are_those_of_the_bill(november: World) -> None:
    ((listed, paid),) = november.sql(
        "SELECT SUM(cost), SUM(amortized_cost) FROM lines JOIN series USING (series) WHERE day BETWEEN ? AND ? AND"
        " cost_type = 'SavingsPlanCoveredUsage' AND service_id = 'AmazonRDS'",
        *map(ordinal, (FIRST, LAST)),
    )
    assert round(100 * (1 - paid / listed), 1) == 20.0
    # DoiT recommends from the usage of the last 30 days.
    usage = november.sql(
        "SELECT sku_id, cost_type, SUM(cost), SUM(amortized_cost) FROM lines JOIN series USING (series) WHERE day BETWEEN"
        f" ? AND ? AND cost_type IN ('Usage', 'SavingsPlanCoveredUsage') AND ({USAGE_TYPES['compute']}) GROUP BY 1, 2",
        *map(ordinal, ("2026-10-29", "2026-11-27")),
    )
    eligible = sum(cost for *_, cost, _ in usage)
    under_plans = sum(
        amortized if kind == "SavingsPlanCoveredUsage" else cost * PLAN_RATES[sku]
        for sku, kind, cost, amortized in usage
    )
    for service, discount, source in (
        ("database", 1 - paid / listed, "seen on the bill"),
        ("compute", 1 - under_plans / eligible, "DoiT's recommendation"),
    ):
        purchase = (await november.ask("what_if_commitment", term="one_year", commitmentType=service))["purchase"]
        # The recommendation has whole cents.
        assert purchase["discountPercent"] == pytest.approx(100 * discount, abs=0.06)
        assert source in purchase["discountSource"]
    refused = await november.refusal("what_if_commitment", term="three_year")
    assert "discountPercent: required" in refused and "known for 1 year, no upfront" in refused
    # A model without the price list must not take a number from the error.
    assert "Not read" not in refused and "discountPercent: 4" not in refused and "ask the user" in refused


async def test_a_missing_permission_is_named(november: World) -> None:
    viewer = next(user.email for user in USERS if user.customer == ACME.id and "viewer" in user.email)
    answer = await november.call("what_if_commitment", {"term": "one_year"}, user=viewer)
    assert answer["isError"]
    assert "purchase settings: the signed-in user lacks the permission (HTTP 403)" in answer["content"][0]["text"]


async def test_what_is_covered_does_not_depend_on_the_purchase(november: World) -> None:
    days = eligible_days(november, "compute")
    coverage = 100 * (1 - sum(rate for _, rate in days) / sum(total for total, _ in days))
    for discount in (1, 27, 46, 90):
        for cloud, before in (("aws", coverage), ("gcp", 0.0)):
            found = await november.ask(
                "what_if_commitment", term="three_year", cloud=cloud, discountPercent=discount, coveragePercent=90
            )
            assert found["coveragePercent"]["before"] == pytest.approx(before, abs=0.051)
            assert found["coveragePercent"]["queued"] == pytest.approx(32.0 if cloud == "aws" else 9.4, abs=0.051)


async def test_payments_differ_in_payback_only(november: World) -> None:
    answers = {
        payment: await november.ask("what_if_commitment", term="one_year", payment=payment, discountPercent=30)
        for payment in ("no_upfront", "partial_upfront", "all_upfront")
    }
    none, half, all_ = answers.values()
    assert none["savingsPerMonth"] == half["savingsPerMonth"] == all_["savingsPerMonth"]
    assert [one["purchase"]["upfront"] for one in answers.values()] == [
        share * none["purchase"]["total"] for share in (0, 0.5, 1)
    ]
    assert "paybackMonth" not in none and 1 < half["paybackMonth"] < all_["paybackMonth"] == all_["breakEvenMonth"]


async def test_google_commitments_follow_whole_weeks(november: World) -> None:
    answer = await november.ask("what_if_commitment", term="one_year", cloud="gcp", coveragePercent=100)
    assert answer["period"]["from"] == "2026-09-21" and answer["period"]["to"] == "2026-11-22"
    rows = november.sql(
        "SELECT day, SUM(cost) FROM lines JOIN series USING (series) WHERE day BETWEEN ? AND ? AND cost_type <> 'credit'"
        " AND cloud_provider = 'google-cloud' AND service_description = 'Compute Engine'"
        " AND sku_description LIKE '% Instance %' AND sku_id <> 'A0B1-3C2D-9F10' GROUP BY day ORDER BY day",
        *map(ordinal, ("2026-09-21", "2026-11-22")),
    )
    daily = [cost / MICROS / 24 for _, cost in rows]
    assert len(daily) == 63
    usage = await november.ask(
        "get_gcp_recommendation", billingAccountId=answer["scope"]["account"], gcp_service="compute", granularity="week"
    )
    weeks = [point["medianUsage"] for point in usage["eligibleUsage"]][-9:]
    # The load of an hour varies around the day's mean, so a week's median hour is within its days.
    for at, rate in enumerate(weeks):
        days = daily[7 * at : 7 * at + 7]
        assert min(days) <= rate <= max(days)
    # The sandbox sells spend-based commitments of a year for 28 % less than on demand.
    account = answer["scope"]["account"]
    plans = (await november.ask("list_gcp_planned_purchases", billingAccountId=account))["items"]
    (steps,) = [
        region["steps"]
        for plan in plans
        if plan["service"] == "compute"
        for region in plan["regions"]
        if region["steps"]
    ]
    others = Others(0.5 / 0.72, planned_cover(steps))
    figures = purchase_figures([(rate, rate) for rate in weeks], others, 28.0, 1.0, 12) | planned_figures(steps)
    # Low is the lowest hour of all weeks, after the queued commitment.
    covers, bought = answer["purchase"]["commitmentPerHour"] / 0.72, answer["purchase"]["commitmentPerHour"]
    lowest = min(point["minUsage"] for point in usage["eligibleUsage"][-9:])
    used = min(lowest - 0.5 / 0.72, covers)
    figures["savingsPerMonth.low"] = ((used - bought) * HOURS, CENT)
    figures["unusedPercent.low"] = (100 * (1 - used / covers), 0.051)
    figures["breakEvenMonthLow"] = month_of_payback(bought * HOURS * 12, used * HOURS, 12)
    existing = answer["existing"]
    owned: dict[str, Figure] = {"perHour": 0, "count": 0, "otherKinds": 1, "notStarted[0].perHour": 0.5}
    check_figures(answer, figures | under("existing", owned))
    assert answer["coveragePercent"]["before"] == 0
    assert answer["purchase"]["payment"] is None
    assert [row["ends"] for row in existing["endWithinTerm"]] == ["2027-02-11"]
    assert [(row["starts"], row["perHour"]) for row in existing["notStarted"]] == [("2026-12-10", 0.5)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"term": "one_year", "cloud": "azure"}, "works for aws and gcp"),
        ({"term": "two_years"}, "three_year"),
        ({"term": "three_year", "commitmentType": "database"}, "for 1 year without upfront payment only"),
        ({"term": "one_year", "cloud": "gcp", "payment": "all_upfront"}, "payment: "),
        ({"term": "one_year", "cloud": "gcp", "commitmentType": "database"}, "compute and cloud_sql"),
        ({"term": "one_year", "cloud": "aws", "commitmentType": "cloud_sql"}, "compute and database"),
        ({"term": "one_year", "region": "us_east1"}, "leave it out"),
        ({"term": "one_year", "account": "1"}, "900100200300"),
        ({"term": "one_year", "commitmentType": "cloud_sql", "region": "us_east9"}, "europe_west1"),
        (
            {"term": "one_year", "coveragePercent": 20},
            "cover 32.2 % of the median usage of compute already (32 % of all",
        ),
        ({"term": "one_year", "discountPercent": 0}, "discountPercent"),
    ],
)
async def test_refusals_say_what_is_right(november: World, arguments: dict[str, Any], said: str) -> None:
    assert said in await november.refusal("what_if_commitment", **arguments)
