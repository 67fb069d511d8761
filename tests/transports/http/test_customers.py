"""DoiT employees act for several customers: data stored for one customer is invisible while they act for another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.result_handles import ResultTable, pack_table
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.protocol.extensions import TASKS
from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.catalog.caller import TOOLS
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import at_replica, replicas
from tests.sandbox.bodies import BUDGET
from tests.transports.http.serving import ACCEPT, ADMIN, EMPLOYEE, OTHER_USER, Bench, Json, Site, schema, serving
from tests.transports.http.serving import tools as bench_tools

OTHER = OTHER_USER.customer
COLUMNS: list[Json] = [{"name": "sku", "type": "string"}, {"name": "cost", "type": "float"}]
ANY: Json = {"type": "object", "properties": {}}
CLIENT = {"extensions": {TASKS: {}}}


async def table(call: Call, arguments: Json) -> Json:
    rows = [["secret of " + call.tenant, 1.0]]
    data = pack_table(ResultTable(COLUMNS, rows, {"tool": "table"}), call.customer_context)
    return {"handle": await call.results.put(call.owner, data)}


async def choose(call: Call, arguments: Json) -> Json:
    return {"chosen": call.remember_customer(arguments["customer"])}


OWN = (
    Tool("table", "Table", "Keeps a table.", schema(), table, ANY),
    Tool("choose", "Choose", "Acts for.", schema(customer={"type": "string"}), choose, ANY),
)


@asynccontextmanager
async def serving_site(bench: Bench | None = None) -> AsyncIterator[Site]:
    used = bench or Bench()
    async with serving(used, changes={"tools": (*bench_tools(used), *OWN, TOOLS["query_result"])}) as site:
        yield site


@pytest.mark.requirement("N10")
async def test_n10_stored_table_is_readable_by_its_customer_only() -> None:
    """The customer is an argument of each call."""
    async with serving_site() as site:

        async def call(name: str, customer: str, **arguments: str) -> Json:
            named = {**arguments, "customerContext": customer} if customer else arguments
            return (await site.call(name, named, user=EMPLOYEE)).result

        handle = (await call("table", OTHER))["structuredContent"]["handle"]
        result = await call("query_result", OTHER, handle=handle)
        assert result["structuredContent"]["rows"] == [[f"secret of {OTHER}", 1.0]]
        assert result["structuredContent"]["source"] == {"tool": "table", "customer": OTHER}
        for customer in ("", ADMIN.customer):
            refused = await call("query_result", customer, handle=handle)
            assert refused["isError"] and "secret" not in str(refused)
            assert f"the customer {OTHER}, but this call acts for another" in str(refused)


@pytest.mark.requirement("N10")
async def test_n10_stored_table_stays_with_its_customer_when_a_session_switches(redis: Server) -> None:
    """This holds at every replica."""
    async with replicas(redis.url, changes={"tools": (*OWN, TOOLS["query_result"])}) as (a, b):
        session = await a.initialize(user=EMPLOYEE)
        await session.call("choose", {"customer": OTHER})
        handle = (await session.call("table")).result["structuredContent"]["handle"]
        remote = at_replica(b, session)
        content = (await remote.call("query_result", {"handle": handle})).result["structuredContent"]
        assert content["source"]["customer"] == OTHER
        await session.call("choose", {"customer": EMPLOYEE.customer})
        refused = (await remote.call("query_result", {"handle": handle})).result
        assert refused["isError"] and OTHER in str(refused) and "secret" not in str(refused)


@pytest.mark.requirement("N10")
async def test_n10_result_handles_name_no_customer() -> None:
    async with serving_site() as site:
        handle = (await site.call("table")).result["structuredContent"]["handle"]
        content = (await site.call("query_result", {"handle": handle})).result["structuredContent"]
        assert content["source"] == {"tool": "table"}


@pytest.mark.requirement("N10")
async def test_n10_employee_task_names_its_customer() -> None:
    """tasks/get has no argument for the customer, so the task itself names it."""
    bench = Bench()
    async with serving_site(bench) as site:
        for user, arguments, message in (
            (EMPLOYEE, {"customerContext": OTHER}, f"Customer: {OTHER}"),
            (EMPLOYEE, {}, f"Customer: {EMPLOYEE.customer}"),
            (ADMIN, {}, None),
        ):
            bench.proceed.clear()
            created = (await site.call("long", dict(arguments), user=user, clientCapabilities=CLIENT)).result
            assert created.get("statusMessage") == message
            bench.proceed.set()
            while created["status"] == "working":
                await asyncio.sleep(0)
                params = {"taskId": created["taskId"]}
                created = (await site.send_stateless("tasks/get", params, user=user, clientCapabilities=CLIENT)).result
            texts = [block["text"] for block in created["result"]["content"]]
            assert created["status"] == "completed" and (message in texts if message else "Customer" not in str(texts))


async def test_a_domain_is_not_the_id_of_a_customer() -> None:
    async with serving(make=catalog_factory(), api=Api()) as site:
        domain = {"customerContext": "globex.example"}
        for name, arguments in (
            ("list_budgets", domain),
            ("change_customer", domain),
            # Nothing is prepared for a customer that does not exist.
            ("delete_budget", {"id": "b", **domain}),
            ("create_budget", {**BUDGET, **domain}),
        ):
            session = await site.initialize("2025-06-18", user=EMPLOYEE)
            refused = (await session.call(name, arguments)).result
            text = refused["content"][0]["text"]
            assert refused["isError"] and "A name or a domain is not an id: search_customers finds the id." in text
            assert "Correct the arguments" not in text and "X-Tenant-Id" not in text


@pytest.mark.requirement("N9")
@pytest.mark.parametrize("inside", [False, True])
async def test_n9_batch_that_changes_the_customer_does_nothing_else(inside: bool) -> None:
    """Its other requests would run for the previous customer."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        session = await site.initialize("2025-03-26", user=EMPLOYEE)
        change: Json = {"name": "change_customer", "arguments": {"customerContext": OTHER}}
        if inside:
            change = {"name": "call_operation", "arguments": change}
        label: Json = {"name": "create_label", "arguments": {"name": "Batch", "color": "blue"}}
        batch = [site.request("tools/call", arguments) for arguments in (change, label)]
        for requests in (batch, batch[::-1]):
            refused = await session.post(requests)
            assert refused.code == (400, -32600) and "send it alone" in refused.text
        for user in (ADMIN, OTHER_USER):
            content = (await site.call("list_labels", user=user)).result["structuredContent"]
            assert "Batch" not in [label_row["name"] for label_row in content["labels"]]
        # A batch may contain this call alone; later requests act for the new customer.
        assert (await session.post(batch[:1])).status == 200
        assert (await session.post(batch[1:])).status == 200
        content = (await site.call("list_labels", user=OTHER_USER)).result["structuredContent"]
        assert "Batch" in [label_row["name"] for label_row in content["labels"]]


async def test_an_employee_without_a_customer_learns_how_to_choose_one() -> None:
    """The consent page lets employees sign in before they know the customer."""
    api = Api()
    async with serving(make=catalog_factory(), api=api) as site:
        token = site.token(EMPLOYEE, customer_context="")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": ACCEPT}
        call = site.request("tools/call", {"name": "list_budgets", "arguments": {}})
        answer = await site.send("POST", "/mcp", headers, json.dumps(call).encode())
        assert answer.result["isError"] and not api.calls
        assert "Call change_customer with the id of a customer" in answer.result["content"][0]["text"]
        # Whether tools send one request or several, and whether the sign-in or the API asks for the customer.
        api_token = site.headers(None) | {"Authorization": f"Bearer {EMPLOYEE.api_token}"}
        for own in (headers, api_token | {"Content-Type": "application/json"}):
            for name, arguments in (
                ("list_labels", {}),
                ("cost_breakdown", {}),
                ("get_cloud_overview", {}),
                ("weekly_digest", {}),
                ("search", {"query": "cost"}),
                ("delete_label", {"id": "x"}),
                ("get_customer", {}),
            ):
                asked = site.request("tools/call", {"name": name, "arguments": arguments})
                refused = (await site.send("POST", "/mcp/x/all", own, json.dumps(asked).encode())).result
                text = refused["content"][0]["text"]
                assert refused["isError"] and "customerContext" in text and "Correct the arguments" not in text, text
        call["params"]["arguments"] = {"customerContext": ADMIN.customer}
        answer = await site.send("POST", "/mcp", headers, json.dumps(call).encode())
        assert not answer.result.get("isError") and json.loads(answer.result["content"][0]["text"])["budgets"]
