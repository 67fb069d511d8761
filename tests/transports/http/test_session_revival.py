"""Without Redis, a session continues at any process with the same secret, after a restart or beside another process."""

from __future__ import annotations

import json

import pytest

from doit_mcp.catalog.employees import employee_tools
from doit_mcp.server.notification_hub import RESOURCE_UPDATED, ChangeEvent
from doit_mcp.server.session_revival import NOTICE
from tests.catalog.caller import TOOLS
from tests.redis_state.process import separate
from tests.redis_state.replicas import at_replica, replicas
from tests.transports.http.serving import (
    ADMIN,
    EMPLOYEE,
    LATEST_STATEFUL,
    OTHER_USER,
    REVISIONS,
    SECRET,
    VIEWER,
    Answer,
    Session,
    next_event,
    serving,
)
from tests.transports.http.streaming import open_stream
from tests.transports.http.test_endpoints import Api

NO_REDIS = ""
STATEFUL = [revision for revision in REVISIONS if revision <= LATEST_STATEFUL]


@pytest.mark.requirement("S4")
@pytest.mark.parametrize("revision", STATEFUL)
async def test_session_continues_after_a_restart(revision: str) -> None:
    """The process is killed. The next one knows the revision and the capabilities of the session."""
    async with replicas(NO_REDIS) as (beside, _):
        async with separate(beside, NO_REDIS) as before:
            session = await before.site.initialize(revision, elicitation={})
            assert (await session.call("echo", {"text": "before"})).result["content"]
            await before.kill()
        async with separate(beside, NO_REDIS) as after:
            remote = at_replica(after.site, session)
            assert (await remote.call("echo", {"text": "after"})).result[
                "structuredContent" if revision >= "2025-06-18" else "content"
            ]
            assert (await remote.post([after.site.request("ping")])).status == (
                200 if revision == "2025-03-26" else 400
            )
            if revision >= "2025-06-18":
                assert await answered_question(remote) == "Ann"
            assert (await remote.delete()).status == 204
            assert (await remote.ask("ping")).status == 404


async def answered_question(session: Session) -> str:
    """Return what a tool received that asked the client."""
    site, call = session.site, session.site.request("tools/call", {"name": "ask", "arguments": {}})
    async with open_stream(site, call, site.headers(**session.head), session.revision) as stream:
        question = await stream.until("elicitation/create")
        reply = {"action": "accept", "content": {"name": "Ann"}}
        assert (await session.post({"jsonrpc": "2.0", "id": question["id"], "result": reply})).status == 202
        said: str = (await stream.until(""))["result"]["structuredContent"]["said"]
        return said


@pytest.mark.requirement("S1", "S4")
async def test_two_processes_serve_one_session() -> None:
    async with replicas(NO_REDIS) as (a, b):
        session = await a.initialize()
        for site in (a, b, a, b):
            assert (await at_replica(site, session).ask("ping")).result == {}
        assert (await at_replica(b, session).delete()).status == 204
        assert (await at_replica(b, session).ask("ping")).status == 404


@pytest.mark.requirement("S1", "S3", "M47")
async def test_only_the_principal_can_revive_its_session() -> None:
    """Other users, the same user at another customer, and altered ids get 404, and create nothing."""
    async with replicas(NO_REDIS) as (a, b):
        session = await a.initialize()
        for other in (VIEWER, OTHER_USER):
            foreign = at_replica(b, session, other)
            assert (await foreign.ask("tools/list")).code == (404, -32600)
            assert (await foreign.delete()).status == 404
            async with foreign.stream() as stream:
                assert stream.status == 404
        remote = at_replica(b, session)
        elsewhere = f"Bearer {b.token(ADMIN, customer_context=OTHER_USER.customer)}"
        assert (await remote.post(b.request("ping"), Authorization=elsewhere)).status == 404
        middle = len(session.id) // 2
        other_letter = "A" if session.id[middle] != "A" else "B"
        altered = (session.id[:middle] + other_letter + session.id[middle + 1 :], session.id[:-1], session.id * 50)
        for id in altered:
            changed = Session(b, id, LATEST_STATEFUL, ADMIN, {})
            assert (await changed.ask("ping")).status == 404
        assert "doit_mcp_sessions 0.0" in (await b.send("GET", "/metrics", {})).text
        refreshed = f"Bearer {b.token(ADMIN, jti='another token of the user')}"
        assert (await remote.post(b.request("ping"), Authorization=refreshed)).result == {}


@pytest.mark.requirement("N22")
async def test_session_continues_while_the_secret_is_rotated() -> None:
    """Until the old secret is removed; then the id is unknown."""
    new = "n" * 32
    async with replicas(NO_REDIS) as (beside, _):
        session = await beside.initialize()
        for state_secrets, status in ((["derived", new], 200), ([new, "derived"], 200), ([new], 404)):
            async with separate(beside, NO_REDIS, state_secrets=state_secrets, exchange_secret=SECRET) as process:
                assert (await at_replica(process.site, session).ask("ping")).status == status


async def test_initialize_with_the_id_of_an_earlier_process_opens_a_session() -> None:
    async with replicas(NO_REDIS) as (a, b):
        session = await a.initialize()
        params = {"protocolVersion": LATEST_STATEFUL, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        answer = await at_replica(b, session).ask("initialize", params)
        assert answer.status == 200 and answer.headers["Mcp-Session-Id"] != session.id
        assert (await session.ask("initialize", params)).code == (400, -32600)


async def test_stream_of_a_revived_session_says_what_is_lost() -> None:
    """Once, and before anything else. Clients that were promised notifications of changed lists get them."""
    async with replicas(NO_REDIS) as (a, b):
        session = await a.initialize()
        remote = at_replica(b, session)
        async with remote.stream() as stream:
            assert stream.status == 200
            messages = [json.loads((await next_event(stream))[1]) for _ in range(4)]
        assert messages[0]["params"] == {"level": "warning", "logger": "doit-mcp", "data": NOTICE}
        assert [message["method"] for message in messages[1:]] == [
            f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources")
        ]
        await remote.ask("resources/subscribe", {"uri": "doc://one"})
        async with remote.stream() as stream:
            b.hub.publish(updated("doc://one"))
            assert json.loads((await next_event(stream))[1])["method"] == "notifications/resources/updated"


def updated(uri: str) -> ChangeEvent:
    """Return the change event of a resource."""
    return ChangeEvent(RESOURCE_UPDATED, uri, params={"uri": uri})


async def test_stream_says_nothing_that_the_client_did_not_ask_for() -> None:
    """The lists of this catalog never change, and the client wants errors only."""
    async with replicas(NO_REDIS, changes={"can_change": False}) as (a, b):
        session = await a.initialize()
        remote = at_replica(b, session)
        await remote.ask("logging/setLevel", {"level": "error"})
        await remote.ask("resources/subscribe", {"uri": "doc://one"})
        async with remote.stream() as stream:
            b.hub.publish(updated("doc://one"))
            assert json.loads((await next_event(stream))[1])["method"] == "notifications/resources/updated"


async def test_lost_stream_cannot_be_resumed() -> None:
    """No other stream is sent in its place."""
    async with replicas(NO_REDIS) as (a, b):
        session = await a.initialize()
        event_ids = (await session.call("steps")).ids
        assert event_ids
        async with at_replica(b, session).stream(Last_Event_ID=event_ids[0]) as stream:
            assert stream.status == 404
        assert (await at_replica(b, session).ask("ping")).result == {}


def content(answer: Answer) -> str:
    text: str = answer.result["content"][0]["text"]
    return text


@pytest.mark.requirement("C2")
async def test_revived_session_of_an_employee_acts_for_no_customer_by_itself() -> None:
    """Its id cannot name the customer that was chosen later, and another process may hold the session with another."""
    api = Api()
    tools = (TOOLS["get_label"], TOOLS["delete_label"], *employee_tools())
    async with replicas(NO_REDIS, changes={"tools": tools}, api=api) as (a, b):
        session = await a.initialize(user=EMPLOYEE)
        await session.call("change_customer", {"customerContext": OTHER_USER.customer})
        api.seen.clear()
        remote = at_replica(b, session)
        for name in ("get_label", "delete_label"):
            refused = await remote.call(name, {"id": "l1"})
            assert refused.result["isError"] and "customerContext" in content(refused)
        assert api.seen == []
        changed = await remote.call("change_customer", {"customerContext": OTHER_USER.customer})
        assert '"remembered":false' in content(changed)
        assert (await remote.call("get_label", {"id": "l1"})).result["isError"]
        api.seen.clear()
        named = await remote.call("get_label", {"id": "l1", "customerContext": OTHER_USER.customer})
        assert not named.result.get("isError") and api.tenants == [OTHER_USER.customer]
        assert not (await session.call("get_label", {"id": "l1"})).result.get("isError")
        assert api.tenants == [OTHER_USER.customer] * 2


async def test_revived_session_of_an_employee_finds_customers() -> None:
    async with replicas(NO_REDIS, changes={"tools": employee_tools()}, doit_console_base="http://127.0.0.1:1") as (
        a,
        b,
    ):
        session = await a.initialize(user=EMPLOYEE)
        found = await at_replica(b, session).call("search_customers", {})
        # The console of this test refuses connections; it was asked all the same.
        assert found.result["isError"] and "customerContext" not in content(found)


async def test_legacy_session_ends_with_its_stream() -> None:
    """An HTTP+SSE session is its stream, so its id describes nothing that another process could continue."""
    async with replicas(NO_REDIS) as (a, b), a.http.get(f"{a.base}/sse", headers=a.headers()) as stream:
        _, path = await next_event(stream)
        headers = b.headers() | {"Content-Type": "application/json"}
        answer = await b.send("POST", path, headers, json.dumps(b.request("ping")).encode())
        assert answer.status == 404 and "open GET /sse again" in answer.text


@pytest.mark.requirement("S4", "M40")
async def test_ended_session_stays_ended() -> None:
    async with serving(sessions_per_principal=1) as site:
        session = await site.initialize()
        assert (await session.delete()).status == 204
        await site.initialize()
        assert (await session.ask("ping")).status == 404
