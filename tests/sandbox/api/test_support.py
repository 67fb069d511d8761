"""Support requests: create, list, comment, tag, solve."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api.seeds import analytics_core
from doit_mcp.sandbox.api.tenants import MAX_RECORDS

from ..conftest import Clock
from .conftest import ADMIN, EMPLOYEE, GLOBEX, Party

PATH = "/support/v1/tickets"
TICKET = {
    "subject": "Why is BigQuery dear?",
    "body": "<p>It jumped.</p>",
    "severity": "high",
    "platform": "google_cloud_platform",
    "product": "BigQuery",
}


async def create(party: Party, **changes: object) -> Any:
    """The response to a new ticket."""
    answer = await party.send("POST", PATH, {"ticket": {**TICKET, **changes}})
    assert answer.status == 201, answer
    return answer.json


async def test_ticket_lifecycle(party: Party, clock: Clock) -> None:
    before = (await party.get(PATH))["tickets"]
    ticket = await create(party)
    assert (ticket["status"], ticket["requester"], ticket["created"]) == ("new", ADMIN.email, int(clock.now * 1000))
    path = f"{PATH}/{ticket['id']}"
    listed = (await party.get(PATH))["tickets"]
    assert listed[1:] == before and (listed[0]["id"], listed[0]["subject"]) == (ticket["id"], TICKET["subject"])
    clock.advance(10)
    comment = (await party.send("POST", f"{path}/comments", {"body": "More of it.", "private": True})).json
    assert (comment["author"], comment["body"], comment["public"]) == (ADMIN.email, "More of it.", True)
    assert await party.get(f"{path}/comments") == {"comments": [comment]}
    solved = (await party.send("PATCH", path, {"status": "solved"})).json
    assert solved == {"id": ticket["id"], "status": "solved"}
    details = await party.get(path)
    assert (details["status"], details["description"]) == ("solved", TICKET["body"])
    assert details["updateTime"] == ticket["created"] + 10_000
    assert "not found" in await party.expect_error(404, "GET", path, who=GLOBEX)


async def test_employee_notes_are_private(party: Party) -> None:
    path = f"{PATH}/{(await create(party))['id']}/comments"
    note, answer = [
        (await party.send("POST", path, {"body": text, "private": private}, who=EMPLOYEE)).json
        for text, private in (("internal", True), ("public", False))
    ]
    assert (await party.get(path))["comments"] == [answer]
    assert (await party.get(path, EMPLOYEE))["comments"] == [note, answer]


async def test_tags_have_a_namespace(party: Party) -> None:
    ticket = (await create(party))["id"]
    path = f"{PATH}/{ticket}/tags"
    added = await party.send("POST", path, {"tags": [" Billing ", "q4"]})
    assert added.json == {"applied_tags": ["customer_tag/billing", "customer_tag/q4"]}
    await party.send("POST", path, {"tags": ["billing"]})
    await party.send("POST", path, {"tags": ["tier/gold"]}, who=EMPLOYEE)
    assert await party.get(path) == {"tags": ["q4", "billing"]}
    assert sorted((await party.get(path, EMPLOYEE))["tags"]) == ["customer_tag/billing", "customer_tag/q4", "tier/gold"]
    await party.send("DELETE", path, {"tags": ["q4", "tier/gold", "never there"]})
    assert await party.get(path) == {"tags": ["billing"]}
    assert (await party.get(f"{PATH}/{ticket}"))["tags"] == ["billing"]
    for tags in ([], [" "], ["x"] * 51, ["x" * 81]):
        assert "tags" in await party.expect_error(400, "POST", path, {"tags": tags})


async def test_settable_fields_by_role(party: Party) -> None:
    path = f"{PATH}/{(await create(party))['id']}"
    agent = {"assignee": "agent@doit.example"}
    for body in ({"status": "open"}, agent, {"status": "solved", **agent}):
        assert "solved" in await party.expect_error(403, "PATCH", path, body)
        assert (await party.send("PATCH", path, body, who=EMPLOYEE)).status == 200
    for body in ({}, {"status": "closed"}, {"assignee": "nobody@acme.example"}):
        assert await party.expect_error(400, "PATCH", path, body, who=EMPLOYEE)


async def test_closed_tickets_reject_comments(party: Party) -> None:
    closed = (await party.get(PATH, filter="status:closed"))["tickets"][0]["id"]
    assert "closed" in await party.expect_error(400, "POST", f"{PATH}/{closed}/comments", {"body": "Hello?"})


async def test_lists_are_filtered_and_paginated(party: Party) -> None:
    tickets = [(await create(party, severity=severity))["id"] for severity in ("low", "urgent", "normal", "urgent")]

    async def list_ids(**query: object) -> list[int]:
        return [item["id"] for item in (await party.get(PATH, **query))["tickets"]]

    assert await list_ids(filter="severity:urgent") == [tickets[3], tickets[1]]
    assert await list_ids(filter=f"severity:urgent|severity:low|requester:{ADMIN.email}|status:new") == [
        tickets[3],
        tickets[1],
        tickets[0],
    ]
    all_tickets = await list_ids()
    assert all_tickets[:4] == tickets[::-1] and len(set(all_tickets)) == len(all_tickets)
    assert [item["id"] for item in await party.walk(PATH, "tickets", 3)] == all_tickets
    for query in ({"maxResults": 101}, {"maxResults": -1}, {"filter": "colour:red"}):
        assert next(iter(query)) in await party.expect_error(400, "GET", PATH, **query)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ticket"),
        ({"ticket": {**TICKET, "severity": "panic"}}, "ticket.severity"),
        ({"ticket": {**TICKET, "platform": "mainframe"}}, "ticket.platform"),
        ({"ticket": {**TICKET, "subject": ""}}, "ticket.subject"),
        ({"ticket": {name: value for name, value in TICKET.items() if name != "product"}}, "product"),
        ({"ticket": {**TICKET, "requester": "somebody@acme.example"}}, "requester"),
    ],
)
async def test_validation_errors_name_the_field(party: Party, body: Any, field: str) -> None:
    assert field in await party.expect_error(400, "POST", PATH, body)


async def test_only_employees_assign(party: Party) -> None:
    path = f"{PATH}/{(await create(party))['id']}"
    body = {"assignee": EMPLOYEE.email}
    assert (await party.send("PATCH", path, body, who=EMPLOYEE)).json == {"id": int(path.rpartition("/")[2]), **body}
    assert (await party.get(path))["status"] == "new"


async def test_ticket_fields_are_bounded(party: Party) -> None:
    ticket = (await create(party))["id"]
    record = party.api.tenant(ACME).collection("tickets", analytics_core.seed_tickets)[str(ticket)]
    record["comments"] = record["comments"] * MAX_RECORDS + [{}] * MAX_RECORDS
    record["tags"] = [f"customer_tag/{number}" for number in range(MAX_RECORDS)]
    for part, body in (("comments", {"body": "x"}), ("tags", {"tags": ["one more"]})):
        answer = await party.send("POST", f"{PATH}/{ticket}/{part}", body, declared=False)
        assert (answer.status, str(MAX_RECORDS) in answer.json["error"]) == (409, True)
    assert len(record["tags"]) == len(record["comments"]) == MAX_RECORDS


async def test_ids_are_numeric(party: Party) -> None:
    assert "ticketId" in await party.expect_error(400, "GET", f"{PATH}/abc")
    assert "not found" in await party.expect_error(404, "GET", f"{PATH}/1")
    path = f"{PATH}/{(await create(party))['id']}/comments"
    for body in ({}, {"body": ""}, {"body": "  "}, {"body": 1}):
        assert "body" in await party.expect_error(400, "POST", path, body)
