"""Cloud Diagrams: requests; reads by POST stay reads, and layers are named as the API names them."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import AREAS
from doit_mcp.api.operation import Request

from .calling import capture_request

PATH = "/clouddiagrams/v1"
START, END = "2026-01-01T00:00:00Z", "2026-01-31T00:00:00Z"
WINDOW = {"startDate": "2026-01-01", "endDate": "2026-01-31"}


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        (
            "search_cloud_diagrams",
            {"query": "db", "ss_id": "s", "from": 20, "size": 5},
            Request("POST", f"{PATH}/scheme/search", {}, {"query": "db", "ss_id": "s", "from": 20, "size": 5}),
        ),
        ("get_cloud_diagram_components", {}, Request("POST", f"{PATH}/scheme/get", {}, {})),
        (
            "get_cloud_diagram_components",
            {"scheme_ids": ["a"], "layer_ids": ["b", "c"], "include_components": True, "skip_empty": False},
            Request(
                "POST",
                f"{PATH}/scheme/get",
                {"components": "true", "skip_empty": "false"},
                {"scheme": ["a"], "statussheet": ["b", "c"]},
            ),
        ),
        (
            "get_cloud_diagram_components",
            {"template": "component", "type": ["network", "template"], "node_type": "host", "issues_count": True},
            Request(
                "POST",
                f"{PATH}/scheme/get",
                {"type": ["network", "template"], "node_type": "host", "issues_count": "true"},
                {"template": "component"},
            ),
        ),
        (
            "get_statussheet_components",
            {"id": "s/1", "p": "name icon", "node": ["n"], "link": ["l", "m"]},
            Request("POST", f"{PATH}/statussheet/s%2F1/get", {"p": "name icon"}, {"node": ["n"], "link": ["l", "m"]}),
        ),
        ("export_cloud_diagram_json", {"id": "s"}, Request("GET", f"{PATH}/statussheet/s/export-json", {}, None)),
        (
            "get_cloud_diagram_cost_snapshot",
            {"layerId": "s t", **WINDOW, "interval": "week"},
            Request("GET", f"{PATH}/statussheet/s%20t/costs", {**WINDOW, "interval": "week"}, None),
        ),
        (
            "get_cloud_diagram_layer_snapshot",
            {"id": "s", "snapshot_id": "p"},
            Request("GET", f"{PATH}/statussheet/s/snapshot", {"snapshot_id": "p"}, None),
        ),
        (
            "get_cloud_diagram_resource_relationships",
            {"layerId": "s", "resourceId": "arn:aws:ec2/i-1", "direction": "upstream", "kind": "both"},
            Request(
                "GET",
                f"{PATH}/statussheet/s/resources/arn%3Aaws%3Aec2%2Fi-1/relationships",
                {"direction": "upstream", "kind": "both"},
                None,
            ),
        ),
    ],
)
async def test_requests(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("cloud_diagrams", name, arguments) == request_


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        (
            "find_cloud_diagrams",
            {"resources": ["i-1"]},
            Request("POST", f"{PATH}/scheme/find", {}, {"resources": ["i-1"]}),
        ),
        (
            "get_cloud_diagrams_stats",
            {"start": START, "end": END},
            Request("GET", f"{PATH}/scheme/stats", {"start": START, "end": END}, None),
        ),
        (
            "list_cloud_diagram_layer_snapshots",
            {"id": "s", "offset": 0, "limit": 3, "sort": "-createdAt"},
            Request(
                "GET", f"{PATH}/statussheet/s/snapshots", {"offset": "0", "limit": "3", "sort": "-createdAt"}, None
            ),
        ),
        (
            "list_cloud_diagram_activity_groups",
            {"ss_id": "s", "tags": ["a", "b"], "limit": 1},
            Request("GET", f"{PATH}/activity", {"ss_id": "s", "limit": "1", "tags": ["a", "b"]}, None),
        ),
        (
            "list_cloud_diagram_node_activities",
            {"ss_id": "s", "nodeId": "n", "offset": 50},
            Request("GET", f"{PATH}/activity/node-activities", {"ss_id": "s", "nodeId": "n", "offset": "50"}, None),
        ),
    ],
)
async def test_requests_with_list_bodies(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("cloud_diagrams", name, arguments, []) == request_


def test_no_operation_modifies_a_diagram() -> None:
    assert len(AREAS["cloud_diagrams"].operations) == 12
    # This one stores a filter beside the diagrams.
    writes = [operation for operation in AREAS["cloud_diagrams"].operations if not operation.read_only]
    assert [(operation.name, bool(operation.destructive)) for operation in writes] == [("find_cloud_diagrams", False)]
