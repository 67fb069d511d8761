"""Repeated writes: run once, unless they were certainly not applied or something changed in between."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.call import CallSuspended
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.stores.write_receipts import MemoryReceiptStore, ReceiptStore
from doit_mcp.catalog.tools.tool import ContentResult, Tool, ToolError
from doit_mcp.catalog.writes.deduplication import (
    ALREADY_DONE_KEY,
    _write_digest,
    with_commit,
    with_deduplication,
)
from doit_mcp.catalog.writes.receipt_verification import verifier_for
from tests.api.recorder import Recorder

from ..caller import TOOLS, Caller

LABEL = {"name": "n", "color": "blue"}


class RepeatingCallers:
    """Callers over one API and one store of receipts."""

    def __init__(self, *answers: Any) -> None:
        self.api = Recorder(*answers)
        self.receipts: ReceiptStore = MemoryReceiptStore()
        self.tenant = ""

    def caller(self, owner: str = "o") -> Caller:
        caller = Caller(self.api)
        caller.receipts, caller.owner, caller.tenant = self.receipts, owner, self.tenant
        return caller

    async def __call__(self, tool: str | Tool, owner: str = "o", **arguments: Any) -> Any:
        tool = TOOLS[tool] if isinstance(tool, str) else tool
        return await tool.run(self.caller(owner), arguments)

    @property
    def sent(self) -> list[str]:
        return [request.method for request in self.api.requests]


async def test_repeated_write_returns_the_first_result() -> None:
    call = RepeatingCallers({"id": "l1"})
    first = await call("create_label", **LABEL)
    again = await call("create_label", **dict(reversed(LABEL.items())))
    assert first["id"] == "l1" and again.pop(ALREADY_DONE_KEY).startswith(
        "This is the result of the same call 1 second ago"
    )
    assert again == first and call.sent == ["POST", "GET"]


async def test_a_date_and_its_milliseconds_are_the_same_write() -> None:
    call = RepeatingCallers({"id": "b1"})
    budget = {"name": "b", "currency": "USD", "type": "recurring", "timeInterval": "month", "amount": 100}
    await call("create_budget", **budget, startPeriod=1_767_225_600_000)
    for same in ("2026-01-01", "2026-01-01T00:00:00Z", "1767225600000"):
        assert ALREADY_DONE_KEY in await call("create_budget", **budget, startPeriod=same)
    (created,) = [request for request in call.api.requests if request.path == "/analytics/v1/budgets"]
    assert created.body == {**budget, "startPeriod": 1_767_225_600_000}


async def test_different_arguments_or_users_are_different_writes() -> None:
    call = RepeatingCallers({"id": "l1"})
    await call("create_label", **LABEL)
    await call("create_label", **LABEL | {"name": "m"})
    await call("create_label", "another", **LABEL)
    assert call.sent == ["POST"] * 3


async def test_different_customer_is_a_different_write() -> None:
    call = RepeatingCallers({"id": "l1"})
    await call("create_label", **LABEL)
    call.tenant = "other"
    await call("create_label", **LABEL)
    assert call.sent == ["POST"] * 2


async def test_reads_are_not_deduplicated() -> None:
    call = RepeatingCallers({"labels": []})
    await call("list_labels")
    await call("list_labels")
    assert call.sent == ["GET", "GET"]


@pytest.mark.parametrize("kind", ["argument", "refused", "forbidden", "missing", "conflict", "rate", "network"])
async def test_write_that_was_not_applied_may_be_repeated(kind: Any) -> None:
    call = RepeatingCallers(ApiError("", kind=kind), {"id": "l1"})
    with pytest.raises(ApiError):
        await call("create_label", **LABEL)
    assert (await call("create_label", **LABEL))["id"] == "l1"


@pytest.mark.parametrize("kind", ["fault", "timeout", "network", "answer"])
async def test_write_that_may_have_been_applied_is_not_repeated(kind: Any) -> None:
    call = RepeatingCallers(ApiError("", kind=kind, maybe_applied=True), {"id": "l1"})
    with pytest.raises(ApiError):
        await call("create_label", **LABEL)
    with pytest.raises(ToolError, match="unknown whether that call took effect.*Check the current state first"):
        await call("create_label", **LABEL)
    assert call.sent == ["POST"]


async def test_intervening_change_makes_it_a_new_write() -> None:
    """Create, delete, create: the second creation is intentional."""
    call = RepeatingCallers({"id": "l1"})
    await call("create_label", **LABEL)
    await call("delete_label", id="l1")
    await call("create_label", **LABEL)
    # The deletion first reads the former state, for the undo call.
    assert call.sent == ["POST", "GET", "DELETE", "POST"]


async def test_alternating_updates_are_all_applied() -> None:
    # Each update first reads the former state, for the undo call.
    call = RepeatingCallers(*({"id": "b", "description": text} for text in ("a", "x", "x", "y", "y", "x")))
    for text in ("x", "y", "x"):
        assert ALREADY_DONE_KEY not in await call("update_budget", id="b", description=text)
    assert ALREADY_DONE_KEY in await call("update_budget", id="b", description="x")
    assert call.sent == ["GET", "PATCH"] * 3 + ["GET"]


async def test_unrelated_creation_does_not_matter() -> None:
    call = RepeatingCallers({"id": "l1"})
    for name in ("n", "m", "n"):
        await call("create_label", **LABEL | {"name": name})
    assert call.sent == ["POST", "POST", "GET"]


GONE = ApiError("", kind="missing", status=404)


@pytest.mark.requirement("N16")
async def test_n16_deleted_object_is_created_again() -> None:
    call = RepeatingCallers({"id": "l1"}, GONE, {"id": "l2"})
    await call("create_label", **LABEL)
    assert (await call("create_label", **LABEL))["id"] == "l2"
    assert [(request.path, call.sent[at]) for at, request in enumerate(call.api.requests)] == [
        ("/analytics/v1/labels", "POST"),
        ("/analytics/v1/labels/l1", "GET"),
        ("/analytics/v1/labels", "POST"),
    ]
    assert (await call("create_label", **LABEL))[ALREADY_DONE_KEY]


@pytest.mark.requirement("N16")
async def test_n16_changed_value_is_set_again() -> None:
    call = RepeatingCallers(*({"id": "b", "description": text} for text in ("a", "x", "y", "y", "x")))
    await call("update_budget", id="b", description="x")
    assert ALREADY_DONE_KEY not in await call("update_budget", id="b", description="x")
    assert ALREADY_DONE_KEY in await call("update_budget", id="b", description="x")
    assert call.sent == ["GET", "PATCH", "GET", "GET", "PATCH", "GET"]


@pytest.mark.requirement("N16")
async def test_n16_other_fields_and_api_formatting_are_not_changes() -> None:
    """The values that the API confirmed are the ones to verify."""
    response = {"id": "b", "amount": 5.0, "name": "N", "description": "trimmed"}
    call = RepeatingCallers(response, {**response, "name": "another", "currentUtilization": 3})
    await call("update_budget", id="b", amount=5, description=" trimmed ")
    assert ALREADY_DONE_KEY in await call("update_budget", id="b", amount=5, description=" trimmed ")


@pytest.mark.requirement("N16")
async def test_n16_repeated_deletion_is_skipped_while_the_object_is_gone() -> None:
    there = {"id": "l1", "name": "back again"}
    call = RepeatingCallers(there, {}, GONE, there, there, {})
    await call("delete_label", id="l1")
    assert ALREADY_DONE_KEY in await call("delete_label", id="l1")
    assert ALREADY_DONE_KEY not in await call("delete_label", id="l1")
    # Each deletion first reads the former state, for the undo call.
    assert call.sent == ["GET", "DELETE", "GET", "GET", "GET", "DELETE"]


@pytest.mark.requirement("N16")
@pytest.mark.parametrize("kind", ["forbidden", "network", "fault", "timeout", "rate"])
async def test_n16_unreadable_target_keeps_its_receipt(kind: Any) -> None:
    call = RepeatingCallers({"id": "l1"}, ApiError("", kind=kind))
    await call("create_label", **LABEL)
    assert (await call("create_label", **LABEL))["id"] == "l1" and call.sent == ["POST", "GET"]


@pytest.mark.requirement("N16")
async def test_n16_write_by_an_alternative_argument_is_verified() -> None:
    ticket = {"id": 5, "status": "solved"}
    call = RepeatingCallers(ticket, ticket, {**ticket, "status": "open"}, ticket)
    await call("update_ticket", ticketId=5, status="solved")
    assert ALREADY_DONE_KEY in await call("update_ticket", ticketId=5, status="solved")
    assert ALREADY_DONE_KEY not in await call("update_ticket", ticketId=5, status="solved")
    assert [request.path for request in call.api.requests[1:3]] == ["/support/v1/tickets/5"] * 2


@pytest.mark.requirement("N16")
async def test_n16_unverifiable_write_ends_with_a_related_write_of_the_customer() -> None:
    dismissal = {"id": "s1", "reason": "other"}
    call = RepeatingCallers({})
    await call("dismiss_budget_suggestion", **dismissal)
    for owner in ("o", "a colleague"):
        await call("dismiss_budget_suggestion", owner, id="s2", reason="other")
    assert ALREADY_DONE_KEY in await call("dismiss_budget_suggestion", **dismissal)
    call.tenant = "another customer"
    await call("dismiss_budget_suggestion", "a stranger", id="s1", reason="wrong_amount")
    call.tenant = ""
    assert ALREADY_DONE_KEY in await call("dismiss_budget_suggestion", **dismissal)
    await call("dismiss_budget_suggestion", "a colleague", id="s1", reason="wrong_amount")
    assert ALREADY_DONE_KEY not in await call("dismiss_budget_suggestion", **dismissal)


@pytest.mark.requirement("N16")
@pytest.mark.parametrize(
    "later",
    [
        ("update_label", {"id": "l2", "name": "M"}),
        ("update_label", {"id": "l1", "color": "teal"}),
        ("delete_label", {"id": "l2"}),
        ("create_label", {"name": "m", "color": "blue"}),
    ],
)
async def test_n16_creation_receipt_survives_unrelated_changes(later: tuple[str, dict[str, Any]]) -> None:
    call = RepeatingCallers({"id": "l1", "name": "n"})
    await call("create_label", **LABEL)
    name, arguments = later
    await call(name, **arguments)
    assert ALREADY_DONE_KEY in await call("create_label", **LABEL)
    assert call.sent.count("POST") == 1 + (name == "create_label")


@pytest.mark.requirement("N16")
async def test_n16_unknown_outcome_survives_unrelated_changes() -> None:
    call = RepeatingCallers(ApiError("", kind="timeout", maybe_applied=True), {"id": "l1"})
    with pytest.raises(ApiError):
        await call("create_label", **LABEL)
    for id in ("l1", "l2"):
        await call("update_label", id=id, name="n")
        await call("delete_label", id=id)
    with pytest.raises(ToolError, match="it is unknown whether"):
        await call("create_label", **LABEL)
    assert call.sent.count("POST") == 1


@pytest.mark.requirement("N16")
@pytest.mark.parametrize(
    "name, one, other",
    [
        ("trigger_cloud_flow", {"flowID": "a"}, {"flowID": "b"}),
        ("trigger_cloud_flow", {"flowID": "a"}, {"flowID": "a", "requestBodyJson": "{}"}),
        ("resend_invite", {"id": "a"}, {"id": "b"}),
        ("create_asset", {"type": "t", "accountName": "a"}, {"type": "t", "accountName": "b"}),
        ("cancel_invite", {"id": "a"}, {"id": "b"}),
    ],
)
async def test_n16_alternating_writes_are_distinct(name: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    call = RepeatingCallers({})
    for arguments in (one, other, one, other):
        await call(name, **arguments)
    assert call.sent == ["POST"] * 2


@pytest.mark.requirement("N16")
async def test_n16_purchase_receipt_survives_changes_of_other_assets() -> None:
    call = RepeatingCallers({"id": "new"})
    purchase = {"type": "amazon-web-services", "accountName": "acc1", "rootEmail": "root@acme.example"}
    await call("create_asset", **purchase)
    for owner in ("o", "a colleague"):
        await call("update_asset", owner, id="new", quantity=3)
    assert ALREADY_DONE_KEY in await call("create_asset", **purchase) and call.sent.count("POST") == 1


@pytest.mark.requirement("N16")
async def test_n16_invitation_receipt_ends_when_it_is_canceled() -> None:
    invitation = {"email": "new@acme.example"}
    call = RepeatingCallers({"message": "sent", "user": {"id": "u1"}})
    await call("invite_user", **invitation)
    await call("resend_invite", id="u1")
    await call("cancel_invite", id="u1", dryRun=True)
    await call("cancel_invite", id="u2")
    assert ALREADY_DONE_KEY in await call("invite_user", **invitation) and ALREADY_DONE_KEY in await call(
        "resend_invite", id="u1"
    )
    await call("cancel_invite", "a colleague", id="u1")
    assert ALREADY_DONE_KEY not in await call("invite_user", **invitation) and ALREADY_DONE_KEY not in await call(
        "resend_invite", id="u1"
    )


@pytest.mark.requirement("N16")
async def test_n16_dry_run_is_not_a_write() -> None:
    call = RepeatingCallers({"message": "would be sent"})
    for dry in (True, True, False):
        assert ALREADY_DONE_KEY not in await call("resend_invite", id="u1", dryRun=dry)
    assert ALREADY_DONE_KEY not in await call("resend_invite", id="u1", dryRun=True)
    assert ALREADY_DONE_KEY in await call("resend_invite", id="u1") and call.sent.count("POST") == 4


@pytest.mark.requirement("N16")
@pytest.mark.parametrize(
    "name, first, second, listed",
    [
        ("add_ticket_tags", {"ticketId": 5, "tags": [" A "]}, {}, {"tags": ["b", "a"]}),
        ("remove_ticket_tags", {"ticketId": 5, "tags": ["a"]}, {"tags": ["a"]}, {"tags": ["b"]}),
        (
            "assign_objects_to_label",
            {"id": "l", "add": [{"objectId": "o", "objectType": "report"}]},
            {"assignments": []},
            {"assignments": [{"objectId": "o", "objectType": "report"}]},
        ),
        (
            "assign_objects_to_label",
            {"id": "l", "remove": [{"objectId": "o", "objectType": "report"}]},
            {"assignments": [{"objectId": "o", "objectType": "report"}]},
            {"assignments": [{"objectId": "o", "objectType": "budget"}]},
        ),
    ],
)
async def test_n16_list_members_are_verified(
    name: str, first: dict[str, Any], second: dict[str, Any], listed: dict[str, Any]
) -> None:
    """Even if it was undone by a user whose tenant has a different name."""
    # Each write reads the list before, for its undo call.
    call = RepeatingCallers({}, {}, listed, second, second, {})
    await call(name, **first)
    assert ALREADY_DONE_KEY in await call(name, **first)
    assert ALREADY_DONE_KEY not in await call(name, **first)
    assert [method != "GET" for method in call.sent] == [False, True, False, False, False, True]


@pytest.mark.requirement("N16")
@pytest.mark.parametrize(
    "name, arguments, now",
    [
        ("update_theme", {"id": "t", "newName": "N"}, {"id": "t", "name": "COLLEAGUE"}),
        ("update_theme", {"id": "t", "name": "O", "newName": "N"}, {"id": "t", "name": "COLLEAGUE"}),
        ("update_user", {"id": "u", "jobFunction": "Founder"}, {"users": [{"id": "u", "jobTitle": "Management"}]}),
        ("update_user", {"id": "u", "language": "en"}, {"users": [{"id": "u", "jobTitle": "Management"}]}),
        ("update_customer", {"customerId": "c", "contact": {"emails": ["a"]}}, {"contact": {"emails": ["b"], "x": 1}}),
        ("update_folder", {"id": "f", "parentFolderId": None}, {"id": "f", "parentFolderId": "filled again"}),
    ],
)
async def test_n16_value_absent_or_under_another_name_is_set_again(
    name: str, arguments: dict[str, Any], now: dict[str, Any]
) -> None:
    reads_first = name != "update_theme"
    call = RepeatingCallers(*([now] if reads_first else []), {}, now, *([now] if reads_first else []), {})
    await call(name, **arguments)
    assert ALREADY_DONE_KEY not in await call(name, **arguments)


@pytest.mark.requirement("N16")
@pytest.mark.parametrize(
    "name, arguments, now",
    [
        ("update_theme", {"id": "t", "name": "O", "newName": "N"}, {"id": "t", "name": "N"}),
        ("update_user", {"id": "u", "jobFunction": "Founder"}, {"users": [{"id": "u", "jobTitle": "Founder"}]}),
        ("update_customer", {"customerId": "c", "contact": {"emails": ["a"]}}, {"contact": {"emails": ["a"], "x": 1}}),
        ("update_folder", {"id": "f", "parentFolderId": None}, {"id": "f", "parentFolderId": ""}),
    ],
)
async def test_n16_value_under_another_name_is_not_set_again(
    name: str, arguments: dict[str, Any], now: dict[str, Any]
) -> None:
    call = RepeatingCallers({}, now)
    await call(name, **arguments)
    assert ALREADY_DONE_KEY in await call(name, **arguments)


@pytest.mark.requirement("N16")
async def test_n16_unreadable_update_is_repeated() -> None:
    call = RepeatingCallers({})
    for _ in range(2):
        assert ALREADY_DONE_KEY not in await call("update_insight_status", key="k", status="dismissed")
    assert call.sent == ["PUT"] * 2


@pytest.mark.requirement("N16")
async def test_n16_renamed_object_is_created_again() -> None:
    call = RepeatingCallers({"id": "l1", "name": "n"}, {"id": "l1", "name": "Z"}, {"id": "l2", "name": "n"})
    await call("create_label", **LABEL)
    assert (await call("create_label", **LABEL))["id"] == "l2"
    assert ALREADY_DONE_KEY in await call("create_label", **LABEL)


@pytest.mark.requirement("N16")
async def test_n16_contract_with_a_newer_version_is_updated_again() -> None:
    """A contract as displayed has no addresses, but every change creates a version."""
    terms = {
        "customerID": "c",
        "contractID": "k",
        "name": "n",
        "startDate": "2026-01-01T00:00:00Z",
        "renewalPolicy": "manual",
        "invoicesEmail": "a@b.example",
        "contractUpdatesEmail": "a@b.example",
        "billingProfile": {"name": "p"},
    }
    version = {"contractId": "k", "version": 2, "status": "draft"}
    contract = {"id": "k", "name": "n", "status": "active", "currentVersionNumber": 2}
    newer = {**contract, "currentVersionNumber": 3}
    call = RepeatingCallers(contract, version, contract, newer, newer, version)
    await call("update_contract", **terms)
    assert ALREADY_DONE_KEY in await call("update_contract", **terms)
    assert ALREADY_DONE_KEY not in await call("update_contract", **terms)


@pytest.mark.requirement("N19")
async def test_n19_rejected_sign_in_is_not_a_duplicate() -> None:
    call = RepeatingCallers({}, {}, ApiError("", kind="credential", status=401))
    await call("add_ticket_tags", ticketId=5, tags=["a"])
    with pytest.raises(ApiError):
        await call("add_ticket_tags", ticketId=5, tags=["a"])
    assert call.sent == ["GET", "POST", "GET"]


BUDGET: dict[str, Any] = {"name": "b", "currency": "USD", "type": "fixed", "startPeriod": 1, "amount": 100}


@pytest.mark.requirement("N16")
@pytest.mark.parametrize(
    "name, one, other",
    [
        ("create_budget", BUDGET, {**BUDGET, "amount": 100.0, "startPeriod": 1.0}),
        ("create_budget", BUDGET, {**BUDGET, "amount": "100", "currency": "usd", "name": " b "}),
        ("create_budget", BUDGET, {**BUDGET, "growthPerPeriod": 0, "usePrevSpend": False, "recipients": []}),
        ("create_budget", BUDGET, {**BUDGET, "growthPerPeriod": 0.0, "description": "", "recipients": None}),
        ("create_ticket_comment", {"ticketId": 1, "body": "x"}, {"ticketId": "1", "body": "x", "private": False}),
        ("resend_invite", {"id": "x"}, {"id": "x", "dryRun": False}),
        ("post_insight_result", {"key": "k"}, {"key": "k", "source": "public-api"}),
        ("update_budget", {"id": "b", "amount": 5}, {"amount": 5.0, "id": "b"}),
        (
            "create_report",
            {"name": "r", "config": {"filters": [{"id": "a", "type": "fixed", "values": ["1"]}]}},
            {"config": {"filters": [{"values": ["1"], "id": "a", "type": "fixed", "inverse": False}]}, "name": "r"},
        ),
    ],
)
def test_n16_equivalent_arguments_are_the_same_write(name: str, one: Any, other: Any) -> None:
    tool = TOOLS[name]
    first, second = (_write_digest(tool, tool.coerce_arguments(arguments)) for arguments in (one, other))
    assert first == second


@pytest.mark.requirement("N16")
@pytest.mark.parametrize(
    "name, one, other",
    [
        ("update_budget", {"id": "b", "amount": 5}, {"id": "b", "amount": 5, "recipients": []}),
        ("update_budget", {"id": "b", "amount": 5}, {"id": "b", "amount": 5, "description": ""}),
        ("update_cloudflow_connection", {"connectionId": "c"}, {"connectionId": "c", "enabled": False}),
        ("create_cloudflow_connection", {"name": "n"}, {"name": "n", "enabled": False}),
        (
            "send_datahub_events",
            {"events": [{"metrics": [{"value": 1}]}]},
            {"events": [{"metrics": [{"value": True}]}]},
        ),
        ("send_datahub_events", {"events": [{"metrics": [{"value": 0}]}]}, {"events": [{"metrics": [{}]}]}),
        ("create_ticket_comment", {"ticketId": 1, "body": "x"}, {"ticketId": 1, "body": "x", "private": True}),
        ("create_budget", BUDGET, {**BUDGET, "amount": 100.5}),
        ("trigger_cloud_flow", {"flowID": "a"}, {"flowID": "A"}),
    ],
)
def test_n16_different_meanings_are_different_writes(name: str, one: Any, other: Any) -> None:
    tool = TOOLS[name]
    first, second = (_write_digest(tool, tool.coerce_arguments(arguments)) for arguments in (one, other))
    assert first != second


@pytest.mark.requirement("N16")
async def test_n16_message_receipts_survive_colleagues_writes() -> None:
    call = RepeatingCallers({"id": 1, "status": "open"})
    comment = {"ticketId": 5, "comment": {"body": "hello"}}
    await call("create_ticket_comment", **comment)
    await call("update_ticket", "a colleague", ticketId=5, status="open")
    assert ALREADY_DONE_KEY in await call("create_ticket_comment", **comment)


@pytest.mark.requirement("N16")
def test_n16_every_write_has_a_check_or_is_exempt() -> None:
    """A declaration names what shows the effect of a write, or states that nothing shows or undoes it."""
    named = {tool.name: tool for tool in direct_tools()}
    unchecked = {tool.name for tool in named.values() if tool.writes and verifier_for(tool, named) is None}
    final = {name for name in unchecked if named[name].facts.get("undone_by") == "nothing"}
    assert {"ask_ava_streaming", "create_asset", "create_ticket_comment", "trigger_cloud_flow"} < final
    assert {"cancel_invite", "create_account_role", "invite_user", "delete_datahub_datasets"} < unchecked - final
    for name in unchecked - final:
        facts = named[name].facts
        declared = facts["verify_with"] if "verify_with" in facts else facts["preview_with"]
        assert declared is None, f"{named[name].declared_in}: {name}"
    checked = {tool.name for tool in named.values() if tool.writes} - unchecked
    assert {"create_label", "update_label", "delete_label", "update_user", "add_ticket_tags"} < checked


def make_tool(run: Any, **more: Any) -> Tool:
    return with_deduplication(
        with_commit(Tool("make", "Make", "Makes.", {"type": "object"}, run, area="a", writes=True, **more))
    )


async def test_duplicate_waits_for_the_first_write() -> None:
    go, ran = asyncio.Event(), []

    async def run(call: Any, arguments: Any) -> Any:
        ran.append(1)
        await go.wait()
        return {"id": 1}

    call, tool = RepeatingCallers(), make_tool(run)
    calls = [asyncio.ensure_future(call(tool)) for _ in range(2)]
    while not ran:
        await asyncio.sleep(0)
    go.set()
    first, second = await asyncio.gather(*calls)
    assert first == {"id": 1} and second["id"] == 1 and ALREADY_DONE_KEY in second and ran == [1]


async def test_write_of_a_departed_caller_is_unknown() -> None:
    started = asyncio.Event()

    async def run(call: Any, arguments: Any) -> Any:
        started.set()
        await asyncio.Event().wait()

    call, tool = RepeatingCallers(), make_tool(run)
    running = asyncio.ensure_future(call(tool))
    await started.wait()
    waiting = asyncio.ensure_future(call(tool))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ToolError, match="it is unknown whether"):
        await waiting


@pytest.mark.parametrize("failure", [ToolError("no"), CallSuspended("later")])
async def test_write_canceled_before_sending_may_be_repeated(failure: Exception) -> None:
    async def run(call: Any, arguments: Any) -> Any:
        raise failure

    call, tool = RepeatingCallers(), make_tool(run)
    for _ in range(2):
        with pytest.raises(type(failure), match=str(failure)):
            await call(tool)


@pytest.mark.requirement("N14")
async def test_n14_aborted_confirmation_leaves_no_unknown_outcome() -> None:
    """The user is asked within the deduplicated call, before the write begins."""
    asking, ran = asyncio.Event(), []

    async def run(call: Any, arguments: Any) -> Any:
        ran.append(1)
        return {"id": 1}

    inner = with_commit(Tool("make", "Make", "Makes.", {"type": "object"}, run, area="a", writes=True))

    async def ask(call: Any, arguments: Any) -> Any:
        if not asking.is_set():
            asking.set()
            await asyncio.Event().wait()
        return await inner.run(call, arguments)

    call, tool = RepeatingCallers(), with_deduplication(replace(inner, run=ask))
    first = asyncio.ensure_future(call(tool))
    await asking.wait()
    second = asyncio.ensure_future(call(tool))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == {"id": 1} and ran == [1]


async def test_internal_error_leaves_the_outcome_unknown() -> None:
    async def run(call: Any, arguments: Any) -> Any:
        raise RuntimeError("ours")

    call, tool = RepeatingCallers(), make_tool(run)
    with pytest.raises(RuntimeError):
        await call(tool)
    with pytest.raises(ToolError, match="it is unknown whether"):
        await call(tool)


async def test_content_blocks_are_returned_again_with_a_note() -> None:
    async def run(call: Any, arguments: Any) -> Any:
        return ContentResult([{"type": "text", "text": "made"}], structured={"id": 1})

    call, tool = RepeatingCallers(), make_tool(run)
    await call(tool)
    again = await call(tool)
    assert again.blocks[0] == {"type": "text", "text": "made"} and "it was not repeated" in again.blocks[1]["text"]
    assert again.structured == {"id": 1}


async def test_oversized_result_is_shortened() -> None:
    async def run(call: Any, arguments: Any) -> Any:
        return {"text": "x" * 10}

    call, tool = RepeatingCallers(), make_tool(run)
    call.receipts = MemoryReceiptStore(max_answer_bytes=5)
    await call(tool)
    again = await call(tool)
    assert again.keys() == {"status", ALREADY_DONE_KEY} and again["status"] == "completed"


async def test_invalid_unicode_is_rejected_by_the_request() -> None:
    with pytest.raises(ApiError, match="Unicode"):
        await RepeatingCallers()("delete_label", id="\ud800")


def test_repeated_results_match_the_output_schema() -> None:
    for tool in direct_tools():
        if tool.writes:
            assert tool.result_problems({"status": "completed", ALREADY_DONE_KEY: "again"}) == []
