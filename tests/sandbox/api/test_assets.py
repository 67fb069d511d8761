"""Assets, billing explainers, quotas and incidents, consistent with the billing lines."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api.seeds.customer_account import billing_profile

from ..conftest import Clock
from .conftest import GLOBEX, VIEWER, Party

ASSETS, CREATE = "/billing/v1/assets", "/billing/v1/createAsset"
EXPLAINERS, QUOTAS, INCIDENTS = "/billing/v1/billing-explainers", "/core/v1/service-quotas", "/core/v1/cloudincidents"


async def test_assets_match_billing_accounts(party: Party) -> None:
    assets = (await party.get(ASSETS))["assets"]
    assert await party.walk(ASSETS, "assets", 2) == assets
    assert [item["createTime"] for item in assets] == sorted((item["createTime"] for item in assets), reverse=True)
    aws = (await party.get(ASSETS, filter="type:amazon-web-services"))["assets"]
    both = (await party.get(ASSETS, filter="type:amazon-web-services|type:g-suite"))["assets"]
    assert len(both) > len(aws)
    assert "name" in await party.expect_error(400, "GET", ASSETS, filter="name:x")
    projects = (await party.get("/analytics/v1/dimension", type="fixed", id="project_id"))["values"]
    accounts = {item["value"] for item in projects if item["cloud"] == "amazon-web-services"}
    assert len(aws) == len(accounts) and all(any(account in item["name"] for item in aws) for account in accounts)
    for item in assets:
        detail = await party.get(f"{ASSETS}/{item['id']}")
        assert {name: detail[name] for name in item} == item
        assert detail["properties"]["customerDomain"] == ACME.domain
    assert "not found" in await party.expect_error(404, "GET", f"{ASSETS}/nothing")
    assert "not found" in await party.expect_error(404, "GET", f"{ASSETS}/{assets[0]['id']}", who=GLOBEX)


async def test_seats_are_added(party: Party) -> None:
    asset = (await party.get(ASSETS, filter="type:g-suite"))["assets"][0]
    path = f"{ASSETS}/{asset['id']}"
    changed = (await party.send("PATCH", path, {"quantity": asset["quantity"] + 5})).json
    assert changed["properties"]["subscription"]["seats"]["numberOfSeats"] == asset["quantity"] + 5
    assert (await party.get(path))["quantity"] == asset["quantity"] + 5
    for body in ({"quantity": 1}, {"quantity": 0}, {"quantity": "9"}, {}):
        assert "quantity" in await party.expect_error(400, "PATCH", path, body)
    aws = (await party.get(ASSETS, filter="type:amazon-web-services"))["assets"][0]
    assert "seats" in await party.expect_error(400, "PATCH", f"{ASSETS}/{aws['id']}", {"quantity": 2})
    assert "not found" in await party.expect_error(404, "PATCH", f"{ASSETS}/nothing", {"quantity": 2})


async def test_accounts_are_created_by_query_parameters(party: Party) -> None:
    answer = await party.send("POST", CREATE, accountName="lab", rootEmail="root@acme.example")
    account = answer.json["accountID"]
    assert (answer.status, len(account), account.isdigit()) == (200, 12, True)
    assert answer.headers["Request-Id"].startswith("req_")
    assert (await party.get(ASSETS))["assets"][0]["name"].endswith("lab")
    for query, status, field in (
        ({"rootEmail": "root@acme.example"}, 409, None),
        ({"type": "google-cloud"}, 400, "type"),
        ({"mode": "Old"}, 400, "mode"),
        ({"rootEmail": "x"}, 400, "rootEmail"),
        ({"accountName": "x" * 51}, 400, "accountName"),
    ):
        problem = await party.send("POST", CREATE, **query)
        assert (problem.status, problem.json["status"]) == (status, status)
        if field:
            assert problem.json["details"][0]["field"] == field


def sum_of(*amounts: dict[str, str]) -> Decimal:
    """The sum of amounts of money."""
    return sum((Decimal(item["amount"]) for item in amounts), Decimal(0))


async def aws_invoice(party: Party) -> Any:
    """AWS's invoice of October, the latest one."""
    return (await party.get("/billing/v1/invoices", filter="platform:amazon-web-services"))["invoices"][0]


def adds_up(explained: dict[str, Any]) -> None:
    """Check that the parts of each summary add up to its total, by service and by account."""
    for part in explained["summary"].values():
        lists = ("serviceCharges", "discounts", "tax", "credits", "savings", "otherCharges", "refunds")
        lines = [line["cost"] for name in lists for line in part[name]]
        assert sum_of(*lines, part["supportCharges"]["cost"]) == sum_of(part["total"])
    ours = explained["summary"]["doit"]
    before_credits = sum_of(ours["total"]) - sum_of(*(line["cost"] for line in ours["credits"]))
    for split in ("service", "account"):
        costs = [cost for item in explained[split].values() for cost in item["doit"].values()]
        assert sum_of(*costs) == before_credits


async def test_explainers_match_the_invoice(party: Party) -> None:
    invoice = await aws_invoice(party)
    month = await party.get(f"{EXPLAINERS}/2026-10")
    assert (month["customerId"], month["invoiceMonth"]) == (ACME.id, "2026-10")
    for key, payer in month["payers"].items():
        assert payer["payerId"] == key
        adds_up(payer)
    totals = [item["summary"]["doit"]["total"] for item in month["payers"].values()]
    total = sum_of(*totals, month["doitCredits"], month["invoiceAdjustments"])
    assert total == Decimal(str(invoice["totalAmount"])) and sum_of(month["doitCredits"]) < 0
    summaries = [item["summary"] for item in month["payers"].values()]
    assert all(sum_of(item["aws"]["total"]) > sum_of(item["doit"]["total"]) for item in summaries)
    path = f"/billing/v1/billing-profiles/{billing_profile(party.api.tenant(ACME))}/billing-explainers"
    single = await party.get(f"{path}/{invoice['id']}")
    adds_up(single)
    assert sum_of(single["summary"]["doit"]["total"]) == Decimal(str(invoice["totalAmount"]))
    assert (single["invoiceMonth"], single["invoiceNumber"]) == ("2026-10", invoice["id"])


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        (f"{EXPLAINERS}/2026-13", 400, "invoiceMonth"),
        (f"{EXPLAINERS}/0000-01", 400, "invoiceMonth"),
        (f"{EXPLAINERS}/2026-11", 404, None),
        (f"{EXPLAINERS}/1999-01", 404, None),
        ("/billing/v1/billing-profiles/CUST-0/billing-explainers/IN1", 404, None),
        ("/billing/v1/billing-profiles/a.b/billing-explainers/IN1", 400, "billingProfileId"),
        ("/billing/v1/billing-profiles/CUST-0/billing-explainers/I.N", 400, "invoiceNumber"),
    ],
)
async def test_unexplainable_periods(party: Party, path: str, status: int, field: str | None) -> None:
    problem = await party.send("GET", path)
    assert (problem.status, problem.headers["Content-Type"]) == (status, "application/problem+json")
    assert [item["field"] for item in problem.json.get("details", [])] == ([field] if field else [])
    assert (await party.send("GET", path, who=VIEWER)).status == 403


async def test_quotas_match_usage(party: Party) -> None:
    quotas = (await party.get(QUOTAS))["items"]
    full = [item["utilizationPercent"] for item in quotas]
    assert full == sorted(full, reverse=True) and {item["status"] for item in quotas} >= {"ok", "exceeded"}
    for item in quotas:
        assert item["utilizationPercent"] == pytest.approx(100 * item["usage"] / item["limit"], abs=0.01)
        assert (item["status"] == "exceeded") == (item["utilizationPercent"] >= 100)
    assert quotas[0]["resource"]["id"] == "acme-analytics", "where BigQuery jumped"
    day = {
        "timeRange": {"mode": "custom"},
        "customTimeRange": {"from": "2026-11-23T00:00:00Z", "to": "2026-11-23T00:00:00Z"},
    }
    filters = [
        {"type": "fixed", "id": name, "values": [value]}
        for name, value in (("project_id", "acme-analytics"), ("sku_id", "3362-E469-6BEF"))
    ]
    result = await party.query(metrics=[{"type": "basic", "value": "usage"}], filters=filters, **day)
    at = [column["name"] for column in result["schema"]].index("usage")
    assert quotas[0]["usage"] == pytest.approx(result["rows"][0][at], abs=0.001)


async def test_quotas_are_filtered_and_paginated(party: Party) -> None:
    body = await party.get(QUOTAS)
    explained = []
    token: dict[str, str] = {}
    while True:
        page = await party.get(QUOTAS, maxResults=2, **token)
        assert page["rowCount"] == body["rowCount"] == len(body["items"])
        explained += page["items"]
        if "pageToken" not in page:
            break
        token = {"pageToken": page["pageToken"]}
    assert explained == body["items"]
    aws = (await party.get(QUOTAS, cloudProvider="aws", minUtilizationPercent=60.5))["items"]
    assert aws == [item for item in explained if item["cloudProvider"] == "aws" and item["utilizationPercent"] >= 60.5]
    for query in (
        {"cloudProvider": "azure"},
        {"minUtilizationPercent": 101},
        {"minUtilizationPercent": "x"},
        {"minUtilizationPercent": "nan"},
        {"maxResults": 201},
    ):
        assert next(iter(query)) in await party.expect_error(400, "GET", QUOTAS, **query)


async def test_incidents(party: Party, clock: Clock) -> None:
    incidents = (await party.get(INCIDENTS))["incidents"]
    assert await party.walk(INCIDENTS, "incidents", 1) == incidents
    assert [item["createTime"] for item in incidents] == sorted(
        (item["createTime"] for item in incidents), reverse=True
    )
    for item in incidents:
        detail = await party.get(f"{INCIDENTS}/{item['id']}")
        assert {name: detail[name] for name in item} == item and detail["description"]
    active = (await party.get(INCIDENTS, filter="status:active|platform:google-cloud"))["incidents"]
    assert [item["status"] for item in active] == ["active"]
    middle = incidents[1]["createTime"]
    assert (await party.get(INCIDENTS, minCreationTime=middle))["incidents"] == incidents[:2]
    assert (await party.get(INCIDENTS, maxCreationTime=middle - 1))["incidents"] == incidents[2:]
    assert "not found" in await party.expect_error(404, "GET", f"{INCIDENTS}/nothing")
    assert "filter" in await party.expect_error(400, "GET", INCIDENTS, filter="colour:red")


async def test_platforms_and_products(party: Party) -> None:
    platforms = {item["id"] for item in (await party.get("/support/v1/metadata/platforms"))["platforms"]}
    products = (await party.get("/support/v1/metadata/products"))["products"]
    assert {item["platform"] for item in products} == platforms
    azure = (await party.get("/support/v1/metadata/products", platform="microsoft_azure"))["products"]
    assert azure and azure == [item for item in products if item["platform"] == "microsoft_azure"]
    assert "platform" in await party.expect_error(400, "GET", "/support/v1/metadata/products", platform="mainframe")
