"""No argument escapes the paths of the API: whatever text an argument of a tool contains, the request goes to the path
of its operation, and only to our API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import unquote

import pytest
from aiohttp import ClientSession
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from doit_mcp.api import AREAS
from doit_mcp.api.errors import ApiError
from doit_mcp.api.http import Upstream
from doit_mcp.api.operation import PLACEHOLDER, Operation, Request
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.search.entities import ENTITY_KINDS_BY_NAME
from doit_mcp.catalog.tools.tool import Tool, ToolError
from tests.api.recorder import Recorder

from .caller import STREAMED, Caller
from .examples import with_change
from .test_registry import minimal_arguments

TOOLS = direct_tools()
NAMED = {tool.name: tool for tool in TOOLS}
EACH = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
BASE = "https://api.example/doit"
# Building URLs needs no session.
UPSTREAM = Upstream(cast(ClientSession, None), BASE)
HOSTILE = (
    *("../../iam/v1/roles", "..", ".", "..%2f..%2fiam", "%2e%2e/x", "a/b", "/iam/v1/roles", "//evil.example/x"),
    *("x?customerContext=other", "x&customerContext=other", "x#y", "x;y=1", "..\\..\\x", "x\r\nHost: evil.example"),
    *("https://evil.example/cloudflow/v1/trigger/f", "https://evil.example/", "@evil.example", "\u2025/\u2025", "ü/é"),
    *("x\u0000y", "\uff0e\uff0e\uff0fx", "{id}", "x%", "%00", "+", " "),
)
ROWS = {"id": "../found", "name": "n", "budgetName": "n", "reportName": "n", "subject": "n"}
ENCODED = re.compile(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+")
PLACED = [
    (row.name, name)
    for area in AREAS.values()
    for row in area.operations
    for name in row.placeholders
    if (schema := NAMED[row.name].accepted_schema["properties"].get(name, {})).get("type") == "string"
    and not {"enum", "pattern"} & schema.keys()
]
"""Tools and their arguments that are path segments and accept any text."""
Place = tuple[str | int, ...]


def answer(request: Request) -> Any:
    """Return a response that every tool accepts, with an id as hostile as the arguments."""
    lists = {name: [ROWS] for name in ("budgets", "reports", "alerts", "allocations", "labels", "items", "users")}
    return {**lists, "id": "../found", "result": {"rows": [], "schema": []}, "answer": "said", "pageToken": "../t"}


def texts_in(schema: dict[str, Any], place: Place = (), depth: int = 0) -> Iterator[Place]:
    """Yield the locations of all strings in a schema; 0 is the item of a list."""
    options = [variant for variant in schema.get("anyOf", [schema]) if variant.get("type") != "null"]
    for option in options if depth < 6 else ():
        if option.get("type") == "string" and "enum" not in option:
            yield place
        elif option.get("type") == "array":
            yield from texts_in(option.get("items", {}), (*place, 0), depth + 1)
        for name, inner in option.get("properties", {}).items():
            yield from texts_in(inner, (*place, name), depth + 1)


def with_text(value: Any, place: Place, text: str) -> Any:
    """Return *value* with *text* at a location; missing containers are created."""
    if not place:
        return text
    first, rest = place[0], place[1:]
    if first == 0:
        members = value if isinstance(value, list) and value else [None]
        return [with_text(members[0], rest, text), *members[1:]]
    current = value if isinstance(value, dict) else {}
    return {**current, first: with_text(current.get(first), rest, text)}


async def requests_of(tool: Tool, arguments: dict[str, Any]) -> Recorder:
    """Return the requests that a call sends to the API; empty if the arguments are refused."""
    api = Recorder(answer if tool.name not in STREAMED else [{"answer": "done"}])
    api.tenant = "customer"
    coerced = tool.coerce_arguments(with_change(tool, arguments))
    if not tool.argument_problems(coerced):
        try:
            await tool.run(Caller(api), coerced)
        except (ApiError, ToolError):
            pass
    return api


def check(api: Recorder) -> None:
    """Check that each request goes to its operation's path on our host, with only the operation's query parameters."""
    for operation, request in zip(api.operations, api.requests):
        check_path(operation, request)
        try:
            url = UPSTREAM.make_url(request, "")
        except ApiError as error:
            assert error.kind == "argument"
            continue
        assert str(url).startswith(f"{BASE}/") and (url.scheme, url.host) == ("https", "api.example")
        assert url.raw_path == f"/doit{request.path}" and not url.fragment and url.user is None
        # Parsed again, as a proxy or the API's router would, it is still the same path.
        assert URL(str(url)).raw_parts[1:] and len(URL(str(url)).raw_parts) == len(url.raw_parts)
        names = {part.partition("=")[0] for part in url.raw_query_string.split("&") if part}
        assert names <= set(operation.parameters)


def check_path(operation: Operation, request: Request) -> None:
    """Check that each placeholder is exactly one encoded segment, and that the other segments match the template."""
    expected, actual = operation.path.split("/"), request.path.split("/")
    assert len(expected) == len(actual), request
    for template, segment in zip(expected, actual):
        if PLACEHOLDER.search(template) is None:
            assert segment == template, request
        else:
            assert segment and unquote(segment) not in (".", ".."), request
            assert ENCODED.fullmatch(segment), request


@EACH
async def test_no_argument_text_escapes_the_path(tool: Tool) -> None:
    start = minimal_arguments(tool)
    for place in texts_in(tool.accepted_schema):
        for text in HOSTILE:
            check(await requests_of(tool, with_text(start, place, text)))


@EACH
@settings(max_examples=20)
@given(text=st.text(max_size=12))
async def test_no_combination_of_argument_texts_escapes_the_path(tool: Tool, text: str) -> None:
    arguments = minimal_arguments(tool)
    for name, schema in tool.accepted_schema["properties"].items():
        if schema.get("type") == "string" and "enum" not in schema:
            arguments = {**arguments, name: text}
    check(await requests_of(tool, arguments))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("kind", ENTITY_KINDS_BY_NAME)
async def test_fetch_stays_within_its_kind(kind: str, text: str) -> None:
    check(await requests_of(NAMED["fetch"], {"id": f"{kind}:{text}"}))


def test_text_argument_scan_is_complete() -> None:
    schema = {
        "properties": {
            "a": {"type": "string"},
            "b": {"type": "array", "items": {"type": "object", "properties": {"c": {"type": "string"}}}},
            "d": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            "e": {"type": "string", "enum": ["x"]},
        }
    }
    assert list(texts_in(schema)) == [("a",), ("b", 0, "c"), ("d",)]
    assert with_text({"b": [{"c": 1, "k": 2}, 3]}, ("b", 0, "c"), "t") == {"b": [{"c": "t", "k": 2}, 3]}


@pytest.mark.parametrize(("name", "argument"), PLACED)
async def test_hostile_id_is_encoded_as_one_segment(name: str, argument: str) -> None:
    tool = NAMED[name]
    api = await requests_of(tool, {**minimal_arguments(tool), argument: "a/../b"})
    assert any("a%2F..%2Fb" in request.path.split("/") for request in api.requests)
