"""Parsing of bytes into values and messages: each is valid or an RpcError with the right code."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.protocol.jsonrpc import (
    CAPABILITIES_KEY,
    INVALID_REQUEST,
    MAX_DEPTH,
    MAX_ID_LENGTH,
    MAX_METHOD_LENGTH,
    PARSE_ERROR,
    Notification,
    Request,
    Response,
    RpcError,
    error_bytes,
    notification_bytes,
    parse_json,
    parse_message,
    result_bytes,
)

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
# Close to a message: the right names with any values, so that every branch is reached.
MEMBERS = {
    "jsonrpc": st.just("2.0") | VALUES,
    "id": st.integers(-9, 9) | st.text(max_size=3) | VALUES,
    "method": st.sampled_from(["ping", ""]) | VALUES,
    "params": st.just({}) | VALUES,
    "result": VALUES,
    "error": st.fixed_dictionaries({"code": st.integers(-9, 9) | VALUES, "message": st.text() | VALUES}) | VALUES,
}
NEAR = st.fixed_dictionaries({}, optional=MEMBERS)


def number(whole: int) -> int | float:
    return whole if -(2**63) <= whole < 2**64 else float(whole)


def refusal(value: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        parse_message(value)
    return caught.value


@pytest.mark.requirement("J1")
@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")) | NEAR.map(orjson.dumps))
def test_any_body_is_a_value_or_a_parse_error(body: bytes) -> None:
    try:
        value = parse_json(body)
    except RpcError as error:
        assert (error.code, error.id) == (PARSE_ERROR, None)
        assert len(error.message) < 200
    else:
        assert value == json.loads(body, parse_int=lambda digits: number(int(digits)))
        orjson.dumps(value)


@pytest.mark.requirement("J2")
@given(VALUES | NEAR)
def test_any_value_is_a_message_or_an_invalid_request(value: Any) -> None:
    """Anything invalid is an Invalid Request, with the id where it is readable (MCP 2025-11-25, Messages, Requests)."""
    try:
        item = parse_message(value)
    except RpcError as error:
        assert error.code == INVALID_REQUEST
        readable = isinstance(error.id, str) or (isinstance(error.id, int) and not isinstance(error.id, bool))
        assert error.id is None or (readable and value["id"] == error.id)
        json.loads(error_bytes(error, error.id))
    else:
        assert value["jsonrpc"] == "2.0"
        if isinstance(item, Request):
            assert (item.id, item.method) == (value["id"], value["method"])
        elif isinstance(item, Notification):
            assert "id" not in value
        else:
            # With both, one of them is null, which means absent.
            assert item.error is None or value.get("result") is None
            assert ("result" in value) or ("error" in value)


@pytest.mark.requirement("J1")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{} {}",
        b"[1,]",
        b"{'a':1}",
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"9" * 5000,
        b'"\\ud800"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b'"\x00"',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-32"),
        b"[" * 200_000,
        b'{"a":' * 2_000,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_rejects_non_strict_json(body: bytes) -> None:
    with pytest.raises(RpcError) as caught:
        parse_json(body)
    assert caught.value.code == PARSE_ERROR
    assert b"id" not in error_bytes(caught.value, caught.value.id)[:30]


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"b":', b"}]")])
@pytest.mark.parametrize("inner", [b"0", b"[]", b"{}"])
def test_depth_is_counted_exactly(opening: bytes, closing: bytes, inner: bytes) -> None:
    step = opening.count(b"[") + opening.count(b"{")
    inner_depth = 0 if inner == b"0" else 1
    for depth in (MAX_DEPTH - inner_depth, MAX_DEPTH - inner_depth + step):
        levels = depth // step * step + inner_depth
        body = opening * (depth // step) + inner + closing * (depth // step)
        if levels <= MAX_DEPTH:
            parse_json(body)
        else:
            with pytest.raises(RpcError, match="nested deeper"):
                parse_json(body)


def test_breadth_is_not_depth() -> None:
    assert len(parse_json(b"[" + b",".join([b"[{}]"] * 1000) + b"]")) == 1000
    assert parse_json(b'"' + b"[" * 1000 + b'"') == "[" * 1000


def test_last_duplicate_member_wins() -> None:
    """The headers are compared with the member that takes effect."""
    item = parse_message(parse_json(b'{"jsonrpc":"2.0","id":1,"method":"tools/list","id":2,"method":"tools/call"}'))
    assert item == Request(2, "tools/call", {})


@pytest.mark.requirement("J2")
@pytest.mark.parametrize("text", ["0", '""', "-1", "18446744073709551615", "-9223372036854775808", '"\\u0000é"'])
def test_unusual_ids_are_returned_exactly(text: str) -> None:
    """A valid id is returned unchanged (MCP 2025-11-25, Messages, Responses)."""
    item = parse_message(parse_json(f'{{"jsonrpc":"2.0","id":{text},"method":"ping"}}'.encode()))
    assert isinstance(item, Request)
    assert json.loads(result_bytes(item.id, {}))["id"] == json.loads(text)


@pytest.mark.parametrize(("text", "identifier"), [("1.0", 1), ("1e3", 1000), ("-0.0", 0)])
def test_integers_written_as_floats_are_ids(text: str, identifier: int) -> None:
    """Serializers with one kind of number, such as those of Lua, write them in this form."""
    item = parse_message(parse_json(f'{{"jsonrpc":"2.0","id":{text},"method":"ping"}}'.encode()))
    assert isinstance(item, Request) and item.id == identifier and type(item.id) is int


@pytest.mark.parametrize(
    "text",
    ["null", "true", "false", "1.5", "1e300", "18446744073709551616", "-9223372036854775809", "[]", "{}"]
    + ['"' + "i" * (MAX_ID_LENGTH + 1) + '"'],
)
def test_invalid_ids_are_rejected_without_an_id(text: str) -> None:
    """An invalid id is not repeated in the error (MCP 2026-07-28, Messages, Requests)."""
    error = refusal(parse_json(f'{{"jsonrpc":"2.0","id":{text},"method":"ping"}}'.encode()))
    assert (error.code, error.id) == (INVALID_REQUEST, None)
    assert "id" not in json.loads(error_bytes(error, error.id))


@pytest.mark.parametrize(
    "wrong",
    [
        {"jsonrpc": "1.0"},
        {"jsonrpc": 2.0},
        {"jsonrpc": None},
        {"method": ""},
        {"method": None},
        {"method": 1},
        {"method": "m" * (MAX_METHOD_LENGTH + 1)},
        {"params": [1]},
        {"params": "x"},
    ],
    ids=str,
)
def test_malformed_requests_are_rejected_with_their_id(wrong: dict[str, Any]) -> None:
    """The error of a malformed request has its id (MCP 2026-07-28, Messages)."""
    error = refusal({"jsonrpc": "2.0", "id": "a", "method": "ping", **wrong})
    assert (error.code, error.id) == (INVALID_REQUEST, "a")


def test_null_is_absent_in_params() -> None:
    """Null in arguments is kept: their schema decides what it means."""
    base = {"jsonrpc": "2.0", "id": 1, "method": "m"}
    assert parse_message({**base, "params": None}) == Request(1, "m", {})
    sent = {"arguments": {"a": None}, "cursor": None, "_meta": {"progressToken": None, "k": {"v": None}}}
    expected = {"arguments": {"a": None}, "_meta": {"k": {"v": None}}}
    assert parse_message({**base, "params": sent}) == Request(1, "m", expected)
    del base["method"]
    assert parse_message({**base, "result": {}, "error": None}) == Response(1, {})
    error = {"code": 1, "message": "m"}
    assert parse_message({**base, "result": None, "error": error}) == Response(1, error=error)
    assert parse_message({**base, "result": None}) == Response(1, None)
    with pytest.raises(RpcError):
        parse_message({**base, "result": None, "error": None})


def test_empty_list_is_an_empty_object_in_params() -> None:
    """PHP writes empty objects as lists. Lists in arguments are kept: their schema decides what they mean."""
    base = {"jsonrpc": "2.0", "id": 1, "method": "m"}
    assert parse_message({**base, "params": []}) == Request(1, "m", {})
    sent = {"arguments": [], "clientInfo": [], "_meta": [], "none": None, "full": [1]}
    assert parse_message({**base, "params": sent}) == Request(
        1, "m", {"arguments": {}, "clientInfo": {}, "_meta": {}, "full": [1]}
    )
    kept = {"arguments": {"list": [], "none": None}, "_meta": {"k": {"v": []}}}
    assert parse_message({**base, "params": kept}) == Request(1, "m", kept)
    assert parse_message({"jsonrpc": "2.0", "id": 1, "result": []}) == Response(1, {})


@pytest.mark.parametrize("written", [None, []])
def test_no_capabilities_in_any_form(written: Any) -> None:
    """A client without capabilities has an empty map, which Go writes as null. The member itself is required."""
    for name, read in ((CAPABILITIES_KEY, {CAPABILITIES_KEY: {}}), ("other", {} if written is None else {"other": {}})):
        message = {"jsonrpc": "2.0", "id": 1, "method": "m", "params": {"_meta": {"v": "1", name: written}}}
        assert parse_message(message) == Request(1, "m", {"_meta": {"v": "1", **read}})


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "x", [], {}, [{}]])
def test_non_object_or_unversioned_value_is_not_a_message(value: Any) -> None:
    assert refusal(value).code == INVALID_REQUEST


@pytest.mark.requirement("J3")
def test_request_without_an_id_is_a_notification() -> None:
    """A request without an id is a notification (MCP 2025-11-25, Messages, Notifications)."""
    value = {"jsonrpc": "2.0", "method": "tools/call", "params": {"a": 1}}
    assert parse_message(value) == Notification("tools/call", {"a": 1})


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": 1},
        {"id": 1, "result": {}, "error": {"code": 1, "message": "m"}},
        {"result": {}},
        {"id": None, "result": {}},
        {"id": 1, "error": None},
        {"id": 1, "error": {}},
        {"id": 1, "error": {"code": "1", "message": "m"}},
        {"id": 1, "error": {"code": True, "message": "m"}},
        {"id": 1, "error": {"code": 1.5, "message": "m"}},
        {"id": 1, "error": {"code": 1}},
    ],
    ids=str,
)
def test_malformed_responses_are_rejected(wrong: dict[str, Any]) -> None:
    """A response has an id and either a result or a valid error (MCP 2025-11-25, Messages, Responses)."""
    assert refusal({"jsonrpc": "2.0", **wrong}).code == INVALID_REQUEST


def test_responses() -> None:
    error = {"code": -1, "message": "no", "data": [1]}
    assert parse_message({"jsonrpc": "2.0", "id": 1, "result": None}) == Response(1, result=None)
    assert parse_message({"jsonrpc": "2.0", "id": "a", "error": error}) == Response("a", error=error)
    # An error of a peer that could not read our id, in both forms.
    assert parse_message({"jsonrpc": "2.0", "id": None, "error": error}) == Response(None, error=error)
    assert parse_message({"jsonrpc": "2.0", "error": error}) == Response(None, error=error)


def test_error_without_an_id_omits_the_member() -> None:
    """An id that could not be read is omitted (MCP 2026-07-28, Messages, Responses)."""
    assert json.loads(error_bytes(RpcError(-1, "m"), None)) == {"jsonrpc": "2.0", "error": {"code": -1, "message": "m"}}
    assert json.loads(error_bytes(RpcError(-1, "m", {"a": 1}), 0)) == {
        "jsonrpc": "2.0",
        "id": 0,
        "error": {"code": -1, "message": "m", "data": {"a": 1}},
    }


def test_serialized_results_and_notifications() -> None:
    assert json.loads(result_bytes("", orjson.Fragment(b'{"a":1}'))) == {"jsonrpc": "2.0", "id": "", "result": {"a": 1}}
    assert json.loads(notification_bytes("notifications/x", {"a": 1})) == {
        "jsonrpc": "2.0",
        "method": "notifications/x",
        "params": {"a": 1},
    }
