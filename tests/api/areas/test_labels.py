"""Labels, annotations and folders: requests, page sizes of the previous server, and resolution of names."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import Doit
from doit_mcp.api.operation import Request
from tests.api.recorder import Recorder

from .calling import capture_request

PATH = "/analytics/v1"
THING = {"objectId": "b", "objectType": "budget"}


@pytest.mark.parametrize(
    ("area", "name", "arguments", "query"),
    [
        ("labels", "list_labels", {}, {"maxResults": "500"}),
        ("labels", "list_labels", {"maxResults": 5, "pageToken": "t"}, {"maxResults": "5", "pageToken": "t"}),
        (
            "labels",
            "list_labels",
            {"filter": "type:custom", "nameContains": "x", "sortBy": "name", "sortOrder": "asc"},
            {"maxResults": "500", "filter": "type:custom", "nameContains": "x", "sortBy": "name", "sortOrder": "asc"},
        ),
        ("annotations", "list_annotations", {}, {"maxResults": "500"}),
        (
            "annotations",
            "list_annotations",
            {"maxResults": 7, "pageToken": "t", "filter": "content:x", "sortBy": "timestamp", "sortOrder": "desc"},
            {"maxResults": "7", "pageToken": "t", "filter": "content:x", "sortBy": "timestamp", "sortOrder": "desc"},
        ),
        ("folders", "list_folders", {}, {"maxResults": "500"}),
        ("folders", "list_folders", {"maxResults": 2, "pageToken": "t"}, {"maxResults": "2", "pageToken": "t"}),
    ],
)
async def test_list_arguments(area: str, name: str, arguments: dict[str, Any], query: dict[str, str]) -> None:
    assert await capture_request(area, name, arguments) == Request("GET", f"{PATH}/{area}", query, None)


@pytest.mark.parametrize(
    ("area", "name", "arguments", "row"),
    [
        ("labels", "get_label", {"name": "prod"}, {"id": "x/1", "name": "Production"}),
        ("annotations", "get_annotation", {"content": "launch"}, {"id": "x/1", "content": "The launch"}),
        ("folders", "get_folder", {"name": "teams"}, {"id": "x/1", "name": "Teams"}),
    ],
)
async def test_name_is_resolved_to_an_id_first(area: str, name: str, arguments: dict[str, Any], row: Any) -> None:
    api = Recorder({area: [row]}, row)
    assert await getattr(getattr(Doit.for_sender(api), area), name)(**arguments) == row
    assert [request.path for request in api.requests] == [f"{PATH}/{area}", f"{PATH}/{area}/x%2F1"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"add": [THING], "remove": []}, {"add": [THING]}),
        ({"remove": [THING]}, {"remove": [THING]}),
        ({"add": [THING], "remove": [THING]}, {"add": [THING], "remove": [THING]}),
        ({"add": []}, {}),
    ],
)
async def test_empty_assignment_lists_are_omitted(arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    request = await capture_request("labels", "assign_objects_to_label", {"id": "l 1", **arguments}, None)
    assert request == Request("POST", f"{PATH}/labels/l%201/assignments", {}, expected)
