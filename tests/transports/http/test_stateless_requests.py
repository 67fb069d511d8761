"""Stateless requests (2026-07-28) on ``/mcp``: the order of checks, and the shape of responses."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.transports.http.serving import (
    ADMIN,
    LATEST_STATEFUL,
    META,
    OTHER_USER,
    STATELESS_REVISION,
    Site,
    check,
    read,
    serving,
)

UNKNOWN = "1900-01-01"


@pytest.mark.requirement("C3", "M68", "M81", "M83")
async def test_complete_request(site: Site) -> None:
    answer = await site.send_stateless("tools/list")
    assert answer.status == 200 and answer.result["resultType"] == "complete"
    assert answer.result["ttlMs"] >= 0 and answer.result["cacheScope"] == "private"
    assert answer.result["_meta"][f"{META}serverInfo"] == {"name": "bench", "version": "1.0"}
    assert "Mcp-Session-Id" not in answer.headers


@pytest.mark.requirement("J10", "M69", "M72", "M74", "M78")
@pytest.mark.parametrize(
    ("case", "headers", "meta", "code"),
    [
        (2, {"MCP-Protocol-Version": ""}, {}, -32020),
        (3, {"MCP-Protocol-Version": "2025-11-25"}, {}, -32020),
        (4, {"MCP-Protocol-Version": UNKNOWN}, {"protocolVersion": UNKNOWN}, -32022),
        (5, {"MCP-Protocol-Version": "2025-11-25"}, {"protocolVersion": "2025-11-25"}, -32022),
        (7, {}, {"clientCapabilities": None}, -32602),
        ("S4 capabilities", {}, {"clientCapabilities": [1]}, -32602),
        ("S4 version", {}, {"protocolVersion": 3}, -32602),
        ("T10 before support", {}, {"protocolVersion": UNKNOWN}, -32020),
        ("T13 missing", {"Mcp-Method": ""}, {}, -32020),
        ("T13 other", {"Mcp-Method": "prompts/list"}, {}, -32020),
        ("T13 case of the value", {"Mcp-Method": "TOOLS/LIST"}, {}, -32020),
        ("O2 level", {}, {"logLevel": "loud"}, -32602),
    ],
)
async def test_metadata_and_headers(site: Site, case: Any, headers: Any, meta: Any, code: int) -> None:
    answer = await site.send_stateless("tools/list", headers=headers, **meta)
    assert answer.code == (400, code) and answer.body["id"] == site.ids
    if code == -32022:
        assert answer.error["data"]["supported"] == [STATELESS_REVISION]
        assert answer.error["data"]["requested"] == meta["protocolVersion"]


async def test_header_without_metadata(site: Site) -> None:
    answer = await site.post(
        site.request("tools/list"), MCP_Protocol_Version=STATELESS_REVISION, Mcp_Method="tools/list"
    )
    assert answer.code == (400, -32602) and META in answer.error["message"]


@pytest.mark.requirement("M75")
async def test_client_info_is_optional(site: Site) -> None:
    """clientInfo is never required, and trace context is ignored."""
    assert (await site.send_stateless("server/discover", clientInfo=None)).status == 200
    for empty in (None, []):
        message = site.stateless_request("server/discover")
        message["params"]["_meta"] |= {f"{META}clientInfo": empty, f"{META}clientCapabilities": empty}
        headers = {name.replace("-", "_"): value for name, value in site.stateless_headers(message).items()}
        assert (await site.post(message, revision=STATELESS_REVISION, **headers)).status == 200


@pytest.mark.requirement("J3", "M87")
@pytest.mark.parametrize(
    "method",
    [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "foo/bar",
        "skills/list",
        "tasks/list",
        "tasks/result",
    ],
)
async def test_unknown_methods(site: Site, method: str) -> None:
    """404 and -32601, also for methods of older revisions and for features that are not offered."""
    assert (await site.send_stateless(method, {"protocolVersion": STATELESS_REVISION})).code == (404, -32601)


async def test_initialize_with_the_stateless_header(site: Site) -> None:
    """The method decides: the body negotiates a stateful revision."""
    message = site.request("initialize", {"protocolVersion": STATELESS_REVISION})
    answer = await site.post(message, MCP_Protocol_Version=STATELESS_REVISION)
    assert answer.status == 200 and answer.result["protocolVersion"] == LATEST_STATEFUL


@pytest.mark.requirement("S9", "M72")
async def test_session_id_is_ignored(site: Site) -> None:
    answer = await site.send_stateless("tools/list", headers={"Mcp-Session-Id": "anything"})
    assert answer.status == 200 and "Mcp-Session-Id" not in answer.headers


@pytest.mark.requirement("M6", "M26", "M82")
@pytest.mark.parametrize("method", ["notifications/cancelled", "notifications/initialized", "foo/bar"])
async def test_notifications(site: Site, method: str) -> None:
    """Accepted without a response, whatever they are."""
    answer = await site.post({"jsonrpc": "2.0", "method": method}, MCP_Protocol_Version=STATELESS_REVISION)
    assert (answer.status, answer.text) == (202, "")


@pytest.mark.requirement("M82")
async def test_notification_of_an_unsupported_revision(site: Site) -> None:
    answer = await site.post({"jsonrpc": "2.0", "method": "foo"}, MCP_Protocol_Version=UNKNOWN)
    assert answer.code == (400, -32022) and "id" not in answer.body


@pytest.mark.requirement("M67")
@pytest.mark.parametrize("body", [{"jsonrpc": "2.0", "id": 1, "result": {}}, [], [{"jsonrpc": "2.0", "method": "x"}]])
async def test_responses_and_arrays(site: Site, body: Any) -> None:
    assert (await site.post(body, MCP_Protocol_Version=STATELESS_REVISION)).code == (400, -32600)


@pytest.mark.requirement("M81")
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_other_methods(site: Site, method: str) -> None:
    answer = await site.send(method, "/mcp", site.headers(MCP_Protocol_Version=STATELESS_REVISION))
    assert answer.status == 405 and answer.headers["Allow"] == "POST"


@pytest.mark.requirement("J2", "M2", "M4")
@pytest.mark.parametrize("id", [0, "", -1, "x" * 256, 2**53])
async def test_every_valid_id_is_returned(site: Site, id: Any) -> None:
    answer = await site.send_stateless("tools/list", id=id)
    assert answer.status == 200 and answer.body["id"] == id and type(answer.body["id"]) is type(id)


@pytest.mark.requirement("J2", "M2")
@pytest.mark.parametrize("id", [True, 1.5, [], {}, "x" * 257])
async def test_every_invalid_id_is_rejected(site: Site, id: Any) -> None:
    message = site.stateless_request("tools/list") | {"id": id}
    answer = await site.post(
        message, revision=STATELESS_REVISION, MCP_Protocol_Version=STATELESS_REVISION, Mcp_Method="tools/list"
    )
    assert answer.code == (400, -32600) and "id" not in answer.body


@pytest.mark.requirement("M88")
@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("echo", 200),
        ("  echo  ", 200),
        ("=?base64?ZWNobw==?=", 200),
        ("wait", 400),
        ("=?base64?ZWNobw?=", 400),
        ("=?base64?ZWN!obw==?=", 400),
        ("=?base64?ZWNobx==?=", 400),
        ("=?BASE64?ZWNobw==?=", 400),
        ("", 400),
    ],
)
async def test_name_header(site: Site, header: str, status: int) -> None:
    """The decoded header must be exactly equal."""
    answer = await site.call("echo", headers={"Mcp-Name": header})
    assert answer.status == status
    assert status == 200 or answer.error["code"] == -32020


@pytest.mark.requirement("M88")
async def test_duplicate_name_header(site: Site) -> None:
    message = site.stateless_request("tools/call", {"name": "echo"})
    request_headers = [*site.headers().items(), *site.stateless_headers(message).items(), ("Mcp-Name", "echo")]
    async with site.http.post(f"{site.base}/mcp", json=message, headers=request_headers) as response:
        assert (await read(response)).code == (400, -32020)


@pytest.mark.requirement("M90")
@pytest.mark.parametrize(
    ("arguments", "header", "status"),
    [
        ({"region": "eu"}, "eu", 200),
        ({"region": "eu"}, "", 400),
        ({"region": "eu"}, "us", 400),
        ({"region": "ü"}, "=?base64?w7w=?=", 200),
        ({}, "", 200),
    ],
)
async def test_headers_that_mirror_arguments(site: Site, arguments: Any, header: str, status: int) -> None:
    """A value in the body requires its header, and both must match."""
    answer = await site.call("echo", arguments, headers={"Mcp-Param-Region": header})
    assert answer.status == status
    assert status == 200 or answer.error["code"] == -32020


@pytest.mark.requirement("J3", "M19")
async def test_unknown_tools_and_invalid_arguments(site: Site) -> None:
    """An unknown tool is a protocol error, wrong arguments are a result that lists every path."""
    assert (await site.call("nothing")).code == (400, -32602)
    answer = await site.call("echo", {"text": 5, "colour": "red", "size": "big"})
    assert answer.status == 200 and answer.result["isError"] is True
    (block,) = answer.result["content"]
    assert all(name in block["text"] for name in ("text", "colour", "size"))
    assert site.bench.ran == []


async def test_tool_failures(site: Site) -> None:
    """A refusal is a result; a bug is -32603 with a reference and without details."""
    refused = await site.call("fail")
    assert refused.status == 200 and refused.result["isError"] is True
    broken = await site.call("bug")
    assert broken.error["code"] == -32603 and "secret" not in broken.text
    assert broken.headers["X-MCP-Trace-Id"] in broken.error["message"]


@pytest.mark.requirement("M51")
async def test_content_and_structured_content(site: Site) -> None:
    result = (await site.call("echo", {"text": "hi"})).result
    assert result["structuredContent"] == {"said": "hi"} == json.loads(result["content"][0]["text"])
    assert [block["type"] for block in (await site.call("blocks")).result["content"]] == [
        "text",
        "audio",
        "resource_link",
    ]


@pytest.mark.requirement("M13", "M16", "M83", "M84", "M100")
async def test_progress_and_log_come_before_the_response(site: Site) -> None:
    """Progress needs a token and log messages need a level; both make the response a stream that ends with the
    result."""
    plain = await site.call("steps")
    assert plain.headers["Content-Type"] == "application/json"
    answer = await site.call("steps", progressToken="t", logLevel="info")
    assert answer.headers["Content-Type"] == "text/event-stream" and answer.headers["X-Accel-Buffering"] == "no"
    assert [message.get("method", "answer") for message in answer.messages] == [
        "notifications/progress",
        "notifications/message",
        "notifications/progress",
        "answer",
    ]
    steps = [message["params"]["progress"] for message in answer.messages if "progressToken" in str(message)]
    assert steps == sorted(set(steps)) and answer.ids == ()
    quiet = await site.call("steps", logLevel="error")
    assert quiet.headers["Content-Type"] == "application/json"


async def test_client_without_streams_gets_the_response(site: Site) -> None:
    answer = await site.call("steps", progressToken=0, headers={"Accept": "application/json"})
    assert answer.status == 200 and answer.result["structuredContent"] == {"said": "stepped"}


@pytest.mark.requirement("L1", "M86", "M99")
async def test_lost_connection_cancels(site: Site) -> None:
    """Closing the connection cancels the request, and the work stops."""
    task = asyncio.create_task(site.call("wait"))
    await asyncio.wait_for(site.bench.started.wait(), 20)
    task.cancel()
    await asyncio.wait_for(site.bench.ended.wait(), 20)
    assert site.bench.cancelled
    assert (await site.call("echo")).status == 200


async def test_keepalive_turns_a_slow_response_into_a_stream() -> None:
    """The stream has comment lines until the first message."""
    async with serving(keep_alive_s=1) as site:
        message = site.stateless_request("tools/call", {"name": "wait", "arguments": {}})
        headers = site.headers() | {"Content-Type": "application/json"} | site.stateless_headers(message)
        async with site.http.post(f"{site.base}/mcp", data=json.dumps(message), headers=headers) as response:
            assert (await response.content.readline()).startswith(b": ")
            site.bench.proceed.set()
            answer = await read(response)
        assert answer.result["structuredContent"] == {"said": "waited"}


@pytest.mark.requirement("M63", "M65", "M73", "M85", "M96")
async def test_requests_input_over_several_rounds(site: Site) -> None:
    """The first result is input_required with its state, and the retry supplies the answer."""
    elicits = {"clientCapabilities": {"elicitation": {}}}
    first = (await site.call("ask", **elicits)).result
    assert first["resultType"] == "input_required" and "ttlMs" not in first
    assert first["inputRequests"]["who"]["method"] == "elicitation/create"
    more = {"requestState": first["requestState"]}

    async def again(responses: Any, **options: Any) -> Any:
        params = {"name": "ask", "arguments": {}, "inputResponses": responses} | more
        return await site.send_stateless("tools/call", params, **elicits, **options)

    assert (await again({"other": {}})).result["resultType"] == "input_required"
    assert (await again({"who": 5})).code == (400, -32602)
    assert (await again([1])).code == (400, -32602)
    for empty in (None, []):
        assert (await again(empty)).result["resultType"] == "input_required"
    assert (await again({"who": {"action": "maybe"}})).code == (400, -32602)
    assert (await again({"who": {"action": "accept", "content": {"name": 7}}})).code == (400, -32602)
    done = await again({"who": {"action": "accept", "content": {"name": "Ann"}}, "extra": {}})
    assert done.result["structuredContent"] == {"said": "Ann"}
    declined = await again({"who": {"action": "decline"}})
    assert declined.result["structuredContent"] == {"said": "decline"}
    # Another caller, other arguments, another tool, a modified state.
    input_responses = {"who": {"action": "decline"}}
    assert (await again(input_responses, user=OTHER_USER)).code == (400, -32602)
    for params in (
        {"name": "ask", "arguments": {"text": "other"}},
        {"name": "ask_all", "arguments": {}},
        {"name": "ask", "arguments": {}, "requestState": first["requestState"] + "x"},
        {"name": "ask", "arguments": {}, "requestState": 5},
    ):
        answer = await site.send_stateless(
            "tools/call", {"inputResponses": input_responses, **more, **params}, **elicits
        )
        assert answer.code == (400, -32602), params


@pytest.mark.requirement("M76", "M97")
async def test_undeclared_capabilities_are_never_requested(site: Site) -> None:
    answer = await site.call("ask_all", clientCapabilities={"elicitation": {}})
    assert answer.code == (400, -32021) and answer.error["data"] == {"requiredCapabilities": {"roots": {}}}
    url_only = await site.call("ask", clientCapabilities={"elicitation": {"url": {}}})
    assert url_only.code == (400, -32021)


@pytest.mark.requirement("M17", "M21", "M104")
async def test_prompts_resources_and_completion(site: Site) -> None:
    """Errors for unknown names, completion, and the caching fields of cacheable results."""
    listed = (await site.send_stateless("prompts/list")).result["prompts"]
    assert listed[0]["arguments"] == [{"name": "who", "description": "Whom", "required": True}]
    prompt = await site.send_stateless("prompts/get", {"name": "greet", "arguments": {"who": "Ann"}})
    assert prompt.result["messages"][0]["content"]["text"] == "Greet Ann."
    assert (await site.send_stateless("prompts/get", {"name": "greet"})).code == (400, -32602)
    assert (await site.send_stateless("prompts/get", {"name": "nothing"})).code == (400, -32602)
    assert [resource["uri"] for resource in (await site.send_stateless("resources/list")).result["resources"]] == [
        "doc://one"
    ]
    assert (await site.send_stateless("resources/templates/list")).result["resourceTemplates"][0]["uriTemplate"]
    number = (await site.send_stateless("resources/read", {"uri": "doc://number/7"})).result
    assert number["contents"] == [{"uri": "doc://number/7", "mimeType": "text/plain", "text": "number 7"}]
    for missing in ("doc://number/13", "doc://nowhere"):
        answer = await site.send_stateless("resources/read", {"uri": missing})
        assert answer.code == (400, -32602) and answer.error["data"] == {"uri": missing}
    ref = {"type": "ref/prompt", "name": "greet"}
    params = {"ref": ref, "argument": {"name": "who", "value": "An"}}
    completed = (await site.send_stateless("completion/complete", params)).result["completion"]
    assert completed == {"values": ["Ann", "Anton"], "total": 2, "hasMore": False}
    wrong = {"ref": {"type": "ref/prompt", "name": "none"}, "argument": {"name": "who", "value": ""}}
    assert (await site.send_stateless("completion/complete", wrong)).code == (400, -32602)


@pytest.mark.requirement("M102")
async def test_list_pagination() -> None:
    """Cursors are opaque; one of another list, or a modified one, is refused."""
    async with serving(changes={"page_size": 4}) as site:
        first = (await site.send_stateless("tools/list")).result
        second = (await site.send_stateless("tools/list", {"cursor": first["nextCursor"]})).result
        third = (await site.send_stateless("tools/list", {"cursor": second["nextCursor"]})).result
        names = [tool["name"] for page in (first, second, third) for tool in page["tools"]]
        assert len(names) == len(set(names)) == 9 and "nextCursor" not in third
        for cursor in ("x", 5, first["nextCursor"] + "x", ""):
            assert (await site.send_stateless("tools/list", {"cursor": cursor})).code == (400, -32602)
        assert (await site.send_stateless("prompts/list", {"cursor": first["nextCursor"]})).code == (400, -32602)


@pytest.mark.requirement("M68", "M73", "M108", "M109", "M111")
async def test_task_lifecycle(site: Site) -> None:
    """Created for clients that declared the extension, visible to its owner only, then canceled or completed."""
    follows = {"clientCapabilities": {"extensions": {f"{META}tasks": {}}}}
    created = (await site.call("long", **follows)).result
    assert created["resultType"] == "task" and created["status"] == "working"
    params = {"taskId": created["taskId"]}
    assert (await site.send_stateless("tasks/get", params)).code == (400, -32021)
    assert (await site.send_stateless("tasks/get", params, user=OTHER_USER, **follows)).code == (400, -32602)
    assert (await site.send_stateless("tasks/cancel", params, user=OTHER_USER, **follows)).code == (400, -32602)
    await site.bench.started.wait()
    site.bench.proceed.set()
    while (state := (await site.send_stateless("tasks/get", params, **follows)).result)["status"] == "working":
        await asyncio.sleep(0.01)
    assert state["status"] == "completed" and state["result"]["structuredContent"] == {"said": "done at last"}
    assert state["resultType"] == "complete"
    assert (await site.send_stateless("tasks/cancel", params, **follows)).result["resultType"] == "complete"
    assert (await site.send_stateless("tasks/get", params, **follows)).result["status"] == "completed"
    unknown = await site.send_stateless("tasks/get", {"taskId": "nothing"}, **follows)
    assert unknown.code == (400, -32602)


@pytest.mark.requirement("M109")
async def test_canceled_task_stops(site: Site) -> None:
    follows = {"clientCapabilities": {"extensions": {f"{META}tasks": {}}}}
    params = {"taskId": (await site.call("long", **follows)).result["taskId"]}
    await site.bench.started.wait()
    await site.send_stateless("tasks/cancel", params, **follows)
    assert (await site.send_stateless("tasks/get", params, **follows)).result["status"] == "cancelled"


@pytest.mark.requirement("M79", "M107")
async def test_call_is_answered_directly_without_the_extension(site: Site) -> None:
    site.bench.proceed.set()
    assert (await site.call("long")).result["structuredContent"] == {"said": "done at last"}


@pytest.mark.requirement("M58")
def test_schemas_were_validated() -> None:
    """The client of these tests validates every message; this test proves that the validation can fail."""
    with pytest.raises(AssertionError):
        check(STATELESS_REVISION, {"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}, "tools/list")
    assert ADMIN.customer != OTHER_USER.customer
