"""A 403 names the permission where the API's document does."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError, explain
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.tools.permissions import with_permission_hint
from tests.api.recorder import Recorder

from ..caller import Caller
from ..test_registry import minimal_arguments

NAMED = {tool.name: tool for tool in direct_tools()}
NEEDING = sorted(name for name, tool in NAMED.items() if tool.facts.get("permission"))


async def explained_error(name: str, error: ApiError) -> ApiError:
    api = Recorder(error)
    api.tenant = "customer"
    with pytest.raises(ApiError) as caught:
        await NAMED[name].run(Caller(api), minimal_arguments(NAMED[name]))
    return caught.value


@pytest.mark.parametrize("name", NEEDING)
async def test_forbidden_error_names_the_required_permission(name: str) -> None:
    error = await explained_error(name, ApiError("", kind="forbidden", status=403))
    message = explain(error, name)
    permission = NAMED[name].facts["permission"]
    assert (
        f"Could not run {name} (HTTP 403): this requires the permission {permission}. The signed-in user lacks"
        in message
    )


@pytest.mark.parametrize(
    "error",
    [
        ApiError("it is another customer's", kind="forbidden", status=403),
        ApiError("", kind="missing", status=404),
        ApiError("", kind="credential", status=401),
    ],
)
async def test_other_errors_are_unchanged(error: Any) -> None:
    reason = error.reason
    assert (await explained_error("get_customer", error)).reason == reason


def test_permission_comes_from_the_declaration() -> None:
    assert NAMED["update_customer"].facts["permission"].name == "Settings" and len(NEEDING) >= 20
    assert all(NAMED[name].facts.get("permission") for name, tool in NAMED.items() if tool.area.startswith("contract"))
    assert with_permission_hint(NAMED["list_budgets"]) is NAMED["list_budgets"]
