"""The overview: every part that fails is named, and nothing fails silently."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from tests.api.recorder import Recorder

from ..billing import Line, answering
from ..caller import call

A = {"cloud_provider": "amazon-web-services", "service_description": "EC2", "project_id": "1"}
B = {"cloud_provider": "google-cloud", "service_description": "BigQuery", "project_id": "p"}
LINES: list[Line] = [("2026-08-30", A, 5.0, 1.0), ("2026-09-02", A, 5.5, 1.0), ("2026-09-02", B, 20.0, 1.0)]
ANOMALIES = {"anomalies": [{"id": str(n), "costOfAnomaly": 1.0, "startTime": 1_790_000_000_000} for n in range(9)]}
INCIDENTS = {"incidents": [{"id": "i", "title": "Down", "createTime": 1_790_000_000_000}]}


async def test_it_has_every_part_of_the_old_one() -> None:
    api = Recorder(answering({"anomalies": ANOMALIES, "cloudincidents": INCIDENTS}, LINES))
    found = (await call("get_cloud_overview", api))["structuredContent"]
    assert found["costByCloud"]["rows"] == [["google-cloud", 20.0], ["amazon-web-services", 10.5]]
    assert found["topServices"]["rows"][0] == ["google-cloud", "BigQuery", 20.0]
    assert [column["name"] for column in found["topProjects"]["columns"]] == ["cloud_provider", "project_id", "cost"]
    assert found["totalCost"] == 30.5 and len(found["anomalies"]) == 5 and "failed" not in found
    assert found["anomalies"][0]["startTime"].startswith("2026-09-21")
    assert found["incidents"] == [{**INCIDENTS["incidents"][0], "created": "2026-09-21"}]
    configs = [(request.body or {})["config"] for request in api.requests if request.body]
    assert len(configs) == 3 and all(config["timeRange"]["amount"] == 30 for config in configs)
    assert [len(config["group"]) for config in configs] == [1, 2, 2]
    assert configs[1]["group"][1]["limit"]["value"] == 5
    assert [request.query for request in api.requests if not request.body] == [{"maxResults": "5"}] * 2


@pytest.mark.parametrize("kind", ["forbidden", "timeout", "fault"])
async def test_a_part_that_fails_is_named_and_no_empty_section(kind: Any) -> None:
    others = {"anomalies": ApiError("no right", kind=kind, status=403), "cloudincidents": INCIDENTS}
    found = (await call("get_cloud_overview", Recorder(answering(others, LINES))))["structuredContent"]
    assert "anomalies" not in found and found["failed"] == [{"part": "anomalies", "why": "no right (HTTP 403)"}]


async def test_when_all_fails_it_is_an_error() -> None:
    with pytest.raises(ApiError) as caught:
        await call("get_cloud_overview", Recorder(ApiError("", kind="credential", status=401)))
    assert caught.value.status == 401


@pytest.mark.requirement("N19")
async def test_n19_a_sign_in_that_ended_meanwhile_is_not_just_a_part_that_failed() -> None:
    """The client learns where to sign in again from the error alone."""
    others = {"anomalies": ApiError("", kind="credential", status=401), "cloudincidents": INCIDENTS}
    with pytest.raises(ApiError) as caught:
        await call("get_cloud_overview", Recorder(answering(others, LINES)))
    assert caught.value.kind == "credential"


async def test_costs_alone_failing_leaves_the_rest() -> None:
    others = {"query": ApiError("", kind="timeout"), "anomalies": ANOMALIES, "cloudincidents": {"incidents": None}}
    found = (await call("get_cloud_overview", Recorder(answering(others, []))))["structuredContent"]
    assert found["totalCost"] is None and found["incidents"] == []
    assert {one["part"] for one in found["failed"]} == {"costByCloud", "topServices", "topProjects"}
    assert found["failed"][0]["why"] == "the request timed out"
