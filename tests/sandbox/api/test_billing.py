"""Invoices add up their months; anomalies are the jumps in the billing lines."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest

from doit_mcp.sandbox.accounts import User, customer_by_id

from ..conftest import Clock
from .conftest import ADMIN, GLOBEX, UMBRA, Party

INVOICES, ANOMALIES = "/billing/v1/invoices", "/anomalies/v1"
EVERY_CUSTOMER = pytest.mark.parametrize("who", [ADMIN, GLOBEX, UMBRA], ids=lambda who: who.customer)


def when(millis: int) -> datetime:
    """The time of epoch milliseconds."""
    return datetime.fromtimestamp(millis / 1000, UTC)


@EVERY_CUSTOMER
async def test_invoices_sum_their_months(party: Party, who: User) -> None:
    customer = customer_by_id(who.customer)
    assert customer is not None
    # Lines are rounded to the minor unit of the customer's currency.
    rounding = 0.5 if customer.currency == "JPY" else 0.005
    result = await party.query(
        who,
        group=[{"type": "fixed", "id": "cloud_provider"}],
        currency=customer.currency,
        timeInterval="month",
        includePromotionalCredits=True,
        timeRange={"mode": "last", "amount": 13, "unit": "month"},
    )
    months = {(cloud, year, month): cost for cloud, year, month, cost, _ in result["rows"]}
    invoices = (await party.get(INVOICES, who))["invoices"]
    assert len(invoices) == len(months) == 13 * len({cloud for cloud, _, _ in months})
    for invoice in invoices:
        issued = when(invoice["invoiceDate"])
        year, month = (issued.year, issued.month - 1) if issued.month > 1 else (issued.year - 1, 12)
        cost = months.pop((invoice["platform"], str(year), f"{month:02}"))
        details = await party.get(f"{INVOICES}/{invoice['id']}", who)
        items = details.pop("lineItems")
        assert details == invoice
        assert invoice["totalAmount"] == pytest.approx(cost, abs=rounding * len(items))
        assert sum(item["price"] * item["qty"] for item in items) == pytest.approx(invoice["totalAmount"], abs=1e-6)
        assert {invoice["currency"], *(item["currency"] for item in items)} == {customer.currency}
        assert all(_is_payable(item["price"], rounding) for item in items)
        assert {item["type"] for item in items if item["price"] < 0} <= {"credit"}
    assert not months


def _is_payable(price: float, rounding: float) -> bool:
    """Whether a price is a whole number of minor units."""
    return abs(price / (2 * rounding) - round(price / (2 * rounding))) < 1e-6


async def test_invoices_are_paid_on_time_or_late(party: Party, clock: Clock) -> None:
    invoices = (await party.get(INVOICES))["invoices"]
    assert [item["invoiceDate"] for item in invoices] == sorted(
        (item["invoiceDate"] for item in invoices), reverse=True
    )
    statuses = {item["platform"]: item["status"] for item in invoices[:3]}
    assert statuses == {"amazon-web-services": "PAID", "google-cloud": "OPEN", "microsoft-azure": "OPEN"}
    clock.advance(9 * 86_400)  # 3 December
    later = {item["id"]: item for item in (await party.get(INVOICES))["invoices"]}
    assert len(later) == 42
    assert {item["platform"]: later[item["id"]]["status"] for item in invoices[:3]} == {
        "amazon-web-services": "PAID",
        "google-cloud": "PAID",
        "microsoft-azure": "PAST DUE",
    }
    assert all((item["balanceAmount"] == 0) == (item["status"] == "PAID") for item in later.values())


async def test_invoices_are_filtered_and_paginated(party: Party) -> None:
    invoices = (await party.get(INVOICES))["invoices"]
    assert await party.walk(INVOICES, "invoices", 7) == invoices
    paid = (await party.get(INVOICES, filter="status:PAID|platform:google-cloud"))["invoices"]
    assert paid == [item for item in invoices if (item["status"], item["platform"]) == ("PAID", "google-cloud")] != []
    bounds = {"minCreationTime": invoices[8]["invoiceDate"], "maxCreationTime": invoices[5]["invoiceDate"]}
    assert (await party.get(INVOICES, **bounds))["invoices"] == invoices[3:9]
    wrong = await party.send("GET", INVOICES, filter="colour:red")
    assert (wrong.status, wrong.json["details"]) == (400, [{"issue": "invalid_value", "field": "filter"}])


@EVERY_CUSTOMER
async def test_anomalies_match_cost_jumps(party: Party, who: User) -> None:
    anomalies = (await party.get(ANOMALIES, who))["anomalies"]
    assert len(anomalies) == 2
    for anomaly in anomalies:
        daily = await _daily(party, who, anomaly)
        start = when(anomaly["startTime"]).strftime("%Y-%m-%d")
        end = when(anomaly["endTime"]).strftime("%Y-%m-%d") if anomaly["endTime"] else "9999"
        inside = [cost for day, cost in daily.items() if start <= day < end]
        outside = [cost for day, cost in daily.items() if not start <= day < end]
        assert min(inside) > 1.5 * max(outside), anomaly
        assert anomaly["actualCost"] == pytest.approx(sum(inside), abs=0.001)
        assert anomaly["costOfAnomaly"] == pytest.approx(anomaly["actualCost"] - anomaly["expectedMaxCost"])
        assert sum(sku["cost"] for sku in anomaly["top3SKUs"]) == pytest.approx(anomaly["actualCost"], abs=0.001)
        details = await party.get(f"{ANOMALIES}/{anomaly['id']}", who)
        assert {**details, "id": anomaly["id"], "notifications": []} == anomaly
    # Anomaly detection does not know the seeded incidents.
    customer = customer_by_id(who.customer)
    assert customer is not None
    ledger = party.api.tenant(customer).ledger
    ends = [when(item["endTime"]).toordinal() - 1 if item["endTime"] else ledger.last for item in anomalies]
    spans = {(when(item["startTime"]).toordinal(), end) for item, end in zip(anomalies, ends)}
    assert spans == {(jump.first, jump.last) for jump in ledger.jumps}


async def _daily(party: Party, who: User, anomaly: Any) -> dict[str, float]:
    """The daily cost of an anomaly's place in the surrounding month."""
    start = when(anomaly["startTime"]).timestamp()
    times = [datetime.fromtimestamp(start + days * 86_400, UTC).isoformat() for days in (-14, 14)]
    result = await party.query(
        who,
        timeInterval="day",
        timeRange={"mode": "custom"},
        customTimeRange={"from": times[0], "to": times[1]},
        filters=[
            {"type": "fixed", "id": "project_name", "values": [anomaly["scope"]]},
            {
                "type": "fixed",
                "id": "service_description",
                "mode": "contains",
                "values": [
                    {"EC2": "Elastic Compute", "S3": "Simple Storage", "RDS": "Relational Database"}.get(
                        anomaly["serviceName"], anomaly["serviceName"]
                    )
                ],
            },
        ],
    )
    daily: dict[str, float] = defaultdict(float)
    for year, month, day, cost, _ in result["rows"]:
        daily[f"{year}-{month}-{day}"] += cost
    return daily


async def test_anomaly_ends_when_costs_recover(party: Party, clock: Clock) -> None:
    active = (await party.get(ANOMALIES, filter="serviceName:BigQuery"))["anomalies"][0]
    assert (active["status"], active["endTime"], active["deactivationReason"]) == ("active", None, None)
    clock.advance(86_400)
    ended = (await party.get(ANOMALIES, filter="serviceName:BigQuery"))["anomalies"][0]
    assert (ended["id"], ended["status"], ended["deactivationReason"]) == (active["id"], "inactive", "reverted")
    # By then, more of the latest days' costs has arrived.
    assert when(ended["endTime"]).strftime("%m-%d") == "11-25" and ended["costOfAnomaly"] > active["costOfAnomaly"]


async def test_anomaly_order_and_summary(party: Party) -> None:
    body = await party.get(ANOMALIES)
    anomalies = body["anomalies"]
    assert (body["truncated"], body["totalCount"], body["totalCountExact"]) == (False, 2, True)
    assert body["anomalySummary"] == {
        "countBySeverity": {"information": 0, "warning": 1, "critical": 1},
        "totalCostOfAnomaly": round(sum(item["costOfAnomaly"] for item in anomalies), 2),
    }
    assert anomalies[0]["startTime"] > anomalies[1]["startTime"]
    for field in ("startTime", "severityLevel", "costOfAnomaly"):
        down, up = [
            (await party.get(ANOMALIES, sortBy=field, sortOrder=order))["anomalies"] for order in ("desc", "asc")
        ]
        assert down == up[::-1] == anomalies
    page = await party.get(ANOMALIES, maxResults=1, sortOrder="asc")
    assert (page["truncated"], page["totalCount"], page["rowCount"]) == (True, 2, 1)
    assert page["anomalySummary"] == body["anomalySummary"]
    assert await party.walk(ANOMALIES, "anomalies", 1, sortOrder="asc") == anomalies[::-1]
    assert "pageToken" in await party.expect_error(400, "GET", ANOMALIES, maxResults=1, pageToken=page["pageToken"])


async def test_anomalies_are_filtered(party: Party) -> None:
    anomalies = (await party.get(ANOMALIES))["anomalies"]

    async def ids(**query: object) -> list[str]:
        return [item["id"] for item in (await party.get(ANOMALIES, **query))["anomalies"]]

    first, second = (item["id"] for item in anomalies)
    assert await ids(filter="severityLevel:critical") == await ids(filter="platform:google-cloud") == [first]
    assert await ids(filter=f"billingAccount:{anomalies[1]['billingAccount']}") == [second]
    assert await ids(filter="serviceName:EC2|serviceName:BigQuery") == [first, second]
    assert await ids(minCreationTime=anomalies[1]["startTime"] + 1) == [first]
    assert await ids(maxCreationTime=anomalies[1]["startTime"]) == [second]
    notified = (await party.get(ANOMALIES, includeNotifications="true"))["anomalies"]
    assert all(item["notifications"] for item in notified) and not any(item["notifications"] for item in anomalies)
    for query in (
        {"filter": "colour:red"},
        {"filter": "critical"},
        {"filter": "severityLevel:Critical"},
        {"sortBy": "colour"},
        {"sortOrder": "up"},
        {"includeNotifications": "maybe"},
    ):
        assert next(iter(query)) in await party.expect_error(400, "GET", ANOMALIES, **query)
    assert "not found" in await party.expect_error(404, "GET", f"{ANOMALIES}/nothing")
