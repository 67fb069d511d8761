"""Insights: requests; hints of replacing and deleting operations; only the customer's own insights are written."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import AREAS
from doit_mcp.api.operation import Request

from .calling import capture_request

PATH = "/insights/v1/results"
OWN = f"{PATH}/source/public-api/insight"
INSIGHT = {
    **{"key": "k/1", "title": "t", "shortDescription": "s", "cloudProvider": "aws", "categories": ["FinOps"]},
    **{"status": "dismissed", "dismissalDetails": {"reason": "not relevant"}},
}
RESOURCE = {
    **{"resourceId": "i-1", "cloudProvider": "aws", "account": "1", "resultType": "potential_daily_savings"},
    "result": {"value": 1.5},
}


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        (
            "list_optimization_recommendations",
            {"displayStatus": ["in progress", "dismissed"], "category": "Security", "easyWin": True, "maxResults": 500},
            Request(
                "GET",
                PATH,
                {
                    **{"displayStatus": ["in progress", "dismissed"], "category": "Security"},
                    **{"easyWin": "true", "maxResults": "500"},
                },
                None,
            ),
        ),
        (
            "get_insight",
            {"source": "aws/trusted", "key": "../x"},
            Request("GET", f"{PATH}/source/aws%2Ftrusted/insight/..%2Fx", {}, None),
        ),
        (
            "get_insight_resources",
            {"source": "s", "key": "k", "pageToken": "t"},
            Request("GET", f"{PATH}/source/s/insight/k/resource-results", {"pageToken": "t", "maxResults": "50"}, None),
        ),
        (
            "get_insight_resources",
            {"source": "s", "key": "k", "maxResults": 5000},
            Request("GET", f"{PATH}/source/s/insight/k/resource-results", {"maxResults": "5000"}, None),
        ),
        ("post_insight_result", INSIGHT, Request("POST", f"{OWN}/k%2F1", {}, INSIGHT)),
        ("post_insight_result", {"source": "public-api", **INSIGHT}, Request("POST", f"{OWN}/k%2F1", {}, INSIGHT)),
        (
            "post_insight_resource_results",
            {"sourceID": "public-api", "insightKey": "k", "maxResults": 1, "resourceResults": [RESOURCE]},
            Request("POST", f"{OWN}/k/resource-results", {"maxResults": "1"}, {"resourceResults": [RESOURCE]}),
        ),
        (
            "delete_insight_result",
            {"sourceID": "public-api", "insightKey": "k"},
            Request("DELETE", f"{OWN}/k", {}, None),
        ),
        ("delete_insight_results", {"insightKey": "k"}, Request("DELETE", PATH, {"insightKey": "k"}, None)),
    ],
)
async def test_requests(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("insights", name, arguments) == request_


async def test_batch_returns_a_list() -> None:
    results = [{**INSIGHT, "resourceResults": [RESOURCE]}]
    request = await capture_request("insights", "post_insight_results", {"results": results}, [])
    assert request == Request("POST", PATH, {}, {"results": results})


@pytest.mark.parametrize("details", [None, {"reason": "not relevant", "comment": "c"}])
async def test_sets_insight_status(details: dict[str, str] | None) -> None:
    extra = {"dismissalDetails": details} if details else {}
    request = await capture_request(
        "insights", "update_insight_status", {"key": "k", "status": "dismissed", **extra}, None
    )
    assert request == Request("PUT", f"{OWN}/k/status", {}, {"status": "dismissed", **extra})


def test_hints_declare_replacing_operations() -> None:
    rows = AREAS["insights"].operations
    assert {row.name for row in rows if row.destructive} == {
        *("post_insight_result", "post_insight_results", "post_insight_resource_results"),
    }
    assert len(rows) == 9
