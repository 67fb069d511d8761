"""Stateful requests on ``/mcp``, in all four revisions that have them: sessions, batches, streams, cancellation and
elicitation."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from doit_mcp.server.notification_hub import RESOURCE_UPDATED, TOOLS_CHANGED, ChangeEvent
from tests.transports.http.serving import (
    ADMIN,
    LATEST_STATEFUL,
    OTHER_USER,
    STATELESS_REVISION,
    VIEWER,
    Session,
    Site,
    events,
    next_event,
    read,
    serving,
)

REVISIONS = ("2024-11-05", "2025-03-26", "2025-06-18", LATEST_STATEFUL)
ELICITS: Any = {"elicitation": {}, "roots": {}}


@pytest.mark.requirement("M8")
@pytest.mark.parametrize("requested", [*REVISIONS, STATELESS_REVISION, "2099-01-01", ""])
async def test_negotiates_the_version(site: Site, requested: str) -> None:
    """The response has the requested revision, or the newest stateful one."""
    params = {"protocolVersion": requested, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    answer = await site.post(site.request("initialize", params, id=0))
    assert answer.result["protocolVersion"] == (requested if requested in REVISIONS else LATEST_STATEFUL)
    assert answer.body["id"] == 0 and re.fullmatch("[!-~]+", answer.headers["Mcp-Session-Id"])
    assert "title" not in answer.result["serverInfo"] or requested not in REVISIONS[:2]


@pytest.mark.parametrize(
    "params", [None, {}, {"protocolVersion": 5}, {"protocolVersion": LATEST_STATEFUL, "capabilities": ["x"]}]
)
async def test_invalid_initialize(site: Site, params: Any) -> None:
    answer = await site.post(site.request("initialize", params))
    assert answer.code == (200, -32602) and "Mcp-Session-Id" not in answer.headers


async def test_stateless_headers_do_not_make_initialize_stateless(site: Site) -> None:
    params = {"protocolVersion": LATEST_STATEFUL, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    message = site.request("initialize", params)
    answer = await site.post(message, MCP_Protocol_Version=LATEST_STATEFUL, Mcp_Method="initialize")
    assert answer.status == 200 and answer.headers["Mcp-Session-Id"]


async def test_requests_without_a_session(site: Site) -> None:
    """Served on its own, at the named revision or 2025-03-26, without creating a session."""
    answer = await site.post(site.request("tools/list"), revision="2025-03-26")
    assert answer.status == 200 and "Mcp-Session-Id" not in answer.headers
    assert "title" not in answer.result["tools"][0] and "outputSchema" not in answer.result["tools"][0]
    newer = await site.post(site.request("tools/list"), revision=LATEST_STATEFUL, MCP_Protocol_Version=LATEST_STATEFUL)
    assert newer.result["tools"][0]["outputSchema"] and "resultType" not in newer.result
    asks = await site.post(site.request("tools/call", {"name": "ask"}), MCP_Protocol_Version=LATEST_STATEFUL)
    assert asks.result["isError"] is True


@pytest.mark.requirement("M45", "M50")
async def test_session_revision_applies(site: Site) -> None:
    session = await site.initialize(LATEST_STATEFUL)
    silent = await site.post(site.request("tools/list"), revision=LATEST_STATEFUL, Mcp_Session_Id=session.id)
    assert silent.result["tools"][0]["outputSchema"]
    answer = await session.post(site.request("ping"), MCP_Protocol_Version="2025-03-26")
    assert answer.code == (400, -32600)
    old = await site.initialize("2025-03-26")
    assert (await old.post(site.request("ping"), MCP_Protocol_Version="2025-06-18")).status == 200


@pytest.mark.requirement("S4", "M40")
@pytest.mark.parametrize("id", ["nothing", "ü", "x" * 5000])
async def test_unknown_sessions(site: Site, id: str) -> None:
    """404, so that the client starts a new session; no tool runs."""
    headers = site.headers() | {"Content-Type": "application/json", "Mcp-Session-Id": id}
    answer = await site.send("POST", "/mcp", headers, json.dumps(site.request("tools/list")).encode())
    assert answer.code == (404, -32600)


async def test_an_empty_session_id_is_absent(site: Site) -> None:
    headers = site.headers() | {"Content-Type": "application/json", "Mcp-Session-Id": ""}
    answer = await site.send("POST", "/mcp", headers, json.dumps(site.request("tools/list")).encode())
    assert answer.status == 200 and answer.result["tools"]
    rejected = await site.send("GET", "/mcp", headers | {"Accept": "text/event-stream"})
    assert rejected.status == 405 and rejected.headers["Allow"] == "POST"


@pytest.mark.requirement("S1", "M47")
async def test_sessions_belong_to_their_owner(site: Site) -> None:
    """Other users, or the same user for another customer, get 404 and change nothing."""
    session = await site.initialize()
    for other in (VIEWER, OTHER_USER):
        foreign = Session(site, session.id, LATEST_STATEFUL, other, {})
        assert (await foreign.ask("tools/list")).code == (404, -32600)
        assert (await foreign.note("notifications/cancelled", {"requestId": 1})).status == 404
        assert (await foreign.delete()).status == 404
        async with foreign.stream() as stream:
            assert stream.status == 404
    tokens = {"Authorization": f"Bearer {site.token(ADMIN, customer_context=OTHER_USER.customer)}"}
    switched = site.headers() | tokens | {"Mcp-Session-Id": session.id, "Content-Type": "application/json"}
    answer = await site.send("POST", "/mcp", switched, json.dumps(site.request("tools/list")).encode())
    assert answer.status == 404
    assert (await session.ask("ping")).result == {}


@pytest.mark.requirement("S4", "M40")
async def test_session_ends_once(site: Site) -> None:
    session = await site.initialize()
    assert (await session.delete()).status == 204
    assert (await session.delete()).status == 404
    assert (await session.ask("ping")).status == 404


async def test_second_initialize_is_rejected(site: Site) -> None:
    """A session takes one initialize. The ID of a session that does not exist does not matter."""
    session = await site.initialize()
    params = {"protocolVersion": LATEST_STATEFUL, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    assert (await session.ask("initialize", params)).code == (400, -32600)
    assert (await site.post(site.request("initialize", params), Mcp_Session_Id="other")).status == 200


@pytest.mark.requirement("M49")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_same_call_on_every_revision(site: Site, revision: str) -> None:
    """Results differ only in fields that a revision does not have; each listed tool has the fields of its revision."""
    session = await site.initialize(revision)
    listed = (await session.ask("tools/list")).result["tools"][0]
    assert ("annotations" in listed) == (revision >= "2025-03-26")
    assert ("title" in listed) == ("outputSchema" in listed) == (revision >= "2025-06-18")
    result = (await session.call("echo", {"text": "hi"})).result
    assert json.loads(result["content"][0]["text"]) == {"said": "hi"}
    assert ("structuredContent" in result) == (revision >= "2025-06-18")
    blocks = [block["type"] for block in (await session.call("blocks")).result["content"]]
    audio = "audio" if revision >= "2025-03-26" else "text"
    assert blocks == ["text", audio, "resource_link" if revision >= "2025-06-18" else "text"]


@pytest.mark.requirement("J13")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_invalid_arguments_by_revision(site: Site, revision: str) -> None:
    """A result in every revision, because many clients give up at a protocol error."""
    answer = await (await site.initialize(revision)).call("echo", {"colour": "red"})
    assert answer.status == 200 and answer.result["isError"]


async def test_unknown_methods_and_tools(site: Site) -> None:
    session = await site.initialize()
    assert (await session.ask("foo/bar")).code == (200, -32601)
    assert (await session.ask("server/discover")).code == (200, -32601)
    assert (await session.call("nothing")).code == (200, -32602)
    assert (await session.ask("resources/read", {"uri": "doc://none"})).code == (200, -32002)
    assert (await session.note("foo/bar")).status == 202


@pytest.mark.requirement("J4", "M43")
@pytest.mark.parametrize("revision", ["2024-11-05", "2025-06-18", LATEST_STATEFUL])
async def test_arrays_without_batch_support(site: Site, revision: str) -> None:
    session = await site.initialize(revision)
    assert (await session.post([site.request("ping")])).code == (400, -32600)


@pytest.mark.requirement("M27", "M31", "M33")
async def test_batches(site: Site) -> None:
    """One response per request; a batch of only notifications and responses gets 202."""
    session = await site.initialize("2025-03-26")
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    batch = [site.request("ping", id="a"), note, site.request("tools/call", {"name": "echo"}, id="b"), {"x": 1}]
    answer = await session.post(batch)
    assert answer.status == 200 and [response.get("id") for response in answer.body] == ["a", "b", None]
    assert answer.body[2]["error"]["code"] == -32600
    assert (await session.post([note, {"jsonrpc": "2.0", "id": 9, "result": {}}])).status == 202
    token = {"_meta": {"progressToken": 1}}
    steps = await session.post([site.request("tools/call", {"name": "steps"} | token), site.request("ping")])
    assert [type(message) for message in steps.messages][-1] is list and len(steps.messages) == 4


@pytest.mark.requirement("J4", "M28", "M32")
@pytest.mark.parametrize("case", ["empty", "initialize", "twice", "many"])
async def test_batches_rejected_as_a_unit(site: Site, case: str) -> None:
    """No request of the batch runs."""
    session = await site.initialize("2025-03-26")
    call = site.request("tools/call", {"name": "echo"}, id=1)
    batches: dict[str, list[Any]] = {
        "empty": [],
        "initialize": [call, site.request("initialize", {"protocolVersion": LATEST_STATEFUL})],
        "twice": [call, call],
        "many": [site.request("tools/call", {"name": "echo"}) for _ in range(51)],
    }
    assert (await session.post(batches[case])).code == (400, -32600)
    assert site.bench.ran == []


@pytest.mark.requirement("S6")
async def test_id_in_use_is_not_reused(site: Site) -> None:
    """The second request is refused; equal ids in different sessions are independent."""
    session, other = await site.initialize(), await site.initialize()
    first = asyncio.create_task(session.call("wait", id=7))
    await site.bench.started.wait()
    assert (await session.call("echo", id=7)).code == (400, -32600)
    assert (await other.call("echo", {"text": "mine"}, id=7)).result["structuredContent"] == {"said": "mine"}
    site.bench.proceed.set()
    assert (await first).result["structuredContent"] == {"said": "waited"}


@pytest.mark.requirement("L1", "M26", "M48")
async def test_cancellation_by_notification(site: Site) -> None:
    """The call stops without a response, and the POST ends."""
    session = await site.initialize()
    task = asyncio.create_task(session.call("wait", id="stop me"))
    await site.bench.started.wait()
    assert (await session.note("notifications/cancelled", {"requestId": "other"})).status == 202
    assert not site.bench.ended.is_set()
    assert (await session.note("notifications/cancelled", {"requestId": "stop me"})).status == 202
    answer = await task
    assert site.bench.cancelled and answer.messages == ()
    assert (await session.note("notifications/cancelled", {"requestId": "stop me"})).status == 202


@pytest.mark.requirement("L1")
async def test_lost_connection_does_not_cancel(site: Site) -> None:
    """The call continues until it is canceled explicitly."""
    session = await site.initialize()
    task = asyncio.create_task(session.call("wait"))
    await site.bench.started.wait()
    task.cancel()
    assert (await session.ask("ping")).result == {}
    site.bench.proceed.set()
    await asyncio.wait_for(site.bench.ended.wait(), 20)
    assert not site.bench.cancelled


async def test_deleting_a_session_cancels_its_requests(site: Site) -> None:
    session = await site.initialize()
    task = asyncio.create_task(session.call("wait"))
    await site.bench.started.wait()
    assert (await session.delete()).status == 204
    await asyncio.wait_for(site.bench.ended.wait(), 20)
    assert site.bench.cancelled and (await task).messages == ()


async def read_until(response: Any, words: str) -> str:
    """Return what the stream carries up to *words*."""
    text = ""
    while words not in text:
        text += (await response.content.readany()).decode()
    return text


@pytest.mark.requirement("M35")
async def test_resumes_a_lost_stream(site: Site) -> None:
    """The client gets the missed and all later messages of this stream and session, once."""
    session = await site.initialize()
    params = {"name": "steps", "arguments": {"pause": True}, "_meta": {"progressToken": 1}}
    request_headers = site.headers(**session.head)
    request = site.http.post(f"{site.base}/mcp", json=site.request("tools/call", params), headers=request_headers)
    async with request as response:
        messages, ids = events(await read_until(response, "on the way"))
        response.close()
    assert ids[0].endswith("_0") and len(ids) == 3 and len(messages) == 2
    site.bench.proceed.set()
    async with session.stream(Last_Event_ID=ids[1]) as stream:
        rest = await read(stream)
    assert [message.get("method", "answer") for message in rest.messages] == [
        "notifications/message",
        "notifications/progress",
        "answer",
    ]
    assert len({*ids, *rest.ids}) == 5
    other_session = await site.initialize(user=OTHER_USER)
    sibling = await site.initialize()
    for other in (other_session, sibling):
        async with other.stream(Last_Event_ID=ids[1]) as stream:
            assert stream.status == 404
    for unknown in ("1_99", "9_0", "x", "1_x"):
        async with session.stream(Last_Event_ID=unknown) as stream:
            assert stream.status == 404


@pytest.mark.parametrize("revision", ["2025-03-26", "2025-06-18"])
async def test_older_sessions_get_no_empty_event(site: Site, revision: str) -> None:
    """Older clients would try to parse it as a message."""
    answer = await (await site.initialize(revision)).call("steps", token="t")
    assert answer.ids and all(not event_id.endswith("_0") for event_id in answer.ids) and "retry:" not in answer.text


@pytest.mark.requirement("M34", "M35")
async def test_stream_for_unrelated_messages(site: Site) -> None:
    """List changes and resource updates are sent on the GET stream; a newer stream replaces it."""
    session = await site.initialize()
    assert (await session.ask("resources/subscribe", {"uri": "doc://one"})).result == {}
    assert (await session.ask("resources/subscribe", {"uri": "doc://none"})).code == (200, -32002)
    async with session.stream() as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        await wait_for_listeners(site, 1)
        site.hub.publish(ChangeEvent(RESOURCE_UPDATED, "doc://number/1", params={"uri": "doc://number/1"}))
        site.hub.publish(ChangeEvent(RESOURCE_UPDATED, "doc://one", params={"uri": "doc://one"}))
        name, data = await next_event(stream)
        assert name == "message" and json.loads(data)["params"] == {"uri": "doc://one"}
        async with session.stream() as newer:
            assert await stream.content.read() == b""
            await wait_for_listeners(site, 1)
            assert (await session.ask("resources/unsubscribe", {"uri": "doc://one"})).result == {}
            site.hub.publish(ChangeEvent(RESOURCE_UPDATED, "doc://one", params={"uri": "doc://one"}))
            site.hub.publish(ChangeEvent(TOOLS_CHANGED))
            assert json.loads((await next_event(newer))[1])["method"] == TOOLS_CHANGED
            await session.delete()
            assert await newer.content.read() == b""


async def wait_for_listeners(site: Site, count: int) -> None:
    """Wait until the server has this many listeners: the headers of a stream arrive before it is registered."""
    while len(site.hub) != count:
        await asyncio.sleep(0.005)


@pytest.mark.requirement("M34", "M38")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Mcp_Session_Id": "nothing"}, 404),
        ({"Accept": "application/json"}, 406),
        ({"MCP_Protocol_Version": "2025-06-18"}, 400),
    ],
)
async def test_rejected_streams(site: Site, headers: dict[str, str], status: int) -> None:
    session = await site.initialize()
    request_headers = site.headers(**(session.head | {"Accept": "text/event-stream"} | headers))
    assert (await site.send("GET", "/mcp", request_headers)).status == status


async def test_get_and_delete_require_a_session(site: Site) -> None:
    for method, status in (("GET", 405), ("DELETE", 400)):
        assert (await site.send(method, "/mcp", site.headers())).status == status


async def answers(session: Session, response: Any, input_responses: dict[str, Any]) -> list[Any]:
    """Answer the server's requests on the stream of *response*, and return every message."""
    messages = []
    while True:
        name, data = await next_event(response)
        if not data:
            continue
        message = json.loads(data)
        messages.append(message)
        if "method" not in message:
            return messages
        if "id" in message:
            reply = {"jsonrpc": "2.0", "id": message["id"], "result": input_responses[message["method"]]}
            assert (await session.post(reply)).status == 202


@pytest.mark.requirement("M3", "M65")
@pytest.mark.parametrize("revision", ["2025-06-18", LATEST_STATEFUL])
async def test_requests_input_on_the_stream_of_the_call(site: Site, revision: str) -> None:
    """Requests to the client use the POST's stream, answers come by POST; an unexpected answer is ignored."""
    session = await site.initialize(revision, **ELICITS)
    input_responses = {
        "elicitation/create": {"action": "accept", "content": {"name": "Ann"}},
        "roots/list": {"roots": [{"uri": "file:///a"}]},
    }
    message = site.request("tools/call", {"name": "ask_all", "arguments": {}})
    async with site.http.post(f"{site.base}/mcp", json=message, headers=site.headers(**session.head)) as response:
        messages = await answers(session, response, input_responses)
    assert messages[-1]["result"]["structuredContent"] == {"said": "accept 1"}
    assert len({request["id"] for request in messages}) == 3
    assert (await session.post({"jsonrpc": "2.0", "id": messages[0]["id"], "result": {}})).status == 202


@pytest.mark.requirement("M63")
@pytest.mark.parametrize("reply", [{"error": {"code": -1, "message": "no"}}, {"result": {"action": "perhaps"}}])
async def test_unusable_answers(site: Site, reply: Any) -> None:
    """A client's failure becomes a result for the model, and breaks nothing else."""
    session = await site.initialize(**ELICITS)
    message = site.request("tools/call", {"name": "ask"})
    async with site.http.post(f"{site.base}/mcp", json=message, headers=site.headers(**session.head)) as response:
        question: Any = {}
        while question.get("method") != "elicitation/create":
            data = (await next_event(response))[1]
            question = json.loads(data) if data else {}
        assert (await session.post({"jsonrpc": "2.0", "id": question["id"], **reply})).status == 202
        result = json.loads((await next_event(response))[1])["result"]
    assert result["isError"] is True and "no usable answer" in result["content"][0]["text"]


@pytest.mark.requirement("M23", "M45")
async def test_client_without_the_capability_is_never_asked(site: Site) -> None:
    """The client did not declare the capability, or its revision does not have the request."""
    for session in (await site.initialize(), await site.initialize("2025-03-26", **ELICITS)):
        answer = await session.call("ask")
        assert answer.result["isError"] is True and len(answer.messages) == 1


@pytest.mark.requirement("M15")
async def test_session_log_levels(site: Site) -> None:
    session = await site.initialize()
    assert (await session.ask("logging/setLevel", {"level": "loud"})).code == (200, -32602)
    assert [m["method"] for m in (await session.call("steps")).messages[:-1]] == ["notifications/message"]
    assert (await session.ask("logging/setLevel", {"level": "error"})).result == {}
    assert len((await session.call("steps")).messages) == 1


@pytest.mark.requirement("S8")
async def test_limit_closes_the_least_recently_used_session_of_the_owner() -> None:
    """A session that was closed is revived when it is used again, without its log level, and counts as well."""
    async with serving(sessions_per_principal=2) as site:
        other = await site.initialize(user=OTHER_USER)
        first, second, third = [await site.initialize() for _ in range(3)]
        for kept in (other, third, second):
            assert (await kept.ask("logging/setLevel", {"level": "error"})).result == {}
        assert (await first.ask("ping")).result == {}
        assert "doit_mcp_sessions 3.0" in (await site.send("GET", "/metrics", {})).text
        messages = [len((await session.call("steps")).messages) for session in (other, second, third)]
        assert messages == [1, 1, 2]


@pytest.mark.requirement("S8")
async def test_idle_sessions_are_closed_and_revived() -> None:
    async with serving(session_idle_s=1) as site:
        session = await site.initialize()
        assert (await session.ask("logging/setLevel", {"level": "error"})).result == {}
        await asyncio.sleep(1.1)
        assert len((await session.call("steps")).messages) == 2
