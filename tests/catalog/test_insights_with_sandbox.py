"""The customer's own insights, triggered flows and their connections, against the sandbox's API."""

from __future__ import annotations

import pytest

from doit_mcp.api.errors import ApiError

from .conftest import Ask

OWN = {"sourceID": "public-api", "insightKey": "idle-things"}
INSIGHT = {
    **{"key": "idle-things", "title": "Idle things", "shortDescription": "Nobody uses them"},
    **{"cloudProvider": "aws", "categories": ["FinOps"]},
}
RESOURCE = {
    **{"resourceId": "i-1", "cloudProvider": "aws", "account": "123456789012", "resultType": "potential_daily_savings"},
    "result": {"value": 4.5},
}


async def test_insight_lifecycle(ask: Ask) -> None:
    assert (await ask("post_insight_result", **INSIGHT))["displayStatus"] == "actionable"
    insights = await ask("post_insight_resource_results", **OWN, resourceResults=[RESOURCE])
    assert [row["resourceId"] for row in insights["resourceResults"]] == ["i-1"]
    listed = await ask("list_optimization_recommendations", source=["public-api"], category=["FinOps", "Security"])
    row = next(insight for insight in listed["insights"] if insight["key"] == "idle-things")
    assert row["potentialDailySavings"] == 4.5
    where = {"source": row["source"], "key": row["key"]}
    assert (await ask("get_insight_resources", **where))["rowCount"] == 1
    done = await ask("update_insight_status", key="idle-things", status="dismissed")
    assert "update_insight_status" in done.pop("undo")["note"]
    assert done == {"success": True, **where, "status": "dismissed"}
    assert (await ask("get_insight", **where))["displayStatus"] == "dismissed"
    deleted = await ask("delete_insight_result", **OWN)
    assert "cannot be restored" in deleted.pop("undo")["note"]
    assert deleted == {"status": "completed", "deleted": True, **OWN}
    with pytest.raises(ApiError) as caught:
        await ask("get_insight", **where)
    assert caught.value.kind == "missing"


async def test_batch_reports_failures_and_is_deleted_by_key(ask: Ask) -> None:
    batch = [{**INSIGHT, "key": "batch", "resourceResults": [RESOURCE]}]
    posted = await ask("post_insight_results", results=batch)
    assert "delete_insight_results" in posted.pop("undo")["note"] and posted == {"failures": [], "rowCount": 0}
    assert (await ask("get_insight", source="public-api", key="batch"))["summary"]["potentialDailySavings"] == 4.5
    deleted = await ask("delete_insight_results", insightKey="batch")
    assert "cannot be restored" in deleted.pop("undo")["note"]
    assert deleted == {"deleted": True, "insightKey": "batch"}
    again = await ask("delete_insight_results", insightKey="batch")
    assert again["deleted"] is False and "nothing was deleted" in again["note"] and "undo" not in again


async def test_flow_runs_once_at_a_time(ask: Ask) -> None:
    flows = (await ask("list_cloudflows"))["items"]
    flow = next(item["id"] for item in flows if item["triggerType"] == "webhook")
    started = await ask("trigger_cloud_flow", flowID=flow, requestBodyJson={"flowId": "kept"})
    assert started["executionLink"].startswith("https://")
    with pytest.raises(ApiError) as caught:
        await ask("trigger_cloud_flow", flowID=flow)
    assert caught.value.kind == "conflict"


async def test_connection_lifecycle(ask: Ask) -> None:
    connection = await ask("create_cloudflow_connection", name="New", awsConfig={"roleName": "r"})
    changed = await ask("update_cloudflow_connection", connectionId=connection["connectionId"], enabled=False)
    assert (changed["name"], changed["enabled"]) == ("New", False)
    rows = (await ask("list_cloudflow_connections"))["items"]
    assert connection["connectionId"] in {row["connectionId"] for row in rows}
    await ask("delete_cloudflow_connection", connectionId=connection["connectionId"])
    with pytest.raises(ApiError) as caught:
        await ask("get_cloudflow_connection", connectionId=connection["connectionId"])
    assert caught.value.kind == "missing"
    used = next(row for row in rows if row["name"] == "Production accounts")
    with pytest.raises(ApiError) as caught:
        await ask("delete_cloudflow_connection", connectionId=used["connectionId"])
    assert caught.value.kind == "conflict"
