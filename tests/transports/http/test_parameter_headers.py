"""``Mcp-Param-*`` over HTTP: the headers that gateways route on match the body, whatever the type and place of the
argument."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.tool import ContentResult, Tool
from tests.transports.http.serving import LATEST_STATEFUL, STATELESS_REVISION, Json, Site, read, schema, serving


def annotated(kind: str, header: str) -> Json:
    return {"type": kind, "x-mcp-header": header}


@pytest.fixture
async def routed() -> AsyncIterator[Site]:
    """A server with one tool whose arguments are repeated in headers."""

    async def run(call: Call, arguments: Json) -> ContentResult:
        return ContentResult([{"type": "text", "text": json.dumps(arguments)}])

    inner = schema(flag=annotated("boolean", "Flag"))
    arguments = schema(region=annotated("string", "Region"), count=annotated("integer", "Count"), deep=inner)
    tool = Tool("routed", "Routed", "Is routed.", arguments, run)
    async with serving(changes={"tools": (tool,)}) as site:
        yield site


async def send(site: Site, arguments: Any, *headers: tuple[str, str], **meta: Any) -> Any:
    message = site.stateless_request("tools/call", {"name": "routed", "arguments": arguments}, **meta)
    request_headers = [*site.headers().items(), *site.stateless_headers(message).items()]
    request_headers += [(f"Mcp-Param-{name}", value) for name, value in headers]
    async with site.http.post(f"{site.base}/mcp", json=message, headers=request_headers) as response:
        return await read(response)


RIGHT: list[tuple[Json, tuple[tuple[str, str], ...]]] = [
    ({}, ()),
    ({"region": "eu"}, (("Region", "eu"),)),
    ({"region": "eu"}, (("REGION", "  eu\t"),)),
    ({"region": ""}, (("Region", ""),)),
    ({"region": "a b"}, (("Region", "a b"),)),
    ({"region": "=?base64?"}, (("Region", "=?base64?"),)),
    ({"region": "x?="}, (("Region", "x?="),)),
    ({"region": "ü"}, (("Region", "=?base64?w7w=?="),)),
    ({"region": " pad "}, (("Region", "=?base64?IHBhZCA=?="),)),
    ({"region": ""}, (("Region", "=?base64??="),)),
    ({"count": 42}, (("Count", "42"),)),
    ({"count": 42}, (("Count", "42.0"),)),
    ({"count": -1}, (("Count", "-1"),)),
    ({"count": 9007199254740991}, (("Count", "9007199254740991"),)),
    ({"deep": {"flag": True}}, (("Flag", "true"),)),
    ({"deep": {"flag": False}}, (("Flag", "false"),)),
    ({"deep": {}}, ()),
    ({"region": "eu"}, (("Region", "eu"), ("Unknown", "anything"))),
]
WRONG: list[tuple[Json, tuple[tuple[str, str], ...]]] = [
    ({"region": "eu"}, ()),
    ({"region": "eu"}, (("Region", "EU"),)),
    ({"region": "eu"}, (("Region", "eu"), ("Region", "eu"))),
    ({"region": "eu"}, (("Region", "eu"), ("region", "us"))),
    ({"region": "ü"}, (("Region", "ü"),)),
    ({"region": "ü"}, (("Region", "=?BASE64?w7w=?="),)),
    ({"region": "ü"}, (("Region", "=?base64?w7w?="),)),
    ({"region": "ü"}, (("Region", "=?base64?w 7w=?="),)),
    ({"region": "ü"}, (("Region", "=?base64?_-8=?="),)),
    ({"region": "x"}, (("Region", "=?base64?/w==?="),)),
    ({}, (("Region", "eu"),)),
    ({"region": None}, (("Region", "null"),)),
    ({"count": 42}, (("Count", "42.5"),)),
    ({"count": 42}, (("Count", "4.2e1"),)),
    ({"count": 42}, (("Count", "0x2a"),)),
    ({"count": 42}, (("Count", "٤٢"),)),
    ({"count": 9007199254740993}, (("Count", "9007199254740992"),)),
    ({"deep": {"flag": True}}, (("Flag", "True"),)),
    ({"deep": {"flag": True}}, (("Flag", "1"),)),
    ({"deep": {"flag": True}}, ()),
]


@pytest.mark.parametrize(("arguments", "headers"), RIGHT)
async def test_matching_headers(routed: Site, arguments: Json, headers: tuple[tuple[str, str], ...]) -> None:
    answer = await send(routed, arguments, *headers)
    assert answer.status == 200 and json.loads(answer.result["content"][0]["text"]) == arguments


@pytest.mark.requirement("J10")
@pytest.mark.parametrize(("arguments", "headers"), WRONG)
async def test_mismatched_headers(routed: Site, arguments: Json, headers: tuple[tuple[str, str], ...]) -> None:
    answer = await send(routed, arguments, *headers)
    assert answer.code == (400, -32020) and answer.body["id"] == routed.ids


async def test_null_has_no_header(routed: Site) -> None:
    """A null argument needs no header, and neither does an optional one that is left out."""
    answer = await send(routed, {"region": None})
    assert answer.status == 200 and json.loads(answer.result["content"][0]["text"]) == {}


async def test_stateful_requests_are_not_checked(routed: Site) -> None:
    """These headers have a meaning only for stateless requests."""
    session = await routed.initialize()
    message = routed.request("tools/call", {"name": "routed", "arguments": {"region": "eu"}})
    answer = await session.post(message, Mcp_Param_Region="us", Mcp_Param_Count="x")
    assert answer.status == 200 and session.revision == LATEST_STATEFUL != STATELESS_REVISION


async def test_annotations_are_listed(routed: Site) -> None:
    (tool,) = (await routed.send_stateless("tools/list")).result["tools"]
    assert tool["inputSchema"]["properties"]["deep"]["properties"]["flag"]["x-mcp-header"] == "Flag"
