"""The tools against the sandbox's API, which follows the published document independently of our client."""

from __future__ import annotations

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.api.seeds import flows

from .conftest import Ask


async def test_who_am_i(ask: Ask) -> None:
    user = {"domain": "acme.example", "email": "admin@acme.example"}
    answer = await ask("validate_user")
    assert {"BillingProfilesAdmin", "UsersManager"} <= set(answer.pop("permissions"))
    assert answer == {**user, "id": "acme.example/admin@acme.example"}


async def test_budget_lifecycle(ask: Ask) -> None:
    page = await ask("list_budgets", maxResults="2")
    assert len(page["budgets"]) == 2 and page["pageToken"]
    second = await ask("list_budgets", maxResults="2", pageToken=page["pageToken"])
    assert not {row["id"] for row in page["budgets"]} & {row["id"] for row in second["budgets"]}
    name = page["budgets"][0]["budgetName"]
    assert (await ask("get_budget", name=name))["id"] == page["budgets"][0]["id"]
    budget = await ask(
        "create_budget",
        name="Sandbox check",
        amount="1000",
        currency="usd",
        type="recurring",
        timeInterval="month",
        startPeriod="1789000000000",
        scopes=[{"id": "cloud_provider", "type": "fixed", "values": ["amazon-web-services"], "includeNull": False}],
    )
    changed = await ask("update_budget", id=budget["id"], amount=2000)
    assert changed["amount"] == 2000 and changed["name"] == "Sandbox check"
    assert [row["id"] for row in (await ask("list_budgets", name="sandbox CHECK"))["budgets"]] == [budget["id"]]


async def test_cost_breakdown_includes_a_remainder(ask: Ask) -> None:
    result = await ask("cost_breakdown", groupBy="service", months=2, topN=3)
    everything = await ask("cost_breakdown", groupBy="service", months=2, topN=25)
    assert len(result["groups"]) == 3 and result["rowCount"] == len(result["rows"]) == 6
    # There are more services than one answer may show.
    assert 0 < everything["total"]["other"] < result["total"]["other"]
    assert abs(result["total"]["all"] - everything["total"]["all"]) < 0.05
    assert result["total"]["other"] > 0 and result["currency"] == "USD"
    assert result["period"] == {
        **{"from": "2026-08-01", "to": "2026-09-21", "days": 52},
        **{"complete": False, "finalThrough": "2026-09-18"},
    }
    assert len((await ask("cost_breakdown", groupBy="cloud", cloud="aws"))["groups"]) == 1
    assert (await ask("cost_breakdown", groupBy="project"))["groups"]


async def test_queries_and_reports_have_rows(ask: Ask) -> None:
    config = {
        "dataSource": "billing",
        "metrics": [{"type": "basic", "value": "cost"}],
        "timeRange": {"mode": "last", "amount": 7, "unit": "day"},
        "timeInterval": "day",
        "filters": [{"id": "cloud_provider", "type": "fixed", "values": ["GCP"]}],
        "group": [{"id": "cloud_provider", "type": "fixed"}],
    }
    query_result = await ask("run_query", config=config)
    assert query_result["rowCount"] == 7 and {row[0] for row in query_result["rows"]} == {"google-cloud"}
    reports = (await ask("list_reports", maxResults=3))["reports"]
    result = await ask("get_report_results", name=reports[0]["reportName"])
    assert result["id"] == reports[0]["id"] and result["result"]["rows"]


async def test_anomalies_invoices_and_tickets(ask: Ask) -> None:
    anomalies = (await ask("get_anomalies", sortBy="costOfAnomaly", sortOrder="desc"))["anomalies"]
    assert (await ask("get_anomaly", id=anomalies[0]["id"]))["costOfAnomaly"] == anomalies[0]["costOfAnomaly"]
    invoices = (await ask("list_invoices", maxResults=1))["invoices"]
    assert (await ask("get_invoice", id=invoices[0]["id"]))["invoiceDateFormatted"].startswith("20")
    ticket = {"subject": "Check me", "body": "b", "platform": "perfectscale", "product": "Other", "severity": "low"}
    created = await ask("create_ticket", ticket=ticket)
    tickets = (await ask("list_tickets", subject="check ME"))["tickets"]
    assert [row["id"] for row in tickets] == [created["id"]]


async def test_flow_is_refined(ask: Ask, witness: Api) -> None:
    flow = next(iter(witness.tenant(ACME).collection("flows", flows.seed_flows)))
    result = await ask("refine_cloudflow", flowId=flow, question="Post the cost to Slack")
    assert result["complete"] and result["conversationId"] and len(result["answer"]) > 20 and result["steps"]


async def test_api_reason_is_passed_on(ask: Ask) -> None:
    with pytest.raises(ApiError) as caught:
        await ask("get_anomalies", filter="nonsense")
    assert caught.value.status == 400 and "filter" in caught.value.reason
