"""Identical writes within a short time, with changes by a colleague of the same customer in between, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.writes.deduplication import ALREADY_DONE_KEY
from doit_mcp.sandbox.accounts import User
from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import replicas
from tests.transports.http.serving import ADMIN, EMPLOYEE, Json, Site, serving
from tests.transports.http.streaming import open_stream

LABEL = {"name": "Quarter", "color": "blue"}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product over the sandbox's API."""
    async with serving(make=catalog_factory(), api=Api()) as site:
        yield site


async def complete_call(site: Site, name: str, arguments: Json, user: User = ADMIN) -> Json:
    answer = await site.apply(name, arguments, user=user)
    assert not answer.result.get("isError"), answer
    content: Json = answer.result["structuredContent"]
    return content


@pytest.mark.requirement("N16")
async def test_n16_object_deleted_by_a_colleague_is_created_again(site: Site) -> None:
    first = await complete_call(site, "create_label", LABEL)
    assert (await complete_call(site, "create_label", LABEL))[ALREADY_DONE_KEY]
    assert EMPLOYEE.customer == ADMIN.customer
    await complete_call(site, "delete_label", {"id": first["id"]}, EMPLOYEE)
    second = await complete_call(site, "create_label", LABEL)
    assert ALREADY_DONE_KEY not in second and second["id"] != first["id"]
    assert (await complete_call(site, "get_label", {"id": second["id"]}))["name"] == LABEL["name"]


@pytest.mark.requirement("N16")
async def test_n16_value_changed_by_a_colleague_is_set_again(site: Site) -> None:
    created = await complete_call(site, "create_label", LABEL)
    change = {"id": created["id"], "color": "teal"}
    await complete_call(site, "update_label", change)
    assert (await complete_call(site, "update_label", change))[ALREADY_DONE_KEY]
    await complete_call(site, "update_label", change | {"color": "mint"}, EMPLOYEE)
    assert ALREADY_DONE_KEY not in await complete_call(site, "update_label", change)
    assert (await complete_call(site, "get_label", {"id": created["id"]}))["color"] == "teal"


@pytest.mark.requirement("N16")
async def test_n16_write_undone_by_a_colleague_with_an_api_token_is_repeated(site: Site) -> None:
    """The tenant of an API token has a different name than that of an access token."""
    label = (await complete_call(site, "create_label", LABEL))["id"]
    report = (await complete_call(site, "list_reports", {}))["reports"][0]["id"]
    objects = [{"objectId": report, "objectType": "report"}]
    await complete_call(site, "assign_objects_to_label", {"id": label, "add": objects})
    assert (await complete_call(site, "assign_objects_to_label", {"id": label, "add": objects}))[ALREADY_DONE_KEY]
    headers = {"Authorization": f"Bearer {ADMIN.api_token}"}
    removal = {"id": label, "remove": objects}
    answer = await site.apply("assign_objects_to_label", removal, headers=headers)
    assert not answer.result.get("isError")
    assert ALREADY_DONE_KEY not in await complete_call(site, "assign_objects_to_label", {"id": label, "add": objects})
    content = await complete_call(site, "get_label_assignments", {"id": label})
    assert content["assignments"] == objects
    ticket = {"ticketId": (await complete_call(site, "list_tickets", {}))["tickets"][0]["id"], "tags": ["Mine"]}
    await complete_call(site, "add_ticket_tags", ticket)
    assert (await complete_call(site, "add_ticket_tags", ticket))[ALREADY_DONE_KEY]
    assert not (await site.call("remove_ticket_tags", ticket, headers=headers)).result.get("isError")
    assert ALREADY_DONE_KEY not in await complete_call(site, "add_ticket_tags", ticket)
    assert "mine" in (await complete_call(site, "list_ticket_tags", {"ticketId": ticket["ticketId"]}))["tags"]


@pytest.mark.requirement("N16")
async def test_n16_repeat_does_not_wait_for_an_unanswered_question(site: Site) -> None:
    """Each session is asked at once, and the write that both users accept is done once."""
    label = (await complete_call(site, "create_label", LABEL))["id"]
    sessions = [await site.initialize("2025-06-18", elicitation={}) for _ in range(2)]
    call = {"name": "delete_label", "arguments": {"id": label}}
    async with AsyncExitStack() as stack:
        streams, questions = [], []
        for session in sessions:
            message, headers = site.request("tools/call", call), site.headers(**session.head)
            streams.append(await stack.enter_async_context(open_stream(site, message, headers, "2025-06-18")))
            questions.append(await streams[-1].until("elicitation/create"))
        results = []
        for index in (1, 0):
            accepted = {"jsonrpc": "2.0", "id": questions[index]["id"], "result": {"action": "accept", "content": {}}}
            assert (await sessions[index].post(accepted)).status == 202
            results.append((await streams[index].until(""))["result"])
    assert not any(result.get("isError") for result in results), results
    first, second = (result["structuredContent"] for result in results)
    assert first["deleted"] is True and ALREADY_DONE_KEY not in first
    assert second["deleted"] is True and second[ALREADY_DONE_KEY]


@pytest.mark.requirement("N16")
async def test_n16_budgets_that_differ_in_spelling_are_equal(site: Site) -> None:
    scope = {"id": "cloud_provider", "type": "fixed", "values": ["amazon-web-services"]}
    budget: Json = {
        "name": "Twice",
        "currency": "USD",
        "type": "recurring",
        "startPeriod": 1790812800000,
        "amount": 100,
        "timeInterval": "month",
        "scopes": [scope],
    }
    first = await complete_call(site, "create_budget", budget)
    for change in ({"amount": 100.0}, {"amount": "100"}, {"growthPerPeriod": 0}, {"recipients": []}):
        again = await complete_call(site, "create_budget", {**budget, **change})
        assert again[ALREADY_DONE_KEY] and again["id"] == first["id"]


@pytest.mark.requirement("N16")
async def test_n16_other_writes_do_not_cause_a_repeat(site: Site) -> None:
    first = await complete_call(site, "create_label", LABEL)
    other = await complete_call(site, "create_label", LABEL | {"name": "Other"})
    await complete_call(site, "update_label", {"id": other["id"], "name": "Another"})
    await complete_call(site, "delete_label", {"id": other["id"]})
    assert (await complete_call(site, "create_label", LABEL))["id"] == first["id"]
    listed = (await complete_call(site, "list_cloudflows", {}))["items"]
    flows = [flow["id"] for flow in listed if flow["published"]]
    answers = [await complete_call(site, "start_cloudflow_run", {"flowId": flows[number]}) for number in (0, 1, 0)]
    assert [ALREADY_DONE_KEY in answer_result for answer_result in answers] == [False, False, True]


@pytest.mark.requirement("N16")
async def test_n16_replica_knows_its_own_writes_without_redis(redis: Server) -> None:
    async with replicas(redis.url, changes={"tools": direct_tools()}, api=Api()) as (near, _):
        first = await complete_call(near, "create_label", LABEL)
        redis.kill()
        again = await complete_call(near, "create_label", LABEL)
        assert again[ALREADY_DONE_KEY] and again["id"] == first["id"]
        redis.start()


@pytest.mark.requirement("N16")
async def test_n16_contract_changed_by_a_colleague_is_updated_again(site: Site) -> None:
    """A contract as displayed has no addresses, but its versions have."""
    customer = EMPLOYEE.customer
    draft: Json = {
        "customerID": customer,
        "name": "Terms",
        "startDate": "2027-01-01T00:00:00Z",
        "renewalPolicy": "manual",
        "invoicesEmail": "first@acme.example",
        "contractUpdatesEmail": "first@acme.example",
        "billingProfile": {"name": "Acme"},
    }
    contract = (await complete_call(site, "create_contract", draft, EMPLOYEE))["contractId"]
    change = {**draft, "contractID": contract, "invoicesEmail": "right@acme.example"}
    await complete_call(site, "update_contract", change, EMPLOYEE)
    assert (await complete_call(site, "update_contract", change, EMPLOYEE))[ALREADY_DONE_KEY]
    headers = {"Authorization": f"Bearer {EMPLOYEE.api_token}"}
    other = {**change, "invoicesEmail": "evil@attacker.example", "customerContext": customer}
    answer = await site.apply("update_contract", other, headers=headers)
    assert not answer.result.get("isError"), answer
    assert ALREADY_DONE_KEY not in await complete_call(site, "update_contract", change, EMPLOYEE)
    details = await complete_call(site, "get_contract", {"customerID": customer, "contractID": contract}, EMPLOYEE)
    assert [version["invoicesEmail"] for version in details["versions"]][-2:] == [
        "evil@attacker.example",
        "right@acme.example",
    ]
