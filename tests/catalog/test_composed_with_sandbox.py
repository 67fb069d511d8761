"""The composed tools against the sandbox: different tools report the same figures for the same bill."""

from __future__ import annotations

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.search.entities import ENTITY_KINDS

from .conftest import Ask

CENTS = 0.05


async def test_overview_and_breakdown_agree(ask: Ask) -> None:
    overview = await ask("get_cloud_overview")
    assert {"costByCloud", "topServices", "topProjects"} <= set(overview)
    assert len(overview["costByCloud"]["rows"]) == 3 and overview["totalCost"] > 1000
    assert abs(sum(row[1] for row in overview["costByCloud"]["rows"]) - overview["totalCost"]) < CENTS
    assert abs(sum(row[2] for row in overview["costByCloud"]["rows"]) - 100) < 0.001
    names = [column["name"] for column in overview["topProjects"]["columns"]]
    assert names == ["cloud_provider", "project_id", "cost", "project_name", "sharePercent"]
    assert "acme-production" in {row[3] for row in overview["topProjects"]["rows"]}
    assert overview["anomalies"] and overview["anomalies"][0]["startTime"].startswith("2026-")
    breakdown = await ask("cost_breakdown", groupBy="cloud", period="2026-08-23/2026-09-21")
    assert breakdown["total"]["all"] == overview["totalCost"] and breakdown["period"] == overview["period"]
    assert breakdown["basis"] == overview["basis"]


async def test_trend_breakdown_and_explanation_agree(ask: Ask) -> None:
    trend = await ask("cost_trend", months=3, groupBy="service", topN=3)
    months = {month["period"]: month["cost"] for month in trend["months"]}
    assert list(months) == ["2026-07", "2026-08", "2026-09"]
    running = trend["months"][-1]
    assert running["changePercent"] is None and running["likeForLike"]["after"] == running["cost"]
    same_days = await ask("cost_breakdown", groupBy="cloud", period=running["likeForLike"]["days"])
    assert same_days["total"]["all"] == running["likeForLike"]["before"] and same_days["period"]["days"] == 21
    breakdown = await ask("cost_breakdown", groupBy="service", months=3, topN=3)
    assert breakdown["groups"] == trend["groups"] and breakdown["total"] == trend["total"]
    explained = await ask("explain_cost_change", by=["service", "cloud", "sku"])
    assert (explained["total"]["before"], explained["total"]["after"]) == (months["2026-07"], months["2026-08"])
    for driver in explained["by"]:
        parts = [*driver["drivers"], driver["other"]]
        assert abs(sum(part["change"] for part in parts) - explained["total"]["change"]) < 0.001
        assert abs(sum(part["share"] for part in parts) - 100) < 0.001
    assert abs(sum(explained["causes"].values()) - explained["total"]["change"]) < 0.001
    # Some prices in the sandbox change.
    assert explained["causes"]["price"] != 0


async def test_finds_the_cost_jump_of_the_incident(ask: Ask) -> None:
    explanation = await ask("explain_cost_change", after="2026-09-18/2026-09-20", before="2026-09-11/2026-09-13", top=1)
    first = {dimension["dimension"]: dimension["drivers"][0]["name"] for dimension in explanation["by"]}
    assert first["service"] == "BigQuery" and first["project"] == "Acme analytics"
    assert any(anomaly["serviceName"] == "BigQuery" for anomaly in (await ask("get_anomalies"))["anomalies"])


async def test_compares_two_periods(ask: Ask) -> None:
    span = {"from": "2026-07-01", "to": "2026-07-31"}
    comparison = await ask("compare_spend", period2=span, period1Months=1, groupBy="cloud")
    for name in ("period1", "period2"):
        groups = sum(group[name] for group in comparison["groups"])
        assert abs(groups - comparison["final"][name]) < CENTS
        assert abs(groups + comparison["provisional"][name] - comparison["total"][name]) < CENTS


async def test_forecasts_spend(ask: Ask) -> None:
    forecast = await ask("forecast_spend")
    month, quarter = forecast["month"], forecast["quarter"]
    assert month["to"] == quarter["to"] == "2026-09-30" and forecast["method"].startswith("DoiT")
    assert abs(month["ahead"] - quarter["ahead"]) < CENTS and 0.8 < month["expected"] / month["before"] < 1.3
    budgets = (await ask("list_budgets", filter="riskStatus:atRisk"))["budgets"]
    assert {budget["id"] for budget in budgets} <= {budget["id"] for budget in forecast["budgets"]}
    assert all(budget["breaksOn"] is None or budget["breaksOn"] >= "2026-09-21" for budget in forecast["budgets"])
    aws = await ask("forecast_spend", cloud="aws")
    assert 0 < aws["month"]["spent"] < month["spent"]


async def test_large_result_can_be_queried_again(ask: Ask) -> None:
    config = {
        "dataSource": "billing",
        "metrics": [{"type": "basic", "value": "cost"}],
        "timeRange": {"mode": "last", "amount": 30, "unit": "day"},
        "timeInterval": "day",
        "group": [{"id": "project_id", "type": "fixed"}, {"id": "sku_description", "type": "fixed"}],
    }
    large = await ask("run_query", config=config)
    assert large["cut"]["lists"][0]["of"] == large["rowCount"] and "query_result" in large["cut"]["rest"]
    by_project = await ask("query_result", handle=large["handle"], groupBy=["project_id"])
    assert by_project["total"]["rows"] == large["rowCount"]
    plain = await ask("run_query", config={**config, "group": config["group"][:1], "timeInterval": "month"})
    assert abs(by_project["total"]["cost"] - sum(row[-1] for row in plain["rows"])) < CENTS
    costs = [row[1] for row in by_project["rows"]]
    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize("kind", [kind.name for kind in ENTITY_KINDS])
async def test_search_results_are_fetched(ask: Ask, kind: str) -> None:
    results = await ask("search", query=kind)
    hit = next((item for item in results["results"] if item["id"].startswith(f"{kind}:")), None)
    if hit is None:
        # Only kinds that the sandbox does not serve may be missing.
        tools = {"recommendation": "list_optimization_recommendations"}
        assert kind in tools
        with pytest.raises(ApiError) as caught:
            await ask(tools[kind])
        assert caught.value.status == 404
        return
    document = await ask("fetch", id=hit["id"])
    assert document["url"] == hit["url"] and document["url"].startswith("https://console.example/customers/")
    assert document["title"].split("(")[0].split(":")[0] == hit["title"].split("(")[0].split(":")[0]
    assert len(document["text"]) > len(document["title"])


async def test_savings_are_ranked_within_each_list(ask: Ask) -> None:
    savings = await ask("get_savings_summary")
    assert any(row["kind"] == "anomaly" and row["amount"] > 0 for row in savings["at_stake"])
    assert "failed" not in savings and set(savings["basis"]) == {"save", "waste", "at_stake"}
    kinds = {"save": None, "waste": None, "at_stake": "commitment"}
    for name, kind in kinds.items():
        amounts = [row["amount"] for row in savings[name] if kind in (None, row["kind"])]
        assert amounts == sorted(amounts, reverse=True) and amounts
