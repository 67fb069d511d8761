"""Annotations, labels, and label assignments."""

from __future__ import annotations

from typing import Any

import pytest

from ..conftest import Clock
from .conftest import GLOBEX, Party

LABELS, NOTES, REPORTS = "/analytics/v1/labels", "/analytics/v1/annotations", "/analytics/v1/reports"
OBJECTS = {
    "alert": "/analytics/v1/alerts",
    "allocation": "/analytics/v1/allocations",
    "budget": "/analytics/v1/budgets",
    "report": REPORTS,
    "annotation": NOTES,
}


async def label(party: Party, name: str = "Mine", color: str = "teal") -> Any:
    """The response to the creation of a label."""
    answer = await party.send("POST", LABELS, {"name": name, "color": color})
    assert answer.status == 201, answer
    return answer.json


async def note(party: Party, **body: object) -> Any:
    """The response to the creation of an annotation."""
    answer = await party.send("POST", NOTES, {"content": "Mine", "timestamp": "2026-11-01T00:00:00Z", **body})
    assert answer.status == 201, answer
    return answer.json


async def test_label_lifecycle(party: Party, clock: Clock) -> None:
    before = await party.get(LABELS)
    created = await label(party)
    assert (created["type"], created["createTime"]) == ("custom", "2026-11-24T12:00:00Z")
    assert (await party.get(LABELS))["labels"] == [created, *before["labels"]]
    clock.advance(1)
    path = f"{LABELS}/{created['id']}"
    changed = (await party.send("PATCH", path, {"name": None, "color": "lime"})).json
    assert changed == {**created, "color": "lime", "updateTime": "2026-11-24T12:00:01Z"} == await party.get(path)
    assert (await party.send("DELETE", path)).json == {}
    for method, tail, body in (
        ("GET", "", None),
        ("PATCH", "", {}),
        ("DELETE", "", None),
        ("GET", "/assignments", None),
        ("POST", "/assignments", {"add": []}),
    ):
        assert "not found" in await party.expect_error(404, method, path + tail, body)
    assert await party.get(LABELS) == before


async def test_labels_can_be_assigned_to_every_object_type(party: Party) -> None:
    created = await label(party)
    path = f"{LABELS}/{created['id']}/assignments"
    objects = []
    for kind, place in OBJECTS.items():
        page = await party.get(place, maxResults=1)
        items = next(value for value in page.values() if isinstance(value, list))
        objects.append({"objectId": items[0]["id"], "objectType": kind})
    answer = await party.send("POST", path, {"add": objects * 2})
    assert (answer.status, answer.body) == (200, b"")
    assert (await party.get(path))["assignments"] == objects
    for kind in ("report", "annotation"):
        object_id = next(assigned["objectId"] for assigned in objects if assigned["objectType"] == kind)
        items = next(value for value in (await party.get(OBJECTS[kind])).values() if isinstance(value, list))
        item_found = next(item for item in items if item["id"] == object_id)
        assert {"id": created["id"], "name": "Mine"} in item_found["labels"]
    await party.send("POST", path, {"remove": objects[1:], "add": []})
    assert (await party.get(path))["assignments"] == objects[:1]
    for body in (
        {},
        {"add": [{"objectId": "x", "objectType": "alert"}]},
        {"add": [{**objects[0], "objectType": "x"}]},
        {"add": [{"objectId": "x", "objectType": "metric"}]},
    ):
        assert "add" in await party.expect_error(400, "POST", path, body)


async def test_deleted_objects_have_no_labels(party: Party) -> None:
    label_created = await label(party)
    created = await party.send("POST", REPORTS, {"name": "x", "labels": [label_created["id"]]})
    report = created.json["id"]
    assert created.json["labels"] == [label_created["id"]]
    path = f"{LABELS}/{label_created['id']}/assignments"
    assert (await party.get(path))["assignments"] == [{"objectId": report, "objectType": "report"}]
    assert (await party.send("PATCH", f"{REPORTS}/{report}", {"name": "y"})).json["labels"] == [label_created["id"]]
    assert (await party.send("PATCH", f"{REPORTS}/{report}", {"labels": []})).json["labels"] == []
    await party.send("PATCH", f"{REPORTS}/{report}", {"labels": [label_created["id"]]})
    await party.send("DELETE", f"{REPORTS}/{report}")
    assert (await party.get(path))["assignments"] == []


async def test_presets_cannot_be_changed(party: Party) -> None:
    preset = (await party.get(LABELS, filter="type:preset"))["labels"][0]
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
        assert "preset" in await party.expect_error(403, method, f"{LABELS}/{preset['id']}", body)


async def test_labels_are_filtered_sorted_and_paginated(party: Party) -> None:
    for name in "ACB":
        await label(party, f"Label {name}")
    labels = (await party.get(LABELS, nameContains="lABEL ", sortBy="name"))["labels"]
    assert [item["name"] for item in labels] == ["Label A", "Label B", "Label C"]
    assert [item["name"] for item in (await party.get(LABELS, filter="name:Label A"))["labels"]] == ["Label A"]
    assert await party.walk(LABELS, "labels", 2) == (await party.get(LABELS))["labels"]
    for field in ("id", "type", "createTime", "updateTime"):
        values = [item[field] for item in (await party.get(LABELS, sortBy=field, sortOrder="desc"))["labels"]]
        assert values == sorted(values, reverse=True)
    red = {"name": "x", "color": "red"}
    for body, field in (({"name": "x"}, "color"), (red, "color"), ({"color": "teal"}, "name")):
        assert field in await party.expect_error(400, "POST", LABELS, body)


async def test_annotation_lifecycle(party: Party, clock: Clock) -> None:
    before = await party.get(NOTES)
    report = (await party.get(REPORTS, filter="type:custom"))["reports"][0]["id"]
    mark = await label(party)
    annotation = await note(party, timestamp="2026-11-01T02:00:00+02:00", reports=[report], labels=[mark["id"]])
    assert (annotation["timestamp"], annotation["reports"]) == ("2026-11-01T00:00:00Z", [report])
    assert annotation["labels"] == [{"id": mark["id"], "name": "Mine"}]
    assert (await party.get(NOTES))["annotations"] == [annotation, *before["annotations"]]
    clock.advance(1)
    path = f"{NOTES}/{annotation['id']}"
    changed = (await party.send("PATCH", path, {"content": "Else", "timestamp": None, "labels": []})).json
    assert changed == {**annotation, "content": "Else", "labels": [], "updateTime": "2026-11-24T12:00:01Z"}
    await party.send("DELETE", f"{REPORTS}/{report}")
    assert (await party.get(path))["reports"] == []
    assert (await party.send("DELETE", path)).json == {}
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        assert "not found" in await party.expect_error(404, method, path, body)


async def test_annotations_are_filtered_sorted_and_paginated(party: Party) -> None:
    mark = await label(party, "Mark")
    annotations = [await note(party, content=f"Note {day}", timestamp=f"2026-11-0{day}T00:00:00Z") for day in (2, 1, 3)]
    await party.send("PATCH", f"{NOTES}/{annotations[0]['id']}", {"labels": [mark["id"]]})

    async def list_contents(**query: object) -> list[str]:
        return [item["content"] for item in (await party.get(NOTES, **query))["annotations"]]

    assert (await list_contents())[:3] == ["Note 3", "Note 1", "Note 2"]
    assert await list_contents(filter="content:Note 1|content:Note 2", sortBy="timestamp") == ["Note 1", "Note 2"]
    assert await list_contents(filter="timestamp:2026-11-03T01:00:00+01:00") == ["Note 3"]
    assert await list_contents(filter="labels:Mark") == await list_contents(filter=f"labels:{mark['id']}") == ["Note 2"]
    for field in ("id", "content", "timestamp"):
        assert len(await list_contents(sortBy=field, sortOrder="desc")) == len(await list_contents())
    assert [item["content"] for item in await party.walk(NOTES, "annotations", 2)] == await list_contents()
    for query in (
        {"filter": "timestamp:yesterday"},
        {"sortBy": "createTime"},
        {"sortBy": "timeCreated"},
        {"filter": "x:y"},
    ):
        assert next(iter(query)) in await party.expect_error(400, "GET", NOTES, **query)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": ""}, "content"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": "2026-11-01"}, "timestamp"),
        ({"timestamp": "0001-01-01T00:00:00+01:00"}, "timestamp"),
        ({"reports": ["nothing"]}, "reports"),
        ({"labels": ["nothing"]}, "labels"),
        ({"x": 1}, "x"),
    ],
)
async def test_annotation_validation_errors_name_the_field(party: Party, body: Any, field: str) -> None:
    usual = {"content": "x", "timestamp": "2026-11-01T00:00:00Z"}
    before = await party.get(NOTES)
    assert field in await party.expect_error(400, "POST", NOTES, {**usual, **body})
    assert field in await party.expect_error(400, "PATCH", f"{NOTES}/{before['annotations'][0]['id']}", body)
    assert await party.get(NOTES) == before


async def test_labels_belong_to_the_customer(party: Party) -> None:
    annotation, mark = await note(party), await label(party)
    for path in (f"{NOTES}/{annotation['id']}", f"{LABELS}/{mark['id']}"):
        assert "not found" in await party.expect_error(404, "GET", path, who=GLOBEX)
