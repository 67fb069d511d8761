"""A user's consent to a change is valid once, at every replica, even after the change was undone."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.writes.confirmation import with_confirmation
from doit_mcp.catalog.writes.deduplication import ALREADY_DONE_KEY, with_commit, with_deduplication
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import replicas, wait_for_redis
from tests.transports.http.serving import Answer, Json, Site, schema, serving

ASKED: Json = {"elicitation": {"form": {}}}
TEXT = {"type": "string"}
ANY: Json = {"type": "object", "properties": {}}


class Things:
    """Tools that delete and change things of this process, and a record of their effects."""

    def __init__(self) -> None:
        self.done: list[str] = []
        hints = {"destructiveHint": True}

        async def delete_thing(call: Call, arguments: Json) -> Json:
            self.done.append(f"delete {arguments['id']}")
            return {"deleted": True}

        async def change_thing(call: Call, arguments: Json) -> Json:
            self.done.append(f"change {arguments['id']}")
            return {"changed": True}

        about: dict[str, Any] = {"area": "things", "writes": True, "targets": ("id",), "facts": {"confirm": True}}
        counts = [
            Tool(run.__name__, "Thing", "Does it.", schema(id=TEXT), run, ANY, hints, **about)
            for run in (delete_thing, change_thing)
        ]
        self.tools = (
            with_deduplication(with_confirmation(with_commit(counts[0]), None)),
            with_deduplication(with_commit(counts[1])),
        )


async def question_state(site: Site) -> Json:
    """Return the state of the question whether a thing is to be deleted."""
    answer = await site.call("delete_thing", {"id": "1"}, clientCapabilities=ASKED)
    assert answer.result["resultType"] == "input_required"
    return {"requestState": answer.result["requestState"], "inputResponses": {"confirm": {"action": "accept"}}}


async def accept(site: Site, state: Json, declared: Json = ASKED) -> Answer:
    params = {"name": "delete_thing", "arguments": {"id": "1"}, **state}
    return await site.send_stateless("tools/call", params, clientCapabilities=declared)


async def refuse(site: Site, state: Json, action: str, declared: Json = ASKED) -> Answer:
    return await accept(site, {**state, "inputResponses": {"confirm": {"action": action}}}, declared)


def is_repeat(answer: Answer) -> bool:
    return ALREADY_DONE_KEY in answer.result["structuredContent"]


@pytest.mark.requirement("N14")
async def test_n14_consent_is_used_up_by_the_write() -> None:
    tools_used = Things()
    async with serving(changes={"tools": tools_used.tools}) as site:
        state = await question_state(site)
        assert not is_repeat(await accept(site, state))
        # The response was lost and the client sends the same request again.
        assert is_repeat(await accept(site, state))
        await site.call("change_thing", {"id": "1"})
        again = await accept(site, state)
        assert again.result["resultType"] == "input_required" and again.result["requestState"] != state["requestState"]
        assert tools_used.done == ["delete 1", "change 1"]
        # The next question asks for a new consent.
        next_state = {**state, "requestState": again.result["requestState"]}
        assert not is_repeat(await accept(site, next_state))
        assert tools_used.done == ["delete 1", "change 1", "delete 1"]


@pytest.mark.requirement("N14")
async def test_n14_consent_is_used_up_at_every_replica(redis: Server) -> None:
    tools_used = Things()
    async with replicas(redis.url, changes={"tools": tools_used.tools}) as (a, b):
        state = await question_state(a)
        assert not is_repeat(await accept(a, state)) and is_repeat(await accept(b, state))
        await b.call("change_thing", {"id": "1"})
        for site in (b, a):
            assert (await accept(site, state)).result["resultType"] == "input_required"
        assert tools_used.done == ["delete 1", "change 1"]


@pytest.mark.requirement("N14")
async def test_n14_uncheckable_consent_changes_nothing(redis: Server) -> None:
    tools_used = Things()
    async with replicas(redis.url, changes={"tools": tools_used.tools}) as (a, b):
        state = await question_state(a)
        redis.pause()
        refused = (await accept(b, state)).result
        assert refused["isError"] and "the server cannot check at the moment" in refused["content"][0]["text"]
        assert tools_used.done == []
        redis.resume()
        await wait_for_redis(a, b)
        assert not is_repeat(await accept(b, state)) and tools_used.done == ["delete 1"]


@pytest.mark.requirement("N14")
async def test_n14_declining_keeps_receipts() -> None:
    """A question changes nothing: receipts of earlier changes stay valid."""
    tools_used = Things()
    async with serving(changes={"tools": tools_used.tools}) as site:
        await site.call("change_thing", {"id": "1"})
        state = await question_state(site)
        await accept(site, {**state, "inputResponses": {"confirm": {"action": "decline"}}})
        assert is_repeat(await site.call("change_thing", {"id": "1"})) and tools_used.done == ["change 1"]


@pytest.mark.requirement("N14")
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_n14_declining_uses_up_the_consent(action: str) -> None:
    tools_used = Things()
    async with serving(changes={"tools": tools_used.tools}) as site:
        state = await question_state(site)
        assert "the user declined" in (await refuse(site, state, action)).result["content"][0]["text"]
        again = await accept(site, state)
        assert again.result["resultType"] == "input_required" and tools_used.done == []
        assert not is_repeat(await accept(site, {**state, "requestState": again.result["requestState"]}))
        assert tools_used.done == ["delete 1"]


@pytest.mark.requirement("N14")
async def test_n14_declining_uses_up_the_consent_at_every_replica(redis: Server) -> None:
    tools_used = Things()
    async with replicas(redis.url, changes={"tools": tools_used.tools}) as (a, b):
        state = await question_state(a)
        await refuse(a, state, "decline")
        assert (await accept(b, state)).result["resultType"] == "input_required" and tools_used.done == []


@pytest.mark.requirement("N14")
@pytest.mark.parametrize("declared", [{}, {"sampling": {}}])
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_n14_decline_counts_despite_changed_capabilities(action: str, declared: Json) -> None:
    tools_used = Things()
    async with serving(changes={"tools": tools_used.tools}) as site:
        state = await question_state(site)
        for state_sent in (state, {}):
            refused = (await refuse(site, state_sent, action, declared)).result
            assert refused["isError"] and "the user declined" in refused["content"][0]["text"]
        # A pending question is asked again; it never counts as consent.
        left_open = await accept(site, {"requestState": state["requestState"]}, declared)
        assert left_open.result["resultType"] == "input_required" and tools_used.done == []


@pytest.mark.requirement("N14")
async def test_n14_accept_counts_despite_changed_capabilities() -> None:
    tools_used = Things()
    async with serving(changes={"tools": tools_used.tools}) as site:
        state = await question_state(site)
        assert not is_repeat(await accept(site, state, {})) and tools_used.done == ["delete 1"]
        await site.call("change_thing", {"id": "1"})
        assert (await accept(site, state, {})).result["resultType"] == "input_required"


@pytest.mark.requirement("N14")
async def test_n14_redis_that_lost_its_data_asks_again(redis: Server) -> None:
    tools_used = Things()
    async with replicas(redis.url, changes={"tools": tools_used.tools}) as (a, b):
        state = await question_state(a)
        assert not is_repeat(await accept(a, state))
        await a.call("change_thing", {"id": "1"})
        redis.kill()
        redis.start()
        await wait_for_redis(a, b)
        assert (await accept(b, state)).result["resultType"] == "input_required"
        assert tools_used.done == ["delete 1", "change 1"]


@pytest.mark.requirement("N14")
async def test_n14_first_accept_after_startup_counts(redis: Server) -> None:
    tools_used = Things()
    async with replicas(redis.url, changes={"tools": tools_used.tools}) as (a, b):
        assert not is_repeat(await accept(b, await question_state(a))) and tools_used.done == ["delete 1"]


@pytest.mark.requirement("N14")
async def test_n14_restarted_process_asks_again() -> None:
    """The previous process may have used the consent already."""
    tools_used = Things()
    async with serving(changes={"tools": tools_used.tools}) as site:
        state = await question_state(site)
    async with serving(changes={"tools": tools_used.tools}) as site:
        assert (await accept(site, state)).result["resultType"] == "input_required" and tools_used.done == []


@pytest.mark.requirement("N14")
async def test_n14_undeliverable_confirmation_is_not_skipped() -> None:
    tools_used = Things()
    async with serving(changes={"tools": tools_used.tools}) as site:
        arguments = {"name": "delete_thing", "arguments": {"id": "1"}}
        session = await site.initialize("2025-06-18", elicitation={})
        message = site.request("tools/call", arguments)
        refused = (await session.post(message, Accept="application/json")).result
        assert refused["isError"] and tools_used.done == []
        assert "Accept: application/json, text/event-stream" in refused["content"][0]["text"]
        # Clients without elicitation prepare the change, and writes that ask nothing make it.
        await session.post(site.request("tools/call", {**arguments, "name": "change_thing"}), Accept="application/json")
        mute = await site.initialize("2025-06-18")
        prepared = await mute.post(site.request("tools/call", arguments), Accept="application/json")
        assert prepared.result["structuredContent"]["status"] == "approval_required"
        assert tools_used.done == ["change 1"]
