"""Dimensions: requests of every tool."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.operation import Request

from .calling import capture_request

PATH = "/analytics/v1/dimensions"
EVERYTHING = {"pageToken": "t", "filter": "type:label|key:env", "sortBy": "label", "sortOrder": "asc"}


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        ("list_dimensions", {}, Request("GET", PATH, {"maxResults": "200"}, None)),
        (
            "list_dimensions",
            {"maxResults": 9, **EVERYTHING},
            Request("GET", PATH, {"maxResults": "9", **EVERYTHING}, None),
        ),
        (
            "get_dimension",
            {"type": "allocation_rule", "id": "a/b"},
            Request("GET", "/analytics/v1/dimension", {"type": "allocation_rule", "id": "a/b"}, None),
        ),
    ],
)
async def test_requests(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("dimensions", name, arguments) == request_
