"""A user's consent to a change counts once: at every replica, and also after the change was taken back."""

from __future__ import annotations

from doit_mcp.catalogue.call import Call
from doit_mcp.catalogue.confirming import confirmed
from doit_mcp.catalogue.repeats import NOTE, committing, once
from doit_mcp.catalogue.tools import Tool
from tests.state.redis_server import Server
from tests.state.replicas import back, replicas
from tests.web.serving import Answer, Json, Site, schema, serving

ASKED: Json = {"elicitation": {"form": {}}}
TEXT = {"type": "string"}
ANY: Json = {"type": "object", "properties": {}}


class Things:
    """Tools that delete and change things of this process, and what they did."""

    def __init__(self) -> None:
        self.done: list[str] = []
        hints = {"destructiveHint": True}

        async def delete_thing(call: Call, arguments: Json) -> Json:
            self.done.append(f"delete {arguments['id']}")
            return {"deleted": True}

        async def change_thing(call: Call, arguments: Json) -> Json:
            self.done.append(f"change {arguments['id']}")
            return {"changed": True}

        made = [
            Tool(run.__name__, "Thing", "Does it.", schema(id=TEXT), run, ANY, hints, area="things", writes=True)
            for run in (delete_thing, change_thing)
        ]
        self.tools = once(confirmed(committing(made[0]), None)), once(committing(made[1]))


async def asked(site: Site) -> Json:
    """The state of the question whether one is to be deleted."""
    answer = await site.call("delete_thing", {"id": "1"}, clientCapabilities=ASKED)
    assert answer.result["resultType"] == "input_required"
    return {"requestState": answer.result["requestState"], "inputResponses": {"confirm": {"action": "accept"}}}


async def accept(site: Site, state: Json) -> Answer:
    params = {"name": "delete_thing", "arguments": {"id": "1"}, **state}
    return await site.modern("tools/call", params, clientCapabilities=ASKED)


def is_repeat(answer: Answer) -> bool:
    return NOTE in answer.result["structuredContent"]


async def test_n14_a_consent_is_used_up_by_the_change() -> None:
    things = Things()
    async with serving(changes={"tools": things.tools}) as site:
        state = await asked(site)
        assert not is_repeat(await accept(site, state))
        # The answer was lost and the client sends the same request again.
        assert is_repeat(await accept(site, state))
        await site.call("change_thing", {"id": "1"})
        again = await accept(site, state)
        assert again.result["resultType"] == "input_required" and again.result["requestState"] != state["requestState"]
        assert things.done == ["delete 1", "change 1"]
        # What the user is asked now is another consent.
        anew = {**state, "requestState": again.result["requestState"]}
        assert not is_repeat(await accept(site, anew))
        assert things.done == ["delete 1", "change 1", "delete 1"]


async def test_n14_a_consent_is_used_up_at_every_replica(redis: Server) -> None:
    things = Things()
    async with replicas(redis.url, changes={"tools": things.tools}) as (a, b):
        state = await asked(a)
        assert not is_repeat(await accept(a, state)) and is_repeat(await accept(b, state))
        await b.call("change_thing", {"id": "1"})
        for site in (b, a):
            assert (await accept(site, state)).result["resultType"] == "input_required"
        assert things.done == ["delete 1", "change 1"]


async def test_n14_a_consent_that_cannot_be_checked_changes_nothing(redis: Server) -> None:
    things = Things()
    async with replicas(redis.url, changes={"tools": things.tools}) as (a, b):
        state = await asked(a)
        redis.pause()
        refused = (await accept(b, state)).result
        assert refused["isError"] and "cannot be checked at the moment" in refused["content"][0]["text"]
        assert things.done == []
        redis.resume()
        await back(a, b)
        assert not is_repeat(await accept(b, state)) and things.done == ["delete 1"]


async def test_n14_what_a_user_declined_leaves_receipts_alone() -> None:
    """A question is no change: what was done before it still stands."""
    things = Things()
    async with serving(changes={"tools": things.tools}) as site:
        await site.call("change_thing", {"id": "1"})
        state = await asked(site)
        await accept(site, {**state, "inputResponses": {"confirm": {"action": "decline"}}})
        assert is_repeat(await site.call("change_thing", {"id": "1"})) and things.done == ["change 1"]
