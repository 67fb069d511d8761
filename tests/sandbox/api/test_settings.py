"""Themes, folders, sharing and budget suggestions."""

from __future__ import annotations

from typing import Any

import pytest

from ..conftest import Clock
from .conftest import ADMIN, VIEWER, Party

THEMES, ACTIVE = "/analytics/v1/settings/themes", "/analytics/v1/settings/active-theme"
FOLDERS, REPORTS, BUDGETS = "/analytics/v1/folders", "/analytics/v1/reports", "/analytics/v1/budgets"
SUGGESTIONS = "/analytics/v1/budget-suggestions"
THEME: dict[str, Any] = {
    "name": "Mine",
    "primaryColor": "#123",
    "colors": {"light": ["#112233"], "dark": ["#11223344", "#fff"]},
}


async def create(party: Party, path: str, body: Any) -> Any:
    """The response to the creation of an object."""
    answer = await party.send("POST", path, body)
    assert answer.status == 201, answer
    return answer.json


async def test_theme_lifecycle(party: Party, clock: Clock) -> None:
    before = await party.get(THEMES)
    theme = await create(party, THEMES, THEME)
    path = f"{THEMES}/{theme['id']}"
    assert (await party.get(THEMES))["themes"] == [theme, *before["themes"]]
    assert before["rowCount"] == len(before["themes"])
    clock.advance(1)
    changed = (await party.send("PATCH", path, {"name": "Else", "primaryColor": None})).json
    assert changed == {**theme, "name": "Else", "updateTime": "2026-11-24T12:00:01Z"} == await party.get(path)
    assert (await party.send("DELETE", path)).json == {}
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        assert "not found" in await party.expect_error(404, method, path, body)
    assert await party.get(THEMES) == before


async def test_active_theme_is_per_user(party: Party) -> None:
    theme = await create(party, THEMES, THEME)
    assert await party.get(ACTIVE) == {"themeId": "default"}
    theme_body = {"themeId": theme["id"]}
    assert (await party.send("PUT", ACTIVE, theme_body, who=VIEWER)).json == theme_body
    assert (await party.get(ACTIVE, VIEWER), await party.get(ACTIVE)) == (theme_body, {"themeId": "default"})
    await party.send("PUT", ACTIVE, {"themeId": "default"}, who=VIEWER)
    assert await party.get(ACTIVE, VIEWER) == {"themeId": "default"}
    await party.send("PUT", ACTIVE, theme_body)
    await party.send("DELETE", f"{THEMES}/{theme['id']}")
    assert await party.get(ACTIVE) == {"themeId": "default"}
    assert "not found" in await party.expect_error(404, "PUT", ACTIVE, theme_body)
    assert "themeId" in await party.expect_error(400, "PUT", ACTIVE, {})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"primaryColor": "red"}, "primaryColor"),
        ({"primaryColor": "#1234"}, "primaryColor"),
        ({"name": "x" * 201}, "name"),
        ({"colors": {"light": [], "dark": ["#fff"]}}, "colors.light"),
        ({"colors": {"light": ["#fff"]}}, "dark"),
        ({"colors": {"light": ["#fff"], "dark": ["#fff"] * 33}}, "colors.dark"),
    ],
)
async def test_theme_validation_errors_name_the_field(party: Party, body: Any, field: str) -> None:
    assert field in await party.expect_error(400, "POST", THEMES, {**THEME, **body})
    theme = (await party.get(THEMES))["themes"][0]["id"]
    assert field in await party.expect_error(400, "PATCH", f"{THEMES}/{theme}", body)


async def test_nested_folders(party: Party) -> None:
    outer = await create(party, FOLDERS, {"name": "Outer"})
    assert (outer["parentFolderId"], outer["description"]) == ("root", "")
    inner = await create(party, FOLDERS, {"name": "Inner", "parentFolderId": outer["id"], "description": "x"})
    listed = (await party.get(FOLDERS))["folders"]
    assert [item["id"] for item in listed] == sorted(item["id"] for item in listed)
    assert outer in listed and inner in listed and await party.walk(FOLDERS, "folders", 1) == listed
    twin = await create(party, FOLDERS, {"name": "Inner"})
    moved = (await party.send("PATCH", f"{FOLDERS}/{twin['id']}", {"parentFolderId": outer["id"]})).json
    assert (moved["name"], moved["parentFolderId"]) == ("Inner (1)", outer["id"])
    for parent in (inner["id"], outer["id"]):
        message = await party.expect_error(400, "PATCH", f"{FOLDERS}/{outer['id']}", {"parentFolderId": parent})
        assert "parentFolderId" in message
    assert "parentFolderId" in await party.expect_error(
        400, "POST", FOLDERS, {"name": "x", "parentFolderId": "nowhere"}
    )
    rule = {"components": [{"key": "region", "type": "fixed", "values": ["us-east-1"], "mode": "is"}], "formula": "A"}
    allocation = {"name": "x", "description": "", "rule": rule, "folderId": inner["id"]}
    allocation_created = (await party.send("POST", "/analytics/v1/allocations", allocation)).json
    report = await create(party, REPORTS, {"name": "x", "folderId": outer["id"]})
    assert (allocation_created["folderId"], report["folderId"]) == (inner["id"], outer["id"])
    reports = (await party.get(REPORTS, filter=f"folderId:{outer['id']}"))["reports"]
    assert [item["id"] for item in reports] == [report["id"]]
    response = await party.send("DELETE", f"{FOLDERS}/{outer['id']}")
    assert (response.status, response.body) == (204, b"")
    for folder in (outer, inner, moved):
        for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
            assert "not found" in await party.expect_error(404, method, f"{FOLDERS}/{folder['id']}", body)
    assert (await party.get(f"/analytics/v1/allocations/{allocation_created['id']}"))["folderId"] == "root"
    assert (await party.get(f"{REPORTS}/{report['id']}/config"))["folderId"] == "root"
    back = (await party.send("PATCH", f"{REPORTS}/{report['id']}", {"folderId": ""})).json
    assert back["folderId"] == "root"


@pytest.mark.parametrize("kind", ["alerts", "budgets", "reports", "allocations"])
async def test_sharing(party: Party, kind: str) -> None:
    place = f"/analytics/v1/{kind}"
    body = await party.get(place, **({"filter": "type:custom"} if kind == "reports" else {}))
    resource = body[kind][0]["id"]
    path = f"/sharing/v1/{kind}/{resource}"
    before = await party.get(path)
    assert before["permissions"] == [{"user": ADMIN.email, "role": "owner"}] and before["public"] == "viewer"
    shared = [{"user": VIEWER.email, "role": "owner"}, {"user": ADMIN.email, "role": "editor"}]
    after = (await party.send("PUT", path, {"permissions": shared, "public": "viewer"})).json
    assert (after["permissions"], after["public"], after["name"]) == (shared, "viewer", before["name"])
    assert await party.get(path) == after
    listed = next(item for item in (await party.get(place))[kind] if item["id"] == resource)
    assert listed["owner"] == VIEWER.email
    private = (await party.send("PUT", path, {"permissions": shared, "public": ""})).json
    assert private["public"] is None
    absent = await party.send("PUT", path, {"permissions": shared, "public": None})
    assert absent.status == (500 if kind == "allocations" else 200), "so does DoiT"
    for wrong in ([], shared[1:], [shared[0], {**shared[0], "user": "x@acme.example"}], [*shared, shared[1]]):
        assert "permissions" in await party.expect_error(400, "PUT", path, {"permissions": wrong, "public": ""})
    assert "not found" in await party.expect_error(404, "GET", f"/sharing/v1/{kind}/nothing")
    assert "resourceType" in await party.expect_error(400, "GET", f"/sharing/v1/labels/{resource}")


async def test_budgets_list_their_collaborators(party: Party) -> None:
    budget = (await party.get(BUDGETS))["budgets"][0]["id"]
    shared = [{"user": ADMIN.email, "role": "owner"}, {"user": VIEWER.email, "role": "viewer"}]
    await party.send("PUT", f"/sharing/v1/budgets/{budget}", {"permissions": shared, "public": "editor"})
    budget_body = await party.get(f"{BUDGETS}/{budget}")
    assert budget_body["public"] == "editor"
    assert budget_body["collaborators"] == [{"email": item["user"], "role": item["role"]} for item in shared]


async def test_suggestions_become_budgets(party: Party) -> None:
    before = await party.get(SUGGESTIONS)
    first, second = before["items"][:2]
    assert before["rowCount"] == len(before["items"]) and first["status"] == "pending"
    service = first["scopeChips"][0]["values"]
    month = {"timeInterval": "month", "timeRange": {"mode": "last", "amount": 1, "unit": "month"}}
    spent = await party.cost(filters=[{"type": "fixed", "id": "service_description", "values": service}], **month)
    assert float(first["amount"]["amount"]) == pytest.approx(1.1 * spent, abs=10)
    path = f"{SUGGESTIONS}/{first['id']}/actions"
    assert "budgetId" in await party.expect_error(400, "POST", f"{path}/accept", {"budgetId": "nothing"})
    budget = await create(party, BUDGETS, first["config"])
    body = {"budgetId": budget["id"], "editedBeforeAccept": False}
    assert (await party.send("POST", f"{path}/accept", body)).json == {"budgetId": budget["id"]}
    dismissed = await party.send("POST", f"{SUGGESTIONS}/{second['id']}/actions/dismiss", {"reason": "not_relevant"})
    assert dismissed.json == {"id": second["id"], "status": "dismissed"}
    assert (await party.get(SUGGESTIONS))["items"] == before["items"][2:]
    for item in (first, second):
        for action, body_sent in (("accept", body), ("dismiss", None)):
            assert "already" in await party.expect_error(
                400, "POST", f"{SUGGESTIONS}/{item['id']}/actions/{action}", body_sent
            )
    third = before["items"][2]["id"]
    assert "reason" in await party.expect_error(400, "POST", f"{SUGGESTIONS}/{third}/actions/dismiss", {"reason": "x"})
    assert (await party.send("POST", f"{SUGGESTIONS}/{third}/actions/dismiss")).status == 200
    assert "not found" in await party.expect_error(404, "POST", f"{SUGGESTIONS}/nothing/actions/dismiss")
