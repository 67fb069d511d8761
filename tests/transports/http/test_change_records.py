"""What prepared changes and dry runs say over HTTP: the object, its values before and after, and what is irreversible."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.sandbox.bodies import BUDGET
from tests.transports.http.serving import Json, Site, serving


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product over the sandbox's API."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        yield site


async def call(site: Site, name: str, /, **arguments: Any) -> Json:
    """Return the structured content of a call at the URL with all tools, approved if that is required."""
    content = await call_once(site, name, **arguments)
    if content.get("status") == "approval_required":
        content = await call_once(site, "confirm_action", approvalToken=content["approvalToken"])
    return content


async def call_once(site: Site, name: str, /, **arguments: Any) -> Json:
    result = (await site.call(name, arguments, path="/mcp/x/all")).result
    assert not result.get("isError"), result
    content: Json = result["structuredContent"]
    return content


async def dry_run(site: Site, name: str, /, **arguments: Any) -> Json:
    """Return the change that a dry run shows."""
    content = await call_once(site, name, **arguments, dryRun=True)
    assert content["status"] == "dry_run", content
    change: Json = content["change"]
    return change


async def test_objects_have_the_name_from_before_the_change(site: Site) -> None:
    budget = await call(site, "create_budget", **BUDGET, description="Planned spend")
    role = await call(site, "create_role", name="Old role", description="d", permissions=["alerts.read"])
    note = await call(site, "create_annotation", content="Launch", timestamp="2026-01-01T00:00:00Z")
    user = (await call(site, "list_users"))["users"][0]
    customer = await call(site, "get_customer")
    scope = {"targetCustomerId": customer["id"], "userId": user["id"]}
    shown = {
        BUDGET["name"]: await dry_run(site, "update_budget", id=budget["id"], name="New"),
        "Old role": await dry_run(site, "update_role", id=role["id"], name="New"),
        "Launch": await dry_run(site, "update_annotation", id=note["id"], content="Migration"),
        "Orders": await dry_run(site, "update_datahub_dataset", name="Orders", description="New"),
        user["displayName"]: await dry_run(site, "update_user_geographic_scope", **scope, type="global"),
    }
    assert {change["object"]["name"] for change in shown.values()} == shown.keys()
