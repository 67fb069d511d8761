"""Tool results: the same JSON as text and as structured content, sanitized, and never larger than the limit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doit_mcp.catalog.tools import tool_result
from doit_mcp.catalog.tools.sanitize import sanitize_json
from doit_mcp.catalog.tools.truncation import parse_row_offset, row_offset_token, truncate_lists
from doit_mcp.protocol.jsonrpc import JsonObject
from tests.api.recorder import Recorder, pages_of

from ..caller import TOOLS, call

READ, WRITE = TOOLS["list_budgets"], TOOLS["update_budget"]


def wire(whole: JsonObject) -> JsonObject:
    """A result as a client gets it."""
    document: JsonObject = orjson.loads(orjson.dumps(whole))
    return document


def inline_result(result: JsonObject, *, writes: bool = False) -> JsonObject:
    return wire(tool_result.make_tool_result_inline(WRITE if writes else READ, {}, result))


def rows(count: int, size: int = 100) -> list[JsonObject]:
    return [{"id": f"b{number}", "note": "x" * size} for number in range(count)]


def test_text_and_structured_content_are_equal() -> None:
    result = inline_result({"budgets": rows(2), "other": None})
    assert orjson.loads(result["content"][0]["text"]) == result["structuredContent"]
    assert result["structuredContent"] == {"budgets": rows(2), "other": None}
    assert "isError" not in result


INTEGERS = st.integers(-(2**53), 2**53)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=60,
)


@settings(max_examples=60)
@given(st.lists(VALUES, max_size=60), st.integers(1, 40), VALUES, st.booleans())
def test_any_result_is_valid_bounded_json(some: list[Any], times: int, extra: Any, writes: bool) -> None:
    result = inline_result(
        {"budgets": [{"row": row} for row in some * times], "rowCount": 7, "extra": extra}, writes=writes
    )
    assert tool_result.is_within_size_limit(orjson.dumps(result))
    if result.get("isError"):
        return
    document = orjson.loads(result["content"][0]["text"])
    assert document == result["structuredContent"]
    if document.get("responseOmitted"):
        assert writes and document["status"] == "completed"
        return
    assert document["rowCount"] == 7
    kept_rows, sent_rows = document["budgets"], [{"row": row} for row in some * times]
    if sanitize_json(orjson.dumps(sent_rows).decode()) == orjson.dumps(sent_rows).decode():
        assert kept_rows == sent_rows[: len(kept_rows)]
    assert len(kept_rows) == len(sent_rows) or "budgets" in [cut["list"] for cut in document["cut"]["lists"]]


@settings(max_examples=60)
@given(st.lists(st.text(max_size=200), max_size=80), st.lists(INTEGERS, max_size=200), st.integers(100, 3000))
def test_truncation_shortens_lists_and_keeps_other_fields(texts: list[str], numbers: list[int], length: int) -> None:
    value = {"result": {"rows": texts, "schema": [1]}, "numbers": numbers, "total": {"all": 5}}
    shortened, cuts = truncate_lists(value, length)
    assert shortened["total"] == {"all": 5} and shortened["result"]["schema"] == [1]
    assert shortened["result"]["rows"] == texts[: len(shortened["result"]["rows"])]
    assert shortened["numbers"] == numbers[: len(shortened["numbers"])]
    size = len(orjson.dumps(shortened).decode())
    assert size <= length or all(
        len(rows_left) <= 1 for rows_left in (shortened["result"]["rows"], shortened["numbers"])
    )
    assert (cuts == []) == (shortened == value)


def test_long_read_is_truncated_at_a_row_and_says_so() -> None:
    result = inline_result({"budgets": rows(600), "rowCount": 600, "pageToken": "next"})
    content = result["structuredContent"]
    assert len(result["content"][0]["text"]) <= tool_result.MAX_READ_CHARACTERS
    row_count = len(content["budgets"])
    assert content["budgets"] == rows(600)[:row_count] and content["rowCount"] == 600
    assert content["cut"]["lists"] == [{"list": "budgets", "shown": row_count, "of": 600}]
    assert content["pageToken"] == f"rows+{row_count}:"


def test_long_read_without_pages_suggests_a_narrower_request() -> None:
    tool = TOOLS["run_query"]
    body = tool_result.make_tool_result_inline(tool, {}, {"rowCount": 9000, "rows": [["a", 1.5]] * 9000, "columns": []})
    content = wire(body)["structuredContent"]
    assert (
        content["rowCount"] == 9000
        and content["cut"]["rest"] == tool.narrow_hint
        and "shorter period" in tool.narrow_hint
    )


async def test_following_page_tokens_returns_every_row_once() -> None:
    pages = [rows(300, 150), [{**row, "id": f"second {row['id']}"} for row in rows(300, 150)]]
    api = Recorder(pages_of("budgets", *pages))
    names: list[str] = []
    arguments: dict[str, Any] = {}
    while True:
        content = (await call("list_budgets", api, **arguments))["structuredContent"]
        names += [row["id"] for row in content["budgets"]]
        if not content.get("pageToken"):
            break
        arguments = {"pageToken": content["pageToken"]}
    assert names == [row["id"] for page in pages for row in page]
    assert {request.query.get("pageToken") for request in api.requests} == {None, "1"}


def test_row_offset_token_wraps_the_apis_page_token() -> None:
    assert row_offset_token({}, 5) == "rows+5:" and parse_row_offset({"pageToken": "rows+5:"}) == (5, {})
    token = row_offset_token({"pageToken": "rows+5:a:b", "x": 1}, 7)
    assert parse_row_offset({"pageToken": token, "x": 1}) == (12, {"pageToken": "a:b", "x": 1})
    assert parse_row_offset({"pageToken": "rows+x:"}) == (0, {"pageToken": "rows+x:"})


def test_write_over_the_limit_returns_a_receipt() -> None:
    long = inline_result({"id": "b1", "scopes": rows(300)}, writes=True)
    assert len(long["structuredContent"]["scopes"]) == 300
    result = inline_result({"id": "b1", "budgetId": 7, "flowId": "x" * 300, "scopes": rows(6000)}, writes=True)
    receipt = result["structuredContent"]
    assert receipt["status"] == "completed" and receipt["responseOmitted"] is True and not result.get("isError")
    assert receipt["identifiers"] == {"id": "b1", "budgetId": 7} and "Do not repeat" in receipt["message"]


def test_read_over_the_limit_is_an_error_that_suggests_filters() -> None:
    result = inline_result({"note": "x" * 200_000})
    assert result["isError"] and READ.narrow_hint in result["content"][0]["text"]
    assert "structuredContent" not in result


@pytest.mark.parametrize(
    ("letter", "count", "fits"),
    [("a", 139_998, True), ("a", 139_999, False), ("😀", 69_999, True), ("😀", 70_000, False)],
)
def test_limit_counts_utf16_code_units(letter: str, count: int, fits: bool) -> None:
    assert tool_result.is_within_size_limit(orjson.dumps(letter * count)) is fits


def test_two_byte_characters_count_once() -> None:
    assert tool_result.is_within_size_limit(orjson.dumps("é" * 139_998))
    assert not tool_result.is_within_size_limit(orjson.dumps("é" * 140_000))


def test_unexpected_response_shape_is_a_clean_error() -> None:
    for writes, words in ((False, "unexpected response"), (True, "check the current state")):
        result = inline_result({"budgets": "none", "id": 7}, writes=writes)
        assert result["isError"] and words in result["content"][0]["text"]


def test_tool_without_an_output_schema_still_returns_a_result() -> None:
    tool = replace(READ, output_schema=None)
    assert wire(tool_result.make_tool_result_inline(tool, {}, {"x": 1}))["structuredContent"] == {"x": 1}


@pytest.mark.requirement("A3")
@pytest.mark.parametrize(
    "letter",
    ["\u202e", "\u200b", "\u200d", "\u2066", "\ufeff", "\U000e0041", "\x1b", "\x00", "\x7f", "\u0085", "\u3164"],
)
def test_invisible_characters_are_removed(letter: str) -> None:
    content = inline_result({"budgets": [{f"na{letter}me": f"pay{letter}roll"}]})["structuredContent"]
    assert content == {"budgets": [{"name": "payroll"}]}


@pytest.mark.requirement("A3")
@given(st.text())
def test_sanitizing_keeps_json_valid_and_visible_text(text: str) -> None:
    sanitized = orjson.loads(sanitize_json(orjson.dumps({"a": text}).decode()))["a"]
    # Unicode's separators of lines and paragraphs become spaces.
    letters = iter(text.replace("\u2028", " ").replace("\u2029", " "))
    assert all(letter in letters for letter in sanitized)
    assert all(letter in sanitized for letter in text if letter.isalnum() and letter not in "\u115f\u1160\u3164\uffa0")
    assert ("\n" in sanitized) == ("\n" in text) and ("\\" in sanitized) == ("\\" in text)


def test_escaped_backslashes_are_not_escapes() -> None:
    text = r'{"path":"C:\\u0041\\u0007","bell":"\u0007"}'
    assert sanitize_json(text) == r'{"path":"C:\\u0041\\u0007","bell":""}'


def test_timeout_message_depends_on_the_operation() -> None:
    assert "45 seconds" in tool_result.timeout_message(READ) and READ.narrow_hint in tool_result.timeout_message(READ)
    assert "check the current state" in tool_result.timeout_message(WRITE)
    unchanged = tool_result.timeout_message(WRITE, unchanged=True)
    assert "Nothing was changed" in unchanged and "take effect" not in unchanged
    assert "within 600 seconds" in tool_result.timeout_message(READ, 600.0)
