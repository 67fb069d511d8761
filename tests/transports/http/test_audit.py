"""The audit log over HTTP: the caller, the customer, the object of the call, and its outcome."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.observability.logging_setup import JsonFormatter
from doit_mcp.sandbox.accounts import Grant
from doit_mcp.sandbox.api import Api as Sandbox
from doit_mcp.server.catalog import catalog_factory
from tests.transports.http.serving import (
    ADMIN,
    EMPLOYEE,
    LATEST_STATEFUL,
    META,
    OTHER_USER,
    VIEWER,
    Json,
    Site,
    serving,
)
from tests.transports.http.streaming import open_stream

ASKED: Json = {"elicitation": {"form": {}}}
LABEL = {"name": "A name", "color": "blue"}
MADE = {"id": "l1", "name": "A name", "color": "blue"}
Behavior = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def behave(request: web.Request) -> web.StreamResponse:
    return web.json_response(MADE)


def status(number: int) -> Behavior:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "no"}, status=number)

    return answer


async def unreadable(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"{", content_type="application/json")


async def broken(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@dataclass
class Api:
    """Label operations that behave as the test specifies."""

    behavior: Behavior = behave
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    writes: int = 0

    def register(self, app: web.Application, lookup: Callable[[str], Grant | None]) -> None:
        """Register the operations that these tests use."""

        async def labels(request: web.Request) -> web.StreamResponse:
            if request.method == "GET":
                return web.json_response(MADE)
            self.writes += 1
            self.reached.set()
            return await self.behavior(request)

        async def validate(request: web.Request) -> web.StreamResponse:
            grant = lookup(request.headers.get("Authorization", "").removeprefix("Bearer "))
            if grant is None:
                return web.json_response({}, status=401)
            return web.json_response({"domain": "acme.example", "email": grant.user.email})

        app.router.add_route("*", "/analytics/v1/labels{rest:.*}", labels)
        app.router.add_get("/auth/v1/validate", validate)


@asynccontextmanager
async def serving_site(**settings: Any) -> AsyncIterator[tuple[Site, Api]]:
    api = Api()
    async with serving(make=catalog_factory(), api=api, **settings) as site:
        yield site, api


class Written(logging.Handler):
    """The lines of one logger in the production format."""

    def __init__(self, name: str) -> None:
        super().__init__(logging.INFO)
        self.name, self.texts = name, list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(JsonFormatter().format(record))

    def lines(self, message: str = "write") -> list[Json]:
        lines = [json.loads(text) for text in self.texts]
        return [line for line in lines if line["message"] == message]

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        return [(line["tool"], line["outcome"]) for line in self.lines()]


@pytest.fixture
def audit() -> Iterator[Written]:
    handler = Written("doit_mcp.audit")
    logging.getLogger(handler.name).addHandler(handler)
    yield handler
    logging.getLogger(handler.name).removeHandler(handler)


@pytest.fixture
def requests() -> Iterator[Written]:
    handler = Written("doit_mcp.requests")
    logging.getLogger(handler.name).addHandler(handler)
    yield handler
    logging.getLogger(handler.name).removeHandler(handler)


@pytest.mark.requirement("N20")
async def test_n20_line_names_the_user_of_an_access_token(audit: Written, requests: Written) -> None:
    async with serving_site() as (site, api):
        answer = await site.call("update_label", {"id": "l1", "name": "Another"})
        (line,) = audit.lines()
        assert (
            line.items()
            >= {
                "logger": "doit_mcp.audit",
                "level": "info",
                "message": "write",
                "subject": ADMIN.email,
                "email": ADMIN.email,
                "customer": ADMIN.customer,
                "tool": "update_label",
                "objects": {"id": "l1"},
                "outcome": "done",
                "trace": answer.headers["X-MCP-Trace-Id"],
            }.items()
        )
        assert "token" not in line and "Another" not in audit.texts[0]
        # The two logs refer to each other, and only the audit log names users.
        assert {
            request_line["principal"] for request_line in requests.lines("request") if "principal" in request_line
        } == {line["principal"]}
        assert "@" not in "".join(requests.texts)


@pytest.mark.requirement("N20")
@pytest.mark.parametrize(
    "claims, email",
    [
        ({"sub": "u-1"}, None),
        ({"sub": "u-1", "email": "Ann@acme.example"}, "Ann@acme.example"),
        ({"sub": "u-1", "email": 5}, None),
        ({"sub": "u-1", "email": "a@" + "b" * 400}, None),
        ({"sub": "u-1", "email": "a@b\n"}, None),
    ],
)
async def test_n20_email_address_comes_from_the_token(audit: Written, claims: Json, email: str | None) -> None:
    async with serving_site() as (site, api):
        bearer = f"Bearer {site.token(ADMIN, **claims)}"
        await site.call("create_label", LABEL, headers={"Authorization": bearer})
    (line,) = audit.lines()
    assert line["subject"] == "u-1" and line.get("email") == email


@pytest.mark.requirement("N20")
async def test_n20_two_api_tokens_of_one_user_are_distinguished(audit: Written) -> None:
    """The audit log distinguishes them by a short digest, with the customer that the DoiT API returns for the token."""
    async with serving_site() as (site, api):
        for user in (ADMIN, VIEWER, ADMIN):
            headers = {"Authorization": f"Bearer {user.api_token}"}
            await site.call("create_label", LABEL | {"name": f"{user.name} {len(audit.texts)}"}, headers=headers)
    lines = audit.lines()
    assert [line["email"] for line in lines] == [ADMIN.email, VIEWER.email, ADMIN.email]
    assert {line["customer"] for line in lines} == {"acme.example"}
    digests = [hashlib.sha256(user.api_token.encode()).hexdigest()[:8] for user in (ADMIN, VIEWER, ADMIN)]
    assert [line["token"] for line in lines] == digests
    assert ADMIN.api_token not in "".join(audit.texts)


@pytest.mark.requirement("N20")
async def test_n20_created_object_is_named(audit: Written) -> None:
    async with serving_site() as (site, api):
        await site.call("create_label", LABEL)
        api.behavior = status(422)
        await site.call("create_label", LABEL | {"name": "Of no use"})
    created, refused = audit.lines()
    assert created["objects"] == {"id": "l1"} and refused["objects"] == {"name": "Of no use"}


@pytest.mark.requirement("N20")
async def test_n20_call_through_another_tool_is_logged_as_the_operation(audit: Written) -> None:
    async with serving_site() as (site, api):
        await site.apply("call_operation", {"name": "delete_label", "arguments": {"id": "l1"}})
        await site.call("call_operation", {"name": "get_label", "arguments": {"id": "l1"}})
        await site.call("read_operation", {"name": "get_label", "arguments": {"id": "l1"}})
        await site.call("get_label", {"id": "l1"})
        await site.call("get_label", {"wrong": "l1"})
        await site.call("confirm_action", {"approvalToken": "of no use"})
    assert audit.outcomes == [("delete_label", "prepared"), ("delete_label", "done"), ("confirm_action", "not_sent")]
    prepared, done, refused = audit.lines()
    assert prepared["approval"] == done["approval"] and prepared["objects"] == done["objects"] == {"id": "l1"}
    assert "approval" not in refused and "of no use" not in str(refused)


@pytest.mark.requirement("N20")
@pytest.mark.parametrize(
    "behavior, outcome",
    [
        (behave, "done"),
        (status(403), "refused"),
        (status(404), "refused"),
        (status(401), "refused"),
        (status(500), "unknown"),
        (unreadable, "unknown"),
        (broken, "unknown"),
    ],
)
async def test_n20_outcome_follows_the_api_response(audit: Written, behavior: Behavior, outcome: str) -> None:
    async with serving_site() as (site, api):
        api.behavior = behavior
        await site.call("update_label", {"id": "l1", "name": "n"})
        assert audit.outcomes == [("update_label", outcome)] and api.writes
        assert audit.lines()[0]["objects"] == {"id": "l1"}


class Invites(Api):
    """Invitations, whose requests carry an idempotency key. The first *busy* requests get 503."""

    busy = 0

    def register(self, app: web.Application, lookup: Callable[[str], Grant | None]) -> None:
        """Register the only operation."""

        async def resend(request: web.Request) -> web.StreamResponse:
            self.writes += 1
            if self.writes <= self.busy:
                return web.json_response({}, status=503, headers={"Retry-After": "0"})
            return web.json_response({"message": "It is sent.", "inviteId": "i1"})

        app.router.add_post("/iam/v1/users/{id}/actions/resend", resend)


@pytest.mark.requirement("N20")
@pytest.mark.parametrize(
    "busy, more, outcome",
    [
        (0, {}, "done"),
        (1, {}, "done"),
        (9, {}, "unknown"),
        (0, {"dryRun": True}, "dry_run"),
    ],
)
async def test_n20_retries_are_one_write_and_dry_runs_are_not_logged(
    audit: Written, busy: int, more: Json, outcome: str
) -> None:
    api = Invites()
    api.busy = busy
    async with serving(make=catalog_factory(), api=api, confirm_changes="never") as site:
        await site.call("resend_invite", {"id": "u1", **more})
    assert audit.outcomes == [("resend_invite", outcome)] and api.writes >= 1 + (busy > 0)
    assert audit.lines()[0]["objects"] == {"id": "u1"} | ({} if outcome == "unknown" else {"inviteId": "i1"})


@pytest.mark.requirement("N20")
async def test_n20_repeated_write_is_not_logged(audit: Written) -> None:
    async with serving_site() as (site, api):
        for _ in range(2):
            await site.call("create_label", LABEL)
        api.behavior = unreadable
        for _ in range(2):
            await site.call("update_label", {"id": "l1", "name": "n"})
        assert api.writes == 2
    assert [outcome for _, outcome in audit.outcomes] == ["done", "repeated", "unknown", "repeated"]
    assert [line["objects"] for line in audit.lines()] == 4 * [{"id": "l1"}]


@pytest.mark.requirement("N20")
@pytest.mark.parametrize("action, outcome", [("accept", "done"), ("decline", "declined"), ("cancel", "declined")])
async def test_n20_declined_write(audit: Written, action: str, outcome: str) -> None:
    async with serving_site() as (site, api):
        session = await site.initialize(elicitation={})
        call = site.request("tools/call", {"name": "delete_label", "arguments": {"id": "l1"}})
        async with open_stream(site, call, site.headers(**session.head), LATEST_STATEFUL) as stream:
            question = await stream.until("elicitation/create")
            assert audit.texts == []
            answer = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": action, "content": {}}}
            assert (await session.post(answer)).status == 202
            await stream.until("")
        assert audit.outcomes == [("delete_label", outcome)] and api.writes == (action == "accept")


@pytest.mark.requirement("N20")
async def test_n20_elicitation_round_has_no_line(audit: Written) -> None:
    async with serving_site() as (site, api):
        params: Json = {"name": "delete_label", "arguments": {"id": "l1"}}
        input_request = await site.send_stateless("tools/call", params, clientCapabilities=ASKED)
        assert input_request.result["resultType"] == "input_required" and audit.texts == []
        params |= {
            "requestState": input_request.result["requestState"],
            "inputResponses": {"confirm": {"action": "decline"}},
        }
        await site.send_stateless("tools/call", params, clientCapabilities=ASKED)
    assert audit.outcomes == [("delete_label", "declined")]


@pytest.mark.requirement("N20")
@pytest.mark.parametrize(
    "arguments",
    [
        {"id": 5.5, "x" * 9000: 1},
        {},
        {"id": "l1", "nonsenseId": "n"},
        {"id": ["l"] * 1000},
    ],
)
async def test_n20_unparsed_request_was_not_sent(audit: Written, arguments: Json) -> None:
    async with serving_site() as (site, api):
        await site.call("delete_label", arguments)
        await site.call("call_operation", {"name": "delete_label", "arguments": arguments})
        assert api.writes == 0
    assert audit.outcomes == 2 * [("delete_label", "not_sent")]
    assert all(len(text) < 1000 and "nonsense" not in text for text in audit.texts)


@pytest.mark.requirement("N20")
async def test_n20_canceled_after_sending(audit: Written) -> None:
    async with serving_site() as (site, api):
        hold = asyncio.Event()

        async def held(request: web.Request) -> web.StreamResponse:
            await hold.wait()
            return web.json_response(MADE)

        api.behavior = held
        session = await site.initialize()
        cut = asyncio.create_task(session.call("create_label", LABEL, id="c"))
        await asyncio.wait_for(api.reached.wait(), 20)
        assert (await session.note("notifications/cancelled", {"requestId": "c"})).status == 202
        await cut
        hold.set()
    assert audit.outcomes == [("create_label", "unknown")]
    assert audit.lines()[0]["objects"] == {"name": "A name"}


@pytest.mark.requirement("N20")
async def test_n20_canceled_before_sending(audit: Written) -> None:
    """The call is canceled while the user reads the question."""
    async with serving_site() as (site, api):
        session = await site.initialize(elicitation={})
        call = site.request("tools/call", {"name": "delete_label", "arguments": {"id": "l1"}}, "c")
        async with open_stream(site, call, site.headers(**session.head), LATEST_STATEFUL) as stream:
            await stream.until("elicitation/create")
            assert (await session.note("notifications/cancelled", {"requestId": "c"})).status == 202
            async with asyncio.timeout(10):
                while not audit.texts:
                    await asyncio.sleep(0.01)
        assert api.writes == 0
    assert audit.outcomes == [("delete_label", "not_sent")]
    assert audit.lines()[0]["objects"] == {"id": "l1"}


@pytest.mark.requirement("N20")
async def test_n20_each_call_of_a_batch_has_its_line_and_customer(audit: Written) -> None:
    async with serving_site() as (site, api):
        session = await site.initialize("2025-03-26", user=EMPLOYEE)
        calls = [
            site.request(
                "tools/call",
                {
                    "name": "update_label",
                    "arguments": {
                        "id": f"l{number}",
                        "name": "n",
                        **({"customerContext": customer} if customer else {}),
                    },
                },
            )
            for number, customer in enumerate(["", OTHER_USER.customer, ""])
        ]
        answer = await session.post(calls)
        assert len(answer.body) == 3
    lines = {line["objects"]["id"]: line for line in audit.lines()}
    own_customer = EMPLOYEE.customer
    assert {id: line["customer"] for id, line in lines.items()} == {
        "l0": own_customer,
        "l1": OTHER_USER.customer,
        "l2": own_customer,
    }
    assert {line["email"] for line in lines.values()} == {EMPLOYEE.email}
    (change,) = audit.lines("act for")
    assert (
        change.items()
        >= {
            "email": EMPLOYEE.email,
            "customer": OTHER_USER.customer,
            "before": own_customer,
            "how": "call",
        }.items()
    )


@pytest.mark.requirement("N20")
async def test_n20_employee_writes_for_the_customer_of_the_session(audit: Written) -> None:
    async with serving_site() as (site, api):
        session = await site.initialize(user=EMPLOYEE)
        chosen = await session.call("change_customer", {"customerContext": OTHER_USER.customer})
        assert chosen.result["structuredContent"]["remembered"] is True
        await session.call("create_label", LABEL)
    assert [line["customer"] for line in audit.lines()] == [EMPLOYEE.customer, OTHER_USER.customer]
    assert [line["how"] for line in audit.lines("act for")] == ["session"]


@pytest.mark.requirement("N20")
@pytest.mark.parametrize("canceled", [False, True])
async def test_n20_task_has_a_line_when_it_ends(audit: Written, canceled: bool) -> None:
    hold = asyncio.Event()

    async def run(call: Call, arguments: Json) -> Json:
        await call.run_in_background(required=True)
        await hold.wait()
        return {"id": "t1"}

    properties = {"flowId": {"type": "string"}}
    tool = Tool("build", "Build", "Takes long.", {"type": "object", "properties": properties}, run, writes=True)
    async with serving(changes={"tools": (tool,)}) as site:
        tasks: Json = {"clientCapabilities": {"extensions": {f"{META}tasks": {}}}}
        begun = await site.call("build", {"flowId": "f1"}, **tasks)
        id = begun.result["taskId"]
        assert audit.texts == []
        if canceled:
            # Wait until the work has begun, so that it can be canceled.
            assert (await site.send_stateless("tasks/get", {"taskId": id}, **tasks)).result["status"] == "working"
            await site.send_stateless("tasks/cancel", {"taskId": id}, **tasks)
        hold.set()
        while not audit.texts:
            await asyncio.sleep(0.01)
    (line,) = audit.lines()
    assert line["trace"] == begun.headers["X-MCP-Trace-Id"] and line["email"] == ADMIN.email
    expected = ("not_sent", {"flowId": "f1"}) if canceled else ("done", {"flowId": "f1", "id": "t1"})
    assert (line["outcome"], line["objects"]) == expected


@pytest.mark.requirement("N20")
@pytest.mark.parametrize(
    "tool, arguments, objects",
    [
        (
            "assign_objects_to_label",
            {"id": "l1", "add": [{"objectId": f"o{number}", "objectType": "report"} for number in range(2)]},
            {"id": "l1", "add.objectId": ["o0", "o1"]},
        ),
        (
            "update_resource_permissions",
            {"resourceType": "reports", "resourceId": "r1", "permissions": [{"user": "a@b.example", "role": "viewer"}]},
            {"resourceType": "reports", "resourceId": "r1", "permissions.user": ["a@b.example"]},
        ),
        (
            "create_billing_transfer_handshakes",
            {"dpmaId": "1", "items": [{"resellerCustomerId": "c1", "resellerPmaAccountId": "123456789012"}] * 2},
            {"dpmaId": "1", "items.resellerCustomerId": ["c1"], "items.resellerPmaAccountId": ["123456789012"]},
        ),
    ],
)
async def test_n20_nested_argument_is_named(audit: Written, tool: str, arguments: Json, objects: Json) -> None:
    async with serving_site() as (site, api):
        await site.call(tool, arguments)
    assert [line["objects"] for line in audit.lines()] == [objects]


@pytest.mark.requirement("N20")
async def test_n20_invalid_arguments_make_no_long_line(audit: Written) -> None:
    async with serving_site() as (site, api):
        inner: Json = {f"n{number}Id": 5 for number in range(500)} | {"x" * 500 + "Id": "x"}
        await site.call("assign_objects_to_label", {"id": "l1", "add": inner, "remove": "no"})
    assert audit.outcomes == [("assign_objects_to_label", "not_sent")] and len(audit.texts[0]) < 1000


@pytest.mark.requirement("N20")
@pytest.mark.parametrize("customer, outcome", [(OTHER_USER.customer, "done"), ("nobody", "refused")])
async def test_n20_customer_change_names_the_customer(audit: Written, customer: str, outcome: str) -> None:
    async with serving(make=catalog_factory(), api=Sandbox()) as site:
        await site.call("change_customer", {"customerContext": customer}, user=EMPLOYEE)
    (line,) = audit.lines()
    assert (line["tool"], line["outcome"], line["objects"]) == (
        "change_customer",
        outcome,
        {"customerContext": customer},
    )
