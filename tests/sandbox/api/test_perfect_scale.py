"""PerfectScale for Commitments: savings, coverage, purchases and recommendations, compared with the billing lines."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from doit_mcp.api import Doit
from doit_mcp.api.client import Client
from doit_mcp.api.http import Upstream
from doit_mcp.catalog.stores.result_store import MemoryResultStore
from doit_mcp.catalog.toolsets import Selection
from doit_mcp.protocol.jsonrpc import Request
from doit_mcp.protocol.request_metadata import Caller
from doit_mcp.protocol.revisions import REVISIONS
from doit_mcp.sandbox.accounts import ACME, User
from doit_mcp.sandbox.api.seeds.perfect_scale import seed_plans
from doit_mcp.server.catalog import catalog_factory
from doit_mcp.server.dispatcher import dispatch_request
from doit_mcp.server.notification_hub import NotificationHub
from doit_mcp.server.request_context import RequestContext, Services
from doit_mcp.server.signed_state import StateSigner
from doit_mcp.server.tasks import MemoryTasks

from ..conftest import Clock
from .conftest import ADMIN, EMPLOYEE, GLOBEX, NOON, VIEWER, Answer, Party

AWS = "/ps4commitments/v1/aws"
ROOT = f"{AWS}/organizations"
MINE, THEIRS = "900100200300", "910200300400"
ONE = f"{ROOT}/{MINE}"
DAY = 86_400


class Nowhere:
    """A channel without a connection."""

    may_stream = False

    async def send(self, data: bytes) -> None:
        raise AssertionError(data)

    async def release(self) -> None:
        """Do nothing."""


async def test_organizations_and_accounts_match_billing_data(party: Party) -> None:
    (listed,) = (await party.get(ROOT))["items"]
    body = await party.get(ONE, VIEWER)
    assert listed["managementAccountId"] == MINE and listed.items() <= body.items()
    members = await party.walk(f"{ONE}/member-accounts", "items", 3)
    assert [item["displayName"] for item in members] == [
        "acme-production",
        "acme-staging",
        "acme-launchpad",
        "acme-sandbox",
        "acme-mobile",
    ]
    for member in members:
        assert member.items() <= (await party.get(f"{ONE}/member-accounts/{member['memberAccountId']}")).items()
    for service in ("compute", "database"):
        for read in (sum_savings, potential):
            assert read(listed, service) == pytest.approx(sum(read(item, service) for item in members), abs=0.03)


async def test_savings_and_costs_match_reports(party: Party) -> None:
    skus = ["Lambda-GB-Second", "Fargate-vCPU-Hours:perCPU", "Fargate-GB-Hours", "ComputeSP:1yrNoUpfront"]
    skus += [f"BoxUsage:{size}" for size in ("m6i.xlarge", "m6i.2xlarge", "c6i.2xlarge")]
    window = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-24T23:59:59Z"}
    result = await party.query(
        metrics=[{"type": "basic", "value": "cost"}, {"type": "extended", "value": "amortized_cost"}],
        dataSource="billing",
        group=[{"id": "cost_type", "type": "fixed"}],
        filters=[{"id": "sku_id", "type": "fixed", "values": skus}],
        timeRange={"mode": "custom"},
        customTimeRange=window,
        timeInterval="month",
    )
    kinds = {row[0]: row[3:5] for row in result["rows"]}
    cost = sum(amortized for _, amortized in kinds.values())
    # Reserved usage costs nothing of its own; its fee is 36 percent below on-demand rates. The amortized cost of the
    # plans' fee is the unused part.
    on_demand = kinds["Usage"][0] + kinds["SavingsPlanCoveredUsage"][0] + kinds["DiscountedUsage"][1] / 0.64
    savings = on_demand - cost
    month = (await party.get(ONE))["monthlyStats"]["compute"][-1]
    assert month["month"] == "2026-11" and amount(month["costWithSavings"]) == pytest.approx(cost, abs=0.01)
    assert amount(month["onDemandCost"]) == pytest.approx(on_demand, abs=0.01)
    assert month["esr"] == pytest.approx(savings / on_demand, abs=1e-4)


async def test_daily_coverage_adds_up_and_follows_the_clock(party: Party, clock: Clock) -> None:
    account = await party.get(f"{ONE}/member-accounts/111122223333")
    days = account["dailyCoverage"]["compute"]
    assert len(days) == 30 and (days[0]["date"], days[-1]["date"]) == ("2026-10-25", "2026-11-23")
    kinds = ("onDemandCost", "savingsPlanCost", "reservedInstCost")
    assert all(amount(day[kind]) > 0 for day in days for kind in kinds)
    # Databases have no reserved instances.
    assert "reservedInstCost" not in account["dailyCoverage"]["database"][0]
    totals = account["savingsTotals"]["compute"]
    assert amount(totals["lifetime"]) >= amount(totals["ytd"]) > 0
    clock.advance(DAY)
    later = await party.get(f"{ONE}/member-accounts/111122223333")
    # The latest two of these days had not settled.
    assert later["dailyCoverage"]["compute"][:-3] == days[1:-2]
    assert amount(later["savingsTotals"]["compute"]["ytd"]) > amount(totals["ytd"])


async def test_savings_plans_by_type_and_state_follow_the_clock(party: Party, clock: Clock) -> None:
    path = f"{ONE}/savings-plans"
    rows = await party.walk(path, "items", 2)
    assert [item["state"] for item in rows] == ["queued", "active", "active", "active", "expired"]
    assert await party.walk(path, "items", 1, type="compute", status="active") == [
        item for item in rows if (item["savingsPlanType"], item["state"]) == ("compute", "active")
    ]
    assert (await party.get(path, type="sagemaker"))["items"] == []
    for item in rows:
        assert ("upfrontPaymentAmount" in item) == (item["paymentOption"] != "no_upfront")
        assert (item["lastMonthUtilization"] is not None) == ("lastMonthSavings" in item) == (item["state"] == "active")
    clock.advance(11 * DAY)
    assert [item["state"] for item in (await party.get(path))["items"]][0] == "active"
    advice = (await party.get(f"{ONE}/recommendations"))["compute"]
    now = (await party.get(path, type="compute", status="active"))["items"]
    assert advice["currentCommitment"] == pytest.approx(sum(amount(item["commitment"]) for item in now), abs=0.02)


async def test_reserved_instances_are_filtered(party: Party) -> None:
    path = f"{ONE}/reserved-instances"
    rows = await party.walk(path, "items", 1)
    assert {item["accountId"] for item in rows} == {"111122223333", "333344445555"}
    filters: list[tuple[dict[str, Any], tuple[str, str]]] = [
        ({"status": "retired"}, ("state", "retired")),
        ({"region": "eu-west-1"}, ("region", "eu-west-1")),
        ({"instanceType": "m6i.xlarge"}, ("instanceType", "m6i.xlarge")),
        ({"instanceFamily": "m5"}, ("instanceType", "m5.large")),
        ({"offeringClass": "convertible"}, ("offeringClass", "convertible")),
    ]
    for query, member in filters:
        fitting = [item for item in rows if item[member[0]] == member[1]]
        assert fitting and (await party.get(path, **query))["items"] == fitting
    assert (await party.get(path, instanceFamily="m"))["items"] == []
    for item in (item for item in rows if item["state"] == "active"):
        assert item["totalActualHours"] + item["unusedHours"] == item["purchasedHours"]
        assert item["utilizationPercentage"] > 0.5
        used = amount(item["realizedSavings"]) - amount(item["riCostForUnusedHours"])
        assert amount(item["netRiSavings"]) == pytest.approx(used, abs=0.03)


async def test_recommendations_are_based_on_eligible_usage(party: Party) -> None:
    listed = await party.get(f"{ONE}/recommendations")
    assert set(listed) == {"compute", "database"}
    sizes = {"hour": 24, "day": 21, "week": 16, "month": 6}
    for service, advice in listed.items():
        assert advice["recommendedCommitment"] >= advice["currentCommitment"] > 0
        for granularity, size in sizes.items():
            body = await party.get(f"{ONE}/recommendations/{service}", granularity=granularity)
            points = body["eligibleUsage"]
            assert body["recommendation"] == advice and len(points) == size
            assert [item["usageTime"] for item in points] == sorted(item["usageTime"] for item in points)
            assert ("totalUsage" in points[0]) == (granularity == "hour")
        assert await party.get(f"{ONE}/recommendations/{service}") == await party.get(
            f"{ONE}/recommendations/{service}", granularity="day"
        )
        assert all(item["minUsage"] < item["medianUsage"] < item["maxUsage"] for item in points)
        members = (await party.get(ROOT))["items"][0]["monthlyPotentialSavings"]
        assert amount(members[service]) == pytest.approx(advice["potentialAdditionalSavings"], abs=0.01)


async def test_planned_purchases_match_recommendations(party: Party, clock: Clock) -> None:
    path = f"{ONE}/planned-purchases"
    advice = await party.get(f"{ONE}/recommendations")
    rows = await party.walk(path, "items", 1)
    assert [item["service"] for item in rows] == ["compute", "database"]
    for item in rows:
        assert (await party.get(path, service=item["service"]))["items"] == [item]
        steps, target = item["steps"], advice[item["service"]]["recommendedCommitment"]
        assert amount(item["finalCommitment"]) == amount(steps[-1]["cumulativeCommitment"]) == target
        bought = sum(amount(step["purchaseAmount"]) for step in steps)
        assert bought == pytest.approx(target - advice[item["service"]]["currentCommitment"])
        saved_by_steps = sum(amount(step["estimatedSavings"]) for step in steps)
        assert saved_by_steps == pytest.approx(amount(item["estimatedSavings"]))
        assert all(int(step["scheduledDate"][-2:]) <= 25 for step in steps)
        assert all(step["requiresApproval"] == item["requiresApproval"] for step in steps)
        assert (item["purchaseApprovalStatus"] == "approved") != item["requiresApproval"]
    clock.advance(30 * DAY)
    assert (await party.get(path))["items"][0]["weeksToTarget"] < rows[0]["weeksToTarget"]


async def test_nothing_is_planned_when_commitments_suffice(party: Party) -> None:
    bought = party.api.tenant(ACME).collection("savings plans", seed_plans).values()
    next(item for item in bought if item["service"] == "database")["commitment"] = 1000.0
    assert [item["service"] for item in (await party.get(f"{ONE}/planned-purchases"))["items"]] == ["compute"]
    advice = (await party.get(f"{ONE}/recommendations"))["database"]
    assert (advice["potentialAdditionalSavings"], advice["recommendedCommitment"]) == (0.0, 1000.0)


async def test_account_that_is_not_onboarded_has_no_data(party: Party) -> None:
    item = f"{ROOT}/{THEIRS}"
    body = await party.get(item, GLOBEX)
    assert body["onboardingStatus"]["database"]["status"] == "onboarding"
    assert set(body["stats30d"]) == set(body["dailyCoverage"]) == {"compute"}
    assert set(await party.get(f"{item}/recommendations", GLOBEX)) == {"compute"}
    assert "onboarded" in await problem_detail(party, 404, f"{item}/recommendations/database", who=GLOBEX)
    assert (await party.get(f"{item}/planned-purchases", GLOBEX, service="database"))["items"] == []


async def test_settings_require_permission(party: Party) -> None:
    (item,) = (await party.get(f"{AWS}/settings"))["items"]
    assert [service_row["service"] for service_row in item["services"]] == ["compute", "database"]
    assert "settings.read" in await problem_detail(party, 403, f"{AWS}/settings", who=VIEWER)
    (item,) = (await party.get(f"{AWS}/settings", GLOBEX))["items"]
    assert [service_row["service"] for service_row in item["services"]] == ["compute"]


async def test_other_customers_are_not_found(party: Party) -> None:
    assert [item["managementAccountId"] for item in (await party.get(ROOT, GLOBEX))["items"]] == [THEIRS]
    member = f"{ROOT}/{THEIRS}/member-accounts/111122223333"
    assert "not found" in await problem_detail(party, 404, member, who=GLOBEX)
    parts = (
        "",
        "/member-accounts",
        "/savings-plans",
        "/reserved-instances",
        "/recommendations",
        "/recommendations/compute",
        "/planned-purchases",
    )
    for part in parts:
        assert "not found" in await problem_detail(party, 404, f"{ONE}{part}", who=GLOBEX)
        answer = await party.send("GET", f"{ONE}{part}", who=EMPLOYEE, headers={"X-Tenant-Id": ACME.id})
        assert answer.status == 200
    answer = await party.send("GET", ROOT, headers={"X-Tenant-Id": "GLbX7k2Ww8"})
    assert answer.json["code"] == "tenant_id_mismatch"


async def test_invalid_requests(party: Party) -> None:
    assert "12 digits" in await problem_detail(party, 400, f"{ROOT}/1")
    assert "12 digits" in await problem_detail(party, 400, f"{ONE}/member-accounts/x")
    assert "compute, database" in await problem_detail(party, 400, f"{ONE}/recommendations/sagemaker")
    for part, query in (
        ("/savings-plans", {"type": "x"}),
        ("/savings-plans", {"status": "retired"}),
        ("/reserved-instances", {"status": "expired"}),
        ("/reserved-instances", {"offeringClass": "x"}),
        ("/recommendations/compute", {"granularity": "year"}),
        ("/planned-purchases", {"service": "x"}),
        ("/savings-plans", {"maxResults": 501}),
        ("/member-accounts", {"maxResults": 0}),
    ):
        assert next(iter(query)) in await problem_detail(party, 400, ONE + part, **query)
    token = (await party.get(f"{ONE}/savings-plans", maxResults=1))["pageToken"]
    for query in ({"pageToken": "x"}, {"pageToken": token, "type": "compute"}):
        answer = await party.send("GET", f"{ONE}/savings-plans", **query)
        assert (answer.status, answer.json["code"]) == (400, "pagination_token_invalid")


async def test_every_tool_works(party: Party) -> None:
    item: dict[str, Any] = {"managementAccountId": MINE}
    for name, arguments in {
        "list_aws_organizations": {},
        "get_aws_organization": item,
        "list_aws_member_accounts": item | {"maxResults": 2},
        "get_aws_member_account": item | {"memberAccountId": "111122223333"},
        "list_aws_savings_plans": item | {"type": "compute", "status": "active"},
        "list_aws_reserved_instances": item | {"instanceFamily": "m6i"},
        "list_aws_recommendations": item,
        "get_aws_recommendation": item | {"serviceId": "compute", "granularity": "week"},
        "list_aws_planned_purchases": item | {"service": "compute"},
        "list_aws_organizations_settings": {},
    }.items():
        result = await call_tool(party, name, arguments)
        assert not result.get("isError"), (name, result)
        content = result["structuredContent"]
        assert content.get("items", content), name
    result = await call_tool(party, "get_aws_organization", {"managementAccountId": THEIRS})
    assert result["isError"] and "not found" in result["content"][0]["text"]


async def call_tool(party: Party, name: str, arguments: Any, who: User = ADMIN) -> Any:
    """The result of a tool call over MCP, on a server that uses the sandbox's API."""
    hub = NotificationHub()
    shared = Services(
        hub, StateSigner(b"k" * 32), MemoryTasks(hub), "https://console.example", MemoryResultStore(), lambda: NOON
    )

    async def credential(*, fresh: bool = False) -> str:
        return who.api_token

    def connect(*_: object) -> Doit:
        return Doit.for_sender(Client(Upstream(party.http, party.url), credential))

    offer = catalog_factory()(Selection(frozenset({"all"})), False)
    context = RequestContext(offer, Caller(REVISIONS[-1]), "somebody", connect, Nowhere(), shared)
    _, body = await dispatch_request(context, Request(1, "tools/call", {"name": name, "arguments": arguments}))
    return orjson.loads(body)["result"]


async def problem_detail(party: Party, expected: int, path: str, **options: Any) -> str:
    """The detail of a problem with the *expected* status."""
    answer: Answer = await party.send("GET", path, **options)
    assert answer.status == expected == answer.json["status"], answer
    detail: str = answer.json["detail"]
    return detail


def amount(money: Any) -> float:
    """Money as a number."""
    assert money["currency"] == "USD"
    return float(money["amount"])


def sum_savings(account: Any, service: str) -> float:
    """The savings of an account from commitments in 30 days."""
    return amount(account["stats30d"][service]["savings"])


def potential(account: Any, service: str) -> float:
    """The potential additional savings per month."""
    return amount(account["monthlyPotentialSavings"][service])
