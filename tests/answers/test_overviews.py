"""What get_cloud_overview shows belongs to the cloud and period that were asked for, and adds up."""

from __future__ import annotations

import pytest

from doit_mcp.sandbox.accounts import UMBRA

from .world import World


async def test_anomalies_and_incidents_are_those_of_the_cloud_and_period(november: World) -> None:
    everything = await november.ask("get_anomalies", maxResults=100)
    wanted = [
        row["id"]
        for row in everything["anomalies"]
        if row["platform"] == "amazon-web-services" and row["startTime"].startswith("2026-10")
    ]
    answer = await november.ask("get_cloud_overview", cloud="aws", period="2026-10")
    assert [row["id"] for row in answer["anomalies"]] == wanted[:5]
    incidents = (await november.ask("get_cloud_incidents", maxResults=200))["incidents"]
    assert len({row["platform"] for row in incidents}) > 1
    for cloud in ("amazon-web-services", "google-cloud", "microsoft-azure"):
        answer = await november.ask("get_cloud_overview", cloud=cloud, period="ytd")
        assert all(row["platform"] == cloud for row in [*answer["anomalies"], *answer["incidents"]])
        own = [row for row in incidents if row["platform"] == cloud]
        assert len(answer["incidents"]) == min(5, len(own))
    old = await november.ask("get_cloud_overview", period="2025-10")
    assert all(row["created"].startswith("2025-10") for row in old["incidents"])


@pytest.mark.parametrize("top", [1, 5, 25])
async def test_parts_add_up(november: World, top: int) -> None:
    answer = await november.ask("get_cloud_overview", period="2026-10", topN=top)
    for section in ("topServices", "topProjects"):
        table = answer[section]
        assert round(sum(row[2] for row in table["rows"]) + table["other"], 2) == answer["totalCost"]
        clouds = [row[0] for row in table["rows"]]
        assert max(map(clouds.count, clouds)) <= top
    assert round(sum(row[1] for row in answer["costByCloud"]["rows"]), 2) == answer["totalCost"]


async def test_anomalies_beside_costs_in_yen_are_in_dollars(november: World) -> None:
    answer = (await november.call("get_cloud_overview", {}, UMBRA))["structuredContent"]
    assert answer["currency"] == "JPY" and answer["anomalies"]
    anomaly = answer["anomalies"][0]
    alone = (await november.call("get_anomaly", {"id": anomaly["id"]}, UMBRA))["structuredContent"]
    assert {row["currency"] for row in answer["anomalies"]} == {"USD"} == {alone["currency"]}
    assert anomaly["costOfAnomaly"] == alone["costOfAnomaly"]


async def test_what_rounding_leaves_is_in_other(november: World) -> None:
    answer = (await november.call("get_cloud_overview", {}, UMBRA))["structuredContent"]
    table = answer["costByCloud"]
    assert (
        table["other"] == -1 and round(sum(row[1] for row in table["rows"]) + table["other"], 2) == answer["totalCost"]
    )
