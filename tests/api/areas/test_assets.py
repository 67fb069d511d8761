"""Assets: requests of every tool; search by name."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import Doit
from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from tests.api.recorder import Recorder, pages_of

from .calling import capture_request


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        ("list_assets", {}, Request("GET", "/billing/v1/assets", {"maxResults": "100"}, None)),
        (
            "list_assets",
            {"maxResults": 5, "pageToken": "t", "filter": "type:g-suite"},
            Request("GET", "/billing/v1/assets", {"maxResults": "5", "pageToken": "t", "filter": "type:g-suite"}, None),
        ),
        ("get_asset", {"id": "g/1 #"}, Request("GET", "/billing/v1/assets/g%2F1%20%23", {}, None)),
        ("get_asset", {"id": "1", "name": "x"}, Request("GET", "/billing/v1/assets/1", {}, None)),
        ("update_asset", {"id": "1", "quantity": 0}, Request("PATCH", "/billing/v1/assets/1", {}, {"quantity": 0})),
        ("create_asset", {}, Request("POST", "/billing/v1/createAsset", {}, None)),
        (
            "create_asset",
            {"type": "amazon-web-services", "mode": None, "accountName": "Prod", "rootEmail": "a+b@c.example"},
            Request(
                "POST",
                "/billing/v1/createAsset",
                {"type": "amazon-web-services", "accountName": "Prod", "rootEmail": "a+b@c.example"},
                None,
            ),
        ),
    ],
)
async def test_requests(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("assets", name, arguments) == request_


async def test_name_search_spans_pages_and_can_be_continued() -> None:
    pages = [[{"id": page, "name": "Workspace"}, {"id": -page, "name": "AWS"}] for page in range(1, 10)]
    api = Recorder(pages_of("assets", *pages))
    answer = await Doit.for_sender(api).assets.list_assets(name="SPACE")
    assert [row["id"] for row in answer["assets"]] == [1, 2, 3, 4] and answer["rowCount"] == 4
    assert answer["pageToken"] == "4" and {request.query["maxResults"] for request in api.requests} == {"249"}


async def test_gets_asset_by_name() -> None:
    rows = {"assets": [{"id": "7", "name": "Workspace a.example"}]}
    assert (
        await capture_request("assets", "get_asset", {"name": "workspace"}, rows, {})
    ).path == "/billing/v1/assets/7"
    with pytest.raises(ApiError) as caught:
        await capture_request("assets", "get_asset", {"name": "azure"}, rows)
    assert caught.value.kind == "argument"
    with pytest.raises(ApiError, match="id or name"):
        await capture_request("assets", "get_asset", {})


async def test_license_change_requires_a_quantity() -> None:
    api = Recorder()
    with pytest.raises(ApiError, match="quantity is required"):
        await Doit.for_sender(api).assets.update_asset(id="1")
    assert not api.requests
