"""Allocations: requests of every tool; legacy field names are sent as the API's current ones."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from doit_mcp.api.areas.allocations import with_api_names
from doit_mcp.api.operation import Request

from .calling import capture_request

PATH = "/analytics/v1/allocations"
COMPONENT = {"key": "region", "type": "fixed", "values": ["a"], "mode": "is"}
RULE = {"components": [COMPONENT], "formula": "A"}
GROUP = [{"action": "create", "name": "p", **RULE}, {"action": "select", "id": "1"}]
EVERYTHING = {
    **{"maxResults": 5, "pageToken": "t", "filter": "type:custom", "nameContains": "x"},
    **{"sortBy": "owner", "sortOrder": "asc"},
}


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        ("list_allocations", {}, Request("GET", PATH, {}, None)),
        ("list_allocations", EVERYTHING, Request("GET", PATH, {**EVERYTHING, "maxResults": "5"}, None)),
        ("list_allocations", {"name": "team"}, Request("GET", PATH, {"nameContains": "team"}, None)),
        ("get_allocation", {"id": "a/b"}, Request("GET", f"{PATH}/a%2Fb", {}, None)),
        (
            "create_allocation",
            {"name": "n", "description": "", "rule": RULE, "anomalyDetection": False, "folderId": "f"},
            Request(
                "POST",
                PATH,
                {},
                {"name": "n", "description": "", "rule": RULE, "anomalyDetection": False, "folderId": "f"},
            ),
        ),
        (
            "create_allocation",
            {"name": "n", "description": "d", "rules": GROUP, "unallocatedCosts": None},
            Request("POST", PATH, {}, {"name": "n", "description": "d", "rules": GROUP, "unallocatedCosts": None}),
        ),
        ("update_allocation", {"id": "a", "name": "n"}, Request("PATCH", f"{PATH}/a", {}, {"name": "n"})),
        ("delete_allocation", {"id": "a"}, Request("DELETE", f"{PATH}/a", {}, None)),
    ],
)
async def test_requests(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("allocations", name, arguments) == request_


async def test_gets_allocation_by_name() -> None:
    rows = {"allocations": [{"id": "7", "name": "Team Blue"}]}
    assert (await capture_request("allocations", "get_allocation", {"name": "blue"}, rows, {})).path == f"{PATH}/7"


async def test_legacy_field_names_are_sent_as_current_ones() -> None:
    old = {**COMPONENT, "inverse_selection": True, "include_null": False}
    new = {**COMPONENT, "inverse": True, "includeNull": False}
    arguments = {"id": "a", "rule": {"components": [old], "formula": "A"}}
    request = await capture_request("allocations", "update_allocation", arguments)
    assert request.body == {"rule": {"components": [new], "formula": "A"}}
    members = [{"action": "update", "id": "1", "components": [old]}, {"action": "select", "id": "2"}]
    body = (await capture_request("allocations", "update_allocation", {"id": "a", "rules": members})).body
    assert body == {"rules": [{"action": "update", "id": "1", "components": [new]}, {"action": "select", "id": "2"}]}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"inverse_selection": True, "inverse": False}, {"inverse": False}),
        ({"type": "attribution", "key": "attribution"}, {"type": "allocation_rule", "key": "allocation_rule"}),
        ({"type": "attribution", "key": "other"}, {"type": "allocation_rule", "key": "other"}),
        ({"type": "attribution_group"}, {"type": "attribution_group"}),
    ],
)
def test_component_fields_are_renamed_without_changing_the_input(
    arguments: dict[str, Any], expected: dict[str, Any]
) -> None:
    allocation: dict[str, Any] = {"rule": {"components": [{**COMPONENT, **arguments}], "formula": "A"}}
    before = copy.deepcopy(allocation)
    assert with_api_names(allocation) == {"rule": {"components": [{**COMPONENT, **expected}], "formula": "A"}}
    assert allocation == before


async def test_periods_and_extracted_values_are_sent_with_providers_of_billing_data() -> None:
    period = {"startDate": "2026-01-01", "endDate": "2026-06-30"}
    source = {"type": "label", "key": "team", "providers": ["aws"]}
    member = {
        "action": "create",
        "name": "By team",
        "components": [COMPONENT],
        "formula": "A",
        "validityPeriods": [period],
        "valueExtraction": {"sources": [source], "onMissing": "useFallback", "fallback": "none"},
    }
    body = (await capture_request("allocations", "update_allocation", {"id": "a", "rules": [member, member]})).body
    assert body is not None
    sent = body["rules"][0]
    assert sent["validityPeriods"] == [period] and sent["valueExtraction"]["fallback"] == "none"
    assert sent["valueExtraction"]["sources"] == [{**source, "providers": ["amazon-web-services"]}]
