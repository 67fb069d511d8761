"""``Mcp-Param-*`` headers compared with arguments."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from doit_mcp.protocol.jsonrpc import HEADER_MISMATCH, Request, RpcError
from doit_mcp.protocol.parameter_headers import ParameterHeader, check_parameter_headers, find_parameter_headers

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "limit": {"type": "integer", "x-mcp-header": "Limit"},
        "dry": {"type": "boolean", "x-mcp-header": "Dry-Run"},
        "plain": {"type": "string"},
        "where": {
            "type": "object",
            "properties": {"zone": {"type": "string", "x-mcp-header": "Zone"}, "x-mcp-header": {"type": "string"}},
        },
    },
}


def agrees(arguments: Any, *pairs: tuple[str, str], schema: dict[str, Any] = SCHEMA) -> bool:
    call = Request(7, "tools/call", {"name": "t", "arguments": arguments})
    try:
        check_parameter_headers(call, CIMultiDict(pairs), schema)
    except RpcError as error:
        assert (error.code, error.id) == (HEADER_MISMATCH, 7)
        assert "Mcp-Param-" in error.message
        return False
    return True


def test_mirrored_parameters() -> None:
    assert find_parameter_headers(SCHEMA) == (
        ParameterHeader(("region",), "Mcp-Param-Region", "string"),
        ParameterHeader(("limit",), "Mcp-Param-Limit", "integer"),
        ParameterHeader(("dry",), "Mcp-Param-Dry-Run", "boolean"),
        ParameterHeader(("where", "zone"), "Mcp-Param-Zone", "string"),
    )
    assert find_parameter_headers({"type": "object"}) == ()


@pytest.mark.requirement("M89")
@pytest.mark.parametrize(
    ("argument", "header", "expected"),
    [
        ("Hello", "=?base64?SGVsbG8=?=", True),
        ("Hello", "=?base64?SGVsbG8?=", False),
        ("Hello", "=?base64?SGVs!!!bG8=?=", False),
        ("SGVsbG8=", "SGVsbG8=", True),
        ("=?base64?SGVsbG8=", "=?base64?SGVsbG8=", True),
        ("test-value", None, False),
        ("Hello", "  Hello\t", True),
        ("Hello", "hello", False),
        ("", "", True),
        (" x", "=?base64?IHg=?=", True),
        (" x", "x", False),
        ("é", "é", False),
        (None, None, True),
        (None, "null", False),
        ([1], None, True),
        ({}, "{}", False),
        (42, "42", True),
        (True, "true", True),
    ],
)
def test_string_parameters(argument: Any, header: str | None, expected: bool) -> None:
    """A header matches its argument or is refused, for every type and encoding."""
    pairs = () if header is None else (("mcp-PARAM-region", header),)
    assert agrees({"region": argument}, *pairs) is expected


@pytest.mark.requirement("M90")
@pytest.mark.parametrize(
    ("argument", "header", "expected"),
    [
        (42, "42", True),
        (42, "42.0", True),
        (42.0, "42", True),
        (42.0, "42.0", True),
        (42, "042", True),
        (-1, "-1.000", True),
        (0, "-0", True),
        (42, "42.5", False),
        (42, "4.2e1", False),
        (42, "٤٢", False),
        (42, "", False),
        (42, "true", False),
        (1, "9" * 5000, False),
        (True, "1", False),
        (True, "true", True),
        ("42", "42.0", False),
    ],
)
def test_integers_are_compared_as_numbers(argument: Any, header: str, expected: bool) -> None:
    """42 and 42.0 are equal (MCP 2026-07-28, Streamable HTTP, Server Behavior for Custom Headers)."""
    assert agrees({"limit": argument}, ("Mcp-Param-Limit", header)) is expected


@pytest.mark.parametrize(
    ("argument", "header", "expected"),
    [(True, "true", True), (False, "false", True)] + [(True, text, False) for text in ("True", "1", "false", "")],
)
def test_boolean_parameters(argument: bool, header: str, expected: bool) -> None:
    assert agrees({"dry": argument}, ("Mcp-Param-Dry-Run", header)) is expected


def test_nested_arguments() -> None:
    assert agrees({"where": {"zone": "a"}}, ("Mcp-Param-Zone", "a"))
    assert not agrees({"where": {"zone": "a"}}, ("Mcp-Param-Zone", "b"))
    assert not agrees({"where": {"zone": "a"}})
    for shape in ("a", ["a"], None, {}, {"zone": None}):
        assert agrees({"where": shape})
        assert not agrees({"where": shape}, ("Mcp-Param-Zone", "a"))


@pytest.mark.requirement("M90")
def test_missing_extra_and_duplicate_headers() -> None:
    assert agrees({})
    assert agrees({"plain": "x"}, ("Mcp-Param-Plain", "y"), ("Mcp-Param-Unknown", "z"))
    assert not agrees({}, ("Mcp-Param-Region", "x"))
    assert not agrees({"region": "x"}, ("Mcp-Param-Region", "x"), ("mcp-param-region", "x"))


@pytest.mark.parametrize("arguments", [None, [], "x", 1])
def test_arguments_of_a_wrong_shape_are_validated_elsewhere(arguments: Any) -> None:
    assert agrees(arguments)
    check_parameter_headers(Request(7, "tools/call", {"name": "t"}), CIMultiDict(), SCHEMA)


@pytest.mark.requirement("M91")
@pytest.mark.parametrize(
    "properties",
    [
        {"a": {"type": "string", "x-mcp-header": ""}},
        {"a": {"type": "string", "x-mcp-header": "a b"}},
        {"a": {"type": "string", "x-mcp-header": "é"}},
        {"a": {"type": "string", "x-mcp-header": "a\r\nb"}},
        {"a": {"type": "string", "x-mcp-header": None}},
        {"a": {"type": "number", "x-mcp-header": "A"}},
        {"a": {"type": "array", "x-mcp-header": "A"}},
        {"a": {"x-mcp-header": "A"}},
        {"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}},
        {"a": {"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}},
        {"a": {"anyOf": [{"type": "string", "x-mcp-header": "A"}]}},
    ],
    ids=str,
)
def test_annotations_that_make_clients_drop_the_tool(properties: dict[str, Any]) -> None:
    """Invalid x-mcp-header annotations are refused (MCP 2026-07-28, Streamable HTTP, Schema Extension)."""
    with pytest.raises(ValueError, match="x-mcp-header"):
        find_parameter_headers({"type": "object", "properties": properties})


VALUE = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.lists(st.text(), max_size=1)
)


@given(VALUE, st.lists(st.text(max_size=6), max_size=2))
def test_any_header_values_are_compared_without_errors(value: Any, sent: list[str]) -> None:
    for name, header in (("region", "Mcp-Param-Region"), ("limit", "Mcp-Param-Limit"), ("dry", "Mcp-Param-Dry-Run")):
        agrees({name: value}, *((header, text) for text in sent))


@pytest.mark.requirement("M89")
@given(st.text())
def test_encoded_text_always_matches(text: str) -> None:
    encoded = base64.b64encode(text.encode("utf-8", "replace")).decode()
    argument = text.encode("utf-8", "replace").decode()
    assert agrees({"region": argument}, ("Mcp-Param-Region", f"=?base64?{encoded}?="))
