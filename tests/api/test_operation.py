"""Operations: how declarations become rows, and arguments become requests."""

from __future__ import annotations

from typing import Annotated, TypedDict, Unpack
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api import AREAS, Doit
from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import (
    Area,
    Request,
    delete,
    get,
    offers,
    operation_of,
    patch,
    post,
    put,
)
from doit_mcp.api.request_encoding import encode_segment, query_value
from doit_mcp.protocol.json_schema import JsonObject

from .recorder import Recorder


class Thing(TypedDict, total=False):
    name: str
    size: int | None


class Things(Area):
    """Things."""

    @get("/things/v1/{box}/things", items="things", slow=True)
    async def list_things(self, *, box: str, tag: list[str] | None = None, deep: bool | None = None) -> JsonObject:
        """List
        things."""
        raise AssertionError("the decorator sends")

    @post("/things/v1/{box}/things", needs_idempotency_key=True, open_world=True, title="New thing")
    async def create_thing(self, *, box: str, dryRun: bool | None = None, **thing: Unpack[Thing]) -> JsonObject:
        """Create a thing."""
        raise AssertionError("the decorator sends")

    @patch("/things/v1/{id}", content_type="application/merge-patch+json")
    async def update_thing(self, *, id: str, **thing: Unpack[Thing]) -> JsonObject:
        """Change a thing."""
        raise AssertionError("the decorator sends")

    @put("/things/v1/{id}")
    async def _put(self, *, id: str, **thing: Unpack[Thing]) -> JsonObject:
        raise AssertionError("the decorator sends")

    @offers(_put)
    async def replace_thing(self, *, number: Annotated[int, "Its number."]) -> JsonObject:
        """Replace a thing."""
        return await self._put(id=f"t{number}", name="new")

    @delete("/things/v1/{id}")
    async def delete_thing(self, *, id: str) -> JsonObject:
        """Delete a thing."""
        raise AssertionError("the decorator sends")

    @post("/things/v1/find", read_only=True)
    async def find_things(self, **thing: Unpack[Thing]) -> JsonObject:
        """Find things."""
        raise AssertionError("the decorator sends")

    @get("/things/v1/bare")
    async def list_bare(self) -> list[JsonObject]:
        """List without a key."""
        raise AssertionError("the decorator sends")

    def helper(self) -> str:
        """No operation."""
        return "no operation"


@pytest.mark.requirement("U3")
async def test_signature_determines_path_query_and_body() -> None:
    api = Recorder()
    area = Things(api)
    await area.list_things(box="a b", tag=["x", "y"], deep=True)
    await area.create_thing(box="b", dryRun=False, name="n", size=None)
    await area.update_thing(id="1", size=3)
    await area.delete_thing(id="1")
    assert api.requests == [
        Request("GET", "/things/v1/a%20b/things", {"tag": ["x", "y"], "deep": "true"}, None),
        Request("POST", "/things/v1/b/things", {"dryRun": "false"}, {"name": "n", "size": None}),
        Request("PATCH", "/things/v1/1", {}, {"size": 3}),
        Request("DELETE", "/things/v1/1", {}, None),
    ]


async def test_query_arguments_of_none_are_omitted() -> None:
    api = Recorder()
    await Things(api).list_things(box="b", deep=None)
    assert api.requests[0].query == {}


def test_operations_are_public_methods_that_declare_or_offer_one() -> None:
    names = [operation.name for operation in Things.operations]
    expected = ["list_things", "create_thing", "update_thing", "replace_thing", "delete_thing"]
    assert names[:5] == expected and names[5:] == ["find_things", "list_bare"]
    assert Things(Recorder()).helper() == "no operation"


@pytest.mark.parametrize("answer", [None, [], "x", 5, True])
async def test_response_of_an_unexpected_type_is_an_error(answer: object) -> None:
    with pytest.raises(ApiError) as caught:
        await Things(Recorder(answer)).find_things()
    assert caught.value.kind == "answer" and not caught.value.maybe_applied
    if answer is not None:
        with pytest.raises(ApiError) as caught:
            await Things(Recorder(answer)).delete_thing(id="1")
        assert caught.value.maybe_applied


async def test_write_may_return_nothing_or_a_list() -> None:
    assert await Things(Recorder(None)).delete_thing(id="1") is None
    assert await Things(Recorder([{"a": 1}])).list_bare() == [{"a": 1}]


def test_operation_matches_its_declaration() -> None:
    rows = {operation.name: operation for operation in Things.operations}
    assert rows["list_things"].description == "List things."
    assert (rows["list_things"].items, rows["list_things"].slow, rows["list_things"].read_only) == (
        "things",
        True,
        True,
    )
    created = rows["create_thing"]
    assert (created.needs_idempotency_key, created.open_world, created.title, created.read_only) == (
        True,
        True,
        "New thing",
        False,
    )
    assert created.retryable and not rows["update_thing"].retryable
    assert rows["update_thing"].content_type == "application/merge-patch+json"
    assert rows["find_things"].read_only and rows["find_things"].has_body
    assert rows["replace_thing"].path == "/things/v1/{id}" and rows["replace_thing"].method == "PUT"


async def test_method_with_a_body_offers_the_mapped_operation() -> None:
    api = Recorder()
    await Things(api).replace_thing(number=7)
    assert api.requests == [Request("PUT", "/things/v1/t7", {}, {"name": "new"})]


@pytest.mark.requirement("U1")
@given(st.text())
def test_path_value_is_one_round_trip_segment_or_rejected(value: str) -> None:
    try:
        segment = encode_segment("id", value)
    except ApiError as error:
        assert error.kind == "argument"
        assert value in ("", ".", "..") or any("\ud800" <= letter <= "\udfff" for letter in value)
        return
    assert segment and not set(segment) & set("/?#;&\\ \r\n") and segment not in (".", "..")
    assert unquote(segment) == value


@pytest.mark.requirement("U1", "U3")
@pytest.mark.parametrize("value", ["../../iam/v1/roles", "..%2f..", "a/../../b", "x?y=1", "x#y", "%2e%2e"])
async def test_hostile_ids_stay_within_their_segment(value: str) -> None:
    api = Recorder()
    doit = Doit.for_sender(api)
    await doit.anomalies.get_anomaly(id=value)
    path = api.requests[0].path
    assert path.count("/") == 3 and path.startswith("/anomalies/v1/") and unquote(path.rsplit("/", 1)[1]) == value


@pytest.mark.requirement("U1")
@pytest.mark.parametrize("value", ["", ".", "..", "\ud800"])
async def test_ids_that_change_the_path_are_rejected_before_sending(value: str) -> None:
    api = Recorder()
    with pytest.raises(ApiError) as caught:
        await Doit.for_sender(api).anomalies.get_anomaly(id=value)
    assert caught.value.kind == "argument" and api.requests == []


def test_query_values_are_strings() -> None:
    assert (
        query_value(True) == "true"
        and query_value(40) == "40"
        and query_value(["a", False, 1.5]) == ["a", "false", "1.5"]
    )


def test_registry_binds_every_area() -> None:
    doit = Doit.for_sender(Recorder())
    assert all(isinstance(getattr(doit, name), area) for name, area in AREAS.items())
    for area in AREAS.values():
        assert area.operations and (area.__doc__ or "").strip()
        for operation in area.operations:
            assert operation_of(getattr(area, operation.name)) == operation


async def test_page_size_is_the_default_of_max_results() -> None:
    class Pots(Area):
        @get("/pots", items="pots", page_size=500)
        async def list_pots(self, *, maxResults: int | None = None, color: str | None = None) -> JsonObject: ...

    api = Recorder({"pots": []})
    pots = Pots(api)
    await pots.list_pots()
    await pots.list_pots(maxResults=None, color="red")
    await pots.list_pots(maxResults=5)
    expected_queries = [{"maxResults": "500"}, {"maxResults": "500", "color": "red"}, {"maxResults": "5"}]
    assert [request.query for request in api.requests] == expected_queries


async def test_one_argument_can_be_the_entire_body() -> None:
    class Runs(Area):
        @post("/runs/{id}", body_argument="payload")
        async def run(self, *, id: str, dry: bool | None = None, payload: JsonObject) -> JsonObject: ...

    api = Recorder()
    await Runs(api).run(id="a/b", dry=True, payload={"id": 1, "dry": None, "payload": {}})
    assert api.requests == [Request("POST", "/runs/a%2Fb", {"dry": "true"}, {"id": 1, "dry": None, "payload": {}})]
    assert Runs.operations[0].parameters == ("dry",)
