"""Changes of clients that cannot be asked: prepared first, and applied with a token that counts once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.call import Call
from doit_mcp.catalog.discovery.confirm_action import make_confirm_tool
from doit_mcp.catalog.stores.approvals import CHANGE_LIMITS
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.writes.confirmation import with_confirmation
from doit_mcp.catalog.writes.deduplication import ALREADY_DONE_KEY, with_commit, with_deduplication
from doit_mcp.sandbox.accounts import User
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.api.faults import Fault, FaultKind
from doit_mcp.server.approval_tokens import MAX_TOKEN_CHARACTERS, ApprovalTokens
from doit_mcp.server.catalog import catalog_factory
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import replicas, wait_for_redis
from tests.sandbox.bodies import ALERT, BUDGET
from tests.transports.http.serving import (
    ADMIN,
    EMPLOYEE,
    LATEST_STATEFUL,
    META,
    OTHER_USER,
    VIEWER,
    Json,
    Site,
    schema,
    serving,
)

ANY: Json = {"type": "object", "properties": {}}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product over the sandbox's API."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        yield site


async def call(site: Site, name: str, user: User = ADMIN, /, **arguments: Any) -> Json:
    """Return the structured content of a call of a client without elicitation."""
    answer = await site.call(name, arguments, user=user)
    assert not answer.result.get("isError"), answer.result
    content: Json = answer.result["structuredContent"]
    return content


async def refusal(site: Site, token: str, user: User = ADMIN, **more: Any) -> str:
    result = (await site.call("confirm_action", {"approvalToken": token, **more}, user=user)).result
    assert result["isError"], result
    text: str = result["content"][0]["text"]
    assert text.startswith("Nothing was changed: ") or "this call changed nothing" in text.lower()
    return text


async def prepare(site: Site, name: str, user: User = ADMIN, /, **arguments: Any) -> Json:
    prepared = await call(site, name, user, **arguments)
    assert prepared["status"] == "approval_required", prepared
    return prepared


async def exists(site: Site, budget: str) -> bool:
    return not (await site.call("get_budget", {"id": budget})).result.get("isError", False)


async def test_budget_is_deleted_in_two_steps_and_restored(site: Site) -> None:
    budget = await call(site, "create_budget", **BUDGET)
    former = await call(site, "get_budget", id=budget["id"])
    prepared = await prepare(site, "delete_budget", id=budget["id"])
    change = prepared["change"]
    assert change["title"] == "Delete budget" and change["irreversible"] is False
    assert change["affected"] == [f"recipients: {one}" for one in former["recipients"]] + [
        f"collaborators: {one['email']} ({one['role']})" for one in former["collaborators"]
    ]
    assert any("new id" in note for note in change["notes"])
    assert change["object"]["name"] == budget["name"] and budget["id"] in change["object"]["url"]
    assert {"field": "amount", "before": budget["amount"], "after": None} in change["fields"]
    assert len(prepared["approvalToken"]) <= MAX_TOKEN_CHARACTERS and prepared["expiresAt"].endswith("Z")
    # A model that repeats the first call changes nothing.
    again = await prepare(site, "delete_budget", id=budget["id"])
    assert await exists(site, budget["id"])
    deleted = await call(site, "confirm_action", approvalToken=prepared["approvalToken"])
    assert deleted["deleted"] and not await exists(site, budget["id"])
    receipt = await call(site, "confirm_action", approvalToken=prepared["approvalToken"])
    assert receipt["deleted"] and ALREADY_DONE_KEY in receipt and receipt["undo"] == deleted["undo"]
    # The second token is for the same change.
    assert ALREADY_DONE_KEY in await call(site, "confirm_action", approvalToken=again["approvalToken"])
    undo = deleted["undo"]
    assert undo["tool"] == "create_budget" and "new id" in undo["note"]
    restored = await call(site, undo["tool"], **undo["arguments"])
    if restored.get("status") == "approval_required":
        restored = await call(site, "confirm_action", approvalToken=restored["approvalToken"])
    after = await call(site, "get_budget", id=restored["id"])
    changing = {"id", "createTime", "updateTime", "url"}
    assert {k: v for k, v in after.items() if k not in changing} == {
        k: v for k, v in former.items() if k not in changing
    }


@pytest.mark.requirement("N13")
async def test_change_in_between_asks_again(site: Site) -> None:
    budget = await call(site, "create_budget", **BUDGET)
    prepared = await prepare(site, "delete_budget", id=budget["id"])
    await call(site, "update_budget", EMPLOYEE, id=budget["id"], amount=BUDGET["amount"] + 1)
    asked_again = await prepare(site, "confirm_action", approvalToken=prepared["approvalToken"])
    assert asked_again["approvalToken"] != prepared["approvalToken"] and await exists(site, budget["id"])
    assert {"field": "amount", "before": BUDGET["amount"] + 1, "after": None} in asked_again["change"]["fields"]
    assert (await call(site, "confirm_action", approvalToken=asked_again["approvalToken"]))["deleted"]


LOOSE_ALERT: Json = {"operator": "lt", "value": 5}
REGION: Json = {"name": "North", "countryCodes": ["DK", "SE"]}
CHANGED_BETWEEN: dict[str, tuple[Json, Json, str]] = {
    "budget": (BUDGET, {"alerts": [{"percentage": 30}]}, "alerts"),
    "alert": (ALERT, {"alert": LOOSE_ALERT}, "config"),
    "custom_region": (REGION, {"countryCodes": ["NO"]}, "countryCodes"),
}


@pytest.mark.requirement("N13")
async def test_deletion_asks_again_after_any_change_of_the_object(site: Site) -> None:
    for kind, (made, changes, field) in CHANGED_BETWEEN.items():
        created = (await site.apply(f"create_{kind}", made)).result["structuredContent"]
        selected = {"customRegionId" if kind == "custom_region" else "id": created["id"]}
        prepared = await prepare(site, f"delete_{kind}", **selected)
        await site.apply(f"update_{kind}", {**selected, **changes})
        asked_again = await prepare(site, "confirm_action", approvalToken=prepared["approvalToken"])
        before, after = (
            [row["before"] for row in shown["change"]["fields"] if row["field"] in (field, "alert")]
            for shown in (prepared, asked_again)
        )
        assert before and after and before != after, (kind, prepared, asked_again)
        # Without a change, the token counts.
        assert (await call(site, "confirm_action", approvalToken=asked_again["approvalToken"]))["deleted"]


@pytest.mark.requirement("N14")
async def test_invalid_tokens_have_different_answers(site: Site) -> None:
    label = await call(site, "create_label", name="Quarter", color="blue")
    token = (await prepare(site, "delete_label", id=label["id"]))["approvalToken"]
    for altered in (
        token[:-1] + ("A" if token[-1] != "A" else "E"),
        "B" + token[1:],
        "x",
        token + token,
        "",
        token.lower(),
    ):
        assert "altered" in await refusal(site, altered)
    others = {await refusal(site, token, user) for user in (VIEWER, OTHER_USER, EMPLOYEE)}
    assert len(others) == 1 and "another user or another customer" in others.pop()
    # Arguments come from the token alone.
    strange = (await site.call("confirm_action", {"approvalToken": token, "id": "another"})).result
    assert strange["isError"] and "id" in strange["content"][0]["text"]
    assert (await call(site, "confirm_action", approvalToken=token))["deleted"]
    # The object is created and deleted again by a colleague, and the used token still leads to its receipt only.
    assert ALREADY_DONE_KEY in await call(site, "confirm_action", approvalToken=token)
    forged = ApprovalTokens("another secret with enough characters").make("A" * 24, 1 << 33, "owner", "tenant")
    assert "altered" in await refusal(site, forged)


async def test_oldest_prepared_changes_are_forgotten(site: Site) -> None:
    label = await call(site, "create_label", name="Quarter", color="blue")
    first = (await prepare(site, "delete_label", id=label["id"]))["approvalToken"]
    for _ in range(CHANGE_LIMITS.per_owner):
        last = (await prepare(site, "delete_label", id=label["id"]))["approvalToken"]
    # The server may not know any more that the token was never used.
    assert "no longer store" in await refusal(site, first)
    assert (await call(site, "confirm_action", approvalToken=last))["deleted"]


async def test_call_operation_prepares_too(site: Site) -> None:
    label = await call(site, "create_label", name="Quarter", color="blue")
    prepared = await prepare(site, "call_operation", name="delete_label", input={"id": label["id"]})
    assert (await call(site, "confirm_action", approvalToken=prepared["approvalToken"]))["deleted"]
    nested = (await site.call("call_operation", {"name": "confirm_action", "input": {}})).result
    assert nested["isError"] and "unknown operation" in nested["content"][0]["text"]


async def test_update_is_prepared_if_it_names_recipients_and_can_be_undone(site: Site) -> None:
    budget = await call(site, "create_budget", **BUDGET)
    changed = await call(site, "update_budget", id=budget["id"], amount=77.0)
    assert changed["undo"] == {"tool": "update_budget", "arguments": {"id": budget["id"], "amount": BUDGET["amount"]}}
    await call(site, "update_budget", **changed["undo"]["arguments"])
    assert (await call(site, "get_budget", id=budget["id"]))["amount"] == BUDGET["amount"]
    prepared = await prepare(site, "update_budget", id=budget["id"], recipients=["eve@partner.example"])
    assert any("eve@partner.example" in line for line in prepared["change"]["affected"])
    former = (await call(site, "get_budget", id=budget["id"]))["recipients"]
    done = await call(site, "confirm_action", approvalToken=prepared["approvalToken"])
    assert done["undo"]["arguments"]["recipients"] == former


@pytest.mark.requirement("N15")
async def test_employees_approve_for_the_customer_that_they_saw(site: Site) -> None:
    acme = ADMIN.customer
    label = await call(site, "create_label", name="Quarter", color="blue")
    prepared = await prepare(site, "delete_label", EMPLOYEE, id=label["id"], customerContext=acme)
    assert "acme" in prepared["change"]["customer"] and "customerContext" in prepared["next"]
    token = prepared["approvalToken"]
    assert "another customer" in await refusal(site, token, EMPLOYEE, customerContext=OTHER_USER.customer)
    deleted = await call(site, "confirm_action", EMPLOYEE, approvalToken=token, customerContext=acme)
    assert deleted["deleted"]


async def test_readonly_and_lists(site: Site) -> None:
    for path, expected in (("/mcp/readonly", False), ("/mcp", True), ("/mcp/x/labels", True), ("/mcp/x/search", False)):
        listed = (await site.send_stateless("tools/list", path=path)).result["tools"]
        assert ("confirm_action" in {tool["name"] for tool in listed}) is expected, path
    label = await call(site, "create_label", name="Quarter", color="blue")
    token = (await prepare(site, "delete_label", id=label["id"]))["approvalToken"]
    unknown = await site.call("confirm_action", {"approvalToken": token}, path="/mcp/readonly")
    assert unknown.error["message"].startswith("confirm_action ") and "read-only" in unknown.error["message"]


@pytest.mark.parametrize(("policy", "creates", "deletes"), [("always", False, False), ("never", True, True)])
async def test_setting_decides_what_needs_approval(policy: str, creates: bool, deletes: bool) -> None:
    async with serving(make=catalog_factory(), api=Api(), confirm_changes=policy) as site:
        label = await call(site, "create_label", name="Quarter", color="blue")
        assert ("id" in label) is creates
        if not creates:
            assert label["change"]["fields"][0] == {"field": "name", "after": "Quarter"}
            label = await call(site, "confirm_action", approvalToken=label["approvalToken"])
        deleted = await call(site, "delete_label", id=label["id"])
        assert ("deleted" in deleted) is deletes


async def test_stateful_clients_without_elicitation_prepare(site: Site) -> None:
    label = await call(site, "create_label", name="Quarter", color="blue")
    session = await site.initialize(LATEST_STATEFUL)
    prepared = (await session.call("delete_label", {"id": label["id"]})).result["structuredContent"]
    assert prepared["status"] == "approval_required"
    done = (await session.call("confirm_action", {"approvalToken": prepared["approvalToken"]})).result
    assert done["structuredContent"]["deleted"]


@pytest.mark.requirement("N14")
async def test_clients_that_can_be_asked_are_asked_in_spite_of_a_token(site: Site) -> None:
    for action in ("accept", "decline"):
        label = await call(site, "create_label", name=f"Quarter {action}", color="blue")
        token = (await prepare(site, "delete_label", id=label["id"]))["approvalToken"]
        asking: Json = {"clientCapabilities": {"elicitation": {"form": {}}}}
        asked = (await site.call("confirm_action", {"approvalToken": token}, **asking)).result
        assert asked["resultType"] == "input_required", asked
        assert "Delete label?" in asked["inputRequests"]["confirm"]["params"]["message"]
        answer: Json = {"action": action} | ({"content": {}} if action == "accept" else {})
        retry: Json = {"name": "confirm_action", "arguments": {"approvalToken": token}}
        retry |= {"inputResponses": {"confirm": answer}, "requestState": asked["requestState"]}
        done = (await site.send_stateless("tools/call", retry, **asking)).result
        assert done.get("isError", False) is (action == "decline"), done
        if action == "decline":
            assert "already used" in await refusal(site, token)
        exists = not (await site.call("get_label", {"id": label["id"]})).result.get("isError", False)
        assert exists is (action == "decline")


class Things:
    """A tool that deletes a thing of this process once it may, and the tool that applies prepared changes."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.may_end = asyncio.Event()
        self.started = asyncio.Event()
        self.failure: ApiError | None = None

        async def delete_thing(call: Call, arguments: Json) -> Json:
            self.done.append(arguments["id"])
            self.started.set()
            await self.may_end.wait()
            if self.failure is not None:
                raise self.failure
            return {"deleted": True}

        facts: Any = {"confirm": True}
        about: dict[str, Any] = {"area": "things", "writes": True, "targets": ("id",), "facts": facts}
        hints = {"destructiveHint": True}
        schema_of_thing = schema(id={"type": "string"})
        tool = Tool("delete_thing", "Delete thing", "Does it.", schema_of_thing, delete_thing, ANY, hints, **about)
        deleting = with_deduplication(with_confirmation(with_commit(tool), None))
        self.tools = (deleting, make_confirm_tool({deleting.name: deleting}))


@pytest.mark.requirement("N14")
async def test_token_applies_once_at_all_replicas(redis: Server) -> None:
    things = Things()
    async with replicas(redis.url, changes={"tools": things.tools}) as (a, b):
        token = (await prepare(a, "delete_thing", id="1"))["approvalToken"]
        with redis.client() as client:
            stored = b"".join(key + (client.dump(key) or b"") for key in client.keys("*"))
        assert things.done == [] and b"change" in stored
        assert not any(secret in stored for secret in (token.encode(), token[:24].encode(), b"delete_thing"))
        racing = [asyncio.create_task(call(site, "confirm_action", approvalToken=token)) for site in (a, b, b, a)]
        await things.started.wait()
        things.may_end.set()
        answers = await asyncio.gather(*racing)
        assert sorted(ALREADY_DONE_KEY in answer for answer in answers) == [False, True, True, True]
        assert things.done == ["1"]
        assert "another user" in await refusal(b, token, VIEWER)
        # Another token for the same change within two minutes leads to the same receipt.
        again = await call(b, "delete_thing", id="1")
        assert ALREADY_DONE_KEY in again and things.done == ["1"]


async def test_canceled_change_is_applied_by_no_replica(redis: Server) -> None:
    things = Things()
    things.may_end.set()
    async with replicas(redis.url, changes={"tools": things.tools}) as (a, b):
        token, other = [(await prepare(a, "delete_thing", id=id))["approvalToken"] for id in "12"]
        assert "another user" in await refusal(a, token, VIEWER, cancel=True)
        for site in (a, b):
            canceled = await call(site, "confirm_action", approvalToken=token, cancel=True)
            assert canceled["status"] == "canceled" and "Nothing was changed" in canceled["note"]
        assert "user canceled" in await refusal(b, token) and things.done == []
        # The other change is applied, so it is too late to cancel that.
        assert (await call(a, "confirm_action", approvalToken=other))["deleted"]
        late = (await b.call("confirm_action", {"approvalToken": other, "cancel": True})).result
        assert late["isError"] and "not canceled" in late["content"][0]["text"] and things.done == ["2"]


@pytest.mark.requirement("N14")
async def test_nothing_is_applied_while_redis_is_unavailable(redis: Server) -> None:
    things = Things()
    things.may_end.set()
    async with replicas(redis.url, changes={"tools": things.tools}) as (a, b):
        token = (await prepare(a, "delete_thing", id="1"))["approvalToken"]
        redis.pause()
        await refusal(b, token)
        prepared = (await a.call("delete_thing", {"id": "2"})).result
        assert prepared["isError"] and prepared["content"][0]["text"].startswith("Nothing was changed: ")
        assert things.done == []
        redis.resume()
        await wait_for_redis(a, b)
        assert (await call(b, "confirm_action", approvalToken=token))["deleted"] and things.done == ["1"]
        # After Redis lost its data, the token is unknown, and applies nothing.
        redis.kill()
        redis.start()
        await wait_for_redis(a, b)
        assert "unknown whether the change" in await refusal(a, token) and things.done == ["1"]


@pytest.mark.requirement("N14")
async def test_token_applies_once_whatever_the_outcome() -> None:
    """Both requests of a batch, a client that disconnects, and an API that answers too late: one request each."""
    things = Things()
    async with serving(changes={"tools": things.tools}) as site:
        session = await site.initialize("2025-03-26")
        token = (await prepare(site, "delete_thing", id="batch"))["approvalToken"]
        approved: Json = {"name": "confirm_action", "arguments": {"approvalToken": token}}
        things.may_end.set()
        answers = (await session.post([site.request("tools/call", approved, id) for id in ("a", "b")])).body
        texts = [answer["result"]["content"][0]["text"] for answer in answers]
        assert sorted(ALREADY_DONE_KEY in text for text in texts) == [False, True] and things.done == ["batch"]
        things.may_end.clear()
        things.started.clear()
        token = (await prepare(site, "delete_thing", id="lost"))["approvalToken"]
        leaving = asyncio.create_task(site.call("confirm_action", {"approvalToken": token}))
        await things.started.wait()
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        things.may_end.set()
        things.failure = ApiError("", kind="timeout", maybe_applied=True)
        late = (await prepare(site, "delete_thing", id="late"))["approvalToken"]
        failed = (await site.call("confirm_action", {"approvalToken": late})).result
        assert failed["isError"] and not failed["content"][0]["text"].startswith("Nothing was changed")
        for name, arguments in (
            ("confirm_action", {"approvalToken": token}),
            ("confirm_action", {"approvalToken": late}),
            ("delete_thing", {"id": "late"}),
        ):
            repeated = (await site.call(name, arguments)).result
            assert repeated["isError"] and "it is unknown whether that call took effect" in str(repeated), name
        assert things.done == ["batch", "lost", "late"]


@pytest.mark.parametrize(("failure", "is_unknown"), [("reset", True), ("truncated", True), (500, True), (429, False)])
async def test_failed_changes_say_whether_they_may_be_made(failure: FaultKind, is_unknown: bool) -> None:
    """The token is used up either way, and the change is never made twice."""
    api, path = Api(), "/analytics/v1/labels/"
    async with serving(make=catalog_factory(), api=api) as site:
        label = await call(site, "create_label", name="Quarter", color="blue")
        token = {"approvalToken": (await prepare(site, "delete_label", id=label["id"]))["approvalToken"]}
        api.faults.append(Fault(path, failure, operation=f"DELETE {path}{{id}}"))
        failed, repeated = [(await site.call("confirm_action", token)).result for _ in range(2)]
        assert failed["isError"] and repeated["isError"]
        first, second = (answer["content"][0]["text"] for answer in (failed, repeated))
        assert "Nothing was changed" not in first and "call delete_label again to prepare it" in first
        assert ("The change may still have been made: check the current state" in first) is is_unknown
        assert ("it is unknown whether that call took effect" in second) is is_unknown
        assert ("the DoiT API refused it" in second) is not is_unknown
        assert [sent.method for sent in api.calls].count("DELETE") == 1
        # As the answer says, the change is prepared again, once the first cannot take effect any more.
        again = (await site.call("delete_label", {"id": label["id"]})).result
        assert again["isError"] if is_unknown else again["structuredContent"]["status"] == "approval_required"


async def test_dry_run_shows_before_and_after(site: Site) -> None:
    budget = await call(site, "create_budget", **BUDGET)
    change: Json = {
        "amount": 77,
        "alerts": [{"percentage": 50}, {"percentage": 90}],
        "recipients": ["eve@partner.example"],
    }
    shown = await call(site, "update_budget", id=budget["id"], **change, dryRun=True)
    assert shown["status"] == "dry_run" and "approvalToken" not in shown and "undo" not in shown
    fields = {row["field"]: row for row in shown["change"]["fields"]}
    assert fields["amount"] == {"field": "amount", "before": BUDGET["amount"], "after": 77}
    assert shown["change"]["object"]["name"] == BUDGET["name"] and not shown["change"]["irreversible"]
    assert any("eve@partner.example" in line for line in shown["change"]["affected"])
    prepared = await prepare(site, "update_budget", id=budget["id"], **change)
    assert prepared["change"] == shown["change"]
    assert (await call(site, "get_budget", id=budget["id"]))["amount"] == BUDGET["amount"]
    listed = (await site.send_stateless("tools/list", path="/mcp/x/all")).result["tools"]
    updates = {tool["name"]: tool["inputSchema"]["properties"] for tool in listed if tool["name"].startswith("update_")}
    assert {name for name, properties in updates.items() if "dryRun" not in properties} == {"update_insight_status"}
    # A false value starts a real call, and the call equals one without it.
    assert (await call(site, "update_budget", id=budget["id"], amount=78, dryRun=False))["amount"] == 78
    assert ALREADY_DONE_KEY in await call(site, "update_budget", id=budget["id"], amount=78)


async def test_approved_call_can_continue_as_a_task(site: Site) -> None:
    tasks = {"extensions": {f"{META}tasks": {}}}
    question = {"question": "Email the idle disks to eve@partner.example"}
    prepared = (await site.call("build_cloud_flow", question, clientCapabilities=tasks)).result["structuredContent"]
    approved = {"approvalToken": prepared["approvalToken"]}
    created = (await site.call("confirm_action", approved, clientCapabilities=tasks)).result
    assert created["resultType"] == "task", created
    while (
        task := (await site.send_stateless("tasks/get", {"taskId": created["taskId"]}, clientCapabilities=tasks)).result
    )["status"] == "working":
        await asyncio.sleep(0)
    assert task["status"] == "completed" and not task["result"].get("isError"), task
    repeated = (await site.call("confirm_action", approved, clientCapabilities=tasks)).result
    assert ALREADY_DONE_KEY in str(repeated) or "result of the same call" in str(repeated)
