"""Prepared changes: what they show and store, how long their tokens are valid, and how they are undone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api import Doit
from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.stores.approvals import (
    LIFETIME_SECONDS,
    MAX_CHANGE_BYTES,
    REPEAT_SECONDS,
    ConfirmationPolicy,
)
from doit_mcp.catalog.stores.write_receipts import TTL_SECONDS, MemoryReceiptStore
from doit_mcp.catalog.tools.tool import ToolError
from doit_mcp.catalog.writes.change_record import change_record
from doit_mcp.catalog.writes.deduplication import ALREADY_DONE_KEY
from doit_mcp.catalog.writes.snapshot import Snapshot
from doit_mcp.catalog.writes.value_diff import HIDDEN
from doit_mcp.protocol.base64url import encode_base64url
from doit_mcp.server.approval_tokens import MAX_TOKEN_CHARACTERS, ApprovalTokens
from doit_mcp.server.approvals import Approvals, BoundApprovals, make_memory_store
from doit_mcp.server.consents import MemoryConsents

from ..caller import TOOLS, Caller
from .confirming import BUDGET, Recorder, methods, run

NOW = 1_790_000_000.0
CONFIRM = "confirm_action"
SIGNUP = f"sr_{'0' * 32}"


class ApprovingCaller(Caller):
    """A client that cannot be asked, at a server that prepares changes, with a clock of its own."""

    policy: ConfirmationPolicy = "when-destructive"

    def __init__(self, api: Recorder) -> None:
        super().__init__(api)
        self.api = api
        self.time = NOW
        self.store = make_memory_store(lambda: self.time)
        consents = MemoryConsents(lambda: self.time, since=0)
        self.service = Approvals(self.store, ApprovalTokens("a secret"), consents, self.policy, lambda: self.time)

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Run a tool as a new call of the same user."""
        self.committed, self.claim = False, None
        self.approvals = BoundApprovals(self.service, self.owner, self.tenant)
        return await run(name, self, **arguments)


async def test_token_expires_and_still_leads_to_its_receipt() -> None:
    caller = ApprovingCaller(Recorder(BUDGET))
    used, unused = [(await caller.call("delete_budget", id=id))["approvalToken"] for id in ("b1", "b2")]
    caller.time += LIFETIME_SECONDS - 1
    done = await caller.call(CONFIRM, approvalToken=used)
    assert methods(caller.api) == ["GET", "GET", "GET", "DELETE"]
    caller.time += 1
    with pytest.raises(ToolError, match=r"^Nothing was changed: .*expired after 5 minutes"):
        await caller.call(CONFIRM, approvalToken=unused)
    again = await caller.call(CONFIRM, approvalToken=used)
    assert again.pop(ALREADY_DONE_KEY) and again == done
    caller.time += REPEAT_SECONDS
    for token in (used, unused):
        with pytest.raises(ToolError, match="unknown whether the change of this approvalToken was made"):
            await caller.call(CONFIRM, approvalToken=token)
    assert methods(caller.api).count("DELETE") == 1


async def test_used_token_leads_to_its_receipt_while_it_is_valid() -> None:
    caller = ApprovingCaller(Recorder(BUDGET))
    caller.receipts = MemoryReceiptStore(lambda: caller.time)
    token = (await caller.call("delete_budget", id="b1"))["approvalToken"]
    done = await caller.call(CONFIRM, approvalToken=token)
    # The receipts of equal calls do not last as long.
    for seconds in (TTL_SECONDS + 6, LIFETIME_SECONDS - TTL_SECONDS - 7):
        caller.time += seconds
        again = await caller.call(CONFIRM, approvalToken=token)
        note = again.pop(ALREADY_DONE_KEY)
        assert again == done and "call delete_budget again to prepare it: a token counts only once" in note
    caller.receipts = MemoryReceiptStore()
    for seconds in (0, 2, REPEAT_SECONDS):
        caller.time += seconds
        with pytest.raises(ToolError, match=r"^This .*changed nothing.* It is unknown whether .*Read the object first"):
            await caller.call(CONFIRM, approvalToken=token)
    assert methods(caller.api).count("DELETE") == 1


async def test_secret_arguments_are_not_shown() -> None:
    caller = ApprovingCaller(Recorder({"id": SIGNUP, "status": "pending_consent"}))
    prepared = await caller.call("verify_signup_request", signupRequestId=SIGNUP, code="123456")
    assert "123456" not in str(prepared)
    assert {"field": "code", "after": HIDDEN} in prepared["change"]["fields"]
    await caller.call(CONFIRM, approvalToken=prepared["approvalToken"])
    assert caller.api.requests[-1].body == {"code": "123456"}


async def test_deletions_of_datasets_say_how_many_events_are_lost() -> None:
    known = {"name": "Orders", "records": 1852, "lastUpdated": "2026-11-29T10:00:00Z"}
    listed: Any = {"datasets": [known, {"name": "Hosts", "records": None}, {"name": "Other", "records": 1}]}
    caller = ApprovingCaller(Recorder(listed))
    prepared = await caller.call("delete_datahub_datasets", datasets=["Hosts", "Orders", "Gone"])
    assert prepared["change"]["affected"] == [
        "dataset deleted with all its events: Orders, records: 1,852, lastUpdated: 2026-11-29T10:00:00Z",
        "dataset deleted with all its events: Hosts, records: unknown, lastUpdated: unknown",
        "dataset deleted with all its events: Gone, not found",
    ]
    # Events that arrived since are lost as well, so the user is asked again.
    known["records"] += 1
    again = await caller.call(CONFIRM, approvalToken=prepared["approvalToken"])
    assert again["status"] == "approval_required" and "records: 1,853" in again["change"]["affected"][0]
    selection = {"dataset": "Orders", "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-02-01T00:00:00Z"}
    (affected,) = (await caller.call("delete_datahub_events_by_filter", **selection))["change"]["affected"]
    assert affected.startswith("dataset that loses events: Orders, records: 1,853")
    closed = ApprovingCaller(Recorder(ApiError("", kind="forbidden", status=403)))
    unread = (await closed.call("delete_datahub_datasets", datasets=["Orders"]))["change"]["affected"]
    assert unread == ["dataset deleted with all its events: could not be read"]


async def test_large_changes_are_refused() -> None:
    caller = ApprovingCaller(Recorder({}))
    dimensions = [{"key": "k", "type": "label", "value": "x" * 1_000}]
    event = {"provider": "p", "time": "2026-01-01T00:00:00Z", "dimensions": dimensions}
    events = [event] * (1 + MAX_CHANGE_BYTES // 1_000)
    with pytest.raises(ToolError, match="larger than 1 MB"):
        await caller.call("send_datahub_events", events=events)
    assert caller.api.requests == []


def test_lists_are_shown_as_added_and_removed_items() -> None:
    state = {**BUDGET, "alerts": [{"percentage": 50}, {"percentage": 80}], "usePrevSpend": False, "note": "x" * 500}
    arguments: dict[str, Any] = {"id": "b1", "alerts": [{"percentage": 80}, {"percentage": 90}], "amount": 2000.5}
    arguments |= {"usePrevSpend": True, "description": "new <b>"}
    change = change_record(TOOLS["update_budget"], arguments, Snapshot(state, link="https://console.example/b1"))
    assert change == {
        "title": TOOLS["update_budget"].title,
        "object": {"name": "Data team", "id": "b1", "url": "https://console.example/b1"},
        "currency": "USD",
        "fields": [
            {
                "field": "alerts",
                "added": ["Alert at 90 %"],
                "removed": ["Alert at 50 %"],
                "addedItems": [{"percentage": 90}],
                "removedItems": [{"percentage": 50}],
            },
            {"field": "amount", "before": 1000, "after": "the spend of the period before"},
            {"field": "usePrevSpend", "before": False, "after": True},
            {"field": "description", "before": None, "after": "new < b>"},
        ],
        "irreversible": False,
    }
    unknown = change_record(
        TOOLS["update_budget"], arguments, Snapshot(None, note="The current state could not be read.")
    )
    assert all("before" not in row for row in unknown["fields"]) and len(unknown["notes"]) == 2


async def test_undo_restores_only_what_had_a_value() -> None:
    api = Recorder({**BUDGET, "alerts": [{"percentage": 50, "triggered": True, "forecastedDate": None}]})
    done = await run("update_budget", Caller(api), id="b1", alerts=[{"percentage": 60}])
    assert done["undo"] == {"tool": "update_budget", "arguments": {"id": "b1", "alerts": [{"percentage": 50}]}}
    done = await run("update_budget", Caller(api), id="b1", amount=1, description="x")
    assert done["undo"]["arguments"] == {"id": "b1", "amount": BUDGET["amount"], "description": ""}
    # What a creation requires is not known, and long values are not returned.
    assert (await run("delete_budget", Caller(api), id="b1"))["undo"].keys() == {"note"}
    long = Recorder({**BUDGET, "description": "x" * 20_000})
    done = await run("update_budget", Caller(long), id="b1", description="y")
    assert done["undo"].keys() == {"note"} and "description (xxx" in done["undo"]["note"]
    assert "too large for an undo call" in done["undo"]["note"] and len(done["undo"]["note"]) < 400


@given(st.binary(min_size=18, max_size=18), st.integers(0, (1 << 40) - 1), st.text(), st.text())
def test_tokens_are_short_and_bound(raw: bytes, expires_at: int, owner: str, tenant: str) -> None:
    old, new = ApprovalTokens("old"), ApprovalTokens("new", "old")
    token = old.make(encode_base64url(raw), expires_at, owner, tenant)
    assert len(token) <= MAX_TOKEN_CHARACTERS
    read = new.read(token)
    assert read is not None and (read.handle, read.expires_at) == (encode_base64url(raw), expires_at)
    assert new.is_owned_by(read, owner, tenant) and not new.is_owned_by(read, owner + "x", tenant)
    assert not new.is_owned_by(read, owner, tenant + "x")
    assert ApprovalTokens("new").read(token) is None


@given(st.text(max_size=80))
def test_any_other_text_is_not_a_token(text: str) -> None:
    assert ApprovalTokens("secret").read(text) is None


async def test_used_token_without_a_receipt_changes_nothing() -> None:
    caller = ApprovingCaller(Recorder(BUDGET))
    token = (await caller.call("delete_budget", id="b1"))["approvalToken"]
    await caller.call(CONFIRM, approvalToken=token)
    caller.receipts = MemoryReceiptStore()
    with pytest.raises(ToolError, match="already used, .* this call changed nothing"):
        await caller.call(CONFIRM, approvalToken=token)
    assert methods(caller.api).count("DELETE") == 1


async def test_used_token_says_so_whatever_became_of_the_object() -> None:
    caller = ApprovingCaller(Recorder(BUDGET))
    recipients = {"id": "b1", "recipients": ["bob@acme.example"]}
    deletion = (await caller.call("delete_budget", id="b1"))["approvalToken"]
    update = (await caller.call("update_budget", **recipients))["approvalToken"]
    await caller.call(CONFIRM, approvalToken=update)
    await caller.call(CONFIRM, approvalToken=deletion)
    states: tuple[Any, ...] = (
        {**BUDGET, "name": "Renamed", **recipients},
        ApiError("gone", kind="missing", status=404),
    )
    for state in states:
        caller.receipts, caller.doit = MemoryReceiptStore(), Doit.for_sender(Recorder(state))
        for token in (update, deletion):
            with pytest.raises(ToolError, match="already used, .* this call changed nothing"):
                await caller.call(CONFIRM, approvalToken=token)


async def test_a_token_that_led_to_the_receipt_of_an_equal_change_counts_no_more() -> None:
    caller = ApprovingCaller(Recorder({"id": "u1", "email": "new@acme.example"}))
    caller.receipts = MemoryReceiptStore(lambda: caller.time)
    first, second = [(await caller.call("invite_user", email="new@acme.example"))["approvalToken"] for _ in range(2)]
    done = await caller.call(CONFIRM, approvalToken=first)
    for seconds in (0, 0, TTL_SECONDS + 1):
        caller.time += seconds
        again = await caller.call(CONFIRM, approvalToken=second)
        assert again.pop(ALREADY_DONE_KEY) and again == done
    assert methods(caller.api).count("POST") == 1
    # A new token is for a new change.
    third = (await caller.call("invite_user", email="new@acme.example"))["approvalToken"]
    await caller.call(CONFIRM, approvalToken=third)
    assert methods(caller.api).count("POST") == 2


async def test_an_object_that_takes_the_name_of_the_approved_one_is_not_changed() -> None:
    class AlwaysApproving(ApprovingCaller):
        policy = "always"

    listed = [{"id": "t1", "name": "Dark", "primaryColor": "#111111"}]
    api = Recorder(lambda request: {"themes": listed} if request.path.endswith("/themes") else listed[0])
    caller = AlwaysApproving(api)
    token = (await caller.call("update_theme", name="Dark", primaryColor="#222222"))["approvalToken"]
    listed[0] = {**listed[0], "id": "t2"}
    asked_again = await caller.call(CONFIRM, approvalToken=token)
    assert asked_again["status"] == "approval_required" and "PATCH" not in methods(api)
    done = await caller.call(CONFIRM, approvalToken=asked_again["approvalToken"])
    assert api.requests[-1].path.endswith("/themes/t2")
    # The undo call names the theme by its id, because it can be renamed in the meantime.
    assert done["undo"]["arguments"] == {"id": "t2", "primaryColor": "#111111"}
