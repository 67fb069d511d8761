"""Labels, annotations, folders and sharing against the sandbox's API."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from tests.api.recorder import Recorder

from ..caller import run
from ..conftest import Ask


async def test_label_lifecycle(ask: Ask) -> None:
    created = await ask("create_label", name="Kept together", color="teal")
    assert (await ask("get_label", name="kept TOGETHER"))["id"] == created["id"]
    assert (await ask("update_label", id=created["id"], color="mint"))["color"] == "mint"
    budget = (await ask("list_budgets", maxResults=1))["budgets"][0]["id"]
    assignment = {"objectId": budget, "objectType": "budget"}
    await ask("assign_objects_to_label", id=created["id"], add=[assignment])
    assert (await ask("get_label_assignments", id=created["id"]))["assignments"] == [assignment]
    await ask("assign_objects_to_label", id=created["id"], remove=[assignment])
    assert not (await ask("get_label_assignments", id=created["id"]))["assignments"]
    await ask("delete_label", id=created["id"])
    with pytest.raises(ApiError):
        await ask("get_label", id=created["id"])


async def test_annotation_lifecycle(ask: Ask) -> None:
    moment = "2026-09-01T00:00:00Z"
    created = await ask("create_annotation", content="Moved the warehouse", timestamp=moment)
    assert (await ask("get_annotation", content="the WAREHOUSE"))["id"] == created["id"]
    changed = await ask("update_annotation", id=created["id"], content="Moved it all")
    assert changed["content"] == "Moved it all" and changed["timestamp"].startswith(moment[:10])
    assert created["id"] in {row["id"] for row in (await ask("list_annotations"))["annotations"]}
    await ask("delete_annotation", id=created["id"])
    assert created["id"] not in {row["id"] for row in (await ask("list_annotations"))["annotations"]}


async def test_folder_lifecycle(ask: Ask) -> None:
    outer = await ask("create_folder", name="Month ends")
    inner = await ask("create_folder", name="Audits", parentFolderId=outer["id"])
    assert (await ask("get_folder", name="month ends"))["parentFolderId"] == "root"
    assert (await ask("update_folder", id=inner["id"], description="Yearly"))["parentFolderId"] == outer["id"]
    await ask("delete_folder", id=outer["id"])
    assert not {outer["id"], inner["id"]} & {row["id"] for row in (await ask("list_folders"))["folders"]}


async def test_budget_is_shared(ask: Ask) -> None:
    budget = {"resourceType": "budgets", "resourceId": (await ask("list_budgets", maxResults=1))["budgets"][0]["id"]}
    before = await ask("get_resource_permissions", **budget)
    assert [permission["role"] for permission in before["permissions"]].count("owner") == 1
    after = await ask("update_resource_permissions", **budget, permissions=before["permissions"], public="viewer")
    assert after["public"] == "viewer" and after["permissions"] == before["permissions"]
    with pytest.raises(ApiError):
        await ask("update_resource_permissions", **budget, permissions=[{"user": "a@acme.example", "role": "viewer"}])


OWNER = {"permissions": [{"user": "ann@acme.example", "role": "owner"}]}


@pytest.mark.parametrize(
    ("permissions", "expected"), [(OWNER, "viewer"), ({"public": "no_access"}, ""), ({"public": "editor"}, "editor")]
)
async def test_allocations_always_state_public_access(permissions: dict[str, Any], expected: str) -> None:
    """The API fails on allocations without the field, and on null; omitted fields stay unchanged."""
    api = Recorder({"public": "viewer", **OWNER})
    await run("update_resource_permissions", api, resourceType="allocations", resourceId="a", **permissions)
    assert api.requests[-1].body == {**OWNER, "public": expected} and len(api.requests) == 3
