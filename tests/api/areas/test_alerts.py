"""Alerts: requests of every tool; finding one by name."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.areas.alerts import alert_body
from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.registry import direct_tools

from .calling import capture_request

PATH = "/analytics/v1/alerts"
CONFIG = {
    **{"metric": {"type": "basic", "value": "cost"}, "timeInterval": "day", "value": 5, "condition": "value"},
    **{"operator": "gt", "currency": "EUR", "evaluateForEach": "project_id", "dataSource": "billing-datahub"},
    "scopes": [{"id": "region", "type": "fixed", "values": ["a"], "includeNull": True, "caseInsensitive": True}],
}
EVERYTHING = {
    **{"maxResults": 5, "pageToken": "t", "filter": "owner:a", "nameContains": "x"},
    **{"sortBy": "lastAlerted", "sortOrder": "desc"},
}


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        ("list_alerts", {}, Request("GET", PATH, {}, None)),
        ("list_alerts", EVERYTHING, Request("GET", PATH, {**EVERYTHING, "maxResults": "5"}, None)),
        ("get_alert", {"id": "../a?b"}, Request("GET", f"{PATH}/..%2Fa%3Fb", {}, None)),
        ("get_alert", {"id": "a", "name": "x"}, Request("GET", f"{PATH}/a", {}, None)),
        (
            "create_alert",
            {"name": "n", "config": CONFIG, "recipients": ["a@b.example"]},
            Request("POST", PATH, {}, {"name": "n", "config": CONFIG, "recipients": ["a@b.example"]}),
        ),
        ("update_alert", {"id": "a", "config": CONFIG}, Request("PATCH", f"{PATH}/a", {}, {"config": CONFIG})),
        (
            "update_alert",
            {"id": "a", "alert": {"ignoreValuesRange": "none"}},
            Request("PATCH", f"{PATH}/a", {}, {"config": {"ignoreValuesRange": None}}),
        ),
        ("delete_alert", {"id": "a b"}, Request("DELETE", f"{PATH}/a%20b", {}, None)),
    ],
)
async def test_requests(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("alerts", name, arguments) == request_


async def test_gets_alert_by_name() -> None:
    rows = {"alerts": [{"id": "1", "name": "Egress high"}, {"id": "2", "name": "Egress"}]}
    assert (await capture_request("alerts", "get_alert", {"name": "egress"}, rows, {})).path == f"{PATH}/2"
    with pytest.raises(ApiError, match="id or name"):
        await capture_request("alerts", "get_alert", {})
    with pytest.raises(ApiError, match="not an id"):
        await capture_request("alerts", "get_alert", {"id": ".."})


async def test_delete_returns_no_content() -> None:
    assert (await capture_request("alerts", "delete_alert", {"id": "a"}, None)).method == "DELETE"


def test_a_listed_slack_channel_is_sent_without_its_name() -> None:
    listed: Any = {"id": "C1", "name": "general", "type": "public", "shared": False, "workspace": "acme"}
    assert alert_body({"recipientsSlackChannels": [listed]})["recipientsSlackChannels"] == [
        {"id": "C1", "shared": False, "workspace": "acme"}
    ]
    (tool,) = (one for one in direct_tools() if one.name == "update_alert")
    assert tool.argument_problems({"id": "a", "recipientsSlackChannels": [listed]}) == []
    assert tool.argument_problems({"id": "a", "recipientsSlackChannels": [{**listed, "color": "red"}]})
