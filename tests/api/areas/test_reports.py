"""Reports: requests of the tools for report definitions, and the size of those tools' own definitions."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.registry import all_tools

from .calling import capture_request

PATH = "/analytics/v1/reports"
SPAN = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-31T00:00:00Z"}
CUSTOM = {"timeRange": {"mode": "custom", "unit": "day"}, "customTimeRange": SPAN, "forecastSettings": {"mode": "none"}}
LARGEST = 6_400
"""Characters of name, description and arguments: about 1,500 tokens."""


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        (
            "create_report",
            {"name": "n", "description": "d", "labels": ["l"], "folderId": "root", "report": {}},
            Request(
                "POST", PATH, {}, {"name": "n", "description": "d", "labels": ["l"], "folderId": "root", "config": {}}
            ),
        ),
        ("get_report_config", {"id": "a/b"}, Request("GET", f"{PATH}/a%2Fb/config", {}, None)),
        ("update_report", {"id": "r", "labels": []}, Request("PATCH", f"{PATH}/r", {}, {"labels": []})),
        ("delete_report", {"id": "r"}, Request("DELETE", f"{PATH}/r", {}, None)),
    ],
)
async def test_requests(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("reports", name, arguments) == request_


@pytest.mark.parametrize("arguments", [{"name": "n"}, {"id": "r"}])
async def test_configs_are_normalized_for_the_api(arguments: dict[str, str]) -> None:
    filters = [{"id": "cloud_provider", "type": "fixed", "values": ["aws"]}]
    config_arguments: dict[str, Any] = {**arguments, "report": {**CUSTOM, "filters": filters}}
    body = (
        await capture_request("reports", "create_report" if "name" in arguments else "update_report", config_arguments)
    ).body or {}
    assert body["config"]["timeRange"] == {"mode": "custom"} and body["config"]["customTimeRange"] == SPAN
    assert body["config"]["filters"][0]["values"] == ["amazon-web-services"]
    assert body["config"]["forecastSettings"] is None
    assert filters[0]["values"] == ["aws"] and config_arguments["report"]["timeRange"]["unit"] == "day"


async def test_dates_of_a_custom_range_are_whole_days() -> None:
    span = {"from": "2026-08-01", "to": "2026-08-31"}
    config: dict[str, Any] = {"timeRange": {"mode": "custom"}, "customTimeRange": span}
    body = (await capture_request("reports", "create_report", {"name": "n", "report": config})).body or {}
    assert body["config"]["customTimeRange"] == {"from": "2026-08-01T00:00:00Z", "to": "2026-08-31T23:59:59Z"}


async def test_a_custom_range_alone_has_mode_custom() -> None:
    body = (await capture_request("reports", "create_report", {"name": "n", "report": {"customTimeRange": SPAN}})).body
    assert body is not None and body["config"] == {"timeRange": {"mode": "custom"}, "customTimeRange": SPAN}


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["Forecast", "Daily"], 'Did you mean "Forecast"?'),
        (["Xyz"], 'Reports: "Xyz"'),
        ([], "There are no reports"),
    ],
)
async def test_a_misspelled_name_suggests_names(names: list[str], hint: str) -> None:
    rows = {"reports": [{"id": name, "reportName": name} for name in names]}
    with pytest.raises(ApiError) as caught:
        await capture_request("reports", "get_report_config", {"name": "forecst"}, {"reports": []}, rows)
    assert caught.value.kind == "argument"
    assert caught.value.reason == f'name: no report has the name "forecst". {hint}'


async def test_gets_config_by_report_name() -> None:
    rows = {"reports": [{"id": "7", "reportName": "Weekly"}]}
    request = await capture_request("reports", "get_report_config", {"name": "weekly"}, rows, {})
    assert request.path == f"{PATH}/7/config"


@pytest.mark.parametrize("name", ["create_report", "update_report", "run_query"])
def test_largest_tool_definitions_stay_small(name: str) -> None:
    tool = next(tool for tool in all_tools() if tool.name == name)
    definition = {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
    assert len(orjson.dumps(definition)) <= LARGEST
