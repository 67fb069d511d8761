"""Recommendations, and savings of all kinds in one list."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.costs.savings import DAYS_PER_MONTH, next_page_token, summarize_recommendation
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
    assert summarize_recommendation(row("x", 10.0))["potentialMonthlySavings"] == round(10 * DAYS_PER_MONTH, 2)


COMMITMENTS = [
    {
        "id": "c1",
        "name": "GCP flat",
        "currency": "EUR",
        "totalCommitmentValue": 1000.0,
        "totalForecastValue": 400.0,
        "totalCurrentAttainment": 100.0,
        "endDate": "2027-01-01T00:00:00Z",
    },
    {"id": "over", "totalCommitmentValue": 9e9, "totalForecastValue": 1.0, "endDate": "2020-01-01T00:00:00Z"},
    {"id": "unknown", "totalCommitmentValue": 9e9, "totalForecastValue": 0, "endDate": "2027-01-01T00:00:00Z"},
    {"id": "met", "totalCommitmentValue": 10.0, "totalForecastValue": 20.0, "endDate": "2027-01-01T00:00:00Z"},
]
ANOMALIES = [
    {"id": "a1", "serviceName": "BigQuery", "scope": "p", "costOfAnomaly": 700.0, "status": "active"},
    {"id": "a2", "costOfAnomaly": 9e9, "status": "inactive"},
]


def everything(**failing: ApiError) -> Any:
    def answer(request: Request) -> Any:
        for part, found in (
            ("insights", {"results": [row("a", 10.0), row("none", 0.0)]}),
            ("commitment", {"commitments": COMMITMENTS}),
            ("anomalies", {"anomalies": ANOMALIES}),
        ):
            if part in request.path:
                return failing.get(part, found)
        raise AssertionError(request.path)

    return answer


async def test_all_kinds_are_one_ranked_list() -> None:
    found = (await call("get_savings_summary", Recorder(everything())))["structuredContent"]
    assert [(one["kind"], one["id"], one["amount"], one["basis"], one["currency"]) for one in found["items"]] == [
        ("anomaly", "anomaly:a1", 700.0, "once", "USD"),
        ("commitment", "commitment:c1", 600.0, "at stake", "EUR"),
        ("recommendation", "recommendation:aws-trusted-advisor/a", 304.17, "per month", "USD"),
    ]
    assert found["totals"]["recommendation"] == {
        **{"count": 1, "basis": "per month", "amounts": [{"currency": "USD", "amount": 304.17}]}
    }
    assert "failed" not in found
    top = (await call("get_savings_summary", Recorder(everything()), top=1))["structuredContent"]
    assert len(top["items"]) == 1 and len(top["totals"]) == 3


async def test_a_kind_that_fails_is_unknown_and_not_empty() -> None:
    error = ApiError("", kind="forbidden", status=403)
    found = (await call("get_savings_summary", Recorder(everything(insights=error))))["structuredContent"]
    assert "recommendation" not in found["totals"]
    assert found["failed"] == [{"part": "recommendation", "why": "the signed-in user lacks the permission (HTTP 403)"}]
    with pytest.raises(ApiError):
        await call("get_savings_summary", Recorder(error))
