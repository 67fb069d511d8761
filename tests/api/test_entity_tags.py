"""Entity tags: writes name the version that they change, and do not overwrite the changes of others."""

from __future__ import annotations

from typing import Any, TypedDict, Unpack

import pytest

from doit_mcp.api.entity_tags import MAX_SHOWN_FIELDS, list_changes, read_entity_tag
from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Area, Request, delete, get, patch
from doit_mcp.protocol.json_schema import JsonObject

from .recorder import Recorder


class Thing(TypedDict, total=False):
    name: str


class Things(Area):
    """Things."""

    @get("/things/{id}")
    async def get_thing(self, *, id: str) -> JsonObject:
        raise AssertionError("the decorator sends")

    @patch("/things/{id}", needs_if_match=True, preview_with=get_thing, content_type="application/merge-patch+json")
    async def update_thing(self, *, id: str, dryRun: bool | None = None, **thing: Unpack[Thing]) -> JsonObject:
        raise AssertionError("the decorator sends")

    @delete("/things/{id}", needs_if_match=True, preview_with="get_thing")
    async def delete_thing(self, *, id: str) -> JsonObject:
        raise AssertionError("the decorator sends")


STALE = ApiError("stale", kind="conflict", status=412)
READ = Request("GET", "/things/1", {}, None)


def thing(version: str, **fields: Any) -> JsonObject:
    """Return a thing of this version."""
    return {"id": "1", "etag": f'"{version}"', "updatedAt": version, **fields}


async def test_update_names_the_version_that_it_read() -> None:
    api = Recorder(thing("a"), {})
    await Things(api).update_thing(id="1", dryRun=True, name="n")
    assert api.requests == [READ, Request("PATCH", "/things/1", {"dryRun": "true"}, {"name": "n"}, '"a"')]


async def test_deletion_names_the_version_that_it_read() -> None:
    api = Recorder(thing("a"), None)
    await Things(api).delete_thing(id="1")
    assert api.requests == [READ, Request("DELETE", "/things/1", {}, None, '"a"')]


async def test_only_another_version_is_tried_once_more() -> None:
    api = Recorder(thing("a"), STALE, thing("b"), {"name": "n"})
    assert await Things(api).update_thing(id="1", name="n") == {"name": "n"}
    assert [(request.method, request.if_match) for request in api.requests] == [
        ("GET", ""),
        ("PATCH", '"a"'),
        ("GET", ""),
        ("PATCH", '"b"'),
    ]


async def test_a_second_refusal_is_final() -> None:
    api = Recorder(thing("a"), STALE, thing("b"), STALE)
    with pytest.raises(ApiError) as caught:
        await Things(api).delete_thing(id="1")
    assert caught.value is STALE and len(api.requests) == 4


async def test_changes_of_others_are_shown_and_not_overwritten() -> None:
    before, after = (
        thing("a", enabled=True, owner={"name": "A", "id": 1}),
        thing("b", owner={"name": "B", "id": 1}, tags=[1]),
    )
    api = Recorder(before, STALE, after)
    with pytest.raises(ApiError, match="another update") as caught:
        await Things(api).update_thing(id="1", name="n")
    assert (caught.value.kind, caught.value.status, caught.value.maybe_applied) == ("conflict", 412, False)
    assert "(enabled: true → none; owner.name: A → B; tags: none → [1])" in caught.value.reason
    assert [request.method for request in api.requests] == ["GET", "PATCH", "GET"]


OTHER_ERRORS = (
    ApiError("gone", kind="missing", status=404),
    ApiError("", kind="conflict", status=409),
    ApiError("its own change", kind="conflict", status=412, maybe_applied=True),
)


@pytest.mark.parametrize("error", OTHER_ERRORS)
async def test_other_errors_are_not_repeated(error: ApiError) -> None:
    api = Recorder(thing("a"), error)
    with pytest.raises(ApiError) as caught:
        await Things(api).delete_thing(id="1")
    assert caught.value is error and len(api.requests) == 2


async def test_object_without_a_tag_sends_no_header() -> None:
    api = Recorder({"id": "1"}, {})
    await Things(api).update_thing(id="1", name="n")
    assert api.requests[1].if_match == ""


def test_changes_are_limited_and_safe_to_show() -> None:
    many = {f"field{number}": number for number in range(99)}
    assert len(list_changes({}, many)) == 99
    (line,) = list_changes({"note": "<b>see https://evil.example</b>"}, {"note": "x" * 39 + "é" * 500})
    assert "evil" not in line and "<" not in line and len(line) < 150
    assert list_changes(thing("a"), thing("b")) == []


async def test_error_shows_the_first_changes_and_counts_the_others() -> None:
    api = Recorder(thing("a"), STALE, thing("b", **{f"field{number}": number for number in range(20)}))
    with pytest.raises(ApiError, match=f"and {20 - MAX_SHOWN_FIELDS} more fields"):
        await Things(api).delete_thing(id="1")


def test_declaration_names_the_method_that_reads() -> None:
    with pytest.raises(TypeError, match="preview_with"):

        @delete("/things/{id}", needs_if_match=True, preview_with=None)
        async def delete_thing(self: Area, *, id: str) -> JsonObject: ...


@pytest.mark.parametrize(
    ("etag", "header"),
    [(None, ""), ("", ""), ("v1", '"v1"'), ('"v1"', '"v1"'), ('W/"v1"', 'W/"v1"')],
)
def test_both_spellings_of_a_tag_are_read(etag: str | None, header: str) -> None:
    assert read_entity_tag({"etag": etag}) == header


@pytest.mark.parametrize("etag", ['"a\r\nX: 1"', 'a"b', 5, "é", "x" * 1_001])
def test_other_tags_are_refused(etag: object) -> None:
    with pytest.raises(ApiError, match="etag"):
        read_entity_tag({"etag": etag})
