"""Settings: requests of every tool; a theme is found by name and renamed by a separate argument."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import Doit
from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from tests.api.recorder import Recorder

from .calling import capture_request

PATH = "/analytics/v1/settings/themes"
ACTIVE = "/analytics/v1/settings/active-theme"
LOOK = {"primaryColor": "#abc", "colors": {"light": ["#abc"], "dark": ["#aabbccdd"]}}


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        ("list_themes", {}, Request("GET", PATH, {}, None)),
        ("get_theme", {"id": "t/1"}, Request("GET", f"{PATH}/t%2F1", {}, None)),
        ("create_custom_theme", {"name": "n", **LOOK}, Request("POST", PATH, {}, {"name": "n", **LOOK})),
        (
            "update_theme",
            {"id": "t", "name": "ignored", "newName": "n", **LOOK},
            Request("PATCH", f"{PATH}/t", {}, {"name": "n", **LOOK}),
        ),
        ("update_theme", {"id": "t"}, Request("PATCH", f"{PATH}/t", {}, {})),
        ("delete_custom_theme", {"id": "t"}, Request("DELETE", f"{PATH}/t", {}, None)),
        ("get_active_theme", {}, Request("GET", ACTIVE, {}, None)),
        ("set_active_theme", {"themeId": "default"}, Request("PUT", ACTIVE, {}, {"themeId": "default"})),
    ],
)
async def test_requests(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("settings", name, arguments) == request_


async def test_gets_theme_by_name_from_an_unpaginated_list() -> None:
    api = Recorder({"themes": [{"id": "1", "name": "Dusk"}, {"id": "2", "name": "Dawn"}]}, {})
    await Doit.for_sender(api).settings.update_theme(name="dawn", newName="Noon")
    assert api.requests == [Request("GET", PATH, {}, None), Request("PATCH", f"{PATH}/2", {}, {"name": "Noon"})]
    with pytest.raises(ApiError, match="id or name"):
        await capture_request("settings", "update_theme", {"newName": "x"})
