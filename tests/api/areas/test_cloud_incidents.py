"""Cloud Incidents: requests; a platform's incidents; an incident by its title."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import Doit
from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from tests.api.recorder import Recorder, pages_of

from .calling import capture_request

PATH = "/core/v1/cloudincidents"


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        ("get_cloud_incidents", {}, Request("GET", PATH, {"maxResults": "40"}, None)),
        (
            "get_cloud_incidents",
            {"filter": "platform:google-cloud", "pageToken": "t", "maxResults": 3, "minCreationTime": 0},
            Request(
                "GET",
                PATH,
                {"filter": "platform:google-cloud", "pageToken": "t", "maxResults": "3", "minCreationTime": "0"},
                None,
            ),
        ),
        ("get_cloud_incident", {"id": "a/b"}, Request("GET", f"{PATH}/a%2Fb", {}, None)),
        ("get_cloud_incident", {"id": "1", "title": "x"}, Request("GET", f"{PATH}/1", {}, None)),
    ],
)
async def test_requests(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("cloud_incidents", name, arguments) == request_


async def test_platform_filter_spans_pages() -> None:
    page = [{"id": "a", "platform": "amazon-web-services"}, {"id": "g", "platform": "google-cloud"}, {"id": "n"}]
    api = Recorder(pages_of("incidents", *[page] * 9))
    incidents = Doit.for_sender(api).cloud_incidents
    first = await incidents.get_cloud_incidents(platform="google-cloud")
    assert [row["id"] for row in first["incidents"]] == ["g"] * 4 and first["rowCount"] == 4
    assert first["pageToken"] == "4"
    second = await incidents.get_cloud_incidents(platform="google-cloud", pageToken="4", maxResults=1)
    assert second["rowCount"] == 1 and second["pageToken"] == "5" and len(api.requests) == 5


async def test_null_incidents_give_an_empty_list() -> None:
    result = await Doit.for_sender(Recorder({"incidents": None})).cloud_incidents.get_cloud_incidents()
    assert result["incidents"] == []


async def test_gets_incident_by_title() -> None:
    rows = {"incidents": [{"id": "1", "title": "Cloud SQL down"}, {"id": "2", "title": "Cloud SQL slow"}]}
    incident = await capture_request("cloud_incidents", "get_cloud_incident", {"title": "sql SLOW"}, rows, {})
    assert incident == Request("GET", f"{PATH}/2", {}, None)
    with pytest.raises(ApiError, match="Cloud SQL down.*Cloud SQL slow"):
        await capture_request("cloud_incidents", "get_cloud_incident", {"title": "sql"}, rows)
    with pytest.raises(ApiError, match="id or title"):
        await capture_request("cloud_incidents", "get_cloud_incident", {})
