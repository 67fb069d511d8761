"""The product over HTTP: discovery tools and calls, confirmations, protection against repeated writes, and
employees."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from doit_mcp.catalog.writes.confirmation import MAX_QUESTIONS
from doit_mcp.sandbox.accounts import Grant, User
from doit_mcp.server.catalog import catalog_factory
from tests.transports.http.serving import (
    ADMIN,
    EMPLOYEE,
    LATEST_STATEFUL,
    OTHER_USER,
    Answer,
    Json,
    Session,
    Site,
    serving,
)
from tests.transports.http.streaming import open_stream

ASKED: Json = {"elicitation": {"form": {}}}
OTHER = OTHER_USER.customer
LABEL = {"name": "n", "color": "blue"}


@dataclass
class Api:
    """Labels and the current user; records the requests and their customer."""

    seen: list[tuple[str, str, str]] = field(default_factory=list)
    hold: asyncio.Event | None = None
    deleted: bool = False
    label: Json = field(default_factory=lambda: {"id": "l1", "name": "Old", "color": "blue"})

    def register(self, app: web.Application, lookup: Callable[[str], Grant | None]) -> None:
        """Register the operations that these tests use."""

        async def answer(request: web.Request) -> web.Response:
            grant = lookup(request.headers.get("Authorization", "").removeprefix("Bearer "))
            if grant is None:
                return web.json_response({"error": "unauthorized"}, status=401)
            self.seen.append((request.method, request.path, request.headers.get("X-Tenant-Id", "")))
            if self.hold is not None:
                await self.hold.wait()
            if request.path == "/auth/v1/validate":
                is_known = self.seen[-1][2] in (OTHER, EMPLOYEE.customer)
                return web.json_response({"domain": f"of {self.seen[-1][2]}"}, status=200 if is_known else 403)
            self.deleted |= request.method == "DELETE"
            if self.deleted and request.method == "GET":
                return web.json_response({"error": "not found"}, status=404)
            return web.json_response(self.label, status=200)

        app.router.add_route("*", "/analytics/v1/labels{rest:.*}", answer)
        app.router.add_get("/auth/v1/validate", answer)

    @property
    def methods(self) -> list[str]:
        """The methods of the requests, without those that read which objects a change affects."""
        return [method for method, path, _ in self.seen if not path.endswith("/assignments")]

    @property
    def tenants(self) -> list[str]:
        return [tenant for _, _, tenant in self.seen]


@asynccontextmanager
async def serving_site(**settings: Any) -> AsyncIterator[tuple[Site, Api]]:
    api = Api()
    async with serving(make=catalog_factory(), api=api, **settings) as site:
        yield site, api


def text(answer: Answer) -> str:
    text: str = answer.result["content"][0]["text"]
    return text


async def list_tools(site: Site, path: str, **options: Any) -> list[str]:
    return [tool["name"] for tool in (await site.send_stateless("tools/list", path=path, **options)).result["tools"]]


async def test_unlisted_tool_is_found_and_called() -> None:
    async with serving_site() as (site, api):
        assert await list_tools(site, "/mcp/x/discovery") == [
            *("search", "fetch", "validate_user", "find_operation", "read_operation", "call_operation"),
            "confirm_action",
        ]
        result = await site.call("find_operation", {"query": "create a label"}, path="/mcp/x/discovery")
        first = result.result["structuredContent"]["operations"][0]
        assert (first["name"], first["callWith"]) == ("create_label", "call_operation")
        created = await site.call(
            "call_operation", {"name": first["name"], "arguments": LABEL}, path="/mcp/x/discovery"
        )
        undo = {"tool": "delete_label", "arguments": {"id": "l1"}, "note": "delete_label asks for approval first."}
        assert created.result["structuredContent"] == {**api.label, "undo": undo}
        read = await site.call("read_operation", {"name": "get_label", "arguments": {"id": "l1"}})
        assert read.result["structuredContent"] == api.label
        straight = await site.call("get_label", {"id": "l1"}, path="/mcp/x/discovery")
        assert straight.result["structuredContent"] == api.label
        assert api.methods == ["POST", "GET", "GET"]


async def test_indirect_call_is_treated_like_a_direct_one() -> None:
    """Errors for arguments and unknown names are the same, and logs and the API see the name of the called tool."""
    async with serving_site() as (site, api):
        straight = await site.call("delete_label", {"ids": "l1"})
        through = await site.call("call_operation", {"name": "delete_label", "arguments": {"ids": "l1"}})
        assert straight.result["content"] == through.result["content"] and through.result["isError"] is True
        unknown = await site.call("call_operation", {"name": "delete_lable"})
        assert unknown.result["isError"] is True and "did you mean delete_label" in text(unknown)
        writes = await site.call("read_operation", {"name": "delete_label", "arguments": {"id": "l1"}})
        assert writes.result["isError"] is True and "call_operation" in text(writes)
        shape = await site.call("call_operation", {"name": 5})
        assert shape.result["isError"] is True
        assert api.seen == []


@pytest.mark.requirement("A4")
async def test_read_only_path_rejects_writes() -> None:
    async with serving_site() as (site, api):
        for path in ("/mcp/readonly", "/mcp/x/discovery/readonly", "/mcp/x/all/readonly"):
            assert "call_operation" not in await list_tools(site, path)
            refused = await site.call("call_operation", {"name": "delete_label", "arguments": {"id": "l"}}, path=path)
            assert refused.code == (400, -32602)
            refused = await site.call("read_operation", {"name": "delete_label", "arguments": {"id": "l"}}, path=path)
            assert refused.result["isError"] is True and "read-only mode" in text(refused)
            result = await site.call("find_operation", {"query": "delete label", "limit": 5}, path=path)
            assert {operation["callWith"] for operation in result.result["structuredContent"]["operations"]} == {
                "read_operation"
            }
        assert api.seen == []


@pytest.mark.requirement("A5")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [("delete_label", {"id": "l1"}), ("call_operation", {"name": "delete_label", "arguments": {"id": "l1"}})],
)
async def test_deletion_is_confirmed_by_a_second_round(name: str, arguments: Json) -> None:
    async with serving_site() as (site, api):
        input_request = await site.call(name, arguments, clientCapabilities=ASKED)
        assert input_request.result["resultType"] == "input_required" and api.methods == ["GET"]
        message = input_request.result["inputRequests"]["confirm"]["params"]["message"]
        assert "Delete label?" in message and "name: Old" in message

        async def again(
            action: str, state: Any = input_request.result["requestState"], accepts: Json = arguments
        ) -> Answer:
            more: Json = {"inputResponses": {"confirm": {"action": action}}}
            more |= {"requestState": state} if state is not None else {}
            params = {"name": name, "arguments": accepts, **more}
            return await site.send_stateless("tools/call", params, clientCapabilities=ASKED)

        for action in ("decline", "cancel"):
            refused = await again(action)
            assert refused.result["isError"] is True and "Nothing was changed" in text(refused)
        assert "DELETE" not in api.methods
        # An answer to a question that was never asked is ignored.
        unasked = await again("accept", None)
        assert unasked.result["resultType"] == "input_required" and "DELETE" not in api.methods
        # The declined question cannot be used again.
        once_more = await again("accept")
        assert once_more.result["resultType"] == "input_required" and "DELETE" not in api.methods
        state = once_more.result["requestState"]
        done = await again("accept", state)
        assert done.result.get("isError") is None and api.methods.count("DELETE") == 1
        # The client gave up and repeats the request.
        twice = await again("accept", state)
        assert "alreadyDone" in twice.result["structuredContent"] and api.methods.count("DELETE") == 1


@pytest.mark.requirement("J11", "A5")
async def test_answer_counts_only_for_what_was_shown() -> None:
    async with serving_site() as (site, api):
        input_request = await site.call("delete_label", {"id": "l1"}, clientCapabilities=ASKED)
        params: Json = {
            "name": "delete_label",
            "arguments": {"id": "l1"},
            "requestState": input_request.result["requestState"],
        }
        params["inputResponses"] = {"confirm": {"action": "accept"}}
        api.label = {**api.label, "name": "Another by now"}
        second_question = await site.send_stateless("tools/call", params, clientCapabilities=ASKED)
        assert second_question.result["resultType"] == "input_required" and "DELETE" not in api.methods
        assert "Another by now" in second_question.result["inputRequests"]["confirm"]["params"]["message"]
        # The state of the first question is not valid for the second.
        again = await site.send_stateless("tools/call", params, clientCapabilities=ASKED)
        assert again.result["resultType"] == "input_required" and "DELETE" not in api.methods
        params["requestState"] = second_question.result["requestState"]
        done = await site.send_stateless("tools/call", params, clientCapabilities=ASKED)
        assert "resultType" in done.result and done.result["resultType"] == "complete" and "DELETE" in api.methods


async def test_client_without_elicitation_prepares_the_change() -> None:
    """With stateful and stateless requests, nothing is changed before the user approves."""
    async with serving_site() as (site, api):
        session = await site.initialize()
        for caller, id in ((site, "l1"), (session, "l2")):
            prepared = (await caller.call("delete_label", {"id": id})).result["structuredContent"]
            assert prepared["status"] == "approval_required" and prepared["change"]["object"]["id"] == id
        assert api.methods == ["GET", "GET"]


async def test_client_without_elicitation_is_not_asked_if_the_setting_is_never() -> None:
    """The client relies on its own approval by destructiveHint."""
    async with serving_site(confirm_changes="never") as (site, api):
        await site.call("delete_label", {"id": "l1"})
        assert api.methods == ["GET", "DELETE"]


@pytest.mark.parametrize("action", ["accept", "decline"])
async def test_deletion_is_confirmed_on_a_session_stream(action: str) -> None:
    async with serving_site() as (site, api):
        session = await site.initialize(elicitation={})
        call = site.request("tools/call", {"name": "delete_label", "arguments": {"id": "l1"}})
        async with open_stream(site, call, site.headers(**session.head), LATEST_STATEFUL) as stream:
            question = await stream.until("elicitation/create")
            assert "name: Old" in question["params"]["message"]
            assert api.methods == ["GET"]
            answer = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": action, "content": {}}}
            assert (await session.post(answer)).status == 202
            result = (await stream.until(""))["result"]
        assert ("DELETE" in api.methods) == (action == "accept") == ("isError" not in result)


@pytest.mark.requirement("N13")
async def test_n13_intervening_change_is_confirmed_again_on_a_session_stream() -> None:
    """If a label is renamed while the user is asked, the answer about the old name does not delete it."""
    async with serving_site() as (site, api):
        session = await site.initialize(elicitation={})
        call = site.request("tools/call", {"name": "delete_label", "arguments": {"id": "l1"}})
        async with open_stream(site, call, site.headers(**session.head), LATEST_STATEFUL) as stream:
            first = await stream.until("elicitation/create")
            api.label = {**api.label, "name": "Production"}
            await accept(session, first)
            second = await stream.until("elicitation/create")
            assert "name: Production" in second["params"]["message"] and "DELETE" not in api.methods
            await accept(session, second)
            assert "isError" not in (await stream.until(""))["result"]
        assert api.methods == ["GET", "GET", "GET", "DELETE"]


@pytest.mark.requirement("N13")
async def test_n13_repeated_changes_are_rejected_on_a_session_stream() -> None:
    async with serving_site() as (site, api):
        session = await site.initialize(elicitation={})
        call = site.request("tools/call", {"name": "delete_label", "arguments": {"id": "l1"}})
        async with open_stream(site, call, site.headers(**session.head), LATEST_STATEFUL) as stream:
            for turn in range(MAX_QUESTIONS):
                question = await stream.until("elicitation/create")
                api.label = {**api.label, "name": f"Name {turn}"}
                await accept(session, question)
            result = (await stream.until(""))["result"]
        assert result["isError"] is True and "changed each of the 3 times" in result["content"][0]["text"]
        assert set(api.methods) == {"GET"}


@pytest.mark.requirement("N13")
async def test_n13_accepting_round_reads_once() -> None:
    async with serving_site() as (site, api):
        input_request = await site.call("delete_label", {"id": "l1"}, clientCapabilities=ASKED)
        params: Json = {
            "name": "delete_label",
            "arguments": {"id": "l1"},
            "requestState": input_request.result["requestState"],
        }
        params["inputResponses"] = {"confirm": {"action": "accept"}}
        await site.send_stateless("tools/call", params, clientCapabilities=ASKED)
        assert api.methods == ["GET", "GET", "DELETE"]


async def accept(session: Session, question: Json) -> None:
    answer = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {}}}
    assert (await session.post(answer)).status == 202


@pytest.mark.requirement("N15")
async def test_n15_employee_confirmation_names_the_customer_of_the_call() -> None:
    async with serving_site() as (site, api):
        arguments = {"id": "l1", "customerContext": OTHER}
        input_request = await site.call("delete_label", arguments, user=EMPLOYEE, clientCapabilities=ASKED)
        message = input_request.result["inputRequests"]["confirm"]["params"]["message"]
        assert f"\nCustomer: of {OTHER} (id {OTHER})\n" in message and set(api.tenants) == {OTHER}
        direct = await site.call("delete_label", {"id": "l1"}, clientCapabilities=ASKED)
        assert "Customer" not in direct.result["inputRequests"]["confirm"]["params"]["message"]


@pytest.mark.requirement("N15")
async def test_n15_employee_confirmation_names_the_customer_of_the_session() -> None:
    async with serving_site() as (site, api):
        session = await site.initialize(user=EMPLOYEE, elicitation={})
        for customer in (EMPLOYEE.customer, OTHER):
            # Each customer has a label with this id.
            api.deleted = False
            await session.call("change_customer", {"customerContext": customer})
            call = site.request("tools/call", {"name": "delete_label", "arguments": {"id": "l1"}})
            async with open_stream(site, call, site.headers(EMPLOYEE, **session.head), LATEST_STATEFUL) as stream:
                question = await stream.until("elicitation/create")
                assert f"\nCustomer: of {customer} (id {customer})\n" in question["params"]["message"]
                await accept(session, question)
                await stream.until("")


@pytest.mark.requirement("N18")
async def test_n18_update_without_a_change_is_rejected_before_confirmation() -> None:
    async with serving_site() as (site, api):
        for name, arguments in (
            ("update_label", {"id": "l1"}),
            ("update_label", {"id": "l1", "name": None}),
            ("update_user", {"id": "u1"}),
            ("update_theme", {"id": "t1"}),
            ("update_datahub_dataset", {"name": "d"}),
            ("assign_objects_to_label", {"id": "l1", "add": [], "remove": []}),
        ):
            for called, call_arguments in (
                (name, arguments),
                ("call_operation", {"name": name, "arguments": arguments}),
            ):
                refused = await site.call(called, call_arguments, clientCapabilities=ASKED)
                assert refused.result["isError"] is True and "Nothing to change: pass at" in text(refused)
        assert api.seen == []


async def test_repeated_write_runs_once() -> None:
    """A repeated write waits for the one in flight; writes of other users are separate."""
    async with serving_site() as (site, api):
        api.hold = asyncio.Event()
        calls = [asyncio.ensure_future(site.call("create_label", dict(LABEL))) for _ in range(2)]
        while not api.seen:
            await asyncio.sleep(0)
        api.hold.set()
        first, second = await asyncio.gather(*calls)
        notes = ["alreadyDone" in answer.result["structuredContent"] for answer in (first, second)]
        assert sorted(notes) == [False, True] and api.methods == ["POST", "GET"]
        session = await site.initialize()
        third = await session.call("create_label", dict(LABEL))
        assert "alreadyDone" in third.result["structuredContent"] and api.methods == ["POST", "GET", "GET"]
        assert "alreadyDone" not in (await site.call("create_label", dict(LABEL), user=OTHER_USER)).text


@pytest.mark.requirement("C2")
async def test_only_employees_have_employee_tools() -> None:
    """For others they are neither listed nor callable by name."""
    async with serving_site() as (site, api):
        employee_tools = {"search_customers", "change_customer"}
        for path in ("/mcp", "/mcp/x/all", "/mcp/x/discovery"):
            assert employee_tools <= set(await list_tools(site, path, user=EMPLOYEE)) and not employee_tools & set(
                await list_tools(site, path)
            )
            plain = [name for name in await list_tools(site, path, user=EMPLOYEE) if name not in employee_tools]
            assert plain == await list_tools(site, path)
        assert (await site.post(site.request("ping"), path="/mcp/x/employees")).status == 404
        assert set(await list_tools(site, "/mcp/x/employees", user=EMPLOYEE)) == {*employee_tools, "confirm_action"}
        for name, arguments in (("change_customer", {"customerContext": OTHER}), ("search_customers", {})):
            assert (await site.call(name, arguments)).code == (400, -32602)
            through = await site.call("call_operation", {"name": name, "arguments": arguments})
            assert through.result["isError"] is True and "unknown operation" in text(through)
        assert api.seen == []
        instructions = (await site.send_stateless("server/discover", user=EMPLOYEE)).result["instructions"]
        assert "change_customer" in instructions
        assert "change_customer" not in (await site.send_stateless("server/discover")).result["instructions"]


@pytest.mark.requirement("G6")
@pytest.mark.parametrize("named", ["read_operation", "get_label"])
async def test_named_customer_of_another_user_is_ignored_with_a_notice(named: str) -> None:
    """Clients of DoiT's own server send the argument. Their users must not read their own data as those of others."""
    async with serving_site() as (site, api):

        async def call(user: User = ADMIN, **customer: Any) -> Json:
            arguments: Json = {"id": "l1"} | customer
            if named == "read_operation":
                arguments = {"name": "get_label", "input": {"id": "l1"}} | customer
            result: Json = (await site.call(named, arguments, user=user)).result
            return result

        usual = await call()
        ignored = await call(customerContext=OTHER)
        notice = ignored["structuredContent"].pop("notice")
        assert "customerContext was ignored" in notice and f"({ADMIN.customer})" in notice
        assert notice in ignored["content"][0]["text"] and OTHER not in notice
        assert ignored["structuredContent"] == usual["structuredContent"] and set(api.tenants) == {ADMIN.customer}
        for unchanged in ("", None, ADMIN.customer):
            assert await call(customerContext=unchanged) == usual
        assert "notice" not in (await call(EMPLOYEE, customerContext=OTHER))["structuredContent"]
        api.deleted = True
        failed = await site.call("get_label", {"id": "l1", "customerContext": OTHER})
        assert failed.result["isError"] and "customerContext was ignored" in text(failed)


async def test_console_searches_customers() -> None:
    async with serving_site() as (site, api):
        result = await site.call("search_customers", {"domains": ["globex.example"]}, user=EMPLOYEE)
        assert [row["id"] for row in result.result["structuredContent"]["customers"]] == [OTHER]
        assert api.seen == []


@pytest.mark.requirement("C2", "G6")
async def test_session_acts_for_the_customer_chosen_by_an_employee(caplog: pytest.LogCaptureFixture) -> None:
    """Only that session changes, and the log records the customer."""
    async with serving_site() as (site, api):
        chosen, other = [await site.initialize(user=EMPLOYEE) for _ in range(2)]
        with caplog.at_level(logging.INFO, "doit_mcp.audit"):
            changed = await chosen.call("change_customer", {"customerContext": OTHER})
        assert changed.result["structuredContent"]["remembered"] is True
        (line,) = [record for record in caplog.records if record.message == "act for"]
        assert (line.__dict__["customer"], line.__dict__["before"]) == (OTHER, EMPLOYEE.customer)
        api.seen.clear()
        for session in (chosen, other):
            await session.call("get_label", {"id": "l1"})
        await site.call("get_label", {"id": "l1"}, user=EMPLOYEE)
        # A new token of the same employee continues it.
        await chosen.ask("tools/call", {"name": "get_label", "arguments": {"id": "l1"}})
        assert api.tenants == [OTHER, EMPLOYEE.customer, EMPLOYEE.customer, OTHER]


@pytest.mark.requirement("C2")
async def test_chosen_customer_is_ignored_without_the_employee_claim() -> None:
    async with serving_site() as (site, api):
        session = await site.initialize(user=EMPLOYEE)
        await session.call("change_customer", {"customerContext": OTHER})
        api.seen.clear()
        plain = f"Bearer {site.token(EMPLOYEE, doit_employee=False)}"
        call = site.request("tools/call", {"name": "get_label", "arguments": {"id": "l1"}})
        assert (await session.post(call, Authorization=plain)).result.get("isError") is None
        assert api.tenants == [EMPLOYEE.customer]


async def test_unknown_customer_is_rejected() -> None:
    async with serving_site() as (site, api):
        session = await site.initialize(user=EMPLOYEE)
        changed = await session.call("change_customer", {"customerContext": "nobody&x#"})
        assert changed.result["isError"] is True
        assert api.tenants == ["nobody%26x%23"]
        await session.call("get_label", {"id": "l1"})
        assert api.tenants[-1] == EMPLOYEE.customer


@pytest.mark.requirement("C4")
async def test_calls_without_a_session_name_their_customer(caplog: pytest.LogCaptureFixture) -> None:
    """The customer is an argument of every call, checked against the claim; it is ignored for all other users."""
    async with serving_site() as (site, api):
        changed = await site.call("change_customer", {"customerContext": OTHER}, user=EMPLOYEE)
        content = changed.result["structuredContent"]
        assert content["remembered"] is False and "customerContext" in content["next"]
        api.seen.clear()
        arguments: Json = {"id": "l1", "customerContext": OTHER}
        with caplog.at_level(logging.INFO, "doit_mcp.audit"):
            await site.call("get_label", arguments, user=EMPLOYEE)
        assert [record.__dict__["how"] for record in caplog.records if record.message == "act for"] == ["call"]
        await site.call("get_label", {"id": "l1"}, user=EMPLOYEE)
        await site.call("read_operation", {"name": "get_label", "arguments": arguments}, user=EMPLOYEE)
        outside = {"name": "get_label", "arguments": {"id": "l1"}, "customerContext": OTHER}
        await site.call("read_operation", outside, user=EMPLOYEE)
        await site.call("get_label", arguments, user=ADMIN)
        await site.call("read_operation", {"name": "get_label", "arguments": arguments}, user=ADMIN)
        assert api.tenants == [OTHER, EMPLOYEE.customer, OTHER, OTHER, ADMIN.customer, ADMIN.customer]


@pytest.mark.parametrize("wrong", ["", 5, None, ["c"], "c" * 257])
async def test_malformed_customer_is_rejected_before_any_request(wrong: Any) -> None:
    async with serving_site() as (site, api):
        answer = await site.call("get_label", {"id": "l1", "customerContext": wrong}, user=EMPLOYEE)
        assert answer.result["isError"] is True and "customerContext" in text(answer) and api.seen == []


@pytest.mark.requirement("C4")
async def test_writes_for_two_customers_are_distinct() -> None:
    async with serving_site() as (site, api):
        for customer in (OTHER, EMPLOYEE.customer, OTHER):
            await site.call("create_label", {**LABEL, "customerContext": customer}, user=EMPLOYEE)
        assert [tenant for method, _, tenant in api.seen if method == "POST"] == [OTHER, EMPLOYEE.customer]
