"""The calls a model makes for "why did our costs go up?", with an SDK's client. The figures agree to the cent.

The day is fixed, so that the costs are the same whenever the tests run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from tests.e2e.launch import Sandbox, running_sandbox

GLOBEX = "admin@globex.example"
TODAY = datetime(2026, 11, 28, tzinfo=UTC)
WEEK = timedelta(days=7)
Say = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def conversation(sandbox: Sandbox) -> AsyncIterator[Say]:
    """Yield a function that calls a tool and returns its structured content."""
    bearer = {"Authorization": f"Bearer {sandbox.api_tokens[GLOBEX]}"}
    url = f"{sandbox.base}/mcp/x/all"
    async with create_mcp_http_client(headers=bearer) as http:
        async with Client(streamable_http_client(url, http_client=http), mode="auto") as client:

            async def call(tool: str, /, **arguments: Any) -> Any:
                result = await client.call_tool(tool, arguments)
                assert not result.is_error, (tool, result.content)
                return result.structured_content

            yield call


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox late in a month: the fees of its first day are larger than the jump."""
    with running_sandbox(tmp_path_factory.mktemp("conversation"), "--today", f"{TODAY:%Y-%m-%d}") as running:
        yield running


def cents(*amounts: float) -> Decimal:
    """Return the exact sum of amounts in whole cents."""
    return sum((Decimal(str(amount)).quantize(Decimal("0.01")) for amount in amounts), Decimal(0))


def sum_up(total: float, *amounts: float) -> bool:
    """Return whether *amounts* are the parts of *total*. Each of them is rounded, so each can be off by half a cent."""
    return abs(cents(*amounts) - cents(total)) <= Decimal("0.005") * (len(amounts) + 1)


def column(table: Any, name: str = "cost") -> Iterable[float]:
    """Return the values of a column."""
    at = [column_name["name"] for column_name in table["columns"]].index(name)
    return (row[at] for row in table["rows"])


def span(first: date, last: date) -> str:
    """Return a date range in the format of the tools."""
    return f"{first:%Y-%m-%d}/{last:%Y-%m-%d}"


async def test_why_did_our_costs_go_up(sandbox: Sandbox) -> None:
    async with conversation(sandbox) as say:
        service = await why_costs_went_up(say)
        await budget_and_alert(say, service)


async def why_costs_went_up(say: Say) -> str:
    """Check the overview, the trend, the jump and a ticket about it; return the service that jumped."""
    overview = await say("get_cloud_overview")
    clouds = overview["costByCloud"]
    assert sum_up(overview["totalCost"], *column(clouds), clouds.get("other", 0))

    trend = await say("cost_trend", months=3, groupBy="cloud")
    months = [month["cost"] for month in trend["months"]]
    total = trend["total"]
    assert sum_up(total["all"], *months) and sum_up(total["all"], *column(trend))
    assert sum_up(total["all"], *(group["cost"] for group in trend["groups"]), total["other"])

    anomaly = (await say("get_anomalies", sortBy="startTime", sortOrder="desc"))["anomalies"][0]
    assert anomaly["status"] == "active" and anomaly["id"] in {
        anomaly_row["id"] for anomaly_row in overview["anomalies"]
    }
    assert (await say("get_anomaly", id=anomaly["id"]))["actualCost"] == anomaly["actualCost"]

    start, today = date.fromisoformat(anomaly["startTime"][:10]), TODAY.date()
    spans = {"after": span(start, today), "before": span(start - WEEK, today - WEEK)}
    explained = await say("explain_cost_change", **spans)
    total = explained["total"]
    assert cents(total["before"], total["change"]) == cents(total["after"])
    drivers = {driver["dimension"]: driver["drivers"][0]["name"] for driver in explained["by"]}
    for driver in explained["by"]:
        for name in ("before", "after", "change"):
            assert cents(*(part[name] for part in (*driver["drivers"], driver["other"]))) == cents(total[name])

    scope = [
        {"id": "service_description", "type": "fixed", "values": [drivers["service"]]},
        {"id": "project_name", "type": "fixed", "values": [anomaly["scope"]]},
    ]
    # The customer is billed in euros, but anomalies are in dollars.
    narrow = await say("explain_cost_change", **spans, filters=scope, currency="USD")
    assert cents(narrow["total"]["after"]) == cents(anomaly["actualCost"]), "the anomaly is at the cost jump"

    subject = f"{drivers['service']} costs {total['change']} more than a week ago"
    ticket = await say(
        "create_ticket",
        ticket={
            "subject": subject,
            "body": f"See anomaly {anomaly['id']}.",
            "severity": "high",
            "platform": "microsoft_azure",
            "product": "Virtual Machines",
        },
    )
    comment = await say("create_ticket_comment", ticketId=ticket["id"], body="Who can look into it?")
    listed = await say("list_tickets", subject=subject)
    assert [row["id"] for row in listed["tickets"]] == [ticket["id"]]
    assert [comment["id"] for comment in (await say("list_ticket_comments", ticketId=ticket["id"]))["comments"]] == [
        comment["id"]
    ]
    return str(drivers["service"])


async def budget_and_alert(say: Say, service: str) -> None:
    """Create, check and delete a budget and an alert for a service; both know what was spent."""
    before = {kind: await say(f"list_{kind}") for kind in ("budgets", "alerts")}
    breakdown = await say("cost_breakdown", groupBy="service", months=1, topN=25, currency="USD")
    spent = next(group["cost"] for group in breakdown["groups"] if group["name"] == service)
    assert cents(*(group["cost"] for group in breakdown["groups"])) == cents(breakdown["total"]["shown"])
    scopes = [{"type": "fixed", "id": "service_description", "values": [service]}]
    first = TODAY.replace(day=1)
    budget = await say(
        "create_budget",
        name=f"{service} from now on",
        amount=round(spent * 1.5, 2),
        currency="USD",
        type="recurring",
        timeInterval="month",
        startPeriod=int(first.timestamp() * 1000),
        scopes=scopes,
    )
    assert cents(budget["currentUtilization"]) == cents(spent)
    assert [threshold.get("triggered", False) for threshold in budget["alerts"]] == [True, False, False], (
        "half of the budget is spent"
    )
    # The cost to date is above this value.
    config = {
        "metric": {"type": "basic", "value": "cost"},
        "timeInterval": "month",
        "condition": "value",
        "operator": "gt",
        "value": round(spent - 0.01, 2),
        "scopes": scopes,
    }
    alert = await say("create_alert", name=f"{service} has passed", config=config)
    assert alert["lastAlerted"] == alert["createTime"]
    budgets = (await say("list_budgets", nameContains=budget["name"]))["budgets"]
    assert [(row["id"], cents(row["currentUtilization"])) for row in budgets] == [(budget["id"], cents(spent))]
    assert alert["id"] in {alert_row["id"] for alert_row in (await say("list_alerts"))["alerts"]}
    for name, made in (("delete_alert", alert), ("delete_budget", budget)):
        # This client cannot be asked, so the user approves the prepared change.
        prepared = await say(name, id=made["id"])
        assert prepared["change"]["object"]["name"] == made["name"]
        assert (await say("confirm_action", approvalToken=prepared["approvalToken"]))["deleted"]
    assert {kind: await say(f"list_{kind}") for kind in before} == before
