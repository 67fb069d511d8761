"""Confirmation: which tools ask, what the user sees, and that a declined write is not sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from doit_mcp.api import AREAS
from doit_mcp.api.errors import ApiError
from doit_mcp.api.facts import Unconfirmed
from doit_mcp.catalog.call import Question
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.tools.tool import ContentResult, Tool, ToolError
from doit_mcp.catalog.writes.confirmation import (
    CONFIRMATION_KEY,
    MAX_QUESTIONS,
    StateReader,
    always_confirms,
    confirmation_question,
    find_reader,
)
from doit_mcp.catalog.writes.preview import ACCEPT_INSTRUCTION, preview_message
from doit_mcp.protocol.jsonrpc import JsonObject
from doit_mcp.protocol.schema_validator import SchemaValidator
from tests.api.recorder import Recorder, pages_of

from ..caller import TOOLS, Caller

BUDGET = {"id": "b1", "name": "Data team", "amount": 1000, "currency": "USD", "currentUtilization": 12.5}
NAMED = {tool.name: tool for tool in direct_tools()}
ASKING = [tool for tool in direct_tools() if always_confirms(tool)]


class ConfirmingCaller(Caller):
    """A caller whose user can be asked, and gives this answer."""

    def __init__(self, api: Recorder, action: str = "accept", *, waits_for_answers: bool = False) -> None:
        super().__init__(api)
        self.waits_for_answers = waits_for_answers
        self.action = action
        self.questions: list[Question] = []

    def can_ask(self, question: Question) -> bool:
        return question.method == "elicitation/create" and question.params["mode"] == "form"

    async def ask_all(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        self.questions += questions.values()
        assert list(questions) == [CONFIRMATION_KEY]
        return {CONFIRMATION_KEY: {"action": self.action, "content": {}}}

    @property
    def text(self) -> str:
        (question,) = self.questions
        return str(question.params["message"])


async def run(name: str, caller: Caller, /, **arguments: Any) -> Any:
    tool = TOOLS[name]
    assert tool.argument_problems(arguments) == []
    return await tool.run(caller, arguments)


def methods(api: Recorder) -> list[str]:
    return [request.method for request in api.requests]


def test_tools_that_require_confirmation() -> None:
    asking = {tool.name for tool in ASKING}
    deleting = {tool.name for tool in direct_tools() if tool.name.startswith(("delete_", "cancel_", "archive_"))}
    assert deleting <= asking
    assert asking >= {
        *("update_resource_permissions", "invite_user", "update_user", "delete_user", "create_contract"),
        *("activate_contract", "update_contract_template", "send_datahub_events", "upload_datahub_csv"),
        *("create_asset", "update_asset", "trigger_cloud_flow", "update_cloudflow_connection"),
    }
    assert not asking & {"create_budget", "update_budget", "create_ticket", "create_label", "refine_cloudflow"}
    by_arguments = {tool.name for tool in direct_tools() if tool.external_target_paths} - asking
    assert by_arguments == {
        *("create_budget", "update_budget", "create_alert", "update_alert", "create_ticket", "update_ticket"),
        "post_insight_result",
    }
    assert not any(not tool.writes for tool in ASKING)


@pytest.mark.requirement("A5")
def test_destructive_and_external_tools_require_confirmation_or_are_exempt() -> None:
    """The reason is given in the declaration; a declaration without one is an error."""
    risky = {
        tool.name: tool
        for tool in direct_tools()
        if tool.annotations["destructiveHint"] or tool.annotations["openWorldHint"] and tool.writes
    }
    unasked = risky.keys() - {tool.name for tool in ASKING}
    assert {"create_budget", "update_label", "remove_ticket_tags", "refine_cloudflow", "create_ticket"} < unasked
    for name in unasked:
        confirm = risky[name].facts.get("confirm")
        given = isinstance(confirm, Unconfirmed) and len(confirm.reason) > 20
        assert given, f"{risky[name].declared_in}: {name} gives no reason"


def test_deletions_sharing_user_contract_and_bulk_writes_require_confirmation() -> None:
    """Determined from the operations, not from the names of the tools that ask."""
    asking = {tool.name for tool in ASKING}
    rows = [row for area in AREAS.values() for row in area.operations if not row.read_only]
    deleting = {row.name for row in rows if row.method == "DELETE"}
    words = "users|invites?|sharing|permissions|contracts?|contract-templates|trigger|handshakes|mappings"
    named = re.compile(rf"/({words})\b")
    about = {row.name for row in rows if named.search(row.path)}
    bulk = {row.name for row in rows if many(NAMED[row.name])}
    # Tags are removed from a ticket, and can be added again.
    assert (deleting | about | bulk) - asking == {"remove_ticket_tags"}
    assert {"delete_datahub_datasets", "delete_ava_conversation"} <= deleting
    assert {"invite_user", "trigger_cloud_flow", "update_resource_permissions"} <= about
    assert {"send_datahub_events", "post_insight_results", "assign_objects_to_label"} <= bulk


def many(tool: Tool) -> bool:
    """Return whether an argument is a list of things to write."""
    fields = tool.input_schema["properties"]
    lists = {name for name in fields if fields[name].get("items", {}).get("type") == "object"}
    return bool(lists & {*tool.input_schema.get("required", ()), "add", "remove"}) or "csv" in fields


@pytest.mark.parametrize("tool", ASKING, ids=lambda tool: tool.name)
def test_preview_readers_are_read_only(tool: Any) -> None:
    """Whatever the preview shows, every client can display the question."""
    named = {direct_tool.name: direct_tool for direct_tool in direct_tools()}
    reader = find_reader(tool, named)
    assert reader is None or not reader.tool.writes
    question = confirmation_question(preview_message(tool, {"id": "x"}, None))
    assert (
        question.signed
        and question.params["mode"] == "form"
        and question.params["message"].startswith(f"{tool.title}?\n")
    )
    assert SchemaValidator(question.params["requestedSchema"]).problems({}) == []


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("delete_budget", "get_budget"),
        ("delete_report", "get_report_config"),
        ("delete_custom_theme", "get_theme"),
        ("update_resource_permissions", "get_resource_permissions"),
        ("assign_objects_to_label", "get_label"),
        ("dismiss_budget_suggestion", "list_budget_suggestions"),
        ("delete_user", "list_users"),
        ("update_user", "list_users"),
        ("cancel_contract", "get_contract"),
        ("update_asset", "get_asset"),
        ("update_customer", "get_customer"),
        ("delete_datahub_dataset", "get_datahub_dataset"),
        ("create_account_role", "get_aws_account"),
        ("delete_account_role", "get_aws_account"),
        ("update_aws_feature", "get_aws_account"),
        ("update_cloudflow_connection", "get_cloudflow_connection"),
        ("trigger_cloud_flow", "list_cloudflows"),
        ("delete_insight_result", "get_insight"),
        ("create_cloudflow_connection", None),
        ("invite_user", None),
        ("create_contract", None),
        ("delete_datahub_datasets", None),
    ],
)
def test_preview_reader_per_tool(name: str, reader: str | None) -> None:
    reader_found = find_reader(TOOLS[name], TOOLS)
    assert (reader_found.tool.name if reader_found else None) == reader


async def test_confirmed_deletion_runs_after_a_preview() -> None:
    api = Recorder(BUDGET, None)
    caller = ConfirmingCaller(api)
    assert await run("delete_budget", caller, id="b1") == {"status": "completed", "deleted": True, "id": "b1"}
    assert methods(api) == ["GET", "DELETE"]
    assert caller.text.splitlines() == [
        "Delete budget?",
        "This cannot be undone.",
        "About:",
        "- id: b1",
        "- name: Data team",
        "- status: unknown",
        "- amount: 1000",
        "- currency: USD",
        "Accept to continue, or decline to leave everything unchanged.",
    ]


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_declined_write_is_not_sent(action: str) -> None:
    api = Recorder(BUDGET)
    with pytest.raises(ToolError, match="Nothing was changed: the user declined delete_budget"):
        await run("delete_budget", ConfirmingCaller(api, action), id="b1")
    assert methods(api) == ["GET"]


async def test_update_preview_shows_the_difference() -> None:
    api = Recorder({"users": [{"id": "u2"}, {"id": "u1", "email": "ann@acme.example", "roleId": "viewer"}]}, {})
    caller = ConfirmingCaller(api)
    await run("update_user", caller, id="u1", roleId="admin", firstName="Ann")
    assert "- email: ann@acme.example" in caller.text
    assert "access:\n- roleId: viewer → admin\nDetails:\n- firstName: Ann" in caller.text
    assert methods(api) == ["GET", "PATCH"]


ACCOUNT = {
    **{"accountID": "1", "roleArn": "arn:old", "enabledFeatures": ["sandbox"], "timeLinked": "2026-01-01T00:00:00Z"},
    "supportedFeatures": [{"name": "sandbox", "hasRequiredPermissions": True}],
}


async def test_connected_account_is_shown_before_its_features_change() -> None:
    caller = ConfirmingCaller(Recorder(ACCOUNT))
    await run("update_aws_feature", caller, accountID="1", enabledFeatures=["quotas"])
    assert caller.text.splitlines()[1:-1] == [
        *("About:", "- accountID: 1", "- roleArn: arn:old"),
        *("Changes:", '- enabledFeatures: ["sandbox"] → ["quotas"]'),
    ]


async def test_role_of_a_connected_account_is_shown_before_replacement() -> None:
    api = Recorder(ACCOUNT)
    caller = ConfirmingCaller(api)
    await run("create_account_role", caller, accountID="1", roleArn="arn:new", enabledFeatures=["sandbox"])
    assert "About:\n- accountID: 1\nRecipients and access:\n- roleArn: arn:old → arn:new\n" in caller.text
    assert methods(api) == ["GET", "POST"]


async def test_unconnected_account_can_be_connected() -> None:
    api = Recorder(ApiError("no such account", kind="missing", status=404), ACCOUNT)
    caller = ConfirmingCaller(api)
    await run("create_account_role", caller, accountID="1", roleArn="arn:new", enabledFeatures=[])
    assert "About:\n- accountID: 1\nRecipients and access:\n- roleArn: arn:new\n" in caller.text
    assert methods(api) == ["GET", "POST"]


@pytest.mark.parametrize("name", ["update_aws_feature", "delete_account_role"])
async def test_unconnected_account_is_not_confirmed(name: str) -> None:
    caller = ConfirmingCaller(Recorder(ApiError("no such account", kind="missing", status=404)))
    with pytest.raises(ApiError):
        await run(name, caller, accountID="1", **({"enabledFeatures": []} if name.startswith("update") else {}))
    assert caller.questions == []


async def test_disconnect_preview_shows_the_role_and_the_effects() -> None:
    caller = ConfirmingCaller(Recorder(ACCOUNT, None))
    result = await run("delete_account_role", caller, accountID="1")
    assert result == {"status": "completed", "deleted": True, "accountID": "1"}
    assert '- accountID: 1\n- roleArn: arn:old\n- enabledFeatures: ["sandbox"]\nAccept' in caller.text


async def test_flow_confirmation_shows_its_name() -> None:
    flows = {"items": [{"id": "f0", "name": "Other"}, {"id": "f1", "name": "Stop idle machines"}]}
    caller = ConfirmingCaller(Recorder(flows, {"executionLink": "l"}))
    await run("trigger_cloud_flow", caller, flowID="f1", requestBodyJson={"zone": "a"})
    expected = "About:\n- flowID: f1\n- name: Stop idle machines\nDetails:\n- requestBodyJson.zone: a\n"
    assert expected in caller.text


async def test_flow_given_by_url_is_confirmed_by_id() -> None:
    caller = ConfirmingCaller(Recorder({"items": [{"id": "f1", "name": "Stop idle machines"}]}, {"executionLink": "l"}))
    await run("trigger_cloud_flow", caller, flowID="https://somewhere.example/cloudflow/v1/trigger/f1")
    assert "About:\n- flowID: f1\n- name: Stop idle machines\n" in caller.text and "somewhere" not in caller.text
    again = await run("trigger_cloud_flow", caller, flowID="f1")
    assert "alreadyDone" in again


async def test_label_preview_shows_its_assignments() -> None:
    api = Recorder({"id": "l1", "name": "Prod"}, {})
    caller = ConfirmingCaller(api)
    await run("assign_objects_to_label", caller, id="l1", add=[{"objectId": "b1", "objectType": "budget"}])
    assert "About:\n- id: l1\n- name: Prod\nDetails:\n- add: " in caller.text and "b1" in caller.text
    assert methods(api) == ["GET", "POST"]


async def test_insight_preview_uses_other_argument_names() -> None:
    api = Recorder({"title": "Idle things"}, None)
    caller = ConfirmingCaller(api)
    await run("delete_insight_result", caller, sourceID="public-api", insightKey="k")
    assert "- insightKey: k\n- title: Idle things\n" in caller.text
    assert {request.path for request in api.requests} == {"/insights/v1/results/source/public-api/insight/k"}


async def test_account_to_reassign_is_found_by_its_own_id() -> None:
    rows = [{"assetId": "a1", "accountName": "pilot", "customerId": "p"}, {"assetId": "a2", "customerId": "p"}]
    api = Recorder({"items": rows}, {"items": rows}, {"assetId": "a1", "customerId": "c"})
    caller = ConfirmingCaller(api)
    await run("reassign_shared_payer_account", caller, assetId="a1", toCustomerId="c", partnerId="p")
    assert "- assetId: a1\n- accountName: pilot\n" in caller.text and "- toCustomerId: p → c\n" in caller.text
    assert (api.requests[-1].path, api.requests[-1].body) == (
        "/customers/v1/customers/p/shared-payer-accounts/a1",
        {"customerId": "c"},
    )


async def test_every_deletion_preview_names_the_target() -> None:
    caller = ConfirmingCaller(Recorder({"message": "Deleted"}))
    await run("delete_datahub_datasets", caller, datasets=["a", "b"])
    assert 'About:\n- datasets: ["a","b"]\nAccept' in caller.text


async def test_external_effects_are_stated() -> None:
    caller = ConfirmingCaller(Recorder({}))
    await run("invite_user", caller, email="bob@acme.example")
    assert "outside of your DoiT account" in caller.text and "access:\n- email: bob@acme.example" in caller.text


async def test_missing_target_is_an_error_without_confirmation() -> None:
    caller = ConfirmingCaller(Recorder(ApiError("no such budget", kind="missing", status=404)))
    with pytest.raises(ApiError):
        await run("delete_budget", caller, id="b1")
    assert caller.questions == []


@pytest.mark.parametrize("kind", ["forbidden", "fault", "network"])
async def test_unreadable_target_is_confirmed_without_a_preview(kind: Any) -> None:
    api = Recorder(ApiError("", kind=kind), {})
    caller = ConfirmingCaller(api)
    await run("delete_budget", caller, id="b1")
    assert "- id: b1" in caller.text and methods(api) == ["GET", "DELETE"]


@pytest.mark.requirement("N19")
@pytest.mark.parametrize("customer", [None, "c1"])
async def test_n19_ended_sign_in_is_not_swallowed(customer: str | None) -> None:
    caller = ConfirmingCaller(Recorder(ApiError("", kind="credential", status=401)))
    caller.customer_context = customer
    with pytest.raises(ApiError) as raised:
        await run("delete_budget", caller, id="b1")
    assert raised.value.kind == "credential" and caller.questions == []


async def test_no_preview_without_elicitation() -> None:
    api = Recorder(None)
    await run("delete_budget", Caller(api), id="b1")
    assert methods(api) == ["DELETE"]


async def test_dry_run_is_not_confirmed() -> None:
    caller = ConfirmingCaller(Recorder({}))
    await run("resend_invite", caller, id="u1", dryRun=True)
    assert caller.questions == []
    await run("resend_invite", caller, id="u1", dryRun=False)
    assert len(caller.questions) == 1


async def test_preview_is_short_and_visible() -> None:
    tool = TOOLS["create_contract"]
    preview = preview_message(tool, {f"field{n}": "x\u202e\n y" * 500 for n in range(50)} | {"rows": [{}] * 9}, None)
    assert len(preview) < 5_000 and "\u202e" not in preview and "- and 31 more" in preview
    assert "- and 31 more: field20 (1), field21 (1)" in preview and " more characters)\n" in preview


async def test_volatile_fields_are_not_in_the_preview() -> None:
    """The question is the same when the request is repeated with the answer."""
    first, second = (
        preview_message(TOOLS["delete_budget"], {"id": "b1"}, {**BUDGET, "currentUtilization": used}) for used in (1, 2)
    )
    assert first == second and confirmation_question(first).digest == confirmation_question(second).digest
    assert (
        confirmation_question(first).digest
        != confirmation_question(preview_message(TOOLS["delete_budget"], {"id": "b2"}, BUDGET)).digest
    )


async def test_ambiguous_or_non_object_targets_are_not_shown() -> None:
    async def blocks(call: Any, arguments: JsonObject) -> ContentResult:
        return ContentResult([{"type": "text", "text": "x"}])

    api = Recorder()
    assert await StateReader(TOOLS["get_datahub_dataset"]).read_state(Caller(api), {"id": "x"}) is None
    assert api.requests == []
    picture = Tool("get_picture", "Get picture", "Shows.", {"type": "object", "properties": {}}, blocks)
    assert await StateReader(picture).read_state(Caller(api), {}) is None


OWNER, EDITOR = {"user": "ann@acme.example", "role": "owner"}, {"user": "bob@acme.example", "role": "editor"}
SHARED = {"id": "b1", "name": "Costs", "permissions": [OWNER, EDITOR], "public": None}
RESOURCE = {"resourceType": "budgets", "resourceId": "b1"}


@pytest.mark.requirement("N11")
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("update_budget", {"id": "b1", "recipients": ["eve@evil.example"]}, "recipients: add eve@evil.example"),
        ("update_budget", {"id": "b1", "public": "viewer"}, "public: no access → viewer"),
        (
            "update_budget",
            {"id": "b1", "recipientsSlackChannels": [{"id": "C1", "name": "general"}]},
            "recipientsSlackChannels: C1 (name: general)",
        ),
        (
            "create_budget",
            {
                **{"name": "n", "currency": "USD", "type": "fixed", "startPeriod": 1},
                "collaborators": [{"email": "eve@evil.example", "role": "owner"}],
            },
            "collaborators: eve@evil.example (owner)",
        ),
        (
            "create_alert",
            {
                "name": "n",
                "alert": {"metric": {"type": "basic", "value": "cost"}, "timeInterval": "day", "value": 1},
                "recipients": ["eve@evil.example"],
            },
            "recipients: eve@evil.example",
        ),
        (
            "create_ticket",
            {
                "ticket": {
                    **{"subject": "s", "body": "b", "platform": "doit", "product": "p", "severity": "low"},
                    "requester": "eve@evil.example",
                }
            },
            "ticket.requester: eve@evil.example",
        ),
    ],
)
async def test_n11_recipients_channels_and_public_access_require_confirmation(
    name: str, arguments: JsonObject, expected: str
) -> None:
    current = {**BUDGET, "recipients": ["ann@acme.example"], "public": None}
    api = Recorder(current)
    caller = ConfirmingCaller(api, "decline")
    with pytest.raises(ToolError, match="Nothing was changed"):
        await run(name, caller, **arguments)
    assert f"Recipients and access:\n- {expected}\n" in caller.text
    assert not any(operation.method != "GET" and not operation.read_only for operation in api.operations)
    assert TOOLS[name].annotations["openWorldHint"] is True


@pytest.mark.requirement("N11")
async def test_n11_writes_without_recipients_are_not_confirmed() -> None:
    api = Recorder(BUDGET)
    caller = ConfirmingCaller(api)
    await run("update_budget", caller, id="b1", description="x")
    assert caller.questions == [] and methods(api) == ["PATCH"]


@pytest.mark.requirement("N11")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"recipients": []}, "recipients: remove ann@acme.example"),
        ({"recipientsSlackChannels": []}, "recipientsSlackChannels: remove C1 (name: costs)"),
    ],
)
async def test_n11_removing_users_requires_confirmation(arguments: JsonObject, expected: str) -> None:
    channels = [{"id": "C1", "name": "costs"}]
    api = Recorder({**BUDGET, "recipients": ["ann@acme.example"], "recipientsSlackChannels": channels})
    caller = ConfirmingCaller(api, "decline")
    with pytest.raises(ToolError, match="Nothing was changed"):
        await run("update_budget", caller, id="b1", **arguments)
    assert f"Recipients and access:\n- {expected}\n" in caller.text and set(methods(api)) == {"GET"}


@pytest.mark.requirement("N12")
async def test_n12_every_user_whose_access_changes_is_named() -> None:
    caller = ConfirmingCaller(Recorder(SHARED, {}))
    people = [{**OWNER, "user": "ANN@acme.example"}, {**EDITOR, "role": "viewer"}]
    await run(
        "update_resource_permissions",
        caller,
        **RESOURCE,
        permissions=[*people, {"user": "eve@evil.example", "role": "editor"}],
        public="viewer",
    )
    assert caller.text.splitlines()[-5:-1] == [
        "Recipients and access:",
        "- permissions: add eve@evil.example (editor)",
        "- permissions: change bob@acme.example: editor → viewer",
        "- public: no access → viewer",
    ]


@pytest.mark.requirement("N12")
async def test_n12_users_losing_access_and_current_users_are_named() -> None:
    caller = ConfirmingCaller(Recorder(SHARED, {}))
    await run("update_resource_permissions", caller, **RESOURCE, permissions=[OWNER])
    assert "- permissions: remove bob@acme.example (editor)\n" in caller.text
    caller = ConfirmingCaller(Recorder({**SHARED, "permissions": [OWNER, EDITOR] * 2}, {}))
    await run("update_resource_permissions", caller, **RESOURCE, public="viewer")
    assert "- permissions: ann@acme.example (owner), bob@acme.example (editor), ann" in caller.text


@pytest.mark.requirement("N12")
async def test_n12_duplicate_entries_are_shown_twice_and_equal_lists_are_unchanged() -> None:
    caller = ConfirmingCaller(Recorder(SHARED, {}))
    people = [OWNER, {**EDITOR, "role": "viewer"}, {"user": "Bob@acme.example", "role": "owner"}]
    await run("update_resource_permissions", caller, **RESOURCE, permissions=people)
    assert "bob@acme.example: editor → viewer\n- permissions: change Bob@acme.example: editor → owner\n" in caller.text
    caller = ConfirmingCaller(Recorder(SHARED, {}))
    await run("update_resource_permissions", caller, **RESOURCE, permissions=[EDITOR, OWNER])
    assert "- permissions: unchanged\n" in caller.text


@pytest.mark.requirement("N12")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("jess@acme.example", "jeſs@acme.example"),
        ("ann@strasse.example", "ann@straße.example"),
        ("kim@acme.example", "\u212aim@acme.example"),
        ("ann@acme.example", "ann@acme.example\u00a0"),
    ],
)
async def test_n12_addresses_that_unicode_folds_together_are_distinct(old: str, new: str) -> None:
    caller = ConfirmingCaller(Recorder({**BUDGET, "recipients": [old]}, {}))
    await run("update_budget", caller, id="b1", recipients=[new])
    assert "recipients: add " in caller.text and f"recipients: remove {old}\n" in caller.text
    assert "unchanged" not in caller.text.splitlines()[:-1][-1]


@pytest.mark.requirement("N12")
async def test_n12_entries_beyond_the_limit_are_counted() -> None:
    caller = ConfirmingCaller(Recorder(SHARED, {}))
    permissions = [{"user": f"p{n}@acme.example", "role": "viewer"} for n in range(30)]
    await run("update_resource_permissions", caller, **RESOURCE, permissions=[OWNER, *permissions], public="editor")
    assert "- permissions: add p19@acme.example (viewer)\n- and 11 more: 10 added, 1 removed\n" in caller.text
    assert "- public: no access → editor" in caller.text


@pytest.mark.requirement("N12")
async def test_n12_unreadable_list_is_reported_as_replaced() -> None:
    caller = ConfirmingCaller(Recorder(ApiError("", kind="forbidden"), {}))
    await run("update_budget", caller, id="b1", recipients=["bob@acme.example"])
    assert "- recipients: bob@acme.example\n- recipients: anyone not listed here is removed" in caller.text


@pytest.mark.requirement("N12")
async def test_n12_nested_addresses_and_granted_roles_are_compared() -> None:
    current = {"settings": {"allowedInviteDomains": ["acme.example"], "mfaRequired": True}, "contact": None}
    caller = ConfirmingCaller(Recorder(current, {}))
    settings = {"allowedInviteDomains": ["acme.example", "evil.example"], "mfaRequired": False}
    await run("update_customer", caller, customerId="c", settings=settings)
    assert "- settings.allowedInviteDomains: add evil.example\nChanges:\n" in caller.text
    assert "- settings.mfaRequired: true → false\n" in caller.text
    caller = ConfirmingCaller(Recorder({"connectionId": "x", "gcpConfig": {"predefinedRoles": ["roles/viewer"]}}, {}))
    roles = {"predefinedRoles": ["roles/owner"]}
    await run("update_cloudflow_connection", caller, connectionId="x", gcpConfig=roles)
    assert "Roles: add roles/owner\n- gcpConfig.predefinedRoles: remove roles/viewer\nAccept" in caller.text


async def text_for(name: str, answer: Any, /, **arguments: Any) -> str:
    caller = ConfirmingCaller(Recorder(answer), "decline")
    with pytest.raises(ToolError, match="Nothing was changed"):
        await run(name, caller, **arguments)
    return caller.text


@pytest.mark.requirement("N12")
async def test_n12_every_list_item_is_shown_or_counted() -> None:
    def items(count: int) -> list[JsonObject]:
        return [{"resellerCustomerId": f"c{n}", "resellerPmaAccountId": f"{n:012}"} for n in range(count)]

    text = await text_for("create_billing_transfer_handshakes", {}, dpmaId="d", items=items(5))
    for item in items(5):
        assert f'{{"resellerCustomerId":"{item["resellerCustomerId"]}","resellerPmaAccountId":"' in text
    text = await text_for("create_billing_transfer_handshakes", {}, dpmaId="d", items=items(25))
    assert text.count("resellerPmaAccountId") == 20 and "- and 5 more: items (5)\n" in text
    objects = [{"objectId": f"object {n}", "objectType": "report"} for n in range(9)]
    text = await text_for("assign_objects_to_label", {"id": "l"}, id="l", add=objects, remove=objects[:1])
    assert all(f'"object {n}"' in text for n in range(9)) and '- remove: [{"objectId":"object 0"' in text


@pytest.mark.requirement("N12")
async def test_n12_deletion_names_or_counts_all_targets() -> None:
    text = await text_for("delete_datahub_datasets", {}, datasets=[f"a dataset with the number {n}" for n in range(40)])
    assert text.count("a dataset with the number") == 20 and "- and 20 more: datasets (20)\n" in text


@pytest.mark.requirement("N12")
@pytest.mark.parametrize("as_text", [False, True])
async def test_n12_recipients_are_shown_despite_long_siblings(as_text: bool) -> None:
    body: JsonObject = {f"filler {n}": "x" * 500 for n in range(50)}
    body |= {"note": "y" * 300 + " https://evil.example/hook", "deep": {"in": [{"cc": "eve@evil.example"}] * 9}}
    arguments = {"payload": orjson.dumps(body).decode()} if as_text else body
    text = await text_for("trigger_cloud_flow", {"items": []}, flowID="f1", requestBodyJson=arguments)
    path = "requestBodyJson.payload" if as_text else "requestBodyJson"
    lines = text.splitlines()
    assert f"- {path}.note mentions: https:// evil.example/hook" in lines
    first = lines[lines.index("Details:") + 1 :][:2]
    assert f'- {path}.deep.in[0]: {{"cc":"eve@evil.example"}}' in first
    assert any(line.startswith("- and 30 more: ") for line in lines) and "xxx… (and 340 more characters)" in text


@pytest.mark.requirement("N12")
async def test_n12_addresses_are_shown_despite_long_values_or_names() -> None:
    long = "x" * 250 + "@evil.example"
    text = await text_for("update_budget", BUDGET, id="b1", recipients=[long])
    assert f"- recipients mentions: {long}\n" in text
    body = {"y" * 200 + " to eve@evil.example": 1, "bob@evil.example": 2, **{f"filler {n}": n for n in range(50)}}
    text = await text_for("trigger_cloud_flow", {"items": []}, flowID="f1", requestBodyJson=body)
    assert "- requestBodyJson mentions: eve@evil.example\n" in text
    assert "- requestBodyJson.bob@evil.example: 2\n" in text
    # Markup is broken by spaces, which must not push anything out of view.
    hidden = {"a": "www." * 36 + "e", "cc": "eve"}
    text = await text_for("trigger_cloud_flow", {"items": []}, flowID="f1", requestBodyJson={"l": [hidden] * 9})
    assert "- requestBodyJson.l[0].cc: eve\n" in text


@pytest.mark.requirement("N12")
async def test_n12_accounts_and_addresses_of_a_connection_come_first() -> None:
    current = {"connectionId": "x", "gcpConfig": {"infraManagerServiceAccount": "old@p.example", "status": "ok"}}
    config = {"infraManagerProject": "p" * 400, "infraManagerServiceAccount": "eve@evil.example"}
    text = await text_for("update_cloudflow_connection", current, connectionId="x", gcpConfig=config)
    assert "Changes:\n- gcpConfig.infraManagerServiceAccount: old@p.example → eve@evil.example\n- gcpConfig." in text
    accounts = [{"accountId": f"{n:012}", "regions": ["r" * 200]} for n in range(30)]
    text = await text_for(
        "create_cloudflow_connection", {}, name="n", awsConfig={"context": accounts, "managementAccount": "9" * 12}
    )
    assert "- awsConfig.managementAccount: 999999999999\n" in text and text.count("accountId: ") == 19
    assert "awsConfig.context.accountId (11)" in text


@pytest.mark.requirement("N12")
async def test_n12_list_whose_items_lost_a_member_is_shown_again() -> None:
    books = [{"name": f"Book {n} " + "x" * 40, "rules": [{"name": "r"}]} for n in range(5)]
    tool, current = TOOLS["update_contract_template"], {"id": "t", "priceBooks": books}
    text = preview_message(tool, {"templateID": "t", "priceBooks": books[:2]}, current)
    assert "Changes:\n" in text and text.count("- priceBooks: remove ") == 3 and "[0]" not in text
    bare = [{"name": book["name"]} for book in books]
    text = preview_message(tool, {"templateID": "t", "priceBooks": bare}, current)
    assert text.count("- priceBooks[") == 5 and "remove" not in text


@pytest.mark.requirement("N12")
async def test_n12_contract_is_compared_with_its_latest_version() -> None:
    version = {"invoicesEmail": "ann@acme.example", "contractUpdatesEmail": "ann@acme.example", "version": 2}
    old = {**version, "invoicesEmail": "former@acme.example", "version": 1}
    current = {"id": "k", "name": "Deal", "versions": [old, version]}
    terms = {"name": "Deal", "startDate": "2026-01-01T00:00:00Z", "renewalPolicy": "auto", "billingProfile": {}}
    text = await text_for(
        "update_contract",
        current,
        customerID="c",
        contractID="k",
        **terms,
        invoicesEmail="eve@evil.example",
        contractUpdatesEmail="ann@acme.example",
    )
    assert "- invoicesEmail: ann@acme.example → eve@evil.example\n" in text


@pytest.mark.requirement("N12")
async def test_n12_preview_pages_through_lists_to_find_the_target() -> None:
    flows = [[{"id": f"f{page} {n}", "name": f"Flow {page} {n}"} for n in range(50)] for page in range(30)]
    api = pages_of("items", *flows)
    assert "- flowID: f9 7\n- name: Flow 9 7\n" in await text_for("trigger_cloud_flow", api, flowID="f9 7")
    text = await text_for("trigger_cloud_flow", api, flowID="f10 0")
    assert "\nThe first 10 pages of list_cloudflows show no object with this id.\nAbout:\n- flowID: f10 0\n" in text
    text = await text_for("trigger_cloud_flow", pages_of("items", *flows[:2]), flowID="nothing")
    assert "\nlist_cloudflows shows no object with this id.\n" in text
    text = await text_for("delete_budget", ApiError("", kind="fault"), id="b1")
    assert "\nThe current state could not be read.\n" in text


@pytest.mark.requirement("N12")
async def test_n12_difference_beyond_the_truncation_is_not_equal() -> None:
    arn = "arn:aws:iam::123456789012:role/" + "x" * 200
    current = {**ACCOUNT, "roleArn": arn + "1"}
    text = await text_for("create_account_role", current, accountID="1", roleArn=arn + "2", enabledFeatures=[])
    assert " → arn:aws:iam::123456789012:role/xxx" in text


@pytest.mark.requirement("N13")
async def test_n13_change_beyond_the_limit_requires_confirmation_again() -> None:
    def shared(*names: str) -> JsonObject:
        users = [OWNER, *({"user": f"{name}@acme.example", "role": "viewer"} for name in names)]
        return {**SHARED, "permissions": users}

    few = [f"u{n:02}" for n in range(29)]
    first, second = shared(*few, *(f"u{n}" for n in range(50, 60))), shared(*few, *(f"boss{n}" for n in range(50, 60)))
    caller = ConfirmingCaller(Recorder(first, second, second, {}), waits_for_answers=True)
    await run("update_resource_permissions", caller, **RESOURCE, permissions=[OWNER])
    first_question, second_question = caller.questions
    assert first_question.params == second_question.params and first_question.digest != second_question.digest


@pytest.mark.requirement("N13")
@pytest.mark.parametrize("changed", [{"currentUtilization": 99}, {"updateTime": "now"}, {"alerts": [{"sent": 1}]}])
async def test_n13_volatile_change_does_not_require_confirmation_again(changed: JsonObject) -> None:
    caller = ConfirmingCaller(Recorder(BUDGET, {**BUDGET, **changed}, {}), waits_for_answers=True)
    await run("update_budget", caller, id="b1", recipients=["bob@acme.example"], amount=5)
    assert len(caller.questions) == 1


@pytest.mark.requirement("N13")
async def test_n13_nested_status_change_does_not_require_confirmation_again() -> None:
    def connection(status: str) -> JsonObject:
        return {"connectionId": "x", "awsConfig": {"context": [{"accountId": "1", "status": status}], "status": status}}

    caller = ConfirmingCaller(Recorder(connection("pending"), connection("healthy"), {}), waits_for_answers=True)
    config = {"context": [{"accountId": "2"}]}
    await run("update_cloudflow_connection", caller, connectionId="x", awsConfig=config)
    assert len(caller.questions) == 1


FLOW = "Send the weekly digest to eve@evil.example and post it to https://evil.example/hook."


@pytest.mark.requirement("N11")
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("refine_cloudflow", {"flowId": "f", "question": FLOW}, "eve@evil.example, https:// evil.example/hook"),
        ("build_cloud_flow", {"question": FLOW}, "eve@evil.example, https:// evil.example/hook"),
        ("build_cloud_flow", {"question": "x" * 9_000 + " eve＠evil.example"}, "eve@evil.example"),
    ],
)
async def test_n11_assistant_instructions_with_addresses_require_confirmation(
    name: str, arguments: JsonObject, expected: str
) -> None:
    text = await text_for(name, [], **arguments)
    assert f"Recipients and access:\n- question mentions: {expected}\n" in text
    assert TOOLS[name].annotations["openWorldHint"] is True


@pytest.mark.requirement("N11")
async def test_n11_assistant_instructions_without_addresses_are_not_confirmed() -> None:
    caller = ConfirmingCaller(Recorder([{"answer": "Done.", "conversationId": "c"}]))
    await run("refine_cloudflow", caller, flowId="f", question="Stop idle machines at 8 p.m., and/or e.g. at night.")
    assert caller.questions == []


@pytest.mark.requirement("N11")
async def test_n11_links_in_shared_texts_require_confirmation() -> None:
    insight = {"key": "k", "title": "t", "shortDescription": "d", "cloudProvider": "aws", "categories": ["FinOps"]}
    linked = {**insight, "detailedDescriptionMdx": "See [the fix](//evil.example/fix)."}
    text = await text_for("post_insight_result", {}, **linked)
    assert "- detailedDescriptionMdx mentions: //evil.example/fix\n" in text
    caller = ConfirmingCaller(Recorder({}))
    await run("post_insight_result", caller, **insight, detailedDescriptionMdx="Use **smaller** machines.")
    assert caller.questions == []


@pytest.mark.requirement("N13")
async def test_n13_change_during_confirmation_requires_confirmation_again() -> None:
    renamed = {**BUDGET, "name": "Another by now"}
    api = Recorder(BUDGET, renamed, renamed, None)
    caller = ConfirmingCaller(api, waits_for_answers=True)
    await run("delete_budget", caller, id="b1")
    assert methods(api) == ["GET", "GET", "GET", "DELETE"]
    first, second = (str(question.params["message"]) for question in caller.questions)
    assert "name: Data team" in first and "name: Another by now" in second


@pytest.mark.requirement("N13")
async def test_n13_continually_changing_target_is_eventually_rejected() -> None:
    api = Recorder(*({**BUDGET, "name": f"Name {n}"} for n in range(9)))
    caller = ConfirmingCaller(api, waits_for_answers=True)
    with pytest.raises(ToolError, match="changed each of the 3 times that the user was asked"):
        await run("delete_budget", caller, id="b1")
    assert len(caller.questions) == MAX_QUESTIONS and set(methods(api)) == {"GET"}


@pytest.mark.requirement("N13")
async def test_n13_target_deleted_during_confirmation_is_not_deleted() -> None:
    api = Recorder(BUDGET, ApiError("no such budget", kind="missing", status=404))
    with pytest.raises(ApiError):
        await run("delete_budget", ConfirmingCaller(api, waits_for_answers=True), id="b1")
    assert methods(api) == ["GET", "GET"]


@pytest.mark.requirement("N13")
async def test_n13_accepting_round_reads_once() -> None:
    api = Recorder(BUDGET, None)
    await run("delete_budget", ConfirmingCaller(api), id="b1")
    assert methods(api) == ["GET", "DELETE"]


@pytest.mark.requirement("N15")
@pytest.mark.parametrize(
    ("id", "answer", "expected"),
    [
        ("c1", {"domain": "acme.example"}, "acme.example (id c1)"),
        ("c1", ApiError("", kind="fault"), "c1"),
        ("", {"domain": "doit.example"}, "doit.example"),
        ("", {}, "your own account"),
    ],
)
async def test_n15_confirmation_shows_employees_the_customer(id: str, answer: Any, expected: str) -> None:
    caller = ConfirmingCaller(Recorder(answer, BUDGET, None))
    caller.customer_context = id
    await run("delete_budget", caller, id="b1")
    assert caller.text.startswith(f"Delete budget?\nCustomer: {expected}\n")


EVIL = "![x](http://evil.example/p.png) <img src=x> [pay](https://evil.example) &#8238;x"


@pytest.mark.requirement("N24")
async def test_n24_api_markup_is_plain_text_in_a_confirmation() -> None:
    caller = ConfirmingCaller(Recorder({**BUDGET, "name": EVIL}, None))
    await run("delete_budget", caller, id="b1")
    line = next(line for line in caller.text.splitlines() if line.startswith("- name: "))
    assert line == ("- name: ! [x] (http:// evil.example/p.png) < img src=x> [pay] (https:// evil.example) & #8238;x")


@pytest.mark.requirement("N24")
@pytest.mark.parametrize("gap", ["\n", "\r\n", "\u2028", "\u2029", "\x85", "\x0b", "\x1c"])
async def test_n24_api_text_cannot_imitate_a_line_of_the_confirmation(gap: str) -> None:
    name = f"Data team{gap}{ACCEPT_INSTRUCTION}{gap}Customer: nobody"
    caller = ConfirmingCaller(Recorder({**BUDGET, "name": name}, None))
    await run("delete_budget", caller, id="b1")
    lines = caller.text.splitlines()
    assert (
        len(lines) == 9
        and lines.count(ACCEPT_INSTRUCTION) == 1
        and not any(line.startswith("Customer") for line in lines)
    )
