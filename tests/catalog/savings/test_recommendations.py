"""Recommendations: arguments, pages, categories and fields."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.savings.recommendations import next_page_token, summarize_recommendation
from tests.api.recorder import Recorder

from ..caller import call


def row(key: str, daily: float | None, **more: Any) -> dict[str, Any]:
    return {
        "source": "aws-trusted-advisor",
        "key": key,
        "title": key.title(),
        "cloudProvider": "aws",
        "categories": ["FinOps", "Security"],
        "summary": {"potentialDailySavings": daily},
        **more,
    }


PAGES: dict[str, Any] = {
    "": {"results": [row("a", 1.0), row("b", 5.255)], "pagination": {"pageToken": "t1", "rowCount": 2}},
    "t1": {"results": [row("c", None, easyWinDescription="easy")], "pagination": {"pageToken": ""}},
}


def insights(request: Request) -> Any:
    return PAGES[str(request.query.get("pageToken", ""))]


async def test_the_arguments_are_those_that_the_api_knows() -> None:
    api = Recorder(insights)
    given = {
        **{"category": ["FinOps"], "priority": ["Low", "High"], "displayStatus": ["in progress"]},
        **{"provider": "amazon-web-services", "easyWin": True, "searchTerm": "idle", "pageSize": "30"},
    }
    found = (await call("list_optimization_recommendations", api, **given))["structuredContent"]
    assert api.requests[0].path == "/insights/v1/results" and api.requests[0].query == {
        **{"category": "FinOps", "priority": ["Low", "High"], "displayStatus": ["in progress"]},
        **{"cloudProvider": "aws", "easyWin": "true", "searchTerm": "idle", "maxResults": "30"},
    }
    assert found["rowCount"] == 2 and found["pageToken"] == "t1" and found["totalDailySavings"] in (6.25, 6.26)
    first = found["insights"][0]
    assert first["key"] == "b" and first["provider"] == "aws" and first["categories"] == "FinOps, Security"
    assert set(first) >= {
        *("key", "source", "title", "shortDescription", "provider", "categories", "displayStatus"),
        *("potentialDailySavings", "tags", "easyWin", "lastUpdated"),
    }


async def test_of_several_categories_the_rows_that_fit_are_kept() -> None:
    rows = [
        {"key": "a", "source": "s", "categories": ["Operational excellence"]},
        {"key": "b", "source": "s", "categories": ["Reliability", "Security"]},
        {"key": "c", "source": "s", "categories": None},
        {"key": "d", "source": "s", "categories": ["FinOps"]},
    ]
    api = Recorder({"results": rows, "pagination": {"rowCount": 4, "pageToken": "n"}})
    given = {"category": ["Security", "OperationalExcellence"], "source": ["s", "public-api"], "tag": ["ISO"]}
    found = (await call("list_optimization_recommendations", api, **given, cloudFlows=False))["structuredContent"]
    assert [row["key"] for row in found["insights"]] == ["a", "b"]
    assert (found["rowCount"], found["pageToken"]) == (2, "n")
    expected = {"source": ["s", "public-api"], "tag": ["ISO"], "cloudFlows": "false", "maxResults": "20"}
    assert api.requests[0].query == expected


async def test_pages_are_reached_by_number_and_by_token() -> None:
    for arguments in ({"page": 1}, {"pageToken": "t1"}):
        found = (await call("list_optimization_recommendations", Recorder(insights), **arguments))["structuredContent"]
        assert [one["key"] for one in found["insights"]] == ["c"] and found["insights"][0]["easyWin"] is True
        assert "pageToken" not in found
    found = (await call("list_optimization_recommendations", Recorder(insights), page=5))["structuredContent"]
    assert found["insights"] == []
    for wrong in ({"page": 20}, {"page": 1, "pageToken": "t1"}):
        with pytest.raises(ApiError, match="page"):
            await call("list_optimization_recommendations", Recorder(insights), **wrong)


def test_odd_rows_are_read() -> None:
    assert summarize_recommendation({})["potentialDailySavings"] == 0.0
    assert summarize_recommendation({"categories": "x", "summary": 5})["categories"] == ""
    assert next_page_token({"pagination": None}) is None
    for daily, per_day, per_month in (
        (10.0, 10.0, 304.17),
        # 182.5 cents a month, and 100.5 cents a day, round away from zero.
        (0.06, 0.06, 1.83),
        (1.005, 1.01, 30.57),
        (None, 0.0, 0.0),
    ):
        summary = summarize_recommendation({"summary": {"potentialDailySavings": daily}})
        assert (summary["potentialDailySavings"], summary["potentialMonthlySavings"]) == (per_day, per_month)
    with pytest.raises(ApiError, match="true in the result is not a plausible number"):
        summarize_recommendation({"summary": {"potentialDailySavings": True}})
